"""`platewarden bundle`: for the city's key holders. Found a city, sign what changes, publish it, show who holds what; each subcommand is a file `bundle_….py`."""

import typer

from agent.commands._lazy import LazyCommands


class BundleCommands(LazyCommands):
    """`init`, `key`, `publish`, `rotate`, `show`, `sign`."""

    prefix = "bundle_"


app = typer.Typer(cls=BundleCommands, add_completion=False, no_args_is_help=True, help="Sign and publish what cameras obey (for the city's key holders).")


@app.callback()
def _group() -> None:
    """The subcommands are found beside this file."""
