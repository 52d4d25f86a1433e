"""A camera's health on its way: watch's file, deliver's message, the signature, and who may send
and read it at a real Mosquitto.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from agent.broker.broker_folder import COLLECTORS
from agent.broker.names import CHECK_CAMERA, CHECK_RECIPIENT, CHECK_STRANGER, COLLECTOR
from agent.core.camera.camera_event import Alarm
from agent.core.camera.health.health_message import MAX_MESSAGE_BYTES, HealthMessage
from agent.core.camera.health.health_report import Health, Reading
from agent.core.camera.health.watch_facts import WatchFacts, format_facts
from agent.core.log.checkpoint import origin_of
from agent.core.log.fate import Post
from agent.core.reasons import Reason
from agent.core.time.instant import ClockTrust, Instant
from agent.errors import EnvelopeRefusedError, NetworkError
from agent.mqtt.topics import checkpoints_topic, discovery_topic, health_topic
from agent.settings import load
from agent.sides.health.deliver_health import DeliverHealth
from agent.storage.health.health_note import signed, verified
from agent.storage.health.message_count import CountFile, MessageCount
from agent.storage.health.watch_health import (
    FIRST_AFTER_S,
    TOLD_EVERY_S,
    WatchHealthWriter,
    told_by_watch,
)
from agent.storage.log_key import TrustedLogKeys
from agent.storage.mailbox import HEALTH
from tests.components.test_broker_setup import client
from tests.components.test_broker_setup import run as broker_command
from tests.components.test_collect_broker import camera_link, until
from tests.support.audit_logs import DEVICE, KEY, OTHER_KEY
from tests.support.city_broker import CityBroker

AT = datetime(2027, 1, 15, 12, 34, 56, tzinfo=UTC)
BARE = origin_of(DEVICE, "deliver")
ORIGIN = origin_of(DEVICE, "deliver", "exampleville.gov")
KEYS = TrustedLogKeys({BARE: KEY.public_key()}, "roster.jws")
WELL = Health(DEVICE, "0.1.0", AT, clock=ClockTrust.OS)
MESSAGE = HealthMessage(1, 0, WELL)
FACTS = WatchFacts(
    *(AT, frozenset({Alarm.DIRTY}), 12, False, ClockTrust.UNTRUSTED, Reason.NOT_WITNESSED),
    Reading.WORSE,
)


class TestSignature:
    @pytest.mark.parametrize("origin", [BARE, ORIGIN])
    def test_what_the_cameras_key_signed_is_believed(self, origin):
        assert verified(signed(MESSAGE, origin, KEY), DEVICE, KEYS).number == 1

    @pytest.mark.parametrize(
        ("message", "origin", "key", "reason"),
        [
            (MESSAGE, ORIGIN, OTHER_KEY, Reason.SIGNATURE_INVALID),
            (MESSAGE, origin_of("cam-2", "deliver"), KEY, Reason.DEVICE_NOT_ENROLLED),
            (MESSAGE, origin_of(DEVICE, "watch"), KEY, Reason.DEVICE_NOT_ENROLLED),
            (MESSAGE, "somebody", KEY, Reason.DEVICE_NOT_ENROLLED),
            (
                HealthMessage(1, 0, replace(WELL, camera="cam-2")),
                *(origin_of("cam-2", "deliver"), KEY, Reason.MALFORMED),
            ),
        ],
    )
    def test_another_key_name_or_camera_is_refused(self, message, origin, key, reason):
        with pytest.raises(EnvelopeRefusedError) as refusal:
            verified(signed(message, origin, key), DEVICE, KEYS)
        assert refusal.value.reason == reason

    def test_a_changed_byte_a_second_line_and_a_long_one_are_refused(self):
        good = signed(MESSAGE, ORIGIN, KEY)
        line = good[good.index("— ".encode()) :]
        for bad in (good.replace(b'"n":1', b'"n":2'), good + line, good + b" " * MAX_MESSAGE_BYTES):
            with pytest.raises(EnvelopeRefusedError):
                verified(bad, DEVICE, KEYS)


class TestWatchsFile:
    def test_it_is_written_once_an_hour(self, tmp_path):
        path, seconds, asked = tmp_path / HEALTH, [0.0], []

        def facts():
            asked.append(seconds[0])
            return FACTS

        writer = WatchHealthWriter(path, lambda: seconds[0])
        for _ in range(3 * 60):
            writer.write(facts)
            seconds[0] += 60
        assert asked == [60.0, 60 + TOLD_EVERY_S, 60 + 2 * TOLD_EVERY_S]
        assert FIRST_AFTER_S <= 60
        assert told_by_watch(path).alarms == {Alarm.DIRTY}
        assert path.stat().st_mode & 0o777 == 0o640

    def test_none_is_no_fault_and_rubbish_is_one(self, tmp_path):
        assert told_by_watch(tmp_path / HEALTH) is None
        (tmp_path / HEALTH).write_bytes(b"TST0042")
        with pytest.raises(EnvelopeRefusedError) as refusal:
            told_by_watch(tmp_path / HEALTH)
        assert "TST0042" not in str(refusal.value)


class Rig:
    """Deliver's part over a folder."""

    def __init__(self, folder):
        (folder / "platewarden.toml").write_text(f'camera_id = "{DEVICE}"\n')
        self.settings = load(folder / "platewarden.toml")
        (folder / "state/deliver").mkdir(parents=True)
        self.settings.outbox.mkdir()
        self.at = AT
        zone = folder / "system/sys/class/thermal/thermal_zone0"
        zone.mkdir(parents=True)
        (zone / "type").write_text("cpu-thermal\n")
        (zone / "temp").write_text("58200\n")
        self.system, self.policy, self.standing = folder / "system", None, None
        self.links = {"city-hall": "", "second": "connection refused"}
        self.made = self.new()

    def new(self):
        clock = SimpleNamespace(now=lambda: Instant(self.at, ClockTrust.OS))
        return DeliverHealth(
            *(self.settings, ORIGIN, KEY, clock),
            policy=lambda: self.policy,
            standing=lambda: self.standing,
            links=lambda: self.links,
            topic=health_topic(DEVICE),
            system=self.system,
        )

    def told(self):
        return verified(self.made.message(), DEVICE, KEYS)


