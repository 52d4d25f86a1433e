"""`policy diff --html`: one offline page that tells a signer, and anybody else, what a change of
policy lets out.
"""

from collections.abc import Sequence
from html import escape

from agent.city.pages.explain_page import fill_template, forbidden, lines, style
from agent.core.judging.diff.diff_notes import Change, Note
from agent.core.judging.diff.diff_words import Compared
from agent.core.judging.explain.provenance import told as standing_told


def render(compared: Compared) -> str:
    """The page's HTML. Everything is inlined: no script, no font, no request leaves it."""
    parts = {
        "STYLE": style(),
        "NAME": escape(compared.new.name),
        "OLD": str(compared.old.version),
        "NEW": str(compared.new.version),
        "OLD_STANDING": escape(" ".join(standing_told(compared.old_standing))),
        "NEW_STANDING": escape(" ".join(standing_told(compared.new_standing))),
        "FORBIDS": forbidden(compared.forbids),
        "VERDICT": _verdict(compared),
        "SECTIONS": _section("It lets out more, the worst first", compared.lets_out, "yes")
        + _section("It lets out less", compared.restricts, "no")
        + _section("It also changes", compared.notes, ""),
        "OLD_DIGEST": compared.old.digest,
        "NEW_DIGEST": compared.new.digest,
    }
    return fill_template("policy_diff.html", parts)


def _verdict(compared: Compared) -> str:
    refused = "".join(
        f"<li>{escape(str(fault))} <code>{escape(fault.reason)}</code></li>"
        for fault in compared.refused
    )
    whole = (
        _card(
            "bad",
            "Refused",
            "The charter forbids the new policy: a camera would not start with it",
            f"<ul>{refused}</ul>",
        )
        if refused
        else ""
    )
    if compared.nothing:
        return whole + _card(
            "no", "Nothing", "changes in what leaves the cameras, or by what way", ""
        )
    if compared.lets_out:
        many = (
            f"{len(compared.lets_out)} ways in which more would leave"
            if len(compared.lets_out) > 1
            else "one way in which more would leave"
        )
        return whole + _card("yes", "More", many, "")
    return whole + _card("no", "Nothing more", "would leave the cameras", "")


def _section(title: str, entries: Sequence[Change | Note], kind: str) -> str:
    cards = "".join(
        f'<li class="answer {kind}">{escape(_sentence(entry.says))}{lines(entry.cited)}</li>'
        for entry in entries
    )
    return f'<h2>{escape(title)}</h2><ol class="changes">{cards}</ol>' if entries else ""


def _card(kind: str, word: str, title: str, body: str) -> str:
    return (
        f'<section class="answer {kind}"><div class="head"><span class="word">{escape(word)}</span>'
        f"<h3>{escape(title)}</h3></div>{body}</section>"
    )


def _sentence(says: str) -> str:
    return f"{says[:1].upper()}{says[1:]}."
