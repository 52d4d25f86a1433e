"""Opens the stored reads that somebody asks for; one that is refused hides none of the others.

Mitigates against: a receiver whose `run` stands still, and with it the deadlines: whoever opens
destroys first what is due.
"""

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime

from agent.core.reasons import Reason
from agent.core.text.rfc3339 import rfc3339
from agent.core.time.instant import Instant
from agent.errors import EnvelopeRefusedError, RefusedError, UsageError
from agent.receiver.opener import OpenedRead, Opener
from agent.receiver.store.read_store import ReadStore, StoredRead
from agent.receiver.workplace import Workplace


def opened_reads(
    place: Workplace, read_id: str | None, now: Instant, *, for_picture: bool
) -> Iterator[OpenedRead | RefusedError]:
    """The read of that id, or all in order of arrival; in place of one that does not open, why.

    `for_picture`: its picture is wanted, so it must be one. Raises UsageError, StorageError, and
    PlatewardenError for a clock that is surely wrong.
    """
    opener = place.opener()
    with closing(place.store()) as store:
        rows = store.reads(read_id)
        if read_id is not None and not rows:
            raise UsageError(
                "no such read is stored here",
                where="the shared store" if place.settings.store else place.folder / "store",
                fix=f"`platewarden receiver open {place.folder}` shows all",
            )
        if for_picture and len(rows) != 1:
            raise UsageError(
                f"--crop needs one read, {len(rows)} are stored",
                fix="name it: receiver open DIR READ_ID --crop FILE",
            )
        place.destroy_due(now)
        for row in rows:
            try:
                yield _opened(opener, store, row, now)
            except RefusedError as error:
                yield error


def picture_of(opened: OpenedRead) -> bytes:
    """Its JPEG. Raises UsageError where the rule released none."""
    if opened.crop is None:
        raise UsageError(
            "this read carries no picture",
            where=f"read {opened.tags.read_id}",
            fix="leave --crop out",
        )
    return opened.crop


def _refuse_late(deadline: datetime, row: StoredRead, now: Instant) -> None:
    """By either time: a refusal can be undone, so a clock that merely says so is enough for it."""
    if now.reached(deadline) or now.utc >= deadline:
        raise EnvelopeRefusedError(
            Reason.DEADLINE_PASSED,
            f"had to be gone by {rfc3339(deadline)}",
            where=f"read {row.read_id}",
            fix="nobody may see it any more; that is the retention",
        )


def _opened(opener: Opener, store: ReadStore, row: StoredRead, now: Instant) -> OpenedRead:
    _refuse_late(row.deadline, row, now)
    opened = opener.open(store.wire(row))
    # The index is not signed; the tags are.
    _refuse_late(opened.tags.deadline, row, now)
    if (opened.tags.device, opened.tags.read_id) != (row.device, row.read_id):
        raise EnvelopeRefusedError(
            Reason.MALFORMED,
            "the file holds another read than its name says",
            where=f"read {row.read_id}",
        )
    return opened
