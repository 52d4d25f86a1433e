"""Counts the entries that can be taken for one another, imported and by hand together: whoever adds
every look-alike of a plate widens what one entry stands for.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from agent.core.hotlist.columns import most_alike, slots_of
from agent.core.hotlist.confusion import fold_key, text_of

if TYPE_CHECKING:
    from agent.core.hotlist.compiled_format import Compiled


def most_look_alikes(compiled: Compiled, added: Compiled | None) -> int:
    """How many entries the largest group of look-alikes has, over both lists."""
    slots = compiled.columns.rows["slot"]
    most = most_alike(slots)
    if added is None or not len(added.columns):
        return most
    own = Counter(fold_key(text_of(int(key))) for key in added.columns.rows["text"])
    wanted = slots_of(np.array(list(own), "<u8"), compiled.header.multiplier)
    there = np.searchsorted(slots, wanted, "right") - np.searchsorted(slots, wanted, "left")
    return max(most, int((there + np.array(list(own.values()))).max()))
