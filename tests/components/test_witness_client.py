"""`audit submit` against a witness on loopback that was written from the specification: what each
answer means, k of n, and that one bad witness costs one.
"""

import base64
import contextlib
import json
import ssl
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.audit.witnesses.log_submission import submit
from agent.audit.witnesses.witness_client import WitnessClient
from agent.core.log.checkpoint import parse_body, parse_note
from agent.core.log.witness_policy import parse_policy
from agent.errors import LogRefusedError, NetworkError, UsageError
from tests.components.test_log_attacks import note_of, search
from tests.fakes.witness_server import WitnessServer
from tests.support.audit_logs import KEY, ORIGIN, OTHER_KEY, TRUSTED, tamper, write_public_keys
from tests.support.pki import Authority
from tests.support.witness_logs import log_of, run

KNOWN = {ORIGIN: KEY.public_key().public_bytes_raw()}


@pytest.fixture
def key(tmp_path):
    return write_public_keys(tmp_path / "public.json")


@pytest.fixture
def start():
    servers = []

    def started(number=1, **changes):
        seed = bytes([number] * 32)
        server = WitnessServer(f"w{number}.example", {**KNOWN}, seed=seed, **changes)
        servers.append(server)
        return server

    yield started
    for server in servers:
        server.close()


def policy_text(servers, least):
    lines = [f"witness W{n} {one.vkey} {one.url}" for n, one in enumerate(servers)]
    names = " ".join(f"W{n}" for n in range(len(servers)))
    return "\n".join([*lines, f"group G {least} {names}", "quorum G", ""])


def asked(log, *servers, least=None, client=None):
    policy = parse_policy(policy_text(servers, least or len(servers)).encode())
    return submit(log, TRUSTED, policy, (client or WitnessClient(timeout_s=5)).ask)


def answers(done):
    return [said.answer for _, said in done.asked]


class TestCosigned:
    def test_the_checkpoint_with_each_witness_s_line_lies_beside_the_log(
        self, tmp_path, start, key
    ):
        log = log_of(tmp_path / "watch", 9)
        servers = [start(1), start(2)]
        (tmp_path / "policy").write_text(policy_text(servers, 2))
        policy = ("--witness-policy", tmp_path / "policy")
        result = run("submit", log, "--key", key, *policy)
        assert result.exit_code == 0, result.exception
        assert "witness     W0 has cosigned, on 20" in result.output
        assert (log / "cosigned").read_bytes().startswith(note_of(log, 9))
        told = json.loads(run("verify", log, "--key", key, *policy, "--json").output)
        assert (told["ok"], told["witnesses"]["size"]) == (True, 9)

    def test_the_request_is_as_the_specification_writes_it(self, tmp_path, start):
        log, server = log_of(tmp_path / "watch", 9), start()
        asked(log, server)
        assert server.requests == [b"old 0\n\n" + note_of(log, 9)]

    def test_one_that_has_grown_is_proven_from_what_the_witness_has_seen(self, tmp_path, start):
        server = start()
        asked(log_of(tmp_path / "watch", 9), server)
        cosigned = (tmp_path / "watch/cosigned").read_bytes()
        log = log_of(tmp_path / "watch", 21)
        (log / "cosigned").write_bytes(cosigned)
        done = asked(log, server)
        assert answers(done) == ["cosigned"]
        assert len(server.requests) == 2, "what it has seen stands in our file"
        assert server.requests[-1].startswith(b"old 9\n")

    def test_without_our_file_it_is_asked_what_it_has_seen(self, tmp_path, start):
        server = start()
        asked(log_of(tmp_path / "watch", 9), server)
        done = asked(log_of(tmp_path / "watch", 21), server)
        assert answers(done) == ["cosigned"]
        assert [one.split(b"\n")[0] for one in server.requests] == [b"old 0"] * 2 + [b"old 9"]

    def test_one_that_has_not_grown_is_cosigned_again(self, tmp_path, start):
        log, server = log_of(tmp_path / "watch", 9), start()
        for _ in range(2):
            assert answers(asked(log, server)) == ["cosigned"]
        taken = parse_note((log / "cosigned").read_bytes())
        assert [one.name for one in taken.signatures] == [ORIGIN, "w1.example"]

    def test_over_https(self, tmp_path, start):
        authority = Authority(tmp_path)
        own = authority.server(hosts=("localhost",))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(own.certificate, own.key)
        log, server = log_of(tmp_path / "watch", 9), start(context=context)
        trusting = WitnessClient(ssl.create_default_context(cafile=authority.pem), 5)
        assert answers(asked(log, server, client=trusting)) == ["cosigned"]
        done = asked(log, server)
        assert answers(done) == ["unreachable"]
        assert "its certificate is not good" in done.asked[0][1].told

    def test_a_line_of_yesterday_counts_while_the_log_has_not_grown(self, tmp_path, start):
        log, first, second = log_of(tmp_path / "watch", 9), start(1), start(2)
        assert asked(log, first, second).file
        first.answer = lambda handler: handler.say(503)
        assert asked(log, first, second).file

    @search
    @given(size=st.integers(1, 21), data=st.data())
    def test_every_growth_is_taken(self, tmp_path, size, data):
        server = WitnessServer("w.example", {**KNOWN})
        try:
            for grown in sorted(data.draw(st.lists(st.integers(1, size), min_size=1, max_size=3))):
                assert answers(asked(log_of(tmp_path / "watch", grown), server)) == ["cosigned"]
                assert server.seen[ORIGIN][0] == grown
        finally:
            server.close()

    def test_also_where_stored_peaks_were_spoiled(self, tmp_path, start):
        server = start()
        asked(log_of(tmp_path / "watch", 9), server)
        log = log_of(tmp_path / "watch", 21)
        tamper(log, "UPDATE checkpoint SET peaks = zeroblob(length(peaks)) WHERE size < 21")
        assert answers(asked(log, server)) == ["cosigned"]


