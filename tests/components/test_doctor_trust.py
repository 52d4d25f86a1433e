"""Doctor looks at what a real enrolled camera obeys: each thing broken once, and the line that says
so.
"""

import json
from datetime import UTC, datetime, timedelta

import pytest

from agent.bundles.city_folder import CityFolder
from agent.bundles.generation_store import BundleStore
from agent.bundles.hotlist_sealed import no_hotlist
from agent.commands import status
from agent.core.camera import hotlist_facts
from agent.demo.throwaway_city import RECIPIENT
from agent.doctor import broker_dial, keys, trust
from agent.settings import load
from agent.sides.camera_state import collect
from tests.fakes.machine import FakeMachine
from tests.support.camera_rig import copy_of
from tests.support.delivery_rig import Rig
from tests.support.mosquitto import Mosquitto
from tests.support.pki import Authority
from tests.support.signed_camera import HOUR, signed_camera

pytestmark = pytest.mark.usefixtures("quick_disk")

NOW = datetime.now(UTC)


@pytest.fixture
def camera(installed, tmp_path):
    """Enrolled, and its bundles verified by watch and deliver; watch has opened the list."""
    made = signed_camera(copy_of(installed, tmp_path))
    take_in(made)
    watch = made.settings.state / "watch"
    (watch / hotlist_facts.NAME).write_bytes(
        hotlist_facts.format_facts(NOW - HOUR, NOW + timedelta(days=6), "00")
    )
    return made


def take_in(camera):
    settings = camera.settings
    for process in ("watch", "deliver"):
        (settings.state / process).mkdir(parents=True, exist_ok=True)
        store = BundleStore(
            settings.state / process / "bundles", settings.anchor, settings.limits, rig=settings.rig
        )
        store.take_in(settings.bundles, trust.SystemClock().now())


def look(camera, machine=None):
    return trust.look(camera.settings, allow_unsigned=False, machine=machine or camera.machine)


def told(report):
    return {finding.name: str(finding.health) for finding in report.findings}


def test_an_enrolled_camera_is_well_but_for_its_certificate(camera):
    report = look(camera)
    assert {name: health for name, health in told(report).items() if health != "ok"} == {
        "certificate": "warn"
    }, report.findings
    assert set(told(report)) == {
        "enrolment",
        "keys",
        "certificate",
        "clock",
        "bundles",
        "policy",
        "roster",
        f"keys of {RECIPIENT}",
        "hot list",
    }
    assert report.closed is None
    assert len(report.digest) == 64


def test_nothing_is_written(camera):
    def files():
        return {
            path: (path.stat().st_mtime_ns, path.stat().st_ctime_ns)
            for path in camera.settings.root.rglob("*")
        }

    before = files()
    look(camera)
    assert files() == before


def test_a_fresh_camera_is_told_what_to_do(tmp_path):
    (tmp_path / "platewarden.toml").write_text('camera_id = "cam-01"\n')
    report = trust.look(
        load(tmp_path / "platewarden.toml"), allow_unsigned=False, machine=FakeMachine(NOW)
    )
    assert told(report) == {"enrolment": "fail", "keys": "fail", "clock": "ok", "policy": "skip"}
    assert all(
        "provision" in finding.fix
        for finding in report.findings
        if finding.name in {"enrolment", "keys"}
    )


def test_no_bundles_yet(installed, tmp_path):
    report = look(signed_camera(copy_of(installed, tmp_path)))
    assert told(report) | {
        "bundles watch": "fail",
        "bundles deliver": "fail",
        "policy": "skip",
    } == told(report)


def test_bits_that_a_card_lost(camera):
    (policy,) = (camera.settings.state / "watch/bundles/generations").glob("*/city/policy.toml")
    policy.write_bytes(policy.read_bytes() + b"\n")
    report = look(camera)
    damaged = next(finding for finding in report.findings if finding.name == "bundles watch")
    assert (damaged.exit_code, "refused" in damaged.what) == (3, True)


def test_time_that_nobody_vouches_for(camera):
    camera.machine.jump(hours=-3)
    assert told(look(camera))["clock"] == "fail"


def test_bundles_that_end_soon_and_have_ended(camera):
    camera.passes(2.3)
    assert told(look(camera))["bundles"] == "warn"
    camera.passes(2)
    report = look(camera)
    assert told(report) | {"bundles": "fail", "clock": "fail"} == told(report)


def test_a_lapse_that_stops_the_hot_list_alone_is_a_warning(camera):
    camera.passes(2.3)
    (found,) = [one for one in look(camera).findings if one.name == "bundles"]
    assert (str(found.health), "stops: hot list" in found.what) == ("warn", True)


def keys_line(camera):
    (found,) = {one for one in look(camera).findings if one.name == f"keys of {RECIPIENT}"}
    return found


def first_reach(camera):
    (one,) = collect(camera.settings)["keys"]["recipients"]
    return one, one["sealable"][0]


