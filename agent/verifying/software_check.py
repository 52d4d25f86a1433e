"""Checks what our release key says of a version's packages, with the keys that a city's charter
names for it.
"""

from collections.abc import Sequence

from agent import boundary
from agent.core.reasons import Reason
from agent.core.software.signed_release import (
    MAX_STATEMENT_BYTES,
    STATEMENT,
    STATEMENT_TYP,
    Statement,
    parse_statement,
)
from agent.errors import EnvelopeRefusedError
from agent.verifying import jose


@boundary.document("statement of the release key")
def verify_statement(untrusted_jws: bytes, release_keys: Sequence[bytes]) -> Statement:
    """The statement of a compact JWS that any of these keys has signed (raw Ed25519, 32 bytes).

    Raises EnvelopeRefusedError: malformed, or software-release-key where none of them has.

    Mitigates against: a city's signers who were made to release what nobody of us built.
    """
    payload, signed = jose.signatures_of(
        untrusted_jws, STATEMENT_TYP, where=STATEMENT, max_bytes=MAX_STATEMENT_BYTES
    )
    if not any(one.is_by(key) for one in signed for key in release_keys):
        raise EnvelopeRefusedError(
            Reason.SOFTWARE_RELEASE_KEY,
            "no release key that the charter names has signed it",
            where=STATEMENT,
            fix="release the statement as it came with the packages; or the charter's signers "
            "name another key",
        )
    return parse_statement(payload)
