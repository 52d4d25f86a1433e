"""What fuzzing found, each as a small input of its own: the refusal is the document's, and foreseen
(docs/ref/fuzzing.md).
"""

from datetime import UTC, datetime

import pytest

from agent import settings
from agent.bundles import follower
from agent.camera.video import VideoSource
from agent.core.camera import camera_facts, hotlist_facts
from agent.core.policy.roster_csv import parse_roster_csv
from agent.core.reasons import Reason
from agent.doctor import eyes, trust
from agent.errors import ConfigError, EnvelopeRefusedError, SourceError
from agent.receiver import receiver_settings
from agent.verifying.enrolment_check import verify_enrolment
from tests.fakes.clock import FakeClock
from tests.fuzz.targets import SEEDS
from tests.fuzz.wire_targets import with_request


def test_a_certificate_request_of_another_version():
    body = bytearray((SEEDS / "enrolment_csr/body").read_bytes())
    at = body.index(b"\x02\x01\x00")  # the version, an integer
    body[at + 2] = 16
    with pytest.raises(EnvelopeRefusedError) as refused:
        verify_enrolment(with_request(bytes(body)))
    assert refused.value.reason == Reason.MALFORMED


@pytest.mark.parametrize("text", ["a = " + "[" * 3000, "a = " + "9" * 5000])
@pytest.mark.parametrize("load", [settings.load, lambda path: receiver_settings.load(path.parent)])
def test_settings_that_nest_without_end_or_hold_a_number_without_end(tmp_path, text, load):
    path = tmp_path / "receiver.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="nested too deep or a number too long"):
        load(path)


def test_a_field_of_a_batch_that_is_longer_than_csv_reads():
    text = b"id,stands,near,mount\nmain-street-1," + b"x" * 140_000 + b",,fixed\n"
    with pytest.raises(ConfigError, match="line 2"):
        parse_roster_csv(text, "roster.csv")


DEEP = b"[" * 4000
ODD = [DEEP, b'{"a":' + DEEP, b"{}", b"[1]", b"9" * 4301, b"\xff", b'{"as_of":1,"stale_after":2}']


@pytest.mark.parametrize("data", ODD)
def test_small_files_of_another_process_are_refused_as_what_they_are(data, tmp_path):
    for parse in (camera_facts.parse_facts, hotlist_facts.parse_facts, follower.parse_refusals):
        with pytest.raises(EnvelopeRefusedError) as refused:
            parse(data)
        assert refused.value.reason == Reason.MALFORMED


def test_doctor_goes_on_after_an_odd_file_of_watch(tmp_path):
    (tmp_path / "platewarden.toml").write_text('camera_id = "cam-1"\n')
    found = settings.load(tmp_path / "platewarden.toml")
    folder = found.state / "watch"
    folder.mkdir(parents=True)
    (folder / camera_facts.NAME).write_bytes(DEEP)
    (folder / hotlist_facts.NAME).write_bytes(DEEP)
    (told,) = eyes.told_by_watch(found)
    assert "cannot be read" in told.what
    assert str(trust.hotlist(found, datetime(2026, 12, 1, tzinfo=UTC)).health) == "fail"


def test_a_video_of_a_codec_that_nobody_knows(tmp_path):
    data = (SEEDS / "video/avi").read_bytes()
    assert b"MJPG" in data
    path = tmp_path / "x.avi"
    path.write_bytes(data.replace(b"MJPG", b"ZZZ9"))
    with pytest.raises(SourceError, match="no codec"):
        VideoSource(path, path.name, FakeClock(), 1_000_000)
