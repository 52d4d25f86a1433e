"""How a hold is told: for people, or as JSON. Never a plate."""

from agent.core.text.rfc3339 import rfc3339
from agent.core.text.visible import visible
from agent.receiver.holds.hold_desk import ListedHold


def as_table(one: ListedHold) -> dict[str, object]:
    """As plain values."""
    hold, kept = one.hold, one.kept
    return {
        "hold": kept.id,
        "reference": hold.reference,
        "camera": hold.device,
        "since": rfc3339(hold.since),
        "until": rfc3339(hold.until),
        "read": hold.read_id,
        "holder": hold.holder,
        "applied_at": rfc3339(kept.at),
        "expires_at": rfc3339(hold.expires_at),
        "ended_at": rfc3339(kept.ended_at) if kept.ended_at else None,
        "reads": [
            {
                "read": read.read_id,
                "at": rfc3339(read.at),
                "sha256": read.wire_sha256,
                "refused": read.refused or None,
            }
            for read in one.reads
        ],
    }


def as_text(one: ListedHold) -> str:
    """Lines for a terminal."""
    hold, kept = one.hold, one.kept
    end = (
        f"ended {rfc3339(kept.ended_at)}" if kept.ended_at else f"until {rfc3339(hold.expires_at)}"
    )
    held = [read for read in one.reads if not read.refused]
    lines = [
        f"Hold       {kept.id}, {end}",
        f"Reference  {hold.reference}",
        f"Camera     {hold.device}, {rfc3339(hold.since)} to {rfc3339(hold.until)}",
        f"Held       {len(held)} read(s), for {hold.holder[:16]}…",
        *(f"           {read.read_id}" for read in held),
        *(
            f"           {read.read_id} cannot be held [{read.refused}]"
            for read in one.reads
            if read.refused
        ),
    ]
    return "\n".join(map(visible, lines))
