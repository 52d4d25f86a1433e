"""Passkeys in a real browser with its own virtual authenticator: made and used by keyboard alone,
under a name only, and nobody comes in whom the authenticator did not verify.
"""

import pytest

from agent.receiver.inbox.passkeys.invitations import InvitationFolder
from agent.receiver.inbox.passkeys.passkey_folder import PasskeyFolder
from agent.receiver.inbox.people.accounts import AccountFolder
from tests.support.browser import CHROMIUM, Browser
from tests.support.inbox import ORGANIZATION, Serving, desk, records
from tests.support.inbox_browser import Keyboard, seen_car, shots
from tests.support.receiving import this_instant
from tests.support.sealed import DEVICE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium"),
    pytest.mark.usefixtures("quick_disk"),
]
SIGN_IN, ADD = "form[action='/sign-in/passkey'] button", "form[action='/passkeys/add'] button"


class Authenticator:
    """Chromium's own (CDP, domain WebAuthn): a key with a PIN, or a finger, that may fail."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        browser.call("WebAuthn.enable", enableUI=False)
        self.id = browser.call(
            "WebAuthn.addVirtualAuthenticator",
            options={
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            },
        )["authenticatorId"]

    def verifies(self, *, verified: bool) -> None:
        self._browser.call(
            "WebAuthn.setUserVerified", authenticatorId=self.id, isUserVerified=verified
        )

    def credentials(self) -> list[dict]:
        told = self._browser.call("WebAuthn.getCredentials", authenticatorId=self.id)
        return told["credentials"]

    def count_back(self) -> None:
        """As a copy would that was made before: its counter starts anew."""
        [credential] = self.credentials()
        self._browser.call(
            "WebAuthn.removeCredential",
            authenticatorId=self.id,
            credentialId=credential["credentialId"],
        )
        self._browser.call(
            "WebAuthn.addCredential",
            authenticatorId=self.id,
            credential={**credential, "signCount": 1},
        )


@pytest.fixture
def enrolled(tmp_path):
    return desk(tmp_path / "receiver")


def at_localhost(serving):
    return f"http://localhost:{serving.port}/"


def require_no_script_of_others(browser):
    assert not [line for line in browser.console if "Content Security Policy" in line]


def test_a_passkey_is_added_and_used_by_keyboard(enrolled, tmp_path):
    lead = f"/lead/{DEVICE}/{seen_car(enrolled)}"
    with Serving(enrolled.folder) as serving, Browser(tmp_path / "profile") as browser:
        keys, authenticator = Keyboard(browser), Authenticator(browser)
        keys.sign_in(at_localhost(serving), enrolled.folder)
        keys.go("a[href='/passkeys']", ADD)  # 1: to one's passkeys
        shots(browser, "passkeys-none")
        keys.go(ADD, "ul.leads li")  # 2: make one
        shots(browser, "passkeys-one")
        assert len(authenticator.credentials()) == 1
        assert authenticator.credentials()[0]["rpId"] == "localhost"
        keys.go(".out button", SIGN_IN)  # 3: sign out
        shots(browser, "sign-in")
        keys.go(SIGN_IN, "h1 ~ ul.leads")  # 4: come in with it
        assert "dora, " in browser.run("document.querySelector('header').innerText")
        keys.go(f'a[href="{lead}"]', "#purpose")  # 5-7: a lead as ever
        keys.choose("#purpose", "stolen-vehicle-recovery")
        keys.go("form[action$='/open'] button", ".characters")
        assert not browser.run("document.scripts.length"), "a lead's page has no script"
        keys.go("a[href='/passkeys']", "ul.leads li")
        assert "signed in with it" in browser.run("document.querySelector('main').innerText")
        keys.go("form[action='/passkeys/remove'] button", "#code")  # 8: removed, and out
        keys.go(SIGN_IN, ".fault")  # 9: it opens nothing any more
        assert "not known here" in browser.run("document.querySelector('.fault').innerText")
        shots(browser, "sign-in-refused")
        require_no_script_of_others(browser)
    acts = [one["act"] for one in records(enrolled.folder)]
    assert acts.count("passkey-added") == acts.count("passkey-removed") == 1
    assert acts.count("sign-in") == 2


def test_an_invitation_by_keyboard(enrolled, tmp_path):
    now = this_instant().utc
    account = AccountFolder(enrolled.folder).add("eli", ORGANIZATION, None, now)
    code = InvitationFolder(enrolled.folder).invite(account, now)
    with Serving(enrolled.folder) as serving, Browser(tmp_path / "profile") as browser:
        keys, _ = Keyboard(browser), Authenticator(browser)
        browser.go(at_localhost(serving))
        browser.until("!!document.querySelector('a[href=\"/invitation\"]')")
        keys.go("a[href='/invitation']", "#code")
        shots(browser, "invitation")
        keys.type("#name", "eli")
        keys.type("#code", code)
        keys.go("main button", "form[data-passkey]")
        shots(browser, "invitation-taken")
        keys.go("main button", "h1 ~ ul.leads, h1 ~ p")
        assert "eli, " in browser.run("document.querySelector('header').innerText")
        require_no_script_of_others(browser)
    assert len(PasskeyFolder(enrolled.folder).of(account).keys) == 1


def test_whom_the_authenticator_does_not_verify_and_a_counter_that_goes_back(enrolled, tmp_path):
    with Serving(enrolled.folder) as serving, Browser(tmp_path / "profile") as browser:
        keys, authenticator = Keyboard(browser), Authenticator(browser)
        keys.sign_in(at_localhost(serving), enrolled.folder)
        keys.go("a[href='/passkeys']", ADD)
        keys.go(ADD, "ul.leads li")
        keys.go(".out button", SIGN_IN)
        authenticator.verifies(verified=False)
        keys.reach(SIGN_IN)
        keys.press("Enter")
        told = "document.querySelector('#passkey-told').innerText"
        browser.until(f"{told}.includes('did not answer')")
        shots(browser, "passkey-silent")
        authenticator.verifies(verified=True)
        keys.go(SIGN_IN, "h1 ~ ul.leads, h1 ~ p")
        keys.go(".out button", SIGN_IN)
        authenticator.count_back()
        keys.go(SIGN_IN, ".fault")
        assert "may have been copied" in browser.run("document.querySelector('.fault').innerText")
    [refused] = [one for one in records(enrolled.folder) if one["act"] == "sign-in-refused"]
    assert refused["username"] == "dora"


def test_under_the_address_no_passkey_is_offered_and_the_name_is_told(enrolled, tmp_path):
    with Serving(enrolled.folder) as serving, Browser(tmp_path / "profile") as browser:
        browser.go(serving.url)
        browser.until("!!document.querySelector('#code')")
        assert not browser.run("document.scripts.length")
        assert not browser.run("!!document.querySelector('form[data-passkey]')")
        link = f"document.querySelector('main a[href=\"{at_localhost(serving)}\"]')"
        assert browser.run(f"!!{link}")


def test_by_tls_under_a_name_the_passkey_is_bound_to_it(tmp_path, ca):
    """A passkey made for inbox.example is of no use at localhost, and the other way round."""
    server = ca.server("inbox", hosts=("127.0.0.1", "inbox.example"))
    tables = (
        f'\n[inbox]\ncertificate = "{server.certificate}"\nkey = "{server.key}"\n'
        'host = "inbox.example"\n'
    )
    enrolled = desk(tmp_path / "receiver", tables)
    options = ("--host-resolver-rules=MAP inbox.example 127.0.0.1", "--ignore-certificate-errors")
    profile = tmp_path / "profile"
    with (
        Serving(enrolled.folder, ca=ca.pem) as serving,
        Browser(profile, options=options) as browser,
    ):
        keys, authenticator = Keyboard(browser), Authenticator(browser)
        keys.sign_in(f"https://inbox.example:{serving.port}/", enrolled.folder)
        keys.go("a[href='/passkeys']", ADD)
        keys.go(ADD, "ul.leads li")
        assert authenticator.credentials()[0]["rpId"] == "inbox.example"
        keys.go(".out button", SIGN_IN)
        keys.go(SIGN_IN, "h1 ~ ul.leads, h1 ~ p")
        keys.go(".out button", SIGN_IN)
        browser.go(f"https://127.0.0.1:{serving.port}/")
        browser.until("location.hostname === '127.0.0.1' && !!document.querySelector('#code')")
        assert not browser.run("!!document.querySelector('form[data-passkey]')")
