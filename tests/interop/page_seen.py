"""A page as a person meets it: shown in a real browser, looked through by axe, and on paper."""

import base64
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.interop.node import HERE, node
from tests.support.browser import Browser

AXE = HERE / "node_modules/axe-core/axe.min.js"


@contextmanager
def shown(page: Path, folder: Path) -> Iterator[Browser]:
    """A browser with the page in it, whole. `folder`: its profile goes there."""
    with Browser(folder / "profile") as browser:
        browser.go(page.as_uri())
        browser.until("document.readyState === 'complete' && !!document.querySelector('main')")
        yield browser


def require_sound(browser: Browser, where: str = "") -> None:
    """axe finds nothing, and has looked."""
    node()  # installs what package.json names
    browser.run(AXE.read_text() + ";0")
    passes, violations = browser.run(
        "axe.run().then(done => [done.passes.length, done.violations])"
    )
    assert violations == [], (where, violations)
    assert passes > 10, where


def on_paper(browser: Browser, folder: Path) -> str:
    """What is read on the printed page, its lines as they fall."""
    printed = browser.call("Page.printToPDF", printBackground=True, preferCSSPageSize=True)
    pdf = folder / "page.pdf"
    pdf.write_bytes(base64.b64decode(printed["data"]))
    done = subprocess.run(["pdftotext", pdf, "-"], capture_output=True, text=True, check=True)
    return done.stdout
