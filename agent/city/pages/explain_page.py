"""`policy explain --html`: one offline page on which somebody who has never heard of any of this
finds out who can get a plate, and who cannot.
"""

from collections.abc import Iterable, Mapping
from html import escape
from importlib.resources import files

from agent.city.pages.answer_box import INCLUDED, at_once, where_and_when, words
from agent.city.pages.explain_text import brokers, places, shown, source, stops
from agent.core.judging.explain.answers import Answer, Explained, Obstacle
from agent.core.judging.explain.cited_lines import Cited
from agent.core.judging.explain.explanation import Grant
from agent.core.judging.explain.false_leads import Estimate
from agent.core.judging.explain.prohibitions import Prohibition
from agent.core.reasons import Reason
from agent.core.text.plain_words import plain_day
from agent.values import replace

LEVELS = {
    "exact": "letters and state both match",
    "text": "the letters match, the state was not read",
    "confusable": "letters that look alike match",
}


def render(told: Explained, leads: Mapping[str, Estimate]) -> str:
    """The page's HTML. Everything is inlined: no script, no font, no request leaves it."""
    listed = [answer for answer in told.answers if answer.allowed]
    refused = [answer for answer in told.answers if not answer.allowed]
    parts = {
        "STYLE": style(),
        "NAME": escape(told.policy.name),
        "VERSION": str(told.policy.version),
        "UNDER": f", under {escape(told.charter.name)}" if told.charter else ", under no charter",
        "ANSWER": at_once(told),
        "ON": plain_day(told.on),
        "CAMERAS": _which(told.cameras),
        "QUESTION": escape(_question(told)),
        "SUMMARY": "".join(map(_row, [*listed, *refused])) + _ROW_OF_ALL_OTHERS,
        "YES": "".join(_yes(answer, told) for answer in listed) or _nobody(),
        "NO": "".join(map(_no, refused)) + _everybody_else(told.default),
        "FORBIDS": forbidden(told.forbids),
        "COMPLAINTS": _complaints(told),
        "CAMERAS_AND_BARS": _cameras(told),
        "LEADS": "".join(_leads(grant, leads[grant.rule]) for grant in told.grants)
        or "<p>Nothing is sent, so that nothing can be wrong.</p>",
        "LAW": _law(told),
        "ASKED": _asked(told.asked),
        "FILES": lines(_files(told)),
        "DIGEST": told.policy.digest,
    }
    return fill_template("policy_explain.html", parts)


def _which(known: tuple[str, ...]) -> str:
    if len(known) == 1:
        return f", for the camera {escape(known[0])}"
    return f", for {len(known)} cameras" if known else ""


def style() -> str:
    """The style sheet of both policy pages."""
    return (files("agent.city.pages") / "policy_page.css").read_text(encoding="utf-8")


def fill_template(name: str, parts: Mapping[str, str]) -> str:
    """A page's template with its parts; a part's own text is never looked at again, whatever braces
    it holds.
    """
    template = (files("agent.city.pages") / name).read_text(encoding="utf-8")
    head, *rest = template.split("{{")
    return head + "".join(parts[part.split("}}", 1)[0]] + part.split("}}", 1)[1] for part in rest)


_ROW_OF_ALL_OTHERS = (
    '<tr class="no"><td>Everybody else</td><td><span class="word">No</span></td>'
    "<td>not named in the policy</td></tr>"
)


def _row(answer: Answer) -> str:
    """The answer at a glance; more below."""
    ident = (
        f'<br><code class="id">{escape(answer.recipient)}</code>'
        if _name(answer) != answer.recipient
        else ""
    )
    link = f'<a href="#{escape(answer.recipient)}">{escape(_name(answer))}</a>{ident}'
    if answer.allowed:
        categories = sorted(
            {words(category) for grant in answer.grants for category in grant.categories}
        )
        return (
            f'<tr class="yes"><td>{link}</td><td><span class="word">Only if listed</span></td>'
            f"<td>as {escape(' or '.join(categories))}</td></tr>"
        )
    return (
        f'<tr class="no"><td>{link}</td><td><span class="word">No</span></td>'
        f"<td>{escape(_SHORT.get(answer.obstacles[0].reason, 'refused'))}</td></tr>"
    )


