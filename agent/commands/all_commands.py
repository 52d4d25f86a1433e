"""The command line as typer sees it: the options before a command, and every command's name."""

import typer

from agent.commands.lazy_group import LazyCommands
from agent.commands.plain_line import print_version

app = typer.Typer(
    cls=LazyCommands,
    name="platewarden",
    no_args_is_help=True,
    add_completion=False,
    # Rich's tracebacks print local variables: a plate could be among them (P9).
    pretty_exceptions_enable=False,
    help="A licence-plate camera that tells only the people whom a city's policy names.",
)


@app.callback()
def _options(
    _version: bool = typer.Option(
        False,
        "--version",
        help="Print the version and stop.",
        is_eager=True,
        callback=lambda on: _stop_with_version(on=on),
    ),
) -> None:
    """Options before the command."""


def _stop_with_version(*, on: bool) -> None:
    if on:
        print_version()
        raise typer.Exit
