"""Passkeys at the inbox: made by who is signed in or invited, judged by name, origin, person and
counter, and gone when they are removed. A browser's part is in test_passkeys_browser.py.
"""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from agent.errors import StorageError, UsageError
from agent.receiver.inbox.page_request import Origin
from agent.receiver.inbox.passkeys import passkey_folder as folder_module
from agent.receiver.inbox.passkeys.invitations import InvitationFolder
from agent.receiver.inbox.passkeys.passkey_check import (
    PasskeyDesk,
    PasskeyRefusedError,
    place_of,
)
from agent.receiver.inbox.passkeys.passkey_folder import Passkey, PasskeyFolder
from agent.receiver.inbox.people import accounts as accounts_module
from agent.receiver.inbox.people.accounts import AccountFolder
from agent.receiver.inbox.people.door import LIFE_S, Door
from tests.support.inbox import ORGANIZATION, PASSWORD
from tests.support.passkeys import UP, SoftPasskey

pytestmark = pytest.mark.usefixtures("quick_disk")
NOW, AT = datetime(2026, 11, 29, 2, 10, tzinfo=UTC), "2026-11-29T02:10:00.000Z"
ORIGIN = "http://localhost:8490"
HERE = Origin("http", frozenset({"127.0.0.1:8490", "localhost:8490"}))
CHALLENGE = b"c" * 32
HOLLOW = (
    '{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30",'
    '"authenticatorData":"AA","signature":"AA","userHandle":"AA","attestationObject":"ow"}}'
)


@pytest.fixture
def accounts(tmp_path, monkeypatch):
    monkeypatch.setattr(accounts_module, "MEMORY_KIB", 64)
    return AccountFolder(tmp_path)


@pytest.fixture
def dora(accounts):
    return accounts.add("dora", ORGANIZATION, PASSWORD, NOW)


@pytest.fixture
def ring(tmp_path):
    return PasskeyFolder(tmp_path)


@pytest.fixture
def judge(accounts, ring):
    return PasskeyDesk(place_of(HERE, None), accounts, ring)


def made(judge, ring, account, **how):
    """A passkey of the account, kept."""
    passkey = SoftPasskey(ORIGIN, **how)
    answer = passkey.make(judge.to_make(account, ring.begun(account), CHALLENGE))
    ring.add(account, judge.made(answer, CHALLENGE, AT))
    return passkey


class TestPlace:
    def test_on_this_machine_it_is_localhost_and_never_the_address(self):
        place = place_of(HERE, None)
        assert (place.rp_id, place.origins) == ("localhost", {ORIGIN})
        assert place.url == f"{ORIGIN}/"

    def test_under_a_name_it_is_the_name_alone(self):
        hosts = frozenset({"inbox.example:8490", "203.0.113.9:8490", "localhost:8490"})
        place = place_of(Origin("https", hosts), "inbox.example")
        assert place.rp_id == "inbox.example"
        assert place.origins == {"https://inbox.example:8490"}

    def test_at_the_usual_port_both_spellings_are_ours(self):
        hosts = frozenset({"inbox.example:443", "inbox.example"})
        place = place_of(Origin("https", hosts), "inbox.example")
        assert place.origins == {"https://inbox.example:443", "https://inbox.example"}
        assert place.url == "https://inbox.example/"

    def test_an_address_without_a_name_has_none(self):
        assert place_of(Origin("https", frozenset({"203.0.113.9:8490"})), None) is None


