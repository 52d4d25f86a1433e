"""A city's broker: what `platewarden broker` writes runs in a real Mosquitto, lets in whom it names
alone; `broker check` finds what is wrong with one that is set up otherwise.
"""

import configparser
import json
import shutil
from datetime import UTC, datetime

import pytest
from cryptography import x509

from agent import cli
from agent.broker import broker_folder
from agent.broker.broker_check import Check, Client, Target
from agent.broker.broker_folder import (
    CAMERAS,
    CHECK,
    MACHINE,
    RECIPIENTS,
    BrokerFolder,
    Wanted,
)
from agent.broker.mosquitto import CONFIG, OPEN_FILES
from agent.broker.names import CHECK_CAMERA, CHECK_RECIPIENT, CHECK_STRANGER, COLLECTOR
from agent.broker.place import Place
from agent.core.camera.diagnosis_findings import Health
from agent.core.policy.camera_roster import MAX_CAMERAS
from agent.errors import ConfigError, NetworkError, StorageError, UsageError
from agent.mqtt.client_request import make_request
from agent.mqtt.events import Session
from agent.mqtt.topics import reads_topic, receipts_topic
from agent.sealing.camera_keys import ENROLMENT, make_kit
from tests.support.city_broker import HOST, CityBroker
from tests.support.mosquitto import ADDRESS
from tests.support.second_holder import holders, twenty_tries_in_vain

pytestmark = pytest.mark.broker

NOW = datetime.now(UTC)
CAMERA, OTHER, RECIPIENT = "main-street-2", "oak-street-1", "exampleville-pd"


def run(*arguments):
    """The exit code of `platewarden broker …`."""
    try:
        cli.main(["broker", *map(str, arguments)])
    except SystemExit as stop:
        return stop.code
    return 0


def enrolments(folder, *cameras):
    """The enrolments of new cameras, and their TLS keys beside them in `keys`."""
    folder.mkdir()
    keys = folder.with_name("keys")
    keys.mkdir(exist_ok=True)
    for camera in cameras:
        kit = make_kit(camera, NOW)
        (folder / f"{camera}.json").write_bytes(kit.public[ENROLMENT])
        (keys / f"{camera}.key").write_bytes(kit.private["tls-waiting.key"])
    return folder


def target(broker, certificates=None):
    desk = broker.desk.folder
    return Target(
        *(HOST, ADDRESS, broker.port, desk / "ca.pem", (desk / "ca.pem").read_bytes()),
        *(certificates or desk / CHECK, broker.desk.pin_digests),
    )


def client(broker, name, certificates=None, **session):
    asked = {"client_id": name, "clean_start": True} | session
    made = Client(target(broker, certificates), name, Session(**asked))
    made.connect()
    return made


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    """A running broker as it was set up."""
    with CityBroker(tmp_path_factory.mktemp("city") / "broker") as broker:
        yield broker


def by_subject(findings):
    return {finding.name: finding.health for finding in findings}


def test_a_broker_that_was_set_up_so_has_no_fault(city, capsys):
    assert run("check", city.desk.folder, "--json") == 0
    [(where, lines)] = json.loads(capsys.readouterr().out).items()
    assert where == f"{ADDRESS}:{city.port}"
    assert {line["state"] for line in lines} == {"ok"}
    assert len(lines) == 13


def test_it_may_have_a_client_for_each_camera_of_the_largest_roster(city):
    """systemd gives a service 1,024 open files, and whoever comes then gets no answer."""
    unit = configparser.ConfigParser()
    assert unit.read(city.desk.folder / MACHINE / OPEN_FILES)
    assert unit.getint("Service", "LimitNOFILE") > 2 * MAX_CAMERAS


def test_a_receipt_waits_for_no_full_packet(city):
    """40 ms each, where the broker leaves Nagle's algorithm on."""
    assert "set_tcp_nodelay true" in (city.desk.folder / MACHINE / CONFIG).read_text().splitlines()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("without", "found"),
    [
        (("use_username_as_clientid",), {"another certificate takes a place"}),
        (
            ("acl_file",),
            {"another certificate reads", "another certificate writes", "a camera reads"},
        ),
        (("max_packet_size",), set()),
    ],
)
def test_what_is_set_up_otherwise_is_found(tmp_path, without, found):
    with CityBroker(tmp_path / "broker", without) as broker:
        states = by_subject(Check(target(broker)).findings())
    assert {about for about, state in states.items() if state is Health.FAIL} == found


