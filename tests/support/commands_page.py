"""Makes docs/ref/commands.md from the commands' own help.

python -m tests.support.commands_page
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import typer.main

from agent.commands import all_commands
from tests.support.sentences import split

PAGE = Path(__file__).parents[2] / "docs/ref/commands.md"
RENEW = ".venv/bin/python -m tests.support.commands_page"
TOP = f"""# Commands

Every command of `platewarden`, with its arguments and options.
Words of the field are explained in [the glossary](../glossary.md).
[Exit codes](exit-codes.md) say who must act when a command fails.

This page is made from the help texts.
Change those, then type `{RENEW}`.

| command | what it does |
|---|---|
"""
# Where more is told of a command or a group.
MORE = {
    "broker": "../guide/broker.md",
    "aim": "aim.md",
    "audit": "audit-log.md",
    "bundle": "bundle.md",
    "deliver": "delivery.md",
}
MORE |= {"doctor": "doctor.md", "hotlist": "hotlist.md", "policy": "policy.md", "read": "read.md"}
MORE |= {"policy check": "policy-check.md", "policy diff": "policy-diff.md"}
MORE |= {"policy explain": "policy-explain.md", "provision": "enrolment.md", "run": "sources.md"}
MORE |= {"receiver": "../guide/recipient.md", "update": "bundles.md", "watch": "sources.md"}
VALUES = {Path: "PATH", str: "TEXT", int: "N", float: "NUMBER", datetime: "TIME", bool: "–"}


def is_group(command: Any) -> bool:
    return hasattr(command, "list_commands")


def found(group: Any, words: str = "") -> Iterator[tuple[str, Any]]:
    """Each command and each group, in the order of `--help`: ("bundle sign", command)."""
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        yield f"{words}{name}", command
        if is_group(command):
            yield from found(command, f"{words}{name} ")


def line_of(words: str, command: Any) -> str:
    """One command in the table at the top."""
    short = " ".join(command.help.split("\n\n")[0].split())
    return f"| [`platewarden {words}`](#{words.replace(' ', '-')}) | {short} |"


def row(parameter: Any) -> str:
    """One argument or option, as a line of the table."""
    argument = parameter.param_type_name == "argument"
    kind = parameter.type_descriptor.annotation
    value = parameter.metavar or VALUES[(get_args(kind) or (kind,))[0]]
    name = value if argument and parameter.metavar else parameter.opts[0]
    default = parameter.default
    told = "required" if parameter.required else "off" if default is False else f"`{default}`"
    shown = "–" if default in (None, "") and not parameter.required else told
    more = ", repeatable" if parameter.multiple or parameter.nargs == -1 else ""
    env = f" Or in the environment: `{parameter.envvar}`." if parameter.envvar else ""
    cells = f"`{name.upper() if argument else name}`", f"{value}{more}", shown, parameter.help + env
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def section(words: str, command: Any) -> str:
    lines = [f"##{'#' * words.count(' ')} {words}", ""]
    lines += [part for text in command.help.split("\n\n") for part in split(" ".join(text.split()))]
    lines += [f"More: [{Path(MORE[words]).name}]({MORE[words]})."] if words in MORE else []
    rows = [row(one) for one in command.params if not one.hidden and one.name != "help"]
    head = ["", "| | value | default | what it does |", "|---|---|---|---|"]
    table = [] if is_group(command) or not rows else [*head, *rows]
    return "\n".join([*lines, *table])


def made() -> str:
    commands = list(found(typer.main.get_command(all_commands.app)))
    single = [(words, one) for words, one in commands if not is_group(one)]
    short = [line_of(words, one) for words, one in single]
    parts = [section(words, one) for words, one in commands]
    return TOP + "\n".join(short) + "\n\n" + "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(made())
