"""The public report in a real browser: axe finds nothing, nothing is wider than a phone, nobody is
asked for anything, and it prints.
"""

import pytest

from agent.city.report.make import Asked, make
from agent.city.report.report_tables import Period
from agent.city.report.shown.report_page import as_html
from tests.interop.node import HERE
from tests.interop.page_seen import on_paper, require_sound, shown
from tests.support.browser import CHROMIUM, DESK, PHONE, resize
from tests.support.reported_city import PD, report_outcomes, reported_city

pytestmark = [
    pytest.mark.interop,
    pytest.mark.usefixtures("quick_disk"),
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium"),
]

# A council member's and a reporter's questions (docs/guide/report.md), each with the section that
# answers it, and what it must say there.
QUESTIONS = {
    "Which cameras were on, and how long?": ("cameras", "main-street-2", "40"),
    "How many vehicles did they count?": ("cameras", "1,680–1,684"),
    "Who received anything, and under which rule?": ("recipients", "exampleville-pd", "10–19"),
    "Which camera sent what to whom?": ("releases", "county-road-9", "amber-to-county", "5–9"),
    "Was anything sent to this agency?": ("", "Nothing went to other-federal-agency"),
    "Why could nothing be sent to it?": ("asked", "recipient-not-in-policy", "policy.toml:"),
    "Which policy was in force, since when, and who signed it?": (
        "policies",
        "2026-11-15 06:00 UTC",
        "Dora Lind, Eli Roy",
    ),
    "What became of what was sent?": ("ends", "stored", "withdrawal"),
    "What was refused, and where did it want to go?": ("refusals", "198.51.100.7:443"),
    "How far do witnesses vouch for the logs, and since when does nobody?": (
        "witnesses",
        "nobody vouches",
        "2026-11-01 00:05 UTC",
    ),
    "How often was a lead wrong?": ("outcomes", "main-street-2", "stolen-vehicle", "42–93 %"),
    "Who holds the keys?": ("holders", "Ana Ortiz, Ben Cho, Cleo Park"),
}
ROOT = HERE.parents[1]


@pytest.fixture
def page(tmp_path):
    city = reported_city(tmp_path)
    report_outcomes(city)
    city.log()
    names = ("other-federal-agency", PD)
    wanted = Asked(city.folder, [city.logs], Period("2026-11"), names, [city.key])
    path = tmp_path / "report.html"
    path.write_bytes(as_html(make(wanted).report))
    return path


@pytest.fixture
def browser(tmp_path, page):
    with shown(page, tmp_path) as browser:
        yield browser


@pytest.mark.parametrize("size", [PHONE, DESK])
def test_axe_finds_nothing(browser, size):
    resize(browser, size)
    require_sound(browser)
    browser.run("document.documentElement.removeAttribute('lang')")
    assert browser.run("axe.run().then(done => done.violations.length)") == 1


@pytest.mark.parametrize("size", [PHONE, DESK])
def test_nothing_is_wider_than_the_screen(browser, size):
    resize(browser, size)
    assert browser.run("document.documentElement.scrollWidth") <= size[0]
    assert "nothing could" in browser.run("document.body.innerText")


@pytest.mark.parametrize("size", [PHONE, DESK])
def test_ten_questions_are_answered_on_the_screen(browser, size):
    resize(browser, size)
    for question, (section, *words) in QUESTIONS.items():
        place = f"document.getElementById('{section}')" if section else "document.body"
        told = browser.run(f"{place}.innerText")
        assert [word for word in words if word not in told] == [], question


def test_the_guide_asks_the_same_questions():
    told = (ROOT / "docs/guide/report.md").read_text()
    assert [one for one in QUESTIONS if f"- {one}" not in told] == []


def test_nobody_is_asked_for_anything(browser, page):
    assert browser.requests == [page.as_uri()]
    assert browser.console == []


def test_ten_questions_are_answered_on_paper(browser, tmp_path):
    paper = "".join(on_paper(browser, tmp_path).split())
    for question, (_, *words) in QUESTIONS.items():
        assert [word for word in words if "".join(word.split()) not in paper] == [], question
