"""The fleet's parts: what cameras send becomes a row each, a bad message costs itself, silence is
rung once, and fleet.toml is one closed schema.
"""

import json

import pytest

from agent.broker.checkpoint_link import Came
from agent.broker.health_link import MAX_KEPT
from agent.core.reasons import Reason
from agent.errors import ConfigError, NetworkError, StorageError
from agent.fleet import fleet_intake
from agent.fleet.fleet_intake import AHEAD_S, Taken, names_in, take_in
from agent.fleet.fleet_settings import FILE_NAME, FleetSettings, load
from agent.fleet.fleet_store import FleetStore
from agent.fleet.silence import BROKER, HEARD, SILENT, Notice, SilenceRound, look, notice_of
from agent.mqtt.topics import health_topic
from agent.receiver.ringing.ring_round import NamedRinger
from tests.support.fleets import AT, AT_S, CAMERAS, HOUR, keys_for, sent

KEYS = keys_for(*CAMERAS)


@pytest.fixture
def store(tmp_path):
    with FleetStore(tmp_path, write=True) as made:
        made.enrol(CAMERAS)
        yield made


def rows(store):
    return {row.name: row for row in store.rows()}


def take(store, *messages, camera="cam-1", now_s=AT_S):
    return take_in(store, {camera: messages}, KEYS, now_s)


class TestIntake:
    def test_the_newest_of_each_is_kept_and_the_others_are_old(self, store):
        assert take(store, sent("cam-1", 4), sent("cam-1", 5), sent("cam-1", 4)) == Taken(2, 0, 1)
        found = rows(store)["cam-1"]
        assert (found.message.number, found.heard_s, found.missed) == (5, AT_S, 0)
        assert rows(store)["cam-2"].message is None

    def test_numbers_that_never_came_are_counted_and_nobody_knows_before_the_first(self, store):
        take(store, sent("cam-1", 40))
        take(store, sent("cam-1", 41), sent("cam-1", 45, unsent=2))
        found = rows(store)["cam-1"]
        assert (found.missed, found.message.unsent) == (3, 2)

    def test_a_count_that_began_anew_is_told_and_a_message_sent_again_is_not(self, store):
        take(store, sent("cam-1", 4_000))
        assert take(store, sent("cam-1", 4_000)) == Taken(0, 0, 1)
        assert take(store, sent("cam-1", 1, AT - HOUR)) == Taken(0, 0, 1)
        assert take(store, sent("cam-1", 1, AT + HOUR)) == Taken(1, 0, 0)
        found = rows(store)["cam-1"]
        assert (found.message.number, found.began_anew, found.missed) == (1, 1, 0)

    def test_a_clock_far_ahead_does_not_outlive_what_comes_after(self, store):
        take(store, sent("cam-1", 4_000, AT.replace(year=2090)))
        assert rows(store)["cam-1"].told_s == AT_S + AHEAD_S
        later = AT + 4 * HOUR
        assert take(store, sent("cam-1", 1, later), now_s=int(later.timestamp())).taken == 1

    @pytest.mark.parametrize(
        ("bad", "reason"),
        [
            (b"", Reason.MALFORMED),
            (b"x" * 100_000, Reason.MALFORMED),
            (sent("cam-2"), Reason.MALFORMED),
            (sent("cam-1").replace(b"platewarden/cam-1/", b"platewarden/cam-9/"), "not-enrolled"),
            (sent("cam-1").replace(b'"n":1,', b'"n":2,'), Reason.SIGNATURE_INVALID),
        ],
    )
    def test_a_wrong_message_costs_itself(self, store, bad, reason):
        found = take(store, bad, sent("cam-1", 7), bad)
        assert found == Taken(1, 2, 0)
        row = rows(store)["cam-1"]
        assert (row.message.number, row.refused, row.refused_s) == (7, 2, AT_S)
        assert row.refused_why
        [(noted,)] = store._select("SELECT reason FROM refused")
        assert str(reason) in noted

    def test_what_nobody_foresaw_costs_its_message_too(self, store, monkeypatch):
        monkeypatch.setattr(fleet_intake, "verified", _fails)
        assert take(store, sent("cam-1")) == Taken(0, 1, 0)
        assert "TST0042" not in rows(store)["cam-1"].refused_why

    def test_strangers_are_counted_and_are_no_cameras(self, store):
        stranger = sent("cam-77")
        assert take(store, stranger, stranger, camera="cam-77").refused == 2
        assert set(rows(store)) == set(CAMERAS)
        assert store.strangers() == 2

    def test_a_flood_of_one_camera_leaves_its_newest_and_the_others(self):
        came = Came(health_topic, MAX_KEPT)
        for number in range(1, 1_001):
            came.take(health_topic("cam-1"), sent("cam-1", number))
        came.take(health_topic("cam-2"), sent("cam-2"))
        came.take("platewarden/1/health/cam-3/more", b"none of ours")
        assert [len(one) for one in came.messages.values()] == [MAX_KEPT, 1]
        assert came.dropped == 1_000 - MAX_KEPT + 1
        assert came.taken()["cam-1"][-1] == sent("cam-1", 1_000)
        assert came.messages == {}

    def test_whoever_leaves_the_roster_is_forgotten(self, store):
        take(store, sent("cam-1"), sent("cam-1", 2))
        store.enrol(["cam-2", "cam-6"])
        assert set(rows(store)) == {"cam-2", "cam-6"}
        assert names_in(keys_for("cam-1", "cam-2")) == {"cam-1", "cam-2"}

    def test_a_damaged_row_counts_as_never_heard(self, store):
        take(store, sent("cam-1"))
        store._execute("UPDATE camera SET said = ?", (b"TST0042",))
        assert rows(store)["cam-1"].message is None

    def test_a_store_that_is_gone_is_told_as_such_whatever_is_written(self, store):
        store.__exit__()
        for write in (lambda: store.enrol(["cam-9"]), lambda: store.silent({"cam-1": 1})):
            with pytest.raises(StorageError, match="the fleet's store failed"):
                write()

    def test_without_a_store_the_next_step_is_told(self, tmp_path):
        with pytest.raises(StorageError, match="fleet run"):
            FleetStore(tmp_path / "none")


