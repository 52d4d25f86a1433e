"""`platewarden policy check`: every fault of a policy at once, with its place, its reason, its
source and the next step.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.city.moment import moment
from agent.commands.city_options import Json, On, OtherPurpose
from agent.core.text.visible import visible
from agent.doc_paths import located
from agent.values import asdict, replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.core.judging.check.finding import Finding
    from agent.core.judging.check.policy_check import Against, Checked, File

MAX_SHOWN = 200

app = typer.Typer(add_completion=False)


@app.command()
def check(
    policy: Annotated[Path, typer.Argument(help="The policy, a TOML file.")],
    charter: Annotated[
        Path | None,
        typer.Option(
            "--charter", help="The charter above it. Default: charter.toml beside the policy."
        ),
    ] = None,
    roster: Annotated[
        Path | None,
        typer.Option(
            "--roster", help="The cameras' roster. Default: roster.toml beside the policy."
        ),
    ] = None,
    jurisdiction: Annotated[
        str | None,
        typer.Option(
            "--jurisdiction",
            help="A profile (us-ca) or its file. Default: the one that the policy names.",
        ),
    ] = None,
    other_purpose: OtherPurpose = None,
    as_json: Json = False,
    on: On = "",
) -> None:
    """Check a policy against its charter and its jurisdiction's facts: every fault at once.

    Exit 0: no fault. Exit 2: a file is malformed. Exit 3: charter, roster or law do not permit what
    it says.
    """
    from agent.city.policy_files import load_for_check
    from agent.core.judging.check.policy_check import check_policy

    today = moment(on, rig=True).date()
    written, against = load_for_check(policy, charter, roster, jurisdiction, today)
    others = frozenset(other_purpose or ())
    checked = check_policy(written, replace(against, other_purposes=others))
    if as_json:
        typer.echo(json.dumps(as_table(checked, policy, against), ensure_ascii=True))
        if checked.faults:
            raise typer.Exit(2 if checked.malformed else 3)
        return
    for line in told(checked):
        typer.echo(visible(line))
    for line in _held_against(against):
        typer.echo(visible(line))
    checked.require_faultless(str(policy))
    typer.echo(_verdict(against, written))


def _verdict(against: "Against", written: "File") -> str:
    """A bare "No fault" would be read as "lawful"."""
    profile = against.profile
    if profile is None:
        from agent.city.policy_files import jurisdiction_of

        named = jurisdiction_of(written) or "its jurisdiction"
        return f"No fault; not held against any law: there is no profile for {named}."
    why = profile.not_held()
    return f"No fault; not held against any law of {profile.id} ({why})." if why else "No fault."


def told(checked: "Checked") -> "Iterator[str]":
    """Faults, then notes, for people."""
    for one in checked.faults[:MAX_SHOWN]:
        yield f"{one.place}: {one.field}: {one.what} [{one.code}]"
        yield from _because(one)
    if len(checked.faults) > MAX_SHOWN:
        yield f"… and {len(checked.faults) - MAX_SHOWN} more faults (--json lists them all)"
    for one in checked.notes[:MAX_SHOWN]:
        yield f"{one.place}: note: {one.what}"
        yield from _because(one)


def _because(one: "Finding") -> "Iterator[str]":
    for name, value in (("why", one.why), ("source", one.source), ("fix", one.fix)):
        if value:
            yield f"    {name:<7} {located(value)}"


def _held_against(against: "Against") -> "Iterator[str]":
    named = [file.where for file in (against.charter, against.roster) if file]
    if against.profile and against.profile.use == "check":
        counsel = (
            "confirmed by counsel"
            if against.profile.counsel_confirmed
            else "no counsel has confirmed them; not advice"
        )
        named.append(f"the facts for {against.profile.name} ({counsel})")
    yield f"Held against the schema{', ' if named else ''}{', '.join(named)}."


def as_table(checked: "Checked", policy: Path, against: "Against") -> dict[str, object]:
    """The result as plain values (docs/ref/policy-check.md)."""
    profile = against.profile
    facts = (
        {
            "id": profile.id,
            "profile": profile.where,
            "use": profile.use,
            "counsel_confirmed": profile.counsel_confirmed,
        }
        if profile
        else None
    )
    return {
        "ok": not checked.faults,
        "policy": str(policy),
        "charter": against.charter.where if against.charter else None,
        "roster": against.roster.where if against.roster else None,
        "jurisdiction": facts,
        "held_against_law": profile is not None and not profile.not_held(),
        "faults": [asdict(one) for one in checked.faults],
        "notes": [asdict(one) for one in checked.notes],
    }
