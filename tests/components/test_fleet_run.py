"""`fleet run`, `fleet status` and `fleet page` over a real Mosquitto: what cameras send is seen,
silence is rung, checkpoints go into the city's log.
"""

import json
import math
import shutil
import time
from datetime import UTC, datetime
from threading import Event, Thread

import pytest

from agent import cli
from agent.broker.broker_folder import COLLECTORS
from agent.broker.names import CHECK_CAMERA
from agent.core.camera.camera_event import Alarm
from agent.core.log.collected import parse_answer
from agent.core.text.strict_json import public_jwk
from agent.core.time.instant import Instant
from agent.errors import ConfigError
from agent.fleet import fleet_run
from agent.fleet.camera_troubles import Who
from agent.fleet.fleet_intake import names_in
from agent.fleet.fleet_run import FleetRun, seen
from agent.fleet.fleet_settings import FILE_NAME, load
from agent.fleet.fleet_store import FleetStore
from agent.fleet.silence import BROKER, SILENT, SilenceRound
from agent.mqtt.topics import checkpoints_topic, collected_topic, health_topic
from agent.receiver.ringing import child
from tests.components.test_broker_setup import client
from tests.components.test_broker_setup import run as broker_command
from tests.components.test_city_log import leaves
from tests.components.test_collect_broker import message
from tests.components.test_fleet import told
from tests.components.test_hotlist_command import city
from tests.support.audit_logs import write_public_keys
from tests.support.city_broker import CityBroker
from tests.support.fleets import HOUR, key_of, large_store, sent

__all__ = ["city"]


class Shifted:
    """This machine's clock, so many hours later."""

    def __init__(self):
        self.hours = 0.0

    def now(self):
        utc = datetime.now(UTC) + self.hours * HOUR
        return Instant(utc.replace(microsecond=0))

    def monotonic_s(self):
        return time.monotonic() + self.hours * 3_600


class Place:
    """A fleet's folder beside a running broker, whose check camera is a camera of the fleet."""

    def __init__(self, folder, broker, **more):
        self.folder, self.said, self.clock = folder, [], Shifted()
        desk, keys = broker.desk.folder, [f"{CHECK_CAMERA}.json", "cam-2.json"]
        (folder / "broker").mkdir(parents=True)
        for name in ("broker.toml", "ca.pem"):
            shutil.copy(desk / name, folder / "broker" / name)
        shutil.copytree(desk / COLLECTORS, folder / "broker" / COLLECTORS)
        for name in keys:
            write_public(folder / name, name.removesuffix(".json"))
        lines = {"keys": keys, "page": "fleet.html", "metrics": "fleet.prom"} | more
        (folder / FILE_NAME).write_text(
            "".join(f"{name} = {json.dumps(value)}\n" for name, value in lines.items())
        )

    def ringer(self, program):
        with (self.folder / FILE_NAME).open("a") as file:
            file.write(f'[[ring.program]]\nname = "desk"\ncommand = ["{program}"]\n')

    def run(self):
        return FleetRun(self.folder, self.clock, self.said.append)

    def state(self, name=CHECK_CAMERA):
        with FleetStore(self.folder) as store:
            fleet = seen(store, load(self.folder), self.clock.now().utc)
        return next(one for one in fleet.cameras if one.row.name == name)


def write_public(path, camera):
    """As `provision` writes public.json, as far as the fleet reads it."""
    jwk = public_jwk("Ed25519", key_of(camera).public_key().public_bytes_raw())
    path.write_text(json.dumps({"device": camera, "watch_log": jwk, "deliver_log": jwk}))


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with CityBroker(tmp_path_factory.mktemp("broker") / "broker") as broker:
        assert broker_command("collector", broker.desk.folder) == 0
        yield broker


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(fleet_run, "TURN_S", 0.05)
    monkeypatch.setattr(fleet_run, "TICK_S", 0.2)
    monkeypatch.setattr(fleet_run, "RING_POLL_S", 0.05)