@pytest.fixture
def rig(tmp_path):
    return Rig(tmp_path)


class TestDeliversMessage:
    def test_it_joins_what_watch_said_with_its_own(self, rig):
        (rig.settings.outbox / HEALTH).write_bytes(format_facts(FACTS))
        rig.policy = SimpleNamespace(version=7)
        rig.standing = SimpleNamespace(
            lapses=(1, 2), generation=SimpleNamespace(issued=AT - timedelta(hours=5.5))
        )
        health = rig.told().health
        assert (health.alarms, health.hotlist_age_h, health.hotlist_stale) == (
            *({Alarm.DIRTY}, 12, False),
        )
        assert (health.closed, health.reading) == (Reason.NOT_WITNESSED, Reading.WORSE)
        assert (health.policy_version, health.policy_age_h, health.lapsed) == (7, 5, 2)
        assert (health.temperature_c, health.brokers_away, health.outbox_filled) == (60, 1, 0.0)
        assert health.watch_silent_h == 0
        assert health.clock is ClockTrust.UNTRUSTED, "the worse of the two"
        assert health.problems == ()

    def test_a_watch_that_does_not_run_is_told_in_hours(self, rig):
        (rig.settings.outbox / HEALTH).write_bytes(format_facts(FACTS))
        rig.at = AT + timedelta(hours=9)
        assert rig.told().health.watch_silent_h == 9

    def test_what_is_missing_or_odd_is_named_and_costs_no_more(self, rig):
        rig.links = None
        health = rig.told().health
        assert (health.alarms, health.watch_silent_h, health.problems) == (None, None, ())
        (rig.settings.outbox / HEALTH).write_bytes(b"TST0042")
        data = rig.made.message()
        assert b"TST0042" not in data
        assert verified(data, DEVICE, KEYS).health.problems == ("watch",)

    def test_a_plate_in_watchs_file_never_goes_out(self, rig):
        table = json.loads(format_facts(FACTS)) | {"closed": "TST0042"}
        (rig.settings.outbox / HEALTH).write_text(json.dumps(table))
        assert b"TST0042" not in rig.made.message()

    def test_home_assistant_is_told_where_the_settings_ask_for_it(self, rig):
        assert rig.made.discovery() is None
        file = rig.settings.file
        file.write_text(file.read_text() + "[health]\nhome_assistant = true\n")
        rig.settings = load(file)
        told = json.loads(rig.new().discovery())
        assert told["state_topic"] == health_topic(DEVICE)

    def test_numbers_go_on_over_a_start_and_what_was_not_taken_is_counted(self, rig):
        assert [(one.number, one.unsent) for one in (rig.told(), rig.told())] == [(1, 0), (2, 1)]
        rig.made = rig.new()
        found = rig.told()
        assert (found.number, found.unsent) == (3, 2)
        rig.made.taken()
        rig.made = rig.new()
        found = rig.told()
        assert (found.number, found.unsent) == (4, 0)

    def test_a_damaged_count_begins_anew(self, tmp_path):
        (tmp_path / "health.json").write_bytes(b'{"made": -1, "unsent": 0}')
        assert CountFile(tmp_path / "health.json").count == MessageCount()


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with CityBroker(tmp_path_factory.mktemp("broker") / "broker") as broker:
        assert broker_command("collector", broker.desk.folder) == 0
        yield broker


