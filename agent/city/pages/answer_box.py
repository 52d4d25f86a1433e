"""The first screen of the explain page for one camera: who could receive what from it on that day,
and who signed that; in a few sentences, for somebody who reads no further.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from agent.city.pages.explain_text import cameras
from agent.core.judging.explain.explanation import hours
from agent.core.judging.explain.provenance import DRAFT, lapse_told
from agent.core.judging.explain.provenance import told as standing_told
from agent.core.text.plain_words import plain_day, quoted_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.core.judging.explain.answers import Answer, Explained
    from agent.core.judging.explain.explanation import Grant

MOST = 4  # receivers that fit on a phone's first screen; the others stand in the table below
INCLUDED = {
    "plate": "the plate",
    "crop": "a picture of the plate",
    "captured_at": "when",
    "camera": "which camera",
}
_SENT = {"crop": "picture of the plate", "captured_at": "time"}
ALL_DAY = "all day"  # as explanation.hours says it


def at_once(told: Explained) -> str:
    """The box, as HTML; for many cameras or one recipient only who signed, since the page below
    says the rest.
    """
    if len(told.cameras) != 1 or told.only:
        return f'<p class="standing">{escape(" ".join(standing_told(told.standing)))}</p>'
    listed = [answer for answer in told.answers if answer.allowed]
    return (
        f'<section class="answer {"yes" if listed else "no"}" id="answer"><div class="head">'
        f'<span class="word">{"Only wanted cars" if listed else "Nobody"}</span>'
        f"<h2>{escape(_heading(told))}</h2></div>"
        f"{_who(listed) if listed else _nobody(told)}{_signed(told)}</section>"
    )


def _who(listed: Sequence[Answer]) -> str:
    """Who could receive what, in a line each."""
    items = "".join(f"<li>{_one(answer)}</li>" for answer in listed[:MOST])
    if len(listed) > MOST:
        items += f"<li>{len(listed) - MOST} more, in the table below.</li>"
    return (
        f'<ul class="could">{items}</ul><p>Nobody else could receive anything. Of other '
        "cars nobody could receive anything.</p>"
    )


def _nobody(told: Explained) -> str:
    standing = told.standing
    if standing is not None and standing.lapsed is not None and standing.lapsed_before(told.on):
        return f"<p>Nobody could receive anything: {escape(lapse_told(standing.lapsed))}.</p>"
    return "<p>Nobody could receive anything.</p>"


def _signed(told: Explained) -> str:
    """Who signed that, and what else is to be known of the day."""
    standing = told.standing
    if standing is None:
        return f'<p class="standing">{escape(DRAFT)}</p>'
    notes = " ".join(standing.otherwise(told.on))
    return (
        '<p class="standing">These rules are <b>signed by</b> '
        f"{escape(quoted_names(standing.policy_by, between=' and '))}; the council's charter, "
        f"which limits them, by {escape(quoted_names(standing.charter_by, between=' and '))}. "
        f"In force from {plain_day(standing.at)}, {standing.at:%H:%M} UTC "
        f"(the city's publication {standing.publish}).</p>"
        + (f'<p class="standing"><b>{escape(notes)}</b></p>' if notes else "")
    )


def where_and_when(grant: Grant, known: tuple[str, ...]) -> str:
    """`all 4 cameras, all day`; of one camera `main-street-2, all day`."""
    if len(known) == 1:
        return "; ".join(f"{camera}, {hours(parts)}" for camera, parts in grant.times)
    return cameras(grant, known)


def words(name: str) -> str:
    """An id as words: `stolen-vehicle` reads `stolen vehicle`."""
    return name.replace("-", " ")


def _heading(told: Explained) -> str:
    """`On 1 March 2025, from main-street-2 (Main Street at 2nd Avenue)`."""
    (camera,) = told.cameras
    listed = told.roster.cameras.get(camera) if told.roster is not None else None
    stands = f" ({listed.stands})" if listed is not None and listed.stands else ""
    return f"On {plain_day(told.on)}, from {camera}{stands}"


def _one(answer: Answer) -> str:
    told = "; ".join(map(_grant, answer.grants))
    return f"<b>{escape(answer.legal_name)}</b>: {escape(told)}."


def _grant(grant: Grant) -> str:
    """`of cars listed as amber alert: plate, time, camera; for missing child search; readable for 7
    days`.
    """
    sent = ", ".join(_SENT.get(name, name) for name in grant.include)
    (parts,) = {parts for _, parts in grant.times}
    when = "" if hours(parts) == ALL_DAY else f" ({hours(parts)} only)"
    return (
        f"of cars listed as {' or '.join(map(words, grant.categories))}: {sent}{when}; "
        f"for {words(grant.purpose)}; readable for {grant.retention_days} days"
    )
