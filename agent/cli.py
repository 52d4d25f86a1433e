"""The command line: picks a command (imported only when picked) and turns errors into exit codes."""

import importlib
import os
import sys
from collections.abc import Sequence
from pkgutil import iter_modules
from typing import Any

import typer.core
import typer.main

import agent
import agent.commands
from agent.errors import PlatewardenError


class LazyCommands(typer.core.TyperGroup):
    """One file in `agent/commands` = one subcommand; each holds `app` (a typer.Typer). Missing files are missing commands:
    the camera's package leaves out the bulk reader and the city's tools. (`Any`: typer carries a private copy of click.)
    """

    def list_commands(self, _ctx: Any) -> list[str]:
        """Names of the files in agent/commands, without the private ones."""
        return sorted(m.name for m in iter_modules(agent.commands.__path__) if not m.name.startswith("_"))

    def get_command(self, ctx: Any, name: str) -> Any:
        """Import the one command that was asked for."""
        if name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"agent.commands.{name}")
        return typer.main.get_command(module.app)


app = typer.Typer(
    cls=LazyCommands,
    name="platewarden",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # rich tracebacks print local variables: a plate could be among them (P9)
    help="A licence-plate camera that tells only the people whom a city's policy names.",
)


@app.callback()
def _options(
    _version: bool = typer.Option(False, "--version", help="Print the version and stop.", is_eager=True, callback=lambda on: _print_version(on=on)),
) -> None:
    """Options before the command."""


def _print_version(*, on: bool) -> None:
    if on:
        typer.echo(f"platewarden {agent.__version__}")
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and exit. Errors go to stderr as one line; a traceback is shown only with PLATEWARDEN_DEBUG=1."""
    try:
        app(args=list(arguments) if arguments is not None else None)
    except PlatewardenError as error:
        if os.environ.get("PLATEWARDEN_DEBUG") == "1":
            raise
        print(f"platewarden: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # `platewarden read … | head` is no failure
        sys.exit(1)
