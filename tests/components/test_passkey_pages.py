"""The inbox's pages of passkeys and invitations as a real server answers them, and the commands of
whoever runs it.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from agent.receiver.inbox.passkeys.passkey_folder import Passkey, PasskeyFolder
from agent.receiver.inbox.people.account_role import Role
from agent.receiver.inbox.people.accounts import AccountFolder
from tests.support.inbox import ORGANIZATION, Person, Serving, come, desk, records, typed
from tests.support.passkeys import Browser, SoftPasskey
from tests.support.sealed import DEVICE

pytestmark = pytest.mark.usefixtures("quick_disk")
NOW, AT = datetime(2026, 11, 29, 2, 10, tzinfo=UTC), "2026-11-29T02:10:00.000Z"


@pytest.fixture(scope="module")
def enrolled(tmp_path_factory):
    made_desk = desk(
        tmp_path_factory.mktemp("passkeys") / "receiver", names=("dora", "eli", "gus", "hans")
    )
    AccountFolder(made_desk.folder).add("rea", ORGANIZATION, None, NOW, Role.READER)
    return made_desk


@pytest.fixture(scope="module")
def serving(enrolled):
    with Serving(enrolled.folder) as served:
        yield served


def passkey_of(serving):
    return SoftPasskey(f"http://localhost:{serving.port}")


def with_passkey(serving, enrolled, name):
    """Somebody signed in by password adds one."""
    person, browser = Person(serving, enrolled.folder, name), Browser(serving)
    browser.cookies["inbox"] = person.cookie.partition(";")[0].partition("=")[2]
    got, passkey = browser.ask("GET", "/passkeys"), passkey_of(serving)
    form = {"csrf": got.csrf, "answer": passkey.make(browser.question(got))}
    assert browser.ask("POST", "/passkeys/add", form).status == 303
    return browser, passkey


class TestPages:
    def test_who_is_signed_in_adds_one_and_comes_in_with_it(self, serving, enrolled):
        _, passkey = with_passkey(serving, enrolled, "dora")
        browser = Browser(serving)
        got = browser.sign_in(passkey)
        assert (got.status, got.headers["location"]) == (303, "/")
        assert "dora, Exampleville Police Department" in browser.ask("GET", "/").words
        told = records(enrolled.folder)
        [added] = [
            one for one in told if one["act"] == "passkey-added" and one["username"] == "dora"
        ]
        came = [one for one in told if one["act"] == "sign-in" and one["username"] == "dora"]
        assert [one["by"] for one in came] == ["password", added["passkey"]]

    def test_the_same_answer_opens_nothing_again(self, serving, enrolled):
        _, passkey = with_passkey(serving, enrolled, "eli")
        browser = Browser(serving)
        asked = browser.question(browser.ask("GET", "/sign-in"))
        answer, door = passkey.sign(asked), browser.cookies["inbox-door"]
        assert browser.ask("POST", "/sign-in/passkey", {"answer": answer}).status == 303
        again = Browser(serving)
        again.cookies["inbox-door"] = door
        got = again.ask("POST", "/sign-in/passkey", {"answer": answer})
        assert (got.status, "used already" in got.words) == (401, True)
        other = Browser(serving)
        other.ask("GET", "/sign-in")
        assert other.ask("POST", "/sign-in/passkey", {"answer": answer}).status == 401
        assert Browser(serving).ask("POST", "/sign-in/passkey", {"answer": answer}).status == 401

    def test_only_the_pages_that_need_it_have_the_script(self, serving):
        browser = Browser(serving)
        policy = browser.ask("GET", "/sign-in").headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert policy.endswith("script-src 'self'")
        by_address = serving.ask("GET", "/sign-in")
        assert "script-src" not in by_address.headers["content-security-policy"]
        assert "data-passkey" not in by_address.text
        assert f"http://localhost:{serving.port}/" in by_address.text
        got = browser.ask("GET", "/passkey.js")
        assert (got.status, got.headers["content-type"]) == (200, "text/javascript; charset=utf-8")

    def test_an_invitation_makes_the_first_passkey_and_lets_in_once(
        self, serving, enrolled, capsys
    ):
        code, out, _ = typed(capsys, "invite", enrolled.folder, "rea")
        assert code == 0
        browser, passkey, form = Browser(serving), passkey_of(serving), {"name": "rea"}
        assert browser.ask("GET", "/invitation").status == 200
        assert browser.ask("POST", "/invitation", {**form, "code": "AAAA"}).status == 401
        form["code"] = out.strip()
        question = browser.question(browser.ask("POST", "/invitation", form))
        form["answer"] = passkey.make(question)
        assert browser.ask("POST", "/invitation/passkey", form).status == 303
        assert "rea, " in browser.ask("GET", "/").words
        assert Browser(serving).ask("POST", "/invitation", form).status == 401, "good once"
        assert Browser(serving).sign_in(passkey).status == 303

    def test_a_reader_looks_and_takes_nothing_away(self, serving, enrolled, capsys):
        [read_id] = come(enrolled)
        lead, browser = f"/lead/{DEVICE}/{read_id}", Browser(serving)
        _, out, _ = typed(capsys, "invite", enrolled.folder, "rea", "--reset")
        passkey, form = passkey_of(serving), {"name": "rea", "code": out.strip()}
        form["answer"] = passkey.make(browser.question(browser.ask("POST", "/invitation", form)))
        assert browser.ask("POST", "/invitation/passkey", form).status == 303
        csrf = browser.ask("GET", "/").csrf
        form = {"csrf": csrf, "purpose": "stolen-vehicle-recovery"}
        assert browser.ask("POST", f"{lead}/open", form).status == 303
        page = browser.ask("GET", lead)
        assert "What the camera read" in page.words
        assert "Take it away" not in page.words
        assert "Outcome" not in page.words
        for act, more in (
            ("export", {"form": "json"}),
            ("assign", {"value": "dora"}),
            ("outcome", {"value": "wrong-plate"}),
        ):
            got = browser.ask("POST", f"{lead}/{act}", {"csrf": csrf, **more})
            assert (got.status, "may only look" in got.words) == (403, True)
        assert browser.ask("POST", f"{lead}/acknowledge", {"csrf": csrf}).status == 303

    def test_removed_by_whoever_runs_it_its_session_ends(self, serving, enrolled, capsys):
        _, passkey = with_passkey(serving, enrolled, "gus")
        browser = Browser(serving)
        assert browser.sign_in(passkey).status == 303
        told = json.loads(typed(capsys, "passkeys", enrolled.folder, "gus", "--json")[1])
        [key] = told["passkeys"]
        assert typed(capsys, "passkeys", enrolled.folder, "gus", "--remove", key["id"])[0] == 0
        assert browser.ask("GET", "/").status == 303
        assert Browser(serving).sign_in(passkey).status == 401
        assert typed(capsys, "passkeys", enrolled.folder, "gus", "--remove", key["id"])[0] == 2
        assert "no passkey" in typed(capsys, "passkeys", enrolled.folder, "gus")[1]

    def test_with_a_counter_that_goes_back_the_sessions_of_both_end(self, serving, enrolled):
        """One of them may be the copy's."""
        _, passkey = with_passkey(serving, enrolled, "hans")
        copy, browser = replace(passkey, counter=5), Browser(serving)
        assert browser.sign_in(copy).status == 303
        assert browser.ask("GET", "/").status == 200
        passkey.counter = 5
        assert Browser(serving).sign_in(passkey).status == 401
        assert browser.ask("GET", "/").status == 303


