"""A group of commands whose files are imported only when picked: `watch` must never load what
another command needs.
"""

import importlib
from pkgutil import iter_modules
from typing import Any, ClassVar

import typer
import typer.core
import typer.main

from agent.commands.plain_values import PlainCommand, PlainValues
from agent.errors import UsageError

# What cameras have no use for (debian/stage.py divides the files by it).
CITY = frozenset(
    {
        "audit",
        "broker",
        "bundle",
        "demo",
        "fleet",
        "hold",
        "hotlist",
        "policy",
        "read",
        "receiver",
        "report",
        "report-checker",
        # of the group `software` a camera has the rest
        "software release",
        "software show",
        "software vouch",
    }
)
# A camera's, which neither a city nor a recipient has.
CAMERA = frozenset(
    {"aim", "deliver", "doctor", "health", "run", "status", "update", "walls", "watch"}
)
# In no Debian package: they read folders of pictures.
READERS = frozenset({"demo", "read"})


def where_it_is(typed: str) -> str:
    """What to do for a command that this installation leaves out, empty for a word that is none."""
    if typed in READERS:
        return "no Debian package holds it; type: pip install 'platewarden[demo]'"
    if typed == "receiver":
        return "it is in the Debian package platewarden-receiver; a camera has no use for it"
    if typed in CITY:
        return "it is in the Debian package platewarden-city; a camera has no use for it"
    if typed in CAMERA:
        return "it is in the Debian package platewarden, which is for cameras"
    return ""


class LazyCommands(PlainValues, typer.core.TyperGroup):
    """One file in `folder` = one command, one package there = one group; each holds `app` (a
    typer.Typer).

    A name with an underscore inside is no command, unless one stands at its end, which is not
    typed: `import_.py` holds the command `import`, `check_proof_.py` holds `check-proof`. Missing
    files are missing commands: the camera's package leaves out the bulk reader and the city's
    tools. (`Any`: typer carries a private copy of click.)
    """

    folder: ClassVar[str] = "agent.commands"

    def list_commands(self, _ctx: Any) -> list[str]:
        """Names of the commands and groups in the folder."""
        return sorted(self._modules())

    def get_command(self, _ctx: Any, name: str) -> Any:
        """Import the one command that was asked for."""
        module = self._modules().get(name)
        if module is None:
            typed = f"{self.folder}.{name}".removeprefix(f"{LazyCommands.folder}.")
            typed = typed.replace(".", " ")
            if fix := where_it_is(typed):
                raise UsageError(f"`platewarden {typed}` is not in this package", fix=fix)
            return None
        app = importlib.import_module(module).app
        for registered in app.registered_commands:
            registered.cls = PlainCommand
        command: Any = typer.main.get_command(app)
        command.name = name  # a group has none of its own, and the help would list it without
        return command

    def _modules(self) -> dict[str, str]:
        """{command: dotted name of its file}."""
        found = iter_modules(importlib.import_module(self.folder).__path__)
        names = {_typed(module.name): module.name for module in found}
        return {
            name: f"{self.folder}.{module}" for name, module in names.items() if "_" not in name
        }


def _typed(module: str) -> str:
    """`import_` is typed `import`, `check_proof_` is typed `check-proof`."""
    return module[:-1].replace("_", "-") if module.endswith("_") else module


def group(package: str, says: str) -> typer.Typer:
    """The `app` of a group: the commands in the folder of `package`, found and imported when they
    are asked for.
    """
    kind = type("Commands", (LazyCommands,), {"folder": package})
    app = typer.Typer(cls=kind, add_completion=False, no_args_is_help=True, help=says)
    app.callback()(lambda: None)
    return app
