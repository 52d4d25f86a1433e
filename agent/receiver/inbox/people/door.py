"""What a browser holds between asking who comes and the answer: a cookie of ten minutes, from which
every secret of one signing-in is derived. The server keeps nothing of who only asks.

Mitigates against: an answer that was made for another browser, one that is shown twice, and a
memory that strangers fill.
"""

import hashlib
import hmac
import secrets

from agent.core.text.encoding import b64url, from_b64url
from agent.values import dataclass, field

LIFE_S = 600.0
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Doorway:
    """One browser's. `cookie`: its text. `secret`: what all else is derived from, out of repr."""

    cookie: str
    began_s: float
    secret: bytes = field(repr=False)

    def derived(self, purpose: str) -> bytes:
        """32 bytes that nobody else can know, for one purpose."""
        return hmac.digest(self.secret, purpose.encode(), hashlib.sha256)


class Door:
    """Of one process: a restart ends every signing-in that was under way. Times are monotonic."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(SECRET_BYTES)
        self._spent: dict[str, float] = {}

    def opened(self, untrusted_cookie: str, now_s: float) -> Doorway:
        """The doorway of this cookie; a new one where it is none, is old, or was gone through."""
        doorway = self.found(untrusted_cookie, now_s)
        if doorway is not None and now_s - doorway.began_s < LIFE_S / 2:
            return doorway
        text = f"{b64url(secrets.token_bytes(SECRET_BYTES))}.{now_s:.0f}"
        return self._of(f"{text}.{b64url(self._mac(text))}", now_s)

    def found(self, untrusted_cookie: str, now_s: float) -> Doorway | None:
        """The doorway of this cookie, if there is one."""
        text, _, mac = untrusted_cookie.rpartition(".")
        try:
            ours = hmac.compare_digest(from_b64url(mac), self._mac(text))
            began_s = float(text.partition(".")[2]) if ours else 0.0
        except (ValueError, UnicodeError):
            return None
        over = not ours or now_s - began_s >= LIFE_S or untrusted_cookie in self._spent
        return None if over else self._of(untrusted_cookie, began_s)

    def spend(self, doorway: Doorway, now_s: float) -> None:
        """Somebody went through: the same answer opens nothing again."""
        self._spent = {key: until for key, until in self._spent.items() if until > now_s}
        self._spent[doorway.cookie] = now_s + LIFE_S

    def _of(self, cookie: str, began_s: float) -> Doorway:
        return Doorway(cookie, began_s, hmac.digest(self._key, cookie.encode(), hashlib.sha256))

    def _mac(self, text: str) -> bytes:
        return hmac.digest(self._key, b"mac " + text.encode(), hashlib.sha256)
