"""Signing in by the provider: the code flow with PKCE (OpenID Connect Core 1.0, 3.1; RFC 7636), and
whose account it is then. A provider that is away stops nobody who has a password or a passkey.

Mitigates against: an answer to somebody else's question (state, by a cookie), another provider's
(RFC 9207), an account that is taken over by a name that the provider lets people choose.
"""

import re
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.responses import RedirectResponse, Response

from agent.core.text.encoding import b64url
from agent.errors import NetworkError
from agent.receiver.inbox.entrance import TOO_LONG, Entrance
from agent.receiver.inbox.oidc.id_token import Expected, TokenRefusedError
from agent.receiver.inbox.oidc.provider import Ask, Provider
from agent.receiver.inbox.page_request import Asked, set_door
from agent.receiver.inbox.people.account_role import Role
from agent.receiver.inbox.people.accounts import NAME as ACCOUNT_NAME
from agent.receiver.inbox.people.accounts import Account, AccountFolder
from agent.receiver.inbox.people.door import Doorway
from agent.receiver.inbox.people.sign_in import PROVIDER
from agent.values import dataclass, replace

ANSWER = "/sign-in/provider/answer"
LOCAL = "Accounts with a password or a passkey work all the same."
_ERROR = re.compile(r"[a-z_]{1,40}")


@dataclass(frozen=True, slots=True)
class Fetched:
    """What the provider said, or why there is nothing: `fault` for a person, `why` for the log."""

    address: str = ""
    claims: Mapping[str, Any] | None = None
    fault: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class OidcPages:
    """`ask` and `hear` speak to the provider, each in a thread of its own; the others do not."""

    entrance: Entrance
    accounts: AccountFolder
    provider: Provider

    def ask(self, asked: Asked) -> Asked:
        """Where the browser is to go."""
        now_s = self.entrance.clock.monotonic_s()
        doorway = self.entrance.door.opened(asked.door, now_s)
        try:
            address = self.provider.address_to_ask(self._ask(asked, doorway))
            fetched = Fetched(address=address)
        except NetworkError as error:
            fetched = _away(error)
        return replace(asked, door=doorway.cookie, fetched=fetched)

    def begin(self, asked: Asked) -> Response:
        """The browser is sent to the provider."""
        fetched = _fetched(asked)
        if fetched.fault:
            return self._refused(asked, fetched)
        response = RedirectResponse(fetched.address, HTTPStatus.SEE_OTHER)
        set_door(response, asked.door, secure=self.entrance.secure)
        return response

    def hear(self, asked: Asked) -> Asked:
        """What the answer is worth."""
        doorway = self.entrance.doorway(asked)
        fetched = Fetched(fault=TOO_LONG, why="state")
        if doorway is not None:
            fetched = self._heard(asked, self._ask(asked, doorway))
        return replace(asked, fetched=fetched)

    def finish(self, asked: Asked) -> Response:
        """Whoever has an account is in."""
        fetched, doorway = _fetched(asked), self.entrance.doorway(asked)
        if doorway is not None:
            self.entrance.door.spend(doorway, self.entrance.clock.monotonic_s())
        if fetched.claims is None or doorway is None:
            return self._refused(asked, fetched)
        role = self._role(fetched.claims)
        if role is None:
            what = "Your groups at the provider do not let you in here."
            return self._refused(asked, Fetched(fault=what, why="group"))
        account = self._account(fetched.claims)
        if isinstance(account, Fetched):
            return self._refused(asked, account)
        least = Role.READER if Role.READER in {role, account.role} else Role.ANALYST
        return self._in(account, least, doorway)

    def _in(self, account: Account, role: Role, doorway: Doorway) -> Response:
        """A page of ours that goes on by itself: in a chain of redirects from the provider's site
        no browser would send the session's cookie (SameSite=Strict).
        """
        entered = self.entrance.let_in(account, PROVIDER, role, doorway)
        page = self.entrance.maker.page("came.html", None, name=account.name)
        page.headers["Refresh"] = "0; url=/"
        for cookie in entered.headers.getlist("set-cookie"):
            page.headers.append("set-cookie", cookie)
        return page

    def _heard(self, asked: Asked, ask: Ask) -> Fetched:
        query, issuer = asked.query, self.provider.settings.issuer
        if not secrets.compare_digest(query.get("state", "").encode(), ask.state.encode()):
            return Fetched(fault=TOO_LONG, why="state")
        try:
            told = self.provider.metadata()
            if query.get("iss", issuer) != issuer or (told.names_itself and "iss" not in query):
                return _denied("issuer")
            if "code" not in query or "error" in query:
                error = query.get("error", "")
                said = f" ({error})" if _ERROR.fullmatch(error) else ""
                return Fetched(fault=f"The provider did not let you in{said}.", why="denied")
            now = self.entrance.clock.now().utc
            expected = Expected(issuer, self.provider.settings.client_id, ask.nonce, now)
            return Fetched(claims=self.provider.claims(query["code"], ask, expected))
        except TokenRefusedError as refused:
            return _denied(refused.why)
        except NetworkError as error:
            return _away(error)

    def _role(self, claims: Mapping[str, Any]) -> Role | None:
        """By the lists of the settings; None: no list names the person."""
        settings = self.provider.settings
        if not (settings.analysts or settings.readers):
            return Role.ANALYST
        told = claims.get(settings.claim)
        values = {
            one for one in (told if isinstance(told, list) else [told]) if isinstance(one, str)
        }
        if values & set(settings.analysts):
            return Role.ANALYST
        return Role.READER if values & set(settings.readers) else None

    def _account(self, claims: Mapping[str, Any]) -> Account | Fetched:
        """Found by issuer and subject alone: names and mail addresses may be chosen, or given to
        somebody else later.
        """
        settings, subject = self.provider.settings, str(claims["sub"])
        found = self.accounts.of_subject(settings.issuer, subject)
        if found is not None:
            return found
        if not settings.create_accounts or settings.organization is None:
            what = f"No account here is yours yet. Tell whoever runs the inbox: {subject}"
            return Fetched(fault=what, why="account")
        name = str(claims.get(settings.name_claim, "")).lower()
        if ACCOUNT_NAME.fullmatch(name) is None or name in self.accounts.names():
            what = "An account of your name is here already, or the name is none that can be used."
            return Fetched(fault=f"{what} Tell whoever runs the inbox: {subject}", why="name")
        self.entrance.log.came("account-made", name, by=PROVIDER)
        self.accounts.add(name, settings.organization, None, self.entrance.clock.now().utc)
        return self.accounts.link(name, settings.issuer, subject)

    def _refused(self, asked: Asked, fetched: Fetched) -> Response:
        self.entrance.log.came("sign-in-refused", by=PROVIDER, why=fetched.why or "state")
        return self.entrance.ask_who(asked, fetched.fault or TOO_LONG)

    def _ask(self, asked: Asked, doorway: Doorway) -> Ask:
        scheme = "https" if self.entrance.secure else "http"
        return Ask(
            f"{scheme}://{asked.host}{ANSWER}",
            *(b64url(doorway.derived(f"oidc {one}")) for one in ("state", "nonce", "verifier")),
        )


def _fetched(asked: Asked) -> Fetched:
    assert isinstance(asked.fetched, Fetched)  # noqa: S101  # the routes ask the provider first
    return asked.fetched


def _away(error: NetworkError) -> Fetched:
    return Fetched(fault=f"The provider {error.what}. {LOCAL}", why="away")


def _denied(why: str) -> Fetched:
    return Fetched(fault=f"The provider's answer is not believed ({why}). {LOCAL}", why=why)
