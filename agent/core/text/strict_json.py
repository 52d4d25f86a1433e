"""JSON, base64url and public JWKs as our formats allow them: one way to write each value,
everything else refused.

Two readers that understand the same bytes differently are an attack (duplicate keys, base64 with
stray bits, `true` for 1). Refusals name the field and never show its value: it could be part of a
plate.
"""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime

from agent.core.reasons import Reason
from agent.core.text.encoding import b64url, b64url_bytes, from_b64url
from agent.core.text.rfc3339 import parse_rfc3339
from agent.core.text.suggestion import nearest
from agent.errors import EnvelopeRefusedError

IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")
KEY_BYTES = 32
# A date from outside lies in these years: nothing is computed from one that could overflow.
FIRST_YEAR, LAST_YEAR = 2020, 2200


def malformed(what: str, where: str = "") -> EnvelopeRefusedError:
    """The refusal for whatever does not follow the format."""
    return EnvelopeRefusedError(Reason.MALFORMED, what, where=where)


_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)


def canonical(value: object) -> bytes:
    """JSON with sorted keys, no spaces, UTF-8: equal values have equal bytes."""
    return _ENCODER.encode(value).encode()


def parse_object(untrusted_text: bytes, where: str) -> Mapping[str, object]:
    """One JSON object without duplicate keys, NaN or broken UTF-8.

    Raises EnvelopeRefusedError(malformed).
    """
    value = _parse(untrusted_text, "is not one JSON object with unique keys", where)
    if not isinstance(value, dict):
        raise malformed("is not a JSON object", where)
    return value


def parse_list(untrusted_text: bytes, where: str, most: int) -> list[object]:
    """One JSON array of at most `most` values, just as strict. Raises
    EnvelopeRefusedError(malformed).
    """
    value = _parse(untrusted_text, "is not one JSON list", where)
    if not isinstance(value, list) or len(value) > most:
        raise malformed(f"is not a JSON list of at most {most}", where)
    return value


def _parse(untrusted_text: bytes, otherwise: str, where: str) -> object:
    try:
        value: object = _DECODER.decode(untrusted_text.decode("utf-8"))
    except (ValueError, RecursionError):
        # RecursionError comes of a thousand brackets in a few hundred bytes.
        raise malformed(otherwise, where) from None
    return value


def _no_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError
    return table


def _no_constant(_name: str) -> None:
    raise ValueError


_DECODER = json.JSONDecoder(object_pairs_hook=_no_duplicates, parse_constant=_no_constant)


def decode_base64url(untrusted_text: str, where: str) -> bytes:
    """Strict base64url (RFC 7515, no padding, no stray bits).

    Raises EnvelopeRefusedError(malformed).
    """
    try:
        return from_b64url(untrusted_text)
    except ValueError:
        raise malformed("is not base64url", where) from None


def base64url_bytes(untrusted_text: bytes, where: str) -> int:
    """How many bytes it stands for, as strictly, and without decoding it.

    Raises EnvelopeRefusedError(malformed).
    """
    try:
        return b64url_bytes(untrusted_text)
    except ValueError:
        raise malformed("is not base64url", where) from None


def public_jwk(curve: str, raw: bytes) -> dict[str, str]:
    """A public OKP key (RFC 8037) as we write it. `curve`: Ed25519 or X25519; `raw`: 32 bytes."""
    return {"kty": "OKP", "crv": curve, "x": b64url(raw)}


