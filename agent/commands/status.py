"""`platewarden status`: what a camera obeys, until when, what it refused and why, whether its clock
is trusted, what waits. Reads files only.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

from agent.core.text.visible import visible
from agent.sides.camera_state import as_table, collect

app = typer.Typer(add_completion=False)
SHOWN_REFUSALS = 3


@app.command()
def status(
    config: Annotated[Path, typer.Option("--config", help="Settings file.")] = Path(
        "/etc/platewarden/platewarden.toml"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show what this camera obeys, until when, what it refused and why, and what waits."""
    from agent import settings

    state = collect(settings.load(config))
    if as_json:
        print(visible(json.dumps(state, ensure_ascii=False)))
        return
    for line in _lines(state):
        print(visible(line))


def _lines(state: Mapping[str, object]) -> Iterator[str]:
    yield f"Camera    {state['camera']}, at {state['at']}"
    if not state["enrolled"]:
        yield (
            "Bundles   not enrolled (no trust/root.json): obeys an unsigned folder, and only "
            "with --allow-unsigned"
        )
        yield f"Policy    {_policy(as_table(state['unsigned_policy']))}, unsigned"
    for name, process in as_table(state.get("processes")).items():
        yield from _process(name, as_table(process))
    outbox, hotlist = as_table(state["outbox"]), as_table(state["hotlist"])
    waiting = f"{outbox.get('waiting')} reads wait, of at most {outbox.get('most')}"
    yield f"Outbox    {outbox.get('problem') or waiting}"
    aged = (
        f"made {hotlist.get('as_of')}, {hotlist.get('age_hours')} h ago; raises nothing after "
        f"{hotlist.get('stale_after')}"
    )
    yield f"Hot list  {hotlist.get('problem') or aged}"
    yield f"Picture   {_camera(as_table(state['camera_health']))}"
    rehearsal = as_table(state["rehearsal"])
    told = (
        f"{rehearsal.get('sealed')} test plates sealed, {rehearsal.get('received')} "
        f"received{', the last ' + str(rehearsal['last']) if rehearsal.get('last') else ''}"
    )
    yield f"Rehearsal {rehearsal.get('problem') or told}"


def _process(name: str, process: Mapping[str, object]) -> Iterator[str]:
    yield ""
    bundles, clock = as_table(process.get("bundles")), as_table(process.get("clock"))
    if process.get("problem"):
        yield f"{name:<9} {process['problem']}"
    else:
        yield f"{name:<9} {_policy(as_table(process.get('policy')))}"
        yield (
            "          bundles of "
            f"{bundles['name']}{', a city made for trying' if bundles['rig'] else ''}, issued "
            f"{bundles['issued']}"
        )
        for role in _list(bundles["roles"]):
            signers = ", ".join(str(signer) for signer in _list(role["signed_by"]))
            yield (
                f"          {role['role']:<24} version {role['version']:<4} "
                f"until {role['expires'] or 'never published'}"
                f"{'  signed by ' + signers if signers else ''}"
            )
        for lapse in _list(bundles["lapses"]):
            yield f"  LAPSED  {lapse['what']}; stops: {lapse['stops']}"
    yield (
        "          clock: "
        f"{clock.get('problem') or str(clock.get('trust')) + ', ' + str(clock.get('why'))}"
    )
    for refusal in _list(process.get("refusals"))[-SHOWN_REFUSALS:]:
        yield f"  REFUSED {refusal['at']} [{refusal['reason']}] {refusal['what']}"


def _camera(camera: Mapping[str, object]) -> str:
    if camera.get("problem"):
        return str(camera["problem"])
    alarms = ", ".join(
        f"{alarm} since {since}" for alarm, since in as_table(camera["alarms"]).items()
    )
    return (
        f"{alarms or 'no alarm'}; profile {camera['profile']}; {camera['stalls']} stalls since "
        "watch started"
    )


def _policy(policy: Mapping[str, object]) -> str:
    if policy.get("problem"):
        return str(policy["problem"])
    state = "" if policy["in_force"] else ", NOT IN FORCE"
    return (
        f"{policy['name']}, version {policy['version']}, until {policy['expires']}{state}, "
        f"sha256 {str(policy['digest'])[:16]}…"
    )


def _list(value: object) -> list[dict[str, object]]:
    return value if isinstance(value, list) else []
