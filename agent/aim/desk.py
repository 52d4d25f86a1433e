"""What the camera's loop and the page's threads share during an aim: the newest look, who may see
it, and shapes to be saved.

All of it in memory.
"""

import base64
import hmac
import json
import secrets
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, Full, Queue
from threading import Condition

from agent.aim.painted_frame import Look, Seen
from agent.core.camera.aim_figures import PLATE_MM, SHARP, Band, local_share, sharp_verdict
from agent.core.camera.aim_gate import Ending, Entry, Gate
from agent.core.camera.view import View
from agent.errors import PlatewardenError, StorageError
from agent.values import dataclass, field

SAVE_WAIT_S = 20.0  # longer than a stalled camera holds up its loop
WAITING_SAVES = 2


@dataclass(frozen=True, slots=True)
class Save:
    """Shapes that the phone sent, checked; `done` gets None or the error."""

    view: View
    done: "Future[None]" = field(default_factory=Future[None])


class Desk:
    """Safe for several threads.

    `pin`: digits; `monotonic_s`: a clock that is never set back; `view`: the shapes in force.
    """

    def __init__(
        self, pin: str, gate: Gate, monotonic_s: Callable[[], float], view: View, *, can_save: bool
    ) -> None:
        self._pin = pin.encode()
        self._gate = gate
        self._now_s = monotonic_s
        self.can_save = can_save
        self._changed = Condition()
        self._look: bytes = b""
        self._sequence = 0
        self._view = view
        self._saves: Queue[Save] = Queue(WAITING_SAVES)

    @property
    def view(self) -> View:
        """The shapes in force."""
        return self._view

    @property
    def figures(self) -> dict[str, object]:
        """For the log: how many came in, how many PINs were wrong."""
        return {"logins": self._gate.logins, "wrong_pins": self._gate.wrong}

    def ending(self) -> Ending | None:
        """Why it is over, or None."""
        with self._changed:
            return self._gate.ending(self._now_s())

    def end(self, why: Ending) -> None:
        """Over: everybody who waits is told at once, and the last picture is forgotten."""
        with self._changed:
            self._gate.end(why)
            self._look = b""
            self._changed.notify_all()

    def enter(self, untrusted_pin: str) -> tuple[Entry, str, int]:
        """What became of it, the session's token (for WELCOME), and how many tries are left.

        The comparison takes as long for every PIN.
        """
        right = hmac.compare_digest(untrusted_pin.encode("utf-8", "replace"), self._pin)
        token = secrets.token_urlsafe(32)
        with self._changed:
            entry = self._gate.enter(self._now_s(), right=right, token=token)
            self._changed.notify_all()
            return entry, token if entry is Entry.WELCOME else "", self._gate.tries_left()

    def admits(self, untrusted_token: str) -> bool:
        """Is this the one session? Asking keeps it alive."""
        with self._changed:
            holder = self._gate.holder(self._now_s())
            admitted = bool(holder) and hmac.compare_digest(
                untrusted_token.encode("utf-8", "replace"), holder.encode()
            )
            if admitted:
                self._gate.seen(self._now_s())
            return admitted

    def show(self, look: Look) -> None:
        """The newest look replaces the one before."""
        left_s = max(0.0, self._gate.ends_s - self._now_s())
        with self._changed:
            self._sequence += 1
            self._look = json.dumps(_told(look, self._sequence, round(left_s))).encode()
            self._changed.notify_all()

    def look_after(self, sequence: int, wait_s: float) -> bytes:
        """A look newer than `sequence` as JSON; waits for one; empty when none came or all is
        over.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._sequence > sequence or self._gate.ending(self._now_s()) is not None,
                wait_s,
            )
            return self._look if self._sequence > sequence else b""

    def save(self, view: View) -> None:
        """Ask the camera's loop, the one writer, to save.

        Raises what it raised, or StorageError when it did not come round to it.
        """
        asked = Save(view)
        try:
            self._saves.put_nowait(asked)
            asked.done.result(SAVE_WAIT_S)
        except (Full, TimeoutError):
            raise StorageError(
                "the camera is busy and has not saved them", fix="try again"
            ) from None

    def do_saves(self, write: Callable[[View], None]) -> None:
        """In the camera's loop: write what the phone sent."""
        while True:
            try:
                asked = self._saves.get_nowait()
            except Empty:
                return
            try:
                write(asked.view)
            except PlatewardenError as error:
                asked.done.set_exception(error)
            else:
                self._view = asked.view
                asked.done.set_result(None)


def _told(look: Look, sequence: int, left_s: int) -> dict[str, object]:
    return {
        "sequence": sequence,
        "left_s": left_s,
        "picture": _data_url(look.jpeg),
        "crop": _data_url(look.crop),
        "frame": [look.width, look.height],
        "sharp_from": SHARP,
        "band": [round(look.band.least), round(look.band.green_from), round(look.band.green_to)],
        "focus": round(look.focus, 3),
        "light": round(look.light.mean),
        "clipped": round(look.light.clipped, 3),
        "plates": [_plate(seen, look) for seen in look.plates],
    }


def _plate(seen: Seen, look: Look) -> dict[str, object]:
    """Numbers and words only: no text of any plate, not even the test plate's.

    `local`: what a plate of that kind would be where this one is.
    """
    sample = seen.sample
    shares = {kind: local_share(kind) if seen.test else 1.0 for kind in PLATE_MM}
    return {
        "box": [round(share, 4) for share in seen.box],
        "test": seen.test,
        "width_px": round(sample.width_px),
        "local": {
            kind: _size(sample.width_px * share, sample.detail * share, look.band)
            for kind, share in shares.items()
        },
        "light": round(sample.light.mean),
        "contrast": round(sample.light.contrast),
        "clipped": round(sample.light.clipped, 2),
        "exposure": sample.light.verdict(),
        "confidence": round(sample.confidence, 2),
    }


def _size(width_px: float, detail: float, band: Band) -> dict[str, object]:
    return {
        "width_px": round(width_px),
        "width": band.verdict(width_px),
        "detail": round(detail),
        "sharp": sharp_verdict(detail),
    }


def _data_url(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}" if jpeg else ""
