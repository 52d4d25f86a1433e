"""Targets on the wire: sealed reads, receipts, key lists, signed rosters, enrolments."""

import json
from functools import cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from agent.core.software.installed import format_memory, parse_memory
from agent.core.software.signed_release import (
    STATEMENT_TYP,
    format_release,
    format_statement,
    parse_release,
    parse_statement,
)
from agent.core.text.encoding import b64url
from agent.core.text.strict_json import public_jwk
from agent.core.wire import sealed_read
from agent.core.wire.device_public import parse_device_public
from agent.core.wire.enrolment import parse_enrolment
from agent.core.wire.tags import Tags
from agent.errors import EnvelopeRefusedError
from agent.receiver.opener import Opener, parse_content
from agent.sealing.sealer import encrypt
from agent.verifying import enrolment_check, jose, key_list_check, roster_check, software_check
from agent.verifying.envelope_check import EnvelopeVerifier
from agent.verifying.receipt_check import ReceiptVerifier
from tests.fuzz import world
from tests.fuzz.targets import SEEDS, target
from tests.fuzz.world import DEVICE, RECIPIENT

ECDSA_WITH_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")


class OneKey:
    """The golden epoch's key, whatever the epoch."""

    def key(self, _epoch):
        return world.epoch_key()


@cache
def verifier() -> EnvelopeVerifier:
    return EnvelopeVerifier({DEVICE: world.DEVICE_KEY.public_key().public_bytes_raw()})


@cache
def opener() -> Opener:
    return Opener(RECIPIENT, verifier(), OneKey())


@cache
def golden_tags() -> Tags:
    return verifier().verify(world.golden()["wire"].encode())


def rest_of_the_jwe() -> str:
    """The golden first line behind its header."""
    return world.golden()["wire"].partition("\n")[0].partition(".")[2]


@target("a whole wire message, as a broker hands it over", 8192)
def wire(data: bytes) -> None:
    verifier().verify_any_version(data)


@target("the encryption header (JSON), behind the camera's signature, then opened")
def wire_header(data: bytes) -> None:
    jwe = f"{b64url(data)}.{rest_of_the_jwe()}".encode()
    sealed_read.minimum_of(sealed_read.split(world.outer(jwe)))
    opener().open(world.outer(jwe))


@target("the whole first line (JWE), behind the camera's signature, then opened", 8192)
def wire_jwe(data: bytes) -> None:
    opener().open(world.outer(data))


@target("the content, validly sealed and signed, opened with the real key")
def wire_content(data: bytes) -> None:
    plaintext, tags = sealed_read.pad(data), golden_tags()
    if plaintext is None:
        return
    found = parse_content(tags, plaintext)  # what this refuses need not be sealed first
    key = world.epoch_key().public_key().public_bytes_raw()
    assert opener().open(world.outer(encrypt(tags, key, plaintext))) == found


@target(
    "a receipt: a compact JWS, or the JSON behind the recipient's signature",
    words="stored rejected:malformed rejected:x",
)
def receipt(data: bytes) -> None:
    if data[:1] == b"{":
        data = world.compact(world.RECIPIENT_KEY, "platewarden-receipt", data)
    keys = {RECIPIENT: world.RECIPIENT_KEY.public_key().public_bytes_raw()}
    ReceiptVerifier(keys).verify(data)


@target(
    "an outcome of a lead: a compact JWS, or the JSON behind the recipient's signature",
    words="right-car wrong-plate wrong-state list-out-of-date no-action",
)
def outcome(data: bytes) -> None:
    if data[:1] == b"{":
        data = world.compact(world.RECIPIENT_KEY, "platewarden-outcome", data)
    keys = {RECIPIENT: world.RECIPIENT_KEY.public_key().public_bytes_raw()}
    if ReceiptVerifier(keys).verify_outcome(data).recipient != RECIPIENT:
        raise AssertionError


@target("a key list: a compact JWS, or the JSON behind the recipient's signature", 8192)
def key_list(data: bytes) -> None:
    if data[:1] == b"{":
        data = world.compact(world.RECIPIENT_KEY, "platewarden-epoch-keys", data)
    key = world.RECIPIENT_KEY.public_key().public_bytes_raw()
    key_list_check.verify_key_list(data, RECIPIENT, key)


@target("a signed roster: a compact JWS, or the JSON behind the city's signature", 8192)
def signed_roster(data: bytes) -> None:
    if data[:1] == b"{":
        data = world.compact(world.ROOT_KEY, "platewarden-roster", data)
    roster_check.verify_roster(
        data, roster_check.RosterRoot((world.ROOT_KEY.public_key().public_bytes_raw(),))
    )


@target(
    "a city's release of software (JSON), its statement in it; behind `!` the JSON behind the "
    "release key's signature, behind `?` what a trial remembers",
    8192,
    words="statement share cameras back packages arm64 3.11",
)
def software_release(data: bytes) -> None:
    if data[:1] == b"?":
        memory = parse_memory(data[1:])
        assert parse_memory(format_memory(memory)) == memory
        return
    if data[:1] == b"!":
        jws = world.compact(world.ROOT_KEY, STATEMENT_TYP, data[1:])
    else:
        release = parse_release(data)
        assert parse_release(format_release(release)) == release
        jws = release.statement.encode()
    keys = [world.ROOT_KEY.public_key().public_bytes_raw()]
    statement = software_check.verify_statement(jws, keys)
    assert parse_statement(format_statement(statement)) == statement


@target("a root key and a camera's public.json (JSON)", 1024)
def public_keys(data: bytes) -> None:
    try:
        roster_check.parse_root(data)
    except EnvelopeRefusedError:
        parse_device_public(data)


@target("an enrolment (JSON), as it came, then signed by the key that it names", 8192)
def enrolment(data: bytes) -> None:
    try:
        enrolment_check.verify_enrolment(data)
    except EnvelopeRefusedError:
        enrolment_check.verify_enrolment(signed_enrolment(data))


def signed_enrolment(data: bytes) -> bytes:
    """The same members under the test camera's key."""
    try:
        table = json.loads(data)
    except (ValueError, RecursionError):
        return data
    if not isinstance(table, dict):
        return data
    key = world.DEVICE_KEY
    table["seal"] = public_jwk("Ed25519", key.public_key().public_bytes_raw())
    table["signature"] = b64url(bytes(64))
    try:
        again = json.dumps(table).encode()
    except (ValueError, RecursionError):
        return data
    _, signed, _ = parse_enrolment(again)
    table["signature"] = b64url(key.sign(signed))
    return json.dumps(table).encode()


@target("the body of a certificate request (DER), signed by the key that the seeds name", 1024)
def enrolment_csr(data: bytes) -> None:
    enrolment_check.verify_enrolment(with_request(data))


def with_request(body: bytes) -> bytes:
    """A sound enrolment but for its certificate request."""
    signature = world.p256("tls").sign(body, ec.ECDSA(hashes.SHA256()))
    request = world.der(0x30, body + ECDSA_WITH_SHA256 + world.der(0x03, b"\0" + signature))
    text = world.pem("CERTIFICATE REQUEST", request)
    return signed_enrolment(json.dumps({**json.loads(valid_enrolment()), "csr": text}).encode())


@cache
def valid_enrolment() -> bytes:
    return (SEEDS / "enrolment/whole").read_bytes()


@target("a detached and a compact signature's own parts, before any key is asked")
def jws(data: bytes) -> None:
    jose.untrusted_payload(data, where="document", max_bytes=8192)
    jose.verify_compact(data, "platewarden-roster", bytes(range(32)), where="document")
