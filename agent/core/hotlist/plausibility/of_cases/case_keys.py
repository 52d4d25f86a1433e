"""A number for each entry's agency and case, so that millions can be compared at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agent.core.hotlist.columns import Columns

# Two odd numbers of 64 bits, as splitmix64 mixes with (Steele, Lea, Flood: 2014).
_ONE, _OTHER = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_WORD = 8


def mixed(keys: NDArray[Any], values: NDArray[Any]) -> NDArray[Any]:
    """Keys with one more value in each. Equal ones stay equal; two others nearly never become
    so.
    """
    with np.errstate(over="ignore"):
        once = (keys ^ values.astype("<u8")) * _ONE
        return np.asarray((once ^ (once >> np.uint64(29))) * _OTHER, "<u8")


def case_keys(columns: Columns) -> NDArray[Any]:
    """For each entry a number of 64 bits from its agency and its case, eight characters at a
    time.
    """
    rows = columns.rows
    keys = mixed(np.zeros(len(rows), "<u8"), rows["agency"])
    if not len(rows):
        return keys
    # Any place begins a word of eight bytes; behind the last case lie noughts.
    padded = np.concatenate([columns.cases, np.zeros(_WORD, np.uint8)])
    words = np.ndarray(len(padded) - _WORD + 1, "<u8", padded, 0, (1,))
    lengths = rows["case_length"].astype(np.int64)
    for start in range(0, int(lengths.max()), _WORD):
        left = np.clip(lengths - start, 0, _WORD)
        at = np.minimum(rows["case_at"].astype(np.int64) + start, len(words) - 1)
        unused = ((_WORD - left) * _WORD).astype("<u8")
        # A shift by all 64 bits does nothing: so in two steps.
        whole = (words[at] << (unused // np.uint64(2))) << (unused - unused // np.uint64(2))
        keys = np.where(left > 0, mixed(keys, whole), keys)
    return keys
