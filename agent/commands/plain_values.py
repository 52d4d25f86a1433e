"""Commands whose plain options need no conversion: typer would load pydantic for each value, and
that was a third of the start of `status`.
"""

import os
from pathlib import Path
from typing import Any

import typer.core


class PlainValue:
    """Takes text, a path, a flag or a number's default as typer does.

    What is not plainly right goes typer's own way, and gets typer's own words.
    """

    def __init__(self, kind: type) -> None:
        self._kind = kind

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """As typer's RuntimeParam. None: not given."""
        if value is None or isinstance(value, self._kind):
            return value
        if self._kind is Path and isinstance(value, str) and _readable_or_none(value):
            return Path(value)
        param._runtime_param = None  # noqa: SLF001
        return param.get_runtime_param().coerce(value, param=param, ctx=ctx)


def _is_plain(descriptor: Any) -> bool:
    """One value of a kind that needs no conversion where it comes as that kind, and no check."""
    info, kind = descriptor.parameter_info, descriptor.annotation
    checked = (info.parser, info.min, info.max, info.path_type)
    return (
        kind in {bool, float, int, str, Path}
        and all(one is None for one in checked)
        and not (info.exists or info.writable or info.resolve_path or info.allow_dash)
        and info.file_okay
        and info.dir_okay
    )


def _readable_or_none(path: str) -> bool:
    """All that typer asks of a path by default."""
    return not os.path.lexists(path) or os.access(path, os.R_OK)


class PlainValues:
    """Gives a command's plain options such a value.

    Limit: the name of typer's attribute is private. Under another name this has no effect, and a
    test notices (tests/components/test_start.py).
    """

    def get_params(self, ctx: Any) -> list[Any]:
        """As typer's, with `--help`."""
        found: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for option in found:
            if option._runtime_param is None and _is_plain(option.type_descriptor):  # noqa: SLF001
                option._runtime_param = PlainValue(option.type_descriptor.annotation)  # noqa: SLF001
        return found


class PlainCommand(PlainValues, typer.core.TyperCommand):
    """One command."""
