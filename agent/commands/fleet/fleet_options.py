"""Options that the fleet's commands share."""

from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[
    Path, typer.Argument(metavar="DIR", help="The fleet's folder, with fleet.toml in it.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
