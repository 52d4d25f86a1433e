"""Options of the processes that say what happens: `run`, `watch`, `deliver`."""

from typing import Annotated

import typer

Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Say nothing of what happens, and no summary. Errors stay."),
]
Json = Annotated[
    bool,
    typer.Option("--json", help="Print the closing summary as one JSON object."),
]
