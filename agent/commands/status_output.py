"""What `platewarden status` prints, without typer: a person at a pole waits for it."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from agent.commands.camera_output import CONFIG_FILE, tell_state
from agent.core.text.plain_words import quoted_names
from agent.sides.camera_state import as_table, collect
from agent.sides.software.software_state import lines as software_lines

SHOWN_REFUSALS = 3


def show(config: Path = CONFIG_FILE, as_json: bool = False) -> None:
    """Print this camera's state. Raises ConfigError."""
    from agent import settings

    state = collect(settings.load(config))
    tell_state(state, _lines(state), as_json=as_json)


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
    yield from software_lines(as_table(state["software"]))
    yield from _keys(as_table(state["keys"]))
    rules = as_table(state["rules"])
    if rules.get("problem"):
        yield f"Rules     {rules['problem']}"
    if rules.get("stopped"):
        yield (
            f"  STOPPED by false leads: {', '.join(map(str, _listed(rules['stopped'])))}; a policy "
            "of another version lets it go on"
        )
    outbox, hotlist = as_table(state["outbox"]), as_table(state["hotlist"])
    yield f"Outbox    {outbox.get('problem') or _outbox(outbox)}"
    yield f"Log       {_log(as_table(state['log']))}"
    if witnesses := _witnesses(as_table(state.get("witnesses"))):
        yield f"Witnesses {witnesses}"
    aged = (
        f"made {hotlist.get('as_of')}, {hotlist.get('age_hours')} h ago; raises nothing after "
        f"{hotlist.get('stale_after')}"
    )
    yield from _delivery(as_table(state["delivery"]), waits=bool(outbox.get("waiting")))
    yield f"Counts    {_counts(as_table(state['last_hours']))}"
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
            signed_by = [str(signer) for signer in _list(role["signed_by"])]
            signers = quoted_names(signed_by) if signed_by else ""
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


def _keys(keys: Mapping[str, object]) -> Iterator[str]:
    """Until when reads can be sealed; what ends soon stands out."""
    if keys.get("problem"):
        yield f"Keys      {keys['problem']}"
    for recipient in _list(keys.get("recipients")):
        told = recipient["told"]
        for line in told if isinstance(told, list) else ():
            yield f"{'  SOON' if recipient['ends_soon'] else 'Keys':<9} {line}"


def _delivery(delivery: Mapping[str, object], *, waits: bool) -> Iterator[str]:
    """Why the outbox waits, and how each broker is."""
    if delivery.get("problem"):
        yield f"          {delivery['problem']}"
        return
    if not delivery["running"]:
        yield f"          deliver stopped at {delivery['changed_at']}; this was so then:"
    if waits and delivery["why"]:
        yield f"  WAITS   since {delivery['since']}: {delivery['why']}"
    for link in _list(delivery["links"]):
        state = "connected" if link["connected"] else "OUT OF REACH"
        why = f": {link['why']}" if link["why"] else ""
        yield f"Broker    {link['broker']}: {state} since {link['since']}{why}"


def _counts(counts: Mapping[str, object]) -> str:
    if counts.get("problem"):
        return str(counts["problem"])
    dropped = ", ".join(
        f"{reason} {number}" for reason, number in as_table(counts["dropped"]).items()
    )
    return (
        f"{counts['vehicles']} vehicles in the last {counts['hours']} hours, without the running "
        f"one; {counts['on_the_list']} on the list, {counts['unreadable']} unreadable; "
        f"{counts['sealed']} sealed, {counts['receipts']} receipts"
        f"{'; dropped: ' + dropped if dropped else ''}"
    )


def _outbox(outbox: Mapping[str, object]) -> str:
    told = f"{outbox['waiting']} reads wait, of at most {outbox['most']}"
    strange = outbox["strange"]
    return told + (f"; {strange} STRANGE FILES in outbox and receipts" if strange else "")


def _log(log: Mapping[str, object]) -> str:
    if log.get("problem"):
        return str(log["problem"])
    if log["put_back"]:
        return (
            f"PUT BACK: {log['signed']} leaves were signed, {log['leaves']} are there; watch does "
            "not start on it"
        )
    missing = (
        f"; begun anew {log['since']}: an older log of {log['missing']} leaves is MISSING"
        if log["missing"]
        else ""
    )
    return f"{log['leaves']} leaves{missing}"


def _witnesses(witnesses: Mapping[str, object]) -> str:
    """Nothing where the charter asks for none."""
    if witnesses.get("problem"):
        return str(witnesses["problem"])
    if not witnesses.get("demanded"):
        return ""
    closes = f"; releases nothing after {witnesses['closes_at']}" if witnesses["closes_at"] else ""
    if witnesses["at"] is None:
        return f"UNWITNESSED: no answer with cosignatures of {witnesses['by']} has come"
    return (
        f"{witnesses['leaves']} leaves witnessed by {witnesses['by']}; UNWITNESSED since "
        f"{witnesses['at']}{closes}"
    )


def _camera(camera: Mapping[str, object]) -> str:
    if camera.get("problem"):
        return str(camera["problem"])
    alarms = ", ".join(
        f"{alarm} since {since}" for alarm, since in as_table(camera["alarms"]).items()
    )
    return (
        f"{alarms or 'no alarm'}; profile {camera['profile']}; {camera['stalls']} stalls and "
        f"{camera['dropped']} frames dropped beside {camera['frames']} looked at, since watch "
        "started"
    )


def _policy(policy: Mapping[str, object]) -> str:
    if policy.get("problem"):
        return str(policy["problem"])
    state = "" if policy["in_force"] else ", NOT IN FORCE"
    return (
        f"{policy['name']}, version {policy['version']}, until {policy['expires']}{state}, "
        f"sha256 {str(policy['digest'])[:16]}…"
    )


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _list(value: object) -> list[dict[str, object]]:
    return value if isinstance(value, list) else []
