"""Scores readings against a benchmark folder in the layout of openalpr/benchmarks `endtoend`.

Truth: ROOT/REGION/NAME.txt, a line per plate: image, x, y, width, height, text, separated by tabs.
A true plate is paired with the guess that overlaps it most. It is found when that overlap
(intersection over union) reaches a threshold; its text then counts as exact when both are equal in
their A–Z and 0–9, upper case. Folded: O and Q count as 0, I as 1 (some true lines spell a zero as
O).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.core.reading.overlap import Box, overlap
from agent.errors import UsageError

LAYOUT = (
    "expected FOLDER/REGION/NAME.txt with lines: "
    "image, x, y, width, height, text, separated by tabs; the image beside it"
)
FOLDED = str.maketrans("OQI", "001")
THRESHOLDS = (0.3, 0.5)
SURE = 0.9


@dataclass(frozen=True, slots=True)
class TruePlate:
    """One labelled plate."""

    box: Box
    text: str


@dataclass(frozen=True, slots=True)
class TrueImage:
    """One picture with its plates."""

    region: str
    path: Path
    plates: tuple[TruePlate, ...]


@dataclass(frozen=True, slots=True)
class Guess:
    """One plate that a system reports. `confidence`: 0–1, that the whole text is right."""

    box: Box
    text: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one true plate; no text any more.

    `overlap`: of the guess that overlaps it most; the rest is that guess's, 0 without one.
    """

    region: str
    width_px: float
    overlap: float
    exact: bool
    folded: bool
    char_accuracy: float
    char_accuracy_folded: float
    confidence: float

    def found(self, threshold: float) -> bool:
        return self.overlap >= threshold


@dataclass(frozen=True, slots=True)
class ImageScore:
    """One picture's outcomes.

    `extra`: guesses at no true plate, by threshold; `extra_sure`: of those at 0.3, with a text said
    to be right at 0.9 or more.
    """

    outcomes: tuple[Outcome, ...]
    extra: tuple[int, ...]
    extra_sure: int


def load_benchmark(root: Path, most_per_region: int | None = None) -> list[TrueImage]:
    """All pictures, sorted; or `most_per_region`, evenly spread.

    Raises UsageError where the folder is not as expected.
    """
    images: list[TrueImage] = []
    for folder in sorted({path.parent for path in root.glob("*/*.txt")}):
        plates: dict[str, list[TruePlate]] = {}
        for path in sorted(folder.glob("*.txt")):
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                if line.strip():
                    name, plate = _parse(line, f"{path}:{number}")
                    plates.setdefault(name, []).append(plate)
        found = [
            TrueImage(folder.name, folder / name, tuple(listed)) for name, listed in plates.items()
        ]
        images += spread(found, most_per_region) if most_per_region else found
    if not images:
        raise UsageError("no plates with their truth in there", where=root, fix=LAYOUT)
    return images


def spread(images: Sequence[TrueImage], most: int) -> list[TrueImage]:
    """At most so many, evenly spaced, always the same."""
    return (
        [images[number * len(images) // most] for number in range(most)]
        if len(images) > most
        else list(images)
    )


def _parse(line: str, where: str) -> tuple[str, TruePlate]:
    name, *rest = line.rstrip().split("\t")
    try:
        x, y, width, height = map(float, rest[:4])
        (text,) = rest[4:]
    except ValueError:
        raise UsageError("not a line of truth", where=where, fix=LAYOUT) from None
    if Path(name).name != name:
        raise UsageError("the image's name leads elsewhere", where=where, fix=LAYOUT)
    return name, TruePlate((x, y, width, height), text)


def plain(text: str, *, fold: bool) -> str:
    """A–Z and 0–9 only."""
    kept = "".join(c for c in text.upper() if c.isascii() and c.isalnum())
    return kept.translate(FOLDED) if fold else kept


def edits(a: str, b: str) -> int:
    """Levenshtein's distance."""
    row = list(range(len(b) + 1))
    for i, one in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (one != other))
    return row[-1]


def char_accuracy(truth: str, text: str) -> float:
    """1 minus the edits per character of the longer text."""
    return 1 - edits(truth, text) / max(len(truth), len(text), 1)


def score_image(image: TrueImage, guesses: Sequence[Guess]) -> ImageScore:
    """Pair, compare, count."""
    outcomes, used = [], {threshold: set() for threshold in THRESHOLDS}
    for plate in image.plates:
        best = max(
            range(len(guesses)),
            default=None,
            key=lambda number, plate=plate: overlap(plate.box, guesses[number].box),
        )
        shared = 0.0 if best is None else overlap(plate.box, guesses[best].box)
        guess = Guess((0, 0, 0, 0), "", 0.0) if best is None or not shared else guesses[best]
        (truth, text), (folded_truth, folded_text) = (
            [plain(one, fold=fold) for one in (plate.text, guess.text)] for fold in (False, True)
        )
        outcomes.append(
            Outcome(
                region=image.region,
                width_px=plate.box[2],
                overlap=shared,
                exact=truth == text,
                folded=folded_truth == folded_text,
                char_accuracy=char_accuracy(truth, text),
                char_accuracy_folded=char_accuracy(folded_truth, folded_text),
                confidence=guess.confidence,
            )
        )
        for threshold in THRESHOLDS:
            if shared >= threshold:
                used[threshold].add(best)
    extra_sure = sum(
        bool(guess.text) and guess.confidence >= SURE
        for number, guess in enumerate(guesses)
        if number not in used[THRESHOLDS[0]]
    )
    return ImageScore(
        tuple(outcomes),
        tuple(len(guesses) - len(used[threshold]) for threshold in THRESHOLDS),
        extra_sure,
    )