def test_a_broker_that_takes_whoever_comes_is_found(tmp_path, capsys):
    lines = ("require_certificate", "use_identity", "use_username", "allow_anonymous", "acl_file")
    with CityBroker(tmp_path / "broker", (*lines, "crl"), ("allow_anonymous true",)) as broker:
        assert run("check", broker.desk.folder) == 1
    shown = capsys.readouterr().out
    assert "FAIL  no certificate: whoever shows no certificate is let in" in shown


def test_who_has_a_certificate_may_do_what_is_its_own(tmp_path, capsys):
    with CityBroker(tmp_path / "broker") as broker:
        desk, certificates = broker.desk.folder, tmp_path / "keys"
        folder = enrolments(tmp_path / "enrolments", CAMERA, OTHER)
        recipient_request(tmp_path / "receiver", certificates)
        assert run("sign", desk, folder) == 0
        csr = tmp_path / "receiver" / "tls.csr"
        assert run("sign", desk, csr, "--recipient", RECIPIENT, "--json") == 0
        [signed] = json.loads(capsys.readouterr().out.splitlines()[-1])["signed"]
        assert signed["name"] == RECIPIENT
        for kind in (CAMERAS, RECIPIENTS):
            for path in (desk / kind).glob("*.crt"):
                shutil.copy(path, certificates)
        broker.kill()
        broker.start()
        department = client(broker, RECIPIENT, certificates)
        department.subscribe(reads_topic(RECIPIENT))
        camera = client(broker, CAMERA, certificates)
        camera.subscribe(receipts_topic(CAMERA))
        assert not camera.publish(reads_topic(RECIPIENT), b"read").refused
        assert department.payloads(1) == [b"read"]
        assert not department.publish(receipts_topic(CAMERA), b"receipt").refused
        assert camera.payloads(1) == [b"receipt"]
        other = client(broker, OTHER, certificates)
        other.subscribe(receipts_topic("+"))
        assert other.publish(receipts_topic(CAMERA), b"forged").refused
        department.publish(receipts_topic(CAMERA), b"second")
        assert other.payloads(1, 0.5) == []
        assert camera.payloads(2) == [b"receipt", b"second"]
        for one in (department, camera, other):
            one.close()


def recipient_request(folder, certificates):
    """As a recipient makes it."""
    arguments = ["receiver", "init", folder, "--recipient", RECIPIENT]
    cli_main(*arguments)
    cli_main("receiver", "request", folder)
    shutil.copy(folder / "tls.key", certificates / f"{RECIPIENT}.key")


def cli_main(*arguments):
    with pytest.raises(SystemExit) as stop:
        cli.main([*map(str, arguments)])
    assert stop.value.code == 0


@pytest.mark.slow
def test_another_holder_gets_nowhere_in_twenty_tries(tmp_path):
    broker = CityBroker(tmp_path / "broker")
    others = holders(broker.desk, tmp_path / "certificates", HOST)
    with broker:
        twenty_tries_in_vain(others)


@pytest.mark.slow
def test_nothing_that_was_acknowledged_is_lost_by_a_crash(tmp_path):
    with CityBroker(tmp_path / "broker") as broker:
        away = client(broker, CHECK_RECIPIENT, expiry_s=3_600, clean_start=False)
        away.subscribe(reads_topic(CHECK_RECIPIENT))
        away.close()
        camera = client(broker, CHECK_CAMERA)
        sent = [b"%d" % number for number in range(200)]
        for one in sent:
            assert not camera.publish(reads_topic(CHECK_RECIPIENT), one).refused
        broker.kill()
        broker.start()
        back = client(broker, CHECK_RECIPIENT, expiry_s=3_600, clean_start=False)
        came = set(back.payloads(200, 3.0))
        # Mosquitto 2.0.11 may lose the very last one; its camera sends it again, unanswered
        assert set(sent) - came <= {sent[-1]}
        back.close()


def test_whoever_was_removed_is_shut_out(tmp_path):
    with CityBroker(tmp_path / "broker") as broker:
        desk, certificates = broker.desk.folder, tmp_path / "keys"
        run("sign", desk, enrolments(tmp_path / "enrolments", CAMERA, OTHER))
        for path in (desk / CAMERAS).glob("*.crt"):
            shutil.copy(path, certificates)
        assert run("remove", desk, CAMERA) == 0
        broker.kill()
        broker.start()
        client(broker, OTHER, certificates).close()
        with pytest.raises(NetworkError):
            client(broker, CAMERA, certificates)
    assert f"user {CAMERA}\n" not in (desk / "machine" / "acl").read_text()


