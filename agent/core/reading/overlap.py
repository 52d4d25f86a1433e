"""How much two upright boxes share, and whether they show one plate.

Boxes are x, y, width, height, in any one unit.
"""

Box = tuple[float, float, float, float]

OVERLAP_IS_SAME = 0.25  # intersection over union; two real plates never overlap
# Share of the smaller box that lies in the other. A sticker on a plate is no plate beside it.
INSIDE_IS_SAME = 0.7


def overlap(one: Box, two: Box) -> float:
    """Intersection over union, 0–1; 0 for boxes without an area."""
    shared = _shared(one, two)
    whole = one[2] * one[3] + two[2] * two[3] - shared
    return shared / whole if whole > 0 else 0.0


def same_plate(one: Box, two: Box) -> bool:
    """They overlap much, or one lies in the other."""
    shared = _shared(one, two)
    if shared <= 0:
        return False
    first, second = one[2] * one[3], two[2] * two[3]
    return shared > OVERLAP_IS_SAME * (first + second - shared) or shared > INSIDE_IS_SAME * min(
        first, second
    )


def _shared(one: Box, two: Box) -> float:
    across = min(one[0] + one[2], two[0] + two[2]) - max(one[0], two[0])
    down = min(one[1] + one[3], two[1] + two[3]) - max(one[1], two[1])
    return max(across, 0.0) * max(down, 0.0)
