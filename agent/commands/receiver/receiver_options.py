"""Options that the commands of `receiver` share."""

from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The receiver's folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
