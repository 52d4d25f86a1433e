"""`platewarden hold rules`: the charter's rules for holds, signed for recipients."""

import typer

from agent.city.city_lock import only_writer
from agent.city.passphrase import secret_from
from agent.commands.city_options import City, Json, On, PassphraseFile, RosterKey, Yes
from agent.commands.hold.plan_display import ask, tell

app = typer.Typer(add_completion=False)


@app.command()
def rules(
    city: City,
    roster_key: RosterKey,
    passphrase_file: PassphraseFile = None,
    yes: Yes = False,
    as_json: Json = False,
    on: On = "",
) -> None:
    """Sign who may order a hold, as the charter's [holds] says: hold-rules.jws, for recipients.

    Where several hold the city's root, each signs the same file in turn.
    """
    from agent.city.hold_signature import plan_rules
    from agent.city.moment import moment

    plan = plan_rules(city, roster_key, moment(on), secret_from(passphrase_file))
    ask(plan, "Sign these rules?", yes=yes, as_json=as_json)
    with only_writer(city):
        plan.keep()
    tell(plan, "Enough have signed. Give it to every recipient, with root.json.", as_json=as_json)
