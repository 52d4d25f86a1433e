"""Says by a text's pattern whether stacked characters may have been left out of it.

What a recogniser makes of two small letters and six digits, one character and six digits, is a
series of its own, and of so rare a plate the picture says too little. So such a text is always
looked at again.
"""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from agent.vision.syntax import REGIONS, pattern

US = REGIONS.index("us")
PERHAPS_US = 0.02  # from here on: series with stacked characters are US ones


def may_lack_a_stack(text: str, regions: Sequence[float]) -> bool:
    """Might `text` be what is left of a US plate with stacked characters? `regions`: chance 0–1 of
    each of syntax.REGIONS; a NaN is no reason not to look.
    """
    return not regions[US] < PERHAPS_US and pattern(text) not in no_stack()


@cache
def no_stack() -> frozenset[str]:
    """no_stack.json: the listed US patterns that are read off no plate with stacked characters
    (`python -m models.training.render.formats`).
    """
    file = Path(__file__).with_name("no_stack.json")
    return frozenset(json.loads(file.read_text(encoding="ascii")))
