"""One holder's signature of a roster whose root has several keys: the first changes the roster,
the others sign the very same bytes, each on a machine of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.bundles.repository.published import CityRepository
from agent.bundles.repository.signing_keys import read_public
from agent.city import drafts, enrolments
from agent.city.change_shown import devices, key_id, root_keys
from agent.city.roster_change import Wanted, changed, load_root_key, sign_payload
from agent.core.text.encoding import b64url
from agent.core.text.strict_json import canonical
from agent.disk.atomic_file import write_atomic
from agent.errors import ConfigError, EnvelopeRefusedError, UsageError
from agent.values import dataclass
from agent.verifying.jose import Signature, by_key, signatures_of
from agent.verifying.roster_check import (
    MAX_ROOT_KEYS,
    TYP,
    Roster,
    RosterRoot,
    format_root,
    format_roster,
    parse_root,
    parse_roster_payload,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from agent.city.drafts import Texts


@dataclass(frozen=True, slots=True)
class Order:
    """The command line. `wanted`: which cameras come and go; `key`: the private key that signs;
    `new_keys`: public files of all who hold the root from now on, empty where nobody changes;
    `threshold`: how many of them must sign.
    """

    wanted: Wanted
    key: str
    new_keys: Sequence[Path]
    threshold: int


@dataclass(frozen=True, slots=True)
class RosterPlan:
    """What would be written once the holder agrees. `signed`: ids of the keys that have signed
    then; `lines`: what changes against what is published.
    """

    city: Path
    seen: Texts
    new: drafts.Enrolled
    root: RosterRoot
    signed: tuple[str, ...]
    lines: tuple[str, ...]

    @property
    def missing(self) -> int:
        """How many signatures the roster lacks still."""
        return max(0, self.root.threshold - len(self.signed))

    def keep(self) -> None:
        """Write the drafts; only under `only_writer`.

        Raises UsageError where somebody changed them meanwhile, StorageError.
        """
        if drafts.draft_texts(self.city) != self.seen:
            raise UsageError(
                "while you were asked, somebody changed the roster",
                where=self.city,
                fix="nothing was signed; run it again and look at the difference anew",
            )
        enrolments.keep(self.city, self.new.files)
        write_atomic(self.city / drafts.CAMERAS, self.new.cameras, 0o644)
        write_atomic(self.city / drafts.ROSTER, self.new.roster, 0o644)
        write_atomic(self.city / drafts.CITY_ROOT, self.new.city_root, 0o644)

    def told(self) -> Iterator[str]:
        """For people: who has signed, and what comes next."""
        yield (
            f"roster: signed by {len(self.signed)} of {self.root.threshold} "
            f"(keys {', '.join(one[:12] for one in self.signed)})"
        )
        if self.missing:
            others = [key_id(key)[:12] for key in self.root.keys if key_id(key) not in self.signed]
            yield (
                f"Missing: {self.missing}, of keys {', '.join(others)}. They type: platewarden "
                f"bundle roster --city {self.city} --roster-key THEIRS.pem"
            )
        else:
            yield "Enough have signed the roster. Now the policy's signers: platewarden bundle sign"


def plan(city: Path, order: Order, now: datetime, secret: Callable[[str], str]) -> RosterPlan:
    """Raises UsageError, ConfigError, StorageError."""
    texts = drafts.draft_texts(city)
    begins = bool(order.wanted or order.new_keys)
    root = _root(order, texts.city_root or b"")
    new_root = format_root(root)
    key = load_root_key(order.key, new_root, secret)
    if begins:
        made = changed(order.wanted, texts, now)
        cameras, files, payload = made.cameras, made.files, format_roster(made.roster)
        signed = dict[bytes, Signature]()
    else:
        cameras, files = texts.cameras or b"", {}
        payload, signed = _begun(texts.roster or b"", root)
    own = key.public_key().public_bytes_raw()
    if own in signed:
        raise UsageError(
            "this key has signed the roster already",
            where="--roster-key",
            fix="one key counts once: another holder must sign",
        )
    _, (signed[own],) = signatures_of(sign_payload(payload, key), TYP, where=drafts.ROSTER)
    repository = CityRepository(city)
    old = drafts.published_texts(repository, repository.published())
    here: Mapping[str, bytes] = {**enrolments.kept(city), **files}
    lines = devices(old.enrolled(), parse_roster_payload(payload), here)
    lines += root_keys(old.city_root, new_root)
    return RosterPlan(
        city,
        texts,
        drafts.Enrolled(cameras, general(payload, signed.values()), new_root, files),
        root,
        tuple(map(key_id, signed)),
        lines,
    )


def _root(order: Order, city_root: bytes) -> RosterRoot:
    """Who signs from now on. Raises UsageError, ConfigError."""
    if not order.new_keys:
        return parse_root(city_root)
    single = "; a single one: `bundle sign --new-roster-key`"
    return root_of(order.new_keys, order.threshold, "--new-roster-key", single)


def root_of(files: Sequence[Path], threshold: int, option: str, single: str) -> RosterRoot:
    """A root that several hold, from their public files. `option`, `single`: for the error, what
    was typed, and how one key alone is named.

    Raises UsageError, ConfigError.
    """
    keys = []
    for path in files:
        key = read_public(path).key
        if key.keytype != "ed25519":
            raise ConfigError("is no Ed25519 key", where=path, fix="make one: `bundle key`")
        keys.append(bytes.fromhex(key.keyval["public"]))
    if len(set(keys)) != len(keys) or not 2 <= threshold <= len(keys) <= MAX_ROOT_KEYS:
        raise UsageError(
            f"{len(set(keys))} different keys, of which {threshold} must sign",
            where=option,
            fix=f"name 2 to {MAX_ROOT_KEYS} different keys, and a --threshold from 2 to their "
            f"number{single}",
        )
    return RosterRoot(tuple(keys), threshold)


def _begun(roster: bytes, root: RosterRoot) -> tuple[bytes, dict[bytes, Signature]]:
    """The payload that others have signed, and the signatures that count, by key.

    Raises ConfigError.
    """
    try:
        payload, signatures = signatures_of(roster, TYP, where=drafts.ROSTER)
        parse_roster_payload(payload)
    except EnvelopeRefusedError as error:
        raise ConfigError(
            error.what, where=drafts.ROSTER, fix="take it from a copy, then run it again"
        ) from None
    return payload, by_key(signatures, root.keys)


def unsigned_roster(city: str, now: datetime) -> bytes:
    """An empty roster.jws that nobody has signed yet: of a city whose root several hold."""
    return general(format_roster(Roster(city, now, {})), ())


def general(payload: bytes, signatures: Iterable[Signature]) -> bytes:
    """A document with several signatures (RFC 7515 7.2.1)."""
    listed = [{"protected": one.header, "signature": b64url(one.signature)} for one in signatures]
    return canonical({"payload": b64url(payload), "signatures": listed}) + b"\n"
