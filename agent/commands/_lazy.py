"""A group of commands whose files are imported only when picked: `watch` must never load what another command needs."""

import importlib
from pkgutil import iter_modules
from typing import Any, ClassVar

import typer.core
import typer.main

import agent.commands
from agent.errors import UsageError

# What the Debian package of the city's side adds (debian/stage.py divides the files by it); `prefix` "" only.
CITY = frozenset({"audit", "bundle", "demo", "hotlist", "policy", "read", "receiver"})


class LazyCommands(typer.core.TyperGroup):
    """One file in `agent/commands` = one command; each holds `app` (a typer.Typer). Missing files are missing commands:
    the camera's package leaves out the bulk reader and the city's tools. (`Any`: typer carries a private copy of click.)

    `prefix`: what the files of this group begin with, as `policy_` for `policy_check.py`; the rest holds no underscore.
    """

    prefix: ClassVar[str] = ""

    def list_commands(self, _ctx: Any) -> list[str]:
        """Names of the group's files in agent/commands."""
        names = (module.name.removeprefix(self.prefix) for module in iter_modules(agent.commands.__path__) if module.name.startswith(self.prefix))
        return sorted(name for name in names if name and "_" not in name)

    def get_command(self, ctx: Any, name: str) -> Any:
        """Import the one command that was asked for."""
        if name not in self.list_commands(ctx):
            if not self.prefix and name in CITY:
                raise UsageError(f"`platewarden {name}` is not in this package", fix="it is in the Debian package platewarden-city; a camera has no use for it")
            return None
        command: Any = typer.main.get_command(importlib.import_module(f"agent.commands.{self.prefix}{name}").app)
        command.name = name  # a group has none of its own, and the help would list it without
        return command
