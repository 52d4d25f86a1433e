"""A Mosquitto that runs on what `platewarden broker init` wrote, unchanged but for its user."""

import getpass
import subprocess
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

from agent.broker.broker_folder import BrokerFolder, Place
from agent.host.clock import SystemClock
from tests.support.mosquitto import ADDRESS, free_port, mosquitto, wait_for_port

HOST = "mqtt.exampleville.example"


class CityBroker:
    """`desk`: the broker's folder.

    `without`: beginnings of lines of the configuration that are left out; `more`: further lines.

    Use as a context manager.
    """

    def __init__(
        self, folder: Path, without: tuple[str, ...] = (), more: tuple[str, ...] = ()
    ) -> None:
        self.port, self._without, self._more = free_port(), without, more
        self._folder, self._var = folder, folder / "var"
        self._var.mkdir(parents=True)
        self._etc = folder / "desk" / "machine"
        place = Place(
            HOST, (ADDRESS,), self.port, PurePosixPath(self._etc), PurePosixPath(self._var)
        )
        self.desk = BrokerFolder.create(folder / "desk", place, SystemClock().now().utc)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start, and wait until it listens."""
        text = (self._etc / "mosquitto.conf").read_text()
        lines = [line for line in text.splitlines() if not line.startswith(self._without or "\n")]
        # started as root it would become `mosquitto`, which may not read the test's keys
        lines += [*self._more, f"user {getpass.getuser()}"]
        config = self._folder / "mosquitto.conf"
        config.write_text("\n".join(lines) + "\n")
        self._process = subprocess.Popen(
            [mosquitto(), "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for_port(self.port, self._process)
        return self

    def kill(self) -> None:
        """SIGKILL: nothing is flushed."""
        if self._process:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.kill()
