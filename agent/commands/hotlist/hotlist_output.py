"""Prints what a hot list holds, in numbers, for people or as JSON."""

import json
from collections.abc import Mapping

import typer


def print_overview(table: Mapping[str, object], *, as_json: bool) -> None:
    """The table of agent/city/hotlist_overview.py."""
    if as_json:
        typer.echo(json.dumps(table, ensure_ascii=True))
        return
    for name, value in table.items():
        if isinstance(value, dict):
            typer.echo(f"{name.replace('_', ' ')}:{'' if value else ' none'}")
            for category, count in value.items():
                typer.echo(f"  {category:<28}{count:>10,}")
        elif name == "by_hand" and isinstance(value, list):
            typer.echo(f"{'by hand':<20} {len(value)}")
            for act in value:
                typer.echo(
                    f"  {act['at']}  {act['action']:<8}  {act['category']:<20}  by {act['by']}"
                )
        else:
            typer.echo(f"{name.replace('_', ' '):<20} {_told(value)}")


def _told(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)