def _fails(*_):
    raise RuntimeError("TST0042 must not be shown")


def told(store, ringer="desk"):
    """What waits for one ringer."""
    return sorted(store._select("SELECT device, read_id FROM to_ring WHERE ringer = ?", (ringer,)))


class FakeRinger:
    """Hears, or does not."""

    def __init__(self):
        self.heard, self.deaf = [], False

    def ring(self, message):
        if self.deaf:
            raise NetworkError("does not answer")
        self.heard.append(message)


class TestSilence:
    def look(self, store, hours, since_h=0.0):
        now_s = AT_S + int(hours * 3_600)
        since_s = AT_S + int(since_h * 3_600)
        look(store, tuple(store.rows()), ("desk", "night"), now_s, since_s, 3 * 3_600)

    def test_it_is_told_once_and_so_is_its_end(self, store):
        for camera in ("cam-1", "cam-2"):
            take(store, sent(camera), camera=camera)
        self.look(store, 2.9)
        assert told(store) == []
        for _ in range(3):
            self.look(store, 3)
        assert told(store) == [("cam-1", SILENT), ("cam-2", SILENT)]
        ringer = FakeRinger()
        one = SilenceRound(NamedRinger("desk", "camera", ringer), print)
        assert one.turn(store, AT)
        assert not one.turn(store, AT)
        [notice] = ringer.heard
        assert (notice.silent, notice.cameras) == (2, ("cam-1", "cam-2"))
        take(store, sent("cam-1", 2), now_s=AT_S + 4 * 3_600)
        self.look(store, 4)
        assert told(store) == [("cam-1", HEARD)]
        assert ("cam-1", SILENT) not in told(store, "night"), "nobody was told: it is no news"

    def test_while_the_broker_was_away_nobody_is_silent(self, store):
        take(store, sent("cam-1"))
        self.look(store, 9, since_h=7)
        assert told(store) == []
        self.look(store, 10, since_h=7)
        assert told(store) == [("cam-1", SILENT)]

    def test_one_that_was_never_heard_rings_nobody(self, store):
        self.look(store, 100)
        assert told(store) == []

    def test_a_ringer_that_nobody_hears_is_said_once_and_tried_again_later(self, store):
        take(store, sent("cam-1"))
        self.look(store, 3)
        ringer, said = FakeRinger(), []
        ringer.deaf = True
        one = SilenceRound(NamedRinger("desk", "count", ringer), said.append)
        assert one.turn(store, AT)
        assert not one.turn(store, AT), "it is not time yet"
        [state] = [state for state in store.rings.states() if state.ringer == "desk"]
        assert (state.failures, state.waiting) == (1, 1)
        assert len(said) == 1
        ringer.deaf = False
        store._execute("UPDATE ringers SET not_before = 0")
        assert one.turn(store, AT)
        assert ringer.heard[0].cameras == (), "it may know how many, and not which"

    def test_what_is_said(self):
        names = [(f"cam-{number}", SILENT) for number in range(30)]
        notice = notice_of("desk", "camera", names, AT)
        assert notice.sentence().startswith("30 cameras are silent: cam-0, cam-1, ")
        assert len(notice.cameras) == 20
        assert json.loads(notice.body())["data"]["silent"] == 30
        assert notice.id == notice_of("desk", "camera", names, AT + HOUR).id
        away = notice_of("desk", "count", [(BROKER, SILENT)], AT)
        assert away.sentence().startswith("The broker is away.")
        assert (away.silent, away.urgent) == (0, False)
        back = notice_of("desk", "count", [("cam-1", HEARD)], AT)
        assert (back.title(), back.heard) == ("Cameras are heard again", 1)
        tried = Notice("msg_try_1", AT, silent=0)
        assert tried.sentence().startswith("This is a test.")
        assert tried.title().startswith("A test")


class TestSettings:
    def test_what_is_left_out_has_its_default(self, tmp_path):
        (tmp_path / FILE_NAME).write_text("")
        assert load(tmp_path) == FleetSettings()

    @pytest.mark.parametrize(
        ("line", "says"),
        [
            ("silent_after_hours = 1", "silent_after_hours"),
            ("keys = []", "keys"),
            ('page = ""', "names nothing"),
            ("what = 1", "unknown key"),
            ('[[ring.push]]\nname = "x"', "url"),
        ],
    )
    def test_what_does_not_fit_is_named(self, tmp_path, line, says):
        (tmp_path / FILE_NAME).write_text(line + "\n")
        with pytest.raises(ConfigError, match=says):
            load(tmp_path)

    def test_none_says_how_to_write_one(self, tmp_path):
        with pytest.raises(ConfigError, match=r"docs/guide/fleet\.md"):
            load(tmp_path)


def test_settings_that_are_longer_than_may_be_are_refused_and_not_cut(tmp_path):
    """What stands behind the comments would be gone, unsaid."""
    long = "# a comment\n" * 6_000
    (tmp_path / FILE_NAME).write_text(f'city_root = "root.json"\n{long}page = "fleet.html"\n')
    with pytest.raises(ConfigError, match=r"fleet\.toml: more than 65536 bytes"):
        load(tmp_path)
