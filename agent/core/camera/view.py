"""Where a camera looks: zones in which plates count, masks that nothing sees.

Polygons in shares of the frame, so that they hold at any resolution.

The file is written by `aim` and read by `watch`. Any fault in it refuses the whole file, because a
camera must not guess where it may look (docs/ref/aim.md).
"""

import hashlib
import json

from agent.core.reasons import Reason
from agent.core.text.strict_json import Fields, canonical, malformed, parse_object
from agent.errors import EnvelopeRefusedError
from agent.values import dataclass

VERSION = 1
MAX_BYTES = 16_384
MOST_SHAPES, LEAST_POINTS, MOST_POINTS = 8, 3, 64
LEAST_AREA = 1e-4  # of the frame: less is a slip of the finger

Point = tuple[float, float]
Polygon = tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class View:
    """`zones`: a plate counts when its centre lies in one; without any, everywhere.

    `masks`: blackened before anything looks at the frame.
    """

    zones: tuple[Polygon, ...] = ()
    masks: tuple[Polygon, ...] = ()

    def counts(self, x: float, y: float) -> bool:
        """Does a plate whose centre lies there (shares of the frame) count?"""
        return not self.zones or any(inside(x, y, zone) for zone in self.zones)

    def digest(self) -> str:
        """SHA-256 of the canonical file, hex: for the log."""
        return hashlib.sha256(canonical(_body(self))).hexdigest()


EVERYTHING = View()


def inside(x: float, y: float, polygon: Polygon) -> bool:
    """Even-odd rule."""
    within = False
    for (x0, y0), (x1, y1) in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
        if (y0 > y) != (y1 > y) and x < (x1 - x0) * (y - y0) / (y1 - y0) + x0:
            within = not within
    return within


def area(polygon: Polygon) -> float:
    """Share of the frame, by the shoelace formula; a polygon that crosses itself comes out
    smaller.
    """
    edges = zip(polygon, (*polygon[1:], polygon[0]), strict=True)
    return abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in edges)) / 2


def format_view(view: View) -> bytes:
    """The file's bytes."""
    return json.dumps(_body(view), indent=1, sort_keys=True).encode() + b"\n"


def parse_view(untrusted_json: bytes, where: str) -> View:
    """The inverse, strict. Raises EnvelopeRefusedError(malformed)."""
    if len(untrusted_json) > MAX_BYTES:
        raise malformed(f"more than {MAX_BYTES} bytes", where)
    fields = Fields(parse_object(untrusted_json, where), where, required=("v", "zones", "masks"))
    fields.exactly("v", VERSION)
    zones, masks = (
        tuple(_polygon(shape, where) for shape in fields.sequence(name, MOST_SHAPES))
        for name in ("zones", "masks")
    )
    return View(zones, masks)


def _polygon(untrusted: object, where: str) -> Polygon:
    if not isinstance(untrusted, list) or not LEAST_POINTS <= len(untrusted) <= MOST_POINTS:
        raise malformed(
            f"a zone or mask must be a list of {LEAST_POINTS} to {MOST_POINTS} points", where
        )
    polygon = tuple(_point(point, where) for point in untrusted)
    if area(polygon) < LEAST_AREA:
        raise EnvelopeRefusedError(
            Reason.MALFORMED,
            "a zone or mask has hardly any area",
            where=where,
            fix="draw it again, around something",
        )
    return polygon


def _point(untrusted: object, where: str) -> Point:
    numbers = untrusted if isinstance(untrusted, list) else ()
    if len(numbers) != 2 or any(
        type(value) not in {int, float} or not 0 <= value <= 1 for value in numbers
    ):
        raise malformed("a point must be two numbers from 0 to 1", where)
    x, y = numbers
    return float(x), float(y)


def _body(view: View) -> dict[str, object]:
    shapes = {
        name: [[[round(x, 4), round(y, 4)] for x, y in shape] for shape in group]
        for name, group in (("zones", view.zones), ("masks", view.masks))
    }
    return {"v": VERSION, **shapes}
