"""`platewarden deliver`: the network side. Publishes sealed reads to the policy's brokers; can open
none of them.
"""

from typing import Annotated

import typer

from agent.commands.camera_options import AllowUnsigned, Config, Quiet, SummaryJson
from agent.commands.camera_output import CONFIG_FILE, summary, warn_unsigned

app = typer.Typer(add_completion=False)


@app.command()
def deliver(
    config: Config = CONFIG_FILE,
    until_empty_s: Annotated[
        float | None,
        typer.Option(
            "--until-empty",
            metavar="SECONDS",
            min=0,
            help="End when the outbox is empty. Fail if it is not empty after so long.",
        ),
    ] = None,
    allow_unsigned: AllowUnsigned = False,
    quiet: Quiet = False,
    as_json: SummaryJson = False,
) -> None:
    """Publish what is in the outbox, as far as the policy permits it now. A read stays until its
    recipient's receipt is there.
    """
    from agent import settings
    from agent.core.log.closing_words import deliver_words
    from agent.host.teller import Teller
    from agent.sides import deliver as deliver_side

    loaded = settings.load(config)
    warn_unsigned(loaded.anchor, allow_unsigned=allow_unsigned, quiet=quiet)
    teller = Teller("deliver", quiet=quiet)

    deliver_side.run(
        loaded,
        allow_unsigned=allow_unsigned,
        until_empty_s=until_empty_s,
        teller=teller,
        closing=summary(teller, deliver_words, as_json=as_json),
    )
