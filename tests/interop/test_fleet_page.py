"""The fleet's page in a real browser: on a phone, at a desk and on paper; axe finds nothing, nobody
is asked for anything, and whom to visit first is answered on it.
"""

from datetime import UTC, datetime

import pytest

from agent.fleet.fleet_page import fleet_page
from tests.interop.page_seen import on_paper, require_sound, shown
from tests.support.browser import CHROMIUM, DESK, PHONE, resize
from tests.support.fleets import fleet_of, large_store

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium"),
]
CAMERAS = 400
QUESTIONS = {
    "How many need a ladder?": "4 need a ladder",
    "Whom to visit first?": "camera-000103",
    "What is wrong there?": "silent for 9 h",
    "What else?": "clean the glass",
    "Which software?": "0.1.0: 398",
    "Is it heard?": "heard since today",
    "Was one never heard?": "was never heard",
}


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fleet")
    now = datetime.now(UTC)
    with large_store(folder, CAMERAS, now) as store:
        fleet = fleet_of(store.rows(), now, 3, run={"link": "heard since today"})
    page = folder / "fleet.html"
    page.write_text(fleet_page(fleet), encoding="utf-8")
    with shown(page, folder) as browser:
        browser.page = page
        yield browser


@pytest.mark.parametrize("size", [PHONE, DESK])
def test_seen_whole_answered_and_axe_finds_nothing(browser, size):
    resize(browser, size)
    assert browser.run("document.documentElement.scrollWidth") <= size[0]
    told = " ".join(browser.run("document.body.innerText").split())
    assert {question for question, answer in QUESTIONS.items() if answer not in told} == set()
    first = browser.run("document.querySelector('#ladder tbody th').innerText")
    assert first == "camera-000103"
    assert browser.run("document.querySelectorAll('tbody tr').length") == CAMERAS
    require_sound(browser)


@pytest.mark.parametrize("size", [PHONE, DESK])
def test_the_first_screen_says_how_many_need_a_ladder(browser, size):
    resize(browser, size)
    bottom = browser.run("document.querySelector('.tiles li').getBoundingClientRect().bottom")
    assert bottom <= size[1]


def test_nobody_is_asked_for_anything(browser):
    assert browser.requests == [browser.page.as_uri()]
    assert browser.console == []


def test_it_is_answered_on_paper(browser, tmp_path):
    paper = "".join(on_paper(browser, tmp_path).split())
    asked = {name for name, answer in QUESTIONS.items() if "".join(answer.split()) not in paper}
    assert asked == set()
