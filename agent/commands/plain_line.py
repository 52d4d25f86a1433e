"""`--version`, and `status` and `watch` where the line is plain: known options, each once, with
plain values.

Such a line needs nothing of typer, whose import is a third of what `status` costs.
What is not plainly right goes typer's way, and gets typer's words.
"""

import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import agent

Option = tuple[str, type]  # the name of what it sets, and of which kind that is
_OF_BOTH: Mapping[str, Option] = {"--config": ("config", Path), "--json": ("as_json", bool)}
PLAIN: Mapping[str, tuple[str, str, Mapping[str, Option]]] = {
    "status": ("agent.commands.status_output", "show", _OF_BOTH),
    "watch": (
        "agent.commands.watch_start",
        "start",
        {
            **_OF_BOTH,
            "--source": ("source", str),
            "--stills": ("stills", bool),
            "--allow-unsigned": ("allow_unsigned", bool),
            "--quiet": ("quiet", bool),
            "-q": ("quiet", bool),
        },
    ),
}
"""{command: (module, function, options)}.

tests/components/test_plain_line.py holds it to what typer is told.
"""


def plain_call(words: Sequence[str]) -> Callable[[], object] | None:
    """What the line asks for; None where typer must say."""
    if [*words] == ["--version"]:
        return print_version
    if not words or words[0] not in PLAIN:
        return None
    module, function, options = PLAIN[words[0]]
    values = _values(words[1:], options)
    if values is None:
        return None
    try:
        call = getattr(importlib.import_module(module), function)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        return None  # this package is not a camera's, and says whose the command is
    return partial(call, **values)


def print_version() -> None:
    """Of this package."""
    print(f"platewarden {agent.__version__}")


def _values(words: Sequence[str], options: Mapping[str, Option]) -> dict[str, object] | None:
    """What each option sets; None where one is not plainly right."""
    values: dict[str, object] = {}
    waiting = list(reversed(words))
    while waiting:
        name, kind = options.get(waiting.pop(), ("", bool))
        if not name or name in values:
            return None
        if kind is bool:
            values[name] = True
            continue
        value = waiting.pop() if waiting else ""
        if not value or value.startswith("-"):
            return None
        # Typer has words for a file that is not there, or may not be read.
        if kind is Path and not os.access(value, os.R_OK):
            return None
        values[name] = kind(value)
    return values
