"""A provider that says odd things or hangs, and what a session by it may not do. What is asked of a
provider, and each token that is not believed: test_oidc.py.
"""

import asyncio
import json
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from agent.core.text.schema.notes import MisfitError
from agent.errors import NetworkError, StorageError
from agent.receiver.inbox import server
from agent.receiver.inbox.oidc.id_token import key_of
from agent.receiver.inbox.oidc.oidc_pages import OidcPages
from agent.receiver.inbox.oidc.oidc_settings import OidcSettings
from agent.receiver.inbox.oidc.provider import Provider
from agent.receiver.inbox.page_request import Asked, TurnedAwayError
from agent.receiver.inbox.passkeys.invitations import InvitationFolder
from agent.receiver.inbox.passkeys.passkey_folder import Passkey, PasskeyFolder
from agent.receiver.inbox.passkeys.passkey_pages import PasskeyPages
from agent.receiver.inbox.people.accounts import AccountFolder
from agent.receiver.inbox.people.sign_in import Session
from agent.receiver.ringing import dial
from tests.components.test_oidc import come, desk_with
from tests.support.inbox import ORGANIZATION, Serving
from tests.support.oidc import SUBJECT, StagedProvider
from tests.support.passkeys import Browser, SoftPasskey
from tests.support.receiving import this_instant

pytestmark = pytest.mark.usefixtures("quick_disk")
NOW = datetime(2026, 11, 29, tzinfo=UTC)
ISSUER = "https://login.example"


@pytest.fixture
def provider(ca):
    made = StagedProvider(ca.server("provider", hosts=("localhost", "127.0.0.1")))
    yield made
    made.close()


@pytest.fixture
def enrolled(tmp_path, provider, ca):
    made = desk_with(tmp_path / "receiver", provider, ca)
    AccountFolder(made.folder).add("olga", ORGANIZATION, None, NOW)
    AccountFolder(made.folder).link("olga", provider.issuer, SUBJECT)
    return made


@pytest.fixture
def serving(enrolled):
    with Serving(enrolled.folder) as served:
        yield served


class TestSessions:
    def test_whoever_came_by_it_makes_no_passkey_that_would_give_more_or_outlast_it(
        self, serving, provider, enrolled
    ):
        """A reader by the groups would be an analyst by the passkey."""
        provider.claims = {"groups": ["alpr-readers"]}
        browser, _ = come(serving, provider)
        got = browser.ask("GET", "/passkeys")
        assert "data-passkey" not in got.text
        assert "changes no passkeys here" in got.words
        made = SoftPasskey(f"http://localhost:{serving.port}")
        question = json.dumps({"user": {"id": "AAAA"}, "challenge": "AAAA"})
        form = {"csrf": got.csrf, "answer": made.make(question)}
        assert browser.ask("POST", "/passkeys/add", form).status == 400
        form = {"csrf": got.csrf, "id": "0" * 16}
        got = browser.ask("POST", "/passkeys/remove", form)
        assert (got.status, "changes no passkeys here" in got.words) == (400, True)

    def test_a_link_to_somebody_else_ends_the_former_ones_session(
        self, serving, provider, enrolled
    ):
        browser, _ = come(serving, provider)
        assert browser.ask("GET", "/").status == 200
        AccountFolder(enrolled.folder).link("olga", provider.issuer, "somebody-else")
        assert browser.ask("GET", "/").status == 303


class TestOddAnswers:
    @pytest.mark.parametrize(
        "name",
        [
            "code_challenge_methods_supported",
            "id_token_signing_alg_values_supported",
            "token_endpoint_auth_methods_supported",
            "authorization_endpoint",
            "token_endpoint",
            "jwks_uri",
        ],
    )
    @pytest.mark.parametrize(
        "value",
        [
            *(None, 7, True, {}, [], [7], "S256"),
            *("https://x:99999/", "https://x:y/", "https://exämple/", "https://x/ä"),
            f"https://{'a' * 70}.example/",
        ],
    )
    def test_what_it_says_of_itself(self, tmp_path, name, value):
        told = {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/a",
            "token_endpoint": f"{ISSUER}/t",
            "jwks_uri": f"{ISSUER}/k",
        }
        asked = Provider(OidcSettings(issuer=ISSUER, client_id="x"), tmp_path, lambda: 0.0)
        assert asked._parsed(told).basic
        if name.startswith("token_endpoint_auth"):
            assert not asked._parsed({**told, name: value}).basic
            return
        with pytest.raises(NetworkError):
            asked._parsed({**told, name: value})

    @pytest.mark.parametrize("kind", [[], {}, None, 7])
    def test_a_key_of_an_odd_kind(self, kind):
        assert key_of({"alg": "RS256"}, [{"kty": kind}]) is None

    @pytest.mark.parametrize("issuer", [f"https://{'a' * 70}.example", "https://x:99999"])
    def test_an_issuer_that_nobody_could_dial(self, issuer):
        with pytest.raises(MisfitError):
            OidcSettings(issuer=issuer, client_id="x")

    def test_what_nobody_foresaw_is_one_sentence_and_lets_the_next_one_in(self):
        inbox = object.__new__(server.Inbox)
        inbox._waiting = 0
        with ThreadPoolExecutor(1) as inbox._callers:
            for _ in range(server.MOST_WAITING + 1):
                with pytest.raises(TurnedAwayError, match=r"be asked \(ZeroDivisionError\)"):
                    asyncio.run(inbox._with_provider(lambda _: 1 / 0, None))


