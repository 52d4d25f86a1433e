"""Passphrases and PINs: from a private file, or asked for on the terminal, where they are not
shown.
"""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING

from agent.disk.private_file import read_private
from agent.errors import ConfigError, StorageError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MIN_PASSPHRASE = 10


def secret_from(file: Path | None) -> Callable[[str], str]:
    """Asks for a passphrase or PIN: from the file, or on the terminal, where it is not shown.

    Raises StorageError, UsageError.
    """

    def asked(what: str) -> str:
        if file is not None:
            return _first_line(file)
        if not sys.stdin.isatty():
            raise UsageError(
                f"{what}: needed, and there is no terminal to ask on",
                fix="give --passphrase-file FILE, mode 0600",
            )
        return getpass.getpass(f"{what}: ", stream=sys.stderr)

    return asked


def new_passphrase(what: str, file: Path | None) -> str:
    """A passphrase for a new key, asked for twice, or from the file.

    Raises UsageError where it is too short.
    """
    secret = secret_from(file)
    passphrase = secret(f"new passphrase of {what}")
    if len(passphrase) < MIN_PASSPHRASE:
        raise UsageError(
            f"a passphrase of {MIN_PASSPHRASE} characters at least",
            where=what,
            fix="four or five words are good ones",
        )
    if file is None and secret("the same again") != passphrase:
        raise UsageError(
            "the two passphrases differ", where=what, fix="try again; nothing was made"
        )
    return passphrase


def _first_line(file: Path) -> str:
    try:
        lines = read_private(file).decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise ConfigError(
            "is not text", where=file, fix="name a file whose first line is the passphrase"
        ) from None
    except StorageError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise StorageError(
                "no such file", where=file, fix="name a file whose first line is the passphrase"
            ) from None
        raise
    return lines[0] if lines else ""
