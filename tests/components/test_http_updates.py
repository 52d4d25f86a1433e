"""Updates from a web server that others made and keep (Starlette under uvicorn, TLS): what has not
changed is not sent again, and a file that broke off goes on where it ended.
"""

import asyncio
import contextlib
import hashlib
import socket
import ssl
import threading
import time

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from agent.bundles.fetcher import PART, Fetch
from agent.bundles.layout import HOTLIST, HOTLIST_PATH
from agent.core.policy.policy import Broker
from agent.core.reasons import Reason
from agent.demo.pki import ThrowawayAuthority
from agent.errors import BundleRefusedError, NetworkError
from agent.mqtt.pinned_tls import spki_pin
from agent.network.egress import Egress
from agent.network.entity_tags import EntityTags
from agent.network.https_source import HttpsSource
from agent.network.policy_tls import context_for
from agent.settings import Limits
from tests.support.bundle_city import BundleCity

HOST, CAMERA = "bundles.exampleville.example", "main-street-2"
LIST = bytes(range(256)) * 1_000


class WebServer:
    """`asked`: path, If-None-Match, Range and status of each request; `breaks_after`: bytes of a
    body, then the connection ends. `whole`: answers no Range; `tag`, `told`, `status`: sent in
    place of its own ETag, Content-Range and 200.
    """

    def __init__(self, folder, identity):
        self.asked, self.breaks_after, self.tag = [], None, None
        self.whole, self.told, self.status = False, None, None
        self._files = Starlette(routes=[Mount("/platewarden", StaticFiles(directory=folder))])
        listening = socket.create_server(("127.0.0.1", 0))
        self.port = listening.getsockname()[1]
        config = uvicorn.Config(
            self._app,
            log_config=None,
            ssl_certfile=identity.certificate,
            ssl_keyfile=identity.key,
            lifespan="off",
            interface="asgi3",
        )
        self._server = uvicorn.Server(config)
        self._server.install_signal_handlers = lambda: None
        run = self._server.serve(sockets=[listening])
        self._thread = threading.Thread(target=lambda: asyncio.run(run), daemon=True)
        self._thread.start()

    async def _app(self, scope, receive, send):
        headers = dict(scope["headers"])
        told = {
            "path": scope["path"],
            "tag": headers.get(b"if-none-match"),
            "range": headers.get(b"range"),
        }
        self.asked.append(told)
        left = self.breaks_after
        if self.whole:
            kept = [pair for pair in scope["headers"] if pair[0] != b"range"]
            scope = {**scope, "headers": kept}

        async def passed_on(message):
            nonlocal left
            if message["type"] == "http.response.start":
                told["status"] = message["status"]
                if self.status and message["status"] == 200:
                    message["status"] = self.status
                for name, other in ((b"etag", self.tag), (b"content-range", self.told)):
                    if other is not None and name in dict(message["headers"]):
                        kept = [pair for pair in message["headers"] if pair[0] != name]
                        message["headers"] = [*kept, (name, other)]
            elif left is not None and "targets" in told["path"]:
                if len(message["body"]) >= left:
                    await send({**message, "body": message["body"][:left], "more_body": True})
                    await asyncio.sleep(1)  # else what was sent is lost with the connection
                    raise ConnectionError("broken off, for the test")
                left -= len(message["body"])
            await send(message)

        await self._files(scope, receive, passed_on)

    def statuses(self, part):
        return [one["status"] for one in self.asked if part in one["path"]]

    def close(self):
        self._server.should_exit = True
        self._thread.join(10)


@pytest.fixture
def authority():
    return ThrowawayAuthority("Test CA")


@pytest.fixture
def www(tmp_path):
    folder = tmp_path / "www"
    folder.mkdir()
    return folder


@pytest.fixture
def city(www):
    made = BundleCity()
    made.files[HOTLIST][HOTLIST_PATH] = LIST
    made.release(HOTLIST)
    made.online()
    made.write(www)
    return made


@pytest.fixture
def server(tmp_path, www, city, authority):
    identity = authority.issue(HOST, tmp_path / "tls", "server")
    made = WebServer(www, identity)
    der = ssl.PEM_cert_to_DER_cert(identity.certificate.read_text())
    made.listed = Broker(
        *("city-hall", HOST, (("127.0.0.1", made.port),), "ca.pem"),
        *(frozenset({spki_pin(der)}), frozenset()),
    )
    yield made
    made.close()


@pytest.fixture
def inbox(tmp_path):
    return tmp_path / "in"


@pytest.fixture
def fetch(server, authority, inbox, tmp_path):
    """One run of `update`: how many files were written."""

    def run():
        def copy(name):
            path = inbox / name
            return path.read_bytes() if path.is_file() else None

        server.asked.clear()
        tags = EntityTags(tmp_path / "entity-tags.json")
        context = context_for(server.listed, authority.pem(), "bundle source", 1 << 20)
        source = HttpsSource(
            *(server.listed, server.listed.addresses[0], context, Egress([server.listed])),
            *(time.monotonic, time.monotonic() + 60, tags, copy),
        )
        try:
            fetched = Fetch(source, inbox, Limits(), CAMERA).run()
            tags.save()
        finally:
            source.close()
        return fetched.files

    return run


