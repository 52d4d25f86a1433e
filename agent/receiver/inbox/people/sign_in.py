"""Signing in to the inbox, and who is signed in: in memory alone, gone with the process.

Mitigates against: guessing (pauses that grow, for each account), a code that somebody saw (each is
taken once), a desk left alone (idle sessions end), and forged forms (a token in each).
"""

import hashlib
import secrets

from agent.receiver.inbox.passkeys.passkey_folder import PasskeyFolder
from agent.receiver.inbox.people.account_role import Role
from agent.receiver.inbox.people.accounts import Account, AccountFolder, nobody
from agent.values import dataclass, field

LONGEST_SESSION_S = 12 * 3600.0
MOST_SESSIONS = 200
PASSWORD, PROVIDER = "password", "provider"
FREE_TRIES, FIRST_WAIT_S, LONGEST_WAIT_S = 5, 30.0, 900.0


@dataclass(frozen=True, slots=True)
class Grant:
    """A lead that was opened in this session, and for what."""

    purpose: str
    incident: str


@dataclass(slots=True)
class Session:
    """One person at one browser. `csrf`: in every form. `grants`: by camera and read id.

    `by`: what was signed in with, PASSWORD, PROVIDER or a passkey's id. `made_at`, `link`: of the
    account, the link as issuer and subject. `challenge`: that a new passkey must sign, taken once.
    """

    username: str
    organization: str
    csrf: str
    began_s: float
    seen_s: float
    role: Role = Role.ANALYST
    by: str = PASSWORD
    made_at: str = ""
    link: tuple[str, str] = ("", "")
    challenge: bytes = b""
    grants: dict[tuple[str, str], Grant] = field(default_factory=dict)

    @property
    def may_all(self) -> bool:
        """Not only look?"""
        return self.role is Role.ANALYST

    @property
    def by_provider(self) -> bool:
        """Does a provider alone say who it is?"""
        return self.by == PROVIDER


@dataclass(slots=True)
class _Tries:
    """`used_step`: the last half minute whose code was taken."""

    failures: int = 0
    not_before_s: float = 0.0
    used_step: int = -1


class SignIn:
    """`idle_s`: a session without a request ends after so long. Times are monotonic seconds, unless
    they are said to be of the day.
    """

    def __init__(self, accounts: AccountFolder, idle_s: float, passkeys: PasskeyFolder) -> None:
        self._accounts, self.idle_s, self._passkeys = accounts, idle_s, passkeys
        self._nobody = nobody()
        self._tries: dict[str, _Tries] = {}
        self._sessions: dict[str, Session] = {}

    def enter(
        self, name: str, password: str, code: str, now_s: float, day_s: float
    ) -> tuple[str, Session] | float:
        """A token and its session; or how many seconds to wait before the next try, 0 where none.
        Nothing tells which of the three was wrong. `day_s`: since 1970. Raises StorageError.
        """
        account = self._accounts.find(name)
        if account is not None and not account.phc:
            account = None  # nothing here tells that it has no password
        tries = self._tries.setdefault(name if account else "", _Tries())
        if now_s < tries.not_before_s:
            return tries.not_before_s - now_s
        right = (account or self._nobody).is_password(password)
        step = (account or self._nobody).step_of(code, day_s)
        if account is None or not right or step is None or step <= tries.used_step:
            return self._failed(tries, now_s)
        tries.failures, tries.used_step = 0, step
        return self.begin(account, PASSWORD, account.role, now_s)

    def session(self, token: str, now_s: float) -> Session | None:
        """Whoever holds the token, unless the session or the account has ended."""
        key = _key(token)
        session = self._sessions.get(key)
        if session is None:
            return None
        over = now_s - session.seen_s >= self.idle_s or now_s - session.began_s >= LONGEST_SESSION_S
        if over or not self._stands(session):
            del self._sessions[key]
            return None
        session.seen_s = now_s
        return session

    def leave(self, token: str) -> None:
        """The session ends."""
        self._sessions.pop(_key(token), None)

    def _stands(self, session: Session) -> bool:
        """Is there still the account, and what signed in to it?"""
        account = self._accounts.find(session.username)
        if account is None or account.made_at != session.made_at:
            return False
        if session.by_provider:
            return bool(account.subject) and session.link == (account.issuer, account.subject)
        if session.by == PASSWORD:
            return True
        key = self._passkeys.of(account).find(session.by)
        return key is not None and not key.suspect  # one of two sessions may be the copy's

    def begin(self, account: Account, by: str, role: Role, now_s: float) -> tuple[str, Session]:
        """Of whoever was found to be the account's holder: a token and its session."""
        while len(self._sessions) >= MOST_SESSIONS:
            oldest = min(self._sessions, key=lambda key: self._sessions[key].seen_s)
            del self._sessions[oldest]
        token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        session = Session(
            *(account.name, account.organization, csrf, now_s, now_s),
            role=role,
            by=by,
            made_at=account.made_at,
            link=(account.issuer, account.subject),
        )
        self._sessions[_key(token)] = session
        return token, session

    @staticmethod
    def _failed(tries: _Tries, now_s: float) -> float:
        tries.failures += 1
        over = tries.failures - FREE_TRIES
        if over < 0:
            return 0.0
        wait_s = min(FIRST_WAIT_S * float(1 << min(over, 20)), LONGEST_WAIT_S)
        tries.not_before_s = now_s + wait_s
        return wait_s


def _key(token: str) -> str:
    """What is kept of a token: comparing it tells nothing of the token itself."""
    return hashlib.sha256(token.encode()).hexdigest()
