"""What the collector answers each camera whose checkpoints came over the broker: what the city's
log holds of its logs, so that the next one comes with the proof that it has grown from there; and
the proof that witnesses have cosigned it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agent.audit.proofs.proof_check import signed_by
from agent.audit.proofs.proof_maker import ProofMaker
from agent.audit.trusted_keys import keys_of
from agent.city.city_log import FOLDER, PUBLIC
from agent.core.log.checkpoint import MAX_NOTE_BYTES
from agent.core.log.collected import Answer, format_answer
from agent.disk.atomic_file import read_bounded
from agent.errors import PlatewardenError
from agent.storage.log_schema import COSIGNED_FILE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from agent.city.checkpoint_collection import Collected, Collection
    from agent.core.log.checkpoint import Checkpoint
    from agent.core.log.tlog_proof import InclusionProof


def answers_to(
    city: Path, done: Iterable[Collected], kept: Collection
) -> Iterator[tuple[str, bytes]]:
    """By the name in the camera's certificate: one for each log that has been collected. Raises
    StorageError.
    """
    folder = city / FOLDER
    maker = ProofMaker(folder, keys_of([folder / PUBLIC], None))
    cosigned = _cosigned(folder, maker)
    for camera, origin in dict.fromkeys((one.camera, one.origin) for one in done if one.camera):
        last = kept.last(origin)
        if last is not None:
            proof = _proof(maker, kept, origin, cosigned)
            yield camera, format_answer(Answer(last.checkpoint, proof))


def _cosigned(folder: Path, maker: ProofMaker) -> tuple[bytes, Checkpoint] | None:
    """What witnesses cosigned last, and that the log did have."""
    file = folder / COSIGNED_FILE
    if not os.path.lexists(file):
        return None
    try:
        note = read_bounded(file, MAX_NOTE_BYTES)
        _, signed = signed_by(file, note, maker.keys)
        maker.since(signed)
    except PlatewardenError:  # witness_reach tells it; cameras are answered all the same
        return None
    return note, signed


def _proof(
    maker: ProofMaker, kept: Collection, origin: str, cosigned: tuple[bytes, Checkpoint] | None
) -> InclusionProof | None:
    """Of the newest leaf about this log that witnesses have cosigned."""
    if cosigned is None:
        return None
    note, signed = cosigned
    leaf = kept.leaf_within(origin, signed.size)
    return maker.inclusion_under(leaf, note, signed) if leaf is not None else None
