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
Witnesses = Annotated[
    list[str] | None,
    typer.Option(
        "--witness",
        metavar="VKEY",
        help="A witness who must have cosigned: its `name+id+key` line, or a file with it. May be "
        "given many times.",
    ),
]
Quorum = Annotated[
    int | None,
    typer.Option(min=1, help="How many of these witnesses are enough. Without it: all."),
]
WitnessFile = Annotated[
    Path | None,
    typer.Option(
        "--witness-policy",
        help="Instead of both: a file that says which witnesses are enough (C2SP tlog-policy).",
    ),
]
