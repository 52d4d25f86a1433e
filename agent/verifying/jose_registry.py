"""What joserfc may do where we sign or decrypt with it, and what it raises. Checking a signature
needs no more than `jose`, so a process that only checks does not load the library.
"""

import binascii
from functools import cache

from joserfc import jws
from joserfc.errors import JoseError

from agent.core.wire.sealed_read import SIGNATURE_ALGORITHM
from agent.verifying.jose import MAX_DOCUMENT_BYTES

# The last two were raised by joserfc on fuzzed input. None of them may reach a caller as a
# traceback.
FOREIGN_ERRORS = (JoseError, ValueError, TypeError, KeyError, AssertionError, binascii.Error)


@cache
def registry(max_payload_bytes: int = MAX_DOCUMENT_BYTES) -> jws.JWSRegistry:
    """Ed25519 only, no header that joserfc does not know, sizes bounded. One object for all."""
    limits = jws.JWSRegistry(algorithms=[SIGNATURE_ALGORITHM])
    limits.max_payload_length = max_payload_bytes
    limits.max_header_length = 1_024
    return limits
