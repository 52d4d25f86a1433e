"""A publisher with a broker in memory: what was published, and the receipts that a test lets
arrive.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from agent.core.log.fate import Fate, Outcome, Post, PostAnswer
from agent.core.reasons import Reason
from agent.errors import DestinationRefusedError, NetworkError
from agent.ports import Bell


@dataclass(frozen=True, slots=True)
class Published:
    """One acknowledged publication."""

    recipient: str
    read_id: str
    wire: bytes
    expires: datetime


class FakePublisher:
    """Implements ports.Publisher.

    `recipients`: whom its one broker serves; `denied`: whose topics it answers with 135.
    """

    def __init__(
        self, recipients: Sequence[str] = ("exampleville-pd",), denied: Sequence[str] = ()
    ) -> None:
        self.recipients, self.denied = frozenset(recipients), frozenset(denied)
        self.published: list[Published] = []
        self.reachable, self.closed, self.attempts = True, False, 0
        self.window = 1_000
        self.connects: set[str] = set(self.recipients)
        self._arrived: list[bytes] = []
        self._outcomes: list[Outcome] = []
        self.posted: list[bytes] = []
        self.takes_checkpoints = True
        self.health: list[bytes] = []
        self.discovered: list[bytes] = []
        self.takes_health = True
        self._post_answers: list[PostAnswer] = []
        self._collected: list[bytes] = []

    def room(self, recipient: str | None, *, alone: bool = False) -> bool:
        """As many as `window` says."""
        del recipient
        return len(self._outcomes) < (1 if alone else self.window)

    def publish(
        self, recipient: str, read_id: str, wire: bytes, expires: datetime, *, alone: bool = False
    ) -> bool:
        """Acknowledge with the next `collect`, unless the test said otherwise."""
        self.attempts += 1
        if recipient not in self.recipients:
            raise DestinationRefusedError(
                Reason.NO_BROKER_FOR_RECIPIENT, f"no broker serves recipient {recipient!r}"
            )
        if not self.reachable:
            raise NetworkError("cannot connect: connection refused", where="broker 'fake'")
        if not self.room(recipient, alone=alone):
            return False
        if recipient in self.denied:
            words = "broker 'fake': did not take a read: Not authorized (135)"
            self._outcomes.append(Outcome(read_id, Fate.REFUSED, words))
        else:
            self.published.append(Published(recipient, read_id, wire, expires))
            self._outcomes.append(Outcome(read_id, Fate.ACKNOWLEDGED))
        return True

    def collect(self, timeout_s: float, bell: Bell | None = None) -> Sequence[Outcome]:
        """Each once."""
        del timeout_s, bell
        outcomes, self._outcomes = self._outcomes, []
        return outcomes

    def joined(self) -> Collection[str]:
        """Whom the test has put into `connects`, once; at first all."""
        joined, self.connects = self.connects, set()
        return joined

    def arrive(self, untrusted_receipt: bytes) -> None:
        """A receipt, or rubbish, comes from the broker."""
        self._arrived.append(untrusted_receipt)

    def untrusted_receipts(self) -> Sequence[bytes]:
        """Each once."""
        arrived, self._arrived = self._arrived, []
        return arrived

    def post(self, message: bytes, about: Post = Post.CHECKPOINT) -> bool:
        """Answered with the next `collect`, unless the test said otherwise."""
        if not self.reachable:
            return False
        kept, takes = {
            Post.CHECKPOINT: (self.posted, self.takes_checkpoints),
            Post.HEALTH: (self.health, self.takes_health),
            Post.DISCOVERY: (self.discovered, self.takes_health),
        }[about]
        if takes:
            kept.append(message)
        refusal = "" if takes else f"did not take a {about}: Not authorized"
        self._post_answers.append(PostAnswer("fake", refusal, about))
        return True

    def post_answers(self, about: Post = Post.CHECKPOINT) -> Sequence[PostAnswer]:
        """Each once."""
        answers = [one for one in self._post_answers if one.about is about]
        self._post_answers = [one for one in self._post_answers if one.about is not about]
        return answers

    def collector_says(self, untrusted_answer: bytes) -> None:
        """An answer, or rubbish, comes from the broker."""
        self._collected.append(untrusted_answer)

    def untrusted_answers(self) -> Sequence[bytes]:
        """Each once."""
        collected, self._collected = self._collected, []
        return collected

    def troubles(self) -> Sequence[str]:
        """Its one broker's, while it is out of reach."""
        return [] if self.reachable else ["broker 'fake': cannot connect: connection refused"]

    def close(self) -> None:
        """Remember it."""
        self.closed = True


class FakeAttempts:
    """Implements ledger.Attempts in memory; outlives a Delivery as the database does."""

    def __init__(self) -> None:
        self._tries: dict[str, tuple[int, datetime]] = {}
        self._withdrawn: dict[str, str] = {}

    def tries(self, read_id: str) -> int:
        """Attempts of its own."""
        return self._tries[read_id][0] if read_id in self._tries else 0

    def due(self, read_id: str) -> datetime | None:
        """When again."""
        return self._tries[read_id][1] if read_id in self._tries else None

    def withdrawn(self, read_id: str) -> str:
        """Why never again."""
        return self._withdrawn.get(read_id, "")

    def tried(self, read_id: str, due: datetime) -> None:
        """One more."""
        self._tries[read_id] = (self.tries(read_id) + 1, due)

    def withdraw(self, read_id: str, reason: str) -> None:
        """Never again."""
        self._withdrawn[read_id] = reason

    def keep_only(self, read_ids: Collection[str]) -> None:
        """Forget the rest."""
        for remembered in (self._tries, self._withdrawn):
            for read_id in set(remembered) - set(read_ids):
                del remembered[read_id]

    def close(self) -> None:
        """Nothing to release."""
