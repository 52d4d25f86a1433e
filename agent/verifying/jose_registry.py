"""What joserfc may do where we sign with it. Checking a signature needs no more than `jose`, so a
process that only checks does not load the library.
"""

from functools import cache

from joserfc import jws

from agent.core.wire.sealed_read import SIGNATURE_ALGORITHM
from agent.verifying.jose import MAX_DOCUMENT_BYTES


@cache
def registry(max_payload_bytes: int = MAX_DOCUMENT_BYTES) -> jws.JWSRegistry:
    """Ed25519 only, no header that joserfc does not know, sizes bounded. One object for all."""
    limits = jws.JWSRegistry(algorithms=[SIGNATURE_ALGORITHM])
    limits.max_payload_length = max_payload_bytes
    limits.max_header_length = 1_024
    return limits
