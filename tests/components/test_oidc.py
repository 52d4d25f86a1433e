"""Signing in by a provider: what is asked of it, whose account it is then, and every answer that is
not believed. The provider here is ours, and lies; a real one: tests/interop/test_oidc_provider.py.
"""

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from joserfc.jwk import RSAKey

from agent import cli
from agent.core.text.schema.notes import MisfitError
from agent.receiver.inbox.oidc.id_token import Expected, TokenRefusedError, key_of
from agent.receiver.inbox.oidc.oidc_settings import OidcSettings
from agent.receiver.inbox.oidc.provider import Ask, Provider
from agent.receiver.inbox.people.account_role import Role
from agent.receiver.inbox.people.accounts import AccountFolder
from tests.support.inbox import ORGANIZATION, Person, Serving, desk, records, typed
from tests.support.oidc import CLIENT, SECRET, SUBJECT, StagedProvider
from tests.support.passkeys import Browser

pytestmark = pytest.mark.usefixtures("quick_disk")
NOW = datetime(2026, 11, 29, tzinfo=UTC)


def tables(issuer, ca, more=""):
    return f"""
[inbox.oidc]
issuer = "{issuer}"
client_id = "{CLIENT}"
client_secret = "oidc-secret"
ca = "{ca.pem}"
address = "127.0.0.1"
name = "Exampleville sign-in"
analysts = ["alpr-analysts"]
readers = ["alpr-readers"]
{more}
"""


def desk_with(folder, provider, ca, more=""):
    made = desk(folder, tables(provider.issuer, ca, more))
    secret = folder / "oidc-secret"
    secret.write_text(f"{SECRET}\n")
    secret.chmod(0o600)
    return made


@pytest.fixture(scope="module")
def provider(ca):
    made = StagedProvider(ca.server("provider", hosts=("localhost", "127.0.0.1")))
    yield made
    made.close()


@pytest.fixture(autouse=True)
def honest(provider):
    provider.reset()


@pytest.fixture(scope="module")
def enrolled(tmp_path_factory, provider, ca):
    made = desk_with(tmp_path_factory.mktemp("oidc") / "receiver", provider, ca)
    accounts = AccountFolder(made.folder)
    accounts.add("olga", ORGANIZATION, None, NOW)
    accounts.link("olga", provider.issuer, SUBJECT)
    return made


@pytest.fixture(scope="module")
def serving(enrolled):
    with Serving(enrolled.folder) as served:
        yield served


def come(serving, provider, **changed):
    """To the provider and back; the browser and the last answer."""
    browser = Browser(serving)
    got = browser.ask("GET", "/sign-in/provider")
    assert got.status == 303, got.words
    query = provider.sent(got.headers["location"])
    back = {"code": "a-code", "state": query["state"], "iss": provider.issuer, **changed}
    path = "&".join(f"{name}={value}" for name, value in back.items() if value is not None)
    return browser, browser.ask("GET", f"/sign-in/provider/answer?{path}")


def refused(enrolled, got, why):
    """Nobody came in, and the log says why."""
    assert got.status == 401, got.words
    last = records(enrolled.folder)[-1]
    assert (last["act"], last["by"], last["why"]) == ("sign-in-refused", "provider", why)
    assert last["username"] == "not signed in"


