"""The page behind a pole's code in a real browser: on a phone, at a desk and on paper; axe finds
nothing, nobody is asked for anything, and a passer-by's questions are answered on it.
"""

import pytest

from agent.audit.witnesses.cosigned_reach import WitnessReach
from agent.city.pages.pole_page import Behind, LogStand, pole_page
from agent.core.judging.explain.answers import explain
from agent.core.judging.explain.false_leads import Inputs, estimate_all
from tests.interop.page_seen import on_paper, require_sound, shown
from tests.support.browser import CHROMIUM, DESK, PHONE, resize
from tests.support.policy_texts import DAY, ROSTER, files
from tests.unit.test_explaining import BASE

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium"),
]
QUESTIONS = {
    "Who may be told what by this camera?": "Town Police",
    "Which policy holds here?": "In force now is version",
    "Was it changed since the label was printed?": "the policy was changed since it was printed",
    "Where is the report?": "the report",
    "Who vouches for what it wrote down?": "2 of Herald, Library cosigned",
    "Since when does nobody?": "What came since 2026-11-22 07:00 UTC is not witnessed",
}


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pole")
    made = files(BASE, roster=ROSTER)
    told = explain(made, DAY, camera=made.cameras[0])
    reach = WitnessReach(
        90, 80, "2026-11-22T06:00:00.000Z", "2 of Herald, Library", "2026-11-22T07:00:00.000Z"
    )
    camera = made.cameras[0]
    stands = (LogStand(f"platewarden/{camera}/watch", 67, "cd" * 32, "2026-11-22T05:00:00.000Z"),)
    page = folder / "page.html"
    leads = estimate_all(told, Inputs(listed=0), None)
    page.write_text(pole_page(told, leads, Behind("report.html", reach, stands)), encoding="utf-8")
    with shown(page, folder) as browser:
        browser.page = page
        yield browser


@pytest.mark.parametrize("size", [PHONE, DESK])
def test_seen_whole_answered_and_axe_finds_nothing(browser, size):
    resize(browser, size)
    assert browser.run("document.documentElement.scrollWidth") <= size[0]
    told = " ".join(browser.run("document.body.innerText").split())
    assert {question for question, answer in QUESTIONS.items() if answer not in told} == set()
    require_sound(browser)


def test_nobody_is_asked_for_anything(browser):
    assert browser.requests == [browser.page.as_uri()]
    assert browser.console == []


def test_it_is_answered_on_paper(browser, tmp_path):
    paper = "".join(on_paper(browser, tmp_path).split())
    asked = {name for name, answer in QUESTIONS.items() if "".join(answer.split()) not in paper}
    assert asked == set()
