"""How a bench with figures as JSON ends: in a folder of its own, an error as one line."""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from agent.errors import PlatewardenError
from bench.stream.builds import wanted_base

Beside = Callable[[argparse.Namespace, Path, Path | None], Mapping[str, object]]


def report(measured: Callable[[Path], Mapping[str, object]]) -> None:
    """Print what `measured` finds. It gets an empty folder, which is gone afterwards.

    A PlatewardenError ends the process with its exit code.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="platewarden-bench-") as made:
            found = measured(Path(made))
    except PlatewardenError as error:
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    print(json.dumps(found, indent=2))


def report_beside_base(measured: Beside, options: argparse.Namespace) -> None:
    """The same, beside the older build that `options` ask for; None: beside none."""

    def beside(made: Path) -> Mapping[str, object]:
        with wanted_base(options) as base:
            return measured(options, made, base)

    report(beside)
