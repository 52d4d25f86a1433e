"""Asks the recipients' hold logs whether every hold ended in time, and whether no read was held or
opened outside one.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

from agent.audit.questions.findings import Answer, Finding, about, text_of
from agent.audit.shown_leaves import ShownLeaf
from agent.core.log.leaf import LeafKind
from agent.core.text.rfc3339 import parse_rfc3339, rfc3339
from agent.values import dataclass, field

PROCESS = "hold"
SLACK = timedelta(days=1)  # a receiver that was off ends a hold at its next start


@dataclass(slots=True)
class HoldSeen:
    """One hold, as one log tells of it. `reads`: the leaves of kept and opened reads."""

    begin: ShownLeaf | None = None
    end: ShownLeaf | None = None
    reads: list[ShownLeaf] = field(default_factory=list)
    lost: list[ShownLeaf] = field(default_factory=list)


@dataclass(slots=True)
class HoldsSeen:
    """Takes one hold log's leaves in their order."""

    of: dict[str, HoldSeen] = field(default_factory=dict)

    def take(self, leaf: ShownLeaf) -> None:
        """One more leaf."""
        if leaf.kind != LeafKind.HOLD:
            return
        seen = self.of.setdefault(text_of(leaf.details, "hold"), HoldSeen())
        match text_of(leaf.details, "act"):
            case "begin":
                seen.begin = seen.begin or leaf
            case "end":
                seen.end = seen.end or leaf
            case "unkept":
                seen.lost.append(leaf)
            case "keep" | "open":
                seen.reads.append(leaf)


def of_holds(
    logs: Iterable[HoldsSeen], latest: str, releases: Mapping[str, ShownLeaf]
) -> Iterator[Answer]:
    """All hold logs together: a receiver may keep what another one applied. `latest`: the last time
    in any log that is here; `releases`: of watch's logs, by read id, as far as they are known.
    """
    told = _together(logs)
    for seen in told.values():
        if seen.begin is not None and seen.end is None:
            yield _lasting(seen.begin, latest)
        for leaf in seen.lost:
            what = f"a read that a hold covers died: {text_of(leaf.details, 'reason')}"
            yield about(Finding.HELD_LOST, leaf, what)
        kept = {_read(leaf) for leaf in seen.reads if leaf.details.get("act") == "keep"}
        for leaf in seen.reads:
            why = _outside(leaf, seen, releases)
            if not why and _read(leaf) not in kept:
                why = "a read was opened that was never held"
            if why:
                yield about(Finding.HELD_WITHOUT_HOLD, leaf, why)


def _together(logs: Iterable[HoldsSeen]) -> Mapping[str, HoldSeen]:
    """Each hold, as all logs tell of it."""
    told: dict[str, HoldSeen] = {}
    for log in logs:
        for name, seen in log.of.items():
            one = told.setdefault(name, HoldSeen())
            one.begin, one.end = one.begin or seen.begin, one.end or seen.end
            one.reads += seen.reads
            one.lost += seen.lost
    return told


def _lasting(begin: ShownLeaf, latest: str) -> Answer:
    expires = text_of(begin.details, "expires")
    try:
        late = rfc3339(parse_rfc3339(expires) + SLACK) < latest
    except (ValueError, OverflowError):
        return about(Finding.HOLD_WITHOUT_END, begin, "it does not say when it expires")
    if late:
        what = f"it expired at {expires}, and no `end` followed"
        return about(Finding.HOLD_WITHOUT_END, begin, what)
    return about(Finding.HOLD_LASTS, begin, f"it lasts until {expires}")


def _outside(leaf: ShownLeaf, seen: HoldSeen, releases: Mapping[str, ShownLeaf]) -> str:
    """Why the read is in no hold; "" where it is in one."""
    begin, end = seen.begin, seen.end
    did = "opened" if leaf.details.get("act") == "open" else "held"
    if begin is None:
        return f"a read was {did} under a hold that never began, or whose log is not here"
    if _after(leaf, end):
        return f"a read was {did} after the hold had ended"
    camera, read = text_of(leaf.details, "camera"), _read(leaf)
    if camera != text_of(begin.details, "camera"):
        return f"a read of another camera was {did}"
    if text_of(begin.details, "read") not in {"", read}:
        return f"another read was {did} than the one that the hold names"
    release = releases.get(read)
    if release is not None and release.at < text_of(begin.details, "since"):
        return f"a read was {did} that was released before the hold's window"
    return ""


def _read(leaf: ShownLeaf) -> str:
    return text_of(leaf.details, "read")


def _after(leaf: ShownLeaf, end: ShownLeaf | None) -> bool:
    if end is None:
        return False
    return leaf.number > end.number if leaf.origin == end.origin else leaf.at > end.at
