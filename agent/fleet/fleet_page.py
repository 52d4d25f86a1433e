"""A city's cameras on one page, whole and offline: it asks nobody for anything, runs nothing."""

from collections.abc import Iterator
from functools import cache
from html import escape
from importlib.resources import files

from agent.core.text.visible import visible
from agent.fleet.camera_troubles import Who
from agent.fleet.fleet_view import CameraState, Fleet, counted

_HEADS = {
    Who.LADDER: ("bad", "Needs a ladder"),
    Who.DESK: ("yes", "Needs the desk"),
    Who.NOBODY: ("no", "Well"),
}
_TILES = {Who.LADDER: "need a ladder", Who.DESK: "need the desk", Who.NOBODY: "are well"}
_NONE = {
    Who.LADDER: "Nobody has to go anywhere.",
    Who.DESK: "Nothing to do at the desk.",
    Who.NOBODY: "No camera is well.",
}
MOST_ROWS = 1_000
"""Cameras on the page: a phone shows no more, and nobody reads on."""
_COLUMNS = ("Camera", "What", "Last heard", "Software", "Policy", "Hot list", "Outbox", "Missed")


@cache
def _style() -> str:
    looks = files("agent.city.pages").joinpath("policy_page.css").read_text(encoding="utf-8")
    return looks + files("agent.fleet").joinpath("fleet_page.css").read_text(encoding="utf-8")


def fleet_page(fleet: Fleet) -> str:
    """The page's HTML. `fleet.cameras` are in the order in which they stand there."""
    return "".join(_parts(fleet))


def _parts(fleet: Fleet) -> Iterator[str]:
    at = fleet.at.strftime("%Y-%m-%d %H:%M UTC")
    yield (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">"
        f"<title>The city's cameras</title><style>{_style()}</style></head>\n<body><main>"
        f'<h1>The city\'s cameras</h1><p class="soft">As of {at}. No plate, no picture and no '
        "count of vehicles is on this page, nor in what it is made of.</p>\n"
    )
    yield _summary(fleet)
    for who in Who:
        yield from _section(fleet, who)
    yield "</main></body></html>\n"


def _summary(fleet: Fleet) -> str:
    tiles = "".join(
        f'<li class="answer {_HEADS[who][0]}"><a href="#{who.name.lower()}">'
        f'<span class="count">{fleet.count(who):,}</span> {_TILES[who]}</a></li>'
        for who in Who
    )
    lines = [
        ("Cameras", f"{fleet.counts.cameras:,}"),
        ("Software", counted(fleet.counts.versions)),
        ("Policy", counted(fleet.counts.policies)),
        ("Collector", fleet.link),
    ]
    if fleet.strangers:
        lines.append(("Strangers", f"{fleet.strangers:,} messages under names of no camera"))
    told = "".join(f"<dt>{name}</dt><dd>{escape(visible(value))}</dd>" for name, value in lines)
    return f'<ul class="tiles">{tiles}</ul>\n<dl>{told}</dl>\n'


def _section(fleet: Fleet, who: Who) -> Iterator[str]:
    looks, head = _HEADS[who]
    yield f'<section id="{who.name.lower()}" class="{looks}"><h2>{head}</h2>\n'
    cameras = tuple(fleet.of(who))
    left = fleet.count(who) - len(cameras)
    if not cameras:
        words = f"{left:,} cameras: <code>fleet status --all</code> lists them." if left else ""
        yield f"<p>{words or _NONE[who]}</p></section>\n"
        return
    heads = "".join(f'<th scope="col">{name}</th>' for name in _COLUMNS)
    yield f'<table class="fleet"><thead><tr>{heads}</tr></thead><tbody>\n'
    yield from map(_row, cameras)
    more = f"<p>And {left:,} more: <code>fleet status --all</code>.</p>" if left > 0 else ""
    yield f"</tbody></table>{more}</section>\n"


def _row(one: CameraState) -> str:
    message = one.row.message
    health = message.health if message else None
    troubles = "; ".join(trouble.words for trouble in one.troubles) or "well"
    age_h = health.hotlist_age_h if health else None
    policy = health.policy_version if health else None
    filled = health.outbox_filled if health else None
    cells = (
        troubles,
        "never" if one.silent_h is None else f"{one.silent_h} h ago",
        health.version if health else "–",
        "–" if policy is None or health is None else _aged(str(policy), health.policy_age_h),
        "–" if age_h is None else f"{age_h:.0f} h old",
        "–" if filled is None else f"{filled:.0%}",
        str(one.row.missed),
    )
    told = "".join(
        f'<td data-is="{name}">{escape(visible(cell))}</td>'
        for name, cell in zip(_COLUMNS[1:], cells, strict=True)
    )
    return f'<tr><th scope="row">{escape(visible(one.row.name))}</th>{told}</tr>\n'


def _aged(version: str, age_h: float | None) -> str:
    return version if age_h is None else f"{version}, {age_h:.0f} h old"
