"""The fleet's page in a real browser: on a phone, at a desk and on paper; axe finds nothing, nobody
is asked for anything, and whom to visit first is answered on it.
"""

import base64
import subprocess
from datetime import UTC, datetime

import pytest

from agent.fleet.fleet_page import fleet_page
from agent.fleet.fleet_view import fleet_of
from tests.interop.node import HERE, node
from tests.support.browser import CHROMIUM, Browser
from tests.support.fleets import large_store

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium"),
]
PHONE, DESK = (390, 844), (1280, 800)
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
    with Browser(folder / "profile") as browser:
        browser.go(page.as_uri())
        browser.until("document.readyState === 'complete' && !!document.querySelector('main')")
        browser.page = page
        yield browser


@pytest.mark.parametrize("size", [PHONE, DESK])
def test_seen_whole_answered_and_axe_finds_nothing(browser, size):
    node()
    browser.resize(*size, phone=size == PHONE)
    assert browser.run("document.documentElement.scrollWidth") <= size[0]
    told = " ".join(browser.run("document.body.innerText").split())
    assert {question for question, answer in QUESTIONS.items() if answer not in told} == set()
    first = browser.run("document.querySelector('#ladder tbody th').innerText")
    assert first == "camera-000103"
    assert browser.run("document.querySelectorAll('tbody tr').length") == CAMERAS
    browser.run((HERE / "node_modules/axe-core/axe.min.js").read_text() + ";0")
    passes, violations = browser.run(
        "axe.run().then(done => [done.passes.length, done.violations])"
    )
    assert violations == []
    assert passes > 10


@pytest.mark.parametrize("size", [PHONE, DESK])
def test_the_first_screen_says_how_many_need_a_ladder(browser, size):
    browser.resize(*size, phone=size == PHONE)
    bottom = browser.run("document.querySelector('.tiles li').getBoundingClientRect().bottom")
    assert bottom <= size[1]


def test_nobody_is_asked_for_anything(browser):
    assert browser.requests == [browser.page.as_uri()]
    assert browser.console == []


def test_it_is_answered_on_paper(browser, tmp_path):
    printed = browser.call("Page.printToPDF", printBackground=True, preferCSSPageSize=True)
    pdf = tmp_path / "page.pdf"
    pdf.write_bytes(base64.b64decode(printed["data"]))
    done = subprocess.run(["pdftotext", pdf, "-"], capture_output=True, text=True, check=True)
    paper = "".join(done.stdout.split())
    asked = {name for name, answer in QUESTIONS.items() if "".join(answer.split()) not in paper}
    assert asked == set()
