"""What a receiver's folder says about itself: reads stored and held, numbers that never came, keys
and their end.

Never a plate.
"""

from typing import TYPE_CHECKING

from agent.core.text.rfc3339 import rfc3339
from agent.core.text.visible import visible
from agent.core.wire.epochs import deadline_of
from agent.receiver.holds.holds_told import holds_told
from agent.receiver.store.ring_queue import RingerState
from agent.receiver.workplace import Workplace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.core.time.instant import Instant
    from agent.receiver.store.read_store import ReadStore


def status(place: Workplace, now: "Instant") -> dict[str, object]:
    """One JSON object. Raises StorageError."""
    store = place.store()
    try:
        count, first_deadline = store.held()
        devices = [
            {
                "device": each.device,
                "highest": each.highest,
                "missing": [list(run) for run in each.missing],
                "twice": [list(run) for run in each.twice],
            }
            for each in store.sequences()
        ]
        rejected, dropped = dict(store.rejections()), dict(store.dropped())
        ringers, held = _ringers(place, store), holds_told(store)
    finally:
        store.close()
    epochs = place.keys.epochs()
    overdue = [epoch.isoformat() for epoch in epochs if deadline_of(epoch) <= now.utc]
    return {
        "recipient": place.recipient,
        "receiver": place.settings.receiver,
        "store": "files" if place.settings.store is None else "postgresql",
        "reads": count,
        "oldest_deadline": rfc3339(first_deadline) if first_deadline else None,
        "holds": [one.table() | {"overdue": one.overdue(now)} for one in held],
        "devices": devices,
        "rejected": rejected,
        "dropped": dropped,
        "ringers": ringers,
        "epochs": {
            "first": epochs[0].isoformat() if epochs else None,
            "last": epochs[-1].isoformat() if epochs else None,
            "overdue": overdue,
        },
    }


def as_text(table: dict[str, object]) -> str:
    """Lines for a terminal."""
    epochs = table["epochs"]
    assert isinstance(epochs, dict)  # noqa: S101  # made above
    lines = [
        *_whose(table),
        *_hold_lines(table),
        f"Epochs     {epochs['first']} to {epochs['last']}"
        + (
            f"; OVERDUE: {', '.join(epochs['overdue'])} (is `receiver run` running?)"
            if epochs["overdue"]
            else ""
        ),
    ]
    devices = table["devices"]
    assert isinstance(devices, list)  # noqa: S101  # made above
    for device in devices:
        gaps, twice = _listed(device["missing"]), _listed(device["twice"])
        lines.append(
            f"Camera     {device['device']}: up to number {device['highest']}, "
            + (f"missing {gaps} (ask for the camera's report)" if gaps else "none missing")
        )
        if twice:
            lines.append(
                f"           number {twice} twice: different reads came under it (was the camera's "
                "log put back? ask for its report)"
            )
    for name in ("rejected", "dropped"):
        counts = table[name]
        if isinstance(counts, dict) and counts:
            lines.append(
                f"{name.capitalize():<10} "
                + ", ".join(f"{reason}: {number}" for reason, number in counts.items())
            )
    lines += _ringer_lines(table)
    if "clock" in table:
        lines.append(f"Clock      {table['clock']}")
    return "\n".join(map(visible, lines))


def _hold_lines(table: dict[str, object]) -> list[str]:
    holds = table["holds"]
    assert isinstance(holds, list)  # noqa: S101  # made above
    lines = []
    for one in holds:
        words = f"Held       {one['reads']} under hold {one['hold']}, until {one['expires_at']}"
        if one["refused"]:
            words += f"; {one['refused']} could not be held (`receiver hold list` says why)"
        if one["overdue"]:
            words += "; OVERDUE (is `receiver run` running?)"
        lines.append(words)
    return lines


def _ringers(place: Workplace, store: "ReadStore") -> list[dict[str, object]]:
    """Of those that receiver.toml names, and of others for whom something waits still."""
    named = set(place.settings.ring.names)
    states = {one.ringer: one for one in store.rings.states()}
    found = []
    for name in sorted(named | {one for one in states if states[one].waiting}):
        one = states.get(name) or RingerState(name, 0, None, 0, None, "")
        found.append(
            {
                "ringer": name,
                "named": name in named,
                "waiting": one.waiting,
                "rung_at": rfc3339(one.rung_at) if one.rung_at else None,
                "failures": one.failures,
                "failing_since": rfc3339(one.failing_since) if one.failing_since else None,
                "why": one.words,
            }
        )
    return found


def _ringer_lines(table: dict[str, object]) -> list[str]:
    ringers = table["ringers"]
    assert isinstance(ringers, list)  # noqa: S101  # made above
    lines = []
    for one in ringers:
        words = f"Ringer     {one['ringer']}: "
        if one["failures"]:
            words += (
                f"NOT HEARD since {one['failing_since']}, {one['failures']} time(s): {one['why']}; "
            )
        words += f"{one['waiting']} wait, last rung {one['rung_at'] or 'never'}"
        if not one["named"]:
            words += "; receiver.toml no longer names it"
        elif one["waiting"] and not one["failures"]:
            words += " (is `receiver ring` running?)"
        lines.append(words)
    return lines


def _whose(table: dict[str, object]) -> list[str]:
    which = f", receiver {table['receiver']}" if table["receiver"] else ""
    shared = ["Store      PostgreSQL, shared"] if table["store"] == "postgresql" else []
    first = table["oldest_deadline"]
    until = f", the first must be gone by {first}" if first else ""
    reads = f"Reads      {table['reads']} sealed{until}"
    return [f"Recipient  {table['recipient']}{which}", *shared, reads]


def _listed(runs: "Iterable[tuple[int, int]]") -> str:
    """`1, 4-6`."""
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)
