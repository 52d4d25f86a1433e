"""Signing in to the inbox at another maker's provider, in a real browser: the npm package
oidc-provider, at another site than the inbox's, as a department's would be.
"""

import json
import socket
import subprocess
from contextlib import contextmanager

import pytest

from agent.receiver.inbox.people.accounts import AccountFolder
from tests.interop.node import HERE, node
from tests.support.browser import CHROMIUM, Browser
from tests.support.inbox import ORGANIZATION, Serving, desk, records
from tests.support.inbox_browser import Keyboard, shots
from tests.support.receiving import this_instant

pytestmark = [
    pytest.mark.interop,
    pytest.mark.usefixtures("quick_disk"),
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium"),
]
SECRET = "a-fictitious-secret-of-32-letters"
LINK = "a[href='/sign-in/provider']"
PEOPLE = {
    "olga": {"groups": ["alpr-analysts"], "preferred_username": "olga"},
    "paul": {"groups": ["parking"], "preferred_username": "paul"},
}


def free_port():
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return made.getsockname()[1]


class RealProvider:
    """A context manager. `redirect`: where its answers go."""

    def __init__(self, server, redirect, port):
        self.issuer = f"https://127.0.0.1:{port}"
        client = {
            "client_id": "platewarden-inbox",
            "client_secret": SECRET,
            "redirect_uris": [redirect],
            "application_type": "native",  # plain http on this machine
        }
        told = {"issuer": self.issuer, "port": port, "clients": [client], "people": PEOPLE}
        told |= {"certificate": str(server.certificate), "key": str(server.key)}
        self._process = subprocess.Popen(
            [node(), HERE / "provider.mjs", json.dumps(told)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout.readline() == "READY\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()


@pytest.fixture
def parts(tmp_path, ca):
    """The inbox's folder, its port, and the provider."""
    inbox, provider = free_port(), free_port()
    issuer = f"https://127.0.0.1:{provider}"
    tables = f"""
[inbox.oidc]
issuer = "{issuer}"
client_id = "platewarden-inbox"
client_secret = "oidc-secret"
ca = "{ca.pem}"
name = "Exampleville sign-in"
analysts = ["alpr-analysts"]
"""
    enrolled = desk(tmp_path / "receiver", tables)
    secret = enrolled.folder / "oidc-secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    accounts = AccountFolder(enrolled.folder)
    for name in PEOPLE:
        accounts.add(name, ORGANIZATION, None, this_instant().utc)
        accounts.link(name, issuer, name)
    redirect = f"http://localhost:{inbox}/sign-in/provider/answer"
    server = ca.server("provider", hosts=("127.0.0.1",))
    with RealProvider(server, redirect, provider):
        yield enrolled, inbox


@contextmanager
def at_sign_in(enrolled, port, tmp_path):
    """A browser in which the inbox asks who comes."""
    with (
        Serving(enrolled.folder, "--listen", f"127.0.0.1:{port}"),
        Browser(tmp_path / "profile", options=("--ignore-certificate-errors",)) as browser,
    ):
        browser.go(f"http://localhost:{port}/")
        browser.until("!!document.querySelector('#code')")
        yield browser


def at_the_provider(browser, name):
    """What a person does on the provider's own pages: they are not ours to judge."""
    browser.until("!!document.querySelector('input[name=login]')")
    browser.run(f"document.querySelector('input[name=login]').value = {name!r}")
    browser.run("document.querySelector('input[name=password]').value = 'anything'")
    browser.run("document.querySelector('form').submit()")
    consent = "!!document.querySelector('input[name=prompt][value=consent]')"
    browser.until(f"location.hostname === 'localhost' || {consent}")
    if browser.run("location.hostname") != "localhost":
        browser.run("document.querySelector('form').submit()")
    browser.until("location.hostname === 'localhost'")


def test_in_by_the_provider_and_out_again(parts, tmp_path):
    enrolled, port = parts
    with at_sign_in(enrolled, port, tmp_path) as browser:
        keys = Keyboard(browser)
        shots(browser, "oidc-sign-in")
        keys.reach(LINK)
        keys.press("Enter")
        at_the_provider(browser, "olga")
        browser.until("location.pathname === '/' && !!document.querySelector('.out')")
        assert "olga, " in browser.run("document.querySelector('header').innerText")
        shots(browser, "oidc-in")
        keys.go(".out button", "#code")
        assert not [line for line in browser.console if "Content Security Policy" in line]
    told = [one for one in records(enrolled.folder) if one["act"] == "sign-in"]
    assert [(one["username"], one["by"]) for one in told] == [("olga", "provider")]


def test_a_group_that_may_not_come_in(parts, tmp_path):
    enrolled, port = parts
    with at_sign_in(enrolled, port, tmp_path) as browser:
        keys = Keyboard(browser)
        keys.reach(LINK)
        keys.press("Enter")
        at_the_provider(browser, "paul")
        browser.until("!!document.querySelector('.fault')")
        shots(browser, "oidc-refused")
        assert "Your groups at the provider" in browser.run(
            "document.querySelector('.fault').innerText"
        )
    assert records(enrolled.folder)[-1]["why"] == "group"
