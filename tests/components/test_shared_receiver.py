"""One of several receivers that share a store: its settings, its name, its copied keys, and what it
leaves to the one that makes them.
"""

import json
import shutil
import sys
from contextlib import closing

import pytest

from agent import cli
from agent.broker.broker_folder import CAMERAS, RECIPIENTS, BrokerFolder, policy_table
from agent.broker.names import rights
from agent.broker.place import Place
from agent.core.wire.sealed_read import SealedRead
from agent.doctor import recipient
from agent.errors import ConfigError, StorageError, UsageError
from agent.mqtt.client_request import make_request
from agent.mqtt.topics import checkpoints_topic, health_topic
from agent.receiver.intake import Intake
from agent.receiver.receiver_settings import ReceiverSettings, StoreSettings, load, template
from agent.receiver.workplace import Workplace
from tests.support.receiving import Enrolled, this_instant
from tests.support.sealed import DEVICE, RECIPIENT

pytestmark = pytest.mark.usefixtures("quick_disk")


def settings(url="service-of-libpq", **more):
    return ReceiverSettings(recipient=RECIPIENT, store=StoreSettings(postgresql=url), **more)


@pytest.fixture
def two(tmp_path, postgresql):
    """The one that makes the keys, and the folder of a second with copies."""
    enrolled = Enrolled(tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    url = postgresql.url()
    for name, makes_keys in (("one", True), ("two", False)):
        made = settings(url, receiver=name, makes_keys=makes_keys, epochs_ahead_days=25)
        (tmp_path / name / "receiver.toml").write_text(template(made))
    enrolled.place = Workplace(tmp_path / "one")
    return enrolled, Workplace(tmp_path / "two")


def taken(place, *reads):
    with closing(place.store()) as store:
        intake = Intake(
            *(RECIPIENT, place.opener(), store, place.signer()),
            all_keys=place.settings.makes_keys,
        )
        found = intake.take_all([read.wire for read in reads], this_instant())
        intake.write_dropped()
        return found


HALF_SIGNED_IN = """
[[ring.mail]]
name = "a"
host = "m.example"
address = "203.0.113.1"
sender = "a@b.example"
to = ["a@b.example"]
user = "x"
"""


class TestSettings:
    @pytest.mark.parametrize(
        "url",
        [
            "reads",
            "postgresql:///reads?host=/run/postgresql",
            "postgres://role@203.0.113.20:5432,203.0.113.21:5432/reads?sslrootcert=ca.pem",
        ],
    )
    def test_there_and_back(self, tmp_path, url):
        made = settings(url, receiver="2", makes_keys=False)
        (tmp_path / "receiver.toml").write_text(template(made))
        assert load(tmp_path) == made
        assert made.store.conninfo == (url if "://" in url else f"service={url}")

    def test_ringers_and_the_inbox_there_and_back(self, tmp_path):
        text = f"""recipient = "{RECIPIENT}"
[inbox]
time_zone = "America/Los_Angeles"
places = "roster.toml"
purposes = ["audit"]
[[inbox.position]]
camera = "cam-1"
latitude = 38.1
longitude = -121.3
[[ring.webhook]]
name = "desk"
url = "https://hooks.example/leads"
address = "203.0.113.30"
secret = "desk.secret"
[[ring.mail]]
name = "post"
host = "mail.example"
address = "203.0.113.31"
port = 587
security = "starttls"
sender = "camera@example.org"
to = ["desk@example.org"]
[[ring.push]]
name = "phone"
url = "https://push.example/leads"
address = "203.0.113.32"
[[ring.program]]
name = "lamp"
command = ["/usr/bin/lamp", "on"]
tells = "category"
"""
        (tmp_path / "receiver.toml").write_text(text)
        made = load(tmp_path)
        assert made.ring.names == ("desk", "phone", "post", "lamp")
        (tmp_path / "receiver.toml").write_text(template(made))
        assert load(tmp_path) == made

    @pytest.mark.parametrize(
        ("lines", "words"),
        [
            ('[[ring.push]]\nname = "a"\nurl = "http://x.example/a"', "no https URL"),
            ('[[ring.push]]\nname = "a"\nurl = "https://u:p@x.example/a"', "holds a password"),
            ('[[ring.push]]\nname = "a"\nurl = "https://x.example/a b"', "no https URL"),
            ('[[ring.push]]\nname = "a"\nurl = "https://x.example:x/a"', "no https URL"),
            ('[[ring.push]]\nname = "A!"', "no ringer's name"),
            ('[[ring.push]]\nname = "a"\naddress = "x.example"', "no IP address"),
            ('[[ring.mail]]\nname = "a"\nto = ["a@b\\nBcc: c@d"]', "no e-mail address"),
            (HALF_SIGNED_IN, "user and password come together"),
            ('[[ring.program]]\nname = "a"\ncommand = ["lamp"]', "no whole path"),
            (
                '[[ring.program]]\nname = "a"\ncommand = ["/x"]\n' * 2,
                "two ringers have one name",
            ),
            ('[inbox]\ntime_zone = "Mars/Olympus"', "no time zone"),
            ('[inbox]\ntime_zone = "../../etc/passwd"', "no time zone"),
            ('[inbox]\ncertificate = "x"', "come together"),
            ('[inbox]\nentry_check = ["check"]', "no whole path"),
            ("[inbox]\nidle_minutes = 0", "out of range"),
            ('[[inbox.position]]\ncamera = "a"\nlatitude = 91.0', "out of range"),
        ],
    )
    def test_a_ringer_or_an_inbox_that_is_none(self, tmp_path, lines, words):
        (tmp_path / "receiver.toml").write_text(f'recipient = "{RECIPIENT}"\n{lines}\n')
        with pytest.raises(ConfigError, match=words):
            load(tmp_path)

    @pytest.mark.parametrize(
        ("lines", "words"),
        [
            ('receiver = "2"', "share a store"),
            ("makes_keys = false", "share a store"),
            ('makes_keys = false\n[store]\npostgresql = "x"', "is one of several"),
            ('receiver = "a.b"\n[store]\npostgresql = "x"', "no receiver's name"),
            ('[store]\npostgresql = "https://example.org"', "neither a service nor a URL"),
            ('[store]\npostgresql = "host=db password=hidden"', "neither a service nor a URL"),
            ('[store]\npostgresql = "postgresql://[::1/x"', "neither a service nor a URL"),
            ('[store]\npostgresql = "postgresql://u:hidden@db/x"', "holds a password"),
            ('[store]\npostgresql = "postgresql://u@db/x?pass%77ord=hidden"', "holds a password"),
            ('[store]\npostgresql = "postgresql://u@db/x?sslpassword=hidden"', "holds a password"),
            ("[store]", "store.postgresql"),
        ],
    )
    def test_what_cannot_be_is_refused_and_a_password_not_repeated(self, tmp_path, lines, words):
        (tmp_path / "receiver.toml").write_text(f'recipient = "{RECIPIENT}"\n{lines}\n')
        with pytest.raises(ConfigError, match=words) as refused:
            load(tmp_path)
        assert "hidden" not in str(refused.value)

    def test_each_has_its_own_name(self):
        assert settings().client_name == RECIPIENT
        assert settings(receiver="2").client_name == f"{RECIPIENT}.2"

    def test_without_the_library_it_says_what_to_install(self, two, monkeypatch):
        monkeypatch.delitem(sys.modules, "agent.receiver.store.postgresql_reads", raising=False)
        monkeypatch.setitem(sys.modules, "psycopg", None)
        with pytest.raises(ConfigError, match="receiver-postgresql"):
            two[1].store()


class TestKeys:
    def test_a_read_is_new_to_the_first_and_answered_alike_by_both(self, two):
        enrolled, second = two
        read = enrolled.seal()
        [first], [again] = taken(enrolled.place, read), taken(second, read)
        assert (first.outcome, first.new) == ("stored", True)
        assert (again.outcome, again.new) == ("stored", False)
        assert again.receipt is not None

    def test_other_bytes_under_a_name_that_another_stored_meanwhile_are_rejected(
        self, two, monkeypatch
    ):
        enrolled, second = two
        read = enrolled.seal()
        other = SealedRead(read.tags, enrolled.seal().wire)
        taken(enrolled.place, read)
        with closing(second.store()) as store:
            monkeypatch.setattr(store, "known", lambda _names: {})  # it was quicker, just now
            intake = Intake(RECIPIENT, second.opener(), store, second.signer())
            monkeypatch.setattr(intake, "_verified", lambda _wire: read.tags)
            monkeypatch.setattr(intake, "_checked", lambda *_: other)
            [answer] = intake.take_all([other.wire], this_instant())
            assert (answer.outcome, answer.new) == ("rejected:read-id-reused", False)
            assert store.rejections() == {"read-id-reused": 1}
            assert [row.wire_sha256 for row in store.reads()] != []
            assert store.wire(store.reads()[0]) == read.wire

    def test_what_a_copy_does_not_open_it_leaves_to_the_one_that_makes_the_keys(self, two):
        enrolled, second = two
        read, other = enrolled.seal(), enrolled.seal(retention_days=20)
        missing, changed = (second.folder / "epochs" / f"{each.tags.epoch}.key"
                            for each in (read, other))  # fmt: skip
        missing.unlink()
        changed.write_bytes(next((second.folder / "epochs").glob("*.key")).read_bytes())
        found = taken(second, read, other)
        assert [(one.outcome, one.receipt, one.new) for one in found] == [
            ("dropped:no-epoch-key", None, False)
        ] * 2
        with closing(second.store()) as store:
            assert (store.rejections(), store.dropped()) == ({}, {"no-epoch-key": 2})
        assert [one.outcome for one in taken(enrolled.place, read, other)] == ["stored"] * 2
        assert [one.outcome for one in taken(second, read, other)] == ["stored"] * 2

    def test_the_one_that_makes_the_keys_rejects_what_nobody_can_open(self, two):
        enrolled, _ = two
        read = enrolled.seal()
        (enrolled.folder / "epochs" / f"{read.tags.epoch}.key").unlink()
        [answer] = taken(enrolled.place, read)
        assert (answer.outcome, answer.receipt is None) == ("rejected:key-destroyed", False)

    def test_a_copy_makes_no_key_and_no_list(self, two):
        _, second = two
        before = (second.folder / "key-list.jws").read_bytes()
        assert second.tidy(this_instant()) == []
        with pytest.raises(ConfigError, match="makes no keys"):
            second.renew_keys(this_instant())
        with pytest.raises(SystemExit) as stop:
            cli.main(["receiver", "keys", str(second.folder)])
        assert stop.value.code == 0
        assert (second.folder / "key-list.jws").read_bytes() == before


class TestLooking:
    def test_status_names_receiver_and_store(self, two, capsys):
        enrolled, second = two
        taken(enrolled.place, enrolled.seal())
        for more in ((), ("--json",)):
            with pytest.raises(SystemExit) as stop:
                cli.main(["receiver", "status", str(second.folder), *more])
            assert stop.value.code == 0
        *text, told = capsys.readouterr().out.splitlines()
        table = json.loads(told)
        assert (table["receiver"], table["store"], table["reads"]) == ("two", "postgresql", 1)
        assert text[:2] == [
            f"Recipient  {RECIPIENT}, receiver two",
            "Store      PostgreSQL, shared",
        ]

    def test_doctor_compares_copied_keys_with_the_list(self, two):
        second = two[1]
        looked = {one.name: one for one in recipient.look(second, this_instant())}
        assert str(looked["key list"].health) == "warn"  # 25 days in these tests
        names = sorted((second.folder / "epochs").glob("*.key"))
        names[3].write_bytes(names[4].read_bytes())
        (second.folder / "epochs" / names[5].name).unlink()
        looked = {one.name: one for one in recipient.look(second, this_instant())}
        assert str(looked["key list"].health) == "fail"
        assert "2 keys are missing or others" in looked["key list"].what

    def test_doctor_says_that_a_server_forgets(self, two):
        looked = {one.name: one for one in recipient.look(two[1], this_instant())}
        assert (str(looked["store"].health), looked["store"].what) == (
            "fail",
            "its server has fsync off",  # as in all these tests
        )

    def test_doctor_names_a_store_that_is_away(self, two):
        made = settings("postgresql:///x?host=/nowhere", receiver="2", makes_keys=False)
        (two[1].folder / "receiver.toml").write_text(template(made))
        looked = {one.name: one for one in recipient.look(Workplace(two[1].folder), this_instant())}
        assert str(looked["store"].health) == "fail"
        assert "does not answer" in looked["store"].what
        others = {
            "signing key",
            "city",
            "roster",
            "key list",
            "keys due",
            "ringers",
            "disk",
            "holds",
        }
        assert others | {"certificate", "broker", "access list"} == set(looked) - {"store"}

    def test_open_says_where_it_looked(self, two, capsys):
        with pytest.raises(SystemExit) as stop:
            cli.main(["receiver", "open", str(two[1].folder), "f" * 32])
        assert stop.value.code == 2
        assert "the shared store: no such read" in capsys.readouterr().err


class TestBroker:
    """A certificate for each receiver, and the rights of its recipient."""

    @pytest.fixture
    def desk(self, tmp_path):
        place = Place("mqtt.exampleville.example", ("203.0.113.10",))
        return BrokerFolder.create(tmp_path / "broker", place, this_instant().utc)

    def sign(self, desk, kind, name):
        return desk.sign(kind, name, make_request(name)[1], "csr", this_instant().utc)

    def test_both_read_the_recipients_topic_and_cameras_write_it_once(self):
        one, two, camera = (
            rights((DEVICE,), ("pd.1", "pd.2"))[1:3] + rights((DEVICE,), ("pd.1",))[:1]
        )
        assert (one.read, one.write) == (two.read, two.write)
        assert one.read == ("platewarden/1/reads/pd",)
        assert camera.write == (*one.read, checkpoints_topic(DEVICE), health_topic(DEVICE))

    def test_each_is_signed_under_its_name_and_the_policy_names_the_recipient_once(self, desk):
        for name in ("pd.1", "pd.2"):
            assert self.sign(desk, RECIPIENTS, name).path.name == f"{name}.crt"
        assert desk.recipients == ("pd.1", "pd.2")
        assert 'recipients = ["pd"]' in policy_table(desk, "ca.pem")
        desk.remove("pd.2", this_instant().utc)
        assert desk.recipients == ("pd.1",)

    @pytest.mark.parametrize(
        ("kind", "name"),
        [
            (RECIPIENTS, "pd.1.2"),
            (RECIPIENTS, "pd."),
            (RECIPIENTS, ".2"),
            (RECIPIENTS, "pd./x"),
            (CAMERAS, "cam.2"),
        ],
    )
    def test_other_names_with_dots_are_refused(self, desk, kind, name):
        with pytest.raises(UsageError):
            self.sign(desk, kind, name)

    def test_a_camera_and_a_recipient_still_never_share_a_name(self, desk):
        self.sign(desk, RECIPIENTS, "main-1")
        with pytest.raises(ConfigError, match="already the name"):
            self.sign(desk, CAMERAS, "main-1")


def test_a_receiver_without_rights_to_its_tables_ends_and_is_no_loss(two, postgresql):
    enrolled, _ = two
    with closing(enrolled.place.store()) as store:
        store.held()
    url = enrolled.place.settings.store.postgresql
    postgresql.ask(url, "WITH a AS (SELECT 1) SELECT * FROM a")
    import psycopg

    with psycopg.connect(url, autocommit=True) as other:
        other.execute("ALTER TABLE reads RENAME TO hidden")
    with pytest.raises(StorageError, match="failed: relation"):
        taken(enrolled.place, enrolled.seal())
