"""Publishes to the brokers that the policy lists for a recipient, in the policy's order, until one
acknowledges.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from agent.core.policy.policy import Broker
from agent.core.reasons import Reason
from agent.errors import DestinationRefusedError, NetworkError
from agent.mqtt.pinned_tls import PinnedContext
from agent.network.broker_link import BrokerLink, LinkLimits
from agent.network.egress import Egress

Refused = Callable[[str, str, str], None]
"""Told of every refused destination: broker id, address, reason code. Another broker may still take
the read.
"""

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
DIALLING_S_PER_PASS = 40.0
"""Several brokers that stall must not keep a pass from ending, or the watchdog would end the
process.
"""


@dataclass(slots=True)
class _Route:
    """A broker with its connection, and when it may be dialled again after failures. `refused`: how
    the last failure came about.
    """

    link: BrokerLink
    wait_s: float = 0.0
    not_before_s: float = 0.0
    failure: NetworkError | DestinationRefusedError | None = None


class MqttPublisher:
    """Implements ports.Publisher over MQTT 5. `contexts`: by broker id. `now`: UTC. `jitter`: a
    number in [0, 1), so that a fleet does not dial in step.

    After a failure a broker is left alone for 1 s, 2 s, 4 s … 60 s (with jitter); meanwhile its
    last error is raised again.
    """

    def __init__(
        self,
        brokers: Sequence[Broker],
        contexts: Mapping[str, PinnedContext],
        device: str,
        egress: Egress,
        *,
        now: Callable[[], datetime],
        jitter: Callable[[], float],
        refused: Refused,
        stopping: Callable[[], bool] = lambda: False,
        limits: LinkLimits | None = None,
    ) -> None:
        limits = limits or LinkLimits()
        self._routes = [
            _Route(BrokerLink(broker, device, contexts[broker.id], egress, limits))
            for broker in brokers
        ]
        self._now, self._jitter, self._refused, self._stopping = now, jitter, refused, stopping
        self._dialled_s = 0.0

    def publish(self, recipient: str, read_id: str, wire: bytes, expires: datetime) -> None:  # noqa: ARG002 - of the port; the topic needs no read id
        """Return when one broker has acknowledged. Raises the first NetworkError, or
        DestinationRefusedError if all refused.
        """
        routes = [route for route in self._routes if recipient in route.link.broker.recipients]
        failures: list[NetworkError | DestinationRefusedError] = []
        for route in routes:
            try:
                self._connected(route).publish(
                    recipient, wire, int((expires - self._now()).total_seconds())
                )
            except (NetworkError, DestinationRefusedError) as error:
                self._failed(route, error)
                failures.append(error)
            else:
                return
        if not failures:
            raise DestinationRefusedError(
                Reason.NO_BROKER_FOR_RECIPIENT,
                f"no broker serves recipient {recipient!r}",
                where="policy",
                fix="a [[broker]] must list it",
            )
        raise next((error for error in failures if isinstance(error, NetworkError)), failures[0])

    def untrusted_receipts(self) -> Sequence[bytes]:
        """What has arrived by now, at most a few hundred; called once a pass. Dials brokers that
        are due, so that receipts arrive without a read to publish.
        """
        self._dialled_s = 0.0
        receipts: list[bytes] = []
        for route in self._routes:
            try:
                self._connected(route).poll()
            except (NetworkError, DestinationRefusedError) as error:
                self._failed(route, error)
            receipts += route.link.take_receipts()
        return receipts

    def dropped_receipts(self) -> int:
        """Receipts that were too long, for another topic, or too many, since the start."""
        return sum(route.link.dropped_receipts for route in self._routes)

    def troubles(self) -> Sequence[str]:
        """One line for each broker that is out of reach now."""
        return [str(route.failure) for route in self._routes if route.failure]

    def close(self) -> None:
        """Disconnect from all brokers."""
        for route in self._routes:
            route.link.close()

    def _connected(self, route: _Route) -> BrokerLink:
        if route.link.connected:
            return route.link
        if route.failure and time.monotonic() < route.not_before_s:
            raise route.failure.with_traceback(None)  # the same error, raised often, must not grow
        failure: NetworkError | DestinationRefusedError | None = None
        for address, port in route.link.broker.addresses:
            if self._dialled_s >= DIALLING_S_PER_PASS or self._stopping():
                raise failure or NetworkError(
                    "not dialled: stopping, or other brokers took too long",
                    where=f"broker {route.link.broker.id!r}",
                )
            began_s = time.monotonic()
            try:
                route.link.connect(address, port)
            except NetworkError as error:
                failure = error
            except DestinationRefusedError as error:
                self._refused(route.link.broker.id, f"{address}:{port}", error.reason)
                failure = failure or error
            else:
                route.failure, route.wait_s = None, 0.0
                return route.link
            finally:
                self._dialled_s += time.monotonic() - began_s
        raise failure or NetworkError("no address", where=f"broker {route.link.broker.id!r}")

    def _failed(self, route: _Route, error: NetworkError | DestinationRefusedError) -> None:
        if error is route.failure:
            return  # told again while it waits: not another failure
        route.wait_s = min(max(route.wait_s * 2, FIRST_WAIT_S), LONGEST_WAIT_S)
        route.failure, route.not_before_s = (
            error,
            time.monotonic() + route.wait_s * (0.5 + self._jitter() / 2),
        )
