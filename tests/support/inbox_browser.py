"""Somebody at the inbox with a keyboard and no mouse, in a real browser."""

import os
from dataclasses import replace
from pathlib import Path

from agent.receiver.intake import Intake
from agent.sealing.sealer import Sealer
from tests.support.browser import DESK, PHONE, Browser, resize
from tests.support.drawn import drawn_car
from tests.support.inbox import PASSWORD, code_of
from tests.support.receiving import Enrolled, this_instant
from tests.support.sealed import DEVICE, PLATE, RECIPIENT, release, sighting

KEYS = {"Tab": 9, "Enter": 13, "ArrowDown": 40, " ": 32}


class Keyboard:
    """Presses keys; nothing here clicks, and no script acts for the person."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser

    def press(self, key: str, modifiers: int = 0) -> None:
        text = {"Enter": "\r", " ": " "}.get(key)
        more = {"text": text} if text else {}
        for kind in ("keyDown", "keyUp"):
            self.browser.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key if key != " " else "Space",
                windowsVirtualKeyCode=KEYS[key],
                modifiers=modifiers,
                **(more if kind == "keyDown" else {}),
            )

    def reach(self, selector: str) -> None:
        """Tab until the focus is there, and seen."""
        found = f"document.activeElement.matches({selector!r})"
        for _ in range(80):
            if self.browser.run(found):
                seen = "getComputedStyle(document.activeElement).outlineStyle"
                assert self.browser.run(seen) != "none", f"no focus is seen at {selector}"
                return
            self.press("Tab")
        raise AssertionError(f"{selector} cannot be reached by keyboard")

    def type(self, selector: str, text: str) -> None:
        self.reach(selector)
        self.browser.call("Input.insertText", text=text)

    def choose(self, selector: str, value: str) -> None:
        """Arrow down to an option."""
        self.reach(selector)
        for _ in range(12):
            if self.browser.run("document.activeElement.value") == value:
                return
            self.press("ArrowDown")
        raise AssertionError(f"no option {value} of {selector}")

    def go(self, selector: str, then: str) -> None:
        """Enter, and wait for what the next page has."""
        self.reach(selector)
        self.browser.run("window.before = true")
        self.press("Enter")
        there = f"document.readyState === 'complete' && !!document.querySelector({then!r})"
        self.browser.until(f"!window.before && {there}")

    def sign_in(self, url: str, folder: Path, name: str = "dora") -> None:
        self.browser.go(url)
        self.browser.until("!!document.querySelector('#code')")
        self.type("#name", name)
        self.type("#password", PASSWORD)
        self.type("#code", code_of(folder, name))
        self.go("main button", "h1 ~ ul.leads, h1 ~ p")


def wide(browser: Browser) -> int:
    """How many pixels of the page are beyond the window's edge."""
    return browser.run("document.documentElement.scrollWidth - window.innerWidth")


def shot(browser: Browser, name: str) -> None:
    """INBOX_SCREENSHOTS=folder keeps what is seen, for a person to look at."""
    folder = os.environ.get("INBOX_SCREENSHOTS")
    if folder:
        browser.screenshot(Path(folder) / f"{name}.png")


def shots(browser: Browser, name: str) -> None:
    """On a phone and at a desk; the page fits both."""
    for size, label in ((PHONE, "phone"), (DESK, "desk")):
        resize(browser, size)
        assert wide(browser) <= 0
        shot(browser, f"{name}-{label}")


def seen_car(enrolled: Enrolled) -> str:
    """A read with a drawn plate as its picture comes in; its id."""
    crop = drawn_car(PLATE)[255:345, 200:440].copy()
    keys = {RECIPIENT: enrolled.key_list()}
    sealer = Sealer(DEVICE, enrolled.device_key, keys)
    made = replace(sighting(enrolled.now.utc), crop=crop)
    made = replace(made, char_confidence=(0.99, 0.99, 0.99, 0.84, 0.98, 0.99, 0.99))
    read = sealer.seal(made, release(), 9_000)
    store = enrolled.place.store()
    try:
        intake = Intake(RECIPIENT, enrolled.place.opener(), store, enrolled.place.signer())
        [taken] = intake.take_all([read.wire], this_instant())
    finally:
        store.close()
    return taken.tags.read_id
