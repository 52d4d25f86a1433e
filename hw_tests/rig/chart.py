"""Draws the display test's charts: fictitious plates on drawn cars, in sizes, at angles, in light,
between four calibration marks.

    python -m hw_tests.rig.chart FOLDER

makes the printed variant: a page for each angle, PNG and JSON, A3 landscape at 200 dpi.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from hw_tests.rig import fiducial

WIDTH_PX, HEIGHT_PX = 1920, 1080
PRINTED_PX = (3307, 2339)
MARK_PX, MARGIN_PX, PAPER = 130, 30, 236
WIDTHS_PX = (160, 130, 105, 85, 68, 54)  # of the plates, on the screen
ANGLES_DEG = (0, 20, 40)  # the camera's angle to the plate's face, turned about the upright axis
LIGHTS = (("day", 1.0), ("dusk", 0.45), ("night", 0.18))
CAR_PER_PLATE = 560 / 168  # agent/demo/scene.py: a plate of 168 px on a car of 560
# No I, O, Q, which ask for the format; no H, M, W, which touch at this drawing's pitch.
LETTERS, DIGITS = "ABCDEFGJKLNPRSTUVXYZ", "0123456789"
DEPTH = 2.2  # distance of the eye in widths of a car


@dataclass(frozen=True, slots=True)
class Shown:
    """One plate on a page: its fictitious text, width as drawn, corners on the chart in px,
    clockwise from the top left.
    """

    text: str
    width_px: int
    corners: list[list[float]]


@dataclass(frozen=True, slots=True)
class Page:
    """`page`: its number, as its marks say it.

    `marks`: four times four corners in px of the chart.
    """

    page: int
    angle_deg: int
    light: str
    size_px: list[int]
    marks: list[list[list[float]]]
    plates: list[Shown]

    def as_json(self) -> str:
        """For the probe."""
        return json.dumps(asdict(self))


def load(path: Path) -> Page:
    """A printed chart's description, as `main` wrote it."""
    table = json.loads(path.read_text(encoding="utf-8"))
    return Page(**{**table, "plates": [Shown(**plate) for plate in table["plates"]]})


def pages(
    angles: Sequence[int] = ANGLES_DEG, lights: Sequence[tuple[str, float]] = LIGHTS, seed: int = 6
) -> Iterator[tuple[Page, np.ndarray]]:
    """Every page and its picture, BGR. The same seed gives the same texts."""
    rng = generator(seed)
    number = 0
    for light, gain in lights:
        for angle in angles:
            yield draw(number, angle, light, gain, rng)
            number += 1


def generator(seed: int) -> np.random.Generator:
    """What `draw` takes its texts and colours from."""
    return np.random.default_rng(seed)


def draw(
    number: int, angle_deg: int, light: str, gain: float, rng: np.random.Generator
) -> tuple[Page, np.ndarray]:
    """One page.

    The marks keep full contrast at night too: they are for the camera's place, not for its eyes.
    """
    from agent.demo import scene

    scenery = np.full((HEIGHT_PX, WIDTH_PX, 3), (112, 116, 118), np.uint8)
    shown = []
    for width_px, (x, y) in zip(WIDTHS_PX, _spots(), strict=True):
        text = fictitious(rng)
        colour = tuple(int(value) for value in rng.integers(40, 190, 3))
        sprite = scene.car(scene.Vehicle(text, "chart", colour, 0, 1, lambda _t: (0.0, 0.0, 1.0)))
        shown.append(
            Shown(
                text, width_px, _paste(scenery, sprite, width_px, (x, y), angle_deg, scene.PLATE_PX)
            )
        )
    picture = np.full_like(scenery, PAPER)
    picture[:] = np.clip(scenery * gain, 0, 255).astype(np.uint8)
    marks = [_mark(picture, number, place) for place in range(fiducial.PER_PAGE)]
    return Page(number, angle_deg, light, [WIDTH_PX, HEIGHT_PX], marks, shown), picture


def fictitious(rng: np.random.Generator) -> str:
    """Drawn by chance in the format of a US state; that it exists somewhere is possible, and it is
    nobody's data.
    """
    return "".join(
        rng.choice(list(kind))
        for kind in (DIGITS, LETTERS, LETTERS, LETTERS, DIGITS, DIGITS, DIGITS)
    )


