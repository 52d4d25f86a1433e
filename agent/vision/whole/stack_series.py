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


def may_lack_a_stack(text: str, regions: Sequence[float]) -> bool:
    """Might `text` be what is left of a plate with stacked characters? `regions`: chance 0–1 of
    each of syntax.REGIONS, of which the likeliest counts.
    """
    likeliest = max(zip(regions, REGIONS, strict=True))[1]
    return pattern(text) not in no_stack()[likeliest]


@cache
def no_stack() -> dict[str, frozenset[str]]:
    """no_stack.json: of each region the listed patterns that no plate with stacked characters is
    read as (`python -m models.training.render.formats`).
    """
    file = Path(__file__).with_name("no_stack.json")
    known: dict[str, list[str]] = json.loads(file.read_text(encoding="ascii"))
    return {region: frozenset(patterns) for region, patterns in known.items()}
