"""What the `bundle` commands share: options, the time, passphrases, and one writer at a time."""

from __future__ import annotations

import getpass
import sys
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.disk.private_file import read_private
from agent.errors import ConfigError, StorageError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

City = Annotated[Path, typer.Option("--city", help="The city's folder: charter.toml, policy.toml, repository/, pending/.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file", envvar="PLATEWARDEN_PASSPHRASE_FILE", help="Take the passphrase or PIN from this file's first line; else it is asked for."
    ),
]
On = Annotated[
    str,
    typer.Option(
        "--on",
        envvar="PLATEWARDEN_ON",
        help="Act as on this day or at this time (UTC), for rehearsals; nothing is signed ahead of its time but in a rig's city.",
    ),
]
MIN_PASSPHRASE = 10
_DAY = len("2026-11-22")
_SLACK = timedelta(minutes=5)


def moment(on: str, *, rig: bool = False) -> datetime:
    """Now, or what `--on` says, UTC, to the millisecond. Raises UsageError.

    A later time than now would end up in signed metadata and stand in the way of every honest one after it: cameras never go back. So only a rig's city may.
    """
    now = datetime.now(UTC)
    found = now if not on else _parsed(on, now)
    if found > now + _SLACK and not rig:
        raise UsageError("is in the future", where="--on", fix="only a city made with `bundle init --rig` may be taken ahead of the time")
    return found.replace(microsecond=found.microsecond // 1000 * 1000)


def _parsed(on: str, now: datetime) -> datetime:
    """A day means the present time of that day."""
    try:
        found = datetime.combine(date.fromisoformat(on), time(now.hour, now.minute, now.second), UTC) if len(on) == _DAY else datetime.fromisoformat(on)
    except ValueError:
        found = now.replace(tzinfo=None)
    if found.tzinfo is None:
        raise UsageError("no time", where="--on", fix="write 2026-11-22 or 2026-11-22T06:00:00Z")
    return found.astimezone(UTC)


def secret_from(file: Path | None) -> Callable[[str], str]:
    """Asks for a passphrase or PIN: from the file, or on the terminal, where it is not shown. Raises StorageError, UsageError."""

    def asked(what: str) -> str:
        if file is not None:
            return _first_line(file)
        if not sys.stdin.isatty():
            raise UsageError(f"{what}: needed, and there is no terminal to ask on", fix="give --passphrase-file FILE, mode 0600")
        return getpass.getpass(f"{what}: ", stream=sys.stderr)

    return asked


def new_passphrase(what: str, file: Path | None) -> str:
    """A passphrase for a new key, asked for twice, or from the file. Raises UsageError where it is too short."""
    secret = secret_from(file)
    passphrase = secret(f"new passphrase of {what}")
    if len(passphrase) < MIN_PASSPHRASE:
        raise UsageError(f"a passphrase of {MIN_PASSPHRASE} characters at least", where=what, fix="four or five words are good ones")
    if file is None and secret("the same again") != passphrase:
        raise UsageError("the two passphrases differ", where=what, fix="try again; nothing was made")
    return passphrase


def _first_line(file: Path) -> str:
    try:
        lines = read_private(file).decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise ConfigError("is not text", where=file, fix="name a file whose first line is the passphrase") from None
    except StorageError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise StorageError("no such file", where=file, fix="name a file whose first line is the passphrase") from None
        raise
    return lines[0] if lines else ""
