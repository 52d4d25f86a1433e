"""Options that the camera's commands share, and how they are obeyed."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from agent.core.log.closing_words import DeliverTotals, WatchTotals
    from agent.host.teller import Teller

Totals = TypeVar("Totals", "WatchTotals", "DeliverTotals")

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


def warn_unsigned(anchor: Path, *, allow_unsigned: bool, quiet: bool) -> None:
    """Say that an unsigned policy is accepted, where one is: an enrolled camera, which has an
    `anchor`, obeys signed bundles, whatever it is told.
    """
    if allow_unsigned and not anchor.exists() and not quiet:
        typer.echo(
            "platewarden: the policy is unsigned; accepted because of --allow-unsigned", err=True
        )


def summary(
    teller: "Teller", words: Callable[[Totals], str], *, as_json: bool
) -> Callable[[Totals], None]:
    """What `watch` or `deliver` says at its end: one JSON object, also where it is quiet, or its
    words.
    """
    from agent.core.log.closing_words import format_totals

    def closing(totals: Totals) -> None:
        if as_json:
            print(format_totals(totals), flush=True)
        else:
            teller.say(words(totals))

    return closing
