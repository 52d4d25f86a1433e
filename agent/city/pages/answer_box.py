"""The first screen of the explain page for one camera: who could receive what from it on that day,
and who signed that; in a few sentences, for somebody who reads no further.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from agent.city.pages.explain_text import cameras
from agent.core.judging.explain.explanation import hours
from agent.core.judging.explain.provenance import told as standing_told
from agent.core.text.plain_words import plain_day

if TYPE_CHECKING:
    from agent.core.judging.explain.answers import Answer, Explained
    from agent.core.judging.explain.explanation import Grant

MOST = 4  # receivers that fit on a phone's first screen; the others stand in the table below
INCLUDED = {
    "plate": "the plate",
    "crop": "a picture of the plate",
    "captured_at": "when",
    "camera": "which camera",
}


def at_once(told: Explained) -> str:
    """The box, as HTML; for many cameras or one recipient only who signed, since the page below
    says the rest.
    """
    signed = f'<p class="standing">{escape(" ".join(standing_told(told.standing)))}</p>'
    if len(told.cameras) != 1 or told.only:
        return signed
    listed = [answer for answer in told.answers if answer.allowed]
    kind, word = ("yes", "Only if listed") if listed else ("no", "Nobody")
    items = "".join(f"<li>{_one(answer)}</li>" for answer in listed[:MOST])
    if len(listed) > MOST:
        items += f"<li>{len(listed) - MOST} more, in the table below.</li>"
    rest = "Nobody else could receive anything." if listed else "Nobody could receive anything."
    return (
        f'<section class="answer {kind}" id="answer"><div class="head">'
        f'<span class="word">{word}</span><h3>{escape(_heading(told))}</h3></div>'
        f'<ul class="could">{items}</ul><p>{rest}</p>{signed}</section>'
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
    told = " ".join(map(_grant, answer.grants))
    return f"<b>{escape(answer.legal_name)}</b>: {escape(told)}"


def _grant(grant: Grant) -> str:
    sent = ", ".join(INCLUDED.get(name, name) for name in grant.include)
    when = "; ".join(hours(parts) for _, parts in grant.times)
    return (
        f"of a car listed as {' or '.join(map(words, grant.categories))}: {sent}, {when}. "
        f"For {words(grant.purpose)}; nobody can open it after {grant.retention_days} days."
    )
