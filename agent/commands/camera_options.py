"""Options that the camera's commands share."""

from pathlib import Path
from typing import Annotated

import typer

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
Stills = Annotated[
    bool,
    typer.Option(
        "--stills",
        help="The source is a folder of unrelated pictures: each is taken for itself, and one that "
        "lies or stands on its head is turned.",
    ),
]
AllowUnsigned = Annotated[
    bool,
    typer.Option("--allow-unsigned", help="Accept an unsigned policy. For tests and rigs only."),
]
