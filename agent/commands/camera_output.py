"""What the camera's commands share beside their options: how these are obeyed, how a state is
printed, and what is said at the end.
"""

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from agent.core.text.visible import visible

if TYPE_CHECKING:
    from agent.core.log.closing_words import DeliverTotals, WatchTotals
    from agent.host.teller import Teller

Totals = TypeVar("Totals", "WatchTotals", "DeliverTotals")

CONFIG_FILE = Path("/etc/platewarden/platewarden.toml")


def warn_unsigned(anchor: Path, *, allow_unsigned: bool, quiet: bool) -> None:
    """Say that an unsigned policy is accepted, where one is: an enrolled camera, which has an
    `anchor`, obeys signed bundles, whatever it is told.
    """
    if allow_unsigned and not anchor.exists() and not quiet:
        told = "platewarden: the policy is unsigned; accepted because of --allow-unsigned"
        print(told, file=sys.stderr)


def tell_state(state: Mapping[str, object], lines: Iterable[str], *, as_json: bool) -> None:
    """Print it as one JSON object, or the `lines` that say it."""
    for line in [json.dumps(state, ensure_ascii=False)] if as_json else lines:
        print(visible(line))


def summary(
    teller: "Teller", words: Callable[[Totals], str], *, as_json: bool
) -> Callable[[Totals], None]:
    """What `watch` or `deliver` says at its end: one JSON object, also where it is quiet, or its
    words.
    """
    from agent.core.log.closing_words import format_totals

    def closing(totals: Totals) -> None:
        if as_json:
            print(format_totals(totals), flush=True)
        else:
            teller.say(words(totals))

    return closing