class TestComingIn:
    def test_what_the_provider_is_asked(self, serving, provider):
        got = Browser(serving).ask("GET", "/sign-in/provider")
        query = provider.sent(got.headers["location"])
        assert got.headers["location"].startswith(f"{provider.issuer}/auth?")
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        assert query["redirect_uri"] == f"http://localhost:{serving.port}/sign-in/provider/answer"
        assert (len(query["state"]), len(query["nonce"])) == (43, 43)
        assert query["scope"] == "openid profile"
        assert "Lax" in got.headers["set-cookie"] or "lax" in got.headers["set-cookie"]

    def test_whoever_is_linked_is_in(self, serving, provider, enrolled):
        browser, got = come(serving, provider)
        assert (got.status, got.headers["refresh"]) == (200, "0; url=/")
        assert "olga, Exampleville Police Department" in browser.ask("GET", "/").words
        last = [one for one in records(enrolled.folder) if one["act"] == "sign-in"][-1]
        assert (last["username"], last["by"]) == ("olga", "provider")

    def test_with_the_link_its_session_ends(self, serving, provider, enrolled, capsys):
        browser, _ = come(serving, provider)
        assert browser.ask("GET", "/").status == 200
        assert typed(capsys, "link", enrolled.folder, "olga", "--end")[0] == 0
        assert browser.ask("GET", "/").status == 303
        _, got = come(serving, provider)
        refused(enrolled, got, "account")
        assert SUBJECT in got.words, "whoever runs the inbox needs it"
        assert typed(capsys, "link", enrolled.folder, "olga", "--subject", SUBJECT)[0] == 0
        assert typed(capsys, "link", enrolled.folder, "dora", "--subject", SUBJECT)[0] == 2

    def test_groups_say_what_somebody_may(self, serving, provider, enrolled):
        provider.claims = {"groups": ["others", "alpr-readers"]}
        browser, _ = come(serving, provider)
        csrf = browser.ask("GET", "/").csrf
        path = f"/lead/cam-test-1/{'0' * 32}/export"
        assert browser.ask("POST", path, {"csrf": csrf, "form": "json"}).status == 403
        for groups in (["others"], [], None, "alpr-analystsx", [["alpr-analysts"]], {"a": 1}):
            provider.claims = {"groups": groups}
            refused(enrolled, come(serving, provider)[1], "group")

    def test_a_lesser_account_stays_lesser(self, serving, provider, enrolled):
        accounts = AccountFolder(enrolled.folder)
        accounts.add("rolf", ORGANIZATION, None, NOW, Role.READER)
        accounts.link("rolf", provider.issuer, "subject-of-rolf")
        provider.claims = {"sub": "subject-of-rolf"}
        browser, _ = come(serving, provider)
        csrf = browser.ask("GET", "/").csrf
        path = f"/lead/cam-test-1/{'0' * 32}/export"
        assert browser.ask("POST", path, {"csrf": csrf, "form": "json"}).status == 403

    def test_changed_keys_are_looked_up_once(self, serving, provider):
        come(serving, provider)
        provider.asked.clear()
        come(serving, provider)
        assert provider.asked == ["/token"], "keys and discovery are kept"


