"""From scores and rounds to the figures that are reported. No text and no file name is in them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bench import calibration
from bench.calibration import Bin
from bench.intervals import Figure, mean, ratio_of_medians, share
from bench.lockstep import Round
from bench.scoring import SURE, THRESHOLDS, ImageScore, Outcome, TrueImage, score_image

ALL = "all"
WIDTHS_PX: dict[str, Callable[[float], bool]] = {
    "under 50 px": lambda width: width < 50,
    "50–80 px": lambda width: 50 <= width < 80,
    "80–120 px": lambda width: 80 <= width <= 120,
    "over 120 px": lambda width: width > 120,
}


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Over the true plates of a group. `exact`, `folded` and the characters count a plate only when
    it is found at `threshold`.
    """

    threshold: float
    images: int
    plates: int
    recall: Figure
    exact: Figure
    folded: Figure
    characters: Figure
    characters_folded: Figure
    extra_per_image: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Over the found plates (overlap 0.3): said confidence against folded exact.

    `sure`: of all true plates, said at 0.9 or more; `sure_wrong`: of those.
    """

    ece_equal_mass: float
    ece_equal_width: float
    bins: tuple[Bin, ...]  # of equal width, for the plot
    sure: Figure
    sure_wrong: Figure
    # Guesses at no true plate, said at 0.9 or more: signs, badges, and plates that nobody labelled.
    sure_extra: int


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU of finding and reading, over all pictures and rounds; loading: the best round; memory:
    the worst.

    Megabytes of 2^20 bytes.
    """

    cpu_ms: Figure
    cpu_quartiles_ms: tuple[float, float]
    cpu_ms_by_region: dict[str, float]
    load_ms: float
    load_cpu_ms: float
    peak_mb: float | None
    models_mb: float | None
    weights_bytes: int


@dataclass(frozen=True, slots=True)
class Summary:
    """One system. `regions` and `widths` hold, per group, one Accuracy per threshold."""

    name: str
    regions: dict[str, list[Accuracy]]
    widths: dict[str, list[Accuracy]]
    calibration: Calibration
    cost: Cost
    undecodable: int
    unsteady: int  # pictures in which a later round saw something else


def summarise(
    name: str, images: Sequence[TrueImage], rounds: Sequence[Round], weights: int
) -> Summary:
    """Accuracy from the first round; cost from all."""
    first = rounds[0].readings
    scores = [
        score_image(image, reading.guesses if reading else ())
        for image, reading in zip(images, first, strict=True)
    ]
    groups = {
        region: [n for n, image in enumerate(images) if image.region == region]
        for region in sorted({image.region for image in images})
    }
    groups[ALL] = list(range(len(images)))
    outcomes = [outcome for score in scores for outcome in score.outcomes]
    return Summary(
        name=name,
        regions={group: _both([scores[n] for n in members]) for group, members in groups.items()},
        widths={label: _both(_of_width(scores, fits)) for label, fits in WIDTHS_PX.items()},
        calibration=_calibrated(outcomes, sum(score.extra_sure for score in scores)),
        cost=_cost(rounds, groups, weights),
        undecodable=sum(reading is None for reading in first),
        unsteady=sum(
            len({reading.guesses for reading in seen if reading}) > 1
            for seen in zip(*(one.readings for one in rounds), strict=True)
        ),
    )


def _both(scores: Sequence[ImageScore]) -> list[Accuracy]:
    return [_accuracy(scores, number) for number in range(len(THRESHOLDS))]


def _accuracy(scores: Sequence[ImageScore], number: int) -> Accuracy:
    threshold = THRESHOLDS[number]
    outcomes = [outcome for score in scores for outcome in score.outcomes]
    found = [outcome.found(threshold) for outcome in outcomes]
    return Accuracy(
        threshold=threshold,
        images=len(scores),
        plates=len(outcomes),
        recall=share(sum(found), len(outcomes)),
        exact=share(
            sum(o.exact and f for o, f in zip(outcomes, found, strict=True)), len(outcomes)
        ),
        folded=share(
            sum(o.folded and f for o, f in zip(outcomes, found, strict=True)), len(outcomes)
        ),
        characters=mean([o.char_accuracy * f for o, f in zip(outcomes, found, strict=True)]),
        characters_folded=mean(
            [o.char_accuracy_folded * f for o, f in zip(outcomes, found, strict=True)]
        ),
        extra_per_image=float(np.mean([score.extra[number] for score in scores]))
        if scores
        else float("nan"),
    )


