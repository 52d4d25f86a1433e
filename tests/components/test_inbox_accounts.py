"""Accounts, codes, sessions: who gets into the inbox, how often somebody may guess, and when a
session ends.
"""

import base64
import json
from datetime import UTC, datetime

import pytest

from agent import cli
from agent.errors import StorageError, UsageError
from agent.receiver.inbox.passkeys.passkey_folder import PasskeyFolder
from agent.receiver.inbox.people import accounts as accounts_module
from agent.receiver.inbox.people import sign_in as sign_in_module
from agent.receiver.inbox.people.accounts import Account, AccountFolder
from agent.receiver.inbox.people.sign_in import Grant, SignIn
from agent.receiver.workplace import Workplace
from tests.support.inbox import typed
from tests.support.receiving import this_instant
from tests.support.sealed import RECIPIENT

pytestmark = pytest.mark.usefixtures("quick_disk")
PASSWORD, ORG, NOW = "four fictitious words", "Exampleville PD", datetime(2026, 11, 29, tzinfo=UTC)
DAY_S = 1_795_910_400.0


@pytest.fixture(autouse=True)
def quick_passwords(monkeypatch):
    """What Argon2id costs is measured in one test below, and not waited for in the others."""
    monkeypatch.setattr(accounts_module, "MEMORY_KIB", 64)


@pytest.fixture
def folder(tmp_path):
    return AccountFolder(tmp_path)


def code(account, step=0):
    """The code of the half minute `step` after DAY_S."""
    from cryptography.hazmat.primitives.hashes import SHA1
    from cryptography.hazmat.primitives.twofactor.totp import TOTP

    return TOTP(account.totp_secret, 6, SHA1(), 30).generate(DAY_S + 30 * step).decode()


class TestAccounts:
    def test_there_and_back_without_a_password_in_the_file(self, folder, tmp_path):
        made = folder.add("dora.lind", ORG, PASSWORD, NOW)
        path = tmp_path / "accounts/dora.lind.json"
        assert path.stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "accounts").stat().st_mode & 0o777 == 0o700
        assert PASSWORD not in path.read_text()
        found = folder.find("dora.lind")
        assert found == made
        assert (found.is_password(PASSWORD), found.is_password(PASSWORD + "x")) == (True, False)
        assert list(folder.names()) == ["dora.lind"]

    def test_the_cost_is_the_rfcs(self, folder, monkeypatch):
        monkeypatch.undo()
        made = folder.add("dora", ORG, PASSWORD, NOW)
        assert made.phc.startswith("$argon2id$v=19$m=65536,t=3,p=4$")

    @pytest.mark.parametrize("name", ["", "Dora", "../x", "a" * 33, ".x", "x.", "dora lind", "ä"])
    def test_a_name_that_is_none(self, folder, name):
        with pytest.raises(UsageError):
            folder.add(name, ORG, PASSWORD, NOW)
        assert folder.find(name) is None

    @pytest.mark.parametrize("organization", ["", "x" * 81, "a\nb"])
    def test_an_organization_that_is_none(self, folder, organization):
        with pytest.raises(UsageError, match="organization"):
            folder.add("dora", organization, PASSWORD, NOW)

    def test_never_twice_and_gone_when_removed(self, folder):
        folder.add("dora", ORG, PASSWORD, NOW)
        with pytest.raises(StorageError, match="there already"):
            folder.add("dora", ORG, "another password", NOW)
        folder.remove("dora")
        assert folder.find("dora") is None
        with pytest.raises(UsageError, match="no such account"):
            folder.remove("dora")

    @pytest.mark.parametrize("text", ["", "{}", "[]", '{"v":2}', "x" * 5000])
    def test_a_damaged_file_is_one_clear_error(self, folder, tmp_path, text):
        folder.add("dora", ORG, PASSWORD, NOW)
        (tmp_path / "accounts/dora.json").write_text(text)
        with pytest.raises(StorageError):
            folder.find("dora")

    def test_anothers_damaged_file_keeps_nobody_out_whom_a_provider_names(self, folder, tmp_path):
        for name in ("abe", "dora"):
            folder.add(name, ORG, None, NOW)
        folder.link("dora", "https://login.example", "4711")
        (tmp_path / "accounts/abe.json").write_text("{}")
        assert folder.of_subject("https://login.example", "4711").name == "dora"
        with pytest.raises(StorageError):  # it may be abe's: nobody new is made of it
            folder.of_subject("https://login.example", "4712")

    def test_a_file_that_others_read_is_refused(self, folder, tmp_path):
        folder.add("dora", ORG, PASSWORD, NOW)
        (tmp_path / "accounts/dora.json").chmod(0o644)
        with pytest.raises(StorageError):
            folder.find("dora")

    def test_the_codes_are_those_of_rfc_6238(self):
        """Its appendix B, six digits of the eight."""
        account = Account("x", ORG, "", b"12345678901234567890")
        assert account.step_of("287082", 59) == 1
        assert account.step_of("081804", 1111111109) == 1111111109 // 30
        assert account.step_of("287082", 59 + 60) is None
        assert account.step_of("", 59) is None

    def test_what_an_authenticator_scans(self):
        uri = Account("dora", ORG, "", b"12345678901234567890").provisioning_uri()
        assert uri.startswith("otpauth://totp/Platewarden%20inbox:dora?")
        assert base64.b32encode(b"12345678901234567890").decode() in uri


