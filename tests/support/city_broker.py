"""A Mosquitto that runs on what `platewarden broker init` wrote, unchanged but for its user."""

import getpass
from pathlib import Path, PurePosixPath

from agent.broker.broker_folder import BrokerFolder
from agent.broker.place import Place
from agent.host.clock import SystemClock
from tests.support.mosquitto import ADDRESS, Mosquitto, free_port

HOST = "mqtt.exampleville.example"


class CityBroker(Mosquitto):
    """`desk`: the broker's folder.

    `without`: beginnings of lines of the configuration that are left out; `more`: further lines.
    """

    def __init__(  # its configuration comes from elsewhere
        self, folder: Path, without: tuple[str, ...] = (), more: tuple[str, ...] = ()
    ) -> None:
        self.folder, self.address, self.port = folder, ADDRESS, free_port()
        self.data = folder / "var"
        self.data.mkdir(parents=True)
        etc = folder / "desk" / "machine"
        place = Place(HOST, (ADDRESS,), self.port, PurePosixPath(etc), PurePosixPath(self.data))
        self.desk = BrokerFolder.create(folder / "desk", place, SystemClock().now().utc)
        text = (etc / "mosquitto.conf").read_text()
        lines = [line for line in text.splitlines() if not line.startswith(without or "\n")]
        # started as root it would become `mosquitto`, which may not read the test's keys
        lines += [*more, f"user {getpass.getuser()}"]
        self._configuration = folder / "mosquitto.conf"
        self._configuration.write_text("\n".join(lines) + "\n")
        self._process = None
