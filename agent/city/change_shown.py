"""What a signer is shown before signing: what the change lets out and to whom, which cameras come
and go, whose keys count, which files change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from securesystemslib.signer import SSlibKey
from tuf.api.metadata import Targets

from agent.bundles.layout import ROOT, TARGETS
from agent.bundles.repository.published import delegations, keys_of
from agent.bundles.repository.signing_keys import holder_of
from agent.city import drafts
from agent.city.enrolments import fingerprints
from agent.city.pages.diff_report import as_table, told
from agent.city.pages.explain_text import forbidden
from agent.core.judging.explain.cited_lines import Source
from agent.core.judging.explain.explained_files import Files
from agent.core.judging.explain.prohibitions import prohibitions
from agent.core.policy.charter import parse_charter
from agent.values import dataclass, replace
from agent.verifying.roster_check import parse_root

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tuf.api.metadata import Metadata, Root

    from agent.city.drafts import Texts
    from agent.core.judging.diff.diff_words import Compared
    from agent.core.judging.explain.provenance import Standing
    from agent.verifying.roster_check import Roster

_NOTHING = (
    'name = "nothing"\nversion = 1\njurisdiction = "{jurisdiction}"\neffective = {effective}\n'
    "expires = {expires}\n"
)


@dataclass(frozen=True, slots=True)
class Change:
    """`compared`: the policies, where both charter and policy are there; `charter`: what it says,
    where that alone is signed; `cameras`, `keys`, `files`, `software`: lines for people, empty
    where nothing changes.
    """

    compared: Compared | None
    charter: tuple[str, ...]
    cameras: tuple[str, ...]
    keys: tuple[str, ...]
    files: tuple[str, ...]
    software: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """The whole for people, the policy first."""
        if self.compared is not None:
            yield from told(
                self.compared,
                "published" if self.compared.old.version else "nothing is published",
                "to be signed",
                drafts=False,
            )
        yield from self.charter
        for title, entries in (
            ("Cameras enrolled", self.cameras),
            ("Software of the cameras", self.software),
            ("Who signs", self.keys),
            ("Files", self.files),
        ):
            if entries:
                yield title
                yield from (f"  {entry}" for entry in entries)
                yield ""

    def table(self) -> dict[str, object]:
        """The same as plain values."""
        policy = as_table(self.compared) if self.compared is not None else None
        return {
            "policy": policy,
            "charter": [line.strip() for line in self.charter if line],
            "cameras": list(self.cameras),
            "keys": list(self.keys),
            "software": list(self.software),
            "files": list(self.files),
        }


def compared(old: Texts, new: Texts, standing: Standing | None = None) -> Compared | None:
    """What the new policy lets out, measured as by `policy diff`; against nothing at all where none
    is published.

    `standing`: since when the old one is in force, and who signed it.

    None: there is no policy, or it does not change.
    """
    from agent.core.judging.diff.diff_words import compare
    from agent.core.policy.schema.policy_file import parse_policy

    if (
        new.policy is None
        or new.charter is None
        or (old.policy, old.charter, old.cameras) == (new.policy, new.charter, new.cameras)
    ):
        return None
    parsed = parse_policy(new.policy, drafts.POLICY_TOML)
    before = (
        old.policy
        or _NOTHING.format(
            jurisdiction=parsed.jurisdiction, effective=parsed.effective, expires=parsed.expires
        ).encode()
    )
    files = replace(_files(old, before, new, "published "), standing=standing)
    # No policy yet: compare with one without any rule, by the new one's name. What the first policy
    # lets out is all a gain.
    if old.policy is None:
        files = replace(files, policy=replace(files.policy, name=parsed.name, version=0))
    return compare(files, _files(new, new.policy, new, ""))


def in_words(charter: bytes) -> tuple[str, ...]:
    """What a charter forbids every policy, and where cameras may not watch."""
    parsed, lines = parse_charter(charter, drafts.CHARTER), Source(charter, drafts.CHARTER)
    said = [*forbidden(prohibitions(parsed, lines))]
    for bar in parsed.barred:
        what = [*(f"near a {place}" for place in sorted(bar.places)), *sorted(bar.cameras or ())]
        when = f" at {', '.join(map(str, bar.hours))}" if bar.hours else " at any hour"
        where = " or ".join(what) or "anywhere"
        said.insert(-1, f"  - no camera watches {where}{when} ({bar.where}:{bar.line})")
    return tuple(said)


def cameras(old: Texts, new: Texts, files: Mapping[str, bytes]) -> tuple[str, ...]:
    """Who is enrolled, replaced or retired.

    `files`: enrolment files, for comparing their fingerprints with what the installer reads out.
    """
    before, after = old.enrolled(), new.enrolled()
    if after is None or old.roster == new.roster:
        return ()
    return devices(before, after, files) + root_keys(old.city_root, new.city_root)


def devices(before: Roster | None, after: Roster, files: Mapping[str, bytes]) -> tuple[str, ...]:
    """The same of two rosters."""
    had, has = dict(before.devices) if before else {}, after.devices
    changed = sorted(name for name in has if has[name] != had.get(name))
    known = fingerprints(after, changed, files)
    unknown = "no enrolment file that fits is here, so compare nothing by it"
    lines = [
        f"{name}: {'replaced by another device (its key changes)' if name in had else 'enrolled'}; "
        + (f"fingerprint {known[name]}" if name in known else unknown)
        for name in sorted(changed, key=lambda name: (name in had, name))
    ]
    lines += [
        f"{name}: retired; its reads count no more" for name in sorted(had.keys() - has.keys())
    ]
    return tuple(lines)


def root_keys(old: bytes | None, new: bytes | None) -> tuple[str, ...]:
    """Who signs the roster from now on, where that changes."""
    if old is None or new is None or old == new:
        return ()
    root = parse_root(new)
    ids = ", ".join(key_id(key)[:12] for key in root.keys)
    now = f"key {ids}" if len(root.keys) == 1 else f"{root.threshold} of keys {ids}"
    return (f"the city's root key changes (now {now}): give the new root.json to every recipient",)


def key_id(raw: bytes) -> str:
    """Of an Ed25519 key, as `bundle key` tells it."""
    return str(SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(raw)).keyid)


def keys(
    old: Mapping[str, Metadata[Any]], new: Mapping[str, Metadata[Any]], own: str = ""
) -> tuple[str, ...]:
    """Whose keys come and go, and thresholds, of every role that root or targets speak of.

    `own`: the id of the key that signs: its holder is told which key is theirs.
    """
    lines: list[str] = []
    for delegator in (ROOT, TARGETS):
        if delegator in new:
            before = old[delegator].signed if delegator in old else None
            lines += _keys(before, new[delegator].signed, own)
    return tuple(lines)


def _keys(old: Root | Targets | None, new: Root | Targets, own: str) -> Iterator[str]:
    for role in dict.fromkeys((*_roles(old), *_roles(new))):
        had, has = keys_of(old, role) if old else {}, keys_of(new, role)
        for keyid in sorted(had.keys() - has.keys(), key=lambda keyid: holder_of(had[keyid])):
            yield f"{role}: {holder_of(had[keyid])} signs no more (key {keyid[:12]})"
        for keyid in sorted(has.keys() - had.keys(), key=lambda keyid: holder_of(has[keyid])):
            yours = "; this key is yours" if keyid == own else ""
            yield f"{role}: {holder_of(has[keyid])} signs (key {keyid[:12]}{yours})"
        yield from (f"{role}: may sign {path} too" for path in _more_paths(old, new, role))
        if not has:
            yield f"{role}: nobody signs any more"
            continue
        before = old.get_delegated_role(role).threshold if had and old else None
        after = new.get_delegated_role(role).threshold
        if before != after or had.keys() != has.keys():
            yield f"{role}: {after} of {len(has)} must sign" + (
                f"; it was {before} of {len(had)}" if before else ""
            )


def _more_paths(old: Root | Targets | None, new: Root | Targets, role: str) -> list[str]:
    """The paths that a role is handed beside those that it had."""
    if not isinstance(old, Targets) or not isinstance(new, Targets) or role not in delegations(old):
        return []
    if role not in delegations(new):
        return []
    had, has = (one.get_delegated_role(role).paths or () for one in (old, new))  # type: ignore[attr-defined]
    return sorted(set(has) - set(had))


def _roles(delegator: Root | Targets | None) -> tuple[str, ...]:
    if delegator is None:
        return ()
    return delegations(delegator) if isinstance(delegator, Targets) else tuple(delegator.roles)


def _files(own: Texts, policy: bytes, other: Texts, named: str) -> Files:
    """One side of the comparison.

    A charter or roster that only the other side has is held above both, as `policy diff` does.
    """
    from agent.bundles.jurisdiction_files import shipped
    from agent.core.policy.camera_roster import parse_roster
    from agent.core.policy.schema.policy_file import parse_policy

    where = f"{named}{drafts.POLICY_TOML}"
    charter, listed = own.charter or other.charter, own.cameras or other.cameras
    parsed = parse_policy(policy, where)
    roster = parse_roster(listed, f"{named}{drafts.CAMERAS}") if listed else None
    lines, profile = Source(policy, where), shipped(parsed.jurisdiction)
    if charter is None:
        return Files(parsed, lines, roster=roster, profile=profile)
    above = f"{named}{drafts.CHARTER}"
    return Files(
        parsed, lines, parse_charter(charter, above), Source(charter, above), roster, profile
    )