def stop_once(seen_there, stopping, within_s=60.0):
    end_s = time.monotonic() + within_s
    while not seen_there() and time.monotonic() < end_s:
        time.sleep(0.05)
    stopping.set()


def turns(run, until, within_s=60.0):
    end_s = time.monotonic() + within_s
    while not until():
        assert time.monotonic() < end_s, run._said
        run.turn(Event())


class TestGroups:
    """A fleet that hears the cameras of some groups alone, as where districts have own brokers."""

    @pytest.fixture
    def place(self, tmp_path):
        for name in ("cam-1", "cam-2"):
            write_public(tmp_path / f"{name}.json", name)
        (tmp_path / "roster.toml").write_text(
            'city = "Town"\n'
            + "".join(
                f'[[camera]]\nid = "{name}"\nstands = "x"\nnear = []\nmount = "fixed"\n'
                f'group = "{group}"\n'
                for name, group in (("cam-1", "north"), ("cam-2", "south"))
            )
        )
        return tmp_path

    def run(self, place, groups):
        (place / FILE_NAME).write_text(f'keys = ["cam-1.json", "cam-2.json"]\n{groups}\n')
        FleetRun(place, Shifted(), [].append)
        with FleetStore(place) as store:
            now = datetime.now(UTC)
            return [one.row.name for one in seen(store, load(place), now).cameras]

    def test_others_are_none_of_its_cameras(self, place):
        assert self.run(place, "") == ["cam-1", "cam-2"]
        assert self.run(place, 'groups = ["north"]') == ["cam-1"]
        assert self.run(place, 'groups = ["north", "south"]') == ["cam-1", "cam-2"]

    def test_a_group_without_cameras_is_a_fault(self, place):
        with pytest.raises(ConfigError, match="no enrolled camera is of group nroth"):
            self.run(place, 'groups = ["nroth"]')
        (place / "roster.toml").unlink()
        with pytest.raises(ConfigError, match=r"copy the city's roster\.toml"):
            self.run(place, 'groups = ["north"]')


