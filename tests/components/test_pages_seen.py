"""The policy pages as a person meets them: the first screen of one camera's page answers who could
receive what from it on a day, and who signed that; nothing is wider than a phone, a desk or paper.
"""

from html.parser import HTMLParser

import pytest

from tests.support.browser import CHROMIUM, DESK, PHONE, Browser
from tests.support.clerk_city import CAMERA, NEXT_DAY

pytestmark = pytest.mark.usefixtures("quick_disk")
PAPER = (718, 1009)  # A4 with margins of 1 cm, in CSS px


class Words(HTMLParser):
    """What a reader sees from the heading down to the end of the element `answer`."""

    def __init__(self) -> None:
        super().__init__()
        self.told, self.shown, self.in_answer, self.done = [], False, False, False

    def handle_starttag(self, tag, attrs):
        self.shown = self.shown or tag == "h1"
        self.in_answer = self.in_answer or dict(attrs).get("id") == "answer"

    def handle_endtag(self, tag):
        self.done = self.done or (tag == "section" and self.in_answer)

    def handle_data(self, data):
        if self.shown and not self.done:
            self.told.append(data)


def shown(path):
    words = Words()
    words.feed(path.read_text())
    return " ".join(" ".join(words.told).split())


def page(desk, *more, name="page.html"):
    path = desk.folder / name
    words = ("policy", "explain", "--city", desk.city, "--html", path, *more)
    done = desk.run(*words, on="")
    assert done.code == 0, done.err
    return path


@pytest.fixture
def changed(open_desk):
    """A second policy, of other signers, lets the police have more from the next day on."""
    open_desk.edit("policy.toml", "version = 7", "version = 8")
    open_desk.edit("policy.toml", 'retention = "21d"', 'retention = "9d"')
    for who in ("eli", "fay"):
        assert open_desk.sign(who, on=NEXT_DAY).code == 0
    assert open_desk.publish(on=NEXT_DAY).code == 0
    return open_desk


def test_who_could_receive_what_from_a_camera_on_a_day_and_who_signed_that(changed):
    """Whoever was shown only the first screen can say it, for a day on which other rules held."""
    before = shown(page(changed, "--camera", CAMERA, "--on", "2026-11-20"))
    assert before.startswith(f"Who could receive what from {CAMERA}?")
    for told in (
        "On 20 November 2026, from main-street-2 (Main Street at 2nd Avenue",
        "Exampleville Police Department : of cars listed as amber alert or stolen vehicle: plate,",
        "picture of the plate, time, camera; for stolen vehicle recovery; readable for 21 days.",
        "Nobody else could receive anything. Of other cars nobody could receive anything.",
        'These rules are signed by "Dora Lind" and "Eli Roy"; the council\'s charter, which',
        'which limits them, by "Ada Ortiz" and "Ben Cho". In force from 20 November 2026, 06:00',
    ):
        assert told in before
    assert "Sheriff" not in before, "it receives nothing from this camera"
    after = shown(page(changed, "--camera", CAMERA, "--on", "2026-11-21"))
    assert "readable for 9 days" in after
    assert 'signed by "Eli Roy" and "Fay Sun"' in after
    assert "Until 06:00 UTC on that day other rules were in force" in after


def test_a_camera_that_may_not_watch_sends_nobody_anything(open_desk):
    told = shown(page(open_desk, "--camera", "clinic-road-1", "--on", "2026-11-20"))
    assert "Nobody On 20 November 2026, from clinic-road-1" in told
    assert "Nobody could receive anything." in told
    assert 'signed by "Dora Lind"' in told


def test_hours_of_a_camera_are_told(open_desk):
    told = shown(page(open_desk, "--camera", "lincoln-school-1", "--on", "2026-11-20"))
    assert "camera (00:00-14:30Z, 16:30-21:30Z, 23:30-24:00Z only)" in told


def test_many_cameras_have_no_box_and_say_who_signed(open_desk):
    path = page(open_desk, "--on", "2026-11-20")
    assert 'id="answer"' not in path.read_text()
    assert "signed by &quot;Dora Lind&quot;" in path.read_text()


@pytest.mark.parametrize(
    "asked", [("--recipient", "exampleville-pd"), ("--purpose", "stolen-vehicle-recovery")]
)
def test_a_page_about_one_of_them_does_not_speak_of_all_others(open_desk, asked):
    path = page(open_desk, "--camera", CAMERA, *asked, "--on", "2026-11-20")
    assert "Nobody else" not in path.read_text()


def test_one_camera_is_named_and_not_counted(open_desk):
    text = page(open_desk, "--camera", CAMERA, "--on", "2026-11-20").read_text()
    assert "all 1 cameras" not in text
    overview = open_desk.run(
        "policy", "explain", "--city", open_desk.city, "--camera", CAMERA, on="2026-11-20"
    )
    assert "main-street-2, all day" in overview.out
    assert "not from this camera" in text


@pytest.fixture
def pages(changed):
    """All three, with names that are as long as they may be."""
    long = "W" * 120
    changed.edit("policy.toml", "version = 8", "version = 9")
    changed.edit("policy.toml", '"Exampleville Police Department"', f'"{long}"')
    for who in ("dora", "fay"):
        done = changed.sign(who, on=NEXT_DAY)
        assert done.code == 0, done.err
    assert changed.publish(on=NEXT_DAY).code == 0
    on = ("--on", "2026-11-21")
    made = [page(changed, *on, name="all.html"), page(changed, "--camera", CAMERA, *on)]
    changed.edit("policy.toml", "version = 9", "version = 10")
    changed.edit("policy.toml", 'purpose = "stolen-vehicle-recovery"', f'purpose = "{"w" * 48}"')
    difference = changed.folder / "diff.html"
    done = changed.run("policy", "diff", "--city", changed.city, "--html", difference, on="")
    assert difference.is_file(), done.err
    return [*made, difference]


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_no_page_is_wider_than_phone_desk_or_paper_and_the_answer_is_on_the_first_screen(
    pages, changed, tmp_path
):
    with Browser(tmp_path / "profile") as browser:
        for path in pages:
            browser.go(path.as_uri())
            for width, height in (PHONE, DESK, PAPER):
                media = "print" if (width, height) == PAPER else "screen"
                browser.call("Emulation.setEmulatedMedia", media=media)
                browser.resize(width, height)
                browser.until("document.readyState === 'complete' && window.innerWidth > 0")
                wide = browser.run("document.documentElement.scrollWidth")
                assert wide <= width, f"{path.name} at {width}: {wide}"
        assert browser.requests == [path.as_uri() for path in pages]
        browser.go(page(changed, "--camera", CAMERA, "--on", "2026-11-20").as_uri())
        for width, height in (PHONE, DESK):
            browser.call("Emulation.setEmulatedMedia", media="screen")
            browser.resize(width, height)
            browser.until("document.querySelector('#answer') !== null")
            bottom = browser.run("document.querySelector('#answer').getBoundingClientRect().bottom")
            assert bottom <= height, f"the answer ends at {bottom} of {height}"
