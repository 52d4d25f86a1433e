"""The next step of a trial, from what lies on the disk and what was seen: one function, which is
asked again after every step and after every crash.

Two links choose what a process runs when it starts. `confirmed` lies on the card. `trial` lies in
memory (/run), so a power cut ends every trial by itself, and no step of ours is needed for that.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from agent.core.software.health_verdict import Verdict
from agent.values import dataclass

if TYPE_CHECKING:
    from agent.core.software.installed import Installed, Memory, Trial


class Act(StrEnum):
    """One step. Each may be cut off anywhere, and done again."""

    UNPACK = "unpack"  # the wanted version, whole, beside the others
    BEGIN = "begin"  # write down that it is tried
    SWITCH = "switch"  # link it for the trial, and start the processes anew
    WAIT = "wait"  # look at their health
    CONFIRM = "confirm"  # link it for good
    FINISH = "finish"  # write down that it is confirmed, end the trial's link
    ROLL_BACK = "roll back"  # end the trial's link, and start the processes anew
    FAIL = "fail"  # write down that it failed
    DONE = "done"


@dataclass(frozen=True, slots=True)
class View:
    """`confirmed`: what the link on the card names. `linked`: the version that the trial's link
    names; empty: there is none. `whole`: versions that lie unpacked, whole.

    Of this run: `wanted`: what it is to try; `mine`: it began the trial itself; `health`: of the
    trial; `restored`: the processes were started anew after the link went, or were not up yet.
    """

    confirmed: Installed
    memory: Memory
    linked: str
    whole: frozenset[str]
    wanted: Trial | None = None
    mine: bool = False
    health: Verdict = Verdict.WAITING
    restored: bool = False


def next_act(view: View) -> Act:
    """What is to be done now."""
    trial = view.memory.trial
    if trial is None:
        return _without_trial(view)
    tried = trial.installed.sha256
    if view.confirmed.sha256 == tried:
        return Act.FINISH
    bad = not view.mine or view.health is Verdict.BAD or tried not in view.whole
    if bad:
        return Act.FAIL if view.restored and not view.linked else Act.ROLL_BACK
    if view.linked != tried:
        return Act.SWITCH
    return Act.CONFIRM if view.health is Verdict.GOOD else Act.WAIT


def _without_trial(view: View) -> Act:
    if view.linked:
        return Act.ROLL_BACK  # a link that nobody has written down
    if view.wanted is None or view.wanted.installed.sha256 == view.confirmed.sha256:
        return Act.DONE
    return Act.BEGIN if view.wanted.installed.sha256 in view.whole else Act.UNPACK
