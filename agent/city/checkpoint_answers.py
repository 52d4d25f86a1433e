"""What the collector answers each camera whose checkpoints came over the broker: what the city's
log holds of its logs, so that the next one comes with the proof that it has grown from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.log.collected import Answer, format_answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from agent.audit.witnesses.grown_log import Memory
    from agent.city.checkpoint_collection import Collected


def answers_to(done: Iterable[Collected], kept: Memory) -> Iterator[tuple[str, bytes]]:
    """By the name in the camera's certificate: one for each log that has been collected. Raises
    StorageError.
    """
    for camera, origin in dict.fromkeys((one.camera, one.origin) for one in done if one.camera):
        last = kept.last(origin)
        if last is not None:
            yield camera, format_answer(Answer(last.checkpoint))
