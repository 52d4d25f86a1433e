"""Opens the stored reads that somebody asks for; one that is refused hides none of the others."""

from collections.abc import Iterator
from contextlib import closing

from agent.core.reasons import Reason
from agent.errors import EnvelopeRefusedError, RefusedError, UsageError
from agent.receiver.opener import OpenedRead, Opener
from agent.receiver.received_reads import ReceivedReads, StoredRead
from agent.receiver.workplace import Workplace


def opened_reads(
    place: Workplace, read_id: str | None, *, for_picture: bool
) -> Iterator[OpenedRead | RefusedError]:
    """The read of that id, or all in order of arrival; in place of one that does not open, why.

    `for_picture`: its picture is wanted, so it must be one. Raises UsageError, StorageError.
    """
    opener = place.opener()
    with closing(place.store()) as store:
        rows = store.reads(read_id)
        if read_id is not None and not rows:
            raise UsageError(
                "no such read is stored here",
                where=place.folder / "store",
                fix=f"`platewarden receiver open {place.folder}` shows all",
            )
        if for_picture and len(rows) != 1:
            raise UsageError(
                f"--crop needs one read, {len(rows)} are stored",
                fix="name it: receiver open DIR READ_ID --crop FILE",
            )
        for row in rows:
            try:
                yield _opened(opener, store, row)
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


def _opened(opener: Opener, store: ReceivedReads, row: StoredRead) -> OpenedRead:
    opened = opener.open(store.wire(row))
    if (opened.tags.device, opened.tags.read_id) != (row.device, row.read_id):
        raise EnvelopeRefusedError(
            Reason.MALFORMED,
            "the file holds another read than its name says",
            where=f"read {row.read_id}",
        )
    return opened
