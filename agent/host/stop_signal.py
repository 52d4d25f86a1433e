"""Remembers that SIGTERM or SIGINT has come, so that what is in hand is finished first."""

import signal
from types import FrameType


class Stop:
    """Takes both signals over from its construction on. Call it: True once one of them has come."""

    def __init__(self) -> None:
        self._asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self._asked = True

    def __call__(self) -> bool:
        return self._asked