def content(inbox):
    """The hot list that lies there, and parts of files."""
    found = [path for path in (inbox / "targets").rglob("*") if path.is_file()]
    digest = hashlib.sha256(LIST).hexdigest()
    whole = [path.read_bytes() for path in found if path.name.startswith(digest)]
    return whole, [path for path in found if path.name.endswith(PART)]


def test_what_has_not_changed_is_not_sent_again(fetch, server, inbox):
    assert fetch() > 0
    assert set(server.statuses("/metadata/")) == {200, 404}
    assert fetch() == 0
    metadata = server.statuses("/metadata/")
    assert (metadata.count(404), set(metadata)) == (1, {304, 404}), "the next root is asked for"
    assert server.statuses("/targets/") == []


def test_only_what_has_changed_is_sent(fetch, server, tmp_path, city, www):
    fetch()
    city.release(HOTLIST)
    city.online()
    city.write(tmp_path / "new")
    for path in (tmp_path / "new").rglob("*"):  # as rsync -c does: what is the same stays
        there = www / path.relative_to(tmp_path / "new")
        if path.is_file() and (not there.exists() or there.read_bytes() != path.read_bytes()):
            there.write_bytes(path.read_bytes())
    fetch()
    new = {
        one["path"].rpartition(".json")[0].rpartition(".")[2]
        for one in server.asked
        if one["status"] == 200
    }
    assert new == {"/platewarden/metadata/timestamp", "snapshot", HOTLIST}


def test_a_copy_that_was_altered_comes_anew(fetch, server, inbox):
    fetch()
    snapshot = next((inbox / "metadata").glob("*.snapshot.json"))
    right = snapshot.read_bytes()
    snapshot.write_bytes(right.replace(b"1", b"2"))
    assert fetch() == 1
    assert server.statuses("snapshot.json") == [200]
    assert snapshot.read_bytes() == right


@pytest.mark.parametrize("kept", [b"", b"{", b"[]", b'{"a": 1}', b"\xff", b'{"a": ["x", "y"]}'])
def test_a_damaged_file_of_tags_counts_as_none(fetch, server, tmp_path, kept):
    fetch()
    (tmp_path / "entity-tags.json").write_bytes(kept)
    fetch()
    assert 304 not in server.statuses("/metadata/")
    fetch()
    assert 200 not in server.statuses("/metadata/")


@pytest.mark.parametrize("tag", [b'"' + b"x" * 201 + b'"', b"no quotes", b'"a b"', b'W/"'])
def test_what_is_no_tag_is_never_sent_back(fetch, server, tag):
    server.tag = tag
    fetch()
    fetch()
    assert {one["tag"] for one in server.asked} == {None}


def test_a_file_that_broke_off_goes_on_where_it_ended(fetch, server, inbox):
    server.breaks_after = 150_000
    with pytest.raises(NetworkError):
        fetch()
    whole, [part] = content(inbox)
    there = part.stat().st_size
    assert (whole, there > 0) == ([], True)
    server.breaks_after = None
    fetch()
    [target] = [one for one in server.asked if one["range"]]
    assert (target["range"], target["status"]) == (b"bytes=%d-" % there, 206)
    assert content(inbox) == ([LIST], [])


@pytest.mark.parametrize("damage", ["zeros", "longer", "other"])
def test_a_part_that_is_no_beginning_costs_one_more_try(fetch, server, inbox, damage):
    server.breaks_after = 150_000
    with contextlib.suppress(NetworkError):
        fetch()
    server.breaks_after = None
    _, [part] = content(inbox)
    bad = {"zeros": bytes(1_000), "longer": bytes(len(LIST) + 1), "other": LIST[1:]}[damage]
    part.write_bytes(bad)
    fetch()
    assert content(inbox) == ([LIST], [])


def test_a_part_of_what_nobody_wants_any_more_is_removed(fetch, inbox):
    fetch()
    (inbox / "targets" / f".{'0' * 64}.old{PART}").write_bytes(b"half")
    fetch()
    assert content(inbox) == ([LIST], [])


def test_a_server_that_sends_all_of_it_again_is_borne(fetch, server, inbox):
    server.breaks_after = 150_000
    with contextlib.suppress(NetworkError):
        fetch()
    server.breaks_after, server.whole = None, True
    fetch()
    assert 206 not in server.statuses("/targets/")
    assert content(inbox) == ([LIST], [])


@pytest.mark.parametrize("told", [b"bytes 0-9/10", b"bytes 1-", b"", b"lines 5-6/7"])
def test_another_part_than_was_asked_for_is_not_taken(fetch, server, inbox, told):
    server.breaks_after = 150_000
    with contextlib.suppress(NetworkError):
        fetch()
    server.breaks_after, server.told = None, told
    with pytest.raises(NetworkError, match="another part"):
        fetch()
    assert content(inbox)[0] == []


def test_a_part_that_nobody_asked_for_is_not_taken(fetch, server):
    server.status = 206
    with pytest.raises(NetworkError, match="answered 206"):
        fetch()


def test_a_file_that_is_not_what_its_name_says_leaves_nothing(fetch, server, inbox, www):
    [path] = [one for one in www.rglob("*") if one.is_file() and one.read_bytes() == LIST]
    path.write_bytes(LIST[::-1])
    with pytest.raises(BundleRefusedError) as refused:
        fetch()
    assert refused.value.reason == Reason.BUNDLE_TARGET_ALTERED
    assert content(inbox) == ([], [])
