"""deliver under signed bundles: no destination can be reached before the first, while they have
lapsed, or by a policy that too few signed.
"""

from datetime import UTC, datetime, timedelta

import pytest

from agent.bundles import follower
from agent.bundles.layout import HOTLIST, POLICY
from agent.core.log.floor import FILE_NAME as FLOOR
from agent.disk.atomic_file import write_atomic
from agent.host.clock import TrustedClock
from agent.host.notify import Notifier
from agent.network.egress import Egress
from agent.settings import load
from agent.sides import deliver as deliver_side
from agent.sides.deliver import DeliverySide
from agent.sides.health.deliver_health import COUNT_FILE
from agent.sides.signed_city import SignedCity
from agent.storage.floor_file import FloorWriter
from agent.storage.health.message_count import CountFile, MessageCount
from agent.storage.log_key import load_signing_key
from agent.storage.log_schema import EARLIER_TABLE, SEQUENCE_TABLE
from tests.fakes.audit import FakeAuditLog
from tests.fakes.machine import FakeMachine
from tests.support.audit_logs import open_log, rows
from tests.support.bundle_city import BundleCity

HOUR = timedelta(hours=1)


class Deliver:
    """A deliver process's parts, over a simulated clock and a log in memory.

    No broker answers; none is needed to see what could be reached.
    """

    def __init__(self, installed, monkeypatch, tmp_path):
        work = installed.installation.work
        self.machine = FakeMachine(datetime.now(UTC))
        files = {
            POLICY: {"policy/ca/city-hall-ca.pem": (work / "city/ca/city-hall-ca.pem").read_bytes()}
        }
        self.city = BundleCity(self.machine.real - HOUR, folder=work / "city", files=files)
        self.city.anchor(tmp_path)
        (tmp_path / "platewarden.toml").write_text('camera_id = "cam-01"\n')
        (tmp_path / "device").symlink_to(work / "device")
        (tmp_path / "state/deliver").mkdir(parents=True)
        self.settings = load(tmp_path / "platewarden.toml")
        self.log = FakeAuditLog()
        self.egress = Egress()
        self.clock = TrustedClock(
            self.settings.state / "deliver",
            self.machine,
            build_time=self.machine.real - 30 * 24 * HOUR,
        )
        monkeypatch.setattr(follower, "LOOK_EVERY_S", 0.0)
        # a pass waits on real sockets, and here the clock stands still meanwhile
        monkeypatch.setattr(deliver_side, "PASS_EVERY_S", 0.0)
        signed = SignedCity(self.settings, "deliver", self.clock, self.log, frozenset({HOTLIST}))
        self.side = DeliverySide(
            self.settings,
            self.log,
            self.clock,
            self.egress,
            lambda: False,
            signed,
            allow_unsigned=False,
        )
        self.port = installed.installation.port

    def passed(self):
        self.machine.advance(1)
        return self.side.pass_once(Notifier(""))

    def publish(self):
        self.city.write(self.settings.bundles)

    @property
    def open(self):
        return self.egress.listed("127.0.0.1", self.port)


@pytest.fixture
def deliver(installed, monkeypatch, tmp_path):
    made = Deliver(installed, monkeypatch, tmp_path)
    yield made
    made.side.close()


def test_how_it_is_is_told_each_hour_and_counted_where_no_broker_takes_it(deliver):
    deliver.passed()
    deliver.publish()
    for _ in range(3):
        deliver.machine.advance(HOUR.total_seconds())
        deliver.passed()
    count = CountFile(deliver.settings.state / "deliver" / COUNT_FILE).count
    assert count == MessageCount(3, 3)


def test_before_the_first_bundles_nothing_can_be_reached(deliver):
    assert "no bundles have come yet" in deliver.passed().trouble
    assert not deliver.open
    deliver.publish()
    assert "cannot connect: connection refused" in deliver.passed().trouble  # it is tried
    assert deliver.open
    assert deliver.side.in_force()["signed"] is True
    assert [leaf["signed_by"]["policy"] for leaf in deliver.log.details("bundles")] == [
        ["Dora Lind", "Eli Roy"]
    ]


def test_the_floor_of_watchs_log_is_kept_whatever_the_bundles_say(deliver, tmp_path):
    """With no destination open, too: it is for this camera alone."""
    settings = deliver.settings
    settings.outbox.mkdir()
    log = open_log(
        tmp_path / "watch",
        load_signing_key(settings.device / "watch-log.key"),
        "platewarden/cam-01/watch",
    )
    with log:
        log.add_tables(f"{SEQUENCE_TABLE}; {EARLIER_TABLE}")
        for kind in ("start", "counts"):
            log.append(kind, {})
            FloorWriter(settings.outbox / FLOOR, log).write()
            deliver.passed()
    note = (settings.outbox / FLOOR).read_bytes()
    assert (settings.receipts / FLOOR).read_bytes() == note
    assert (settings.state / "deliver" / FLOOR).read_bytes() == note
    [older] = [
        note for (note,) in rows(tmp_path / "watch", "SELECT note FROM checkpoint WHERE size = 1")
    ]
    write_atomic(settings.outbox / FLOOR, older)
    deliver.passed()
    deliver.passed()
    assert [leaf["what"] for leaf in deliver.log.details("refusal")] == [
        "watch's log knows of 1 leaves; 2 were signed"
    ]


def test_when_bundles_lapse_every_destination_is_closed_until_newer_ones_come(deliver):
    deliver.publish()
    deliver.passed()
    deliver.machine.advance(3 * 86_400)
    assert "bundle-lapsed" in deliver.passed().trouble
    assert not deliver.open
    deliver.city.now = deliver.machine.real
    deliver.city.online()
    deliver.publish()
    assert "cannot connect: connection refused" in deliver.passed().trouble
    assert deliver.open


def test_a_broker_that_one_person_lists_is_never_reached(deliver):
    deliver.publish()
    deliver.passed()
    other = deliver.port + 1
    change = f"127.0.0.1:{deliver.port}".encode(), f"127.0.0.1:{other}".encode()
    deliver.city.edit_policy(*change, signers=deliver.city.signers[POLICY][:1])
    deliver.publish()
    deliver.passed()
    assert not deliver.egress.listed("127.0.0.1", other)
    assert deliver.open
    assert deliver.log.details("refusal")[-1]["reason"] == "bundle-signature-threshold"


def test_a_new_hot_list_does_not_break_the_connection(deliver):
    deliver.publish()
    deliver.passed()
    route = deliver.side._route
    deliver.city.now = deliver.machine.real
    deliver.city.day_passes(0.0)
    deliver.publish()
    deliver.passed()
    assert deliver.side._route is route
    assert len(deliver.log.details("bundles")) == 2


def test_no_hot_list_lies_in_delivers_state(deliver):
    deliver.publish()
    deliver.passed()
    assert list((deliver.settings.state / "deliver").rglob("*.age")) == []
