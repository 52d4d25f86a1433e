"""The pages on which somebody makes and removes passkeys: signed in, or with an invitation."""

import secrets
from http import HTTPStatus

from starlette.responses import RedirectResponse, Response

from agent.core.text.rfc3339 import rfc3339
from agent.errors import UsageError
from agent.receiver.inbox.entrance import TOO_LONG, Entrance
from agent.receiver.inbox.page_maker import file_of
from agent.receiver.inbox.page_request import Asked, TurnedAwayError, sentence, session_in, set_door
from agent.receiver.inbox.passkeys.invitations import InvitationFolder
from agent.receiver.inbox.passkeys.passkey_check import PasskeyDesk, PasskeyRefusedError
from agent.receiver.inbox.passkeys.passkey_folder import PasskeyFolder
from agent.receiver.inbox.people.accounts import Account, AccountFolder
from agent.receiver.inbox.people.door import Doorway
from agent.receiver.inbox.people.sign_in import Session
from agent.values import dataclass

FRESH_S = 300.0
"""For so long after signing in passkeys may be changed: an unattended desk gives nobody a key."""
CHALLENGE_BYTES = 32
BY_PROVIDER = (
    "Who came in by the provider changes no passkeys here: sign in with a password or a passkey, "
    "or ask whoever runs the inbox for an invitation."
)
WRONG = "Account or code is wrong, or the invitation is over."


@dataclass(frozen=True, slots=True)
class PasskeyPages:
    """Every method returns a page, or raises StorageError or TurnedAwayError. What is changed is in
    the access log first.

    Mitigates against: a provider that outlives its link, or gives a reader more, by a passkey.
    """

    entrance: Entrance
    accounts: AccountFolder
    passkeys: PasskeyFolder
    invitations: InvitationFolder

    def script(self, _asked: Asked) -> Response:
        """The inbox's one script."""
        return file_of(__package__, "passkey.js", "text/javascript")

    def shown(self, asked: Asked, fault: str = "") -> Response:
        """One's own, and the button for another."""
        session, account = session_in(asked), self._account(session_in(asked))
        fresh, desk = not self._no_change(session), self.entrance.passkeys_here(asked)
        ring = self.passkeys.begun(account)
        question = ""
        if desk is not None and fresh:
            session.challenge = secrets.token_bytes(CHALLENGE_BYTES)
            question = desk.to_make(account, ring, session.challenge)
        return self.entrance.maker.page(
            "passkeys.html",
            session,
            status=HTTPStatus.BAD_REQUEST if fault else HTTPStatus.OK,
            fault=fault,
            script=bool(question),
            keys=ring.keys,
            fresh=fresh,
            by_provider=BY_PROVIDER,
            passkey=question,
            passkeys_at=self.entrance.passkeys_at,
        )

    def add(self, asked: Asked) -> Response:
        """The one that the browser made."""
        session = session_in(asked)
        challenge, session.challenge = session.challenge, b""
        refusal = self._no_change(session)
        if refusal or not challenge:
            return self.shown(asked, refusal or TOO_LONG)
        try:
            self._made(self._account(session), asked, challenge)
        except PasskeyRefusedError as refused:
            return self.shown(asked, f"{refused.what}.")
        except UsageError as error:
            return self.shown(asked, sentence(error))
        return RedirectResponse("/passkeys", HTTPStatus.SEE_OTHER)

    def remove(self, asked: Asked) -> Response:
        """One of one's own; whoever has no password keeps the last."""
        session = session_in(asked)
        account, key_id = self._account(session), asked.one("id")
        refusal = self._no_change(session)
        if refusal:
            return self.shown(asked, refusal)
        keys = self.passkeys.of(account).keys
        if not account.phc and len(keys) <= 1:
            return self.shown(asked, "This account has no password: make another passkey first.")
        if key_id not in {key.id for key in keys}:
            return self.shown(asked, "That passkey is gone already.")
        self.entrance.log.came("passkey-removed", account.name, passkey=key_id)
        self.passkeys.remove(account, key_id)
        return RedirectResponse("/passkeys", HTTPStatus.SEE_OTHER)

    def ask_code(self, asked: Asked, fault: str = "") -> Response:
        """Account and code of an invitation."""
        status = HTTPStatus.UNAUTHORIZED if fault else HTTPStatus.OK
        self._desk(asked)
        page = self.entrance.maker.page
        return page("invitation.html", None, status=status, fault=fault, passkey="")

    def invited(self, asked: Asked) -> Response:
        """The code was right: the browser is asked for a passkey."""
        desk, account = self._desk(asked), self._invited(asked)
        if account is None:
            return self.ask_code(asked, WRONG)
        now_s = self.entrance.clock.monotonic_s()
        doorway = self.entrance.door.opened(asked.door, now_s)
        ring = self.passkeys.begun(account)
        response = self.entrance.maker.page(
            "invitation.html",
            None,
            script=True,
            passkey=desk.to_make(account, ring, _of_invitation(doorway, account)),
            name=account.name,
            code=asked.one("code"),
        )
        set_door(response, doorway.cookie, secure=self.entrance.secure)
        return response

    def accept(self, asked: Asked) -> Response:
        """The passkey is made, the invitation is over, and its holder is in."""
        account, doorway = self._invited(asked), self.entrance.doorway(asked)
        if account is None or doorway is None:
            return self.ask_code(asked, WRONG if account is None else TOO_LONG)
        try:
            key_id = self._made(account, asked, _of_invitation(doorway, account), invited=True)
        except PasskeyRefusedError as refused:
            return self.ask_code(asked, f"{refused.what}.")
        except UsageError as error:
            return self.ask_code(asked, sentence(error))
        return self.entrance.let_in(account, key_id, account.role, doorway)

    def _made(
        self, account: Account, asked: Asked, challenge: bytes, *, invited: bool = False
    ) -> str:
        """Raises PasskeyRefusedError, UsageError."""
        now = rfc3339(self.entrance.clock.now().utc)
        key = self._desk(asked).made(asked.one("answer"), challenge, now)
        self.passkeys.of(account).require_room(key)
        self.entrance.log.came("passkey-added", account.name, passkey=key.id)
        if invited:
            self.invitations.end(account.name)  # before: a crash here makes no second passkey
        self.passkeys.add(account, key)
        return key.id

    def _desk(self, asked: Asked) -> PasskeyDesk:
        desk, at = self.entrance.passkeys_here(asked), self.entrance.passkeys_at
        if desk is None:
            where = f" They are made at {at}invitation." if at else ""
            raise TurnedAwayError(
                HTTPStatus.NOT_FOUND, f"No passkey can be made under this address.{where}"
            )
        return desk

    def _invited(self, asked: Asked) -> Account | None:
        account = self.accounts.find(asked.one("name"))
        now = self.entrance.clock.now().utc
        if account and self.invitations.is_invited(account, asked.one("code"), now):
            return account
        self.entrance.log.came("invitation-refused")
        return None

    def _no_change(self, session: Session) -> str:
        """Why this session changes no passkeys; empty: it may."""
        if session.by_provider:
            return BY_PROVIDER
        fresh = self.entrance.clock.monotonic_s() - session.began_s < FRESH_S
        return "" if fresh else TOO_LONG

    def _account(self, session: Session) -> Account:
        account = self.accounts.find(session.username)
        if account is None:
            raise TurnedAwayError(HTTPStatus.GONE, "The account is gone.")
        return account


def _of_invitation(doorway: Doorway, account: Account) -> bytes:
    return doorway.derived(f"invitation {account.name}")
