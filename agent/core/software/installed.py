"""What is installed, what is being tried, and what happened: values, and the small file that keeps
them over a power cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.software.software_version import SoftwareVersion, version_in
from agent.core.text.rfc3339 import rfc3339
from agent.core.text.strict_json import Fields, canonical, parse_object
from agent.values import dataclass, replace

if TYPE_CHECKING:
    from datetime import datetime

STATE_FORMATS = 1
"""The number of the formats in which this version keeps what must survive it. It grows when an
older version could not read them any more (docs/design/updates.md).
"""
MAX_MEMORY_BYTES = 256 * 1024
MAX_FAILED, MAX_STEPS = 20, 100
TRIES = 3
FOLDER, MEMORY, SLOT = "software", "trial.json", "slot.json"
"""Of all processes' state: root's folder; in it what is remembered, and in each version's, itself.
"""
MOST = 1 << 53


@dataclass(frozen=True, slots=True)
class Installed:
    """One version on this machine. `sha256`: of its package, hex; empty: as the card's package, or
    a person, installed it. `state`: the number of its formats.
    """

    version: SoftwareVersion
    sha256: str
    state: int

    def __str__(self) -> str:
        digest = f"sha256 {self.sha256[:16]}…" if self.sha256 else "as the machine's package has it"
        return f"{self.version}, {digest}"


@dataclass(frozen=True, slots=True)
class Trial:
    """A version that is tried. `signed`: the version of role `software` that released it."""

    installed: Installed
    signed: int


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened, for the log. `n` grows by one; `why`: a reason code, or empty."""

    n: int
    at: datetime
    what: str
    version: str
    sha256: str
    why: str = ""
    told: str = ""


@dataclass(frozen=True, slots=True)
class Memory:
    """What outlives a power cut. `failed`: (sha256, version of the role) of what was rolled back,
    as often as it counts against it.
    """

    trial: Trial | None = None
    failed: tuple[tuple[str, int], ...] = ()
    steps: tuple[Step, ...] = ()

    def begun(self, trial: Trial) -> Memory:
        """A trial begins."""
        return replace(self, trial=trial)

    def ended(self, counts: int = 0) -> Memory:
        """The trial is over. `counts` against it: TRIES where its health failed, 1 where it was cut
        off, as by a power cut, which may not be its fault.
        """
        if self.trial is None:
            return self
        one = (self.trial.installed.sha256, self.trial.signed)
        return replace(self, trial=None, failed=(*self.failed, *(one,) * counts)[-MAX_FAILED:])

    def given_up(self, sha256: str, signed: int) -> bool:
        """Whether a version is not tried again until the city signs its release anew."""
        return self.failed.count((sha256, signed)) >= TRIES

    def noted(
        self, at: datetime, what: str, of: Installed, why: str = "", told: str = ""
    ) -> Memory:
        """With one step more; a refusal that was told last is not told again."""
        last = self.steps[-1] if self.steps else None
        same = (what, str(of.version), of.sha256, why)
        if why and last and (last.what, last.version, last.sha256, last.why) == same:
            return self
        n = last.n + 1 if last else 1
        step = Step(n, at, what, str(of.version), of.sha256, why, told[:200])
        return replace(self, steps=(*self.steps, step)[-MAX_STEPS:])


def format_slot(installed: Installed) -> bytes:
    """slot.json, beside a version's files."""
    return canonical({"v": 1, **_table(installed)})


def parse_slot(untrusted: bytes, where: str) -> Installed:
    """The inverse, strict. Raises EnvelopeRefusedError(malformed)."""
    fields = Fields(
        parse_object(untrusted, where), where, required=("v", "version", "sha256", "state")
    )
    fields.exactly("v", 1)
    return _installed(fields)


def format_memory(memory: Memory) -> bytes:
    """trial.json."""
    trial = memory.trial
    tried = {**_table(trial.installed), "signed": trial.signed} if trial else None
    steps = [
        {
            "n": one.n,
            "at": rfc3339(one.at),
            "what": one.what,
            "version": one.version,
            "sha256": one.sha256,
            "why": one.why,
            "told": one.told,
        }
        for one in memory.steps
    ]
    failed = [{"sha256": sha256, "signed": signed} for sha256, signed in memory.failed]
    return canonical({"v": 1, "trial": tried, "failed": failed, "steps": steps})


def parse_memory(untrusted: bytes, where: str = MEMORY) -> Memory:
    """The inverse, strict. Raises EnvelopeRefusedError(malformed)."""
    fields = Fields(
        parse_object(untrusted, where), where, required=("v", "trial", "failed", "steps")
    )
    fields.exactly("v", 1)
    trial = None
    if fields.value("trial") is not None:
        told = Fields(
            fields.value("trial"), where, required=("version", "sha256", "state", "signed")
        )
        trial = Trial(_installed(told), told.whole("signed", 0, MOST))
    failed = []
    for entry in fields.sequence("failed", MAX_FAILED):
        one = Fields(entry, where, required=("sha256", "signed"))
        failed.append((one.text("sha256", most=64), one.whole("signed", 0, MOST)))
    steps = tuple(_step(entry, where) for entry in fields.sequence("steps", MAX_STEPS))
    return Memory(trial, tuple(failed), steps)


def _step(untrusted_entry: object, where: str) -> Step:
    names = ("n", "at", "what", "version", "sha256", "why", "told")
    one = Fields(untrusted_entry, where, required=names)
    return Step(
        one.whole("n", 1, MOST),
        one.moment("at"),
        one.text("what", most=40),
        one.text("version", most=20),
        one.text("sha256", least=0, most=64),
        one.text("why", least=0, most=64),
        one.text("told", least=0),
    )


def _table(installed: Installed) -> dict[str, object]:
    version = str(installed.version)
    return {"version": version, "sha256": installed.sha256, "state": installed.state}


def _installed(fields: Fields) -> Installed:
    version, sha256 = version_in(fields), fields.text("sha256", least=0, most=64)
    return Installed(version, sha256, fields.whole("state", 1, 1_000))
