"""Tells the city once an hour how this camera is, in coarse numbers, over the policy's brokers.

Nothing here can keep a read. One message waits at most: a newer one takes its place, and says how
many before it no broker took.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from agent.core.log.fate import Post
from agent.core.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.ledger import Refusals
    from agent.ports import Clock, Publisher

FIRST_WAIT_S = 60.0
"""A camera that starts again and again does not fill the collector's queue."""
EVERY_S = 3_600.0
TRY_AGAIN_S = 300.0


class HealthTeller(Protocol):
    """`message`: a new one, counted. `taken`: a broker has taken the newest. `discovery`: for Home
    Assistant, where the camera's owner asks for it. Raise StorageError.
    """

    def message(self) -> bytes: ...
    def taken(self) -> None: ...
    def discovery(self) -> bytes | None: ...


class HealthPost:
    """One `turn` after another. `jitter`: a number in [0, 1), so that a fleet does not tell in
    step; it has nothing to do with what the camera sees.
    """

    def __init__(
        self,
        teller: HealthTeller,
        refusals: Refusals,
        clock: Clock,
        jitter: Callable[[], float],
    ) -> None:
        self._teller, self._refusals, self._clock = teller, refusals, clock
        self._due_s = clock.monotonic_s() + FIRST_WAIT_S * (1 + 9 * jitter())
        self._waiting: bytes | None = None
        self._again_s = 0.0

    def turn(self, publisher: Publisher | None) -> None:
        """Make what is due, and post what waits. `publisher`: None: no policy is in force. Raises
        StorageError.
        """
        now_s = self._clock.monotonic_s()
        if publisher is not None:
            self._book(publisher)
        if now_s >= self._due_s:
            self._due_s = now_s + EVERY_S
            if self._waiting is not None:
                self._refusals.count("health messages unsent")
            self._waiting, self._again_s = self._teller.message(), now_s
        if self._waiting is None or publisher is None or now_s < self._again_s:
            return
        self._again_s = now_s + TRY_AGAIN_S
        if publisher.post(self._waiting, Post.HEALTH):
            self._waiting = None
            discovery = self._teller.discovery()
            if discovery is not None:
                publisher.post(discovery, Post.DISCOVERY)

    def _book(self, publisher: Publisher) -> None:
        for about in (Post.HEALTH, Post.DISCOVERY):
            for answer in publisher.post_answers(about):
                if answer.refusal:
                    self._refused(about, answer.broker, answer.refusal)
                elif about is Post.HEALTH:
                    self._refusals.count("health messages")
                    self._teller.taken()

    def _refused(self, about: Post, broker: str, refusal: str) -> None:
        """It is not sent again: the next one is an hour newer."""
        what = f"{refusal} | give the broker today's access list (`platewarden broker`)"
        details = {"reason": Reason.BROKER_REFUSED_HEALTH, "broker": broker, "what": what}
        self._refusals.note((about, broker), details, once=True)
