"""update over HTTPS: only a listed address, under the listed name, with the listed key; no
redirect; bounded.

A real server on loopback, a real process.
"""

import http.server
import json
import os
import ssl
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from agent.bundles.fetcher import Fetch
from agent.core.policy.policy import Broker
from agent.core.reasons import Reason
from agent.demo.pki import ThrowawayAuthority
from agent.errors import BundleRefusedError, DestinationRefusedError, NetworkError
from agent.mqtt.pinned_tls import spki_pin
from agent.network.egress import Egress
from agent.network.https_source import HttpsSource
from agent.network.policy_tls import context_for
from agent.settings import Limits
from tests.support.bundle_city import POLICY, POLICY_PATH, BundleCity

HOST = "bundles.exampleville.example"


class Server:
    """Serves a folder as /platewarden/…, over TLS, for one test.

    `answer`: replaces the honest answer.
    """

    def __init__(self, folder, authority, name=HOST):
        self.identity = authority.issue(name, folder / "tls", "server")
        self.answer = None
        self.asked = []
        server = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                server.asked.append((self.headers["Host"], self.path))
                if server.answer:
                    server.answer(self)
                elif self.path.startswith("/platewarden/"):
                    self.path = self.path.removeprefix("/platewarden")
                    super().do_GET()
                else:
                    self.send_error(404)

            def log_message(self, *_arguments):
                pass

        self.folder = folder / "www"
        self.folder.mkdir()
        self.http = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), lambda *args: Handler(*args, directory=str(self.folder))
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.identity.certificate, self.identity.key)
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.http.handle_error = lambda *_: None
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def authority():
    return ThrowawayAuthority("Test CA")


@pytest.fixture
def server(tmp_path, authority):
    made = Server(tmp_path, authority)
    yield made
    made.close()


@pytest.fixture
def city(server):
    made = BundleCity()
    made.write(server.folder)
    return made


@pytest.fixture
def listed(server):
    der = ssl.PEM_cert_to_DER_cert(server.identity.certificate.read_text())
    return Broker(
        "city-hall",
        HOST,
        (("127.0.0.1", server.port),),
        "ca.pem",
        frozenset({spki_pin(der)}),
        frozenset(),
    )


def fetch(listed, authority, inbox, *, egress=None, s=(0.0,)):
    times = iter([*s, *([s[-1]] * 10_000)])
    context = context_for(listed, authority.pem(), "bundle source", 1 << 20)
    source = HttpsSource(
        listed, listed.addresses[0], context, egress or Egress([listed]), lambda: next(times), 60.0
    )
    try:
        return Fetch(source, inbox, Limits(), "main-street-2").run()
    finally:
        source.close()


def test_the_repository_comes_whole_from_the_listed_address_under_the_listed_name(
    server, city, listed, authority, tmp_path
):
    fetch(listed, authority, tmp_path / "in")
    assert {
        str(path.relative_to(tmp_path / "in"))
        for path in (tmp_path / "in").rglob("*")
        if path.is_file()
    } == set(city.published)
    assert {host for host, _ in server.asked} == {HOST}


def test_another_key_another_name_or_another_authority_is_refused_before_anything_is_asked(
    server, city, listed, authority, tmp_path
):
    for wrong, ca, reason in (
        (replace(listed, spki_pins=frozenset({bytes(32)})), authority, Reason.SPKI_PIN_MISMATCH),
        (replace(listed, host="elsewhere.example"), authority, Reason.CERTIFICATE_INVALID),
        (listed, ThrowawayAuthority("Another CA"), Reason.CERTIFICATE_INVALID),
    ):
        with pytest.raises(DestinationRefusedError) as refused:
            fetch(wrong, ca, tmp_path / "in")
        assert refused.value.reason == reason
    assert server.asked == []


def test_an_address_that_is_not_in_force_is_refused(city, listed, authority, tmp_path):
    with pytest.raises(DestinationRefusedError) as refused:
        fetch(listed, authority, tmp_path / "in", egress=Egress())
    assert refused.value.reason == Reason.DESTINATION_NOT_IN_POLICY


def test_a_redirect_is_not_followed(server, city, listed, authority, tmp_path):
    def redirect(handler):
        handler.send_response(302)
        handler.send_header("Location", "https://elsewhere.example/")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    server.answer = redirect
    with pytest.raises(NetworkError, match="answered 302"):
        fetch(listed, authority, tmp_path / "in")
    assert len(server.asked) == 1


