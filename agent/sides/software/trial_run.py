"""Runs a trial, one step after the other, as core/software/trial_step.py says. What lies on the
disk decides, so a run that was killed is taken up by the next one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.reasons import Reason
from agent.core.software.health_verdict import Seen, Verdict, judge, lacking
from agent.core.software.installed import TRIES, Memory
from agent.core.software.trial_step import Act, View, next_act
from agent.software.memory_file import keep_memory, read_memory
from agent.values import dataclass, replace

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from agent.core.software.installed import Trial
    from agent.software.unit_control import Units
    from agent.software.version_store import VersionStore

LOOK_EVERY_S = 2.0
KILLED_AFTER_S = 105
"""The kernel ends a run that hangs in a trial, and the unit's next command leads back. With it the
version before runs again within two minutes.
"""


@dataclass(frozen=True, slots=True)
class Times:
    """`now`: for the steps; `monotonic_s`, `sleep`: for the health; `kill_after`: signal.alarm."""

    now: Callable[[], datetime]
    monotonic_s: Callable[[], float]
    sleep: Callable[[float], None]
    kill_after: Callable[[int], object]


class TrialRun:
    """`booting`: the processes are not up yet, so nothing is to be started anew."""

    def __init__(
        self, store: VersionStore, units: Units, times: Times, *, booting: bool = False
    ) -> None:
        self._store, self._units, self._times = store, units, times
        self._mine, self._restored = False, booting
        self._before, self._verdict, self._lacks = Seen({}), Verdict.WAITING, ""
        self._since_s, self._well_s = 0.0, 0.0

    def run(self, wanted: Trial | None = None, package: Path | None = None) -> Memory:
        """Until there is nothing left to do. `package`: of `wanted`, checked.

        Raises StorageError, ConfigError, BundleRefusedError.
        """
        while True:
            memory = read_memory(self._store.folder)
            act = next_act(
                View(
                    self._store.confirmed(),
                    memory,
                    self._store.linked(),
                    self._store.whole(),
                    wanted,
                    self._mine,
                    self._verdict,
                    self._restored,
                )
            )
            if act is Act.DONE:
                return memory
            self._do(act, memory, wanted, package)
            if act in {Act.FINISH, Act.FAIL}:
                wanted = None

    def _do(self, act: Act, memory: Memory, wanted: Trial | None, package: Path | None) -> None:
        trial = memory.trial or wanted
        match act:
            case Act.UNPACK if wanted is not None and package is not None:
                self._store.put(package, wanted.installed)
            case Act.BEGIN if wanted is not None:
                self._before = replace(self._units.seen(), faults=self._units.faults())
                self._keep(memory.begun(wanted), wanted, "trial begins")
                self._mine = True
            case Act.SWITCH if trial is not None:
                self._times.kill_after(KILLED_AFTER_S)
                self._store.begin(trial.installed.sha256)
                self._units.start_anew()
                self._restored = False
                self._since_s = self._well_s = self._times.monotonic_s()
            case Act.WAIT:
                self._look()
            case Act.CONFIRM if trial is not None:
                self._store.confirm(trial.installed.sha256)
            case Act.FINISH:
                self._times.kill_after(0)
                self._store.end()
                self._keep(memory.ended(), memory.trial, "confirmed")
            case Act.ROLL_BACK:
                self._store.end()
                if not self._restored:
                    self._units.start_anew()
                self._restored = True
            case Act.FAIL:
                self._fail(memory)

    def _fail(self, memory: Memory) -> None:
        self._times.kill_after(0)
        ill = self._mine and self._verdict is Verdict.BAD
        why = Reason.SOFTWARE_UNHEALTHY if ill else ""
        told = self._lacks if ill else "the trial was cut off"
        counts = TRIES if ill else 1
        self._keep(memory.ended(counts), memory.trial, "rolled back", why, told)

    def _keep(
        self, memory: Memory, trial: Trial | None, what: str, why: str = "", told: str = ""
    ) -> None:
        if trial is not None:
            memory = memory.noted(self._times.now(), what, trial.installed, why, told)
        keep_memory(self._store.folder, memory)

    def _look(self) -> None:
        self._times.sleep(LOOK_EVERY_S)
        seen, now_s = self._units.seen(), self._times.monotonic_s()
        if lacking(self._before, seen):
            self._well_s = now_s
        judged = judge(self._before, seen, now_s - self._since_s, now_s - self._well_s)
        if judged.verdict is Verdict.WAITING and judged.lacks.startswith("doctor"):
            seen = replace(seen, faults=self._units.faults())
            judged = judge(self._before, seen, now_s - self._since_s, now_s - self._well_s)
        self._verdict, self._lacks = judged.verdict, judged.lacks
