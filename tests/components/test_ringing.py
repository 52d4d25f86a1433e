"""Ringing by webhook, push, mail and program against real servers: what they get, how it is signed,
what happens when nobody hears it; and that no byte of it tells a plate.
"""

import base64
import binascii
import hashlib
import hmac
import json
import threading
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent import cli
from agent.errors import ConfigError, NetworkError, StorageError
from agent.host.clock import SystemClock
from agent.receiver.ringing import dial, ring_round, webhook_signature
from agent.receiver.ringing.message import message_of
from agent.receiver.ringing.ring_round import RingRound, named_ringers, ring_until
from agent.receiver.store.ring_queue import pause_s
from agent.receiver.workplace import Workplace
from tests.support.pki import Authority
from tests.support.plate_search import encodings
from tests.support.ringing import (
    ADDRESS,
    HOST,
    Endpoint,
    MailServer,
    RungServer,
    secret,
    silent,
    taken_in,
    with_ringers,
)
from tests.support.sealed import CAPTURED, DEVICE, PLATE

pytestmark = pytest.mark.usefixtures("quick_disk")
SECRET = b"a secret of twenty-four bytes and more"
WHSEC = "whsec_" + base64.b64encode(SECRET).decode()


@pytest.fixture(scope="module")
def credentials(ca):
    return ca.server("ring", hosts=(HOST,))