def test_an_answer_without_end_is_cut_off(server, city, listed, authority, tmp_path):
    def endless(handler):
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(bytes(65_536))

    server.answer = endless
    with pytest.raises(BundleRefusedError) as refused:
        fetch(listed, authority, tmp_path / "in")
    assert refused.value.reason == Reason.BUNDLE_TOO_LARGE


def test_a_server_that_drips_is_left(city, listed, authority, tmp_path):
    with pytest.raises(NetworkError, match="too slow"):
        fetch(listed, authority, tmp_path / "in", s=(61.0,))


@pytest.mark.parametrize("where", ["status", "header", "body", "chunk size", "chunk"])
def test_a_drip_is_cut_off_in_the_middle_of_anything(
    server, city, listed, authority, tmp_path, monkeypatch, where
):
    """No single read ever times out, and none of them is whole."""
    before = {
        "status": b"HTTP/1.1 200 ",
        "header": b"HTTP/1.1 200 OK\r\nX: ",
        "body": b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n",
        "chunk size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n384\r\n",
    }[where]

    def drip(handler):
        handler.wfile.write(before)
        for _ in range(200):
            handler.wfile.write(b"0")
            time.sleep(0.05)

    server.answer = drip
    monkeypatch.setattr("agent.network.https_source.FILE_S", 0.5)
    monkeypatch.setattr("agent.network.https_source.SLOWEST_BYTES_PER_S", 1 << 30)
    context = context_for(listed, authority.pem(), "bundle source", 1 << 20)
    source = HttpsSource(
        listed,
        listed.addresses[0],
        context,
        Egress([listed]),
        time.monotonic,
        time.monotonic() + 60,
    )
    began = time.monotonic()
    with pytest.raises(NetworkError, match="too slow"):
        list(source.chunks("metadata/timestamp.json", 1000))
    assert time.monotonic() - began < 5


def test_the_whole_fetch_has_one_time(server, city, listed, authority, tmp_path):
    """Each file comes quickly enough; all of them do not."""
    clock = iter(range(10_000))
    context = context_for(listed, authority.pem(), "bundle source", 1 << 20)
    source = HttpsSource(
        listed, listed.addresses[0], context, Egress([listed]), lambda: float(next(clock)), 20.0
    )
    with pytest.raises(NetworkError, match="too slow"):
        Fetch(source, tmp_path / "in", Limits(), "main-street-2").run()
    source.close()
    assert 1 < len(server.asked) < 9


def test_a_server_that_is_away_is_trouble_and_no_refusal(server, city, listed, authority, tmp_path):
    away = replace(listed, addresses=(("127.0.0.1", 1),))
    with pytest.raises(NetworkError, match="cannot fetch"):
        fetch(away, authority, tmp_path / "in")


def update(folder, *more):
    """The command as a process, in an environment with a proxy."""
    config = ("--config", str(folder / "platewarden.toml"))
    command = [sys.executable, "-m", "agent", "update", *more, *config, "--json"]
    environment = {**os.environ, "https_proxy": "http://127.0.0.1:9"}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env=environment
    )


def test_the_command_fetches_from_the_policy_that_it_verified(server, authority, tmp_path):
    """A real process with its guard: first from a stick, then by itself, with a proxy in the
    environment that it does not use.
    """
    city = BundleCity(datetime.now(UTC) - timedelta(hours=1))
    source = f"""
[[bundle_source]]
id = "city-hall"
host = "{HOST}"
addresses = ["127.0.0.1:{server.port}"]
ca = "bundles.pem"
spki_pins = ["{server.identity.pin}"]
"""
    city.files[POLICY][POLICY_PATH] += source.encode()
    city.files[POLICY]["policy/ca/bundles.pem"] = authority.pem()
    city.release(POLICY)
    city.online()
    city.anchor(tmp_path)
    (tmp_path / "platewarden.toml").write_text('camera_id = "main-street-2"\n')
    city.write(tmp_path / "stick")
    city.day_passes(0.01)
    city.write(server.folder)

    first = update(tmp_path)
    assert (first.returncode, "bundle-incomplete" in first.stderr) == (3, True)
    assert update(tmp_path, str(tmp_path / "stick")).returncode == 0
    second = update(tmp_path)
    assert second.returncode == 0, second.stderr
    assert json.loads(second.stdout)["timestamp"] == city.metadata["timestamp"].signed.version
