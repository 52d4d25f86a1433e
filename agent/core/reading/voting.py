"""Turns the reads of one track into one sighting: whole texts are pooled, each character gets its
own confidence, the crop is the sharpest.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from math import fsum
from typing import TYPE_CHECKING

from agent.core.reading.alignment import align
from agent.core.reading.opinions import COMMON, COMMON_IN_ONE_VIEW, Opinion, opinion_of
from agent.core.reading.plate_text import PlateText
from agent.core.reading.pooling import Pool, pool
from agent.core.reading.sighting import MOST_WHEN_LIMITED, Alternative, Sighting
from agent.core.reading.tracks.likeness import SURE, readable, short, worth
from agent.core.reading.views import views
from agent.core.reasons import Limit
from agent.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agent.core.reading.sighting import PlateRead, Track

MAX_ALTERNATIVES = 8
MAX_READS = 32  # the surest of a longer track vote; the tracker keeps fewer
FLOOR = 1e-4  # no read counts for nothing
# How far two views agree, of which the surest read is picked; chosen on rendered passes and clips,
# see docs/design/voting.md
ALIKE = 0.5
STATE_MAJORITY = 0.6
SMALLEST_STACK = 2  # characters
STACKS_SEEN = 2  # frames that read the same text with stacked characters
BY_TEXT = frozenset({Limit.NO_DIGIT, Limit.WORDING})  # limits of what is seen whole


def vote(track: Track, camera: str) -> Sighting:
    """One sighting from a track's reads; their order does not matter, and one read alone gives
    itself.

    `confidence` is the probability that the whole text is right, and what is not listed among the
    alternatives is none of them. The crop is the sharpest of those that read the voted text, and
    the capture time is that crop's, so that picture and time belong together.

    Where whole plates were read, the limited reads have no say. Of a sighting that is limited
    itself, no number of frames makes a sure one: they all lack the same.
    """
    voted = _vote(_whole(track.reads), camera, len(track.reads))
    limits = _limits(track.reads, voted.text)
    most = MOST_WHEN_LIMITED if limits else 1.0
    return replace(voted, limits=limits, confidence=min(voted.confidence, most))


def _vote(reads: Sequence[PlateRead], camera: str, frames: int) -> Sighting:
    """The reads that have a say, as one sighting; its limits are left open."""
    reads = _surest(reads)
    if len(reads) == 1:
        only = reads[0]
        return _sighting(
            only,
            reads,
            PlateText(only.text.value),
            only.char_confidence,
            only.confidence,
            _alternatives_of(only),
            camera,
            frames,
        )
    opinions = _opinions(reads)
    if not opinions:
        return _sighting(
            max(reads, key=_crop_worth), reads, PlateText(""), (), 0.0, (), camera, frames
        )
    voters = _voters(_with_stacks(reads))
    shown = views(voters)
    pooled = _pooled(voters, shown)
    text, confidence = pooled.texts[0]
    agreeing = (
        [read for read in reads if read.text.value == text]
        or [read for read in reads if len(read.text)]
        or reads
    )
    characters = _char_confidence(pooled, agreeing)
    return _sighting(
        max(agreeing, key=_crop_worth),
        reads,
        PlateText(text),
        characters,
        min(confidence, _most(text, voters, shown)),
        _alternatives(pooled, opinions),
        camera,
        frames,
    )


def _sighting(
    best: PlateRead,
    reads: Sequence[PlateRead],
    text: PlateText,
    char_confidence: tuple[float, ...],
    confidence: float,
    alternatives: tuple[Alternative, ...],
    camera: str,
    frames: int,
) -> Sighting:
    return Sighting(
        text=text,
        confidence=min(max(confidence, 0.0), 1.0),
        char_confidence=char_confidence,
        alternatives=alternatives,
        region=_heaviest((read.region, _weight(read)) for read in reads if read.region != "unknown")
        or "unknown",
        state=_state(reads),
        crop=best.crop,
        captured=best.captured,
        camera=camera,
        frames=frames,
    )


def _whole(reads: Sequence[PlateRead]) -> Sequence[PlateRead]:
    """Those that show a whole plate, where any of them is readable; else all.

    Whose limit lies in its text alone shows a whole plate: else one misread with a digit would
    silence twenty right reads of a word.
    """
    whole = [read for read in reads if read.limits <= BY_TEXT]
    return whole if any(map(readable, whole)) else reads


def _limits(reads: Sequence[PlateRead], text: PlateText) -> frozenset[Limit]:
    """Of most reads of that text: one look that misses a post does not outweigh those that saw
    it.
    """
    same = [read.limits for read in reads if read.text == text]
    limited = [limits for limits in same if limits]
    return frozenset().union(*limited) if 2 * len(limited) > len(same) else frozenset()


def _surest(reads: Sequence[PlateRead]) -> Sequence[PlateRead]:
    """All reads of a track, or of very many the surest: the vote's time is bounded whatever a
    tracker keeps.
    """
    if len(reads) <= MAX_READS:
        return reads
    surest = sorted(reads, key=lambda read: (-read.confidence, -read.sharpness, read.text.value))
    return surest[:MAX_READS]


def _voters(reads: Sequence[PlateRead]) -> Sequence[PlateRead]:
    """Without what says nothing of a plate that was read: pieces of it, and unreadable ones where
    another read is sure. They could only lower it.
    """
    best = max(reads, key=lambda read: (worth(read), read.confidence, read.text.value))
    if not readable(best):
        return reads
    sure = best.confidence >= SURE
    return [
        read
        for read in reads
        if (readable(read) or not sure) and not (len(read.text) and short(read, best))
    ]


def _with_stacks(reads: Sequence[PlateRead]) -> Sequence[PlateRead]:
    """Where several frames show one text with stacked characters, without the doubtful reads of
    the same plate that leave these out, or take them for one.
    """
    seen = Counter(read.text.value for read in reads if read.stacked and readable(read))
    text = max(seen, key=lambda one: (seen[one], one), default="")
    if seen[text] < STACKS_SEEN:
        return reads
    return [
        read
        for read in reads
        if read.stacked or read.confidence >= SURE or not _lacks_a_stack(read.text.value, text)
    ]


def _lacks_a_stack(text: str, longer: str) -> bool:
    """May `text` be the longer one without its stack, or with one character for it? A stack has two
    characters at least: of one more, none may be there.
    """
    same = sum(mine == theirs for mine, theirs in align(text, longer) if mine)
    shorter, lost = len(text) < len(longer), len(longer) - same
    return shorter and lost >= SMALLEST_STACK and same >= max(1, len(text) - 1)


def _pooled(reads: Sequence[PlateRead], shown: Sequence[int]) -> Pool:
    """What these say together, `shown` the view of each; at least one of them lists a text."""
    common = COMMON if len(set(shown)) > 1 else COMMON_IN_ONE_VIEW
    opinions = [opinion_of(read, _reliability(read), common) for read in reads]
    spoken = [(one, view) for one, view in zip(opinions, shown, strict=True) if one is not None]
    return pool([one for one, _ in spoken], [view for _, view in spoken])


def _most(text: str, voters: Sequence[PlateRead], shown: Sequence[int]) -> float:
    """How sure a vote for that text may be: as its surest read, less what is due to its being
    picked out of several views. What makes every frame of a car doubt is the same in each.
    """
    said = [
        (read.confidence, view)
        for read, view in zip(voters, shown, strict=True)
        if read.text.value == text
    ] or [(read.confidence, view) for read, view in zip(voters, shown, strict=True)]
    surest, picked_from = max(said)[0], len({view for _, view in said})
    against = (1.0 - surest) * picked_from / (1.0 + (picked_from - 1) * ALIKE)
    return surest / (surest + against) if surest > 0 else 0.0


def _opinions(reads: Sequence[PlateRead]) -> list[Opinion]:
    """What every read says; who lists no text says nothing."""
    opinions = (opinion_of(read, _reliability(read)) for read in reads)
    return [opinion for opinion in opinions if opinion is not None]


def _char_confidence(pooled: Pool, agreeing: Sequence[PlateRead]) -> tuple[float, ...]:
    """For each character of the winner, the probability that it stands there: in all pooled texts,
    each laid beside the winner.

    Where it is none of the texts, one character is taken to be wrong: which one, the agreeing
    reads' own doubts say.
    """
    text = pooled.texts[0][0]
    sure: list[list[float]] = [[] for _ in text]
    for other, probability in pooled.texts:
        matched = [read == meant for read, meant in align(other, text) if meant]
        for place, same in enumerate(matched):
            sure[place].append(probability if same else 0.0)
    doubts = [
        fsum(1.0 - read.char_confidence[place] for read in agreeing if read.text.value == text)
        + FLOOR
        for place in range(len(text))
    ]
    whole = fsum(doubts)
    return tuple(
        min(1.0, fsum(one) + pooled.none_of_them * (1.0 - doubt / whole))
        for one, doubt in zip(sure, doubts, strict=True)
    )


def _alternatives(pooled: Pool, opinions: Sequence[Opinion]) -> tuple[Alternative, ...]:
    """The other texts, likeliest first.

    Chosen by what any read suspects, not by the pool, so that a vote hides no suspicion from the
    hot list.
    """
    shares: defaultdict[str, list[float]] = defaultdict(list)
    for opinion in opinions:
        for text, probability in opinion.texts.items():
            shares[text].append(probability)
    winner, probabilities = pooled.texts[0][0], dict(pooled.texts)
    suspected = sorted(
        (text for text in {*shares, *probabilities} if text != winner),
        key=lambda text: (-fsum(shares.get(text, ())), text),
    )
    listed = sorted(suspected[:MAX_ALTERNATIVES], key=lambda text: -probabilities.get(text, 0.0))
    return tuple(Alternative(PlateText(text), probabilities.get(text, 0.0)) for text in listed)


def _alternatives_of(read: PlateRead) -> tuple[Alternative, ...]:
    """A single read's own, as many as a sighting has."""
    others = [other for other in read.alternatives if other.text != read.text and len(other.text)]
    return tuple(
        sorted(others, key=lambda other: (-other.probability, other.text.value))[:MAX_ALTERNATIVES]
    )


