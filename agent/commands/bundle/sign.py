"""`platewarden bundle sign`: shows what a change lets out and to whom, asks, and adds one holder's
signature to the next version of a role.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.city.city_lock import only_writer
from agent.city.passphrase import secret_from
from agent.commands.city_options import (
    City,
    Enrol,
    Json,
    On,
    OtherPurpose,
    PassphraseFile,
    Replace,
    Retire,
    Yes,
    require_agreed,
)
from agent.core.text.visible import visible

if TYPE_CHECKING:
    from agent.city.signing_plan import Plan

app = typer.Typer(add_completion=False)


@app.command()
def sign(
    city: City,
    key: Annotated[
        str,
        typer.Option(
            "--key",
            help="Your signing key: a PEM file, or a token's "
            "pkcs11:token=LABEL;id=%02?module-path=….so.",
        ),
    ],
    role: Annotated[
        list[str] | None,
        typer.Option(
            "--role",
            help="Sign this role, also when nothing changes (to renew it). Without it, you sign "
            "what is new in every role that you hold.",
        ),
    ] = None,
    passphrase_file: PassphraseFile = None,
    enrol: Enrol = None,
    replace: Replace = None,
    retire: Retire = None,
    roster_key: Annotated[
        str,
        typer.Option(
            "--roster-key",
            help="With --enrol and --retire: the city's root key (PEM), which signs the roster.",
        ),
    ] = "",
    new_roster_key: Annotated[
        str,
        typer.Option(
            "--new-roster-key",
            help="The city's root key was lost or is to change: from now on this one (a PEM file, "
            "of `bundle key`) signs the roster.",
        ),
    ] = "",
    key_list: Annotated[
        Path | None,
        typer.Option(
            "--key-list", help="With --role keys-RECIPIENT: the recipient's key-list.jws."
        ),
    ] = None,
    start_again: Annotated[
        bool,
        typer.Option(
            "--start-again",
            help="Drop what others have signed of this version, and begin from the drafts.",
        ),
    ] = False,
    other_purpose: OtherPurpose = None,
    yes: Yes = False,
    as_json: Json = False,
    on: On = "",
) -> None:
    """Show what a change lets out and to whom, ask, and sign it.

    The first signature leaves it pending, and says who has signed and how many are missing. `bundle
    publish` takes it when there are enough.
    """
    from agent.bundles.repository.signing_keys import load_signer
    from agent.city.roster_change import Wanted
    from agent.city.signature import Asked, Signing

    secret = secret_from(passphrase_file)
    wanted = Wanted(
        tuple(enrol or ()), tuple(replace or ()), tuple(retire or ()), roster_key, new_roster_key
    )
    signing = Signing(
        city,
        on,
        Asked(tuple(role or ()), wanted, key_list, start_again, frozenset(other_purpose or ())),
        secret,
    )
    signing.require_possible()
    plan = signing.plan(load_signer(key, secret))
    _ask(plan, yes=yes, as_json=as_json)
    plan.sign()
    with only_writer(city):
        done = plan.keep()
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "holder": plan.holder,
                    "change": plan.change.table(),
                    "signed": [one.table() for one in done],
                },
                ensure_ascii=True,
            )
        )
        return
    for one in done:
        typer.echo(visible(one.told()))
    typer.echo(
        "Enough have signed. Next: platewarden bundle publish"
        if not any(one.missing for one in done)
        else "Pending. The others sign with: platewarden bundle sign"
    )


def _ask(plan: "Plan", *, yes: bool, as_json: bool) -> None:
    """Show what would be signed, and end here where the answer is no."""
    if not as_json or not yes:  # whoever is asked must have seen it
        for line in plan.lines():
            typer.echo(visible(line), err=as_json)
    require_agreed(visible(f"Sign {', '.join(plan.roles)} as {plan.holder}?"), yes=yes)
