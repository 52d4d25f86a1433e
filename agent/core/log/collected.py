"""What a camera and its city's collector tell each other about a log, as text: writing and strict
parsing, no cryptography (docs/ref/audit-log.md, "Over the broker").

A camera sends a checkpoint with the line `published <time>`, alone, or behind the proof that its
log has grown out of what was collected last (tlog_proof.py). The collector answers with what it
has collected: the lines of that checkpoint (origin, size, root) and an empty line, and behind them,
where there is one, the tlog-proof of a leaf of the city's log that tells a checkpoint of this log.
"""

from collections.abc import Sequence
from datetime import datetime

from agent.core.log.checkpoint import Checkpoint, body, parse_body
from agent.core.log.tlog_proof import (
    HEADER,
    ConsistencyProof,
    InclusionProof,
    format_proof,
    parse_proof,
)
from agent.core.text.rfc3339 import parse_rfc3339, rfc3339
from agent.values import dataclass

MAX_MESSAGE_BYTES = 4_096  # a proof for 2^40 leaves has half of that
MAX_ANSWER_BYTES = 49_152  # a proof under a checkpoint with a dozen ML-DSA-44 lines
_WORD = "published"


@dataclass(frozen=True, slots=True)
class Answer:
    """`collected`: of which log the collector has which tree. `proof`: of a leaf of the city's log
    that tells one of its checkpoints, or None.
    """

    collected: Checkpoint
    proof: InclusionProof | None = None


def published_line(at: datetime) -> str:
    """The extension line that says when a checkpoint was published: under its signature, so that
    whoever sends an old message again is not taken for a log that was put back.
    """
    return f"{_WORD} {rfc3339(at)}"


def published_at(extensions: Sequence[str]) -> datetime:
    """The inverse, of a checkpoint's lines. Raises ValueError."""
    word, _, time = extensions[0].partition(" ") if len(extensions) == 1 else ("", "", "")
    if word != _WORD:
        msg = "the checkpoint does not say when it was published"
        raise ValueError(msg)
    return parse_rfc3339(time)


def format_answer(answer: Answer) -> bytes:
    """The message's bytes."""
    proof = format_proof(answer.proof) if answer.proof else b""
    return body(answer.collected) + b"\n" + proof


def parse_answer(untrusted: bytes) -> Answer:
    """The inverse. Raises ValueError."""
    if len(untrusted) > MAX_ANSWER_BYTES:
        msg = "the answer is too long"
        raise ValueError(msg)
    told, blank, rest = untrusted.partition(b"\n\n")
    collected = parse_body(told + b"\n")
    if not blank or collected.extensions or collected.size == 0:
        msg = "an answer begins with origin, size and root, and an empty line"
        raise ValueError(msg)
    if not rest:
        return Answer(collected)
    proof = parse_proof(rest) if rest.startswith(HEADER.encode()) else None
    if proof is None or isinstance(proof, ConsistencyProof):
        msg = "what follows is no proof of a leaf"
        raise ValueError(msg)
    return Answer(collected, proof)
