"""`platewarden policy explain`: who could receive what, from which cameras, until when, on what
basis; and which lines refuse everybody else.
"""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from agent.commands.city_options import Json
from agent.core.judging.explain.explained_files import Files
from agent.core.judging.explain.false_leads import Inputs, estimate_all
from agent.core.text.visible import visible
from agent.errors import UsageError
from agent.values import replace

STANDARD = Inputs(listed=0)

app = typer.Typer(add_completion=False)


@app.command()
def explain(
    policy: Annotated[
        Path | None, typer.Argument(help="The policy, a TOML file; or leave it out for --city.")
    ] = None,
    charter: Annotated[
        Path | None,
        typer.Option(help="The council's charter. Default: charter.toml beside the policy."),
    ] = None,
    roster: Annotated[
        Path | None,
        typer.Option(help="The roster of cameras. Default: roster.toml beside the policy."),
    ] = None,
    city: Annotated[
        Path | None,
        typer.Option(
            help="A city's folder: what was published and in force on that day, and who signed it."
        ),
    ] = None,
    camera: Annotated[str, typer.Option(help="Only from this camera.")] = "",
    recipient: Annotated[
        str,
        typer.Option(help="Only this one, on one screen, with every line that allows or refuses."),
    ] = "",
    purpose: Annotated[str, typer.Option(help="Only for this purpose.")] = "",
    on: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="As of this day (UTC). Default: today."),
    ] = None,
    as_json: Json = False,
    html: Annotated[
        Path | None, typer.Option(help="Write a page for the public: one offline HTML file.")
    ] = None,
    list_size: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Entries in each rule's categories. Default: those of the hot list beside the "
            "policy.",
        ),
    ] = None,
    vehicles: Annotated[
        int, typer.Option(min=0, help="Vehicles that pass a camera in a day.")
    ] = STANDARD.vehicles_per_day,
    misread: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Share of all readings that are wrong: models/recognizer.md."
        ),
    ] = STANDARD.misread,
    plate_space: Annotated[
        int,
        typer.Option(
            min=1, help="Plates that could exist. The default counts the pattern 1ABC234."
        ),
    ] = STANDARD.plate_space,
    base_rate: Annotated[
        float, typer.Option(min=0, max=1, help="Share of passing vehicles that are listed.")
    ] = STANDARD.base_rate,
    other_state: Annotated[
        float, typer.Option(min=0, max=1, help="Share of passing vehicles from another state.")
    ] = STANDARD.other_state,
) -> None:
    """Tell who could receive what, from which cameras, until when and on what basis. Tell which
    lines refuse everybody else.

    Exit 0, whatever the answer is. The camera's own code is asked what it would decide. How often
    it would be the wrong car is an estimate.
    """
    from agent.city.pages import explain_text as text
    from agent.city.policy_files import listed_by_category, write_page
    from agent.core.judging.explain.answers import explain as answer
    from agent.core.text.identifier import IDENTIFIER

    for name, value in (("--recipient", recipient), ("--purpose", purpose), ("--camera", camera)):
        if value and not IDENTIFIER.fullmatch(value):
            raise UsageError(
                f"{value[:64]!a} is no identifier",
                where=name,
                fix="use a-z, 0-9 and - only, as in the policy",
            )
    now = datetime.now(UTC)
    day = on.date() if on else now.date()
    files = _files(city, (policy, charter, roster), day, now)
    _require_listed(camera, files.cameras)
    told = answer(files, day, recipient=recipient, purpose=purpose, camera=camera)
    inputs = replace(STANDARD, vehicles_per_day=vehicles, plate_space=plate_space)
    inputs = replace(inputs, misread=misread, base_rate=base_rate, other_state=other_state)
    # A past day's list is not kept, so that the default number stands for it.
    beside = listed_by_category(policy.parent, day) if policy else None
    listed = beside if list_size is None else list_size
    leads = estimate_all(told, inputs, listed)
    if html is not None:
        from agent.city.pages.explain_page import render

        write_page(html, render(told, leads))
    if as_json:
        from agent.city.pages.explain_json import as_table

        print(json.dumps(as_table(told, leads), ensure_ascii=True))
        return
    tell = text.one if recipient else text.overview
    # Before lines are wrapped: wrapping would take a tab or U+2028 in a name for a space.
    charter_file = visible(files.charter_lines.where) if files.charter_lines else ""
    for line in tell(
        told, leads, policy_file=visible(str(policy or city)), charter_file=charter_file
    ):
        print(visible(line))


def _files(
    city: Path | None, named: tuple[Path | None, Path | None, Path | None], day: date, now: datetime
) -> Files:
    """The files that were named, or what was in force in the city on that day.

    Raises UsageError where both are given: one of the two would be passed over in silence.
    """
    policy, charter, roster = named
    if city is None:
        if policy is None:
            raise UsageError("no policy is named", fix="name a policy file, or --city DIR")
        from agent.city.policy_files import load

        return load(policy, charter, roster)
    if any(named):
        raise UsageError(
            "names files that a city's archive holds itself",
            where="--city",
            fix="leave the policy, --charter and --roster out, or leave --city out",
        )
    from agent.city.in_force import in_force

    return in_force(city, day, now)


def _require_listed(camera: str, known: tuple[str, ...]) -> None:
    if camera and camera not in known:
        raise UsageError(
            f"the roster does not list {camera!r}",
            where="--camera",
            fix=f"one of {', '.join(known)}" if known else "name a roster",
        )
