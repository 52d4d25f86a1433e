"""`receiver doctor`: each thing that a recipient's folder may lack gets its line and its next step,
over a broker that was set up by `platewarden broker`.
"""

import json
import shutil
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from agent import cli
from agent.broker.broker_folder import RECIPIENTS
from agent.core.time.instant import Instant
from agent.doctor import recipient, recipient_access
from agent.mqtt.events import Received
from agent.receiver.receiver_settings import BrokerSettings
from agent.receiver.workplace import Workplace
from tests.support.city_broker import HOST, CityBroker
from tests.support.mosquitto import ADDRESS
from tests.support.receiving import Enrolled, this_instant
from tests.support.sealed import RECIPIENT

pytestmark = [pytest.mark.broker, pytest.mark.usefixtures("quick_disk")]


def settings(port):
    return BrokerSettings(
        host=HOST,
        address=ADDRESS,
        port=port,
        ca="broker-ca.pem",
        client_certificate="tls.crt",
        client_key="tls.key",
    )


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with CityBroker(tmp_path_factory.mktemp("city") / "broker") as broker:
        yield broker


@pytest.fixture
def enrolled(tmp_path, broker):
    """A recipient whose certificate this broker's authority has signed."""
    made = Enrolled(tmp_path / "receiver", settings(broker.port))
    csr = made.place.request_certificate().read_bytes()
    signed = broker.desk.sign(RECIPIENTS, RECIPIENT, csr, "tls.csr", this_instant().utc)
    shutil.copy(signed.path, made.folder / "tls.crt")
    shutil.copy(broker.desk.folder / "ca.pem", made.folder / "broker-ca.pem")
    broker.kill()
    broker.start()
    return made


def looked(enrolled, now=None):
    """{name: (health, what)}."""
    found = recipient.look(enrolled.place, now or this_instant())
    return {finding.name: (str(finding.health), finding.what) for finding in found}


def later(days):
    return Instant(this_instant().utc + timedelta(days=days))


def test_a_whole_folder(enrolled):
    found = looked(enrolled)
    assert {name: health for name, (health, _) in found.items()} == {
        "signing key": "ok",
        "city": "ok",
        "roster": "ok",
        "key list": "warn",  # 25 days are made in these tests
        "keys due": "ok",
        "store": "ok",
        "holds": "ok",
        "ringers": "skip",
        "disk": "ok",
        "certificate": "ok",
        "broker": "ok",
        "access list": "ok",
    }
    assert found["broker"][1].startswith(f"{ADDRESS}:")