def _spots() -> Iterator[tuple[float, float]]:
    """Where the plates' centres lie: two rows, the large ones with more room."""
    left, right = MARGIN_PX + MARK_PX + 40.0, WIDTH_PX - MARGIN_PX - MARK_PX - 40.0
    for row, y in ((WIDTHS_PX[:3], 400.0), (WIDTHS_PX[3:], 870.0)):
        rooms = [width_px * CAR_PER_PLATE for width_px in row]
        gap = (right - left - sum(rooms)) / (len(row) - 1)
        x = left
        for room in rooms:
            yield x + room / 2, y
            x += room + gap


def _paste(
    scenery: np.ndarray,
    sprite: np.ndarray,
    width_px: int,
    spot: tuple[float, float],
    angle_deg: int,
    plate_px: tuple[int, int],
) -> list[list[float]]:
    """Turn the car about its upright axis, scale it, blend it in; the plate's corners on the chart.
    Changes `scenery`.
    """
    height, width = sprite.shape[:2]
    top, left = 268, (width - plate_px[1]) // 2
    middle = (left + plate_px[1] / 2, top + plate_px[0] / 2)
    scale = width_px / plate_px[1]
    turn = np.radians(angle_deg)

    def seen(point: tuple[float, float]) -> tuple[float, float]:
        x, y = point[0] - middle[0], point[1] - middle[1]
        nearer = 1.0 / (1.0 + x * np.sin(turn) / (DEPTH * width))
        return spot[0] + scale * x * np.cos(turn) * nearer, spot[1] + scale * y * nearer

    box = [(0, 0), (width, 0), (width, height), (0, height)]
    there = np.float32([seen(point) for point in box])
    x0, y0 = np.maximum(np.floor(there.min(axis=0)).astype(int), 0)
    x1, y1 = np.minimum(np.ceil(there.max(axis=0)).astype(int), (WIDTH_PX, HEIGHT_PX))
    matrix = cv2.getPerspectiveTransform(np.float32(box), np.float32(there - (x0, y0)))
    placed = cv2.warpPerspective(
        sprite, matrix, (int(x1 - x0), int(y1 - y0)), flags=cv2.INTER_AREA
    ).astype(np.float32)
    alpha, under = placed[:, :, 3:] / 255, scenery[y0:y1, x0:x1]
    under[:] = (under * (1 - alpha) + placed[:, :, :3] * alpha).astype(np.uint8)
    plate = [
        (left, top),
        (left + plate_px[1], top),
        (left + plate_px[1], top + plate_px[0]),
        (left, top + plate_px[0]),
    ]
    return [[float(x), float(y)] for x, y in map(seen, plate)]


def _mark(picture: np.ndarray, page: int, place: int) -> list[list[float]]:
    """Draw one of the four marks on its light patch; its corners."""
    height, width = picture.shape[:2]
    x = MARGIN_PX if place in (0, 3) else width - MARGIN_PX - MARK_PX
    y = MARGIN_PX if place in (0, 1) else height - MARGIN_PX - MARK_PX
    picture[
        max(0, y - MARGIN_PX) : y + MARK_PX + MARGIN_PX,
        max(0, x - MARGIN_PX) : x + MARK_PX + MARGIN_PX,
    ] = PAPER
    picture[y : y + MARK_PX, x : x + MARK_PX] = fiducial.draw(
        page * fiducial.PER_PAGE + place, MARK_PX
    )[:, :, None]
    return [
        [float(px), float(py)]
        for px, py in (
            (x, y),
            (x + MARK_PX - 1, y),
            (x + MARK_PX - 1, y + MARK_PX - 1),
            (x, y + MARK_PX - 1),
        )
    ]


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for page, picture in pages(lights=LIGHTS[:1]):
        stem = folder / f"chart-{page.angle_deg:02d}-degrees"
        cv2.imwrite(
            f"{stem}.png",
            cv2.resize(
                picture,
                (PRINTED_PX[0], PRINTED_PX[0] * HEIGHT_PX // WIDTH_PX),
                interpolation=cv2.INTER_CUBIC,
            ),
        )
        Path(f"{stem}.json").write_text(page.as_json(), encoding="utf-8")
        print(
            f"{stem}.png: print it as wide as the sheet; {stem}.json: "
            f"name it in the environment file, screen: printed:{stem}.json"
        )


if __name__ == "__main__":
    main()
