"""`make fleet-demo`: a city's broker, PostgreSQL, two receivers on it, the ringer and the inbox, on
this machine, with two cameras that send: what containers/compose.yaml describes, without an engine.

Everything in it is made up: city, keys, plate. Nothing of it is left at the end.
"""

import argparse
import json
import signal
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from agent.receiver.inbox.people.accounts import AccountFolder
from tests.fleet.brokers import MOSQUITTO, broker_in, unanswered
from tests.fleet.cameras import Cameras
from tests.fleet.city import FleetCity
from tests.fleet.receivers import Receivers
from tests.fleet.sizes import Sizes
from tests.support.inbox import ORGANIZATION, PASSWORD, Serving
from tests.support.postgresql import Postgresql

PARTS = ("broker", "postgresql", "receiver-1", "receiver-2", "ring", "inbox")
"""As the services of the compose file are called."""
NAME, SEND_EVERY_S, STEP_S = "dora", 5.0, 0.2


class Demo:
    """All of it, once `start` returns. `url`: of the inbox; `scan`: for an authenticator app."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._postgresql = Postgresql()

    def start(self) -> None:
        """The broker first, then whoever needs it."""
        sizes = Sizes(cameras=2, sessions=0)
        self._postgresql.start()
        self._broker = broker_in(self._folder / "broker", MOSQUITTO)
        url = self._postgresql.url()
        city = FleetCity(self._folder, self._broker, url, sizes)
        self._broker.__enter__()
        self.receivers = Receivers(self._folder, city.shared)
        self.receivers.start()
        enrolled = city.shared.enrolled
        account = AccountFolder(enrolled.folder).add(
            NAME, ORGANIZATION, PASSWORD, datetime.now(UTC)
        )
        self.scan = account.provisioning_uri()
        self._inbox = Serving(enrolled.folder)
        self.url = self._inbox.url
        self.cameras = city.made_cameras()
        self.cameras.start()
        assert not unanswered(city.desk)

    def run(self, seconds: float) -> None:
        """Cameras send, and take out what has its receipt."""
        end_s, next_s = time.monotonic() + seconds, 0.0
        while time.monotonic() < end_s:
            if time.monotonic() >= next_s:
                self.cameras.send()
                next_s = time.monotonic() + SEND_EVERY_S
            self.cameras.settle()
            self.receivers.supervise()
            time.sleep(STEP_S)

    def stop(self) -> None:
        """In the other order, as far as it was started."""
        for name in ("cameras", "_inbox", "receivers", "_broker"):
            one = getattr(self, name, None)
            if isinstance(one, Cameras):
                one.end()
            elif isinstance(one, Receivers):
                one.discard()
            elif one is not None:
                one.__exit__(None, None, None)
        self._postgresql.__exit__(None, None, None)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fleet.demo", description=__doc__)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="else until Ctrl-C")
    parser.add_argument("--json", action="store_true", help="print one line of JSON at the end")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="platewarden-fleet-") as folder:
        Path(folder).chmod(0o711)  # PostgreSQL is another user
        demo = Demo(Path(folder))
        try:
            demo.start()
            _tell(f"READY: {', '.join(PARTS)}, and two cameras that send a made-up plate")
            _tell(f"inbox  {demo.url}\nname   {NAME}\npassword  {PASSWORD}\ncode   {demo.scan}")
            demo.run(options.seconds)
        except KeyboardInterrupt:
            _tell("stopping")
        finally:
            demo.stop()
    sent, got = len(demo.cameras.sent), len(demo.cameras.got)
    told = {"parts": PARTS, "sent": sent, "receipted": got, "rung": demo.receivers.rung.leads()}
    print(json.dumps(told) if options.json else f"{sent} reads sent, {got} receipted")
    return 0 if got else 1


def _tell(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