def test_the_access_list_is_written_once_for_a_batch(tmp_path, monkeypatch):
    """Once for each, a thousand cameras took half a minute, and more would take the square."""
    folder, written = make(tmp_path), []
    wanted = [
        Wanted(CAMERAS, name, make_request(name)[1], name)
        for name in (f"cam-{number}" for number in range(205))
    ]
    write = broker_folder.write_atomic

    def counted(path, *arguments):
        written.append(path.name)
        write(path, *arguments)

    monkeypatch.setattr(broker_folder, "write_atomic", counted)
    signed = folder.sign_all(wanted, NOW)
    assert sorted(written) == ["acl", "crl.pem"]
    assert [one.name for one in signed] == [one.name for one in wanted]
    assert folder.cameras == tuple(sorted(one.name for one in wanted))
    assert all(one.path.stat().st_mode & 0o777 == 0o644 for one in signed)
    assert {path.suffix for path in (folder.folder / CAMERAS).iterdir()} == {".crt"}
    assert (folder.folder / MACHINE / "acl").read_text().count("\nuser cam-") == len(wanted)


def test_the_next_key_has_a_pin_that_the_policy_knew_before(tmp_path):
    with CityBroker(tmp_path / "broker") as broker:
        before = broker.desk.pins
        known = target(broker)
        assert run("renew", broker.desk.folder, "--next-key") == 0
        broker.kill()
        broker.start()
        after = BrokerFolder(broker.desk.folder).pins
        assert (after[0], len({*before, *after})) == (before[1], 3)
        made = Client(known, CHECK_CAMERA, Session(CHECK_CAMERA, clean_start=True))
        made.connect()
        made.close()


def test_a_renewal_keeps_the_key(tmp_path):
    folder = make(tmp_path)
    path = folder.folder / "machine" / "server.crt"
    before, pins = x509.load_pem_x509_certificate(path.read_bytes()), folder.pins
    folder.renew(NOW)
    after = x509.load_pem_x509_certificate(path.read_bytes())
    assert after.serial_number != before.serial_number
    assert after.public_key() == before.public_key()
    assert folder.pins == pins


def make(tmp_path, **place):
    told = {"host": HOST, "addresses": ("203.0.113.10", "2001:db8::10")} | place
    return BrokerFolder.create(tmp_path / "desk", Place(**told), NOW)


def test_show_lists_who_has_one_and_the_policys_table(tmp_path, capsys):
    folder = make(tmp_path)
    run("sign", folder.folder, enrolments(tmp_path / "enrolments", CAMERA))
    capsys.readouterr()
    assert run("show", folder.folder) == 0
    shown = capsys.readouterr().out
    assert f"camera     {CAMERA}" in shown
    assert 'addresses = ["203.0.113.10:8883", "[2001:db8::10]:8883"]' in shown
    assert all(f'"{pin}"' in shown for pin in folder.pins)


def test_private_files_are_private(tmp_path):
    folder = make(tmp_path).folder
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.rglob("*.key")}
    assert set(modes.values()) == {0o600}
    assert len(modes) == 6
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ({"addresses": ("mqtt.example",)}, "is no IP address"),
        ({"addresses": ()}, "needs an address"),
        ({"port": 0}, "needs an address and a port"),
        ({"host": "a b"}, "is no host name"),
        ({"host": "a\nuser x"}, "is no host name"),
        ({"host": "x" * 65}, "is no host name"),
    ],
)
def test_a_place_that_is_none_is_refused(tmp_path, place, words):
    with pytest.raises(UsageError, match=words):
        make(tmp_path, **place)
    assert not (tmp_path / "desk").exists()


def test_nothing_is_made_over_a_folder_that_holds_something(tmp_path):
    make(tmp_path)
    with pytest.raises(StorageError, match="not empty"):
        make(tmp_path)


