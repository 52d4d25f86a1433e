"""A version that the city released is tried, and kept or taken back: the camera runs one whole
signed version at every instant, and nothing of what it keeps is touched.
"""

import json
import runpy

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.software.health_verdict import LIMIT_S
from agent.errors import StorageError
from tests.support.bundle_city import SOFTWARE, person
from tests.support.small_package import deb
from tests.support.software_camera import (
    BROKEN,
    DEAF,
    LAUNCHER,
    SICK,
    modules,
    software_camera,
)

pytestmark = pytest.mark.usefixtures("quick_disk")


@pytest.fixture
def camera(tmp_path):
    return software_camera(tmp_path)


def test_a_new_version_is_tried_and_kept(camera):
    package = camera.release("1.4.0")
    done = camera.software.apply()
    assert (done.refused, str(done.runs.version)) == (None, "1.4.0")
    assert done.runs.sha256 == package.stem
    assert camera.runs() == "1.4.0"
    assert camera.steps() == [("trial begins", "1.4.0", ""), ("confirmed", "1.4.0", "")]
    assert not (camera.run / "trial").exists()
    assert camera.passed_s < LIMIT_S
    camera.require_kept()
    starts = camera.units.starts
    assert "runs here already" in camera.software.apply().what
    assert camera.units.starts == starts, "what runs is left alone"
    camera.power_cut()
    assert camera.runs() == "1.4.0"


@pytest.mark.parametrize(
    ("spoilt", "told"),
    [
        (BROKEN, "has failed"),
        (DEAF, "deliver does not reach hall"),
        (SICK, "doctor finds new faults: keys"),
    ],
)
def test_one_that_is_not_well_is_rolled_back_within_two_minutes(camera, spoilt, told):
    camera.release("1.4.0", spoilt)
    done = camera.software.apply()
    assert done.refused.reason == "software-unhealthy"
    assert told in done.refused.what
    assert camera.passed_s < 120
    assert camera.units.said == "1.0.0", "the processes were started anew"
    assert camera.runs() == "1.0.0"
    assert camera.steps()[-1] == ("rolled back", "1.4.0", "software-unhealthy")
    camera.require_kept()
    assert "was tried, and rolled back" in camera.software.apply().what
    camera.release("1.4.0", package=camera.folder / "1.4.0.deb")  # the city signs it anew
    camera.units.spoilt = spoilt
    assert camera.software.apply().refused.reason == "software-unhealthy"


def test_from_one_released_version_to_the_next_and_back(camera):
    for version in ("1.4.0", "1.5.0"):
        camera.release(version)
        assert camera.software.apply().refused is None
    camera.release("1.6.0", BROKEN)
    camera.software.apply()
    assert camera.runs() == "1.5.0"
    camera.release("1.4.0", back=True)
    assert camera.software.apply().refused is None
    assert camera.runs() == "1.4.0"
    camera.software.apply()
    assert len(list((camera.software.store.folder / "versions").iterdir())) == 1, "others go"


def refused(camera, reason, version="1.0.0"):
    done = camera.software.apply()
    assert done.refused is not None, done.what
    assert done.refused.reason == reason
    assert camera.steps()[-1][::2] == ("refused", reason)
    assert camera.runs() == version
    steps = len(camera.steps())
    camera.software.apply()
    assert len(camera.steps()) == steps, "told once"
    return done.refused


def test_signed_by_too_few_of_the_city(camera):
    camera.release("1.4.0", signers=camera.city.signers[SOFTWARE][:1])
    assert camera.software.apply().what == "the city has released nothing"
    assert camera.runs() == "1.0.0"


def test_signed_by_our_release_key_alone(camera):
    """The statement is ours and good; those who release it are nobody of the city's."""
    camera.release("1.4.0", signers=[person("vendor one"), person("vendor two")])
    assert camera.software.apply().what == "the city has released nothing"
    assert camera.runs() == "1.0.0"


def test_signed_by_the_city_alone(camera):
    camera.release("1.4.0", key=Ed25519PrivateKey.generate())
    refused(camera, "software-release-key")


def test_signed_by_fewer_than_the_charter_asks_for(tmp_path):
    camera = software_camera(tmp_path, signers=3)
    camera.release("1.4.0")
    refused(camera, "software-signers")
    camera.release("1.4.0", signers=camera.city.signers[SOFTWARE], package=tmp_path / "1.4.0.deb")
    assert camera.software.apply().refused is None


def test_an_older_version(camera):
    camera.release("0.9.5")
    refused(camera, "software-older")


def test_one_below_the_floor_even_where_the_city_leads_back(camera):
    camera.release("0.8.0", back=True)
    refused(camera, "software-below-floor")


def test_one_for_another_architecture_and_one_for_another_python(camera):
    camera.release("1.4.0", architecture="amd64", deb={"architecture": "amd64"})
    refused(camera, "software-platform")
    camera.release("1.4.0", python="3.13")
    assert "no package for arm64, Python 3.11" in refused(camera, "software-platform").what


