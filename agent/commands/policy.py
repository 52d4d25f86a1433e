"""`platewarden policy`: for the city. Write, check, explain and compare policies; each subcommand is a file `policy_….py`."""

import typer

from agent.commands._lazy import LazyCommands


class PolicyCommands(LazyCommands):
    """`check`, `diff`, `explain`, `new`."""

    prefix = "policy_"


app = typer.Typer(cls=PolicyCommands, add_completion=False, no_args_is_help=True, help="Write, check, explain and compare a city's policies.")


@app.callback()
def _group() -> None:
    """The subcommands are found beside this file."""