class TestRequests:
    """Bad requests: one clear error, and nothing is signed."""

    def test_anothers_name(self, tmp_path):
        folder = make(tmp_path)
        csr = json.loads(make_kit(OTHER, NOW).public[ENROLMENT])["csr"].encode()
        with pytest.raises(ConfigError, match=f"CN={CAMERA} and nothing else"):
            folder.sign(CAMERAS, CAMERA, csr, "here", NOW)
        assert folder.cameras == ()

    @pytest.mark.parametrize("csr", [b"", b"\xff", b"-----BEGIN CERTIFICATE REQUEST-----\n"])
    def test_no_request_at_all(self, tmp_path, csr):
        with pytest.raises(ConfigError, match="is not a P-256 certificate request"):
            make(tmp_path).sign(CAMERAS, CAMERA, csr, "here", NOW)

    def test_a_camera_with_a_recipients_name(self, tmp_path, capsys):
        folder = make(tmp_path)
        csr = json.loads(make_kit(CAMERA, NOW).public[ENROLMENT])["csr"].encode()
        folder.sign(RECIPIENTS, CAMERA, csr, "here", NOW)
        assert run("sign", folder.folder, enrolments(tmp_path / "enrolments", CAMERA)) == 2
        assert "already the name of one of the recipients" in capsys.readouterr().err
        assert folder.cameras == ()

    @pytest.mark.parametrize("name", [CHECK_CAMERA, CHECK_STRANGER, COLLECTOR])
    def test_a_name_that_the_check_uses(self, tmp_path, name):
        csr = json.loads(make_kit(CAMERA, NOW).public[ENROLMENT])["csr"].encode()
        with pytest.raises(ConfigError, match="already the name of one of the broker's own"):
            make(tmp_path).sign(CAMERAS, name, csr, "here", NOW)

    @pytest.mark.parametrize("name", ["../x", "a/b", "#", "+", "", "A b", "x\nuser y"])
    def test_a_name_that_is_none(self, tmp_path, name):
        with pytest.raises(UsageError, match="is no id"):
            make(tmp_path).sign(RECIPIENTS, name, b"", "here", NOW)

    def test_twice_in_a_batch_nothing_is_signed(self, tmp_path, capsys):
        folder, batch = make(tmp_path), enrolments(tmp_path / "enrolments", CAMERA, OTHER)
        shutil.copy(batch / f"{CAMERA}.json", batch / "again.json")
        assert run("sign", folder.folder, batch) == 2
        assert f"camera {CAMERA} is there twice" in capsys.readouterr().err
        assert folder.cameras == ()

    def test_of_two_requests_of_which_one_is_bad_neither_is_signed(self, tmp_path):
        folder = make(tmp_path)
        good = Wanted(CAMERAS, CAMERA, make_request(CAMERA)[1], "one")
        bad = Wanted(CAMERAS, OTHER, make_request(CAMERA)[1], "two")
        with pytest.raises(ConfigError, match="two: "):
            folder.sign_all([good, bad], NOW)
        assert folder.cameras == ()

    def test_one_bad_file_in_a_batch_nothing_is_signed(self, tmp_path, capsys):
        folder, batch = make(tmp_path), enrolments(tmp_path / "enrolments", CAMERA)
        (batch / "zz.json").write_text("{}")
        assert run("sign", folder.folder, batch) == 2
        assert "zz.json" in capsys.readouterr().err
        assert folder.cameras == ()

    def test_an_empty_folder(self, tmp_path, capsys):
        (tmp_path / "none").mkdir()
        assert run("sign", make(tmp_path).folder, tmp_path / "none") == 2
        assert "holds no *.json" in capsys.readouterr().err

    def test_a_new_device_in_a_cameras_place_revokes_the_former(self, tmp_path):
        folder = make(tmp_path)
        first, second = (
            json.loads(make_kit(CAMERA, NOW).public[ENROLMENT])["csr"].encode() for _ in range(2)
        )
        path = folder.sign(CAMERAS, CAMERA, first, "here", NOW).path
        former = x509.load_pem_x509_certificate(path.read_bytes()).serial_number
        folder.sign(CAMERAS, CAMERA, first, "here", NOW)
        crl = folder.folder / "machine" / "crl.pem"
        assert len(x509.load_pem_x509_crl(crl.read_bytes())) == 0  # a renewal takes nothing away
        renewed = x509.load_pem_x509_certificate(path.read_bytes()).serial_number
        folder.sign(CAMERAS, CAMERA, second, "here", NOW)
        gone = {one.serial_number for one in x509.load_pem_x509_crl(crl.read_bytes())}
        assert gone == {renewed}
        assert former != renewed


def test_a_folder_that_is_none_is_named(tmp_path, capsys):
    assert run("show", tmp_path) == 2
    assert "broker.toml" in capsys.readouterr().err


def test_nobody_there_is_told_of_each_address(tmp_path, capsys):
    folder = make(tmp_path, addresses=(ADDRESS, "127.0.0.2"), port=1)
    assert run("check", folder.folder, "--json") == 1
    for where, lines in json.loads(capsys.readouterr().out).items():
        [line] = lines
        assert (line["about"], line["state"]) == ("connection", "FAIL")
        assert line["words"].startswith(f"{where}: cannot connect")
        assert line["fix"]


def test_a_broker_that_knows_no_name_of_ours_is_told_what_it_lacks(tmp_path):
    """135 at the connection, as of a RabbitMQ node whose virtual host is down."""
    with CityBroker(tmp_path / "broker", ("use_identity_as_username",)) as broker:
        [finding] = Check(target(broker)).findings()
    assert (finding.name, finding.health) == ("connection", Health.FAIL)
    assert "(135)" in finding.what
    assert "copy today's access list" in finding.fix
