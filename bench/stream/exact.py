"""Which cars a system read exactly: a line tells each once; models without a line give a text a
frame, of which the most frequent counts.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

from bench.clips.clip import Clip
from bench.clips.score import owners_of, score
from bench.clips.telling import Telling, Told, folded


def tellings(told: Sequence[list]) -> tuple[Telling, ...]:
    """From the child's JSON."""
    return tuple(
        Telling(text, confidence, at, tuple((number, tuple(box)) for number, box in reads))
        for text, confidence, at, reads in told
    )


def exact_by_line(clip: Clip, told: Sequence[list]) -> int:
    """Readable passes that were told with the right text exactly once."""
    return score(clip, Told(tellings(told), {})).once


def exact_by_frames(clip: Clip, told: Sequence[list]) -> int:
    """Readable passes of which the text that most frames gave is right: kinder than any rule that
    must decide before the car has gone.
    """
    texts: dict[int, Counter[str]] = defaultdict(Counter)
    for telling in tellings(told):
        for owner in owners_of(clip, telling):
            texts[owner][folded(telling.text)] += 1
    return sum(
        plate.readable
        and bool(texts[number])
        and texts[number].most_common(1)[0][0] == folded(plate.text)
        for number, plate in enumerate(clip.plates)
    )
