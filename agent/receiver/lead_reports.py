"""What a recipient reports of its leads: signed once by `receiver outcome`, kept in `outcomes/`,
and sent by `receiver run` again and again for two weeks, since nobody answers it.
"""

from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from agent.core.wire.receipt import Disposition, LeadOutcome, parse_outcome
from agent.core.wire.tags import READ_ID
from agent.disk.atomic_file import private_folder, read_bounded, write_new
from agent.errors import EnvelopeRefusedError, StorageError, UsageError
from agent.receiver.workplace import Workplace, trusted
from agent.verifying import jose
from agent.verifying.receipt_check import MAX_RECEIPT_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agent.core.time.instant import Instant

FOLDER, SUFFIX = "outcomes", ".outcome"
SENT_FOR = timedelta(days=14)
MOST_SENT = 1_000  # at one time: as many as a camera keeps


def report(
    place: Workplace, read_id: str, disposition: Disposition, now: "Instant", camera: str = ""
) -> LeadOutcome:
    """Sign what became of one lead. `camera`: whose read it is, where it is no longer stored. The
    first outcome stands.

    Raises UsageError, StorageError, and PlatewardenError for a clock that is surely wrong.
    """
    if not READ_ID.fullmatch(read_id):
        raise UsageError("is no read id", where="READ_ID", fix="give its 32 hex digits")
    device = camera or _camera_of(place, read_id)
    if device not in place.enrolled():
        raise UsageError(
            f"{device!a} is no camera of the city", where="--camera", fix="see roster.jws"
        )
    outcome = LeadOutcome(read_id, device, place.recipient, disposition, trusted(now).utc)
    private_folder(place.folder / FOLDER)
    path = place.folder / FOLDER / f"{device}.{read_id}{SUFFIX}"
    if path.exists():
        known = _parsed(path)
        raise UsageError(
            f"was reported already: {known.disposition.value}",
            where=f"read {read_id}",
            fix="the first outcome stands",
        )
    write_new(path, place.signer().outcome(outcome))
    return outcome


def _camera_of(place: Workplace, read_id: str) -> str:
    with closing(place.store()) as store:
        devices = {row.device for row in store.reads(read_id)}
    if len(devices) == 1:
        return devices.pop()
    raise UsageError(
        "two cameras' reads have this id" if devices else "no such read is stored here any more",
        where=f"read {read_id}",
        fix="add --camera: whose read it was",
    )


class LeadReports:
    """The folder, as `receiver run` sends it."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._sent = folder / FOLDER, set[str]()

    def due(self, now: "Instant", *, again: bool) -> "Iterator[tuple[str, bytes]]":
        """Camera and signed outcome of each that was not sent yet, or with `again` of all that are
        younger than two weeks. One that cannot be read is left out; `odd` tells of it.
        """
        for path in self._files():
            if path.name in self._sent and not again:
                continue
            self._sent.add(path.name)
            try:
                outcome = _parsed(path)
                data = read_bounded(path, MAX_RECEIPT_BYTES)
            except (EnvelopeRefusedError, StorageError):
                continue
            if now.utc - outcome.at < SENT_FOR:
                yield outcome.device, data

    def odd(self) -> "Sequence[str]":
        """Names of what is no outcome of ours."""
        found = []
        for path in self._files():
            try:
                _parsed(path)
            except (EnvelopeRefusedError, StorageError):
                found.append(path.name)
        return found

    def _files(self) -> list[Path]:
        aged: list[tuple[int, Path]] = []
        for path in self._folder.glob(f"*{SUFFIX}"):
            with suppress(FileNotFoundError):  # somebody has just taken it away
                aged.append((path.lstat().st_mtime_ns, path))
        return [path for _, path in sorted(aged)[-MOST_SENT:]]


def _parsed(path: Path) -> LeadOutcome:
    data = read_bounded(path, MAX_RECEIPT_BYTES)
    payload = jose.untrusted_payload(data, where=str(path), max_bytes=MAX_RECEIPT_BYTES)
    return parse_outcome(payload)
