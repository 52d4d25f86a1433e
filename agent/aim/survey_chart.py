"""A survey as one offline page: a bar an hour, its colour the verdict, and the numbers under it."""

from collections.abc import Mapping, Sequence
from html import escape

from agent.core.camera.aim_figures import SHARP, Band
from agent.core.camera.aim_survey import SURE, WORKS

STEP_PX, HEIGHT_PX, LEFT_PX, TOP_PX = 34, 150, 44, 16
COLOURS = {"works": "#1c7c54", "poor": "#c98a00", "fails": "#b3362e", "too few": "#9aa5b1"}
STYLE = """body{font:15px/1.5 system-ui,sans-serif;margin:24px auto;max-width:1000px;padding:0 16px;
color:#1b2430;background:#fff}
h1{font-size:1.4rem;margin:0 0 4px}
p{color:#5b6775;margin:0 0 16px}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:14px;width:100%}
th,td{padding:4px 8px;border-top:1px solid #d8dee6;text-align:right;white-space:nowrap}
th:first-child,td:first-child,td:last-child,th:last-child{text-align:left}
text{font:11px system-ui,sans-serif;fill:#5b6775}"""


def page(camera: str, rows: Sequence[Mapping[str, object]], band: Band) -> bytes:
    """The whole page; no script, nothing from elsewhere."""
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    told = (
        f"Share of reads that were sure (at least {SURE:.0%}); from {WORKS:.0%} on an hour works. "
        f"Plates should be at least {band.green_from:.0f} px wide and show a detail of "
        f"at least {SHARP:g}. Times are UTC. No plate is in these figures."
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>Survey of {escape(camera)}</title><style>{STYLE}</style></head><body>"
        f"<h1>Survey of {escape(camera)}</h1><p>{escape(told)}</p>"
        f'<div class="wide">{bars(rows)}{table(rows)}</div></body></html>\n'
    ).encode()


def bars(rows: Sequence[Mapping[str, object]]) -> str:
    """The hours as bars, in SVG."""
    width = LEFT_PX + max(1, len(rows)) * STEP_PX + 8
    marks = [
        f'<line x1="{LEFT_PX}" x2="{width}" y1="{_y(level):.0f}" y2="{_y(level):.0f}" '
        'stroke="#d8dee6"/>'
        f'<text x="{LEFT_PX - 6}" y="{_y(level) + 4:.0f}" text-anchor="end">{level:.0%}</text>'
        for level in (0.0, 0.5, WORKS, 1.0)
        if level != 0.5
    ]
    drawn = [_bar(LEFT_PX + place * STEP_PX, row) for place, row in enumerate(rows)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" '
        f'height="{TOP_PX + HEIGHT_PX + 28}" role="img" aria-label="share of sure reads by hour">'
        f"{''.join(marks)}{''.join(drawn)}</svg>"
    )


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """The numbers: middle values, with the verdict and what was lacking."""
    heads = (
        "hour",
        "frames",
        "reads",
        "sure",
        "width px",
        "detail",
        "light",
        "contrast",
        "picture",
        "verdict",
    )
    lines = [
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells(row))}</tr>" for row in rows
    ]
    return (
        f"<table><tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>{''.join(lines)}</table>"
    )


def cells(row: Mapping[str, object]) -> tuple[str, ...]:
    """One row as text; also for the terminal."""
    seen = bool(row["reads"])
    causes = row["causes"]
    why = ", ".join(str(cause) for cause in causes) if isinstance(causes, list) else ""
    return (
        str(row["hour"])[5:16].replace("T", " "),
        str(row["frames"]),
        str(row["reads"]),
        f"{_number(row['sure_share']):.0%}" if seen else "–",
        *(_middle(row, name, seen=seen) for name in ("width_px", "detail", "light", "contrast")),
        _middle(row, "picture", seen=True),
        f"{row['verdict']}: {why}" if why else str(row["verdict"]),
    )


def _bar(x: int, row: Mapping[str, object]) -> str:
    share, verdict = _number(row["sure_share"]), str(row["verdict"])
    top = _y(share)
    height = max(2.0, TOP_PX + HEIGHT_PX - top)
    return (
        f'<rect x="{x + 4}" y="{TOP_PX + HEIGHT_PX - height:.1f}" width="{STEP_PX - 8}" '
        f'height="{height:.1f}" rx="3" fill="{COLOURS[verdict]}"/>'
        f'<text x="{x + STEP_PX / 2:.0f}" y="{TOP_PX + HEIGHT_PX + 16}" text-anchor="middle">'
        f"{escape(str(row['hour'])[11:13])}</text>"
    )


def _y(share: float) -> float:
    return TOP_PX + HEIGHT_PX * (1 - share)


def _middle(row: Mapping[str, object], name: str, *, seen: bool) -> str:
    values = row[name]
    return f"{values[1]:g}" if seen and isinstance(values, list) else "–"


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
