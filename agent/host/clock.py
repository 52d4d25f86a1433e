"""The real clocks: the operating system's time, and whether it may be believed
(docs/ref/time.md).
"""

import ctypes
import errno
import os
import re
import secrets
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from agent.core.time.instant import ClockTrust, Instant, to_millisecond
from agent.core.time.trusted_time import (
    MAX_BYTES,
    NAMELESS,
    SLACK,
    Known,
    Look,
    SignedTime,
    Verdict,
    format_known,
    judge,
    parse_known,
)
from agent.disk.atomic_file import read_bounded, write_atomic
from agent.errors import EnvelopeRefusedError, StorageError
from agent.values import dataclass

BUILD_TIME = datetime(2026, 11, 22, tzinfo=UTC)
SAVE_EVERY_S = 600.0  # a card wears out; what a power cut takes from the floor is at most this
ASK_EVERY_S = 1.0
RTC_AGREES_WITHIN_S = 120.0
# How long timesyncd's marker holds. It asks again every 2048 s at most (timesyncd.conf(5)), and
# touches the marker at each answer.
MARKER_HOLDS_S = 4096.0
FILE_NAME = "clock.json"
BOOT_VARIABLE = "PLATEWARDEN_BOOT"
_BOOT_NAME = re.compile(r"[0-9a-f]{32}")
_TIMESYNCD = Path("/run/systemd/timesync/synchronized")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_RTCS = Path("/sys/class/rtc")
_STA_UNSYNC = 0x0040
# macOS has no CLOCK_BOOTTIME: its CLOCK_MONOTONIC goes on while it sleeps, as Linux's does not.
_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """Implements ports.Clock over the operating system, unchecked but for the build time: for
    `read`, `demo` and rigs with an unsigned policy.
    """

    def now(self) -> Instant:
        """UTC now, truncated to milliseconds, so that what is stored equals what is compared."""
        utc = _now()
        return Instant(utc, ClockTrust.OS if utc >= BUILD_TIME else ClockTrust.UNTRUSTED)

    def monotonic_s(self) -> float:
        """Seconds of CLOCK_BOOTTIME: advances during suspend, is never set."""
        return time.clock_gettime(_BOOTTIME)

    def sleep(self, seconds: float) -> None:
        """Sleep for real."""
        time.sleep(seconds)


class Machine(Protocol):
    """What a TrustedClock asks. Tests give a simulated one (tests/fakes/machine.py)."""

    def look(self) -> Look: ...
    def boot_s(self) -> float: ...
    def sleep(self, seconds: float) -> None: ...


class TrustedClock:
    """Implements ports.Clock: time that is `trusted`, or says why not.

    One per process; safe to ask from several threads.

    `folder`: this process's own, where clock.json is kept (state/watch, state/deliver). Until
    `signed_time` was told once, time is `os` at best. `keep`: False for somebody who only looks
    (another process, perhaps another user): nothing is written down. Wiring: docs/ref/time.md, "For
    whoever builds a process".
    """

    def __init__(
        self,
        folder: Path,
        machine: Machine | None = None,
        *,
        build_time: datetime = BUILD_TIME,
        keep: bool = True,
    ) -> None:
        self._keep = keep
        self._path = folder / FILE_NAME
        self._machine = machine or LinuxMachine()
        self._build = build_time
        self._lock, self._signed = threading.Lock(), SignedTime(build_time, build_time)
        self._has_signed, self._told = False, ""
        self._unread, self._unsaved = "", ""
        self._known = self._remembered()
        self._saved_s: float | None = None
        self._verdict = self._judge()

    def now(self) -> Instant:
        """UTC now, its trust, and the time that has surely been reached.

        Raises nothing: a disk that is full does not stop the clock.
        """
        with self._lock:
            self._verdict = self._judge()
            return Instant(self._wall, self._verdict.trust, self._verdict.at_least)

    def monotonic_s(self) -> float:
        """Seconds of CLOCK_BOOTTIME."""
        return self._machine.boot_s()

    def sleep(self, seconds: float) -> None:
        """Sleep, as far as the machine does."""
        self._machine.sleep(seconds)

    def signed_time(self, issued: datetime, expires: datetime) -> None:
        """Tell the clock the newest verified timestamp: when it was signed, when it expires.

        An older one than before changes nothing.
        """
        with self._lock:
            if not self._has_signed or issued >= self._signed.issued:
                self._signed, self._has_signed = SignedTime(issued, expires), True

    def attest(self) -> None:
        """Take the time as it is for sure, once: a person sets this machine up at this moment, and
        vouches for it.

        For `receiver init`.
        """
        with self._lock:
            look = self._machine.look()
            self._known = Known(
                max(self._verdict.known.floor, look.wall - SLACK),
                look.boot_s,
                look.boot,
                (look.wall, look.boot_s),
            )
            self._save(look.boot_s)

    def explain(self) -> str:
        """One sentence: is time trusted, and why or why not; and what is wrong with clock.json, if
        anything is.
        """
        self.now()
        return "; ".join(part for part in (self._verdict.why, self._unread, self._unsaved) if part)

    @property
    def unsaved(self) -> str:
        """Why what is known of time cannot be written down; empty: it can."""
        return self._unsaved

    def take_change(self) -> Instant | None:
        """The time now, if its trust is another than when this was last asked (and at the first
        time): for a leaf `clock` in the log.
        """
        now = self.now()
        if now.trust.value == self._told:
            return None
        self._told = now.trust.value
        return now

    def save(self) -> None:
        """Write down what is known of time: at an orderly stop; otherwise it happens by itself, at
        most every SAVE_EVERY_S.
        """
        with self._lock:
            self._save(self._machine.boot_s())

    def _judge(self) -> Verdict:
        look = self._machine.look()
        self._wall = look.wall
        verdict = judge(look, self._known, self._signed if self._has_signed else None, self._build)
        gained_trust = verdict.known.reference is not None and (
            self._known is None or self._known.reference is None
        )
        self._known = verdict.known
        if self._saved_s is None or gained_trust or look.boot_s - self._saved_s >= SAVE_EVERY_S:
            self._save(look.boot_s)
        return verdict

    def _save(self, boot_s: float) -> None:
        self._saved_s = boot_s
        if self._known is None or not self._keep:
            return
        try:
            write_atomic(self._path, format_known(self._known))
        except StorageError as error:
            self._unsaved = f"what is known of time cannot be saved: {error.what}"
        else:
            self._unsaved = ""

    def _remembered(self) -> Known | None:
        """A damaged file counts as none: the newest signed issue time is a floor of its own, and a
        camera on a pole should not stop for it.
        """
        try:
            return parse_known(read_bounded(self._path, MAX_BYTES), str(self._path))
        except StorageError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                self._unread = f"what was known of time cannot be read: {error.what}"
        except EnvelopeRefusedError as error:
            self._unread = f"what was known of time cannot be read: {error.what}"
        return None


