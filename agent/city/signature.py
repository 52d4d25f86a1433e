"""One act of signing: which roles a key can sign now, and what that changes."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from agent.bundles.layout import (
    HOTLIST,
    POLICY,
    ROOT,
    SNAPSHOT,
    SOFTWARE,
    SOFTWARE_PATH,
    TARGETS,
    TIMESTAMP,
    keys_path,
    recipient_of,
)
from agent.bundles.repository.assembly import require_next, told
from agent.bundles.repository.next_version import next_version, require_end
from agent.bundles.repository.published import CityRepository, Pending, trust_in
from agent.bundles.repository.signing_keys import holder_of
from agent.city import change_shown as change
from agent.city import drafts, enrolments
from agent.city.folder_seen import Seen
from agent.city.in_force import standing
from agent.city.moment import moment
from agent.city.roster_change import enrolled as enrol
from agent.city.signing_notes import found, missing, require_distinct
from agent.city.signing_plan import Plan
from agent.city.software_shown import software_shown
from agent.core.policy.key_reach import Reach, reaches
from agent.core.policy.schema.policy_file import parse_policy
from agent.core.reasons import Reason
from agent.core.text.plain_words import quoted_names
from agent.disk.input_file import read_input
from agent.errors import BundleRefusedError, ConfigError, EnvelopeRefusedError, UsageError
from agent.values import dataclass
from agent.verifying import key_list_check

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from securesystemslib.signer import Signer
    from tuf.api.metadata import Key, Metadata

    from agent.city.change_shown import Change
    from agent.city.drafts import Enrolled, Texts
    from agent.city.roster_change import Wanted
    from agent.core.policy.policy import Policy
    from agent.core.wire.epochs import EpochKeys

ONLINE_ROLES = frozenset({SNAPSHOT, TIMESTAMP, HOTLIST})


@dataclass(frozen=True, slots=True)
class Asked:
    """The command line. `roles`: none: all that the key holds and that are new. `other_purposes`:
    those that look like forbidden ones and are not.
    """

    roles: tuple[str, ...]
    enrol: Wanted
    key_list: Path | None
    start_again: bool
    other_purposes: frozenset[str] = frozenset()


class Signing:
    """What can be signed in a city's folder.

    `on`: the command line's `--on`. Everything raises ConfigError, UsageError, BundleRefusedError.
    """

    def __init__(self, folder: Path, on: str, asked: Asked, secret: Callable[[str], str]) -> None:
        self._city, self._asked, self._secret = CityRepository(folder), asked, secret
        self._published, self._pending = self._city.published(), self._city.pending()
        self._trust = trust_in(self._published, self._pending, folder)
        self._identity = drafts.identity_of(self._city, self._published, self._pending)
        self._now = moment(on, rig=self._identity.rig)
        self._reaches: tuple[Reach, ...] = ()
        self._rosters: Texts | None = None

    def require_possible(self) -> None:
        """What can be refused before a passphrase is asked for."""
        for role in self._asked.roles:
            if role in ONLINE_ROLES:
                fix = (
                    "`platewarden hotlist publish`"
                    if role == HOTLIST
                    else "`platewarden bundle publish`"
                )
                raise UsageError(
                    f"role {role} is signed by its online key when it is published",
                    where="--role",
                    fix=fix,
                )
            if not self._trust.holders(role):
                raise UsageError(
                    f"there is no role {role}",
                    where="--role",
                    fix=f"roles: {', '.join(self._trust.roles())}",
                )
        if self._asked.enrol and self._asked.roles not in {(), (POLICY,)}:
            raise UsageError(
                "cameras are enrolled in role policy",
                where="--enrol",
                fix="leave --role out, or give --role policy",
            )
        if self._asked.key_list and (
            len(self._asked.roles) != 1 or recipient_of(self._asked.roles[0]) is None
        ):
            raise UsageError(
                "a key list is signed in its recipient's own role",
                where="--key-list",
                fix="give --role keys-RECIPIENT",
            )

    def plan(self, signer: Signer) -> Plan:
        """What this key would sign."""
        keyid = signer.public_key.keyid
        held = self._held(keyid)
        enrolled = self._enrolled()
        items, fresh = self._items(tuple(held), keyid, enrolled)
        if not items:
            raise UsageError(
                "there is nothing new to sign for this key",
                where="--key",
                fix="--role ROLE renews a role that does not change",
            )
        old = drafts.published_texts(self._city, self._published)
        new = self._texts(old, items)
        new.require_lawful()
        if {POLICY, TARGETS} & items.keys():
            require_distinct(new, self._asked.other_purposes)
        drafts.require_higher(old, new)
        shown = self._change(old, new, items, keyid, enrolled.files if enrolled else {})
        return Plan(
            self._city,
            Seen(self._city, self._published, self._pending, self._rosters),
            self._trust,
            signer,
            holder_of(next(iter(held.values()))),
            items,
            fresh,
            shown,
            self._notes(new, items),
            enrolled,
        )

    def _held(self, keyid: str) -> Mapping[str, Key]:
        """The roles of a key, which must hold all that were asked for."""
        held = {
            role: keys[keyid]
            for role in self._trust.roles()
            if keyid in (keys := self._trust.holders(role))
        }
        if not held:
            raise UsageError(
                "this key holds no role in this city",
                where="--key",
                fix="`platewarden bundle show` lists who holds what",
            )
        for role in self._asked.roles:
            if role not in held:
                others = quoted_names(sorted(map(holder_of, self._trust.holders(role).values())))
                raise UsageError(
                    f"this key, of {holder_of(next(iter(held.values())))}, "
                    f"does not hold role {role}",
                    where="--key",
                    fix=f"held by: {others}",
                )
        return held

    def _items(
        self, held: tuple[str, ...], keyid: str, enrolled: Enrolled | None
    ) -> tuple[dict[str, Pending], frozenset[str]]:
        """What is pending and lacks this signature, and what the drafts hold that is not published;
        by `--role` also what does not change.
        """
        items: dict[str, Pending] = {}
        fresh, signed = set(), list[str]()
        for role in self._asked.roles or tuple(role for role in held if role not in ONLINE_ROLES):
            item = None if self._asked.start_again else self._pending.get(role)
            staged = self._staged(role, item, enrolled)
            if item is not None:
                require_next(role, item, self._published)
                require_end(role, item.metadata, self._now)
                self._require_same(role, item, staged)
                if keyid not in item.metadata.signatures:
                    items[role] = item
                else:
                    signed.append(
                        f"role {role} "
                        f"{'; '.join(map(told, self._trust.standings(role, item.metadata)))}"
                    )
            elif staged is not None and (self._asked.roles or self._differs(role, staged)):
                items[role] = Pending(
                    role, next_version(self._before(role), role, staged or None, self._now), staged
                )
                fresh.add(role)
        if signed and (self._asked.roles or not items):
            raise BundleRefusedError(
                Reason.BUNDLE_SAME_SIGNER_TWICE,
                "; ".join(signed),
                fix="another holder must sign; one counts once",
            )
        return items, frozenset(fresh)

    def _staged(
        self, role: str, item: Pending | None, enrolled: Enrolled | None
    ) -> dict[str, bytes] | None:
        """The files of a role as they stand in the drafts; None: it has no drafts here; empty: it
        has no files.
        """
        if role == ROOT:
            return {}
        recipient = recipient_of(role)
        if recipient is not None:
            if self._asked.key_list is None:
                return (
                    drafts.files_of(self._city, self._published, role)
                    if self._asked.roles and item is None
                    else None
                )
            return {keys_path(recipient): self._key_list(recipient, self._asked.key_list)}
        keep = (
            drafts.files_pending(self._city, self._published, self._pending[TARGETS])
            if TARGETS in self._pending
            else None
        )
        keep = keep or drafts.files_of(self._city, self._published, TARGETS)
        draft = self._city.folder / drafts.DRAFT_OF[role]
        if not draft.exists() and (item is not None or not self._asked.roles):
            return None  # a signer who got only the repository and what is pending
        return drafts.drafts_of(self._city.folder, role, keep, enrolled)

    def _require_same(self, role: str, item: Pending, staged: Mapping[str, bytes] | None) -> None:
        """What others signed is what lies in the folder."""
        if not staged:
            return
        changed = drafts.differences(
            drafts.files_pending(self._city, self._published, item), staged
        )
        if changed:
            standings = self._trust.standings(role, item.metadata)
            signers = quoted_names(name for standing in standings for name in standing.signed)
            what = f"the drafts are not what is pending (signed by {signers}): {'; '.join(changed)}"
            raise UsageError(
                what,
                where=f"role {role}",
                fix="put the drafts back, or drop what was signed: --start-again",
            )

    def _differs(self, role: str, staged: Mapping[str, bytes]) -> bool:
        return role != ROOT and (
            bool(staged) and drafts.files_of(self._city, self._published, role) != staged
        )

    def _before(self, role: str) -> Metadata[Any] | None:
        """What the next version is made from: its keys and delegations stay."""
        if self._asked.start_again and role in {ROOT, TARGETS} and role in self._pending:
            kept = copy.deepcopy(self._pending[role].metadata)
            kept.signed.version -= 1  # the proposed keys stay, the signatures go
            return kept
        return self._published.role(role) if self._published else None

    def _enrolled(self) -> Enrolled | None:
        if not self._asked.enrol:
            return None
        self._rosters = drafts.draft_texts(self._city.folder)
        return enrol(self._asked.enrol, self._rosters, self._now, self._secret)

    def _key_list(self, recipient: str, path: Path) -> bytes:
        """A list that the recipient signed with the key that the policy names."""
        untrusted = read_input(
            path,
            key_list_check.MAX_BYTES,
            missing="the recipient's `platewarden receiver keys` writes it",
        )
        texts = self._texts(drafts.published_texts(self._city, self._published), {})
        policy = parse_policy(texts.policy, drafts.POLICY_TOML) if texts.policy else None
        listed = policy.recipients.get(recipient) if policy else None
        if policy is None or listed is None or not listed.signing_key:
            raise ConfigError(
                f"the policy names no signing key of {recipient!r}",
                where=path,
                fix="sign the policy that lists the recipient first",
            )
        try:
            keys = key_list_check.verify_key_list(untrusted, recipient, listed.signing_key)
        except EnvelopeRefusedError as error:
            raise ConfigError(
                error.what,
                where=path,
                fix=f"ask {recipient!r} for the key list of the signing key that the policy names",
            ) from None
        if not keys.keys:
            raise ConfigError("holds no keys", where=path, fix="run `platewarden receiver keys`")
        self._reaches = self._require_serving(keys, policy, path)
        return untrusted

    def _require_serving(self, keys: EpochKeys, policy: Policy, path: Path) -> tuple[Reach, ...]:
        """Refuse a list to which nothing could be sealed today by some rule that names it.

        Raises BundleRefusedError.
        """
        found = reaches(keys, policy, self._now.date())
        for reach in found:
            if reach.until is None:
                raise BundleRefusedError(
                    Reason.NO_EPOCH_KEY,
                    reach.told(),
                    where=path,
                    fix="the recipient makes new keys: platewarden receiver keys; then sign those",
                )
        return found

    def _texts(self, old: Texts, items: Mapping[str, Pending]) -> Texts:
        """What cameras would obey once all of it is published."""
        for role in (TARGETS, POLICY):
            item = items.get(role) or (None if self._asked.start_again else self._pending.get(role))
            if item is not None:
                old = old.over(
                    item.files
                    if role in items and item.files
                    else drafts.files_pending(self._city, self._published, item)
                )
        return old

    def _change(
        self,
        old: Texts,
        new: Texts,
        items: Mapping[str, Pending],
        own: str,
        read: Mapping[str, bytes],
    ) -> Change:
        before = {
            role: found
            for role in (ROOT, TARGETS)
            if self._published and (found := self._published.role(role))
        }
        after = {role: item.metadata for role, item in items.items() if role in {ROOT, TARGETS}}
        files: list[str] = []
        for role, item in items.items():
            if role != ROOT:
                files += drafts.differences(
                    drafts.files_of(self._city, self._published, role),
                    drafts.files_pending(self._city, self._published, item),
                )
        here = {**enrolments.kept(self._city.folder), **read}
        compared = (
            change.compared(old, new, standing(self._city, self._published))
            if {POLICY, TARGETS} & items.keys()
            else None
        )
        alone = compared is None and TARGETS in items and new.charter is not None
        return change.Change(
            compared,
            change.in_words(new.charter) if alone and new.charter else (),
            change.cameras(old, new, here) if POLICY in items else (),
            change.keys(before, after, own),
            tuple(files),
            self._software(new, items),
        )

    def _software(self, new: Texts, items: Mapping[str, Pending]) -> tuple[str, ...]:
        """What the cameras would run. Raises ConfigError, EnvelopeRefusedError."""
        if SOFTWARE not in items:
            return ()
        files = drafts.files_pending(self._city, self._published, items[SOFTWARE])
        return software_shown(files[SOFTWARE_PATH], new.charter)

    def _notes(self, new: Texts, items: Mapping[str, Pending]) -> tuple[str, ...]:
        """What is no fault and yet stops something, or should be known."""
        reached = tuple(_sentence(reach.told()) for reach in self._reaches)
        roles = frozenset(self._trust.roles())
        return (
            *reached,
            *(
                found(new, self._now.date(), self._asked.other_purposes)
                if {POLICY, TARGETS} & items.keys()
                else ()
            ),
            *missing(new, self._city.folder, roles, self._now.date()),
        )


def _sentence(told: str) -> str:
    return f"{told[0].upper()}{told[1:]}."
