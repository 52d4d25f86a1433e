"""What the city's commands share: options, and the question before a signature."""

from pathlib import Path
from typing import Annotated

import typer

KEYID_SHOWN = 12  # hex digits of a key's id: 48 bits, which people compare

City = Annotated[
    Path,
    typer.Option(
        "--city", help="The city's folder: charter.toml, policy.toml, repository/, pending/."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        envvar="PLATEWARDEN_PASSPHRASE_FILE",
        help="Take the passphrase or PIN from this file's first line. Without it, you are asked.",
    ),
]
OtherPurpose = Annotated[
    list[str] | None,
    typer.Option(
        "--other-purpose",
        help="This purpose looks like one that the charter forbids, and is another. May be given "
        "many times.",
    ),
]
Enrol = Annotated[
    list[Path] | None,
    typer.Option(
        "--enrol",
        help="Enrol cameras: an enrolment file, or a folder of them. May be given many times.",
    ),
]
Replace = Annotated[
    list[str] | None,
    typer.Option("--replace", help="With --enrol: this camera is a new device in the same place."),
]
Retire = Annotated[
    list[str] | None,
    typer.Option("--retire", help="Strike a camera from the roster of enrolled ones."),
]
RosterKey = Annotated[
    str, typer.Option("--roster-key", help="Your private key of the city's root (PEM).")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask before signing.")]
On = Annotated[
    str,
    typer.Option(
        "--on",
        envvar="PLATEWARDEN_ON",
        help="Act as on this day or at this time (UTC), for rehearsals. Only a rig's city may "
        "sign ahead of its time.",
    ),
]


def require_agreed(question: str, *, yes: bool) -> None:
    """Ask, unless `--yes` says so already, and end here where the answer is no."""
    if not yes and not typer.confirm(question, err=True):
        typer.echo("Nothing was signed.", err=True)
        raise typer.Exit(1)
