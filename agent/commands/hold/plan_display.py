"""How a signature under a hold, or under its rules, is asked for and told."""

import json
from typing import TYPE_CHECKING

import typer

from agent.commands.city_options import require_agreed
from agent.core.text.visible import visible

if TYPE_CHECKING:
    from agent.city.hold_signature import SignaturePlan


def ask(plan: "SignaturePlan", question: str, *, yes: bool, as_json: bool) -> None:
    """Show what would be signed, and end here where the answer is no."""
    for line in plan.lines:
        typer.echo(visible(line), err=as_json)
    require_agreed(question, yes=yes)


def tell(plan: "SignaturePlan", done: str, *, as_json: bool) -> None:
    """Who has signed, and who must still; `done`: what comes next where enough have."""
    if as_json:
        table = {"file": str(plan.path), "signed": list(plan.signed), "missing": plan.missing}
        typer.echo(json.dumps(table))
        return
    for line in plan.told(done):
        typer.echo(visible(line))