def renewed(camera):
    """The city goes on publishing its old files, so that nothing but the keys ends."""
    camera.city.now = camera.machine.real - timedelta(minutes=5)
    for role in camera.city.files:
        camera.city.release(role)
    camera.city.online()
    camera.publish()


def test_until_when_reads_can_be_sealed_is_told_and_warned_of(camera, capsys):
    one, reach = first_reach(camera)
    until = datetime.fromisoformat(reach["until"]).replace(tzinfo=UTC)
    keys_end = datetime.fromisoformat(reach["keys_end"]).replace(tzinfo=UTC)
    assert keys_end - until == timedelta(days=reach["retention_days"] - 1)
    assert not one["ends_soon"]
    line = keys_line(camera)
    assert (str(line.health), f"until {reach['until']}" in line.what) == ("ok", True)
    status.status(camera.settings.root / "platewarden.toml", as_json=False)
    assert f"Keys      reads can be sealed to {RECIPIENT}" in capsys.readouterr().out
    city, policy = CityFolder(newest(camera) / "city"), CityFolder(newest(camera) / "city").policy()
    for days, health in ((15, "ok"), (14, "warn"), (0, "warn"), (-1, "fail")):
        found = trust.sealable(city, policy, until - timedelta(days=days))
        assert {str(one.health) for one in found} == {health}, days
    assert trust.sealable(city, policy, until + timedelta(days=1))[0].exit_code == 3


def newest(camera):
    (found,) = (camera.settings.state / "watch/bundles/generations").iterdir()
    return found


def test_a_recipient_without_usable_keys_is_told(installed, tmp_path, capsys):
    """Nothing would be sealed to it, and nothing said so before the first match."""
    made = signed_camera(copy_of(installed, tmp_path))
    del made.city.files[f"keys-{RECIPIENT}"]
    made.city.metadata.pop(f"keys-{RECIPIENT}", None)
    renewed(made)
    take_in(made)
    line = keys_line(made)
    assert (str(line.health), line.exit_code) == ("fail", 3)
    assert "nothing is sealed" in line.what
    status.status(made.settings.root / "platewarden.toml", as_json=False)
    assert f"  SOON    nothing is sealed to {RECIPIENT}" in capsys.readouterr().out


def test_a_list_that_is_stale(camera):
    camera.passes(5.5)
    assert told(look(camera))["hot list"] == "warn"
    camera.passes(1)
    assert told(look(camera))["hot list"] == "fail"


def test_a_camera_that_has_no_list_says_so_and_not_how_old_it_is(camera):
    nothing = no_hotlist(NOW.date())
    (camera.settings.state / "watch" / hotlist_facts.NAME).write_bytes(
        hotlist_facts.format_facts(nothing.as_of, nothing.stale_after, nothing.digest)
    )
    (found,) = [one for one in look(camera).findings if one.name == "hot list"]
    assert (str(found.health), found.what) == ("fail", hotlist_facts.NONE)
    assert collect(camera.settings)["hotlist"] == {"problem": hotlist_facts.NONE}


def test_another_cameras_card(camera):
    public = camera.settings.device / "public.json"
    public.write_text(public.read_text().replace("cam-01", "cam-02"))
    report = look(camera)
    assert told(report) | {"keys": "fail", "roster": "skip"} == told(report)


def test_a_roster_that_knows_other_keys(camera):
    public = camera.settings.device / "public.json"
    table = json.loads(public.read_text())
    table["seal"], table["watch_log"] = table["watch_log"], table["seal"]
    public.write_text(json.dumps(table, separators=(",", ":"), sort_keys=True) + "\n")
    report = look(camera)
    roster = next(finding for finding in report.findings if finding.name == "roster")
    assert (str(roster.health), roster.exit_code) == ("fail", 3)
    assert told(report)["key seal.key"] == "fail"


def test_a_camera_that_the_city_does_not_list_keeps_its_sensor_closed(installed, tmp_path):
    rig = copy_of(installed, tmp_path)
    roster = rig.installation.work / "city/roster.toml"
    roster.write_text(roster.read_text().replace('id = "cam-01"', 'id = "cam-09"'))
    report = trust.look(
        load(rig.installation.settings), allow_unsigned=True, machine=FakeMachine(NOW)
    )
    assert told(report)["camera's place"] == "fail"
    assert "not in the roster" in report.closed


# --- keys ---


@pytest.fixture
def device(camera):
    return camera.settings.device


def keys_told(device):
    return {finding.name: str(finding.health) for finding in keys.look(device, "cam-01", NOW)[0]}


def test_a_key_that_others_can_read(device):
    (device / "seal.key").chmod(0o640)
    (found,) = [one for one in keys.look(device, "cam-01", NOW)[0] if one.name == "key seal.key"]
    assert (str(found.health), "0640" in found.what, "chmod 600" in found.fix) == (
        "fail",
        True,
        True,
    )


