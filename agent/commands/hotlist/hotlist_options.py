"""What the commands of `hotlist` share: options, and the plate, which is never one of them."""

import sys
from pathlib import Path
from typing import Annotated

import typer

State = Annotated[str, typer.Option("--state", help="Issuing state, ISO 3166: US-CA.")]
By = Annotated[
    str,
    typer.Option(
        "--by", help="Who does this: a name or number that the city can tell a person by."
    ),
]
Why = Annotated[str, typer.Option("--why", help="Why, in one line. It stays in the city's file.")]

OnlinePassphraseFile = Annotated[
    Path | None,
    typer.Option("--online-passphrase-file", help="As --passphrase-file, for --online-key."),
]


def plate() -> str:
    """From the terminal or standard input, never from the command line: arguments stand in the
    shell's history and in everybody's list of processes (P9).
    """
    if sys.stdin.isatty():
        print("plate: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline(200).strip()
