"""What `doctor` finds, as values: one line each, how bad it is, and what to do about it
(docs/ref/doctor.md).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from agent.core.camera.camera_event import FIX
from agent.core.text.visible import visible
from agent.errors import PlatewardenError
from agent.values import asdict, dataclass

if TYPE_CHECKING:
    from agent.core.camera.camera_facts import CameraFacts

LONGEST_TEXT = 600


class Health(StrEnum):
    """`SKIP`: could not be looked at here, and the line says why. It is not called ok."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line.

    `what`: what was seen; `fix`: the next step, for whoever stands there; `exit_code`: of the
    command, if this failed. Never a plate.
    """

    name: str
    health: Health
    what: str
    fix: str = ""
    exit_code: int = 1


def ok(name: str, what: str) -> Finding:
    """All is well."""
    return Finding(name, Health.OK, what)


def warn(name: str, what: str, fix: str) -> Finding:
    """It works, but not well, or not for long."""
    return Finding(name, Health.WARN, what, fix)


def fail(name: str, what: str, fix: str) -> Finding:
    """It does not work."""
    return Finding(name, Health.FAIL, what, fix)


def skip(name: str, what: str, fix: str = "") -> Finding:
    """Not looked at."""
    return Finding(name, Health.SKIP, what, fix)


def failed(name: str, error: PlatewardenError, fix: str = "") -> Finding:
    """An error of ours as a line: its words, its next step, its exit code (1 failed, 2 usage, 3
    refused).
    """
    reason = getattr(error, "reason", "")
    what = f"refused [{reason}]: {error.what}" if reason else error.what
    place = f"{error.where}: " if error.where else ""
    return Finding(name, Health.FAIL, place + what, error.fix or fix, error.exit_code)


def exit_code(findings: Iterable[Finding]) -> int:
    """0 unless something failed; then the gravest failure's: a refusal (3) above a malformed file
    (2) above the rest (1).
    """
    return max(
        (finding.exit_code for finding in findings if finding.health is Health.FAIL), default=0
    )


def as_table(finding: Finding) -> dict[str, object]:
    """For JSON."""
    return asdict(finding)


def from_table(untrusted: Mapping[str, object]) -> Finding:
    """The inverse, for what a part of `doctor` printed.

    Raises ValueError, KeyError or TypeError.
    """
    code = untrusted["exit_code"]
    if not isinstance(code, int) or code not in {1, 2, 3}:
        raise ValueError
    name, what, fix = (_line(untrusted[member]) for member in ("name", "what", "fix"))
    return Finding(name, Health(str(untrusted["health"])), what, fix, code)


def until(
    name: str, what: str, ends: datetime, now: datetime, soon: timedelta, fix: str
) -> Finding:
    """Something that ends: failed afterwards, a warning from `soon` before."""
    left = ends - now
    told = f"{what} until {ends:%Y-%m-%d %H:%M} UTC"
    if left <= timedelta():
        return fail(name, f"{what} ended on {ends:%Y-%m-%d %H:%M} UTC", fix)
    return ok(name, told) if left > soon else warn(name, f"{told}: {_left(left)} left", fix)


def _left(span: timedelta) -> str:
    return f"{span.days} days" if span.days >= 2 else f"{span.total_seconds() / 3600:.0f} h"


def _line(untrusted: object) -> str:
    """Other parties' words within one line of a terminal."""
    if not isinstance(untrusted, str):
        raise TypeError
    return visible(untrusted[:LONGEST_TEXT])


def told_by_watch(facts: "CameraFacts") -> list[Finding]:
    """A line for each alarm, or that there is none; and one for stalls."""
    found = [
        warn("camera alarm", f"{alarm} since {since:%Y-%m-%d %H:%M} UTC", FIX[alarm])
        for alarm, since in sorted(facts.alarms.items())
    ]
    found = found or [ok("camera alarm", f"none stands; the {facts.profile}'s profile is in force")]
    if facts.stalls:
        told = f"{facts.stalls} times no frame came in time since watch started"
        found.append(
            warn(
                "camera stalls",
                told,
                "check the ribbon cable and the power supply; "
                "`journalctl -u platewarden-watch` says what helped",
            )
        )
    return found