def test_a_key_that_is_missing_or_a_credential(device):
    (device / "watch-log.key").rename(device / "watch-log.key.cred")
    assert keys_told(device)["keys"] == "ok"
    (device / "watch-log.key.cred").unlink()
    assert keys_told(device)["key watch-log.key"] == "fail"


def test_a_key_that_is_a_link_or_damaged(device):
    (device / "seal.key").rename(device / "elsewhere")
    (device / "seal.key").symlink_to("elsewhere")
    (device / "deliver-log.key").write_text("nothing")
    assert keys_told(device) | {"key seal.key": "fail", "key deliver-log.key": "fail"} == keys_told(
        device
    )


@pytest.mark.parametrize(
    ("days", "wanted"),
    [((-1, 60), "ok"), ((-1, 10), "warn"), ((-9, -1), "fail"), ((1, 60), "fail")],
)
def test_how_long_the_certificate_lasts(device, tmp_path, days, wanted):
    made = Authority(tmp_path / "pki").client("cam-01", days=days)
    (device / "tls.crt").write_bytes(made.certificate.read_bytes())
    (device / "tls.key").write_bytes(made.key.read_bytes())
    (device / "tls.key").chmod(0o600)
    assert keys_told(device)["certificate"] == wanted


def test_a_certificate_for_another_key(device, tmp_path):
    authority = Authority(tmp_path / "pki")
    (device / "tls.crt").write_bytes(
        authority.client("cam-01", days=(-1, 60)).certificate.read_bytes()
    )
    (device / "tls.key").write_bytes(authority.client("cam-01", days=(-1, 60)).key.read_bytes())
    (device / "tls.key").chmod(0o600)
    assert keys_told(device)["certificate"] == "fail"


# --- the broker ---


@pytest.fixture
def rig(tmp_path):
    return Rig(tmp_path / "delivery")


@pytest.fixture(autouse=True)
def no_hook(monkeypatch):
    """An audit hook stays for ever: in these tests none is installed.

    (test_doctor_command runs the real process.)
    """
    monkeypatch.setattr(broker_dial, "install_guard", lambda *_: None)


def dial(rig, *ports, **how):
    rig.write_policy(rig.policy(*ports, **how))
    return broker_dial.look(load(rig.settings), allow_unsigned=True)


def test_a_round_trip_does_not_take_delivers_place(rig, tmp_path):
    rig.use_client_certificate()
    (rig.folder / "device/tls.key").chmod(0o600)
    with Mosquitto(tmp_path / "broker", rig.server, client_ca=rig.ca) as broker:
        (found,) = dial(rig, broker.port)
        log = broker.log()
    assert str(found.health) == "ok", found
    assert "-doctor" in log
    assert "platewarden/1/receipts/" not in found.what


def test_a_broker_that_is_down_has_another_name_or_another_key(rig, tmp_path):
    with Mosquitto(tmp_path / "broker", rig.server) as broker:
        (wrong_name,) = dial(rig, broker.port, host="other.example")
        (wrong_pin,) = dial(rig, broker.port, pin="sha256/" + "A" * 43 + "=")
        (right,) = dial(rig, broker.port)
        port = broker.port
    (down,) = dial(rig, port)
    assert [
        (str(found.health), found.exit_code) for found in (wrong_name, wrong_pin, right, down)
    ] == [("fail", 3), ("fail", 3), ("ok", 1), ("fail", 1)]


def test_a_camera_of_no_group_that_a_broker_is_for_dials_nobody_and_says_so(rig):
    rig.write_policy(rig.policy(1) + 'groups = ["north"]\n')
    (found,) = broker_dial.look(load(rig.settings), allow_unsigned=True)
    assert (found.name, str(found.health), found.exit_code) == ("broker", "fail", 3)
    assert "is none" in found.what


def test_under_another_cameras_id_nobody_is_dialled(rig):
    """That camera may be of another group, whose brokers are none of this one's."""
    rig.write_policy(rig.policy(1))
    own = f'"{load(rig.settings).camera_id}"'
    rig.settings.write_text(rig.settings.read_text().replace(own, '"other-1"'))
    (found,) = broker_dial.look(load(rig.settings), allow_unsigned=True)
    assert (found.name, str(found.health)) == ("broker", "fail")
    assert "camera_id is 'other-1'" in found.what


def test_nobody_is_dialled_without_a_policy_that_may_be_obeyed(rig, camera):
    rig.write_policy(rig.policy(1))
    (unsigned,) = broker_dial.look(load(rig.settings), allow_unsigned=False)
    assert str(unsigned.health) == "skip"
    (camera.settings.state / "deliver/bundles/current").unlink()
    (none,) = broker_dial.look(camera.settings, allow_unsigned=True)
    assert (str(none.health), "no bundles" in none.what) == ("skip", True)