def table(kind, **keys):
    lines = [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    return f"[[ring.{kind}]]\n" + "\n".join(lines) + "\n"


@pytest.fixture
def rig(tmp_path, ca, credentials):
    """`rig.webhook(…)` and so on: the table of a ringer that rings `server`."""

    def webhook(server, name="desk", **more):
        url = f"https://{HOST}:{server.port}/leads?to=desk"
        keys = {"url": url, "address": ADDRESS, "secret": "hook.secret", "ca": str(ca.pem)}
        return table("webhook", name=name, **{**keys, **more})

    def push(server, name="phone", **more):
        url = f"https://{HOST}:{server.port}/leads"
        keys = {"url": url, "address": ADDRESS, "ca": str(ca.pem)}
        return table("push", name=name, **{**keys, **more})

    def mail(server, name="post", **more):
        keys = {"host": HOST, "address": ADDRESS, "port": server.port, "ca": str(ca.pem)}
        keys |= {"sender": "camera@exampleville.example", "to": ["desk@exampleville.example"]}
        return table("mail", name=name, **{**keys, **more})

    def program(name="lamp", command=("/bin/true",), **more):
        return table("program", name=name, command=list(command), **more)

    def made(*tables):
        enrolled = with_ringers(found.folder, "\n".join(tables))
        secret(found.folder / "hook.secret", WHSEC)
        return enrolled

    found = SimpleNamespace(webhook=webhook, push=push, mail=mail, program=program, made=made)
    found.folder = tmp_path / "receiver"
    return found


def rung(place, said=None):
    """One turn of each ringer; what the operator was told."""
    said = [] if said is None else said
    with closing(place.store()) as store:
        for named in named_ringers(place):
            RingRound(named, place.verifier(), SystemClock(), said.append).turn(store)
    return said


def state(place, name):
    with closing(place.store()) as store:
        return {one.ringer: one for one in store.rings.states()}[name]


class TestWebhook:
    def test_it_says_that_leads_wait_and_is_signed_as_the_standard_has_it(self, rig, credentials):
        with RungServer(endpoint := Endpoint(), credentials) as server:
            enrolled = rig.made(rig.webhook(server))
            taken_in(enrolled, 3)
            assert rung(enrolled.place) == []
        [(first, headers, body)] = endpoint.requests
        assert first == "POST /leads?to=desk HTTP/1.1"
        assert headers["host"] == f"{HOST}:{server.port}"
        told = json.loads(body)
        assert told["type"] == "platewarden.lead.waiting"
        assert told["data"] == {
            "leads": 3,
            "tests": 0,
            "unverified": True,
            "cameras": [{"camera": DEVICE, "leads": 3}],
        }
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        wanted = base64.b64encode(hmac.digest(SECRET, signed, "sha256")).decode()
        assert headers["webhook-signature"] == f"v1,{wanted}"
        assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60

    def test_the_standards_own_example(self, tmp_path):
        """Of the reference libraries' tests: secret, id, time, body, and the signature of them."""
        secret(tmp_path / "s", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        headers = webhook_signature.headers(
            webhook_signature.signing(tmp_path / "s"),
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1614265330,
            b'{"test": 2432232314}',
        )
        assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

    @pytest.mark.parametrize("pair", [False, True])
    def test_an_ed25519_key_needs_no_shared_secret(self, tmp_path, pair):
        key = Ed25519PrivateKey.generate()
        raw = key.private_bytes_raw() + (key.public_key().public_bytes_raw() if pair else b"")
        secret(tmp_path / "s", "whsk_" + base64.b64encode(raw).decode())
        sign = webhook_signature.signing(tmp_path / "s")
        told = webhook_signature.headers(sign, "msg_1", 1614265330, b"{}")["webhook-signature"]
        assert told.startswith("v1a,")
        key.public_key().verify(base64.b64decode(told[4:]), b"msg_1.1614265330.{}")

    @pytest.mark.parametrize(
        "text",
        [
            *("", "whsec_", "whsec_AAAA", "whsec_!", "whsk_" + "A" * 24, SECRET.decode()),
            "whsk_" + base64.b64encode(b"s" * 32 + b"p" * 32).decode(),
        ],
    )
    def test_a_secret_that_is_none_is_told_and_not_shown(self, tmp_path, text):
        secret(tmp_path / "s", text)
        with pytest.raises(StorageError, match="no secret of Standard Webhooks") as caught:
            webhook_signature.signing(tmp_path / "s")
        assert len(text) < 8 or text not in str(caught.value)

    def test_the_same_reads_have_the_same_id_and_others_another(self):
        one, two = (DEVICE, "a" * 32, None), (DEVICE, "b" * 32, None)
        first = message_of("desk", "camera", [one, two], CAPTURED)
        assert first.id == message_of("desk", "count", [two, one], CAPTURED).id
        assert len({first.id, message_of("desk", "camera", [one], CAPTURED).id}) == 2
        assert "a" * 8 not in first.id

    @pytest.mark.parametrize("status", [302, 400, 410, 500, 503])
    def test_an_answer_that_is_none_of_success_is_told_and_followed_nowhere(
        self, rig, credentials, status
    ):
        with RungServer(endpoint := Endpoint(status), credentials) as server:
            enrolled = rig.made(rig.webhook(server))
            taken_in(enrolled)
            said = rung(enrolled.place)
        assert f"answered {status}" in said[0]
        assert len(endpoint.requests) == 1
        assert state(enrolled.place, "desk").waiting == 1


class TestPush:
    def test_a_phone_is_told_a_sentence(self, rig, credentials):
        with RungServer(endpoint := Endpoint(), credentials) as server:
            enrolled = rig.made(rig.push(server, token="push.token"))
            secret(rig.folder / "push.token", "tk_fictitious")
            taken_in(enrolled)
            rung(enrolled.place)
        [(_, headers, body)] = endpoint.requests
        assert body == b"1 lead waits. Unverified: open it in the inbox."
        assert (headers["title"], headers["priority"]) == ("A lead waits", "high")
        assert headers["authorization"] == "Bearer tk_fictitious"


class TestMail:
    @pytest.mark.parametrize("security", ["tls", "starttls"])
    def test_a_mail_comes_by_tls_only(self, rig, credentials, security):
        talk = MailServer(("desk", "fictitious"))
        with RungServer(talk, credentials, implicit=security == "tls") as server:
            keys = {"security": security, "user": "desk", "password": "mail.password"}
            enrolled = rig.made(rig.mail(server, **keys))
            secret(rig.folder / "mail.password", "fictitious")
            taken_in(enrolled, 2)
            assert rung(enrolled.place) == []
        [(sender, to, text, secured)] = talk.mails
        assert secured
        assert (b"camera@exampleville.example" in sender, len(to)) == (True, 1)
        assert b"Subject: A lead waits" in text
        assert b"2 leads wait: cam-test-1 (2). Unverified: open it in the inbox." in text
        assert state(enrolled.place, "post").waiting == 0

    def test_without_starttls_nothing_is_said(self, rig, credentials, monkeypatch):
        talk = MailServer()
        with RungServer(talk, credentials, implicit=False) as server:
            enrolled = rig.made(rig.mail(server, security="starttls"))
            honest = talk.__call__

            def bare(line):
                line.secured = True  # so it offers none
                honest(line)

            server._talk = bare
            taken_in(enrolled)
            said = rung(enrolled.place)
        assert "SMTPNotSupportedError" in said[0]
        assert talk.mails == []

    @pytest.mark.parametrize(
        ("talk", "words"),
        [
            (MailServer(answer=b"550 no"), "refused every address"),
            (MailServer(("desk", "another")), "answered 535"),
        ],
    )
    def test_a_mail_that_is_not_taken(self, rig, credentials, talk, words):
        with RungServer(talk, credentials) as server:
            keys = {"user": "desk", "password": "mail.password"}
            enrolled = rig.made(rig.mail(server, **(keys if talk.login else {})))
            secret(rig.folder / "mail.password", "fictitious")
            taken_in(enrolled)
            assert words in rung(enrolled.place)[0]
        assert talk.mails == []


class TestProgram:
    def test_it_gets_the_message_and_nothing_of_our_environment(self, rig, tmp_path, monkeypatch):
        monkeypatch.setenv("FICTITIOUS_SECRET", "x")
        script, out = tmp_path / "lamp", tmp_path / "out"
        script.write_text(f"#!/bin/sh\ncat > {out}\nenv >> {out}\n")
        script.chmod(0o755)
        enrolled = rig.made(rig.program(command=[str(script), "on"]))
        taken_in(enrolled)
        assert rung(enrolled.place) == []
        assert '"leads":1' in out.read_text()
        assert "FICTITIOUS_SECRET" not in out.read_text()

    def test_one_that_fails_or_hangs_is_told_and_its_children_end_too(
        self, rig, tmp_path, monkeypatch
    ):
        monkeypatch.setattr("agent.receiver.ringing.ringers.RING_S", 0.5)
        pids = tmp_path / "pids"
        script = tmp_path / "hang"
        script.write_text(f"#!/bin/sh\nsleep 60 &\necho $! > {pids}\nwait\n")
        script.chmod(0o755)
        enrolled = rig.made(
            rig.program(command=[str(script)]), rig.program("no", command=["/bin/false"])
        )
        taken_in(enrolled)
        said = rung(enrolled.place)
        assert "lamp did not end in" in said[0]
        assert "no ended with 1" in said[1]
        child = Path("/proc") / pids.read_text().strip() / "status"
        end = time.monotonic() + 10
        while child.exists() and "zombie" not in child.read_text() and time.monotonic() < end:
            time.sleep(0.05)
        assert not child.exists() or "zombie" in child.read_text()

    def test_one_that_is_not_there(self, rig):
        enrolled = rig.made(rig.program(command=["/nowhere/lamp"]))
        with pytest.raises(ConfigError, match="no program that this user may start"):
            named_ringers(enrolled.place)


class TestNobodyHears:
    def test_no_server(self, rig, credentials):
        with RungServer(Endpoint(), credentials) as server:
            pass
        enrolled = rig.made(rig.webhook(server), rig.push(server), rig.mail(server))
        taken_in(enrolled)
        said = rung(enrolled.place)
        assert len(said) == 3
        assert all("Connection refused" in line for line in said)

    def test_a_server_in_anothers_place(self, rig, tmp_path):
        other = Authority(tmp_path / "other").server("ring", hosts=(HOST,))
        with RungServer(endpoint := Endpoint(), other) as server:
            enrolled = rig.made(rig.webhook(server))
            taken_in(enrolled)
            assert "certificate is not believed" in rung(enrolled.place)[0]
        assert endpoint.requests == []

    def test_a_certificate_of_another_name(self, rig, ca):
        with RungServer(endpoint := Endpoint(), ca.server("else", hosts=("a.example",))) as server:
            enrolled = rig.made(rig.push(server))
            taken_in(enrolled)
            assert "certificate is not believed" in rung(enrolled.place)[0]
        assert endpoint.requests == []

    def test_one_that_never_answers_or_drips_is_cut(self, rig, credentials, monkeypatch):
        monkeypatch.setattr(dial, "RING_S", 1.0)

        def drip(line):
            while True:
                line.say(b"H")
                time.sleep(0.2)

        for number, talk in enumerate((silent, drip)):
            with RungServer(talk, credentials) as server:
                rig.folder = rig.folder.with_name(f"receiver-{number}")
                [named] = named_ringers(rig.made(rig.push(server)).place)
                began = time.monotonic()
                with pytest.raises(NetworkError):
                    named.ringer.ring(message_of("phone", "count", [], CAPTURED))
                assert time.monotonic() - began < 8

    def test_pauses_grow_and_end_and_it_is_said_once(self, rig, credentials):
        with RungServer(Endpoint(503), credentials) as server:
            enrolled = rig.made(rig.webhook(server))
            taken_in(enrolled)
            said = []
            for _ in range(3):
                rung(enrolled.place, said)
                with closing(enrolled.place.store()) as store:  # its pause is over
                    store._index.execute("UPDATE ringers SET not_before = 0")
        assert len(said) == 1
        found = state(enrolled.place, "desk")
        assert (found.failures, found.words, found.waiting) == (3, "answered 503", 1)
        assert [pause_s(n) for n in (1, 2, 3, 8, 9, 10**6)] == [5, 10, 20, 600, 600, 600]

    def test_during_its_pause_it_is_not_rung(self, rig, credentials):
        with RungServer(endpoint := Endpoint(503), credentials) as server:
            enrolled = rig.made(rig.webhook(server))
            taken_in(enrolled)
            rung(enrolled.place)
            rung(enrolled.place)
        assert len(endpoint.requests) == 1

    def test_a_fault_of_ours_is_a_dead_ringer_too(self, rig, monkeypatch):
        enrolled = rig.made(rig.program())
        taken_in(enrolled)
        [named] = named_ringers(enrolled.place)
        monkeypatch.setattr(named.ringer.__class__, "ring", lambda *_: 1 / 0)
        assert "fails (ZeroDivisionError)" in rung(enrolled.place)[0]

    def test_it_is_seen_in_status_and_delays_neither_storing_nor_receipts(
        self, rig, credentials, capsys
    ):
        with RungServer(Endpoint(503), credentials) as server:
            enrolled = rig.made(rig.webhook(server), rig.program())
            taken_in(enrolled)
            rung(enrolled.place)
            taken = taken_in(enrolled, 5)
        assert [one.outcome for one in taken] == ["stored"] * 5
        assert all(one.receipt for one in taken)
        with pytest.raises(SystemExit):
            cli.main(["receiver", "status", str(rig.folder)])
        out = capsys.readouterr().out
        assert "Ringer     desk: NOT HEARD since" in out
        assert "answered 503; 6 wait, last rung never" in out
        assert "Ringer     lamp: 5 wait" in out
        with pytest.raises(SystemExit):
            cli.main(["receiver", "status", str(rig.folder), "--json"])
        desk, lamp = json.loads(capsys.readouterr().out)["ringers"]
        assert (desk["failures"], desk["why"], desk["waiting"]) == (1, "answered 503", 6)
        assert (lamp["failures"], lamp["waiting"], lamp["rung_at"] is not None) == (0, 5, True)


class TestTheProcess:
    def test_a_ringer_that_hangs_delays_no_other(self, rig, credentials, monkeypatch):
        monkeypatch.setattr(ring_round, "POLL_S", 0.05)
        monkeypatch.setattr(dial, "RING_S", 3.0)
        with (
            RungServer(silent, credentials) as deaf,
            RungServer(heard := Endpoint(), credentials) as ok,
        ):
            enrolled = rig.made(rig.webhook(deaf, "deaf"), rig.push(ok, "ok"))
            taken_in(enrolled)
            stopping = threading.Event()
            thread = threading.Thread(
                target=ring_until, args=(enrolled.place, SystemClock(), lambda _: None, stopping)
            )
            thread.start()
            began = time.monotonic()
            while not heard.requests and time.monotonic() - began < 20:
                time.sleep(0.02)
            waited_s = time.monotonic() - began
            stopping.set()
            thread.join(20)
        assert heard.requests
        assert waited_s < 3

    def test_a_store_that_fails_is_told_and_tried_again(self, rig, monkeypatch):
        enrolled = rig.made(rig.program())
        taken_in(enrolled)
        honest, faults, said = Workplace.store, [StorageError("full"), ValueError("odd")], []

        def store(place):
            if faults:
                raise faults.pop()
            return honest(place)

        monkeypatch.setattr(Workplace, "store", store)
        monkeypatch.setattr(ring_round, "POLL_S", 0.02)
        stopping = threading.Event()
        thread = threading.Thread(
            target=ring_until, args=(enrolled.place, SystemClock(), said.append, stopping)
        )
        thread.start()
        end = time.monotonic() + 20
        while time.monotonic() < end and (faults or not state(enrolled.place, "lamp").rung_at):
            time.sleep(0.02)
        stopping.set()
        thread.join(20)
        assert ["ValueError" in said[0], "full" in said[1]] == [True, True]
        assert state(enrolled.place, "lamp").waiting == 0

    def test_typed_without_ringers_and_as_a_trial(self, rig, credentials, capsys):
        with RungServer(endpoint := Endpoint(200, 500), credentials) as server:
            rig.made(rig.webhook(server))

            def typed(*words):
                with pytest.raises(SystemExit) as ended:
                    cli.main(["receiver", "ring", str(rig.folder), *words])
                return ended.value.code, capsys.readouterr().err

            assert typed("--try") == (0, "ringer desk: took a TEST message\n")
            code, err = typed("--try")
            assert (code, "desk answered 500" in err, "1 of 1" in err) == (1, True, True)
        assert json.loads(endpoint.requests[0][2])["data"]["tests"] == 1
        path = rig.folder / "receiver.toml"
        path.write_text(path.read_text().split("[[ring")[0])
        code, err = typed()
        assert (code, "names nobody to ring" in err) == (2, True)


def test_no_byte_that_anybody_gets_tells_a_plate_a_text_or_a_picture(
    rig, credentials, tmp_path, capsys
):
    """Every ringer, told as much as it may be, heard and unheard; also a rehearsal's plate."""
    script, out = tmp_path / "lamp", tmp_path / "out"
    script.write_text(f'#!/bin/sh\necho "$@" >> {out}; env >> {out}; cat >> {out}\n')
    script.chmod(0o755)
    talks = [Endpoint(503, 200), Endpoint(200), MailServer()]
    servers = [RungServer(talk, credentials) for talk in talks]
    tables = (
        rig.webhook(servers[0], tells="category"),
        rig.push(servers[1], tells="category"),
        rig.mail(servers[2], tells="category"),
        rig.program(command=[str(script)], tells="category"),
    )
    enrolled = rig.made(*tables)
    taken_in(enrolled, 3)
    said = rung(enrolled.place)
    with closing(enrolled.place.store()) as store:
        store._index.execute("UPDATE ringers SET not_before = 0")
        opened = [enrolled.place.opener().open(store.wire(row)) for row in store.reads()]
    rung(enrolled.place, said)
    heard = [out.read_bytes(), *(one for server in servers for one in server.heard)]
    for server in servers:
        server.close()
    assert len(heard) >= 5
    assert sum(b"stolen-vehicle" in one for one in heard) >= 4, "they were told what they may be"
    forms = forbidden_forms(opened)
    everything = [*heard, "\n".join(said).encode(), capsys.readouterr().err.encode()]
    for one in everything:
        assert not [name for name, form in forms if form in one]


def forbidden_forms(opened):
    """Every form of what the contents hold: plates, alternatives, agency, case, picture, state."""
    found = []
    for read in opened:
        texts = [read.plate.text.value, *(text.value for text, _ in read.plate.alternatives)]
        texts += [text[::-1] for text in texts]
        for text in texts:
            found += [(name, form) for name, all_ in encodings(text).items() for form in all_]
            found += [("hex", binascii.hexlify(text.encode())), ("spaced", " ".join(text).encode())]
            found += [("sha256", hashlib.sha256(text.encode()).hexdigest().encode())]
            found += [("md5", hashlib.md5(text.encode()).hexdigest().encode())]
        found += [("entry", read.entry_agency.encode()), ("entry", read.entry_case.encode())]
        found += [("read id", read.tags.read_id.encode())]
        picture = read.crop
        found += [("picture", picture[at : at + 12]) for at in range(0, len(picture), 40)]
        found += [("picture", base64.b64encode(picture)[40:80])]
    return found


def test_the_search_finds_a_plate_that_is_told(rig, credentials, monkeypatch):
    """The adversary's own check: a sentence with the plate in it is found, however written."""
    enrolled = rig.made(rig.program())
    taken_in(enrolled)
    with closing(enrolled.place.store()) as store:
        opened = [enrolled.place.opener().open(store.wire(row)) for row in store.reads()]
    forms = forbidden_forms(opened)
    for said in (
        PLATE.encode(),
        PLATE.lower().encode(),
        base64.b64encode(b"to " + PLATE.encode()),
        PLATE.encode("utf-16-le"),
        binascii.hexlify(PLATE.encode()),
        PLATE[::-1].encode(),
    ):
        assert [name for name, form in forms if form in b"a lead: " + said]