@pytest.fixture
def dora(folder):
    return folder.add("dora", ORG, PASSWORD, NOW)


@pytest.fixture
def door(folder, dora, tmp_path):
    return SignIn(folder, idle_s=900, passkeys=PasskeyFolder(tmp_path))


class TestSignIn:
    def test_name_password_and_code(self, door, dora):
        token, session = door.enter("dora", PASSWORD, code(dora), 0, DAY_S)
        assert (session.username, session.organization) == ("dora", ORG)
        assert door.session(token, 1) is session
        assert door.session(token + "x", 1) is None
        assert len({token, session.csrf}) == 2

    @pytest.mark.parametrize(
        ("name", "password", "step"),
        [("dora", "wrong", 0), ("dora", PASSWORD, 9), ("nobody", PASSWORD, 0), ("../x", "", 0)],
    )
    def test_anything_wrong_is_refused_alike(self, door, dora, name, password, step):
        assert door.enter(name, password, code(dora, step), 0, DAY_S) == 0.0

    def test_a_code_is_taken_once_and_no_older_one_after_it(self, door, dora):
        assert isinstance(door.enter("dora", PASSWORD, code(dora, 0), 0, DAY_S), tuple)
        assert door.enter("dora", PASSWORD, code(dora, 0), 1, DAY_S) == 0.0
        assert door.enter("dora", PASSWORD, code(dora, -1), 1, DAY_S) == 0.0
        assert isinstance(door.enter("dora", PASSWORD, code(dora, 1), 1, DAY_S), tuple)

    def test_whoever_guesses_waits_longer_each_time_and_for_that_account_alone(
        self, door, dora, folder
    ):
        eli = folder.add("eli", ORG, PASSWORD, NOW)
        waits = [door.enter("dora", "wrong", "000000", 0, DAY_S) for _ in range(5)]
        assert waits == [0, 0, 0, 0, 30]
        assert door.enter("dora", PASSWORD, code(dora), 29, DAY_S) == 1, "the right one waits too"
        assert door.enter("dora", "wrong", "000000", 30, DAY_S) == 60
        assert isinstance(door.enter("eli", PASSWORD, code(eli), 0, DAY_S), tuple)
        assert isinstance(door.enter("dora", PASSWORD, code(dora), 90, DAY_S), tuple)
        assert door.enter("dora", "wrong", "000000", 91, DAY_S) == 0, "and it begins anew"

    def test_names_that_nobody_has_share_one_wait_and_no_memory(self, door):
        for number in range(7):
            door.enter(f"nobody-{number}", "x", "000000", 1000 * number, DAY_S)
        assert set(door._tries) == {""}

    def test_waits_end_at_a_quarter_of_an_hour(self, door):
        waits = [door.enter("dora", "x", "000000", 1000.0 * n, DAY_S) for n in range(40)]
        assert max(waits) == 900

    def test_an_idle_session_ends_and_so_does_a_long_one(self, door, dora):
        token, _ = door.enter("dora", PASSWORD, code(dora), 0, DAY_S)
        assert door.session(token, 899)
        assert door.session(token, 899 + 899)
        assert door.session(token, 899 + 899 + 900) is None
        token, _ = door.enter("dora", PASSWORD, code(dora, 1), 0, DAY_S)
        for now_s in range(0, 12 * 3600, 600):
            assert door.session(token, now_s)
        assert door.session(token, 12 * 3600) is None

    def test_with_the_account_its_sessions_end(self, door, dora, folder):
        token, session = door.enter("dora", PASSWORD, code(dora), 0, DAY_S)
        session.grants["cam", "id"] = Grant("purpose", "")
        folder.remove("dora")
        assert door.session(token, 1) is None
        assert door._sessions == {}

    def test_who_leaves_is_out(self, door, dora):
        token, _ = door.enter("dora", PASSWORD, code(dora), 0, DAY_S)
        door.leave(token)
        door.leave("another")
        assert door.session(token, 1) is None

    def test_sessions_are_bounded(self, door, dora, monkeypatch):
        monkeypatch.setattr(sign_in_module, "MOST_SESSIONS", 1)
        first, _ = door.enter("dora", PASSWORD, code(dora), 0, DAY_S)
        second, _ = door.enter("dora", PASSWORD, code(dora, 1), 1, DAY_S)
        assert door.session(first, 2) is None
        assert door.session(second, 2)