class TestNotBelieved:
    @pytest.mark.parametrize(
        ("claims", "why"),
        [
            ({"nonce": "another"}, "nonce"),
            ({"nonce": None}, "nonce"),
            ({"nonce": 7}, "nonce"),
            ({"aud": "another-client"}, "audience"),
            ({"aud": [CLIENT, "another-client"]}, "audience"),
            ({"aud": None}, "audience"),
            ({"azp": "another-client"}, "audience"),
            ({"iss": "https://localhost.evil.example"}, "issuer"),
            ({"iss": None}, "issuer"),
            ({"exp": 1_700_000_000}, "expired"),
            ({"exp": None}, "expired"),
            ({"exp": "9999999999"}, "expired"),
            ({"exp": True}, "expired"),
            ({"iat": 1_700_000_000}, "issued"),
            ({"iat": 9_999_999_999}, "issued"),
            ({"iat": None}, "issued"),
            ({"nbf": 9_999_999_999}, "not-yet"),
            ({"sub": None}, "subject"),
            ({"sub": ""}, "subject"),
            ({"sub": 4711}, "subject"),
            ({"sub": "x" * 256}, "subject"),
        ],
    )
    def test_a_token_that_says_something_else(self, serving, provider, enrolled, claims, why):
        provider.claims = claims
        refused(enrolled, come(serving, provider)[1], why)

    @pytest.mark.parametrize(
        ("forged", "why"),
        [
            (lambda it: it.unsigned(), "algorithm"),
            (lambda it: it.hmac(), "algorithm"),
            (lambda it: it.elliptic(), "signature"),
            (lambda it: it.id_token({"alg": "RS256", "kid": "nobody's"}), "key"),
            (lambda it: it.id_token()[:-8] + "AAAAAAAA", "signature"),
            (lambda _: "no token", "form"),
            (lambda _: "e30.e30.", "algorithm"),
            (lambda _: "x" * 40_000, "form"),
            (lambda _: 7, "form"),
        ],
    )
    def test_a_signature_that_is_none(self, serving, provider, enrolled, forged, why):
        browser = Browser(serving)
        query = provider.sent(browser.ask("GET", "/sign-in/provider").headers["location"])
        provider.token = forged(provider)
        path = f"/sign-in/provider/answer?code=a-code&state={query['state']}&iss={provider.issuer}"
        refused(enrolled, browser.ask("GET", path), why)

    @pytest.mark.parametrize("skew_s", [50, -50])
    def test_a_clock_that_is_a_little_off_is_borne(self, serving, provider, skew_s):
        now = int(time.time()) + skew_s
        provider.claims = {"iat": now, "exp": now + 20}
        assert come(serving, provider)[1].status == 200

    @pytest.mark.parametrize(
        ("changed", "why"),
        [
            ({"state": "x" * 43}, "state"),
            ({"state": None}, "state"),
            ({"iss": "https://other.example"}, "issuer"),
            ({"code": None, "error": "access_denied"}, "denied"),
            ({"code": None}, "denied"),
            ({"code": "another-code"}, "away"),
        ],
    )
    def test_an_answer_to_another_question(self, serving, provider, enrolled, changed, why):
        refused(enrolled, come(serving, provider, **changed)[1], why)

    def test_an_answer_that_is_another_browsers_or_comes_twice(self, serving, provider, enrolled):
        browser = Browser(serving)
        query = provider.sent(browser.ask("GET", "/sign-in/provider").headers["location"])
        path = f"/sign-in/provider/answer?code=a-code&state={query['state']}&iss={provider.issuer}"
        other = Browser(serving)
        refused(enrolled, other.ask("GET", path), "state")
        other.ask("GET", "/sign-in/provider")
        refused(enrolled, other.ask("GET", path), "state")
        door = browser.cookies["inbox-door"]
        assert browser.ask("GET", path).status == 200
        again = Browser(serving)
        again.cookies["inbox-door"] = door
        refused(enrolled, again.ask("GET", path), "state")

    def test_an_error_of_the_provider_is_no_text_on_our_page(self, serving, provider):
        _, got = come(serving, provider, code=None, error="<script>alert(1)</script>")
        assert "script" not in got.words
        assert "did not let you in." in got.words


class TestKeys:
    def test_a_changed_key_is_looked_up_and_not_more_often_than_each_half_minute(
        self, tmp_path, provider, ca
    ):
        (tmp_path / "secret").write_text(SECRET)
        (tmp_path / "secret").chmod(0o600)
        settings = OidcSettings(
            issuer=provider.issuer,
            client_id=CLIENT,
            client_secret=Path("secret"),
            ca=ca.pem,
            address="127.0.0.1",
        )
        clock, ask = [1000.0], Ask("http://localhost/x", "state", "nonce", "v" * 43)
        asked = Provider(settings, tmp_path, lambda: clock[0])

        def claims():
            provider.sent(asked.address_to_ask(ask))
            expected = Expected(provider.issuer, CLIENT, ask.nonce, datetime.now(UTC))
            return asked.claims("a-code", ask, expected)

        assert claims()["sub"] == SUBJECT
        provider.rotate()
        provider.asked.clear()
        with pytest.raises(TokenRefusedError, match="key"):
            claims()
        assert "/keys" not in provider.asked
        clock[0] += 31
        assert claims()["sub"] == SUBJECT
        assert provider.asked.count("/keys") == 1

    def test_a_weak_key_and_an_ambiguous_one_count_as_none(self, provider):
        weak = {**RSAKey.generate_key(1024).as_dict(private=False), "kid": "one"}
        sound = {**provider.key.as_dict(private=False), "kid": "one"}
        header = {"alg": "RS256", "kid": "one"}
        assert key_of(header, [sound]) is not None
        for keys in (
            [weak],
            [sound, sound],
            [{**sound, "use": "enc"}],
            [{"kty": "oct"}],
            ["x"],
            [],
        ):
            assert key_of(header, keys) is None
        assert key_of(header, [{"kty": "RSA", "kid": "one", "n": "!", "e": 3}]) is None