class TestJudging:
    def test_made_and_signed_with(self, judge, ring, dora):
        passkey = made(judge, ring, dora)
        account, key = judge.signed(passkey.sign(judge.to_sign(CHALLENGE)), CHALLENGE)
        assert account.name == "dora"
        assert key.id == ring.of(dora).keys[0].id

    def test_what_the_browser_is_asked(self, judge, ring, dora):
        passkey = made(judge, ring, dora)
        asked = json.loads(judge.to_make(dora, ring.of(dora), CHALLENGE))
        assert asked["rp"]["id"] == "localhost"
        assert asked["authenticatorSelection"]["userVerification"] == "required"
        assert asked["authenticatorSelection"]["residentKey"] == "required"
        assert asked["attestation"] == "none"
        assert len(asked["excludeCredentials"]) == 1
        signing = judge.to_sign(CHALLENGE)
        assert json.loads(signing)["userVerification"] == "required"
        assert "allowCredentials" not in json.loads(signing), "nobody is named"
        assert "dora" not in signing
        assert passkey.handle == ring.of(dora).handle

    @pytest.mark.parametrize(
        "how",
        [
            {"origin": "http://localhost:8491"},
            {"origin": "http://127.0.0.1:8490"},
            {"origin": "https://localhost:8490"},
            {"origin": "http://localhost.evil.example:8490"},
            {"origin": "null"},
            {"challenge": "ZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGQ"},
            {"type": "webauthn.create"},
            {"crossOrigin": True},
            {"handle": b"another's handle, 32 bytes long.."},
            {"signature": b"0" * 70},
        ],
    )
    def test_anything_else_signs_nobody_in(self, judge, ring, dora, how):
        passkey = made(judge, ring, dora)
        with pytest.raises(PasskeyRefusedError, match="not known here"):
            judge.signed(passkey.sign(judge.to_sign(CHALLENGE), **how), CHALLENGE)

    @pytest.mark.parametrize(("name", "value"), [("rp_id", "evil.example"), ("flags", UP)])
    def test_another_name_and_nobody_verified(self, judge, ring, dora, name, value):
        passkey = made(judge, ring, dora)
        setattr(passkey, name, value)
        with pytest.raises(PasskeyRefusedError):
            judge.signed(passkey.sign(judge.to_sign(CHALLENGE)), CHALLENGE)
        with pytest.raises(PasskeyRefusedError):
            judge.made(passkey.make(judge.to_make(dora, ring.of(dora), CHALLENGE)), CHALLENGE, AT)

    def test_a_passkey_that_nobody_registered(self, judge, ring, dora):
        made(judge, ring, dora)
        stranger = SoftPasskey(ORIGIN, handle=ring.of(dora).handle)
        with pytest.raises(PasskeyRefusedError):
            judge.signed(stranger.sign(judge.to_sign(CHALLENGE)), CHALLENGE)

    def test_the_id_of_somebody_elses_passkey_makes_no_other(self, judge, ring, dora, accounts):
        """Whoever made one would stand in its holder's way (Level 3, 7.1 step 26)."""
        passkey = made(judge, ring, dora)
        abe, copy = accounts.add("abe", ORGANIZATION, None, NOW), SoftPasskey(ORIGIN)
        copy.id = passkey.id
        answer = copy.make(judge.to_make(abe, ring.begun(abe), CHALLENGE))
        with pytest.raises(PasskeyRefusedError, match="here already"):
            judge.made(answer, CHALLENGE, AT)

    def test_another_accounts_damaged_file_keeps_nobody_else_out(
        self, judge, ring, dora, accounts, tmp_path
    ):
        passkey = made(judge, ring, dora)
        accounts.add("abe", ORGANIZATION, None, NOW)
        (tmp_path / "passkeys/abe.json").write_text("{}")
        (tmp_path / "passkeys/abe.json").chmod(0o600)
        answer = passkey.sign(judge.to_sign(CHALLENGE))
        assert judge.signed(answer, CHALLENGE)[0].name == "dora"
        stranger = SoftPasskey(ORIGIN, handle=passkey.handle)
        with pytest.raises(StorageError, match="no file as this software writes it"):
            judge.signed(stranger.sign(judge.to_sign(CHALLENGE)), CHALLENGE)

    @pytest.mark.parametrize(
        "answer",
        [
            *("", "{}", "[]", "null", "x" * 5000, '{"id": 3}', '{"rawId": "AA", "id": "AB"}'),
            '{"id":"AA","rawId":"AA","type":"public-key","response":{}}',
            HOLLOW,
            "[" * 5000,
        ],
    )
    def test_no_answer_at_all(self, judge, dora, answer):
        for judged in (
            lambda: judge.signed(answer, CHALLENGE),
            lambda: judge.made(answer, CHALLENGE, AT),
        ):
            with pytest.raises(PasskeyRefusedError):
                judged()

    def test_a_bit_changed_anywhere_in_what_is_signed_is_refused(self, judge, ring, dora):
        passkey = made(judge, ring, dora)
        told = json.loads(passkey.sign(judge.to_sign(CHALLENGE)))
        for part in ("clientDataJSON", "authenticatorData", "signature"):
            text = told["response"][part]
            for at in range(0, len(text) - 2, 7):
                other = "A" if text[at] != "A" else "B"
                changed = {**told["response"], part: text[:at] + other + text[at + 1 :]}
                with pytest.raises(PasskeyRefusedError):
                    judge.signed(json.dumps({**told, "response": changed}), CHALLENGE)


class TestCounter:
    def sign(self, judge, passkey, counter):
        passkey.counter = counter
        return judge.signed(passkey.sign(judge.to_sign(CHALLENGE)), CHALLENGE)

    def test_it_grows_and_is_kept(self, judge, ring, dora):
        passkey = made(judge, ring, dora, counter=1)
        for counter in (2, 7):
            self.sign(judge, passkey, counter)
            assert ring.of(dora).keys[0].counter == counter

    def test_one_that_counts_nothing_stays_good(self, judge, ring, dora):
        passkey = made(judge, ring, dora)
        for _ in range(2):
            self.sign(judge, passkey, 0)

    @pytest.mark.parametrize("counter", [5, 4, 0])
    def test_one_that_goes_back_may_be_a_copy_and_signs_nobody_in_any_more(
        self, judge, ring, dora, counter
    ):
        passkey = made(judge, ring, dora, counter=5)
        with pytest.raises(PasskeyRefusedError, match="may have been copied") as refused:
            self.sign(judge, passkey, counter)
        assert refused.value.account == "dora"
        assert ring.of(dora).keys[0].suspect
        with pytest.raises(PasskeyRefusedError, match="may have been copied"):
            self.sign(judge, passkey, 99)