class TestSaidNo:
    @pytest.mark.parametrize(("status", "answer"), [(404, "unknown-log"), (403, "untrusted-key")])
    def test_an_unknown_log(self, tmp_path, start, status, answer):
        """404 by the text; 403 by a real witness."""
        server = start(unknown=status)
        server.logs.clear()
        done = asked(log_of(tmp_path / "watch", 9), server)
        assert answers(done) == [answer]
        assert isinstance(done.error, NetworkError)
        assert "give it the log's vkey" in str(done.error)

    def test_another_key(self, tmp_path, start):
        server = start()
        server.logs[ORIGIN] = OTHER_KEY.public_key().public_bytes_raw()
        assert answers(asked(log_of(tmp_path / "watch", 9), server)) == ["untrusted-key"]

    @pytest.mark.parametrize("size", [9, 21])
    def test_a_fork(self, tmp_path, start, size):
        """Of the same size 409, of a larger one 422."""
        server = start()
        asked(log_of(tmp_path / "watch", 9), server)
        done = asked(log_of(tmp_path / "watch", size, copy=1), server)
        assert answers(done) == ["fork"]
        assert isinstance(done.error, LogRefusedError)
        assert (done.error.reason, done.file) == ("root-mismatch", None)

    def test_an_older_copy(self, tmp_path, start):
        server = start()
        asked(log_of(tmp_path / "watch", 21), server)
        done = asked(log_of(tmp_path / "watch", 9), server)
        assert (answers(done), done.asked[0][1].seen) == (["ahead"], 21)
        assert "an older copy" in str(done.error)

    def test_an_older_copy_beside_its_cosigned_file_is_not_even_asked_about(self, tmp_path, start):
        server = start()
        asked(log_of(tmp_path / "watch", 21), server)
        cosigned = (tmp_path / "watch/cosigned").read_bytes()
        log = log_of(tmp_path / "watch", 9)
        (log / "cosigned").write_bytes(cosigned)
        done = asked(log, server)
        assert (done.error.reason, len(server.requests)) == ("log-truncated", 1)
        assert (log / "cosigned").read_bytes() == cosigned

    def test_a_wrong_key_of_ours_asks_nobody(self, tmp_path, start, key):
        server = start()
        (tmp_path / "policy").write_text(policy_text([server], 1))
        other = write_public_keys(tmp_path / "other.json", key=OTHER_KEY)
        log = log_of(tmp_path / "watch", 9)
        result = run("submit", log, "--key", other, "--witness-policy", tmp_path / "policy")
        assert isinstance(result.exception, UsageError)
        assert not server.requests


def drip(handler):
    handler.send_response(200)
    handler.end_headers()
    with contextlib.suppress(OSError):  # it is cut off
        for _ in range(200):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.1)
    handler.close_connection = True


def signed_by_another(handler):
    handler.say(200, f"\N{EM DASH} w1.example {base64.b64encode(bytes(76)).decode()}\n".encode())


