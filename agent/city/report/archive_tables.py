"""The tables that come from the signed archive: policies, changes, who holds which key, key lists;
and the policies that the cameras say they obeyed.
"""

from collections.abc import Container, Iterator, Sequence
from typing import TYPE_CHECKING

from agent.bundles.layout import TOP_LEVEL
from agent.bundles.repository.published import delegations, trust_in
from agent.bundles.repository.signing_keys import holder_of
from agent.city.in_force import history
from agent.city.report.archive_facts import Facts, scheduled
from agent.city.report.log_tally import Key, Tally
from agent.city.report.report_tables import Period, Table
from agent.core.text.rfc3339 import rfc3339

if TYPE_CHECKING:
    from agent.city.report.bands import Cell

NEWEST = "still in force"


def of_archive(facts: Facts, period: Period, tallies: Sequence[Tally]) -> Iterator[Table]:
    """All of them, in the order of the report."""
    yield _policies(facts)
    yield obeyed(tallies, facts.digests)
    yield _changes(facts, period)
    yield _lapses(facts)
    yield _keys(facts, period)
    yield _holders(facts)


def _policies(facts: Facts) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in facts.stretches:
        policy, standing = one.files.policy, one.files.standing
        assert standing is not None  # noqa: S101 (for mypy: it was published)
        rows.append(
            (
                policy.version,
                one.since,
                one.until or NEWEST,
                policy.name,
                ", ".join(standing.policy_by),
                ", ".join(standing.charter_by),
                policy.digest,
            )
        )
    return Table(
        "policies",
        "Policies in force",
        "From the archive, with the signatures as they were checked then.",
        ("version", "since", "until", "name", "signed by", "charter signed by", "SHA-256"),
        tuple(rows),
    )


def obeyed(tallies: Sequence[Tally], published: Container[str]) -> Table:
    """`published`: the digests of every policy that was."""
    seen: dict[Key, list[tuple[str, str, str]]] = {}
    for one in tallies:
        for key, (first, last) in one.obeyed.items():
            seen.setdefault(key, []).append((one.camera, first, last))
    rows: list[tuple[Cell, ...]] = [
        (
            int(version),
            digest,
            "yes" if digest in published else "NO",
            len({camera for camera, _, _ in found}),
            min(first for _, first, _ in found),
            max(last for _, _, last in found),
        )
        for (version, digest), found in sorted(seen.items())
    ]
    return Table(
        "obeyed",
        "Policies that cameras say they obeyed",
        "By the `start` and `policy` leaves of their logs. One that was never published is told as "
        "NO.",
        ("version", "SHA-256", "published", "cameras", "first", "last"),
        tuple(rows),
        "No camera said so in that time.",
    )


def _changes(facts: Facts, period: Period) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (rfc3339(one.at), one.publish, one.what, one.recipient, ", ".join(one.signed_by))
        for one in history(facts.folder)
        if period.holds(rfc3339(one.at))
    ]
    return Table(
        "changes",
        "What was changed, and who signed it",
        "Every publication of that time that changed who may receive what.",
        ("at", "publish", "what", "recipient", "signed by"),
        tuple(rows),
        "Nothing was changed.",
    )


def _lapses(facts: Facts) -> Table:
    rows = [(since, until or "not yet renewed") for since, until in facts.lapses]
    return Table(
        "lapses",
        "Times in which nothing was in force",
        "What was published had lapsed, and nothing newer had come: cameras then release nothing.",
        ("from", "until"),
        tuple(rows),
        "There was none.",
    )


def _keys(facts: Facts, period: Period) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            keys.recipient,
            rfc3339(keys.issued_at),
            min(keys.keys).isoformat() if keys.keys else "",
            max(keys.keys).isoformat() if keys.keys else "",
            scheduled(keys, period),
        )
        for keys in facts.key_lists()
    ]
    return Table(
        "keys",
        "Keys to be destroyed",
        "By each recipient's newest signed list: a reading dies with the key of its day. That a "
        "key was destroyed, its holder alone knows; no file here proves it.",
        ("recipient", "list of", "first day", "last day", "due in this time"),
        tuple(rows),
        "No recipient's list is published.",
    )


def _holders(facts: Facts) -> Table:
    published = facts.newest.published
    trust = trust_in(published, {}, facts.folder)
    rows: list[tuple[Cell, ...]] = []
    for name in trust.roles():
        above = (trust.root if name in TOP_LEVEL else trust.targets).signed
        if name not in TOP_LEVEL and name not in delegations(published.targets.signed):
            continue
        names = sorted(holder_of(key) for key in trust.holders(name).values())
        rows.append((name, above.get_delegated_role(name).threshold, ", ".join(names)))
    return Table(
        "holders",
        "Who holds the keys",
        "At the end of that time. So many of them must sign together.",
        ("role", "must sign", "holders"),
        tuple(rows),
    )