class TestFolder:
    def test_several_an_account_and_one_removed(self, judge, ring, dora):
        first, second = made(judge, ring, dora), made(judge, ring, dora)
        ring.remove(dora, ring.of(dora).keys[0].id)
        judge.signed(second.sign(judge.to_sign(CHALLENGE)), CHALLENGE)
        with pytest.raises(PasskeyRefusedError):
            judge.signed(first.sign(judge.to_sign(CHALLENGE)), CHALLENGE)
        with pytest.raises(UsageError, match="no passkey"):
            ring.remove(dora, "0" * 16)

    def test_there_are_eight_at_most_and_none_twice(self, judge, ring, dora):
        made(judge, ring, dora)
        with pytest.raises(UsageError, match="here already"):
            ring.add(dora, ring.of(dora).keys[0])
        for _ in range(7):
            made(judge, ring, dora)
        with pytest.raises(UsageError, match="8 passkeys"):
            made(judge, ring, dora)

    def test_a_new_account_of_the_same_name_has_none_of_the_old_ones(
        self, judge, ring, dora, accounts
    ):
        passkey = made(judge, ring, dora)
        accounts.remove("dora")
        again = accounts.add("dora", ORGANIZATION, PASSWORD, NOW + timedelta(seconds=1))
        assert ring.of(again).keys == ()
        with pytest.raises(PasskeyRefusedError):
            judge.signed(passkey.sign(judge.to_sign(CHALLENGE)), CHALLENGE)

    def test_a_counter_that_comes_late_brings_no_removed_passkey_back(self, ring, judge, dora):
        made(judge, ring, dora)
        [key] = ring.of(dora).keys
        ring.remove(dora, key.id)
        ring.used(dora, Passkey(key.credential, 9, AT))
        assert ring.of(dora).keys == ()

    def test_the_file_is_private_and_names_nobody(self, judge, ring, dora, tmp_path):
        made(judge, ring, dora)
        path = tmp_path / folder_module.FOLDER / "dora.json"
        assert path.stat().st_mode & 0o777 == 0o600
        assert "dora" not in path.read_text()

    @pytest.mark.parametrize(
        "text", ["", "{}", '{"v":1,"account_made_at":"x","handle":"A","keys":[]}', "x" * 70_000]
    )
    def test_a_damaged_file_is_one_clear_error(self, judge, ring, dora, tmp_path, text):
        made(judge, ring, dora)
        (tmp_path / folder_module.FOLDER / "dora.json").write_text(text)
        with pytest.raises(StorageError):
            ring.of(dora)


class TestInvitations:
    def test_a_code_is_good_for_its_account_for_a_day_until_it_is_taken(
        self, tmp_path, accounts, dora
    ):
        eli, invitations = accounts.add("eli", ORGANIZATION, None, NOW), InvitationFolder(tmp_path)
        code = invitations.invite(eli, NOW)
        assert re.fullmatch(r"([A-Z2-7]{4}-){5}[A-Z2-7]{4}", code)
        assert invitations.is_invited(eli, code, NOW + timedelta(hours=23))
        assert invitations.is_invited(eli, code.lower().replace("-", " "), NOW)
        assert not invitations.is_invited(eli, code, NOW + timedelta(hours=24))
        assert not invitations.is_invited(dora, code, NOW)
        assert not invitations.is_invited(eli, code[:-1], NOW)
        assert not invitations.is_invited(eli, "", NOW)
        assert code.replace("-", "") not in (tmp_path / "invitations/eli.json").read_text()
        second = invitations.invite(eli, NOW)
        assert not invitations.is_invited(eli, code, NOW)
        invitations.end("eli")
        assert not invitations.is_invited(eli, second, NOW)


class TestDoor:
    def test_a_cookie_is_good_for_ten_minutes_in_one_process_until_it_is_spent(self):
        door = Door()
        way = door.opened("", 0)
        assert door.found(way.cookie, LIFE_S - 1).derived("x") == way.derived("x")
        assert way.derived("x") != way.derived("y")
        assert door.opened(way.cookie, 10).cookie == way.cookie
        assert door.opened(way.cookie, LIFE_S / 2).cookie != way.cookie
        assert door.found(way.cookie, LIFE_S) is None
        assert Door().found(way.cookie, 1) is None
        door.spend(way, 1)
        assert door.found(way.cookie, 2) is None
        assert door.opened(way.cookie, 2).cookie != way.cookie
        door.spend(door.opened("", LIFE_S + 2), LIFE_S + 2)
        assert len(door._spent) == 1, "what is over is forgotten"

    @pytest.mark.parametrize("cookie", ["", "a.b.c", "ä", "..", ".1e9.", "x" * 5000])
    def test_what_is_no_cookie(self, cookie):
        assert Door().found(cookie, 1) is None

    def test_a_later_beginning_is_no_ones_to_write(self):
        door = Door()
        text, _, mac = door.opened("", 5).cookie.rpartition(".")
        assert door.found(f"{text.partition('.')[0]}.900.{mac}", 6) is None
