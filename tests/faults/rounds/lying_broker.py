"""A broker with the listed key that carries messages as one should, but for one lie."""

from collections import defaultdict
from collections.abc import Callable

from agent.core.camera.health.health_message import parse_text
from agent.core.log.checkpoint import parse_body, parse_note
from agent.core.log.collected import published_at
from agent.core.log.tlog_proof import parse_proof
from agent.errors import EnvelopeRefusedError
from agent.mqtt.topics import checkpoints_topic, health_topic, reads_topic, receipts_topic
from tests.fakes.broker import FakeBroker
from tests.faults.rounds.city import CAMERA, RECIPIENTS
from tests.faults.rounds.line import Line
from tests.support.camera_rig import PLATE
from tests.support.plate_search import encodings

TOLD_WITHIN_S = 120.0
_FORMS = [form for forms in encodings(PLATE).values() for form in forms]
Lie = Callable[["LyingBroker", str, bytes], None]


class LyingBroker(FakeBroker):
    """`lie`: called for each message that it has acknowledged, instead of carrying it.

    `lies`: how often it has lied. `arrived`: by topic, what has come.
    """

    def __init__(self, line: Line, lie: Lie) -> None:
        super().__init__(line.city.server, address=line.city.address, port=line.city.port)
        self._lie, self.lies = lie, 0
        self.arrived: dict[str, list[bytes]] = defaultdict(list)

    def _take(self, client, flags: int, body: bytes) -> bool:
        known = len(self.published)
        goes_on = super()._take(client, flags, body)
        for topic, _, payload in self.published[known:]:
            self.arrived[topic].append(payload)
            self._lie(self, topic, payload)
        return goes_on

    def plaintext(self) -> int:
        """How many messages hold a plate."""
        return sum(any(form in payload for form in _FORMS) for _, _, payload in self.published)

    def strange(self) -> list[str]:
        """Topics on which nothing of ours may go, and checkpoints that are none."""
        city = {checkpoints_topic(CAMERA), health_topic(CAMERA)}
        known = {*map(reads_topic, RECIPIENTS), receipts_topic(CAMERA), *city}
        topics = {topic for topic, _, _ in self.published}
        told = [f"a message on {topic}" for topic in sorted(topics - known)]
        sent = self.arrived[checkpoints_topic(CAMERA)]
        bad = [len(one) for one in sent if not _is_checkpoint(one)]
        told += [f"{size} bytes that are no checkpoint on its topic" for size in bad]
        ill = [one for one in self.arrived[health_topic(CAMERA)] if not _is_health(one)]
        return told + [f"{len(one)} bytes that are no health message on its topic" for one in ill]


def _is_checkpoint(message: bytes) -> bool:
    """One of this camera's logs, with its one line, and no more."""
    try:
        note = parse_proof(message).note if message.startswith(b"old ") else message
        taken = parse_note(note)
        said = parse_body(taken.signed)
        published_at(said.extensions)
    except ValueError:
        return False
    return said.origin.split("/")[-2] == CAMERA and len(taken.signatures) == 1


def _is_health(message: bytes) -> bool:
    """Of this camera, in its one spelling, with one signature."""
    try:
        taken = parse_note(message)
        told = parse_text(taken.signed)
    except (ValueError, EnvelopeRefusedError):
        return False
    return told.health.camera == CAMERA and len(taken.signatures) == 1


def lie_for_a_while(line: Line, lie: Lie, enough: int, cars: int = 3) -> None:
    """In the broker's place, until it has lied often enough."""
    with line.no_broker():
        with LyingBroker(line, lie) as broker:
            line.drive(cars)
            line.until(lambda: broker.lies >= enough, "the broker's lies", TOLD_WITHIN_S)
            line.run_for(0.3)
        line.plaintext += broker.plaintext()
        line.strange += broker.strange()
