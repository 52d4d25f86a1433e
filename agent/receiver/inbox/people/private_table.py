"""A private file of the inbox: one closed table of version 1, as this software wrote it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from agent.core.text.strict_json import Fields, parse_object
from agent.disk.private_file import MAX_BYTES, read_private
from agent.errors import EnvelopeRefusedError, StorageError


@contextmanager
def read_table(
    path: Path,
    required: Sequence[str],
    max_bytes: int = MAX_BYTES,
    optional: Sequence[str] = (),
    fix: str = "remove it, and make it again",
) -> Iterator[Fields]:
    """Its fields, to be read inside; whatever does not fit is one StorageError."""
    try:
        fields = Fields(
            parse_object(read_private(path, max_bytes), str(path)),
            str(path),
            required=("v", *required),
            optional=optional,
        )
        fields.exactly("v", 1)
        yield fields
    except (EnvelopeRefusedError, ValueError):
        raise StorageError("is no file as this software writes it", where=path, fix=fix) from None
