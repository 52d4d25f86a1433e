"""The commands about holds: a city's charter, its rules for recipients, a hold that two people
sign, and a recipient that obeys it, all as people type them.
"""

import json
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from agent import cli
from agent.bundles.repository.signing_keys import make_key
from agent.city.hotlist_hand import load_hand
from agent.core.text.rfc3339 import rfc3339
from agent.core.text.strict_json import canonical, public_jwk
from agent.core.time.instant import Instant
from agent.receiver.workplace import Workplace
from agent.verifying.hold_check import verify_hold, verify_hold_rules
from agent.verifying.roster_check import RosterRoot
from tests.support.holding import DAY, HOUR, take
from tests.support.judging import EXAMPLE
from tests.support.receiving import Enrolled
from tests.support.sealed import DEVICE, PLATE, RECIPIENT

pytestmark = pytest.mark.usefixtures("quick_disk")


class Desk:
    """One city and one recipient. `run` types a command."""

    def __init__(self, folder, capsys):
        self.folder, self.capsys = folder, capsys
        self.enrolled = Enrolled(folder / "recipient")
        self.city = folder / "city"
        self.city.mkdir()
        self.root = folder / "root.pem"
        self.root.write_bytes(
            self.enrolled.root_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        self.root.chmod(0o600)
        raw = self.enrolled.root_key.public_key().public_bytes_raw()
        (self.city / "root.json").write_bytes(canonical(public_jwk("Ed25519", raw)))
        for name in ("ada", "ben", "eve"):
            make_key(self.key(name), "", name)
        (self.city / "charter.toml").write_text(self.charter("ada", "ben"))
        self.now = self.enrolled.now.utc
        read = self.enrolled.seal(retention_days=3, captured=Instant(self.now - HOUR))
        take(self.enrolled.place, read, self.enrolled.now)
        self.read = read
        self.file = folder / "case.hold"

    def key(self, name):
        return self.folder / f"{name}.pem"

    def charter(self, *names):
        lines = ["", "[holds]", "signatures = 2", "window_minutes = 60", "longest_days = 30"]
        for name in names:
            key = load_hand(str(self.key(name)), str).public_key().public_bytes_raw().hex()
            lines += ["[[hold_signer]]", f'name = "{name}"', f'key = "{key}"']
        return (EXAMPLE / "charter.toml").read_text() + "\n".join(lines) + "\n"

    def run(self, *words, code=0):
        try:
            cli.main([str(word) for word in words])
            found = 0
        except SystemExit as error:
            found = error.code or 0
        self.out, self.err = self.capsys.readouterr()
        assert found == code, self.err
        return self.out

    def rules(self, **more):
        return self.run(
            *("hold", "rules", "--city", self.city, "--roster-key", self.root, "--yes"), **more
        )

    def sign(self, name, *more, code=0):
        words = ("hold", "sign", self.file, "--city", self.city, "--key", self.key(name), "--yes")
        return self.run(*words, *more, code=code)

    def asked(self, minutes=60, **changes):
        options = {
            "recipient": RECIPIENT,
            "reference": "27CR-0042",
            "camera": DEVICE,
            "since": rfc3339(self.now - HOUR - timedelta(minutes=10)),
            "until": rfc3339(self.now - HOUR - timedelta(minutes=10) + minutes * HOUR / 60),
            "holder": self.holder(),
            "days": 20,
            **changes,
        }
        return [word for name, value in options.items() for word in (f"--{name}", value)]

    def holder(self):
        path = self.folder / "holder.key"
        if not path.exists():
            self.public = self.run("hold", "key", path).strip()
        return self.public

    def receiver(self, *words, code=0):
        return self.run("receiver", "hold", *words, code=code)


@pytest.fixture
def desk(tmp_path, capsys):
    return Desk(tmp_path, capsys)


@pytest.fixture
def granted(desk):
    """The recipient has the rules, and two have signed a hold."""
    desk.rules()
    (desk.enrolled.folder / "hold-rules.jws").write_bytes(
        (desk.city / "hold-rules.jws").read_bytes()
    )
    desk.sign("ada", *desk.asked())
    assert "Missing: 1" in desk.out
    desk.sign("ben")
    assert "receiver hold apply" in desk.out
    return desk


def test_two_sign_the_recipient_holds_and_the_holder_opens(granted):
    folder = granted.enrolled.folder
    applied = json.loads(granted.receiver("apply", folder, granted.file, "--json"))
    assert [one["read"] for one in applied["reads"]] == [granted.read.tags.read_id]
    (listed,) = json.loads(granted.receiver("list", folder, "--json"))["holds"]
    assert listed == applied
    place = Workplace(folder)
    place.tidy(Instant(granted.read.tags.deadline))
    granted.run("receiver", "open", folder, granted.read.tags.read_id, code=2)
    words = ("open", folder, applied["hold"], "--key", granted.folder / "holder.key")
    shown = json.loads(granted.receiver(*words, "--by", "C. Custodian", "--json"))
    assert (shown["plate"], shown["unverified"]) == (PLATE, True)
    granted.receiver(*words, "--by", "C. Custodian", "--crop", granted.folder / "x.jpg", code=2)
    granted.receiver(
        *(*words, granted.read.tags.read_id, "--by", "C. Custodian"),
        *("--crop", granted.folder / "x.jpg"),
    )
    assert (granted.folder / "x.jpg").read_bytes().startswith(b"\xff\xd8")
    granted.receiver("list", folder)
    assert PLATE not in granted.out
    assert listed["reference"] in granted.out


def test_the_lines_that_a_signer_sees_say_all_of_it(granted):
    said = granted.out + granted.err
    for part in ("27CR-0042", RECIPIENT, DEVICE, granted.holder()):
        assert part in said


def test_what_signers_sign_is_what_the_rules_permit(granted):
    raw = granted.enrolled.root_key.public_key().public_bytes_raw()
    rules = verify_hold_rules((granted.city / "hold-rules.jws").read_bytes(), RosterRoot((raw,)))
    signed = verify_hold(granted.file.read_bytes(), rules)
    assert signed.signers == ("ada", "ben")
    assert signed.hold.expires_at - signed.hold.issued_at == 20 * DAY


@pytest.mark.parametrize(
    ("name", "changes", "code", "says"),
    [
        ("eve", {}, 2, "no key of a [[hold_signer]]"),
        ("ada", {"minutes": 61}, 3, "hold-too-wide"),
        ("ada", {"days": 31}, 3, "hold-too-wide"),
        ("ada", {"days": 0}, 2, "lacks --days"),
        ("ada", {"camera": ""}, 2, "lacks --camera"),
        ("ada", {"reference": "a;b"}, 3, "`reference`"),
        ("ada", {"until": "2199-01-01T00:00:00Z"}, 3, "no later than"),
        ("ada", {"since": "yesterday"}, 2, "--since"),
    ],
)
def test_a_hold_that_no_recipient_would_obey_is_not_signed(desk, name, changes, code, says):
    minutes = changes.pop("minutes", 60)
    desk.sign(name, *desk.asked(minutes, **changes), code=code)
    assert says in desk.err
    assert not desk.file.exists()


def test_one_key_counts_once_and_a_begun_hold_is_not_changed(desk):
    desk.sign("ada", *desk.asked())
    begun = desk.file.read_bytes()
    desk.sign("ada", code=2)
    assert "signed it already" in desk.err
    desk.sign("ben", "--days", 3, code=2)
    assert desk.file.read_bytes() == begun


def test_a_charter_without_holds_lets_nobody_order_one(desk):
    (desk.city / "charter.toml").write_bytes((EXAMPLE / "charter.toml").read_bytes())
    desk.sign("ada", *desk.asked(), code=2)
    assert "no [holds]" in desk.err
    desk.rules(code=2)
    assert not (desk.city / "hold-rules.jws").exists()


def test_rules_are_signed_with_the_citys_root_only(desk):
    desk.root = desk.key("ada")
    desk.rules(code=2)
    assert "not the city's root key" in desk.err


def test_a_holders_key_is_never_overwritten(desk):
    desk.holder()
    desk.run("hold", "key", desk.folder / "holder.key", code=2)
    assert (desk.folder / "holder.key").stat().st_mode & 0o077 == 0


def test_without_rules_the_recipient_says_what_it_lacks(granted):
    (granted.enrolled.folder / "hold-rules.jws").unlink()
    granted.receiver("apply", granted.enrolled.folder, granted.file, code=1)
    assert "hold rules are missing" in granted.err


def test_no_hold_is_told_in_words(desk):
    desk.receiver("list", desk.enrolled.folder)
    assert "no hold was ever applied" in desk.out
    words = ("open", desk.enrolled.folder, "0" * 32, "--key", "x", "--by", "y")
    desk.receiver(*words, code=2)
    assert "no such hold" in desk.err
