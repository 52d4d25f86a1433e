"""Tells the city how far this camera's logs have come: each newest checkpoint goes to the policy's
brokers several times a day, and the collector's answers come back (P7).

Nothing here can keep a read: what fails is tried again later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from agent import boundary
from agent.core.log.collected import parse_answer
from agent.core.reasons import Reason
from agent.errors import EnvelopeRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from agent.core.log.fate import PostAnswer
    from agent.ledger import Refusals
    from agent.ports import Clock, Publisher

FIRST_WAIT_S = 60.0
"""A camera that starts again and again does not fill the collector's queue."""
POST_EVERY_S = 6 * 3_600.0
TRY_AGAIN_S = 600.0
MAX_ANSWERS_PER_HOUR = 20  # that change a file: whoever holds a broker may send without end
_HOUR_S = 3_600.0


class GrowingLog(Protocol):
    """One of the camera's two logs. `message`: for the collector; None: there is nothing yet.
    `answered`: is this a new answer to it? Raises EnvelopeRefusedError, StorageError.
    """

    @property
    def origin(self) -> str: ...
    def message(self) -> bytes | None: ...
    def answered(self, untrusted_answer: bytes) -> bool: ...


class CheckpointPost:
    """One `turn` after another. `jitter`: a number in [0, 1), so that a fleet does not post in
    step.
    """

    def __init__(
        self,
        logs: Sequence[GrowingLog],
        refusals: Refusals,
        clock: Clock,
        jitter: Callable[[], float],
    ) -> None:
        self._logs = {log.origin: log for log in logs}
        self._refusals, self._clock, self._jitter = refusals, clock, jitter
        self._due_s = clock.monotonic_s() + FIRST_WAIT_S
        self._posted_s = -TRY_AGAIN_S
        self._publisher: Publisher | None = None
        self._changed, self._since_s = 0, clock.monotonic_s()

    def turn(self, publisher: Publisher) -> None:
        """Take what came, and post what is due. Raises StorageError."""
        now_s = self._clock.monotonic_s()
        if publisher is not self._publisher:
            # Its connections do not listen to the collector before a checkpoint is taken on them.
            self._publisher = publisher
            self._due_s = min(self._due_s, self._soon_s(now_s + FIRST_WAIT_S))
        for answer in publisher.post_answers():
            self._book(answer, now_s)
        for untrusted in publisher.untrusted_answers():
            if self._take(untrusted, now_s):
                # the city has said since when it wants a proof
                self._due_s = min(self._due_s, self._soon_s(now_s))
        if now_s < self._due_s:
            return
        messages = [message for log in self._logs.values() if (message := self._message(log))]
        if [message for message in messages if publisher.post(message)]:
            self._posted_s = now_s
        self._due_s = now_s + TRY_AGAIN_S * (1 + self._jitter())

    def _soon_s(self, wanted_s: float) -> float:
        return max(wanted_s, self._posted_s + TRY_AGAIN_S)

    def _book(self, answer: PostAnswer, now_s: float) -> None:
        """Taken, or refused by a broker that will not take the next one sooner."""
        self._due_s = max(self._due_s, now_s + POST_EVERY_S * (1 - self._jitter() / 4))
        if answer.refusal:
            what = f"{answer.refusal} | give the broker today's access list (`platewarden broker`)"
            details = {
                "reason": Reason.BROKER_REFUSED_CHECKPOINT,
                "broker": answer.broker,
                "what": what,
            }
            self._refusals.note(("checkpoint", answer.broker), details, once=True)
        else:
            self._refusals.count("checkpoints")

    def _message(self, log: GrowingLog) -> bytes | None:
        try:
            return log.message()
        except EnvelopeRefusedError as refusal:
            details = {"reason": refusal.reason, "what": refusal.what}
            self._refusals.note(("growth", log.origin, refusal.reason), details, once=True)
            return None

    def _take(self, untrusted: bytes, now_s: float) -> bool:
        try:
            with boundary.document("answer of the city's collector"):
                log = self._logs[_about(untrusted, self._logs)]
        except EnvelopeRefusedError as refusal:
            details = {"reason": refusal.reason, "what": refusal.what}
            self._refusals.note(("answer", refusal.reason), details)
            return False
        if now_s - self._since_s >= _HOUR_S:
            self._changed, self._since_s = 0, now_s
        if self._changed >= MAX_ANSWERS_PER_HOUR or not log.answered(untrusted):
            return False
        self._changed += 1
        return True


def _about(untrusted: bytes, origins: Collection[str]) -> str:
    """Which of our logs. Raises EnvelopeRefusedError."""
    try:
        origin = parse_answer(untrusted).collected.origin
    except ValueError:
        origin = ""
    if origin not in origins:
        what = "an answer of the city's collector is about none of our logs"
        raise EnvelopeRefusedError(Reason.MALFORMED, what)
    return origin
