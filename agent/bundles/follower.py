"""Looks into the inbox now and then, takes in what is new, and remembers why something was refused,
for the log and for `status`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from agent.bundles.layout import METADATA_FOLDER, TIMESTAMP
from agent.core.reasons import Reason, reason_of
from agent.core.text.rfc3339 import rfc3339
from agent.core.text.strict_json import Fields, parse_list
from agent.disk.atomic_file import private_folder, write_atomic
from agent.errors import PlatewardenError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from agent.bundles.generation import Generation
    from agent.bundles.generation_store import BundleStore
    from agent.core.time.instant import Instant

LOOK_EVERY_S = 10.0
AGAIN_AFTER_S = 60.0  # what was refused may have been a copy not finished, or a clock not yet set
REFUSALS = "refusals.json"
MAX_REFUSALS = 20
MAX_TOLD_PER_HOUR = 20
HOUR_S = 3600.0


def parse_refusals(untrusted: bytes) -> list[dict[str, str]]:
    """What a follower wrote down, as `status` tells it. Raises EnvelopeRefusedError(malformed)."""
    names = ("at", "reason", "what")
    listed = (
        Fields(entry, REFUSALS, required=names)
        for entry in parse_list(untrusted, REFUSALS, MAX_REFUSALS)
    )
    return [{name: str(entry.value(name)) for name in names} for entry in listed]


class Follower:
    """Looks into one process's inbox.

    `refused` is called once for each new refusal of the same files.

    Mitigates against: an `update` under somebody else's control that changes the inbox again and
    again, to fill the log. Beyond MAX_TOLD_PER_HOUR only `status` tells of it.
    """

    def __init__(
        self, store: BundleStore, inbox: Path, refused: Callable[[str, str], None]
    ) -> None:
        self._store, self._inbox, self._refused = store, inbox, refused
        self._next_s, self._again_s = 0.0, 0.0
        self._seen: tuple[object, ...] | None = None
        self._told: set[tuple[object, ...]] = set()
        self._told_s: list[float] = []
        self._refusals: list[dict[str, str]] = []

    def look(self, now: Instant, monotonic_s: float) -> Generation | None:
        """A new generation, or None: too early to look, nothing new, or refused.

        Raises nothing: no file in the inbox may stop a camera.
        """
        if monotonic_s < self._next_s:
            return None
        self._next_s = monotonic_s + LOOK_EVERY_S
        stamp = self._stamp()
        if stamp is None or (stamp == self._seen and monotonic_s < self._again_s):
            return None
        self._seen, self._again_s = stamp, float("inf")
        try:
            return self._store.take_in(self._inbox, now)
        except PlatewardenError as error:
            self._again_s = monotonic_s + AGAIN_AFTER_S
            self._note(error, stamp, now, monotonic_s)
            return None

    def _stamp(self) -> tuple[object, ...] | None:
        """Changes when something was put into the inbox. None: nothing is there."""
        try:
            folder = (self._inbox / METADATA_FOLDER).stat()
            file = (self._inbox / METADATA_FOLDER / f"{TIMESTAMP}.json").stat()
        except OSError:
            return None
        return folder.st_ino, folder.st_mtime_ns, file.st_ino, file.st_size, file.st_mtime_ns

    def _note(
        self, error: PlatewardenError, stamp: tuple[object, ...], now: Instant, monotonic_s: float
    ) -> None:
        reason = reason_of(error)
        if (stamp, reason) in self._told:
            return
        self._told = {told for told in self._told if told[0] == stamp} | {(stamp, reason)}
        self._told_s = [told for told in self._told_s if monotonic_s - told < HOUR_S]
        if len(self._told_s) < MAX_TOLD_PER_HOUR:
            self._told_s.append(monotonic_s)
            self._refused(reason, error.what)
        self._refusals = [
            *self._refusals,
            {"at": rfc3339(now.utc), "reason": reason, "what": error.what[:500]},
        ][-MAX_REFUSALS:]
        try:
            private_folder(self._store.folder)
            write_atomic(
                self._store.folder / REFUSALS,
                json.dumps(self._refusals).encode(),
            )
        except StorageError as full:
            self._refused(
                Reason.STORAGE_FAILED,
                f"what was refused cannot be written down for `status`: {full.what}",
            )