@pytest.mark.broker
class TestOverMosquitto:
    def test_what_cameras_send_is_seen_also_what_came_while_it_was_away(self, tmp_path, running):
        place = Place(tmp_path / "fleet", running)
        run = place.run()
        turns(run, lambda: place.said == ["READY: hears the cameras"])
        now = place.clock.now().utc
        camera = client(running, CHECK_CAMERA)
        dirty = {"alarms": frozenset({Alarm.DIRTY})}
        camera.publish(health_topic(CHECK_CAMERA), sent(CHECK_CAMERA, 7, now, **dirty))
        camera.publish(health_topic(CHECK_CAMERA), b"rubbish")
        turns(run, lambda: place.state().row.refused == 1)
        state = place.state()
        assert (state.who, state.row.message.number) == (Who.LADDER, 7)
        run._link.close()  # it ends, and starts again as another process
        camera.publish(health_topic(CHECK_CAMERA), sent(CHECK_CAMERA, 9, now))
        run = place.run()
        turns(run, lambda: place.state().row.missed == 1)
        assert place.state().row.message.number == 9
        run._link.close()
        camera.close()

    def test_silence_is_seen_written_and_rung(self, tmp_path, running):
        heard, program = tmp_path / "heard", tmp_path / "ring"
        program.write_text(f"#!/bin/sh\ncat > {heard}.part && mv {heard}.part {heard}\n")
        program.chmod(0o700)
        place = Place(tmp_path / "fleet", running)
        place.ringer(program)
        run = place.run()
        turns(run, lambda: place.said)
        camera = client(running, CHECK_CAMERA)
        now = place.clock.now().utc
        camera.publish(health_topic(CHECK_CAMERA), sent(CHECK_CAMERA, 7, now))
        turns(run, lambda: place.state().row.message)
        camera.close()
        place.clock.hours = 3.1
        stopping = Event()
        Thread(target=stop_once, args=(heard.exists, stopping), daemon=True).start()
        run.until(stopping)
        data = json.loads(heard.read_text())["data"]
        assert data == {"silent": 1, "heard_again": 0, "cameras": [CHECK_CAMERA]}
        run._write(place.clock.now().utc)
        assert "silent for 3 h" in (place.folder / "fleet.html").read_text()
        metrics = (place.folder / "fleet.prom").read_text()
        assert 'platewarden_fleet_trouble_cameras{trouble="silent"} 1' in metrics

    def test_checkpoints_come_by_the_same_broker_into_the_citys_log(self, tmp_path, running, city):
        place = Place(tmp_path / "fleet", running, city=str(city), collect_every_hours=1)
        write_public_keys(place.folder / f"{CHECK_CAMERA}.json")  # whose logs are tests' logs
        run = place.run()
        run._collect_s = math.inf
        turns(run, lambda: place.said)
        camera = client(running, CHECK_CAMERA)
        camera.subscribe(collected_topic(CHECK_CAMERA))
        camera.publish(checkpoints_topic(CHECK_CAMERA), message(tmp_path, 5))
        turns(run, lambda: run._link.checkpoints.messages)
        run._collect_s = 0.0
        turns(run, lambda: "collected" in run._store.noted())
        assert [one["size"] for one in leaves(city) if one.get("outcome") == "first"] == [5]
        [answer] = camera.payloads(1)
        assert parse_answer(answer).collected.size == 5
        camera.close()
        run._link.close()

    def test_a_broker_that_is_away_is_told_once_and_rung_after_hours(self, tmp_path, running):
        place = Place(tmp_path / "fleet", running)
        settings = place.folder / "broker/broker.toml"
        settings.write_text(settings.read_text().replace(str(running.port), "1"))
        place.ringer("/bin/true")
        run = place.run()
        for _ in range(3):
            run.turn(Event())
            place.clock.hours += 0.9
        [line] = place.said
        assert "trying again" in line
        with FleetStore(place.folder) as store:
            assert told(store) == []
            assert "the broker is away" in store.noted()["link"]
        place.clock.hours += 1
        run.turn(Event())
        with FleetStore(place.folder) as store:
            assert told(store) == [(BROKER, SILENT)]

    def test_a_newer_roster_counts_and_one_that_cannot_be_read_changes_nothing(
        self, tmp_path, running
    ):
        place = Place(tmp_path / "fleet", running)
        run = place.run()
        for hour, text in enumerate(("{}", None), 1):
            if text is None:
                write_public(place.folder / "cam-2.json", "cam-3")
            else:
                (place.folder / "cam-2.json").write_text(text)
            place.clock.hours = hour
            run._follow_keys()
            if text is not None:
                assert "the keys as they were go on" in place.said[-1]
                assert names_in(run._keys) == {CHECK_CAMERA, "cam-2"}
        with FleetStore(place.folder) as store:
            assert {row.name for row in store.rows()} == {CHECK_CAMERA, "cam-3"}


class TestRinging:
    """Without a broker: what waits is rung all the same."""

    @pytest.fixture
    def run(self, tmp_path, monkeypatch):
        """A fleet with a silent camera and two ringers, of which the first one hangs."""
        monkeypatch.setattr(child, "RING_S", 30.0)
        write_public(tmp_path / "cam-2.json", "cam-2")
        lines = ['keys = ["cam-2.json"]']
        for name, does in (("hangs", "sleep 60"), ("works", f"touch {tmp_path}/heard")):
            program = tmp_path / name
            program.write_text(f"#!/bin/sh\n{does}\n")
            program.chmod(0o700)
            lines += ["[[ring.program]]", f'name = "{name}"', f'command = ["{program}"]']
        (tmp_path / FILE_NAME).write_text("\n".join(lines))
        made = FleetRun(tmp_path, Shifted(), [].append)
        with made._store.transaction():
            made._store.to_ring(made.ringers, "cam-2", SILENT, undoes=BROKER)
        return made

    def heard(self, run, tmp_path, within_s):
        stopping = Event()
        ends = Thread(target=stop_once, args=((tmp_path / "heard").exists, stopping, within_s))
        ends.start()
        Thread(target=run._ring, args=(run.named_ringers(), stopping), daemon=True).start()
        ends.join()
        return (tmp_path / "heard").exists()

    def test_one_that_hangs_delays_no_other(self, run, tmp_path):
        assert self.heard(run, tmp_path, 10.0)

    def test_what_nobody_foresaw_is_told_and_tried_again(self, run, tmp_path, monkeypatch):
        honest, odd, said = SilenceRound.turn, [ValueError("odd"), KeyError("odd")], []
        run._tell = said.append

        def turn(one, store, at):
            if odd:
                raise odd.pop()
            return honest(one, store, at)

        monkeypatch.setattr(SilenceRound, "turn", turn)
        assert self.heard(run, tmp_path, 20.0)
        assert [line for line in said if "ValueError" in line]

    def test_a_program_that_is_not_there_is_said_before_it_begins(self, run, tmp_path):
        (tmp_path / "works").unlink()
        with pytest.raises(ConfigError, match="no program"):
            run.until(Event())


