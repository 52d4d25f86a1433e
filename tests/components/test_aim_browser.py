"""The page in a real browser at a phone's size: it works, shows what matters without scrolling, and
neither keeps nor fetches anything.
"""

import os
import re

import cv2
import pytest

from agent.core.camera.view import parse_view
from tests.support.aiming import CAR_PLATE, TEST_PLATE, Running, new_camera, street_folder
from tests.support.browser import CHROMIUM, HEIGHT, WIDTH, Browser

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")]


def fits(browser, name):
    """Is the element wholly on the screen?"""
    return browser.run(
        f"(() => {{ const box = $('{name}').getBoundingClientRect(); return box.top >"
        f"= 0 && box.bottom <= {HEIGHT} && box.left >= 0 && box.right <= {WIDTH}; }})()"
    )


def require_readable(browser, shots):
    """All that matters stands on one screen, and no plate stands in words."""
    assert all(
        fits(browser, name)
        for name in (
            "canvas",
            "say",
            "width-mark",
            "detail-mark",
            "light-mark",
            "sure-mark",
            "focus-mark",
            "end",
        )
    )
    assert browser.run("document.documentElement.scrollWidth") <= WIDTH
    assert cv2.imread(str(browser.screenshot(shots / "2-aim.png"))).shape[:2] == (HEIGHT, WIDTH)
    words = browser.run("document.body.innerText")
    assert CAR_PLATE not in words
    assert TEST_PLATE not in words


def enter(browser, aim, shots):
    """A wrong PIN, then the right one, as the label's code gives it."""
    url = f"http://127.0.0.1:{aim.phone.port}/"
    browser.go(url)
    browser.until("typeof enter === 'function' && $('pin').offsetHeight > 0")
    browser.run(f"enter('{(int(aim.pin) + 1) % 1_000_000:06d}')")
    assert "4 tries left" in browser.until("$('wrong').textContent")
    browser.screenshot(shots / "1-enter.png")

    browser.go("about:blank")
    browser.go(f"{url}#{aim.pin}")
    browser.until(
        "typeof last !== 'undefined' && last && last.plates.some(plate =>"
        " plate.test) && !$('plate').hidden"
    )
    assert browser.run("location.href") == url, "the PIN has left the address bar"
    assert re.search(r"✓|▲", browser.run("$('say').textContent"))


def draw(browser, shots):
    """The shutter's page; then a zone and a mask, saved."""
    browser.run("document.querySelector('[data-tab=shutter]').click()")
    assert "mm" in browser.until("$('smear').textContent.includes('mm') && $('smear').textContent")
    assert fits(browser, "longest")
    browser.screenshot(shots / "3-shutter.png")

    browser.run("document.querySelector('[data-tab=zones]').click()")
    browser.drag((60, 250), (60, 150), (200, 120), (330, 150), (330, 250), (330, 252))
    browser.run("document.querySelector('[data-mode=masks]').click()")
    browser.drag((20, 70), (20, 110), (120, 110), (120, 70), (118, 70))
    browser.run("$('save').click()")
    assert browser.until(
        "$('saved').textContent.startsWith('Saved') && $('saved').textContent"
    ).startswith("Saved: 1 zone, 1 mask")
    assert fits(browser, "saved")
    browser.screenshot(shots / "4-zones.png")


def test_an_installer_aims_draws_and_ends(tmp_path):
    """AIM_SCREENSHOTS=folder keeps what the phone shows, for a person to look at."""
    camera, frames = new_camera(tmp_path / "camera"), street_folder(tmp_path / "frames", 3)
    shots = tmp_path / "shots"
    shots = type(shots)(os.environ.get("AIM_SCREENSHOTS", shots))
    shots.mkdir(exist_ok=True)
    asked = ("--config", str(camera / "platewarden.toml"), "--source", str(frames))
    place, listen = tmp_path / "place", ("--listen", "127.0.0.1:0")
    with Running(place, *asked, *listen) as aim, Browser(tmp_path / "profile") as browser:
        enter(browser, aim, shots)
        require_readable(browser, shots)
        draw(browser, shots)

        kept = browser.run(
            "JSON.stringify([document.cookie, localStorage.length, sessionStorage.length])"
        )
        assert kept == '["",0,0]', "scripts see no cookie, and nothing is stored"
        browser.run("ask('/end', {})")
        browser.until("!$('over').hidden")
        browser.screenshot(shots / "5-over.png")
        assert aim.ended() == 0
        assert {
            request.split("/")[2] for request in browser.requests if request.startswith("http")
        } == {f"127.0.0.1:{aim.phone.port}"}
        assert not [
            line
            for line in browser.console
            if "Content Security Policy" in line or "Exception" in line or "Uncaught" in line
        ]
    view = parse_view((camera / "state/watch/view.json").read_bytes(), "view")
    assert (len(view.zones), len(view.masks)) == (1, 1)
