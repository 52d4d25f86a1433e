"""Options that the auditor's commands share."""

from pathlib import Path
from typing import Annotated

import typer

Logs = Annotated[
    list[Path],
    typer.Argument(
        metavar="PATH...",
        help="A log's folder (state/watch, state/deliver), its log.sqlite, or a folder above: "
        "every log below it is taken.",
    ),
]
Keys = Annotated[
    list[Path] | None,
    typer.Option(
        "--key",
        help="Public keys: a camera's public.json, the city's roster.jws (with --root), a JWK, a "
        "PEM or a `name+id+key` line. May be given many times.",
    ),
]
Root = Annotated[
    Path | None,
    typer.Option(help="The city's root key, root.json, which must have signed the roster."),
]
Kept = Annotated[
    list[Path] | None,
    typer.Option(
        "--checkpoint", help="A checkpoint that you kept from earlier. May be given many times."
    ),
]
