"""Counts the instructions of one call, and of nothing around it, in a process under callgrind.

callgrind counts only inside the C library's qsort_r, and writes a file when that is left: the call
runs as its comparison, of two bytes. So neither Python's start nor the imports count.
"""

import ctypes
from collections.abc import Callable
from pathlib import Path

from agent.errors import PlatewardenError

ALONE = "qsort_r"
FULLEST = "fullest"  # of the pictures that are looked at: the one with six plates

_compares = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


def words(dumps: Path) -> list[str]:
    """What to put before the command that calls `counted` with the same folder."""
    return [
        "valgrind",
        "--quiet",
        "--tool=callgrind",
        "--collect-atstart=no",
        f"--toggle-collect={ALONE}",
        f"--dump-after={ALONE}",
        f"--callgrind-out-file={dumps}/counted",
    ]


def counted(action: Callable[[], object], dumps: Path) -> int:
    """Instructions of one run; what it raises is raised. `dumps`: callgrind's folder."""
    before = set(dumps.iterdir())
    failures: list[BaseException] = []

    @_compares
    def compare(_one: int, _other: int) -> int:
        try:
            action()
        except BaseException as error:  # noqa: BLE001 - it must not be lost in C
            failures.append(error)
        return 0

    pair = (ctypes.c_char * 2)()
    ctypes.CDLL(None).qsort(pair, ctypes.c_size_t(2), ctypes.c_size_t(1), compare)
    if failures:
        raise failures[0]
    texts = [path.read_text("latin-1") for path in set(dumps.iterdir()) - before]
    totals = [
        int(line.split()[1])
        for text in texts
        for line in text.splitlines()
        if line.startswith("totals:")
    ]
    if len(totals) != 1 or not totals[0]:
        raise PlatewardenError(
            "callgrind did not count one call alone",
            where=ALONE,
            fix="this C library sorts by another function's name; leave the counts out",
        )
    return totals[0]