def printed(capsys, *arguments, code=0):
    """What the command printed, and what on stderr."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["fleet", *map(str, arguments)])
    assert (ended.value.code or 0) == code
    return capsys.readouterr()


class TestCommands:
    @pytest.fixture
    def folder(self, tmp_path):
        (tmp_path / FILE_NAME).write_text("")
        with large_store(tmp_path, 400, datetime.now(UTC)) as made:
            made.note("link", "heard since today")
        return tmp_path

    def test_status_shows_who_needs_a_ladder_first(self, folder, capsys):
        lines = printed(capsys, "status", folder).out.splitlines()
        assert lines[0] == "400 cameras: 4 need a ladder, 3 the desk, 393 are well"
        assert lines[4] == "LADDER  camera-000103: heard 9 h ago, 0.1.0"
        assert lines[5] == "          silent for 9 h: power, network, or the camera itself"
        words = [line.split()[0] for line in lines if line.startswith(("LADDER", "DESK", "well"))]
        assert words == ["LADDER"] * 4 + ["DESK"] * 3
        assert printed(capsys, "status", folder, "--all").out.count("\nwell ") == 393

    def test_status_page_by_page(self, folder, capsys):
        def names(*more):
            out = printed(capsys, "status", folder, *more).out
            words = [
                line.split()[1] for line in out.splitlines() if line.startswith(("LAD", "DES"))
            ]
            return words, out.splitlines()[-1]

        whole, _ = names()
        first, more = names("--limit", 3)
        assert more == "… and 4 more: --skip 3, or --all"
        second, last = names("--limit", 4, "--skip", 3)
        assert first + second == whole
        assert "more:" not in last
        listed = json.loads(printed(capsys, "status", folder, "--json", "--limit", 2).out)["list"]
        assert [f"{one['camera']}:" for one in listed] == whole[:2]

    def test_json_page_and_metrics_agree(self, folder, tmp_path, capsys):
        table = json.loads(printed(capsys, "status", folder, "--json").out)
        assert (table["cameras"], table["ladder"], table["desk"]) == (400, 4, 3)
        assert table["ringers_unheard"] == {}
        page, prom = tmp_path / "page.html", tmp_path / "fleet.prom"
        said = printed(capsys, "page", folder, page, "--metrics", prom).out
        assert said == f"{page}: 400 cameras\n"
        assert page.read_text().count("<tr><th") == 400 + 3
        assert 'platewarden_fleet_cameras{who="ladder"} 4' in prom.read_text()

    def test_each_ringer_is_tried_once_and_one_that_is_deaf_is_named(self, folder, capsys):
        write_public(folder / "cam-1.json", "cam-1")
        ringer = '[[ring.program]]\nname = "deaf"\ncommand = ["/bin/false"]\n'
        (folder / FILE_NAME).write_text(f'keys = ["cam-1.json"]\n{ringer}')
        said = printed(capsys, "run", folder, "--try", code=1)
        assert "ringer deaf ended with 1" in said.err
