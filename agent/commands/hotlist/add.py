"""`platewarden hotlist add`: puts one plate on the list by hand, within the policy's daily cap."""

import json
from typing import Annotated

import typer

from agent.city.passphrase import secret_from
from agent.commands.city_options import Json, PassphraseFile
from agent.commands.hotlist.hotlist_allowances import (
    AllowDates,
    AllowForeign,
    AllowNoPlateWords,
)
from agent.commands.hotlist.hotlist_options import By, City, State, Why, plate

app = typer.Typer(add_completion=False)


@app.command()
def add(
    city: City,
    state: State,
    category: Annotated[
        str,
        typer.Option("--category", help="A category that the charter allows, or never-release."),
    ],
    agency: Annotated[str, typer.Option("--agency", help="Who wants to know.")],
    case: Annotated[str, typer.Option("--case", help="Its reference for the case.")],
    expires: Annotated[
        str,
        typer.Option("--expires", help="The first day on which it matches no more, or days as 9d."),
    ],
    by: By,
    why: Why,
    source_date: Annotated[
        str,
        typer.Option("--source-date", help="The date of the report, 2026-11-22. Default: today."),
    ] = "",
    vehicle_class: Annotated[str, typer.Option("--class", help="Vehicle class, where known.")] = "",
    signing_key: Annotated[
        str,
        typer.Option(
            "--signing-key",
            help="Your key, where the charter names signers. Another person then approves it.",
        ),
    ] = "",
    passphrase_file: PassphraseFile = None,
    allow_no_plate_words: AllowNoPlateWords = False,
    allow_foreign: AllowForeign = False,
    allow_dates: AllowDates = False,
    as_json: Json = False,
) -> None:
    """Add one plate by hand. The plate is asked for, or read from standard input."""
    from agent.city.hotlist_acts import Actor, add_entry, entry_dates, require_category
    from agent.city.hotlist_hand import load_hand
    from agent.city.moment import moment
    from agent.core.hotlist.plausibility.doubts import Doubt

    now = moment("")
    require_category(city, category)  # before anybody is asked for a plate
    source_date, expires = entry_dates(source_date, expires, now.date())
    words = (plate(), state, category, agency, case, source_date, expires, vehicle_class)
    key = load_hand(signing_key, secret_from(passphrase_file)) if signing_key else None
    given = {
        Doubt.NO_PLATE: allow_no_plate_words,
        Doubt.FOREIGN: allow_foreign,
        Doubt.DATES: allow_dates,
    }
    allowed = frozenset(doubt for doubt, is_allowed in given.items() if is_allowed)
    left = add_entry(city, words, Actor(by, why, now), key, allowed)
    table = {"added": 1, "additions_left_today": left}
    typer.echo(json.dumps(table) if as_json else f"added; {left} more may be added today")