class TestAnEnd:
    def test_an_answer_that_drips_is_cut(self, ca, monkeypatch):
        """`Connection: close`, as HTTP/1.0 has it: http.client forgets the socket before the
        body.
        """
        monkeypatch.setattr(dial, "RING_S", 1.0)
        with dripping(ca.server("drips", hosts=("localhost",))) as port:
            tls, began = dial.tls_context(ca.pem), time.monotonic()
            endpoint = dial.Endpoint("localhost", "127.0.0.1", port, tls)
            with suppress(NetworkError):
                dial.answer(endpoint, "GET", f"https://localhost:{port}/", None, {}, 1000)
            assert time.monotonic() - began < 4

    def test_so_is_a_connection_that_comes_late(self, monkeypatch):
        """The first of two addresses took all the time."""
        monkeypatch.setattr(dial, "RING_S", 0.1)
        ours, theirs = socket.socketpair()
        late = [None]
        with ours, theirs, dial.time_limit(lambda: late[0]):
            time.sleep(0.5)
            late[0] = ours
            ours.settimeout(5)
            assert ours.recv(1) == b""

    def test_more_than_may_wait_for_it_are_told_so_and_hold_up_nobody(
        self, serving, provider, monkeypatch
    ):
        go, told = threading.Event(), provider._told
        monkeypatch.setattr(provider, "_told", lambda *asked: (go.wait(30), told(*asked))[1])
        with ThreadPoolExecutor(server.MOST_WAITING + 2) as people:
            asked = [
                people.submit(Browser(serving).ask, "GET", "/sign-in/provider")
                for _ in range(server.MOST_WAITING + 2)
            ]
            until = time.monotonic() + 20
            while sum(one.done() for one in asked) < 2 and time.monotonic() < until:
                time.sleep(0.05)
            assert Browser(serving).ask("GET", "/sign-in").status == 200
            go.set()
            found = [one.result() for one in asked]
        assert sorted(one.status for one in found) == [303] * server.MOST_WAITING + [503, 503]
        [busy, _] = [one for one in found if one.status == 503]
        assert "The provider is slow. Accounts with a password" in busy.text


@contextmanager
def dripping(served):
    """A server that answers with a byte in a tenth of a second, for ten seconds; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(served.certificate, served.key)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip():
            raw, _ = listening.accept()
            with suppress(OSError), context.wrap_socket(raw, server_side=True) as one:
                one.recv(4096)
                one.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
                for _ in range(100):
                    time.sleep(0.1)
                    one.sendall(b" ")

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join()


class FullLog:
    """An access log whose disk is full."""

    def came(self, *_, **__):
        raise StorageError("no space left")


class TestTheRecordComesFirst:
    """What cannot be told in the access log is not done."""

    def test_no_account_is_made(self, tmp_path):
        """Nor is a full disk called a name that is taken."""
        settings = OidcSettings(
            issuer=ISSUER,
            client_id="x",
            analysts=["a"],
            create_accounts=True,
            organization=ORGANIZATION,
        )
        accounts = AccountFolder(tmp_path)
        entrance = SimpleNamespace(log=FullLog(), clock=SimpleNamespace(now=this_instant))
        pages = OidcPages(entrance, accounts, Provider(settings, tmp_path, lambda: 0.0))
        with pytest.raises(StorageError, match="no space"):
            pages._account({"sub": "x", "preferred_username": "nina"})
        assert accounts.names() == []

    def test_no_passkey_is_made_or_removed_and_no_invitation_is_used_up(self, tmp_path):
        accounts, ring = AccountFolder(tmp_path), PasskeyFolder(tmp_path)
        olga = accounts.add("olga", ORGANIZATION, None, NOW)
        ring.add(olga, Passkey(b"x" * 60, 0, "2026-11-29T00:00:00.000Z"))
        ring.add(olga, Passkey(b"y" * 60, 0, "2026-11-29T00:00:00.000Z"))
        code = InvitationFolder(tmp_path).invite(olga, NOW)
        new = Passkey(b"z" * 60, 0, "2026-11-29T00:00:00.000Z")
        desk = SimpleNamespace(made=lambda *_: new)
        entrance = SimpleNamespace(
            log=FullLog(),
            clock=SimpleNamespace(now=this_instant, monotonic_s=lambda: 1.0),
            passkeys_at="http://localhost/",
            passkeys_here=lambda _: desk,
        )
        pages = PasskeyPages(entrance, accounts, ring, InvitationFolder(tmp_path))
        first = ring.of(olga).keys[0].id
        session = Session("olga", ORGANIZATION, "csrf", 0.0, 0.0, by=first)
        asked = Asked("POST", {}, {}, {"id": first}, "", session, host="localhost")
        with pytest.raises(StorageError, match="no space"):
            pages._made(olga, asked, b"c", invited=True)
        with pytest.raises(StorageError, match="no space"):
            pages.remove(asked)
        assert len(ring.of(olga).keys) == 2
        assert InvitationFolder(tmp_path).is_invited(olga, code, NOW)
