"""Signs an entry by hand: the first hand adds it, a second one of another person approves it, who
types the plate again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.bundles.hotlist_file import MANUAL, read_manual
from agent.bundles.hotlist_hands import hands_of
from agent.bundles.repository.signing_keys import load_private
from agent.city.city_lock import only_writer
from agent.city.city_log import city_log
from agent.city.hotlist_leaves import act_leaf
from agent.city.hotlist_overview import rules_of
from agent.core.hotlist.entry import plate_of
from agent.core.hotlist.intake.manual_acts import statement
from agent.core.reasons import Reason
from agent.errors import ConfigError, PolicyRefusedError, UsageError
from agent.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from agent.core.hotlist.intake.manual_acts import Act
    from agent.core.policy.schema.hotlist_rules import HotlistRules


def load_hand(where: str, secret: Callable[[str], str]) -> Ed25519PrivateKey:
    """A person's key file. Raises StorageError, ConfigError."""
    key = load_private(where, secret)
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError("is no Ed25519 key", where=where, fix="make one: `bundle key`")
    return key


def first_hand(act: Act, rules: HotlistRules, key: Ed25519PrivateKey | None) -> Act:
    """The addition as its first signer signs it, by the name in the charter.

    Raises PolicyRefusedError, ConfigError.
    """
    if not act.lists:
        return act  # a protection must not wait for a second hand
    if not rules.fits(act.entry.case):
        told = ", ".join(rules.case_forms)
        raise ConfigError(
            "case: not in the charter's form", fix=f"{told} (# stands for a digit, @ for a letter)"
        )
    if act.entry.expires > act.at.date() + timedelta(days=rules.longest_days):
        raise ConfigError(
            f"expires: the charter permits {rules.longest_days} days", fix="add it again then"
        )
    if not rules.signers:
        return act
    name = _holder(key, rules)
    return _signed(replace(act, by=name), key, rules)


def approve(city: Path, plate: str, case: str, key: Ed25519PrivateKey) -> str:
    """Sign, as another person, the addition of that plate under that case; gives the first
    person's name.

    Raises UsageError, PolicyRefusedError, ConfigError, StorageError.
    """
    rules, text = rules_of(city), plate_of(plate)
    name = _holder(key, rules)
    with only_writer(city), city_log(city) as log:
        manual = read_manual(city)
        found = [
            act
            for act in manual.acts
            if act.lists and act.entry.plate.value == text and act.entry.case == case
        ]
        if len(found) != 1:
            raise UsageError(
                "no such entry waits", where=city, fix="check plate and case against the paper"
            )
        if name in hands_of(found[0], rules):
            raise PolicyRefusedError(
                Reason.HOTLIST_HAND_MISSING,
                f"{name} has signed this entry already",
                fix="a second person must approve it",
            )
        signed = _signed(found[0], key, rules)
        acts = tuple(signed if act is found[0] else act for act in manual.acts)
        leaf = {**act_leaf(signed, log), "act": "approve", "approved_by": name}
        log.write(MANUAL, replace(manual, acts=acts).encoded(), leaf)
    return found[0].by


def _holder(key: Ed25519PrivateKey | None, rules: HotlistRules) -> str:
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw) if key else b""
    if raw not in rules.signers:
        raise PolicyRefusedError(
            Reason.HOTLIST_HAND_MISSING,
            "the charter lets only its [[hotlist_signer]] put a plate on the list",
            where="--signing-key",
            fix="give the key file of one whom the charter names",
        )
    return rules.signers[raw]


def _signed(act: Act, key: Ed25519PrivateKey | None, rules: HotlistRules) -> Act:
    if key is None:
        return act
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return replace(act, signatures=(*act.signatures, (raw, key.sign(statement(act, rules.city)))))