def test_one_that_says_another_architecture_or_version_than_was_signed(camera):
    camera.release("1.4.0", deb={"architecture": "amd64"})
    refused(camera, "software-altered")
    other = deb(camera.folder / "other.deb", "1.4.1", modules("1.4.1"))
    camera.release("1.4.0", package=other)
    assert "'1.4.1' where 1.4.0 was signed" in refused(camera, "software-altered").what


def test_one_that_cannot_read_what_this_one_wrote(camera):
    camera.release("1.4.0", state=2)
    assert camera.software.apply().refused is None
    camera.release("1.5.0", state=1)
    refused(camera, "software-state", "1.4.0")


@pytest.mark.parametrize("spoil", [lambda data: data[:-1], lambda data: b"?" + data[1:]])
def test_a_package_that_was_altered_on_its_way(camera, spoil):
    package = camera.release("1.4.0")
    package.write_bytes(spoil(package.read_bytes()))
    refused(camera, "software-altered")
    assert not (camera.software.store.folder / "versions").exists()


def test_a_package_without_a_program_leaves_nothing(camera):
    empty = deb(camera.folder / "empty.deb", "1.4.0", {"usr/share/doc/x": b"x"})
    camera.release("1.4.0", package=empty)
    refused(camera, "software-altered")
    assert list((camera.software.store.folder / "versions").iterdir()) == []


def test_one_that_brings_other_walls(camera):
    units = {"usr/lib/systemd/system/platewarden-watch.service": b"[Service]\nUser=root\n"}
    package = deb(camera.folder / "walls.deb", "1.4.0", modules("1.4.0") | units)
    camera.release("1.4.0", package=package)
    refused(camera, "software-units")
    here = camera.folder / "system/usr/lib/systemd/system"
    here.mkdir(parents=True)
    (here / "platewarden-watch.service").write_bytes(*units.values())
    assert camera.software.apply().refused is None


def test_a_package_that_has_not_come_yet(camera):
    camera.release("1.4.0").unlink()
    done = camera.software.apply()
    assert (done.refused, camera.steps()) == (None, [])
    assert "its package has not come yet" in done.what


def test_a_release_that_lapsed_is_not_installed(camera):
    camera.release("1.4.0")
    camera.software.apply()
    camera.release("1.5.0")
    camera.machine.advance(4 * 86_400)  # the timestamp lapses, and with it everything
    assert camera.software.apply().what == "the city has released nothing"
    assert camera.runs() == "1.4.0"


def test_an_upgrade_by_hand_counts_over_what_the_city_released(camera):
    """As the package's postinst does."""
    camera.release("1.4.0")
    camera.software.apply()
    (camera.software.store.folder / "confirmed").unlink()
    assert camera.runs() == "1.0.0"
    assert camera.software.settle(booting=True).runs.sha256 == ""


def test_a_damaged_memory_is_none(camera):
    camera.release("1.4.0")
    (camera.software.store.folder / "trial.json").write_bytes(b"\x00" * 40)
    assert camera.software.apply().refused is None
    assert camera.runs() == "1.4.0"


def test_systemd_that_does_not_answer_leads_back(camera, monkeypatch):
    camera.release("1.4.0")
    answers, start = iter([False, True]), camera.units.start_anew

    def start_anew():
        if not next(answers, True):
            raise StorageError("systemctl ended with 1")
        start()

    monkeypatch.setattr(camera.units, "start_anew", start_anew)
    with pytest.raises(StorageError, match="systemctl"):
        camera.software.apply()
    monkeypatch.undo()
    assert camera.runs() == "1.0.0"
    assert camera.steps()[-1][0] == "rolled back"


def test_two_runs_at_once(camera):
    with camera.software.store.alone(), pytest.raises(StorageError, match="another process"):
        camera.software.apply()


def test_the_launcher_never_lets_a_trial_judge_itself(tmp_path):
    chosen = runpy.run_path(str(LAUNCHER))["chosen"]
    for name in ("trial", "confirmed", "package"):
        entry = tmp_path / name / "usr/lib/platewarden/agent/cli.py"
        entry.parent.mkdir(parents=True)
        entry.write_text("")
    links = (str(tmp_path / "trial"), str(tmp_path / "confirmed"))
    whole = str(tmp_path / "trial/usr/lib/platewarden")
    assert chosen(["watch"], links, "package") == whole
    confirmed = str(tmp_path / "confirmed/usr/lib/platewarden")
    assert chosen(["software", "settle"], links, "package") == confirmed
    (tmp_path / "trial/usr/lib/platewarden/agent/cli.py").unlink()
    assert chosen(["watch"], links, "package") == confirmed
    (tmp_path / "confirmed/usr/lib/platewarden/agent/cli.py").unlink()
    assert chosen(["software"], links, "package") == "package"
    assert chosen([], (), "package") == "package"


def test_what_is_remembered_is_small_plain_json(camera):
    camera.release("1.4.0")
    camera.software.apply()
    path = camera.software.store.folder / "trial.json"
    assert path.stat().st_mode & 0o777 == 0o644
    assert json.loads(path.read_bytes())["trial"] is None