def test_the_command_tells_a_program_the_same(enrolled, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["receiver", "doctor", str(enrolled.folder), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (stop.value.code, told["exit_code"], told["recipient"]) == (0, 0, RECIPIENT)
    assert len(told["findings"]) == 14
    last = [(one["name"], one["health"]) for one in told["findings"][-2:]]
    assert last == [("access log", "skip"), ("hold log", "skip")]


@pytest.mark.parametrize(
    ("spoil", "name", "words"),
    [
        ("signing.key", "signing key", "no such key file"),
        ("roster.jws", "city", "roster is missing"),
        ("root.json", "city", "root key is missing"),
        ("key-list.jws", "key list", "there is no key-list.jws"),
        ("tls.crt", "certificate", "no such file"),
        ("broker-ca.pem", "broker", "no such file"),
    ],
)
def test_what_is_missing_is_named_and_the_rest_is_looked_at(enrolled, spoil, name, words):
    (enrolled.folder / spoil).unlink()
    found = looked(enrolled)
    assert found[name][0] == "fail"
    assert words in found[name][1]
    assert len(found) == 12
    assert found["disk"][0] == "ok"


def test_days_that_come(enrolled):
    enrolled.place.store().close()
    assert looked(enrolled, later(800))["certificate"][0] == "fail"
    assert looked(enrolled, later(710))["certificate"][0] == "warn"
    assert looked(enrolled, later(26))["key list"][0] == "fail"
    assert looked(enrolled, later(2))["keys due"][0] == "fail"


def test_a_read_past_its_deadline(enrolled):
    store = enrolled.place.store()
    sealed = enrolled.seal(key_list=enrolled.key_list())
    store.add(sealed.tags, sealed.wire, this_instant().utc)
    store.close()
    assert "holds 1 sealed reads" in looked(enrolled)["store"][1]
    assert looked(enrolled, later(40))["store"][0] == "fail"


@pytest.mark.parametrize(("days", "health"), [(0, "ok"), (90, "ok"), (91, "warn"), (-2, "warn")])
def test_the_rosters_age(enrolled, days, health):
    assert looked(enrolled, later(days))["roster"][0] == health


RINGER = """
[[ring.program]]
name = "{}"
command = ["/bin/true"]
"""


class TestRingers:
    @pytest.fixture
    def rung(self, enrolled):
        """A read waits for the ringers `desk` and `lamp`; receiver.toml names `desk`."""
        with (enrolled.folder / "receiver.toml").open("a") as settings:
            settings.write(RINGER.format("desk"))
        enrolled.place = Workplace(enrolled.folder)
        self.wait(enrolled, "desk", "lamp")
        return enrolled

    def wait(self, enrolled, *names):
        with closing(enrolled.place.store()) as store:
            sealed = enrolled.seal(key_list=enrolled.key_list())
            store.add(sealed.tags, sealed.wire, this_instant().utc)
            store.told([(sealed.tags.device, sealed.tags.read_id)], names)

    def ring(self, enrolled, name, failed=""):
        with closing(enrolled.place.store()) as store:
            claim = store.rings.claim(name, 0.0)
            if failed:
                store.rings.failed(name, failed, 1.0)
            else:
                store.rings.rung(name, claim)

    def test_nobody_rings(self, rung):
        health, what = looked(rung)["ringers"]
        assert (health, what) == ("warn", "reads wait to be rung, 1 for desk")

    def test_nobody_hears(self, rung):
        self.ring(rung, "desk", failed="the door is shut")
        health, what = looked(rung)["ringers"]
        assert (health, what) == ("fail", "nobody hears desk: the door is shut (1 wait)")

    def test_one_that_receiver_toml_does_not_name(self, rung):
        self.ring(rung, "desk")
        health, what = looked(rung)["ringers"]
        assert health == "warn"
        assert "wait for lamp, which receiver.toml no longer names" in what

    def test_all_were_rung(self, rung):
        for name in ("desk", "lamp"):
            self.ring(rung, name)
        assert looked(rung)["ringers"] == ("ok", "nothing waits for desk")

    def test_one_that_was_rung_just_now_has_a_minute(self, rung):
        for name in ("desk", "lamp"):
            self.ring(rung, name)
        self.wait(rung, "desk")
        assert looked(rung)["ringers"][0] == "ok"
        soon = Instant(this_instant().utc + timedelta(seconds=61))
        assert looked(rung, soon)["ringers"][0] == "warn"


class TestAccessList:
    """By loop-back: what the broker lets through comes back."""

    @pytest.fixture
    def city(self, tmp_path, enrolled, broker):
        """Starts the same city's broker with another access list."""
        started = []

        def start(access):
            (broker.folder / "another").write_text(access)
            lines = (broker.folder / "mosquitto.conf").read_text()
            conf = tmp_path / "mosquitto.conf"
            conf.write_text(
                "\n".join(
                    f"acl_file {broker.folder / 'another'}" if line.startswith("acl_file") else line
                    for line in lines.splitlines()
                )
            )
            broker.kill()
            honest, broker._configuration = broker._configuration, conf
            started.append(honest)
            broker.start()
            return enrolled

        yield start
        broker.kill()
        broker._configuration = started[0]
        broker.start()

    def test_one_that_lets_everything_through_is_told_and_leaves_nothing_behind(self, city):
        enrolled = city("pattern readwrite #\n")
        for _ in range(2):
            health, what = looked(enrolled)["access list"]
            assert (health, what.partition(":")[0]) == (
                "warn",
                "this certificate may send reads, too",
            )
        with closing(recipient_access._Link(enrolled.place)) as link:
            link.open()
            assert not link._comes_back(b"")
            assert not link._came

    def test_one_that_lets_no_receipt_out(self, city):
        enrolled = city(f"user {RECIPIENT}\ntopic read platewarden/1/reads/{RECIPIENT}\n")
        health, what = looked(enrolled)["access list"]
        assert health == "fail"
        assert "may give no receipt" in what

    def test_while_reads_wait_what_comes_back_may_be_behind_them(self, city, monkeypatch):
        enrolled = city("pattern readwrite #\n")
        honest = recipient_access._Link._take

        def take(link, event):
            """Ours never comes; another one does."""
            if isinstance(event, Received):
                event = replace(event, untrusted_payload=b"a read")
            honest(link, event)

        monkeypatch.setattr(recipient_access._Link, "_take", take)
        health, what = looked(enrolled)["access list"]
        assert health == "skip"
        assert "while others wait" in what

    def test_a_broker_that_hands_nothing_on(self, city, monkeypatch):
        enrolled = city("pattern readwrite #\n")
        monkeypatch.setattr(recipient_access._Link, "_take", lambda _link, _event: None)
        health, what = looked(enrolled)["access list"]
        assert (health, what.partition("; ")[2]) == ("ok", "a read of ours went nowhere")


def test_while_a_receiver_runs_it_is_not_thrown_off(enrolled):
    with enrolled.place.locked():
        found = looked(enrolled)
    for name in ("broker", "access list"):
        health, what = found[name]
        assert health == "skip"
        assert "runs" in what


def test_a_broker_that_is_not_there(enrolled, broker):
    broker.kill()
    try:
        found = looked(enrolled)
    finally:
        broker.start()
    health, what = found["broker"]
    assert health == "fail"
    assert "cannot connect" in what
    assert found["access list"] == ("skip", "the broker cannot be asked: see its own line")


def test_a_small_disk(enrolled, monkeypatch):
    monkeypatch.setattr(recipient, "LEAST_FREE_BYTES", 1 << 60)
    assert looked(enrolled)["disk"][0] == "warn"
