"""What fuzzing found, each as a small input of its own: the refusal is the document's, and foreseen
(docs/ref/fuzzing.md).
"""

import pytest

from agent.core.reasons import Reason
from agent.errors import EnvelopeRefusedError
from agent.verifying.enrolment_check import verify_enrolment
from tests.fuzz.targets import SEEDS
from tests.fuzz.wire_targets import with_request


def test_a_certificate_request_of_another_version():
    body = bytearray((SEEDS / "enrolment_csr/body").read_bytes())
    at = body.index(b"\x02\x01\x00")  # the version, an integer
    body[at + 2] = 16
    with pytest.raises(EnvelopeRefusedError) as refused:
        verify_enrolment(with_request(bytes(body)))
    assert refused.value.reason == Reason.MALFORMED
