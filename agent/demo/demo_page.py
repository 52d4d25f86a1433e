"""The demo's last word: one offline HTML page in two halves, what the camera saw and what left.

No plate as text.
"""

import base64
import json
from collections.abc import Iterable, Mapping
from html import escape
from importlib.resources import files

from agent.values import dataclass


@dataclass(frozen=True, slots=True)
class SawCard:
    """One vehicle: a JPEG with its plate boxed, what it was, what became of it."""

    picture: bytes
    title: str
    outcome: str
    left: bool


@dataclass(frozen=True, slots=True)
class LeftCard:
    """One sealed read: its readable tags, its bytes as they travelled, and the crop that its
    recipient opened (JPEG or none).
    """

    tags: Mapping[str, object]
    wire: bytes
    opened_crop: bytes | None


@dataclass(frozen=True, slots=True)
class Answer:
    """May this organisation get reads?

    `why`: a sentence; `lines`: those of charter or policy that it rests on, `file:line  text`.
    """

    who: str
    may: bool
    why: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Push:
    """A pushed policy that adds `who`: what it would let out, the lines that say so, and why the
    charter refuses it, if it does.
    """

    who: str
    lets_out: tuple[str, ...]
    lines: tuple[str, ...]
    refused: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One refusal that was provoked for real."""

    what: str
    reason: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Page:
    """Everything on the page.

    `relayed`: all bytes that the broker handled; `checkpoint`: watch's newest signed checkpoint.
    """

    saw: tuple[SawCard, ...]
    left: tuple[LeftCard, ...]
    answers: tuple[Answer, ...]
    pushes: tuple[Push, ...]
    attempts: tuple[Attempt, ...]
    proofs: tuple[Attempt, ...]
    summary: Mapping[str, object]
    relayed: bytes
    plates_found_in_relayed: int
    checkpoint: str


def render(page: Page) -> str:
    """The page's HTML. Everything is inlined: no script, no font, no request leaves it."""
    template = (files("agent.demo") / "page.html").read_text(encoding="utf-8")
    parts = {
        "SAW": "".join(_saw(card) for card in page.saw),
        "LEFT": "".join(_left(card) for card in page.left),
        "NUMBERS": _numbers(page.summary),
        "ANSWERS": "".join(_answer(a) for a in page.answers),
        "PUSHES": "".join(_push(push) for push in page.pushes),
        "ATTEMPTS": "".join(map(_attempt, page.attempts)),
        "PROOFS": "".join(map(_attempt, page.proofs)),
        "RELAYED": _hexdump(_middle(page.relayed, 256)),
        "RELAYED_BYTES": f"{len(page.relayed):,}",
        "FOUND": str(page.plates_found_in_relayed),
        "CHECKPOINT": escape(page.checkpoint),
    }
    for name, html in parts.items():
        template = template.replace("{{" + name + "}}", html)
    return template


def _attempt(attempt: Attempt) -> str:
    return (
        f"<tr><td>{escape(attempt.what)}</td><td><code>{escape(attempt.reason)}</code></td>"
        f"<td>{escape(attempt.evidence)}</td></tr>"
    )


def _picture(jpeg: bytes, alt: str) -> str:
    return (
        f'<img alt="{escape(alt)}" '
        f'src="data:image/jpeg;base64,{base64.b64encode(jpeg).decode("ascii")}">'
    )


def _saw(card: SawCard) -> str:
    kind = "hit" if card.left else "dropped"
    return (
        f'<figure class="{kind}">{_picture(card.picture, card.title)}<figcaption>'
        f"<b>{escape(card.title)}</b><span>{escape(card.outcome)}</span></figcaption></figure>"
    )


def _left(card: LeftCard) -> str:
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(_plain(value))}</td></tr>"
        for name, value in card.tags.items()
    )
    crop = (
        (
            f'<p class="opened">{_picture(card.opened_crop, "the crop")}'
            "<span>What its recipient opened. An unverified lead, not a fact.</span></p>"
        )
        if card.opened_crop
        else ""
    )
    return (
        f'<div class="card"><h3>{len(card.wire):,} bytes to one recipient</h3>'
        f'<table class="tags">{rows}</table><p>The plate, '
        "its confidence and the picture are in here, and only the recipient's key opens it:</p>"
        f"<pre>{_hexdump(_middle(card.wire, 192))}</pre>{crop}</div>"
    )


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(item)}" for name, item in value.items())
    return value if isinstance(value, str) else json.dumps(value)


def _middle(data: bytes, size: int) -> bytes:
    """From the middle: the ends of a sealed read are its readable tags and its signature."""
    start = max(0, (len(data) - size) // 2)
    return data[start : start + size]


def _answer(answer: Answer) -> str:
    kind, word = ("yes", "Yes") if answer.may else ("no", "No")
    return (
        f'<tr class="{kind}"><td>{escape(answer.who)}</td><td>{word}</td>'
        f"<td>{escape(answer.why)}{_quoted(answer.lines)}</td></tr>"
    )


def _push(push: Push) -> str:
    refused = (
        (
            '<p class="stop">No camera obeys it. The charter forbids: '
            f"{escape('; '.join(push.refused))}</p>"
        )
        if push.refused
        else ""
    )
    permitted = (
        ""
        if push.refused
        else (
            "<p>The charter permits it: whether it is signed is for the city to say, "
            "and this is what its signers are shown.</p>"
        )
    )
    says = "".join(f"<li>{escape(sentence)}</li>" for sentence in push.lets_out)
    return (
        f'<div class="card"><h3>It adds {escape(push.who)}</h3><ol>{says}</ol>'
        f"{_quoted(push.lines)}{refused}{permitted}</div>"
    )


def _quoted(lines: tuple[str, ...]) -> str:
    return f"<pre>{escape(chr(10).join(lines))}</pre>" if lines else ""


def _numbers(summary: Mapping[str, object]) -> str:
    labels: Iterable[tuple[str, str]] = (
        ("seen", "plates seen in frames"),
        ("sightings", "vehicles"),
        ("dropped", "dropped in memory"),
        ("sealed", "sealed"),
        ("delivered", "delivered, with a signed receipt"),
        ("opened", "opened by the recipient"),
        ("outbox_left", "left in the outbox"),
    )
    return "".join(
        f"<li><b>{escape(str(summary[key]))}</b> {escape(text)}</li>" for key, text in labels
    )


def _hexdump(data: bytes) -> str:
    """Sixteen bytes a line, hexadecimal and ASCII."""
    lines = []
    for offset in range(0, len(data), 16):
        row = data[offset : offset + 16]
        text = "".join(chr(b) if 32 <= b < 127 else "." for b in row)
        lines.append(f"{row.hex(' '):<47}  {escape(text)}")
    return "\n".join(lines)