def test_an_invitation_changes_no_account_that_is_there_and_says_so(tmp_path, capsys):
    """A role that is typed and not given would be more than whoever runs the inbox meant."""
    folder = desk(tmp_path / "receiver").folder
    for more in (("--role", "reader"), ("--organization", "Another Police Department")):
        code, out, err = typed(capsys, "invite", folder, "dora", *more, "--reset")
        assert (code, out, "is there already, as analyst of" in err) == (2, "", True)
    same = ("--role", "analyst", "--organization", ORGANIZATION)
    assert typed(capsys, "invite", folder, "dora", *same)[0] == 0
    assert AccountFolder(folder).find("dora").role is Role.ANALYST


def test_whoever_is_removed_here_may_come_back_by_a_provider_that_makes_accounts(tmp_path, capsys):
    folder = desk(tmp_path / "receiver", names=("dora", "eli")).folder
    assert typed(capsys, "remove", folder, "dora")[2] == ""
    path = folder / "receiver.toml"
    path.write_text(
        f'{path.read_text()}\n[inbox.oidc]\nissuer = "https://login.example"\nclient_id = "x"\n'
        f'analysts = ["a"]\ncreate_accounts = true\norganization = "{ORGANIZATION}"\n'
    )
    code, _, err = typed(capsys, "remove", folder, "eli")
    assert (code, "end the person's groups there too" in err) == (0, True)


def test_a_reset_ends_all_passkeys_and_an_account_takes_its_own_along(tmp_path, capsys):
    made_desk = desk(tmp_path / "receiver")
    folder = made_desk.folder
    account, ring = AccountFolder(folder).find("dora"), PasskeyFolder(folder)
    ring.add(account, Passkey(b"x" * 60, 0, AT))
    code, out, _ = typed(capsys, "invite", folder, "dora", "--reset", "--json")
    assert (code, json.loads(out)["hours"]) == (0, 24)
    assert ring.of(account).keys == ()
    ring.add(account, Passkey(b"x" * 60, 0, AT))
    assert typed(capsys, "remove", folder, "dora")[0] == 0
    assert not list((folder / "passkeys").glob("*.json"))
    assert not list((folder / "invitations").glob("*.json"))
    assert typed(capsys, "invite", folder, "dora")[0] == 2
    more = ("--organization", ORGANIZATION, "--role", "reader")
    assert typed(capsys, "invite", folder, "dora", *more)[0] == 0
    assert AccountFolder(folder).find("dora").role is Role.READER
    assert AccountFolder(folder).find("dora").is_password("") is False
    told = json.loads(typed(capsys, "list", folder, "--json")[1])["accounts"]
    assert told == [
        {
            "name": "dora",
            "organization": ORGANIZATION,
            "role": "reader",
            "password": False,
            "passkeys": 0,
            "provider": False,
        }
    ]
