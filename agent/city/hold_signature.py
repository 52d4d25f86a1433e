"""Signs a hold, or the rules of who may order one: the first person says what is asked for, the
others sign the very same bytes, each on a machine of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.bundles.repository.signing_keys import load_private
from agent.city import drafts
from agent.city.hotlist_overview import charter_of
from agent.city.roster_change import load_root_key, sign_payload
from agent.city.roster_signature import general
from agent.core.text.rfc3339 import rfc3339
from agent.core.wire.holds import hold, hold_rules
from agent.core.wire.holds.hold import Hold, format_hold, hold_id, parse_hold, require_within
from agent.core.wire.holds.hold_rules import HoldRules, format_rules, parse_rules
from agent.disk.atomic_file import write_atomic
from agent.disk.input_file import read_input
from agent.errors import ConfigError, EnvelopeRefusedError, UsageError
from agent.values import dataclass
from agent.verifying.hold_check import MAX_BYTES
from agent.verifying.jose import Signature, by_key, signatures_of
from agent.verifying.roster_check import parse_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

RULES = "hold-rules.jws"


@dataclass(frozen=True, slots=True)
class SignaturePlan:
    """What would be written once the person agrees. `lines`: what it says; `signed`: who has signed
    then; `missing`: how many signatures it lacks still.
    """

    path: Path
    data: bytes
    lines: tuple[str, ...]
    signed: tuple[str, ...]
    missing: int

    def keep(self) -> None:
        """Write it. Raises StorageError."""
        write_atomic(self.path, self.data, 0o644)

    def told(self, what: str) -> Iterator[str]:
        """For people: who has signed, and what comes next."""
        yield f"{self.path}: signed by {', '.join(self.signed)}"
        yield f"Missing: {self.missing}. They sign the same file." if self.missing else what


def rules_of(city: Path) -> HoldRules:
    """Who may order a hold, as the city's charter says: the published one, else the draft.

    Raises ConfigError, StorageError.
    """
    charter = charter_of(city)
    if charter.holds is None:
        raise ConfigError(
            "has no [holds], so nobody may order that reads are held",
            where=charter.where,
            fix="the council says who, how wide and how long: docs/ref/policy.md",
        )
    return charter.holds


def plan_hold(
    path: Path, asked: Hold | None, rules: HoldRules, where: str, secret: Callable[[str], str]
) -> SignaturePlan:
    """One person's signature of a hold. `asked`: what it says, by the first; None: the file says
    it. `where`: the key.

    Raises UsageError, ConfigError, RefusedError, StorageError.
    """
    if asked is not None and path.exists():
        raise UsageError(
            "is there already",
            where=path,
            fix="to sign it, leave out what it asks for; for another hold, name another file",
        )
    payload, earlier = _taken(path, hold.TYP) if asked is None else (format_hold(asked), ())
    wanted = parse_hold(payload)
    require_within(wanted, rules)
    key = load_private(where, secret)
    if not isinstance(key, Ed25519PrivateKey) or _raw(key) not in rules.signers:
        raise ConfigError(
            "is no key of a [[hold_signer]] of the charter",
            where=where,
            fix="the council names who may order a hold",
        )
    signed = _with(payload, hold.TYP, by_key(earlier, rules.signers), key)
    names = tuple(sorted(rules.signers[one] for one in signed))
    return SignaturePlan(
        path,
        general(payload, signed.values()),
        lines_of(wanted, hold_id(payload)),
        names,
        max(0, rules.threshold - len(names)),
    )


def plan_rules(
    city: Path, where: str, now: datetime, secret: Callable[[str], str]
) -> SignaturePlan:
    """One holder's signature, with a key of the city's root, under the charter's rules for holds.

    Raises UsageError, ConfigError, StorageError.
    """
    rules, path = rules_of(city), city / RULES
    root_json = read_input(
        city / drafts.CITY_ROOT, MAX_BYTES, missing="`platewarden bundle init` makes one"
    )
    root, key = parse_root(root_json), load_root_key(where, root_json, secret)
    payload, earlier = format_rules(rules, now), dict[bytes, Signature]()
    if path.exists():
        before, signatures = _taken(path, hold_rules.TYP)
        done = by_key(signatures, root.keys)
        if parse_rules(before) == rules and 0 < len(done) < root.threshold:
            payload, earlier = before, done
    signed = _with(payload, hold_rules.TYP, earlier, key)
    return SignaturePlan(
        path,
        general(payload, signed.values()),
        tuple(_rules_lines(rules)),
        tuple(one.hex()[:12] for one in signed),
        max(0, root.threshold - len(signed)),
    )


def signed_by(payload: bytes, typ: str, keys: Sequence[Ed25519PrivateKey]) -> bytes:
    """A document that all of these have signed."""
    signed: dict[bytes, Signature] = {}
    for key in keys:
        signed = _with(payload, typ, signed, key)
    return general(payload, signed.values())


def lines_of(wanted: Hold, name: str) -> tuple[str, ...]:
    """What a hold asks for, for the person who signs."""
    which = f"read {wanted.read_id}" if wanted.read_id else "all reads"
    return (
        f"Hold       {name}",
        f"Reference  {wanted.reference}",
        f"City       {wanted.city}; recipient {wanted.recipient}",
        f"Keeps      {which} of camera {wanted.device}",
        f"Captured   from {rfc3339(wanted.since)} to {rfc3339(wanted.until)}",
        f"Until      {rfc3339(wanted.expires_at)}, then it is destroyed",
        f"Holder     {wanted.holder}",
    )


def _rules_lines(rules: HoldRules) -> Iterator[str]:
    yield f"Holds of {rules.city}: {rules.threshold} of these must sign one"
    for key, name in sorted(rules.signers.items(), key=lambda one: one[1]):
        yield f"  {name} (key {key.hex()[:16]})"
    yield f"A window of at most {rules.minutes} minutes, kept for at most {rules.days} days"


def _with(
    payload: bytes, typ: str, earlier: Mapping[bytes, Signature], key: Ed25519PrivateKey
) -> dict[bytes, Signature]:
    """The signatures that count, by key, and the new one. Raises UsageError."""
    if _raw(key) in earlier:
        raise UsageError(
            "this key has signed it already", fix="one key counts once: another must sign"
        )
    _, (own,) = signatures_of(sign_payload(payload, key, typ), typ, where=typ)
    return {**earlier, _raw(key): own}


def _taken(path: Path, typ: str) -> tuple[bytes, tuple[Signature, ...]]:
    data = read_input(path, MAX_BYTES, missing="say what it asks for: --reference, --camera …")
    try:
        return signatures_of(data, typ, where=str(path), max_bytes=MAX_BYTES)
    except EnvelopeRefusedError as error:
        raise ConfigError(error.what, where=path, fix="take it from whoever signed first") from None


def _raw(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()
