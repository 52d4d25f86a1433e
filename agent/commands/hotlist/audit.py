"""`platewarden hotlist audit`: what an oversight board asks of a hot list, in numbers."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from agent.commands.city_options import Json
from agent.commands.hotlist.hotlist_options import City
from agent.core.text.visible import visible

if TYPE_CHECKING:
    from agent.city.hotlist_audit import Audit

MOST_SHOWN = 20
app = typer.Typer(add_completion=False)


@app.command()
def audit(city: City, as_json: Json = False) -> None:
    """Tell an oversight board who listed plates, under which cases, and how often. No plate.

    The city's log is proven first. Exit 3: it is not what was signed.
    """
    from agent.city.hotlist_audit import audit as audited
    from agent.city.moment import moment

    found = audited(city, moment("").date())
    if as_json:
        typer.echo(json.dumps(found.table(), ensure_ascii=True))
        return
    for line in _lines(found):
        typer.echo(visible(line))


def _lines(found: "Audit") -> Iterator[str]:
    from agent.city.hotlist_audit import NOT_KNOWN_HERE

    yield f"log                 {found.origin}, {found.leaves} acts, each as it was signed"
    yield f"root                {found.root}"
    yield "acts by month"
    for month, acts in found.months.items():
        yield f"  {month}           {', '.join(f'{act} {n}' for act, n in sorted(acts.items()))}"
    yield f"added by hand       {found.added}, of them {found.alone} by one person alone"
    yield "by whom             added  approved  withdrawn  protected"
    for one in found.people[:MOST_SHOWN]:
        yield (
            f"  {one.by:<18}{one.added:>5}{one.approved:>10}{one.withdrawn:>11}{one.protected:>11}"
        )
    yield from _rest(len(found.people), "people")
    if found.pairs:
        yield "signed together"
    for (first, second), number in list(found.pairs.items())[:MOST_SHOWN]:
        yield f"  {number:>5}  added by {first}, approved by {second}"
    yield from _rest(len(found.pairs), "pairs")
    yield from _cases(found)
    if found.last_import is not None:
        last = found.last_import
        yield f"last import         {last['at']}: {last['entries']} entries"
        yield f"  refused           {json.dumps(last['refused'], sort_keys=True)}"
    yield f"not known here      {NOT_KNOWN_HERE}"


def _cases(found: "Audit") -> Iterator[str]:
    cases = found.cases
    forms = (
        "the charter names no form of a case number"
        if cases.in_no_form is None
        else f"in no form of the charter: {cases.in_no_form} additions, "
        f"{cases.listed_in_no_form} of the {found.entries} imported entries"
    )
    yield f"cases               {forms}"
    if cases.withheld:
        yield f"  withheld          {cases.withheld}: they hold the plate"
    if cases.shared > 1:
        yield f"  shared            one case stands for {cases.shared} entries of the list"


def _rest(number: int, what: str) -> Iterator[str]:
    if number > MOST_SHOWN:
        yield f"  … and {number - MOST_SHOWN} more {what} (--json lists them all)"