BAD = {
    "server-error": (lambda handler: handler.say(500, b"x"), "bad-answer"),
    "redirect": (lambda handler: handler.say(307), "bad-answer"),
    "html": (lambda handler: handler.say(200, b"<html>\n"), "bad-answer"),
    "nothing": (lambda handler: handler.say(200), "bad-answer"),
    "long": (lambda handler: handler.say(200, b"x" * 1_000_000), "bad-answer"),
    "no-text": (lambda handler: handler.say(200, b"\xff\xfe\n"), "bad-answer"),
    "signed-by-another": (signed_by_another, "bad-answer"),
    "a-size-as-html": (lambda handler: handler.say(409, b"7\n", "text/html"), "bad-answer"),
    "no-size": (lambda handler: handler.say(409, b"-7\n", "text/x.tlog.size"), "bad-answer"),
    "a-huge-size": (lambda h: h.say(409, b"9" * 19 + b"\n", "text/x.tlog.size"), "bad-answer"),
    "a-new-size": (
        lambda h: h.say(409, b"%d\n" % (1 + time.monotonic_ns() % 8), "text/x.tlog.size"),
        "bad-answer",
    ),
    "the-size-we-said": (lambda h: h.say(409, b"0\n", "text/x.tlog.size"), "bad-answer"),
    "cannot-read": (lambda handler: handler.say(400), "bad-request"),
    "no-http": (lambda handler: handler.wfile.write(b"hello\r\n\r\n"), "unreachable"),
    "hangs-up": (lambda handler: handler.connection.close(), "unreachable"),
    "drips": (drip, "unreachable"),
}


class TestOneBadWitness:
    @pytest.mark.parametrize("bad", BAD)
    def test_costs_one(self, tmp_path, start, bad):
        behave, answer = BAD[bad]
        servers = [start(1), start(2, answer=behave), start(3)]
        log = log_of(tmp_path / "watch", 9)
        began = time.monotonic()
        done = asked(log, *servers, least=2, client=WitnessClient(timeout_s=1))
        assert answers(done) == ["cosigned", answer, "cosigned"]
        assert done.error is None
        assert time.monotonic() - began < 10
        names = [one.name for one in parse_note((log / "cosigned").read_bytes()).signatures]
        assert names == [ORIGIN, "w1.example", "w3.example"]

    def test_nobody_there(self, tmp_path, start):
        gone = start(2)
        gone.close()
        done = asked(log_of(tmp_path / "watch", 9), start(1), gone, least=1)
        assert answers(done) == ["cosigned", "unreachable"]
        assert done.error is None

    @pytest.mark.parametrize(
        "url",
        ["", "ftp://127.0.0.1/", "https:///x", "http://a:b@127.0.0.1/", "http://127.0.0.1:x/",
         "http://127.0.0.1/?q", "http://[::1/"],
    )  # fmt: skip
    def test_an_address_that_is_none(self, tmp_path, start, url):
        server = start()
        lines = [f"witness W {server.vkey} {url}", "quorum W", ""]
        policy = parse_policy("\n".join(lines).encode())
        done = submit(log_of(tmp_path / "watch", 9), TRUSTED, policy, WitnessClient().ask)
        assert answers(done) == ["unreachable"]
        assert not server.requests

    def test_a_witness_under_another_name_is_told_by_its_own(self, tmp_path, start):
        """As sigsum's, whose name is made of its key."""
        server = start()
        named = policy_text([server], 1)
        server.name = "another.example"
        log = log_of(tmp_path / "watch", 9)
        done = submit(log, TRUSTED, parse_policy(named.encode()), WitnessClient().ask)
        assert answers(done) == ["bad-answer"]
        assert "but as another.example (id " in done.asked[0][1].told

    def test_too_few_leave_the_earlier_file(self, tmp_path, start):
        first, second = start(1), start(2)
        asked(log_of(tmp_path / "watch", 9), first, second)
        cosigned = (tmp_path / "watch/cosigned").read_bytes()
        log = log_of(tmp_path / "watch", 21)
        (log / "cosigned").write_bytes(cosigned)
        second.answer = lambda handler: handler.say(503)
        done = asked(log, first, second)
        assert isinstance(done.error, NetworkError)
        assert done.error.exit_code == 1
        assert (log / "cosigned").read_bytes() == cosigned
        second.answer = None
        done = asked(log, first, second)
        assert answers(done) == ["cosigned", "cosigned"], "the first is ahead of our file by now"
        assert parse_body(parse_note((log / "cosigned").read_bytes()).signed).size == 21


def test_the_file_of_another_log_is_not_written_over(tmp_path, start):
    log = log_of(tmp_path / "watch", 9)
    other = note_of(log, 9).replace(b"cam-test-1", b"cam-test-2")
    (log / "cosigned").write_bytes(other)
    done = asked(log, start())
    assert isinstance(done.error, UsageError)
    assert (log / "cosigned").read_bytes() == other