class TestAway:
    def test_local_accounts_work_while_the_provider_is_away(self, tmp_path, provider, ca):
        made = desk_with(tmp_path / "receiver", provider, ca)
        provider.away = True
        with Serving(made.folder) as served:
            got = Browser(served).ask("GET", "/sign-in/provider")
            assert got.status == 401
            assert "Accounts with a password or a passkey work all the same" in got.words
            assert Person(served, made.folder).get().status == 200
            provider.away = False
            for wrong in (
                {"issuer": "https://other.example"},
                {"issuer": f"{provider.issuer}/"},
                {"token_endpoint": "http://localhost/token"},
                {"authorization_endpoint": "https://evil.example/auth"},
                {"jwks_uri": None},
                {"code_challenge_methods_supported": ["plain"]},
                {"id_token_signing_alg_values_supported": ["none", "HS256"]},
            ):
                provider.metadata = wrong
                assert Browser(served).ask("GET", "/sign-in/provider").status == 401, wrong
            provider.metadata = {}
            provider.status = 500
            assert Browser(served).ask("GET", "/sign-in/provider").status == 401
            provider.status = 200
            assert Browser(served).ask("GET", "/sign-in/provider").status == 303

    def test_a_provider_whose_certificate_another_authority_signed(self, tmp_path, provider):
        """With the system's authorities alone."""
        made = desk(tmp_path / "receiver")
        path = made.folder / "receiver.toml"
        path.write_text(
            f'{path.read_text()}\n[inbox.oidc]\nissuer = "{provider.issuer}"\n'
            f'client_id = "{CLIENT}"\naddress = "127.0.0.1"\n'
        )
        with Serving(made.folder) as served:
            got = Browser(served).ask("GET", "/sign-in/provider")
            assert (got.status, "certificate is not believed" in got.words) == (401, True)


class TestNewAccounts:
    def test_only_where_the_settings_say_so_and_never_over_another(self, tmp_path, provider, ca):
        more = f'create_accounts = true\norganization = "{ORGANIZATION}"'
        made = desk_with(tmp_path / "receiver", provider, ca, more)
        accounts = AccountFolder(made.folder)
        with Serving(made.folder) as served:
            provider.claims = {"preferred_username": "Nina.Holt"}
            browser, got = come(served, provider)
            assert got.status == 200
            assert "nina.holt, Exampleville" in browser.ask("GET", "/").words
            assert accounts.find("nina.holt").subject == SUBJECT
            for name in ("dora", "../x", "", "a b"):
                provider.claims = {"preferred_username": name, "sub": "another"}
                refused(made, come(served, provider)[1], "name")
            assert not accounts.find("dora").subject, "nobody is taken over by a name"
            provider.claims = {"groups": [], "sub": "third", "preferred_username": "third"}
            refused(made, come(served, provider)[1], "group")
            assert accounts.find("third") is None


SOUND = {"issuer": "https://login.example", "client_id": "x"}


class TestSettings:
    @pytest.mark.parametrize(
        "wrong",
        [
            *({"issuer": one} for one in ("http://x.example", "x", "https://", "https://a?b", 7)),
            {"client_id": "a b"},
            {"create_accounts": True},
            {"create_accounts": True, "analysts": ["a"]},
            {"create_accounts": True, "organization": "x"},
            {"address": "login.example"},
            {"unknown": 1},
        ],
    )
    def test_what_is_refused(self, wrong):
        with pytest.raises(MisfitError):
            OidcSettings(**{**SOUND, **wrong})

    def test_what_is_taken(self):
        assert OidcSettings(**SOUND).claim == "groups"

    def test_a_secret_that_others_read_ends_the_start(self, tmp_path, provider, ca, capsys):
        made = desk_with(tmp_path / "receiver", provider, ca)
        (made.folder / "oidc-secret").chmod(0o644)
        with pytest.raises(SystemExit) as ended:
            cli.main(["receiver", "serve", str(made.folder), "--listen", "127.0.0.1:0"])
        assert ended.value.code == 1
        assert "oidc-secret" in capsys.readouterr().err
