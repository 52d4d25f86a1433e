"""Prints a survey for people."""

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from agent.aim.survey_chart import cells

COLUMNS = (
    "hour UTC",
    "frames",
    "reads",
    "sure",
    "width px",
    "detail",
    "light",
    "contrast",
    "picture",
    "verdict",
)
COLOURS = {"works": "green", "poor": "yellow", "fails": "red"}


def print_table(rows: Sequence[Mapping[str, object]]) -> None:
    """One line an hour: middle values, verdict, what was lacking."""
    console = Console(soft_wrap=True)
    if not rows:
        console.print("no frame came")
        return
    table = Table(*COLUMNS, box=box.SIMPLE)
    for row in rows:
        table.add_row(*cells(row), style=COLOURS.get(str(row["verdict"])))
    console.print(table)
