"""`receiver doctor`: each thing that a recipient's folder may lack gets its line and its next step,
over a broker that was set up by `platewarden broker`.
"""

import json
import shutil
from datetime import timedelta

import pytest

from agent import cli
from agent.broker.broker_folder import RECIPIENTS
from agent.core.time.instant import Instant
from agent.doctor import recipient
from agent.receiver.receiver_settings import BrokerSettings
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
        "key list": "warn",  # 25 days are made in these tests
        "keys due": "ok",
        "store": "ok",
        "disk": "ok",
        "certificate": "ok",
        "broker": "ok",
    }
    assert found["broker"][1].startswith(f"{ADDRESS}:")


def test_the_command_tells_a_program_the_same(enrolled, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["receiver", "doctor", str(enrolled.folder), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (stop.value.code, told["exit_code"], told["recipient"]) == (0, 0, RECIPIENT)
    assert len(told["findings"]) == 10
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
    assert len(found) == 8
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


def test_while_a_receiver_runs_it_is_not_thrown_off(enrolled):
    with enrolled.place.locked():
        health, what = looked(enrolled)["broker"]
    assert health == "skip"
    assert "runs" in what


def test_a_broker_that_is_not_there(enrolled, broker):
    broker.kill()
    try:
        health, what = looked(enrolled)["broker"]
    finally:
        broker.start()
    assert health == "fail"
    assert "cannot connect" in what


def test_a_small_disk(enrolled, monkeypatch):
    monkeypatch.setattr(recipient, "LEAST_FREE_BYTES", 1 << 60)
    assert looked(enrolled)["disk"][0] == "warn"
