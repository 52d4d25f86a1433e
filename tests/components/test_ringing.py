"""Ringing by webhook, push, mail and program against real servers: what they get, how it is signed,
what happens when nobody hears it; and that no byte of it tells a plate.
"""

import base64
import binascii
import hashlib
import hmac
import json
import time
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.errors import ConfigError, StorageError
from agent.receiver.ringing import webhook_signature
from agent.receiver.ringing.message import message_of
from agent.receiver.ringing.ring_round import named_ringers
from tests.support.plate_search import encodings
from tests.support.ringing import (
    HOST,
    SECRET,
    Endpoint,
    MailServer,
    RingRig,
    RungServer,
    rung,
    secret,
    state,
    taken_in,
)
from tests.support.sealed import CAPTURED, DEVICE, PLATE

pytestmark = pytest.mark.usefixtures("quick_disk")


@pytest.fixture(scope="module")
def credentials(ca):
    return ca.server("ring", hosts=(HOST,))


@pytest.fixture
def rig(tmp_path, ca):
    return RingRig(tmp_path / "receiver", ca.pem)


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
        monkeypatch.setattr("agent.receiver.ringing.child.RING_S", 0.5)
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
            named_ringers(enrolled.place.settings.ring, enrolled.folder)


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
