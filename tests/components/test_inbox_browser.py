"""The inbox in a real browser: all by keyboard, on a phone and at a desk, nobody else is asked, and
nothing of a plate is left in the browser's profile.
"""

import base64
from contextlib import closing

import pytest

from tests.support.browser import CHROMIUM, DESK, PHONE, Browser, resize
from tests.support.inbox import Serving, desk
from tests.support.inbox_browser import Keyboard, seen_car, shot, wide
from tests.support.plate_search import search
from tests.support.sealed import DEVICE, PLATE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium"),
    pytest.mark.usefixtures("quick_disk"),
]


@pytest.fixture
def enrolled(tmp_path):
    return desk(tmp_path / "receiver", names=("dora", "eli"))


def test_a_night_at_the_desk_by_keyboard_leaves_nothing_in_the_profile(enrolled, tmp_path):
    read_id = seen_car(enrolled)
    lead, profile = f"/lead/{DEVICE}/{read_id}", tmp_path / "profile"
    with Serving(enrolled.folder) as serving, Browser(profile) as browser:
        browser.call("Browser.setDownloadBehavior", behavior="deny")
        keys = Keyboard(browser)
        resize(browser, DESK)
        keys.sign_in(serving.url, enrolled.folder)  # 1: sign in
        shot(browser, "1-list")
        keys.go(f'a[href="{lead}"]', "#purpose")  # 2: find the lead
        shot(browser, "2-closed")
        assert PLATE not in browser.run("document.body.innerText.replace(/\\s/g, '')")
        keys.choose("#purpose", "stolen-vehicle-recovery")  # 3: say for what
        keys.type("#incident", "2026-4711")  # 4: and under which number
        keys.go("form[action$='/open'] button", ".characters")  # 5: open it
        assert PLATE in browser.run("document.body.innerText.replace(/[\\s?]/g, '')")
        assert browser.run("document.images[0].naturalWidth") > 100
        assert wide(browser) <= 0
        shot(browser, "3-opened")
        resize(browser, PHONE)
        assert wide(browser) <= 0
        shot(browser, "4-phone")
        resize(browser, DESK)
        keys.go("form[action$='/acknowledge'] button", ".acts")  # 6: acknowledge
        keys.choose("#to", "eli")  # 7: give it to somebody
        keys.go("form[action$='/assign'] button", ".acts li:nth-child(2)")
        keys.choose("#outcome", "wrong-plate")  # 8: write the outcome down
        keys.go("form[action$='/outcome'] button", ".acts li:nth-child(3)")
        said = browser.run("document.querySelector('.acts').innerText")
        assert "dora gave it to eli" in said
        assert "The camera misread the plate" in said
        leave(keys)
        require_nobody_else_asked(browser, serving)
    require_nothing_kept(enrolled, profile, read_id)


def leave(keys):
    keys.choose("#form", "csv")
    keys.reach("form[action$='/export'] button")  # 9: take it away (the browser refuses here)
    keys.press("Enter")
    keys.go("form[action$='/close'] button", "#purpose")  # 10: close it
    assert not keys.browser.run("document.images.length")
    keys.go("nav a[href='/']", "ul.leads")
    keys.go(".out button", "#code")  # 11: sign out


def require_nobody_else_asked(browser, serving):
    asked = {one for one in browser.requests if not one.startswith("data:")}
    assert {one.split("/")[2] for one in asked} == {serving.url.split("/")[2]}
    assert not [one for one in asked if PLATE in one]
    assert not [line for line in browser.console if "Content Security Policy" in line]
    assert browser.run("[document.cookie, localStorage.length].join()") == ",0"


def require_nothing_kept(enrolled, profile, read_id):
    with closing(enrolled.place.store()) as store:
        [row] = store.reads(read_id)
        opened = enrolled.place.opener().open(store.wire(row))
    alternatives = [text.value for text, _ in opened.plate.alternatives]
    assert search(profile, [PLATE, *alternatives]) == []
    picture = opened.crop
    parts = [picture[at : at + 16] for at in range(0, len(picture) - 16, 64)]
    encoded = base64.b64encode(picture)
    parts += [encoded[at : at + 24] for at in range(0, len(encoded) - 24, 96)]
    everything = {path: path.read_bytes() for path in profile.rglob("*") if path.is_file()}
    assert sum(map(len, everything.values())) > 10_000, "the browser wrote its profile"
    assert not [path for path, data in everything.items() if any(part in data for part in parts)]


def test_the_search_finds_what_a_page_without_our_headers_leaves(tmp_path):
    """The same search over a page that may be kept: it is found in the profile."""
    import http.server
    import threading

    class Keeping(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = f"<title>{PLATE}</title><h1>{PLATE}</h1>".encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Cache-Control", "max-age=3600")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Keeping)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    profile = tmp_path / "profile"
    with Browser(profile) as browser:
        browser.go(f"http://127.0.0.1:{server.server_port}/")
        browser.until("document.title.length > 0")
        browser.go("about:blank")
        browser.until("location.href === 'about:blank'")
    server.shutdown()
    assert search(profile, [PLATE])
