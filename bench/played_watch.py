"""A whole `watch` in this process, whose frames come from a bench instead of a camera.

It imports what `watch` does, and little more: its memory is a camera's.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent import settings
from agent.host.teller import Teller
from agent.pipeline import Line
from agent.sides import watch as watch_side


def play(source: Any, config: Path, changed: Callable[[Line], Line] = lambda line: line) -> None:
    """Watch until `source` (a ports.FrameSource) ends. `changed`: the line, as it is to run."""
    build = watch_side.build_line
    watch_side.build_line = lambda *parts: changed(build(*parts))
    watch_side.open_source = lambda *_, **__: source
    loaded, teller = settings.load(config), Teller("watch", quiet=True)
    watch_side.run(loaded, "played", settle_s=0, allow_unsigned=True, teller=teller)
