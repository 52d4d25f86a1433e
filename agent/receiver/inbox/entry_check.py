"""Asks a program of the operator's whether a hot list's entry still stands. It is told agency,
case, category and date, and never a plate.
"""

import json
import os
import signal
import subprocess
from collections.abc import Sequence

from agent.receiver.opener import OpenedRead

WAIT_S = 5.0
NOT_ASKED = "not checked: no program is named (entry_check)"
_ANSWERS = {
    "stands": "stands, says the entry check",
    "withdrawn": "WITHDRAWN, says the entry check",
    "unknown": "not known to the entry check",
}


def entry_stands(command: Sequence[str], opened: OpenedRead) -> str:
    """In words, also where it does not answer: a lead is shown all the same."""
    if not command:
        return NOT_ASKED
    asked = {
        "agency": opened.entry_agency,
        "case": opened.entry_case,
        "category": opened.tags.category,
        "source_date": opened.entry_source_date.isoformat(),
    }
    try:
        process = subprocess.Popen(  # noqa: S603  # an argument list of the operator's own
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.defpath},
            start_new_session=True,
        )
    except OSError:
        return "not checked: the entry check does not start"
    try:
        told, _ = process.communicate(json.dumps(asked).encode(), WAIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return f"not checked: the entry check gave no answer in {WAIT_S:.0f} s"
    word = told[:20].decode("ascii", "replace").strip()
    if process.returncode or word not in _ANSWERS:
        return "not checked: the entry check gave no answer that is known here"
    return _ANSWERS[word]
