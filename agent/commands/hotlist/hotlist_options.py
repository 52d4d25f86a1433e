"""What the commands of `hotlist` share: options, a word on where the list lies, and the plate,
which is never an option.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from agent.core.text.visible import visible


def _tell_place(city: Path) -> Path:
    """On stderr, once a command, where the list lies in the city's folder still: how to move it."""
    from agent.city.hotlist_place import how_to_move

    if told := how_to_move(city):
        print(f"platewarden: {visible(told)}", file=sys.stderr)
    return city


City = Annotated[
    Path,
    typer.Option(
        "--city",
        help="The city's folder. The list lies beside it, in CITY-hotlist.",
        callback=_tell_place,
    ),
]
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
