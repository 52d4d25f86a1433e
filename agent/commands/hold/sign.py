"""`platewarden hold sign`: orders that one recipient keeps one camera's reads of a short time."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.city.passphrase import secret_from
from agent.commands.city_options import City, Json, On, PassphraseFile, Yes
from agent.commands.hold.plan_display import ask, tell

if TYPE_CHECKING:
    from agent.core.wire.holds.hold import Hold
    from agent.core.wire.holds.hold_rules import HoldRules

app = typer.Typer(add_completion=False)
_FIRST = "The first signer says it: "


@app.command()
def sign(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The hold: begun, or signed on.")],
    city: City,
    key: Annotated[str, typer.Option("--key", help="Your key (PEM), which the charter names.")],
    recipient: Annotated[
        str, typer.Option("--recipient", help=_FIRST + "whose reads, as in the policy.")
    ] = "",
    reference: Annotated[
        str, typer.Option("--reference", help=_FIRST + "the case number. Never a plate.")
    ] = "",
    camera: Annotated[str, typer.Option("--camera", help=_FIRST + "one camera.")] = "",
    since: Annotated[
        str, typer.Option("--since", help=_FIRST + "the window's begin, 2026-11-22T06:00:00Z.")
    ] = "",
    until: Annotated[str, typer.Option("--until", help=_FIRST + "its end, not in it.")] = "",
    read: Annotated[str, typer.Option("--read", help="That one read of the window.")] = "",
    holder: Annotated[
        str, typer.Option("--holder", help=_FIRST + "age1…, of `platewarden hold key`.")
    ] = "",
    days: Annotated[
        int, typer.Option("--days", min=0, help=_FIRST + "after so many days it ends.")
    ] = 0,
    passphrase_file: PassphraseFile = None,
    yes: Yes = False,
    as_json: Json = False,
    on: On = "",
) -> None:
    """Sign a hold as one of the charter's [[hold_signer]]. The first says what is asked for.

    The others sign the same file, with --key alone. When enough have signed, it goes to the
    recipient: `receiver hold apply`.
    """
    from agent.city.hold_signature import plan_hold, rules_of

    rules = rules_of(city)
    asked = {
        "recipient": recipient,
        "reference": reference,
        "device": camera,
        "since": since,
        "until": until,
        "holder": holder,
        "read": read,
    }
    wanted = _hold(rules, asked, days, on) if any((*asked.values(), days)) else None
    plan = plan_hold(file, wanted, rules, key, secret_from(passphrase_file))
    ask(plan, "Sign this hold?", yes=yes, as_json=as_json)
    plan.keep()
    done = "Enough have signed. The recipient: platewarden receiver hold apply"
    tell(plan, done, as_json=as_json)


def _hold(rules: "HoldRules", asked: dict[str, str], days: int, on: str) -> "Hold":
    from datetime import time, timedelta

    from agent.city.moment import moment, time_typed
    from agent.core.time.instant import to_millisecond
    from agent.core.wire.holds.hold import Hold
    from agent.errors import UsageError

    lacking = [name for name, one in asked.items() if not one and name != "read"]
    lacking += [] if days else ["days"]
    if lacking:
        options = ", ".join(f"--{'camera' if name == 'device' else name}" for name in lacking)
        raise UsageError(
            f"a new hold lacks {options}",
            fix="the first signer says all of it; the others give --key alone",
        )
    now = moment(on)
    since, until = (
        to_millisecond(time_typed(asked[name], f"--{name}", time())) for name in ("since", "until")
    )
    return Hold(
        city=rules.city,
        recipient=asked["recipient"],
        reference=asked["reference"],
        device=asked["device"],
        since=since,
        until=until,
        holder=asked["holder"],
        issued_at=now,
        expires_at=now + timedelta(days=days),
        read_id=asked["read"] or None,
    )
