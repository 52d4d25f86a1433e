"""Is this my read, and is this the answer to it? What lies in a mailbox is another process's, so
deliver asks both, and watch asks the second again for itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.reasons import Reason
from agent.errors import EnvelopeRefusedError

if TYPE_CHECKING:
    from agent.core.wire.receipt import Receipt
    from agent.core.wire.tags import Tags
    from agent.core.wire.versions import EnvelopeMinimum


def require_own(tags: Tags, read_id: str, device: str) -> None:
    """Return when this camera sealed it under this name; a genuine read under another name would
    defeat counting by read id. `tags`: verified. Raises EnvelopeRefusedError(malformed,
    device-not-enrolled).
    """
    if tags.read_id != read_id:
        raise EnvelopeRefusedError(
            Reason.MALFORMED, "the file's name is not its read id", where="sealed read"
        )
    if tags.device != device:
        raise EnvelopeRefusedError(
            Reason.DEVICE_NOT_ENROLLED, "sealed by another device", where="sealed read"
        )


def require_answer(receipt: Receipt, tags: Tags | EnvelopeMinimum, wire_sha256: str) -> None:
    """A receipt counts for exactly the read, bytes, device and recipient that it names.

    `tags`, `wire_sha256`: of the read that it came for. Raises
    EnvelopeRefusedError(receipt-mismatch).
    """
    answered = {
        "read": receipt.read_id == tags.read_id,
        "bytes": receipt.wire_sha256 == wire_sha256,
        "device": receipt.device == tags.device,
        "recipient": receipt.recipient == tags.recipient,
    }
    wrong = [name for name, right in answered.items() if not right]
    if wrong:
        raise EnvelopeRefusedError(
            Reason.RECEIPT_MISMATCH, f"a receipt for another {' and '.join(wrong)}", where="receipt"
        )
