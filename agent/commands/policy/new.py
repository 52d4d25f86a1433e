"""`platewarden policy new`: a first charter, policy and roster from a jurisdiction's profile,
checked before they are written.
"""

import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.city.moment import moment
from agent.commands.city_options import On

if TYPE_CHECKING:
    from agent.city.first_drafts import DraftFiles

# What is asked on a terminal, and stands where neither a flag nor an answer says otherwise.
QUESTIONS = {
    "city": ("The city's name", "City of Exampleville"),
    "recipient": ("Id of the one agency that receives (a-z, 0-9, -)", "city-police"),
    "legal_name": ("Its legal name", "City Police Department"),
    "basis": ("On what legal basis (ordinance, resolution)", "to be adopted"),
    "kind": ("What it is", "local-law-enforcement"),
    "camera": ("Id of the first camera", "camera-1"),
    "stands": ("Where it stands", "to be told"),
    "near": ("Kinds of place near it, with commas; empty for none", ""),
    "host": ("The broker's host name, for its certificate", "mqtt.city.example"),
    "address": ("The broker's IP address and port", "192.0.2.10:8883"),
}

app = typer.Typer(add_completion=False)


@app.command()
def new(
    profile_name: Annotated[
        str, typer.Option("--from", help="The jurisdiction's profile, such as us-ca, or its file.")
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            help="Folder for charter.toml, policy.toml and roster.toml. None of them may be "
            "there yet.",
        ),
    ] = Path(),
    city: Annotated[str | None, typer.Option(help="The city's name.")] = None,
    recipient: Annotated[str | None, typer.Option(help="Id of the agency that receives.")] = None,
    legal_name: Annotated[str | None, typer.Option(help="Its legal name.")] = None,
    basis: Annotated[str | None, typer.Option(help="Its legal basis.")] = None,
    kind: Annotated[
        str | None, typer.Option(help="What it is, such as local-law-enforcement.")
    ] = None,
    key: Annotated[
        str,
        typer.Option(help="Its Ed25519 public key. Default: a placeholder that no one holds."),
    ] = "",
    camera: Annotated[str | None, typer.Option(help="Id of the first camera.")] = None,
    stands: Annotated[str | None, typer.Option(help="Where it stands.")] = None,
    near: Annotated[str | None, typer.Option(help="Kinds of place near it, with commas.")] = None,
    host: Annotated[str | None, typer.Option(help="The broker's host name.")] = None,
    address: Annotated[str | None, typer.Option(help="The broker's IP address and port.")] = None,
    pin: Annotated[
        str,
        typer.Option(help="The broker's SPKI pin. Default: a placeholder that no server has."),
    ] = "",
    retention_days: Annotated[
        int | None,
        typer.Option(
            "--retention", help="Days, at least 2. Default: 21, or less where the profile says so."
        ),
    ] = None,
    days: Annotated[
        int, typer.Option(help="Days until the policy expires.", min=1, max=3650)
    ] = 180,
    yes: Annotated[
        bool, typer.Option("--yes", help="Ask nothing. Take the defaults for what is not given.")
    ] = False,
    on: On = "",
) -> None:
    """Start a charter, a policy and a roster from a jurisdiction's facts. They pass `policy check`.

    On a terminal it asks for what no flag gives.
    """
    from agent.bundles import jurisdiction_files
    from agent.city.first_drafts import draft_files, require_free
    from agent.core.judging.policy_draft import Answers, require_place, retention_for

    profile = jurisdiction_files.named(profile_name)
    require_place(profile)
    require_free(out)
    given = {
        "city": city,
        "recipient": recipient,
        "legal_name": legal_name,
        "basis": basis,
        "kind": kind,
        "camera": camera,
        "stands": stands,
        "near": near,
    }
    found = _ask(given | {"host": host, "address": address}, ask=sys.stdin.isatty() and not yes)
    today = moment(on, rig=True).date()
    answers = Answers(
        city=found["city"],
        recipient=found["recipient"],
        legal_name=found["legal_name"],
        basis=found["basis"],
        kind=found["kind"],
        camera=found["camera"],
        stands=found["stands"],
        near=tuple(place.strip() for place in found["near"].split(",") if place.strip()),
        host=found["host"],
        address=found["address"],
        effective=today,
        expires=today + timedelta(days=days),
        retention_days=retention_for(profile) if retention_days is None else retention_days,
        key=key,
        pin=pin,
    )
    _keep(draft_files(profile, answers, out, today))


def _keep(made: "DraftFiles") -> None:
    """Write the drafts, or tell what is wrong with them."""
    from agent.commands.policy.check import told

    if made.checked.faults:
        for line in told(made.checked):
            typer.echo(line, err=True)
    made.keep()
    for line in told(made.checked):
        typer.echo(line)
    typer.echo(
        f"Written: {', '.join(made.texts)} in {made.folder}. Read them, and put in what is still "
        f"a placeholder. Then type: platewarden policy check {made.folder / 'policy.toml'}"
    )


def _ask(given: dict[str, str | None], *, ask: bool) -> dict[str, str]:
    """Each answer: from its flag, else asked for, else the default."""
    found = {}
    for name, (question, default) in QUESTIONS.items():
        value = given[name]
        found[name] = (
            value
            if value is not None
            else typer.prompt(question, default=default, err=True)
            if ask
            else default
        )
    return found