_SHORT = {
    Reason.CHARTER_FORBIDS_RECIPIENT: "forbidden by the council's charter, by name",
    Reason.CHARTER_FORBIDS_PURPOSE: "the council forbids this purpose",
    Reason.RECIPIENT_NOT_IN_POLICY: "not named in the policy",
    Reason.RULE_NOT_IN_POLICY: "no rule gives it anything",
    Reason.PURPOSE_NOT_IN_POLICY: "not for this purpose",
    Reason.RECIPIENT_EXPIRED: "its authority has ended",
    Reason.NO_BROKER_FOR_RECIPIENT: "nothing carries readings to it",
    Reason.CAMERA_NOT_RELEASED: "not from this camera",
    Reason.CAMERA_BARRED: "this camera may not watch",
    Reason.POLICY_NOT_IN_FORCE: "the policy is not in force on that day",
    Reason.BUNDLE_LAPSED: "nothing was in force on that day",
}


def _name(answer: Answer) -> str:
    """How people call it: its full name, else what the council wrote beside its id, else the id."""
    beside = [
        line.comment
        for obstacle in answer.obstacles
        for line in obstacle.cited
        if line.comment and f'"{answer.recipient}"' in line.text
    ]
    name = answer.legal_name or (beside[0] if beside else answer.recipient)
    return name if name == answer.recipient else name[:1].upper() + name[1:]


def _question(told: Explained) -> str:
    if len(told.cameras) == 1 and not told.only:
        return f"Who could receive what from {told.cameras[0]}?"
    if len(told.answers) == 1:
        return f"Can {told.answers[0].legal_name or told.answers[0].recipient} get my plate?"
    purpose = told.answers[0].purpose if told.answers else ""
    return (
        f"Who can get my plate for {words(purpose)}?"
        if purpose
        else "Who can get my licence plate from these cameras?"
    )


def _asked(asked: int) -> str:
    if not asked:
        return (
            "A camera would not start with this policy, because its charter forbids it: "
            "so nothing leaves for anybody."
        )
    return (
        f"{asked:,} questions were put to the very function by which a camera decides; "
        "this page only tells its answers."
    )


def _nobody() -> str:
    return (
        '<section class="answer no"><div class="head"><span class="word">Nobody</span>'
        "<h3>receives anything</h3></div></section>"
    )


def _yes(answer: Answer, told: Explained) -> str:
    rules = "".join(_grant(grant, told) for grant in answer.grants)
    return (
        f'<section class="answer yes" id="{escape(answer.recipient)}"><div class="head">'
        f'<span class="word">Only if listed</span><h3>{escape(answer.legal_name)}</h3>'
        f'<code class="id">{escape(answer.recipient)}</code></div>'
        f"{rules}{lines(answer.cited)}</section>"
    )


def _grant(grant: Grant, told: Explained) -> str:
    answer = next(one for one in told.answers if one.recipient == grant.recipient)
    rows = (
        ("For cars listed as", ", ".join(words(category) for category in grant.categories)),
        ("To be used for", words(grant.purpose)),
        ("Legal basis", answer.basis),
        ("From", where_and_when(grant, told.cameras)),
        ("What is sent", ", ".join(INCLUDED.get(name, name) for name in grant.include)),
        (
            "Only if",
            (
                f"{' or '.join(LEVELS[level] for level in grant.levels)}; "
                f"at least {grant.min_confidence:.0%} sure of the reading"
            ),
        ),
        ("At most", f"{grant.max_per_hour} vehicles an hour from each camera"),
        *_stops(grant),
        (
            "Deleted",
            (
                f"the key is destroyed within {grant.retention_days} days; "
                "after that nobody can open it"
            ),
        ),
        ("Until", plain_day(grant.until)),
        *_over(grant, told),
    )
    return (
        "<dl>"
        + "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows)
        + "</dl>"
    )


def _over(grant: Grant, told: Explained) -> tuple[tuple[str, str], ...]:
    over = brokers(grant, told.policy)
    return (("Over", over),) if over else ()


def _stops(grant: Grant) -> tuple[tuple[str, str], ...]:
    most = grant.max_false_leads
    return () if most is None else (("If it errs", f"it {stops(most)}"),)


def _no(answer: Answer) -> str:
    name = _name(answer)
    ident = (
        f'<code class="id">{escape(answer.recipient)}</code>' if name != answer.recipient else ""
    )
    first, *others = answer.obstacles
    also = "".join(f"<li>{escape(_sentence(other))} {_places(other)}</li>" for other in others)
    return (
        f'<section class="answer no" id="{escape(answer.recipient)}"><div class="head">'
        f'<span class="word">No</span><h3>{escape(name)}</h3>{ident}</div>'
        f'<ul class="why">{_why(first)}{also}</ul></section>'
    )


def _everybody_else(default: Obstacle) -> str:
    return (
        '<section class="answer no"><div class="head"><span class="word">No</span>'
        f'<h3>Everybody else</h3></div><ul class="why">{_why(default)}</ul></section>'
    )


