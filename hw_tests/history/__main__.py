"""Writes the page anew: `python -m hw_tests.history FOLDER PAGE.html`; exit code 1 when the newest
run of any environment failed.
"""

import sys
from pathlib import Path

from hw_tests.history import page
from hw_tests.history.judging import by_environment
from hw_tests.history.record import read_all


def main() -> int:
    if len(sys.argv) != 3:
        print("usage: python -m hw_tests.history FOLDER PAGE.html", file=sys.stderr)
        return 2
    folder = Path(sys.argv[1])
    if not folder.is_dir():
        print(
            f"{folder}: no such folder; a run of the tests with --hw-history FOLDER makes it",
            file=sys.stderr,
        )
        return 1
    page.write(folder, Path(sys.argv[2]))
    runs, faults = read_all(folder)
    for fault in faults:
        print(f"platewarden rig: {fault}", file=sys.stderr)
    return int(any(nights[-1].failed for nights in by_environment(runs).values()))


if __name__ == "__main__":
    sys.exit(main())
