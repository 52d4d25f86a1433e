"""Small curves as SVG inside the page: one figure over the nights, the newest as a dot with its
value.
"""

from collections.abc import Sequence

from hw_tests.history.judging import Series

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 170, 62, 5, 38, 6, 8
LEAST_SPAN = 0.3
LINE, DOT, MOVED = "#3b6ea5", "#1b2430", "#b87400"


def plot(series: Series, nights: int) -> str:
    """A gap where a night has no value.

    Lowest and highest stand beside it; the scale spans at least `LEAST_SPAN` of the middle, so that
    noise looks like noise.
    """
    values = [value for _, value in series.values]
    low, high = min(values), max(values)
    spread = max(high - low, LEAST_SPAN * abs(high + low) / 2) or 1.0
    bottom = (high + low - spread) / 2
    step = (WIDTH - LEFT - RIGHT) / max(1, nights - 1)

    def spot(index: int, value: float) -> tuple[float, float]:
        return LEFT + step * index, TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - bottom) / spread)

    pieces = [[spot(*one) for one in piece] for piece in _unbroken(series.values)]
    lines = "".join(
        (
            f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in piece)}" fill="none" '
            f'stroke="{LINE}" stroke-width="1.6" stroke-linejoin="round"/>'
        )
        for piece in pieces
    )
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.6" fill="{LINE}"/>'
        for piece in pieces
        for x, y in piece
    )
    x, y = spot(*series.values[-1])
    newest = (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.4" '
        f'fill="{DOT if series.moved is None else MOVED}"/>'
    )
    scale = f'<text x="{WIDTH - 2}" y="{TOP + 8}" text-anchor="end">{high:.4g}</text>'
    if low != high:
        scale += (
            f'<text x="{WIDTH - 2}" y="{HEIGHT - BOTTOM + 2}" text-anchor="end">{low:.4g}</text>'
        )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="the figure over {nights} '
        f'nights">{lines}{dots}{newest}{scale}</svg>'
    )


def _unbroken(values: Sequence[tuple[int, float]]) -> list[list[tuple[int, float]]]:
    """Runs of nights that follow one another."""
    pieces: list[list[tuple[int, float]]] = []
    for index, value in values:
        if not pieces or index != pieces[-1][-1][0] + 1:
            pieces.append([])
        pieces[-1].append((index, value))
    return pieces
