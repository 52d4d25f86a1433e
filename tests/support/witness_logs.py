"""Logs, older copies of them and witnesses for tests of cosignatures."""

import json
from pathlib import Path

from typer.testing import CliRunner

from agent.audit.witnesses.witness_folder import new_witness
from agent.commands.audit import app
from tests.components.test_log_attacks import a_log, note_of
from tests.support.audit_logs import tamper

NOW_S = 1_800_000_000


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def cut(folder: Path, size: int) -> Path:
    """The same log, as it was when it had `size` leaves."""
    older = note_of(folder, size)
    tamper(
        folder,
        f"DELETE FROM leaf WHERE n >= {size}",
        f"DELETE FROM checkpoint WHERE size > {size}",
    )
    (folder / "checkpoint").write_bytes(older)
    return folder


def log_of(folder: Path, size: int, most: int = 21, copy: int = 0) -> Path:
    """A log with `size` of the leaves of one of `most`; another `copy` is another history."""
    return cut(a_log(folder, most, copy), size)


def a_witness(folder: Path, name: str = "witness.example/w1") -> tuple[Path, str]:
    """Its folder, and its vkey."""
    return folder, str(new_witness(folder, name))


def witnessed(state, key, *paths):
    """What the command prints as JSON, and how it ends."""
    result = run("witness", *paths, "--state", state, "--key", key, "--json")
    assert result.output.startswith("{"), result.exception
    return json.loads(result.output), result.exit_code


def cosigned_file(state: Path) -> Path:
    """Of the one log that the witness knows."""
    [file] = state.glob("*.checkpoint")
    return file
