"""Three RabbitMQ nodes on loopback that run on what `broker init --software rabbitmq` wrote.

Changed for one machine: the nodes' names and ports, and each listens on an address of its own.
"""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Self

from agent.broker.broker_folder import BrokerFolder
from agent.broker.place import RABBITMQ, Place
from agent.broker.rabbitmq import ACCESS
from agent.host.clock import SystemClock
from tests.support.mosquitto import free_port

TREE = Path(os.environ.get("RABBITMQ_TREE", "/nonexistent"))
HOST, USER = "mqtt.exampleville.example", "rabbitmq"
ETC = PurePosixPath("/etc/platewarden-node")
ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
UP_S, RIGHTS_S = 300.0, 900.0
_ALONE = ("unshare", "--mount", "--pid", "--fork")


class Node:
    """One of them, in a process namespace of its own: `kill` ends all of it at once."""

    def __init__(self, number: int, address: str) -> None:
        self.number, self.address = number, address
        self._place = PurePosixPath(f"{ETC}-{number}")
        self._ports = free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """As Erlang knows it."""
        return f"platewarden-{self.number}@localhost"

    @property
    def log(self) -> Path:
        """What it says."""
        return TREE / f"var/log/{USER}/node-{self.number}.out"

    def write(self, machine: Path, port: int) -> None:
        """Lay its files into the tree."""
        there = TREE / str(self._place).lstrip("/")
        shutil.rmtree(there, ignore_errors=True)
        shutil.rmtree(TREE / f"var/lib/{USER}/node-{self.number}", ignore_errors=True)
        shutil.copytree(machine, there)
        for path in (there / "rabbitmq.conf", there / "advanced.config"):
            text = path.read_text().replace(f"{ETC}/", f"{self._place}/")
            text = re.sub(r"rabbit@(platewarden-\d)", r"\1@localhost", text)
            text = text.replace("127.0.0.1:5672", f"{self.address}:{self._ports[0]}")
            path.write_text(text.replace(f"ssl.default = {port}", f"ssl.1 = {self.address}:{port}"))
        subprocess.run(["chroot", TREE, "chown", "-R", USER, self._place], check=True)

    def start(self) -> None:
        """Begin; `rights` waits."""
        first = f"install -m 400 {self._place}/erlang.cookie $HOME/.erlang.cookie"
        script = f"mkdir -p $HOME && {first} && exec rabbitmq-server"
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                self._inside(script), env=self._words(), stdout=out, stderr=out
            )

    def rights(self, within_s: float, *, khepri: bool = False) -> None:
        """Once all are up, import who may do what; on one node, as the guide says."""
        newer = "rabbitmqctl enable_feature_flag --experimental khepri_db && " if khepri else ""
        script = (  # at once it fails on a node whose name nobody has heard yet
            f"until rabbitmqctl await_startup --timeout {within_s:.0f}; do sleep 1; done && "
            f"rabbitmqctl await_online_nodes {len(ADDRESSES)} --timeout {within_s:.0f} && "
            f"{newer}rabbitmqctl import_definitions {self._place}/{ACCESS}"
        )
        with self.log.open("ab") as out:
            subprocess.run(
                self._inside(script),
                env=self._words(),
                stdout=out,
                stderr=out,
                check=True,
                timeout=within_s,
            )

    def told(self, command: str) -> str:
        """What `rabbitmqctl` says there."""
        whole = self._inside(f"rabbitmqctl --quiet {command}")
        return subprocess.run(
            whole, env=self._words(), check=True, capture_output=True, text=True, timeout=UP_S
        ).stdout

    def _words(self) -> dict[str, str]:
        place = self._place
        words = {
            "HOME": f"/var/lib/{USER}/node-{self.number}",
            "LANG": "C.UTF-8",
            "PATH": "/usr/lib/rabbitmq/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "RABBITMQ_CONFIG_FILE": place / "rabbitmq.conf",
            "RABBITMQ_ADVANCED_CONFIG_FILE": place / "advanced.config",
            "RABBITMQ_ENABLED_PLUGINS_FILE": place / "enabled_plugins",
            "RABBITMQ_NODENAME": self.name,
            "RABBITMQ_DIST_PORT": self._ports[1],
            "RABBITMQ_MNESIA_BASE": f"/var/lib/{USER}/node-{self.number}/db",
            "RABBITMQ_LOG_BASE": f"/var/log/{USER}",
            # three nodes share this machine's cores: none of them may spin while it waits
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
        }
        return {name: str(value) for name, value in words.items()}

    @staticmethod
    def _inside(script: str) -> list[str]:
        """The command that runs it in the tree, in namespaces of its own, as RabbitMQ's user."""
        whole = (
            f"mount --bind /dev {TREE}/dev && mount -t proc proc {TREE}/proc && "
            f"exec chroot {TREE} setpriv --reuid={USER} --regid={USER} --clear-groups "
            f"sh -c '{script}'"
        )
        return [*_ALONE, "sh", "-c", whole]

    def again(self) -> None:
        """As its unit does: start whoever failed. Three that start at once may disturb each other
        ("BOOT FAILED").
        """
        if self._process is not None and self._process.poll() is not None:
            self.start()

    def pids(self) -> list[int]:
        """Of its processes, as this machine counts them."""
        found, new = [], [self._process.pid] if self._process else []
        while new:
            tasks = Path(f"/proc/{new[0]}/task")
            new = [
                *new[1:],
                *(
                    int(pid)
                    for path in tasks.glob("*/children")
                    for pid in path.read_text().split()
                ),
            ]
            found = sorted({*found, *new})
        return found

    def kill(self) -> None:
        """As a power cut ends it: the first process of its namespace, and so all of them."""
        if self._process is None:
            return
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        for first in children.read_text().split():
            os.kill(int(first), signal.SIGKILL)
        self._process.wait()
        self._process = None