class TestCommands:
    @pytest.fixture
    def place(self, tmp_path):
        return Workplace.create(tmp_path / "r", RECIPIENT, this_instant()).folder

    def test_add_list_remove(self, capsys, place, tmp_path):
        secret = tmp_path / "password"
        secret.write_text(PASSWORD + "\n")
        secret.chmod(0o600)
        more = ("--organization", ORG, "--passphrase-file", secret)
        code, out, err = typed(capsys, "add", place, "dora", *more)
        assert (code, out.startswith("otpauth://totp/")) == (0, True)
        assert PASSWORD not in out + err
        assert AccountFolder(place).find("dora").is_password(PASSWORD)
        line = f"dora  {ORG}  analyst: password, 0 passkey(s)\n"
        assert typed(capsys, "list", place)[1] == line
        [told] = json.loads(typed(capsys, "list", place, "--json")[1])["accounts"]
        assert (told["name"], told["organization"], told["password"]) == ("dora", ORG, True)
        assert typed(capsys, "remove", place, "dora")[0] == 0
        assert "no account yet" in typed(capsys, "list", place)[1]
        assert typed(capsys, "remove", place, "dora")[0] == 2

    def test_a_short_password_is_refused(self, capsys, place, tmp_path):
        secret = tmp_path / "password"
        secret.write_text("short\n")
        secret.chmod(0o600)
        more = ("--organization", ORG, "--passphrase-file", secret)
        code, _, err = typed(capsys, "add", place, "dora", *more)
        assert (code, "characters at least" in err) == (2, True)
        assert list(AccountFolder(place).names()) == []

    def test_serve_without_accounts_or_with_an_odd_address(self, capsys, place):
        def serve(*words):
            with pytest.raises(SystemExit) as ended:
                cli.main(["receiver", "serve", str(place), *words])
            return ended.value.code, capsys.readouterr().err

        code, err = serve()
        assert (code, "nobody has an account" in err) == (2, True)
        AccountFolder(place).add("dora", ORG, PASSWORD, NOW)
        for listen in ("127.0.0.1", "localhost:8490", "x:y", "127.0.0.1:99999"):
            code, err = serve("--listen", listen)
            assert (code, "--listen" in err) == (2, True)
        for listen in ("0.0.0.0:8490", "192.0.2.1:8490", "[::]:8490"):
            code, err = serve("--listen", listen)
            assert (code, "without TLS" in err) == (2, True)
