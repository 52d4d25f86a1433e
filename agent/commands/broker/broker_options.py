"""Options that the broker's commands share."""

from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[
    Path,
    typer.Argument(metavar="DIR", help="The broker's folder, on the desk of whoever runs it."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