class RabbitCluster:
    """`desk`: the broker's folder. `khepri`: with RabbitMQ's newer store."""

    def __init__(self, folder: Path, *, khepri: bool = False) -> None:
        self._khepri = khepri
        self.port = free_port()
        place = Place(HOST, ADDRESSES, self.port, ETC, software=RABBITMQ)
        self.desk = BrokerFolder.create(folder, place, SystemClock().now().utc)
        self.nodes = [Node(number, address) for number, address in enumerate(ADDRESSES, 1)]

    def __enter__(self) -> Self:
        for node in self.nodes:  # not before: what was signed meanwhile lies in the folder
            node.write(self.desk.folder / "machine", self.port)
        self._names = subprocess.Popen(  # the nodes' name server outlives each of them
            [
                "chroot",
                TREE,
                "setpriv",
                f"--reuid={USER}",
                f"--regid={USER}",
                "--clear-groups",
                "epmd",
            ]
        )
        for node in self.nodes:
            node.start()
        try:
            self.nodes[0].rights(RIGHTS_S, khepri=self._khepri)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for node in self.nodes:
            node.kill()
        self._names.kill()
        self._names.wait()

    def leader(self, queue_words: str) -> Node:
        """The node whose log was the last to tell of leading a queue with these words."""
        told = {
            node.number: [
                line
                for line in self._log_of(node).splitlines()
                if queue_words in line and "-> leader" in line
            ]
            for node in self.nodes
        }
        newest = max(told, key=lambda number: max(told[number], default=""))
        return self.nodes[newest - 1]

    def _log_of(self, node: Node) -> str:
        return (TREE / f"var/log/{USER}/{node.name}.log").read_text(errors="replace")


def until(condition: Callable[[], bool], within_s: float = UP_S) -> bool:
    """Ask again and again, at most so long."""
    end_s = time.monotonic() + within_s
    while time.monotonic() < end_s:
        if condition():
            return True
        time.sleep(0.5)
    return False
