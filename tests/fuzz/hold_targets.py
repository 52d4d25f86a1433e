"""Targets on holds: the order, the rules of who may give one, what is kept of a read; and their
seeds.
"""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from functools import cache

from agent.core.text.encoding import b64url
from agent.core.text.strict_json import public_jwk
from agent.core.wire.holds import hold as hold_format
from agent.core.wire.holds import hold_rules as rules_format
from agent.core.wire.holds.hold import Hold, format_hold
from agent.core.wire.holds.hold_rules import HoldRules, format_rules
from agent.receiver.holds.resealed_read import parse_kept, read_of
from agent.receiver.store.holds.held_reads import HeldRead
from agent.verifying.hold_check import claimed_hold, verify_hold, verify_hold_rules
from agent.verifying.roster_check import RosterRoot
from tests.fuzz import world
from tests.fuzz.targets import target
from tests.fuzz.wire_targets import golden_tags, opener
from tests.fuzz.world import DEVICE, RECIPIENT

AT = datetime(2027, 1, 15, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
AGE = "age1" + "q" * 58
SIGNERS = ("a judge", "a clerk")


@cache
def rules() -> HoldRules:
    signers = {world.ed25519(name).public_key().public_bytes_raw(): name for name in SIGNERS}
    return HoldRules("City of Exampleville", signers, 2, 120, 90)


def signed(payload: bytes) -> bytes:
    """By both of them, whatever it says."""
    header = b64url(b'{"alg":"Ed25519","typ":"platewarden-hold"}')
    over = f"{header}.{b64url(payload)}".encode()
    signatures = [
        {"protected": header, "signature": b64url(world.ed25519(name).sign(over))}
        for name in SIGNERS
    ]
    return json.dumps({"payload": b64url(payload), "signatures": signatures}).encode()


@target("a hold: a JWS of several signatures as it came, then its JSON behind two of them", 8192)
def hold(data: bytes) -> None:
    if data[:1] == b"!":
        data = signed(data[1:])
    found = verify_hold(data, rules())
    assert found.hold == claimed_hold(data)
    assert len(found.signers) == 2


@target("the rules for holds: a compact JWS, or the JSON behind the city's signature", 8192)
def hold_rules(data: bytes) -> None:
    if data[:1] == b"{":
        data = world.compact(world.ROOT_KEY, rules_format.TYP, data)
    root = RosterRoot((world.ROOT_KEY.public_key().public_bytes_raw(),))
    found = verify_hold_rules(data, root)
    assert 2 <= found.threshold <= len(found.signers)


@target("what is kept of a held read (JSON), then opened as the read that its row names", 16_384)
def held_read(data: bytes) -> None:
    tags, kept = golden_tags(), parse_kept(data)
    digest = hashlib.sha256(kept.wire).hexdigest()
    assert (
        read_of(kept, HeldRead("cd" * 16, tags.device, tags.read_id, digest, AT, RECIPIENT)).tags
        == tags
    )


def seeds() -> dict[str, dict[str, bytes]]:
    """For make_seeds."""
    times = {"since": AT - HOUR, "until": AT, "issued_at": AT, "expires_at": AT + 24 * HOUR}
    asked = Hold(
        city=rules().city,
        recipient=RECIPIENT,
        reference="27CR-0042",
        device=DEVICE,
        holder=AGE,
        read_id="a" * 32,
        **times,
    )
    assert hold_format.TYP == "platewarden-hold"
    payload = format_hold(asked)
    wire = world.golden()["wire"].encode()
    key = opener().content_key(golden_tags(), wire)
    signer = public_jwk("Ed25519", world.DEVICE_KEY.public_key().public_bytes_raw())
    kept = {"v": 1, "wire": wire.decode(), "key": b64url(key), "signer": signer}
    return {
        "hold": {"whole": signed(payload), "payload": b"!" + payload},
        "hold_rules": {
            "raw": world.compact(world.ROOT_KEY, rules_format.TYP, format_rules(rules(), AT)),
            "json": format_rules(rules(), AT),
        },
        "held_read": {"whole": json.dumps(kept).encode()},
    }
