"""Judges the machine's time against what is known of it: a floor that it cannot be before, a signed
time that it cannot be after.

Pure (docs/ref/time.md).

Mitigates against: a clock set back (an expired policy or a recovered car would be in force again),
set forward (everything that waits would expire), stopped, or jumping. Limit: within [floor, expiry
of the newest timestamp] the operating system is believed.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from agent.core.text.rfc3339 import rfc3339
from agent.core.text.strict_json import Fields, canonical, parse_object
from agent.core.time.instant import ClockTrust, to_millisecond
from agent.values import dataclass, replace

if TYPE_CHECKING:
    from datetime import datetime

SLACK = timedelta(seconds=60)
"""What the floor stays behind a trusted time: NTP's first steps and a leap second must not put now
below the floor.
"""
DRIFT = 0.0005
"""500 ppm: the most by which the kernel lets NTP bend its clock, and more than any quartz is off.

The floor runs that much slower than powered-on time.
"""
NAMELESS = "?"
"""Begins the name of a boot that only one process knows."""
MAX_BYTES = 2_048
_VERSION = 1
_BOOT = re.compile(r"\??[0-9a-f-]{8,64}")
_MOST_MS = 1 << 53


@dataclass(frozen=True, slots=True)
class Look:
    """What the machine said at one moment.

    `wall`: its UTC; `boot_s`: CLOCK_BOOTTIME, s; `boot`: which boot that counts from.

    Where the machine does not tell its boot, `boot` is NAMELESS and something that no other process
    gives. `synchronised`: the operating system says so; `rtc`: a battery-backed clock agrees with
    it.
    """

    wall: datetime
    boot_s: float
    boot: str
    synchronised: bool
    rtc: bool


@dataclass(frozen=True, slots=True)
class Known:
    """What one process remembers of time.

    `floor`: reached at `boot_s` of that `boot`; `reference`: wall and boot_s when something beside
    the clock last vouched for it in that boot, or None.
    """

    floor: datetime
    boot_s: float
    boot: str
    reference: tuple[datetime, float] | None = None


@dataclass(frozen=True, slots=True)
class SignedTime:
    """Of the newest verified timestamp metadata: when it was signed, and when it expires (UTC)."""

    issued: datetime
    expires: datetime


@dataclass(frozen=True, slots=True)
class Verdict:
    """`at_least`: a UTC time that has surely been reached.

    `why`: one sentence for people. `known`: what to remember.
    """

    trust: ClockTrust
    at_least: datetime
    why: str
    known: Known


def judge(look: Look, known: Known | None, signed: SignedTime | None, build: datetime) -> Verdict:
    """May this time be trusted?

    `known`: None on a first start; `signed`: None where no bundle was ever verified (then never
    more than `os`).

    Trusted: the operating system vouches for it, and it lies in [floor, expiry). Without signed
    time an unvouched time is still `os`, but proves nothing.
    """
    floor, what = _floor(look, known, signed, build)
    vouched, how = _vouched(look, known)
    moved = Known(
        floor,
        look.boot_s,
        look.boot,
        known.reference if known and _same_boot(look, known) else None,
    )
    if outside := _outside(look.wall, floor, what, signed):
        return Verdict(ClockTrust.UNTRUSTED, floor, f"not trusted: {outside}", moved)
    if not vouched:
        trust = ClockTrust.OS if signed is None else ClockTrust.UNTRUSTED
        return Verdict(
            trust,
            floor,
            f"{'not trusted' if signed else 'taken as it is, but nothing is deleted by it'}: {how}",
            moved,
        )
    # Only then a new reference: else many small steps would add up unseen.
    reference = (look.wall, look.boot_s) if look.synchronised or look.rtc else moved.reference
    sure = replace(moved, floor=max(floor, look.wall - SLACK), reference=reference)
    if signed is None:
        return Verdict(
            ClockTrust.OS,
            look.wall,
            f"the operating system's: {how}; no signed time was ever seen",
            sure,
        )
    return Verdict(
        ClockTrust.TRUSTED,
        look.wall,
        f"trusted: {how}, "
        f"between {_told(floor)} and the newest timestamp's expiry at {_told(signed.expires)}",
        sure,
    )


def _outside(wall: datetime, floor: datetime, what: str, signed: SignedTime | None) -> str:
    """Why a time cannot be right; empty where it can."""
    if wall < floor:
        return f"the clock says {_told(wall)}, before {_told(floor)}, {what}"
    if signed is not None and wall >= signed.expires:
        return (
            f"the clock says {_told(wall)}, and the newest timestamp expired "
            f"at {_told(signed.expires)}: either it has jumped, or no bundle came"
        )
    return ""


def _floor(
    look: Look, known: Known | None, signed: SignedTime | None, build: datetime
) -> tuple[datetime, str]:
    """The latest of: build time, newest signed issue time, last known time plus the time powered on
    since.

    And which of them it is.
    """
    floors = [(build, "when this software was built")]
    if signed is not None:
        floors.append((signed.issued, "when the newest timestamp was signed"))
    if known is not None:
        floors.append(
            (
                _later(known.floor, _powered_on_s(look, known) * (1 - DRIFT)),
                "the latest time that was sure, and the time powered on since",
            )
        )
    return max(floors, key=lambda one: one[0])


def _vouched(look: Look, known: Known | None) -> tuple[bool, str]:
    """Does anything but the clock itself speak for the clock?

    And in words, what does or does not.
    """
    if look.synchronised:
        return True, "the operating system has synchronised its clock"
    if look.rtc:
        return True, (
            "the operating system has not synchronised its clock, "
            "but the battery-backed one agrees with it"
        )
    if known is None or known.reference is None or not _same_boot(look, known):
        return False, (
            "the operating system has not synchronised its clock since it started, "
            "and there is no battery-backed one"
        )
    wall, boot_s = known.reference
    stepped_s = abs((look.wall - wall).total_seconds() - (look.boot_s - boot_s))
    if stepped_s <= SLACK.total_seconds() + DRIFT * (look.boot_s - boot_s):
        return True, "the clock was trusted in this boot and has run on since without a step"
    return False, (
        f"the clock has jumped by {stepped_s:.0f} s since it was last trusted, "
        "and is not synchronised"
    )


def _same_boot(look: Look, known: Known) -> bool:
    return look.boot == known.boot and look.boot_s >= known.boot_s


def _powered_on_s(look: Look, known: Known) -> float:
    """Seconds that this machine has surely run since `known`.

    Of two boots, of which one is nameless, nobody can tell whether they are one.
    """
    if look.boot == known.boot:
        return max(0.0, look.boot_s - known.boot_s)
    nameless = NAMELESS in {look.boot[:1], known.boot[:1]}
    return 0.0 if nameless and look.boot_s >= known.boot_s else look.boot_s


def _later(moment: datetime, seconds: float) -> datetime:
    try:
        moment += timedelta(seconds=seconds)
    except OverflowError:
        return moment
    # In whole milliseconds, as it will be written down.
    return to_millisecond(moment)


def _told(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def format_known(known: Known) -> bytes:
    """The state file's bytes."""
    reference = (
        None
        if known.reference is None
        else {"utc": rfc3339(known.reference[0]), "boot_ms": _ms(known.reference[1])}
    )
    return (
        canonical(
            {
                "v": _VERSION,
                "floor": rfc3339(known.floor),
                "boot": known.boot,
                "boot_ms": _ms(known.boot_s),
                "reference": reference,
            }
        )
        + b"\n"
    )


def parse_known(untrusted_json: bytes, where: str) -> Known:
    """The inverse, strict. Raises EnvelopeRefusedError(malformed)."""
    fields = Fields(
        parse_object(untrusted_json, where),
        where,
        required=("v", "floor", "boot", "boot_ms", "reference"),
    )
    fields.exactly("v", _VERSION)
    reference = None
    if fields.value("reference") is not None:
        inner = Fields(
            fields.value("reference"), f"{where}: `reference`", required=("utc", "boot_ms")
        )
        reference = inner.moment("utc"), inner.whole("boot_ms", 0, _MOST_MS) / 1000
    boot_s = fields.whole("boot_ms", 0, _MOST_MS) / 1000
    return Known(
        fields.moment("floor"), boot_s, fields.pattern("boot", _BOOT, "a boot's id"), reference
    )


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
