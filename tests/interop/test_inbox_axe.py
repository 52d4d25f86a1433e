"""axe finds nothing on any of the inbox's pages, on a phone and at a desk."""

import pytest

from tests.components.test_passkeys_browser import ADD, Authenticator
from tests.interop import page_seen
from tests.support.browser import CHROMIUM, DESK, PHONE, Browser, resize
from tests.support.inbox import Serving, desk
from tests.support.inbox_browser import Keyboard, seen_car
from tests.support.sealed import DEVICE

pytestmark = [
    pytest.mark.interop,
    pytest.mark.usefixtures("quick_disk"),
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium"),
]


def require_sound(browser, where):
    for size in (PHONE, DESK):
        resize(browser, size)
        page_seen.require_sound(browser, where)


def test_axe_finds_nothing_where_somebody_comes_in(tmp_path):
    """With all three ways in, and a person's own passkeys."""
    tables = (
        '\n[inbox.oidc]\nissuer = "https://login.example"\nclient_id = "x"\n'
        'address = "127.0.0.1"\nname = "Exampleville sign-in"\n'
    )
    enrolled = desk(tmp_path / "receiver", tables)
    with Serving(enrolled.folder) as serving, Browser(tmp_path / "profile") as browser:
        keys, _ = Keyboard(browser), Authenticator(browser)
        here = f"http://localhost:{serving.port}/"
        browser.go(here)
        browser.until("!!document.querySelector('form[data-passkey]')")
        require_sound(browser, "three ways in")
        keys.go("a[href='/invitation']", "#code")
        require_sound(browser, "invitation")
        keys.sign_in(here, enrolled.folder)
        keys.go("a[href='/passkeys']", ADD)
        require_sound(browser, "no passkey yet")
        keys.go(ADD, "ul.leads li")
        require_sound(browser, "a passkey")


def test_axe_finds_nothing(tmp_path):
    enrolled = desk(tmp_path / "receiver")
    lead = f"/lead/{DEVICE}/{seen_car(enrolled)}"
    with Serving(enrolled.folder) as serving, Browser(tmp_path / "profile") as browser:
        keys = Keyboard(browser)
        browser.go(serving.url)
        browser.until("!!document.querySelector('#code')")
        require_sound(browser, "sign in")
        keys.sign_in(serving.url, enrolled.folder)
        require_sound(browser, "list")
        keys.go(f'a[href="{lead}"]', "#purpose")
        require_sound(browser, "lead, closed")
        keys.choose("#purpose", "stolen-vehicle-recovery")
        keys.go("form[action$='/open'] button", ".characters")
        require_sound(browser, "lead, opened")
        keys.go("form[action$='/acknowledge'] button", ".acts")
        require_sound(browser, "lead, with an act")
        browser.go(f"{serving.url}lead/{DEVICE}/{'0' * 32}")
        browser.until("!!document.querySelector('.fault')")
        require_sound(browser, "fault")
        browser.run("document.documentElement.removeAttribute('lang')")
        assert browser.run("axe.run().then(done => done.violations.length)") == 1
