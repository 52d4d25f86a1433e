"""Options that the camera's commands share."""

from pathlib import Path
from typing import Annotated

import typer

CONFIG_FILE = Path("/etc/platewarden/platewarden.toml")

Config = Annotated[Path, typer.Option("--config", help="Settings file.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

# of the processes that say what happens: `run`, `watch`, `deliver`
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Say nothing of what happens, and no summary. Errors stay."),
]
SummaryJson = Annotated[
    bool,
    typer.Option("--json", help="Print the closing summary as one JSON object."),
]
AllowUnsigned = Annotated[
    bool,
    typer.Option("--allow-unsigned", help="Accept an unsigned policy. For tests and rigs only."),
]


def warn_unsigned(anchor: Path, *, allow_unsigned: bool, quiet: bool) -> None:
    """Say that an unsigned policy is accepted, where one is: an enrolled camera, which has an
    `anchor`, obeys signed bundles, whatever it is told.
    """
    if allow_unsigned and not anchor.exists() and not quiet:
        typer.echo(
            "platewarden: the policy is unsigned; accepted because of --allow-unsigned", err=True
        )
