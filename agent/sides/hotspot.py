"""Holds the hotspot open, for a unit of its own: root, and so without the camera, the networks and
everything else of an aim.
"""

from agent.aim.hotspot import Hotspot
from agent.host.clock import SystemClock
from agent.host.notify import Notifier
from agent.host.stop_signal import Stop

POLL_S = 0.5


def hold(hotspot: Hotspot, seconds: float) -> None:
    """Open until time is up or SIGTERM. Raises PlatewardenError."""
    stop, notifier, clock = Stop(), Notifier(), SystemClock()
    hotspot.open()
    try:
        notifier.ready()
        ends_s = clock.monotonic_s() + seconds
        while not stop() and clock.monotonic_s() < ends_s:
            clock.sleep(POLL_S)
    finally:
        notifier.stopping()
        hotspot.close_telling()