def _state(reads: Sequence[PlateRead]) -> str | None:
    """The issuing state that a clear majority of the reads that saw one agree on; None otherwise:
    an unread state is honest, a wrong one is not.
    """
    seen = [(read.state, _weight(read)) for read in reads if read.state is not None]
    state = _heaviest(seen)
    agreeing = fsum(weight for name, weight in seen if name == state)
    return (
        state if seen and agreeing > STATE_MAJORITY * fsum(weight for _, weight in seen) else None
    )


def _reliability(read: PlateRead) -> float:
    """How far a read's probabilities can be trusted: by the likeliest text's, and by the plate's
    width.

    Both hold for the read alone, so that a further frame changes no other one's weight against the
    rest. Sharpness told nothing more.
    """
    surest = max(read.confidence, *(other.probability for other in read.alternatives), FLOOR)
    return surest * max(read.box.box[2], 1.0)


def _weight(read: PlateRead) -> float:
    """How much a read's region and state count; never nothing."""
    return max(read.confidence, FLOOR)


def _crop_worth(read: PlateRead) -> tuple[float, float, float]:
    """By sharpness; of equals the surest, then the first."""
    return read.sharpness, read.confidence, -read.captured.utc.timestamp()


def _heaviest(votes: Iterable[tuple[str, float]]) -> str | None:
    """The choice with the greatest weight; None without votes."""
    weights: defaultdict[str, list[float]] = defaultdict(list)
    for choice, weight in votes:
        weights[choice].append(weight)
    return max(weights, key=lambda choice: (fsum(weights[choice]), choice)) if weights else None