@pytest.mark.broker
class TestOverMosquitto:
    def test_a_camera_tells_of_itself_alone_and_the_collector_alone_hears(self, running):
        collector = client(running, COLLECTOR, running.desk.folder / COLLECTORS)
        collector.subscribe(health_topic("+"))
        link = camera_link(running)
        link.post(signed(MESSAGE, ORIGIN, KEY), Post.HEALTH)
        [answer] = until(link, lambda: link.take_post_answers(Post.HEALTH))
        assert (answer.refusal, answer.about) == ("", Post.HEALTH)
        assert link.take_post_answers(Post.CHECKPOINT) == []
        link.close()
        [data] = collector.payloads(1)
        assert verified(data, DEVICE, KEYS).number == 1
        camera = client(running, CHECK_CAMERA)
        assert camera.publish(health_topic("main-street-2"), b"forged").refused
        assert camera.publish(health_topic(f"{CHECK_CAMERA}/more"), b"forged").refused
        camera.subscribe(health_topic("+"))
        assert not camera.publish(health_topic(CHECK_CAMERA), b"own").refused
        assert camera.payloads(1, 0.5) == [], "nor does it hear others, or itself"
        assert collector.payloads(2) == [data, b"own"]
        assert collector.publish(health_topic(CHECK_CAMERA), b"forged").refused
        for one in (collector, camera):
            one.close()

    def test_a_second_certificate_can_neither_tell_nor_hear(self, running):
        stranger = client(running, CHECK_STRANGER)
        for number in range(20):
            with pytest.raises(NetworkError):
                _told(stranger, number)
        stranger.subscribe(health_topic("+"))
        camera = client(running, CHECK_CAMERA)
        camera.publish(health_topic(CHECK_CAMERA), b"own")
        assert stranger.payloads(1, 0.5) == []
        for one in (stranger, camera):
            one.close()

    def test_where_the_access_list_is_older_checkpoints_and_reads_go_on(self, tmp_path):
        with CityBroker(tmp_path / "broker") as broker:
            acl = broker.desk.folder / "machine/acl"
            lines = acl.read_text().splitlines(keepends=True)
            acl.write_text("".join(one for one in lines if "/health/" not in one))
            broker.kill()
            broker.start()
            link = camera_link(broker)
            link.post(b"health", Post.HEALTH)
            [answer] = until(link, lambda: link.take_post_answers(Post.HEALTH))
            assert "did not take a health message: Not authorized (135)" in answer.refusal
            link.post(b"checkpoint")
            [answer] = until(link, link.take_post_answers)
            assert answer.refusal == ""
            link.close()

    def test_a_citys_broker_lets_nobody_tell_home_assistant(self, running):
        link = camera_link(running)
        link.post(b"{}", Post.DISCOVERY)
        [answer] = until(link, lambda: link.take_post_answers(Post.DISCOVERY))
        assert "did not take a discovery message: Not authorized (135)" in answer.refusal
        link.close()

    def test_home_assistant_at_ones_own_broker_finds_a_camera_that_told_before_it_came(
        self, tmp_path
    ):
        with CityBroker(tmp_path / "broker") as broker:
            acl, topic = broker.desk.folder / "machine/acl", discovery_topic(CHECK_CAMERA)
            lines = acl.read_text()
            for name, right in ((CHECK_CAMERA, "write"), (CHECK_RECIPIENT, "read")):
                lines = lines.replace(f"user {name}\n", f"user {name}\ntopic {right} {topic}\n")
            acl.write_text(lines)
            broker.kill()
            broker.start()
            link = camera_link(broker)
            link.post(b"{}", Post.DISCOVERY)
            [answer] = until(link, lambda: link.take_post_answers(Post.DISCOVERY))
            assert answer.refusal == ""
            link.post(b"health", Post.HEALTH)
            until(link, lambda: link.take_post_answers(Post.HEALTH))
            link.close()
            late = client(broker, CHECK_RECIPIENT)
            late.subscribe(topic)
            late.subscribe(health_topic(CHECK_CAMERA))
            assert late.payloads(2, 1.0) == [b"{}"], "and no health message of before"
            late.close()


def _told(stranger, number):
    """Each try, on a topic of its own."""
    names = (CHECK_CAMERA, "main-street-2", CHECK_STRANGER, COLLECTOR)
    topic = (health_topic, checkpoints_topic)[number % 2](names[number // 2 % len(names)])
    if stranger.publish(topic, b"forged").refused:
        raise NetworkError("refused")
