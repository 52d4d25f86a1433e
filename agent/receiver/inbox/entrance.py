"""The pages by which somebody comes in and goes: password and code, or a passkey."""

from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse, Response

from agent.receiver.inbox.page_request import Asked, end_session, session_in, set_door, set_session
from agent.receiver.inbox.passkeys.passkey_check import PasskeyRefusedError
from agent.values import dataclass

if TYPE_CHECKING:
    from agent.ports import Clock
    from agent.receiver.inbox.access_log import AccessLog
    from agent.receiver.inbox.page_maker import PageMaker
    from agent.receiver.inbox.passkeys.passkey_check import PasskeyDesk
    from agent.receiver.inbox.people.account_role import Role
    from agent.receiver.inbox.people.accounts import Account
    from agent.receiver.inbox.people.door import Door, Doorway
    from agent.receiver.inbox.people.sign_in import SignIn

PASSKEY = "passkey"
TOO_LONG = "That page was open for too long, or was used already. Try again."


@dataclass(frozen=True, slots=True)
class Entrance:
    """`passkeys`: None where no name is served that one could be bound to. `secure`: by TLS.
    `provider`: its name for people, empty where there is none.

    Every method raises StorageError.
    """

    sign_in: "SignIn"
    log: "AccessLog"
    clock: "Clock"
    maker: "PageMaker"
    door: "Door"
    passkeys: "PasskeyDesk | None"
    secure: bool
    provider: str = ""

    def ask_who(self, asked: Asked, fault: str = "") -> Response:
        """The page with all ways in."""
        doorway = self.door.opened(asked.door, self.clock.monotonic_s())
        desk = self.passkeys_here(asked)
        response = self.maker.page(
            "sign_in.html",
            None,
            status=HTTPStatus.UNAUTHORIZED if fault else HTTPStatus.OK,
            fault=fault,
            script=desk is not None,
            passkey=desk.to_sign(doorway.derived(PASSKEY)) if desk else "",
            passkeys_at=self.passkeys_at,
            provider=self.provider,
        )
        set_door(response, doorway.cookie, secure=self.secure)
        return response

    def by_password(self, asked: Asked) -> Response:
        """Name, password, code."""
        name, now_s = asked.one("name"), self.clock.monotonic_s()
        day_s = self.clock.now().utc.timestamp()
        entered = self.sign_in.enter(
            name, asked.form.get("password", ""), asked.one("code"), now_s, day_s
        )
        if isinstance(entered, float):
            self.log.came("sign-in-refused")
            wait = f" Try again in {entered / 60:.0f} minutes." if entered >= 60 else ""
            wait = f" Try again in {entered:.0f} seconds." if 0 < entered < 60 else wait
            return self.ask_who(
                asked, f"Account, password or code is wrong, or the code was used.{wait}"
            )
        token, session = entered
        self.log.came("sign-in", session.username, by=session.by)
        return self._in(token)

    def by_passkey(self, asked: Asked) -> Response:
        """What the passkey signed."""
        doorway = self.doorway(asked)
        if doorway is None or self.passkeys is None:
            return self.ask_who(asked, TOO_LONG)
        try:
            account, key = self.passkeys.signed(asked.one("answer"), doorway.derived(PASSKEY))
        except PasskeyRefusedError as refused:
            self.log.came("sign-in-refused", *filter(None, [refused.account]), by=PASSKEY)
            return self.ask_who(asked, f"{refused.what}.")
        return self.let_in(account, key.id, account.role, doorway)

    def sign_out(self, asked: Asked) -> Response:
        """The session ends here and in the browser."""
        session = session_in(asked)
        self.sign_in.leave(asked.token)
        self.log.came("sign-out", session.username)
        response = RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
        end_session(response, secure=self.secure)
        return response

    @property
    def passkeys_at(self) -> str:
        """The address at which passkeys work; empty where there is none."""
        return self.passkeys.place.url if self.passkeys else ""

    def passkeys_here(self, asked: Asked) -> "PasskeyDesk | None":
        """None under an address to which no passkey can be bound."""
        desk = self.passkeys
        return desk if desk and asked.host in desk.place.hosts else None

    def doorway(self, asked: Asked) -> "Doorway | None":
        """Of a signing-in that this browser began."""
        return self.door.found(asked.door, self.clock.monotonic_s())

    def let_in(self, account: "Account", by: str, role: "Role", doorway: "Doorway") -> Response:
        """Whoever was found to be this account's holder. `by`: as a session has it."""
        now_s = self.clock.monotonic_s()
        self.door.spend(doorway, now_s)
        token, session = self.sign_in.begin(account, by, role, now_s)
        self.log.came("sign-in", session.username, by=by)
        return self._in(token)

    def _in(self, token: str) -> Response:
        response = RedirectResponse("/", HTTPStatus.SEE_OTHER)
        set_session(response, token, secure=self.secure)
        return response
