"""The page behind the code on a camera's pole: the explain page of that camera, and above its lines
what the policy on the label was, how far strangers vouch for the camera's log, and where the report
is. One offline file.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from agent.city.pages.explain_page import render
from agent.core.text.visible import visible
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.audit.witnesses.cosigned_reach import WitnessReach
    from agent.core.judging.explain.answers import Explained
    from agent.core.judging.explain.false_leads import Estimate

_MARK = '<p class="soft">'


@dataclass(frozen=True, slots=True)
class LogStand:
    """A camera's log as the city's log knows it. `at`: when it was collected (RFC 3339)."""

    origin: str
    leaves: int
    root: str
    at: str


@dataclass(frozen=True, slots=True)
class Behind:
    """What a pole's page says besides the policy. `report`: its address; `reach`: how far witnesses
    vouch for the city's log; `logs`: the camera's, as collected last.
    """

    report: str
    reach: WitnessReach
    logs: Sequence[LogStand]


def pole_page(told: Explained, leads: Mapping[str, Estimate], behind: Behind) -> str:
    """The page's HTML."""
    head, mark, rest = render(told, leads).partition(_MARK)
    return head + _section(told, behind) + mark + rest


def _section(told: Explained, behind: Behind) -> str:
    digest = told.policy.digest
    report = escape(behind.report, quote=True)
    return (
        '<section class="answer" id="pole"><div class="head"><h2>You stand at this camera</h2>'
        "</div>\n"
        "<p>The label on the pole names a policy by the beginning of its SHA-256. In force now is "
        f"version {told.policy.version}: <code>{digest[:16]}…</code> If the label says another, "
        "the policy was changed since it was printed, and this page tells the newer one.</p>\n"
        f'<p>What it sent, to whom, and what it refused: <a href="{report}">the report</a>.</p>\n'
        f"<p>{escape(visible(_vouched(behind.reach)))}</p>\n{_logs(behind.logs)}</section>\n"
    )


def _vouched(reach: WitnessReach) -> str:
    """In plain words; how far the city's log is witnessed, or that it is not."""
    if reach.problem:
        return f"Whether strangers vouch for this camera's log cannot be said: {reach.problem}."
    if not reach.witnessed:
        return (
            "No stranger vouches for this camera's log yet: its city could still show another one."
        )
    said = (
        f"Strangers vouch for what this camera wrote down: {reach.by} cosigned the city's log of "
        f"{reach.witnessed} leaves on {_day(reach.at)}."
    )
    return said + (f" What came since {_day(reach.since)} is not witnessed." if reach.since else "")


def _logs(logs: Sequence[LogStand]) -> str:
    if not logs:
        return "<p>The city's log knows no log of this camera yet.</p>\n"
    items = "".join(
        f"<li>{escape(visible(one.origin))}: {one.leaves} leaves on {_day(one.at)}, root "
        f"<code>{escape(one.root)}</code></li>"
        for one in logs
    )
    return f'<ul class="lines">{items}</ul>\n'


def _day(at: str) -> str:
    """`2027-01-15 12:00 UTC`."""
    return f"{at[:10]} {at[11:16]} UTC"