class _Timex(ctypes.Structure):
    """struct timex (adjtimex(2)) up to `status`, and room for the rest."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("times", ctypes.c_long * 4),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


@dataclass(slots=True)
class LinuxMachine:
    """The machine that it runs on.

    Reads only: the kernel's NTP status (timesyncd's marker where a sandbox forbids asking), the
    battery-backed clocks.
    """

    _boot: str = ""
    _vouched: tuple[bool, bool] = (False, False)
    _asked: tuple[float, float] | None = None
    _marker: tuple[float, float] | None = None

    def look(self) -> Look:
        """All at one moment.

        Who vouches is asked again after ASK_EVERY_S, since this runs for every frame, and at once
        where the time has jumped.
        """
        wall, boot_s = _now(), self.boot_s()
        behind_s = wall.timestamp() - boot_s
        if (
            self._asked is None
            or boot_s - self._asked[0] >= ASK_EVERY_S
            or abs(behind_s - self._asked[1]) >= ASK_EVERY_S
        ):
            self._vouched = (self._synchronised(wall, behind_s), _rtc_agrees(wall))
            self._asked = (boot_s, behind_s)
        return Look(wall, boot_s, self._boot_id(), *self._vouched)

    def boot_s(self) -> float:
        """Seconds of CLOCK_BOOTTIME."""
        return time.clock_gettime(_BOOTTIME)

    def sleep(self, seconds: float) -> None:
        """Sleep for real."""
        time.sleep(seconds)

    def _boot_id(self) -> str:
        if not self._boot:
            # Set by units whose ProcSubset=pid hides the file. It is spelt as the file spells it,
            # or `status` would see another boot.
            given = os.environ.get(BOOT_VARIABLE, "")
            try:
                self._boot = (
                    f"{given[:8]}-{given[8:12]}-{given[12:16]}-{given[16:20]}-{given[20:]}"
                    if _BOOT_NAME.fullmatch(given)
                    else _BOOT_ID.read_text(encoding="ascii").strip()[:64]
                )
            except (OSError, ValueError):
                self._boot = NAMELESS + secrets.token_hex(16)
        return self._boot

    def _synchronised(self, wall: datetime, behind_s: float) -> bool:
        timex, adjtimex = _Timex(), getattr(ctypes.CDLL(None, use_errno=True), "adjtimex", None)
        if adjtimex is None:  # not Linux: nothing tells, so nothing vouches
            return False
        if adjtimex(ctypes.byref(timex)) >= 0:
            return not timex.status & _STA_UNSYNC
        return ctypes.get_errno() in {errno.EPERM, errno.ENOSYS, errno.EACCES} and self._marked(
            wall, behind_s
        )

    def _marked(self, wall: datetime, behind_s: float) -> bool:
        """Timesyncd touches its marker at every answer of a time server and never takes it away: it
        vouches until it is old, and until the clock steps.
        """
        try:
            touched_s = _TIMESYNCD.stat().st_mtime
        except OSError:
            return False
        if self._marker is None or self._marker[0] != touched_s:
            self._marker = touched_s, behind_s
        return (
            abs(behind_s - self._marker[1]) < ASK_EVERY_S
            and -ASK_EVERY_S <= wall.timestamp() - touched_s <= MARKER_HOLDS_S
        )


def _now() -> datetime:
    return to_millisecond(datetime.now(UTC))


def _rtc_agrees(wall: datetime) -> bool:
    """Does a battery-backed clock tell the same time?

    A Pi 5 has one without a battery: after a power cut it counts from 1970, and does not count
    here.
    """
    with suppress(OSError):
        for clock in _RTCS.iterdir():
            with suppress(OSError, ValueError):
                epoch_s = int((clock / "since_epoch").read_text(encoding="ascii"))
                if abs(epoch_s - wall.timestamp()) <= RTC_AGREES_WITHIN_S:
                    return True
    return False
