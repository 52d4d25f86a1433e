"""The mailboxes between watch and deliver: what both sides do with a folder of files written by
another user.

`outbox/<read id>.sealed` is written by watch (`outbox.py`), `receipts/<read id>.receipt` and
`.outcome` (`leads/outcome_box.py`) by deliver; the floor of watch's log lies in both
(`floor_file.py`), and so does what it tells the city of its growth, and the answer
(`growth_mailbox.py`). In `outbox/` lies what it tells of its health (`health/watch_health.py`).

A folder has one writer; its reader trusts nothing in it: names of one form only, regular files
only, bounded in size and number. Neither lists a folder that stands still, and watch lists none
(docs/design/mailboxes.md).
"""

import os
import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from agent.core.log.floor import FILE_NAME as FLOOR
from agent.core.log.leaf import clean_text
from agent.disk.atomic_file import (
    PART_SUFFIX,
    private_folder,
    read_bounded,
    remove,
    storage_error,
    unlink,
    write_atomic,
    write_whole,
)
from agent.errors import StorageError
from agent.values import dataclass

SEALED_SUFFIX = ".sealed"
RECEIPT_SUFFIX = ".receipt"
OUTCOME_SUFFIX = ".outcome"
FOLDER_MODE = 0o750  # the other process is another user of the same group; nobody else
FILE_MODE = 0o640
# a hostile writer could make files without end; more names than this are not looked at
MAX_NAMES = 50_000
# names that watch asks for in one round: a frame must not wait for more
MAX_ASKED = 1_000
GROWTH, COLLECTED, HEALTH = "watch.growth", "watch.collected", "watch.health"
NO_READS = frozenset(
    {FLOOR, GROWTH, COLLECTED, HEALTH}
)  # files that lie there beside reads and receipts
TICK_S = 2.0  # more than the coarsest clock that a file system stamps a change with
FULL_LOOK_S = 60.0
_READ_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Listing:
    """`read_ids`: of well-named files, oldest first. `strangers`: names (cleaned for printing) of
    everything else but unfinished files.
    """

    read_ids: tuple[str, ...]
    strangers: tuple[str, ...]


class Changes:
    """Has a folder changed since the last look? By the time of its last change, one call to the
    kernel: whatever comes into it, leaves it or is renamed in it moves that time.

    That time ticks: of two changes in one tick, the second cannot be seen. So a new time is looked
    at twice, again when its tick is surely over. And everything is looked at once a minute: a file
    overwritten in place, or a time set back by hand, shows then. The wall clock plays no part.
    """

    def __init__(self, folder: Path, now_s: Callable[[], float] = time.monotonic) -> None:
        self._folder, self._now_s = folder, now_s
        self.forget()

    def forget(self) -> None:
        """The look failed: it is due again."""
        self._seen: tuple[int, ...] | None = ()

    def seen(self) -> bool:
        """Is a look due? Ask before looking: what changes meanwhile is then seen the next time."""
        try:
            status = os.stat(self._folder)  # noqa: PTH116 - four times a second: no Path in between
            found = (status.st_ino, status.st_mtime_ns)
        except OSError:
            found = None  # the look itself tells what is wrong
        now_s = self._now_s()
        if found != self._seen:
            self._seen, self._next_s = found, now_s + TICK_S
            return True
        if now_s >= self._next_s:
            self._next_s = now_s + FULL_LOOK_S
            return True
        return False


class Folder:
    """One mailbox folder. `suffix` of its files; `max_bytes` of one file; `beside`: the suffix of
    other files that belong there. Missing folder: made by the writer, empty to the reader.
    """

    def __init__(self, path: Path, suffix: str, max_bytes: int, *, beside: str = "") -> None:
        self.path, self._suffix, self._max_bytes = path, suffix, max_bytes
        self._beside = beside
        self._changes = Changes(path)
        self._listed = Listing((), ())
        self._aged: dict[str, int] = {}  # when each well-named file was written

    def make(self) -> None:
        """Make the folder if it is missing. Raises StorageError."""
        private_folder(self.path, FOLDER_MODE)

    def file(self, read_id: str) -> Path:
        """Where the file of this read id lies. Raises StorageError for anything that is no read id
        (`../` is none).
        """
        if not _READ_ID.fullmatch(read_id):
            raise StorageError(
                "not a read id: 32 lower-case hex digits are needed", where=self.path
            )
        return self.path / f"{read_id}{self._suffix}"

    def listing(self) -> Listing:
        """What lies in the folder; the same object while nothing has changed in it. Raises
        StorageError.
        """
        if self._changes.seen():
            try:
                listed = self._looked()
            except StorageError:
                self._changes.forget()
                raise
            if listed != self._listed:
                self._listed = listed
        return self._listed

    def look_again(self) -> None:
        """The next listing looks, whatever the folder's time of change says."""
        self._changes.forget()

    def _looked(self) -> Listing:
        aged: dict[str, int] = {}
        strangers: list[str] = []
        try:
            with os.scandir(self.path) as entries:
                for count, entry in enumerate(entries):
                    if count >= MAX_NAMES:
                        break
                    if entry.name in NO_READS or (
                        entry.name.startswith(".") and entry.name.endswith(PART_SUFFIX)
                    ):
                        # of a part: its writer is still at work on it, or will clear it up when it
                        # starts again
                        continue
                    self._sort_in(entry, aged, strangers)
        except FileNotFoundError:
            pass  # its writer has not made it yet
        except OSError as error:
            raise storage_error(error, self.path, "cannot list the folder") from None
        self._aged = aged
        # by age, then by name
        return Listing(
            tuple(sorted(aged, key=lambda read_id: (aged[read_id], read_id))),
            tuple(sorted(strangers)),
        )

    def _sort_in(self, entry: os.DirEntry[str], aged: dict[str, int], strangers: list[str]) -> None:
        read_id = entry.name.removesuffix(self._suffix)
        if entry.name == read_id or not _READ_ID.fullmatch(read_id):
            other = entry.name.removesuffix(self._beside)
            if other == entry.name or not _READ_ID.fullmatch(other):
                strangers.append(clean_text(entry.name))
            return
        try:
            # the kind stands in the listing itself; a file that was seen before is not asked again
            if not entry.is_file(follow_symlinks=False):
                strangers.append(entry.name)
            elif read_id in self._aged:
                aged[read_id] = self._aged[read_id]
            else:
                aged[read_id] = entry.stat(follow_symlinks=False).st_mtime_ns
        except FileNotFoundError:
            return  # removed by its writer while we looked

    def has(self, read_id: str) -> bool:
        """Is there anything under this read's name? `read_id`: one of our own."""
        return os.path.lexists(f"{self.path}/{read_id}{self._suffix}")

    def stirred(self) -> bool:
        """Has anything changed in the folder? As `listing` asks; use one of the two."""
        return self._changes.seen()

    def untrusted(self, read_id: str) -> bytes | None:
        """The file's bytes; None when it is not (or no longer) there. Raises StorageError for
        links, devices and oversize files.
        """
        try:
            return read_bounded(self.file(read_id), self._max_bytes)
        except StorageError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise

    def parts(self) -> Sequence[Path]:
        """Unfinished files that a crash of the writer left. For the writer only."""
        try:
            return sorted(
                path
                for path in self.path.iterdir()
                if path.name.startswith(".") and path.name.endswith(PART_SUFFIX)
            )
        except OSError as error:
            raise storage_error(error, self.path, "cannot list the folder") from None


