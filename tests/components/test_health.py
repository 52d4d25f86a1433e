"""`health`: coarse numbers from a camera's files, for Prometheus; nothing of a plate, and nothing
finer than it says.
"""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from agent import cli
from agent.core.camera import camera_facts, hotlist_facts
from agent.core.camera.camera_event import Alarm
from agent.core.camera.camera_facts import CameraFacts
from agent.core.camera.health.health_report import Health, coarse
from agent.core.log import link_facts
from agent.core.log.link_facts import Link, LinkFacts
from agent.doctor.health_numbers import as_json, as_prometheus
from agent.doctor.vitals import vitals
from agent.settings import load
from tests.support.audit_logs import DEVICE, write_public_keys

AT = datetime(2027, 1, 15, 12, 34, 56, tzinfo=UTC)
WELL = Health("cam-01", "0.1.0", AT, frozenset(), 61.7, False, True, 26.9, False, 0.38, 0, 0, True)
# The text format as Prometheus documents it: a comment, or a name, labels, and a number.
LINE = re.compile(
    r"# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z]+=\"(?:[^\"\\\n]|\\[\\\"n])*\""
    r"(,[a-z]+=\"(?:[^\"\\\n]|\\[\\\"n])*\")*\})? -?[0-9]+(\.[0-9]+)?"
)


def samples(text):
    return dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))


def test_every_line_is_prometheus_own_form():
    text = as_prometheus(replace(WELL, camera='a"b\\c\nd', problems=("outbox",)))
    assert text.endswith("\n")
    odd = [line for line in text.splitlines() if not LINE.fullmatch(line)]
    assert odd == []
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(names) == len(set(names))
    assert {re.split("[{ ]", line)[0] for line in samples(text)} == set(names)


def test_what_is_told_is_coarse():
    told = samples(as_prometheus(WELL))
    assert told["platewarden_temperature_celsius"] == "60"
    assert told["platewarden_outbox_filled_ratio"] == "0.3"
    assert told["platewarden_hotlist_age_hours"] == "26"
    assert told["platewarden_health_time_seconds"] == str(int(AT.timestamp()) // 3600 * 3600)
    assert told["platewarden_throttled"] == "0"
    assert told["platewarden_throttled_since_start"] == "1"
    assert coarse(WELL)["at"] == "2027-01-15T12:00:00Z"


@pytest.mark.parametrize("waiting", range(1, 50))
def test_a_single_read_does_not_show(waiting):
    assert coarse(replace(WELL, outbox_filled=waiting / 500)) == coarse(
        replace(WELL, outbox_filled=0.0)
    )


def test_alarms_stand_each_by_its_name():
    told = samples(as_prometheus(replace(WELL, alarms=frozenset({Alarm.DARK}))))
    standing = {name: value for name, value in told.items() if "camera_alarm" in name}
    assert len(standing) == len(Alarm)
    assert standing['platewarden_camera_alarm{alarm="dark"}'] == "1"
    assert sum(map(int, standing.values())) == 1


def test_what_is_not_known_is_missing_and_named():
    told = samples(as_prometheus(Health("cam-01", "0.1.0", AT, problems=("hotlist",))))
    assert set(told) == {
        'platewarden_info{camera="cam-01",version="0.1.0"}',
        "platewarden_health_time_seconds",
        'platewarden_unknown{part="hotlist"}',
    }
    assert json.loads(as_json(Health("cam-01", "0.1.0", AT)))["temperature_c"] is None


@pytest.fixture
def camera(tmp_path):
    """A camera's folder as watch and deliver leave it."""
    config = tmp_path / "platewarden.toml"
    config.write_text(f'camera_id = "{DEVICE}"\n')
    write_public_keys(tmp_path / "device" / "public.json")
    watch, deliver = tmp_path / "state/watch", tmp_path / "state/deliver"
    for folder in (watch, deliver, tmp_path / "state/outbox", tmp_path / "state/receipts"):
        folder.mkdir(parents=True)
    now = datetime.now(UTC)
    (watch / camera_facts.NAME).write_bytes(
        camera_facts.format_facts(CameraFacts(now, {Alarm.BLURRED: now}))
    )
    old = datetime(2026, 1, 1, tzinfo=UTC)
    (watch / hotlist_facts.NAME).write_bytes(hotlist_facts.format_facts(old, old, "x"))
    links = (Link("city-hall", now, "connection refused"), Link("second", now))
    (deliver / link_facts.NAME).write_bytes(
        link_facts.format_facts(LinkFacts(now, running=True, links=links))
    )
    return config


def test_it_is_gathered_from_what_the_processes_keep(camera, tmp_path):
    zone = tmp_path / "system/sys/class/thermal/thermal_zone0"
    zone.mkdir(parents=True)
    (zone / "type").write_text("cpu-thermal\n")
    (zone / "temp").write_text("58200\n")
    found = vitals(load(camera), tmp_path / "system")
    assert found.alarms == {Alarm.BLURRED}
    assert (found.temperature_c, found.throttled) == (58.2, None)
    assert (found.brokers_away, found.outbox_filled) == (1, 0.0)
    assert found.hotlist_stale is True
    assert found.problems == ()


def test_before_anything_ran_every_part_is_named(tmp_path):
    (tmp_path / "platewarden.toml").write_text(f'camera_id = "{DEVICE}"\n')
    found = vitals(load(tmp_path / "platewarden.toml"), tmp_path)
    assert {"camera_health", "hotlist", "delivery"} <= set(found.problems)
    assert found.alarms is None


def test_the_command_writes_whole_and_prints(camera, tmp_path, capsys):
    out = tmp_path / "node/platewarden.prom"
    out.parent.mkdir()
    for options in (["--textfile", str(out)], [], ["--json"]):
        with pytest.raises(SystemExit) as ended:
            cli.main(["health", "--config", str(camera), *options])
        assert not ended.value.code
    assert [path.name for path in out.parent.iterdir()] == ["platewarden.prom"]
    printed = capsys.readouterr().out
    assert "platewarden_brokers_away 1" in printed
    assert json.loads(printed.splitlines()[-1])["brokers_away"] == 1
    assert samples(out.read_text())["platewarden_brokers_away"] == "1"
