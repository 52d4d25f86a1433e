"""Which release a camera takes: each reason not to, and none without one."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from agent.core.reasons import Reason
from agent.core.software.choice import Answer, Machine, Signed, choose
from agent.core.software.installed import Installed, Memory
from agent.core.software.signed_release import PackageFile, Release, Statement
from agent.core.software.software_version import SoftwareVersion

HERE = Machine("main-street-2", "arm64", "3.11")
OLD = Installed(SoftwareVersion(1, 3, 0), "", 2)
ARM = PackageFile("arm64", "3.11", "a" * 64, 10)
NEW = Statement(SoftwareVersion(1, 4, 0), 2, (ARM, replace(ARM, architecture="amd64", sha256="b")))
SIGNED = Signed(Release("a.b.c"), NEW, 7, 2, 2, SoftwareVersion(1, 0, 0))


def answer(signed=SIGNED, machine=HERE, confirmed=OLD, memory=None):
    return choose(signed, machine, confirmed, memory or Memory())


def test_a_newer_version_for_this_machine_is_taken():
    choice = answer()
    assert (choice.answer, choice.package) == (Answer.TAKE, ARM)
    assert choice.offered == Installed(NEW.version, "a" * 64, 2)


def older(number):
    return replace(SIGNED, statement=replace(NEW, version=SoftwareVersion(1, number, 0)))


@pytest.mark.parametrize(
    ("given_", "reason"),
    [
        ({"signed": replace(SIGNED, signers=1)}, Reason.SOFTWARE_SIGNERS),
        ({"signed": replace(SIGNED, wanted=3)}, Reason.SOFTWARE_SIGNERS),
        ({"signed": replace(SIGNED, floor=SoftwareVersion(1, 4, 1))}, Reason.SOFTWARE_BELOW_FLOOR),
        ({"machine": replace(HERE, architecture="armhf")}, Reason.SOFTWARE_PLATFORM),
        ({"machine": replace(HERE, python="3.13")}, Reason.SOFTWARE_PLATFORM),
        ({"signed": older(2)}, Reason.SOFTWARE_OLDER),
        ({"signed": replace(SIGNED, statement=replace(NEW, state=1))}, Reason.SOFTWARE_STATE),
        (
            {
                "signed": replace(
                    SIGNED,
                    statement=replace(NEW, state=1, version=SoftwareVersion(1, 2, 0)),
                    release=Release("a.b.c", back=True),
                )
            },
            Reason.SOFTWARE_STATE,
        ),
    ],
)
def test_what_is_refused_and_why(given_, reason):
    choice = answer(**given_)
    assert (choice.answer, choice.reason) == (Answer.REFUSE, reason)
    assert "1." in choice.what


def test_the_city_may_lead_its_cameras_back_but_not_below_the_floor():
    back = replace(older(2), release=Release("a.b.c", back=True))
    assert answer(back).answer is Answer.TAKE
    low = replace(back, floor=SoftwareVersion(1, 3, 0))
    assert answer(low).reason is Reason.SOFTWARE_BELOW_FLOOR


def test_what_runs_already_is_kept_also_where_it_would_be_refused_today():
    runs = Installed(NEW.version, "a" * 64, 2)
    assert answer(confirmed=runs).answer is Answer.KEEP
    assert answer(replace(SIGNED, signers=0), confirmed=runs).answer is Answer.KEEP


def test_another_build_of_the_same_version_is_taken():
    assert answer(confirmed=Installed(NEW.version, "c" * 64, 2)).answer is Answer.TAKE


def test_what_failed_is_not_tried_again_until_the_city_signs_anew():
    cut_off = Memory(failed=(("a" * 64, 7),) * 2)
    assert answer(memory=cut_off).answer is Answer.TAKE, "a power cut may not be its fault"
    memory = Memory(failed=(("a" * 64, 7),) * 3)
    assert answer(memory=memory).answer is Answer.KEEP
    assert answer(replace(SIGNED, signed=8), memory=memory).answer is Answer.TAKE


def test_a_camera_waits_for_its_turn():
    nobody = replace(SIGNED, release=Release("a.b.c", 0))
    assert answer(nobody).answer is Answer.KEEP
    named = replace(SIGNED, release=Release("a.b.c", 0, frozenset({HERE.camera})))
    assert answer(named).answer is Answer.TAKE


numbers = some.integers(0, 3)
versions = some.builds(SoftwareVersion, numbers, numbers, numbers)


@given(versions, versions, versions, some.booleans(), numbers, numbers)
def test_nothing_below_the_floor_or_of_smaller_formats_is_ever_taken(
    offered, runs, floor, back, state, needs
):
    signed = replace(
        SIGNED,
        statement=replace(NEW, version=offered, state=state + 1),
        release=Release("a.b.c", back=back),
        floor=floor,
    )
    choice = answer(signed, confirmed=Installed(runs, "", needs + 1))
    if choice.answer is Answer.TAKE:
        assert offered >= floor
        assert state >= needs
        assert back or offered >= runs
    else:
        assert choice.reason is not None