class OutboxReader:
    """The outbox as deliver sees it: reads, never writes; every byte is untrusted."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = Folder(folder, SEALED_SUFFIX, max_bytes)

    def pending(self) -> Sequence[str]:
        """Read ids, oldest first; what else lies there is in `strangers`."""
        return self._folder.listing().read_ids

    def strangers(self) -> Sequence[str]:
        """Names of what does not belong there, for one logged refusal each."""
        return self._folder.listing().strangers

    def look_again(self) -> None:
        """Something came, whatever the folder's time of change says."""
        self._folder.look_again()

    def untrusted_wire(self, read_id: str) -> bytes | None:
        """A sealed read as found; None when watch has removed it meanwhile. Raises StorageError."""
        return self._folder.untrusted(read_id)


class ReceiptBox:
    """The folder of receipts. Deliver writes (`kept_receipts.py`); watch only reads."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = Folder(folder, RECEIPT_SUFFIX, max_bytes, beside=OUTCOME_SUFFIX)
        self._max_bytes = max_bytes
        self._to_ask: list[str] = []
        self._ask_again = False

    def clear(self) -> None:
        """Make the folder; remove what a crash left half-written. Nothing is lost: the recipient
        answers a repeated read again.
        """
        self._folder.make()
        for part in self._folder.parts():
            remove(part)

    def check(self, read_id: str, receipt: bytes) -> Path:
        """Where it will lie. Raises StorageError for what cannot be kept."""
        path = self._folder.file(read_id)
        if len(receipt) > self._max_bytes:
            raise StorageError(
                f"a receipt of {len(receipt)} bytes; at most {self._max_bytes} are kept", where=path
            )
        return path

    def put(self, read_id: str, receipt: bytes) -> None:
        """Make a receipt visible to watch, whole and durably; a second one for the same read
        replaces the first. Raises StorageError.
        """
        path = self.check(read_id, receipt)
        self._folder.make()
        write_atomic(path, receipt, FILE_MODE)

    def show(self, receipts: Mapping[Path, bytes]) -> None:
        """Write these files, whole but not synced: for what is kept elsewhere. Raises
        StorageError.
        """
        self._folder.make()
        for path, receipt in receipts.items():
            write_whole(path, receipt, FILE_MODE)

    def pending(self) -> Sequence[str]:
        """Read ids that have a receipt, oldest first."""
        return self._folder.listing().read_ids

    def strangers(self) -> Sequence[str]:
        """Names of what does not belong there."""
        return self._folder.listing().strangers

    def arrived(self, waiting: Collection[str]) -> Sequence[str]:
        """For watch: which of these reads have a receipt, or anything in its place. Each is asked
        for by its own name, none while the folder stands still, at most MAX_ASKED in one call.

        Mitigates against: a deliver that fills the folder to keep watch from its frames. A name
        that no read asks for costs nothing.
        """
        self._ask_again = self._folder.stirred() or self._ask_again
        if self._ask_again and not self._to_ask:
            self._to_ask, self._ask_again = list(reversed(tuple(waiting))), False
        asked = [self._to_ask.pop() for _ in range(min(MAX_ASKED, len(self._to_ask)))]
        return [read_id for read_id in asked if read_id in waiting and self._folder.has(read_id)]

    def untrusted_receipt(self, read_id: str) -> bytes | None:
        """A receipt as found, None when there is none. Raises StorageError."""
        return self._folder.untrusted(read_id)

    def remove(self, read_id: str) -> None:
        """Forget a receipt; one that is gone is no error. One that a power cut brings back is
        removed again. Raises StorageError.
        """
        unlink(self._folder.file(read_id))