class Fields:
    """A strict reader over one JSON object: exactly the members that are expected, each of its type
    and range.

    Every method raises EnvelopeRefusedError(malformed) naming `where` and the member.
    """

    def __init__(
        self,
        untrusted_value: object,
        where: str,
        *,
        required: Iterable[str],
        optional: Iterable[str] = (),
    ) -> None:
        if not isinstance(untrusted_value, dict):
            raise malformed("is not a JSON object", where)
        self._table: dict[str, object] = untrusted_value
        self._where = where
        needed = frozenset(required)
        if self._table.keys() == needed:
            return  # nearly always: a sealed read has seven such objects
        if missing := sorted(needed - self._table.keys()):
            raise malformed(f"lacks {', '.join(missing)}", where)
        known = needed | set(optional)
        if unknown := self._table.keys() - known:
            # The member's name is untrusted text, and not repeated.
            near = nearest(min(unknown), known)
            meant = f"; did you mean `{near}`?" if near else ""
            raise malformed(f"has a member that this version does not know{meant}", where)

    def __contains__(self, name: str) -> bool:
        return name in self._table

    def bad(self, name: str, rule: str) -> EnvelopeRefusedError:
        """The refusal for one member."""
        return malformed(f"`{name}` must be {rule}", self._where)

    def text(self, name: str, *, most: int = 200, least: int = 1) -> str:
        """Printable text (no control characters, no lone surrogates) of `least` to `most`
        characters.
        """
        value = self._table[name]
        if not isinstance(value, str) or not least <= len(value) <= most or not value.isprintable():
            raise self.bad(name, f"printable text of {least} to {most} characters")
        return value

    def pattern(self, name: str, pattern: re.Pattern[str], rule: str) -> str:
        """ASCII text that matches the whole pattern."""
        value = self._table[name]
        if not isinstance(value, str) or not value.isascii() or pattern.fullmatch(value) is None:
            raise self.bad(name, rule)
        return value

    def identifier(self, name: str) -> str:
        """Letters, digits and hyphens, 1 to 64: safe in a topic, a file name and a log line."""
        return self.pattern(name, IDENTIFIER, "1 to 64 letters, digits or hyphens")

    def whole(self, name: str, least: int, most: int) -> int:
        """A whole number; `true` is not 1 here."""
        value = self._table[name]
        if type(value) is not int or not least <= value <= most:
            raise self.bad(name, f"a whole number from {least} to {most}")
        return value

    def fraction(self, name: str) -> float:
        """A number from 0 to 1."""
        return self._fraction(name, self._table[name])

    def fractions(self, name: str, most: int) -> tuple[float, ...]:
        """A list of numbers from 0 to 1."""
        return tuple(self._fraction(name, value) for value in self.sequence(name, most))

    def _fraction(self, name: str, value: object) -> float:
        # The comparison comes when it was just shown to be a number.
        if type(value) not in {int, float} or not 0 <= value <= 1:  # type: ignore[operator]
            raise self.bad(name, "a number from 0 to 1")
        return float(value)  # type: ignore[arg-type]

    def sequence(self, name: str, most: int) -> list[object]:
        """A JSON array of at most `most` values."""
        value = self._table[name]
        if not isinstance(value, list) or len(value) > most:
            raise self.bad(name, f"a list of at most {most}")
        return value

    def exactly(self, name: str, expected: object) -> None:
        """The one permitted value, of the same type."""
        value = self._table[name]
        if type(value) is not type(expected) or value != expected:
            raise self.bad(name, json.dumps(expected))

    def moment(self, name: str, *, first_year: int = FIRST_YEAR) -> datetime:
        """`2026-11-22T10:00:00.000Z`, in the years 2020, or `first_year`, to 2200."""
        try:
            moment = parse_rfc3339(self.text(name, most=24))
        except ValueError:
            raise self.bad(name, "a UTC time, YYYY-MM-DDTHH:MM:SS.mmmZ") from None
        if not first_year <= moment.year <= LAST_YEAR:
            raise self.bad(name, f"in the years {first_year} to {LAST_YEAR}")
        return moment

    def day(self, name: str, *, first_year: int = FIRST_YEAR) -> date:
        """`2026-11-22`, in the years 2020, or `first_year`, to 2200."""
        value = self.text(name, most=10)
        try:
            day = date.fromisoformat(value)
        except ValueError:
            raise self.bad(name, "a UTC day, YYYY-MM-DD") from None
        if day.isoformat() != value:
            raise self.bad(name, "a UTC day, YYYY-MM-DD")
        if not first_year <= day.year <= LAST_YEAR:
            raise self.bad(name, f"in the years {first_year} to {LAST_YEAR}")
        return day

    def value(self, name: str) -> object:
        """The untrusted member itself, to be read by Fields again."""
        return self._table[name]

    def public_key(self, name: str, curve: str) -> bytes:
        """The 32 raw bytes of a public JWK of exactly {kty, crv, x}; a private key in its place
        refuses.
        """
        return parse_public_jwk(self._table[name], curve, f"{self._where}: `{name}`")


def parse_public_jwk(untrusted_value: object, curve: str, where: str) -> bytes:
    """The 32 raw bytes of a public JWK of exactly {kty, crv, x}.

    Raises EnvelopeRefusedError(malformed).
    """
    fields = Fields(untrusted_value, where, required=("kty", "crv", "x"))
    fields.exactly("kty", "OKP")
    fields.exactly("crv", curve)
    raw = decode_base64url(fields.text("x", most=43), where)
    if len(raw) != KEY_BYTES:
        raise malformed(f"is not a key of {KEY_BYTES} bytes", where)
    return raw
