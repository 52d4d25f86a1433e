"""The receiver's run loop: messages in, receipts out, keys and reads destroyed on their day."""

import signal
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Protocol
from zlib import crc32

from agent.errors import NetworkError, StorageError, StoreAwayError
from agent.mqtt.events import Received
from agent.receiver.connection import Connection, Event, Lost, Notice, Refused, Subscribed
from agent.receiver.intake import Intake, Taken
from agent.receiver.lead_reports import LeadReports
from agent.receiver.workplace import Workplace, trusted
from agent.values import dataclass

if TYPE_CHECKING:
    from agent.core.time.instant import Instant
    from agent.ports import Clock

HOUSEKEEPING_S = 3_600.0
LEFT_S = 30.0  # how often a dead receiver's untold reads are looked for
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0  # while the store is away
_POLL_S = 0.5  # how soon a stop is noticed
_BEHIND_S = 0.05  # how long another receiver's turn keeps a read waiting, at most


class Housekeeping(Protocol):
    """Destroys what is due; returns lines for the operator."""

    def tidy(self, now: "Instant") -> list[str]: ...


@dataclass(frozen=True, slots=True)
class Voice:
    """How the service speaks.

    `tell`: a line for the operator, never with a plate. `taken`: one message was handled.
    """

    tell: Callable[[str], None]
    taken: Callable[[Taken], None]


