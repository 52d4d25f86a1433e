"""Reads one small file that somebody else wrote: regular, bounded, or a ConfigError that names it and the next step."""

import os
import stat
from pathlib import Path

from agent.errors import ConfigError


def read_input(path: Path, max_bytes: int, *, missing: str) -> bytes:
    """The bytes of a regular file; `missing` is the next step where there is none. Raises ConfigError.

    Mitigates against: FIFOs that block, devices that never end, files that fill the memory. A link is followed: a city may link its files.
    """
    try:
        # O_NONBLOCK: opening a FIFO would otherwise wait for a writer for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise ConfigError("no such file", where=path, fix=missing) from None
    except OSError as error:
        raise ConfigError(f"cannot open: {(error.strerror or 'unknown error').lower()}", where=path, fix="check its owner and permissions") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ConfigError("not a regular file", where=path, fix=missing)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise ConfigError(f"cannot read: {(error.strerror or 'unknown error').lower()}", where=path, fix="check the disk") from None
    finally:
        os.close(descriptor)
    if len(data) > max_bytes:
        raise ConfigError(f"more than {max_bytes} bytes", where=path, fix="is it the right file?")
    return data