def _of_width(scores: Sequence[ImageScore], fits: Callable[[float], bool]) -> list[ImageScore]:
    """The same pictures with only the plates of this width; pictures without one are left out, and
    extra guesses belong to no width.
    """
    kept = (
        tuple(outcome for outcome in score.outcomes if fits(outcome.width_px)) for score in scores
    )
    return [ImageScore(outcomes, (0,) * len(THRESHOLDS), 0) for outcomes in kept if outcomes]


def _calibrated(outcomes: Sequence[Outcome], sure_extra: int) -> Calibration:
    found = [outcome for outcome in outcomes if outcome.found(THRESHOLDS[0])]
    said, right = [outcome.confidence for outcome in found], [outcome.folded for outcome in found]
    sure = [outcome for outcome in found if outcome.confidence >= SURE]
    bins = calibration.equal_width(said, right)
    return Calibration(
        ece_equal_mass=calibration.expected_error(calibration.equal_mass(said, right)),
        ece_equal_width=calibration.expected_error(bins),
        bins=tuple(bins),
        sure=share(len(sure), len(outcomes)),
        sure_wrong=share(sum(not outcome.folded for outcome in sure), len(sure)),
        sure_extra=sure_extra,
    )


def cpu_ms(rounds: Sequence[Round], members: Sequence[int] | None = None) -> np.ndarray:
    """Rounds × pictures, decodable ones only."""
    chosen = range(len(rounds[0].readings)) if members is None else members
    return np.array([[one.readings[n].cpu_ms for n in chosen if one.readings[n]] for one in rounds])


def _cost(rounds: Sequence[Round], groups: dict[str, list[int]], weights: int) -> Cost:
    taken = cpu_ms(rounds)
    peaks = [one.peak_mb for one in rounds if one.peak_mb is not None]
    own = [
        one.peak_mb - one.bare_mb
        for one in rounds
        if one.peak_mb is not None and one.bare_mb is not None
    ]
    quartiles = np.percentile(taken, [25, 75]) if taken.size else (float("nan"),) * 2
    return Cost(
        # A ratio over 1 is the median itself, with its interval.
        cpu_ms=ratio_of_medians(taken.mean(axis=0), np.ones(taken.shape[1])),
        cpu_quartiles_ms=(float(quartiles[0]), float(quartiles[1])),
        cpu_ms_by_region={
            group: float(np.median(cpu_ms(rounds, members))) for group, members in groups.items()
        },
        load_ms=min(one.load_ms for one in rounds),
        load_cpu_ms=min(one.load_cpu_ms for one in rounds),
        peak_mb=max(peaks, default=None),
        models_mb=max(own, default=None),
        weights_bytes=weights,
    )


@dataclass(frozen=True, slots=True)
class Ratio:
    """CPU of the first system over that of another: medians of the same pictures in the same run,
    all together and round by round.
    """

    ours: str
    theirs: str
    all_rounds: Figure
    by_round: tuple[float, ...]


def compare(names: Sequence[str], measured: Sequence[Sequence[Round]]) -> list[Ratio]:
    """The first system against each other one.

    Every system decodes the same pictures, so that they pair.
    """
    ratios = []
    for name, rounds in zip(names[1:], measured[1:], strict=True):
        ours, theirs = cpu_ms(measured[0]), cpu_ms(rounds)
        by_round = tuple(
            float(np.median(a) / np.median(b)) for a, b in zip(ours, theirs, strict=True)
        )
        ratios.append(
            Ratio(
                names[0], name, ratio_of_medians(ours.mean(axis=0), theirs.mean(axis=0)), by_round
            )
        )
    return ratios