def _why(obstacle: Obstacle) -> str:
    return (
        f'<li>{escape(_sentence(obstacle))} <code class="soft">{escape(obstacle.reason)}</code>'
        f"{lines(obstacle.cited)}</li>"
    )


def _sentence(obstacle: Obstacle) -> str:
    return f"{obstacle.says[:1].upper()}{obstacle.says[1:]}."


def _places(obstacle: Obstacle) -> str:
    return f'<code class="soft">{escape(", ".join(places(obstacle.cited)))}</code>'


def lines(cited: Iterable[Cited]) -> str:
    """Lines quoted from the files."""
    items = "".join(
        f"<li><b>{escape(shown(line).place)}</b>{escape(line.text)}</li>" for line in cited
    )
    return f'<ul class="lines">{items}</ul>'


def forbidden(found: Iterable[Prohibition]) -> str:
    """What the charter forbids every policy, with its lines."""
    items = "".join(
        f"<li>{escape(one.says[:1].upper() + one.says[1:])}.{lines([one.cited])}</li>"
        for one in found
    )
    return f'<ul class="why">{items}</ul>' if items else "<p>No charter was given.</p>"


def _complaints(told: Explained) -> str:
    office = told.charter.complaints if told.charter else ""
    return (
        f"Write to: <b>{escape(office)}</b>."
        if office
        else "The charter names no office for complaints. Write to the council that gave it."
    )


def _files(told: Explained) -> Iterable[Cited]:
    """The files by name, once each."""
    every = [
        line for answer in told.answers for obstacle in answer.obstacles for line in obstacle.cited
    ] + [line for a in told.answers for line in a.cited]
    return [Cited(where, 0, "") for where in dict.fromkeys(line.where for line in every)]


def _leads(grant: Grant, estimate: Estimate) -> str:
    rows = "".join(
        (
            f"<tr><td>{escape(step.what)}</td><td>{escape(step.how)}</td>"
            f'<td class="number">{step.result:.3g}</td></tr>'
        )
        for step in estimate.steps
    )
    return (
        f"<h3>{escape(words(grant.rule))}: {escape(_often(grant, estimate))}</h3>"
        f"<p>{escape(_listed(estimate))}</p>"
        f"<table><tr><th>Step</th><th>How</th><th>Result</th></tr>{rows}</table>"
    )


def _cameras(told: Explained) -> str:
    """Where the cameras stand, and the places and hours from which nothing leaves, for anybody."""
    listed = told.roster.cameras.values() if told.roster is not None else ()
    rows = "".join(
        f"<tr><td>{escape(camera.id)}</td><td>{escape(camera.stands)}</td>"
        f"<td>{escape(', '.join(map(words, sorted(camera.near))))}</td></tr>"
        for camera in listed
    )
    table = (
        f"<table><tr><th>Camera</th><th>Stands</th><th>Near</th></tr>{rows}</table>"
        if rows
        else "<p>No roster of cameras was given.</p>"
    )
    return f'{table}<ul class="why">{"".join(map(_why, told.bars))}</ul>'


def _law(told: Explained) -> str:
    """The jurisdiction's facts, once each; nothing where no profile is known."""
    facts = dict.fromkeys(
        replace(law, forbids=False) for answer in told.answers for law in answer.law
    )
    if not facts:
        return "<p>Nothing about the law of this place comes with this software.</p>"
    against = [
        (_name(answer), law)
        for answer in told.answers
        if answer.allowed
        for law in answer.law
        if law.forbids
    ]
    warned = "".join(
        (
            f'<p class="answer bad"><b>{escape(name)}: '
            f"the law, as read here, speaks against it.</b> {escape(law.says)}</p>"
        )
        for name, law in against
    )
    items = "".join(
        (
            f'<li>{escape(law.says)} <span class="soft small">{escape(law.citation)}, '
            f"{source(law)}</span></li>"
        )
        for law in facts
    )
    return f"{warned}<ul>{items}</ul>"


def _often(grant: Grant, estimate: Estimate) -> str:
    """`about one false lead in 26 days at each camera`."""
    together = (
        f", {estimate.often(len(grant.cameras))} at all {len(grant.cameras)} together"
        if len(grant.cameras) > 1
        else ""
    )
    return f"about {estimate.often()} at each camera{together}"


def _listed(estimate: Estimate) -> str:
    full = estimate.of_full_list
    beside = f" With {full.listed:,} listed: {full.often()} at each camera." if full else ""
    return f"That is with {estimate.listed:,} cars listed.{beside}"
