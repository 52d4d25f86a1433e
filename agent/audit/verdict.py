"""What an auditor is told of a log, in one word, with its exit code: only a whole log is called
whole, and what could not be checked is not called a forgery.
"""

from collections.abc import Sequence
from enum import StrEnum

from agent.core.reasons import Reason
from agent.values import dataclass


class Verdict(StrEnum):
    """Codes are stable: they stand in `--json`.

    `NOT_ALL_CHECKED`: a checkpoint that was to be held against the log proves nothing.
    `NOT_WITNESSED`: as it was signed, and too few of the witnesses asked for have cosigned it.
    `UNVERIFIED`: nothing was checked, since no key of ours signed anything here.
    """

    WHOLE = "whole"
    WITHHELD = "withheld"
    NOT_AS_SIGNED = "not-as-signed"
    NOT_ALL_CHECKED = "not-all-checked"
    NOT_WITNESSED = "not-witnessed"
    UNVERIFIED = "nothing-verified"

    @property
    def exit_code(self) -> int:
        """0 whole; 3 withheld, or not as signed; 2 not, or not all, checked, or not
        witnessed.
        """
        return _EXIT_CODES[self]


_EXIT_CODES = {
    Verdict.WHOLE: 0,
    Verdict.WITHHELD: 3,
    Verdict.NOT_AS_SIGNED: 3,
    Verdict.NOT_ALL_CHECKED: 2,
    Verdict.NOT_WITNESSED: 2,
    Verdict.UNVERIFIED: 2,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong. `leaf` to `last`: the leaves concerned, None when it is about no leaf; `at`:
    the time that the first of them states, or "".
    """

    reason: Reason
    leaf: int | None
    last: int | None
    at: str
    what: str

    @property
    def withheld(self) -> bool:
        """The leaves stand as they were signed, and do not say what they are."""
        return self.reason == Reason.LEAF_WITHHELD


def verdict_of(
    faults: Sequence[Fault], unverified: str, unusable: Sequence[str], *, witnessed: bool = True
) -> Verdict:
    """`unverified`: why nothing was checked, or ""; `unusable`: checkpoints that prove nothing.

    `witnessed`: by those that were asked for, if any were.
    """
    if any(not fault.withheld for fault in faults):
        return Verdict.NOT_AS_SIGNED
    if unverified:
        return Verdict.UNVERIFIED
    if faults:
        return Verdict.WITHHELD
    if unusable:
        return Verdict.NOT_ALL_CHECKED
    return Verdict.WHOLE if witnessed else Verdict.NOT_WITNESSED