class Service:
    """One receiver.

    `stop` may be called from a signal handler: the messages in hand are finished first.
    """

    def __init__(
        self,
        connection: Connection,
        intake: Intake,
        housekeeping: Housekeeping,
        clock: "Clock",
        voice: Voice,
        reports: LeadReports | None = None,
    ) -> None:
        self._reports = reports
        self._connection = connection
        self._intake = intake
        self._housekeeping = housekeeping
        self._clock = clock
        self._voice = voice
        self._stopping = False
        self._behind: list[Received] = []  # another receiver's to take first
        self._tidied_s = self._looked_s = 0.0

    def stop(self) -> None:
        """Ask the loop to end."""
        self._stopping = True

    def run(self, ready: Callable[[], str]) -> None:
        """Until `stop`.

        Says `ready` when subscribed. Raises PlatewardenError; messages in hand are then not
        acknowledged and come again.
        """
        self._tidy()
        self._tell_left()
        self._connection.open()
        self._voice.tell(ready())
        try:
            self._report(again=True)
            while not self._stopping:
                try:
                    self._turn()
                except StoreAwayError as error:
                    self._await_store(error)
            self._take_behind()
        finally:
            self._connection.close()
            self._write_dropped()

    def _turn(self) -> None:
        self._handle(self._connection.next(_BEHIND_S if self._behind else _POLL_S))
        now_s = self._clock.monotonic_s()
        self._intake.settle(now_s)
        if now_s - self._looked_s >= LEFT_S:
            self._tell_left()
            self._report(again=False)
        if now_s - self._tidied_s >= HOUSEKEEPING_S:
            self._tidy()
            self._report(again=True)

    def _await_store(self, error: StoreAwayError) -> None:
        """Until the store answers, or `stop`. No message is in hand meanwhile: what was not
        receipted comes again.
        """
        self._connection.drop()
        self._behind.clear()
        self._voice.tell(f"{error}; trying again")
        pause_s = FIRST_PAUSE_S
        while not self._stopping:
            self._rest(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            with suppress(StoreAwayError):
                self._intake.reach_store()
                self._voice.tell("the store answers again")
                return

    def _write_dropped(self) -> None:
        try:
            self._intake.write_dropped()
        except StoreAwayError as error:
            self._voice.tell(f"{error}; the last minute's dropped messages stay uncounted")

    def _rest(self, pause_s: float) -> None:
        end_s = self._clock.monotonic_s() + pause_s
        while not self._stopping and (left_s := end_s - self._clock.monotonic_s()) > 0:
            self._clock.sleep(min(left_s, _POLL_S))

    def _handle(self, event: Event | None) -> None:
        if isinstance(event, Received):
            self._share([event, *self._connection.more()])
        elif event is None:
            self._take_behind()
        elif isinstance(event, Refused):
            raise NetworkError(
                f"the broker refused {event.why}",
                fix="correct its access list or our certificate, then start again",
            )
        elif isinstance(event, Lost):
            self._voice.tell(f"connection lost: {event.why}; trying again")
        elif isinstance(event, Notice):
            self._voice.tell(event.words)
        elif isinstance(event, Subscribed):
            self._voice.tell("connected again")
            self._report(again=True)

    def _share(self, messages: Sequence[Received]) -> None:
        """Ours now, and what stood behind. What another receiver takes first stands behind our
        next ones: by then it is stored, and nobody opens it twice. If it is not, it is ours too.

        Raises StorageError.
        """
        place, receivers = self._intake.place()
        ours, others = list[Received](), list[Received]()
        for message in messages:
            turn = crc32(message.untrusted_payload) % receivers
            (ours if turn == place else others).append(message)
        behind, self._behind = self._behind, others
        if ours or behind:
            self._take([*ours, *behind])

    def _take_behind(self) -> None:
        behind, self._behind = self._behind, []
        if behind:
            self._take(behind)

    def _take(self, messages: Sequence[Received]) -> None:
        """Those that came together: one sync for all. One that cannot be taken in keeps none back
        that came before it. Raises StorageError.
        """
        now = trusted(self._clock.now())
        try:
            all_taken = self._intake.take_all([one.untrusted_payload for one in messages], now)
        except StoreAwayError:
            raise
        except StorageError:
            if len(messages) == 1:
                raise
            for message in messages:
                self._take([message])
            return
        self._answer(messages, all_taken)
        for taken in all_taken:
            self._voice.taken(taken)
        self._intake.told(all_taken)

    def _answer(self, messages: Sequence[Received], all_taken: Sequence[Taken]) -> None:
        """Receipts, then acknowledgements: what is not yet durable comes again after a crash."""
        with self._connection.together():
            for taken in all_taken:
                if taken.tags is not None and taken.receipt is not None:
                    self._connection.publish_receipt(taken.tags.device, taken.receipt)
            for message in messages:
                self._connection.acknowledge(message)

    def _tell_left(self) -> None:
        """What a receiver that died has stored and told nobody."""
        self._looked_s = self._clock.monotonic_s()
        left = self._intake.left_untold()
        for taken in left:
            self._voice.taken(taken)
        self._intake.told(left)

    def _report(self, *, again: bool) -> None:
        """What became of leads, to their cameras: a camera answers none, so all go again now and
        then. Raises StorageError.
        """
        if self._reports is None:
            return
        for device, outcome in self._reports.due(self._clock.now(), again=again):
            self._connection.publish_receipt(device, outcome)

    def _tidy(self) -> None:
        self._tidied_s = self._clock.monotonic_s()
        for line in self._housekeeping.tidy(trusted(self._clock.now())):
            self._voice.tell(line)


def receive(place: Workplace, clock: "Clock", voice: Voice) -> None:
    """Receive until SIGTERM or SIGINT. Says READY when subscribed. Raises PlatewardenError."""
    broker = place.broker()
    with place.locked(), closing(place.store()) as store:
        store.recover()
        settings = place.settings
        intake = Intake(
            *(place.recipient, place.opener(), store, place.signer()),
            all_keys=settings.makes_keys,
            ringers=settings.ring.names,
        )
        connection = Connection(place.folder, broker, place.recipient, settings.client_name)
        reports = LeadReports(place.folder)
        for name in reports.odd():
            voice.tell(f"outcomes/{name} is no outcome of ours, and is not sent")
        service = Service(connection, intake, place, clock, voice, reports)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: service.stop())
        service.run(
            lambda: f"READY {place.recipient}: subscribed at {broker.host} ({connection.where})"
        )
