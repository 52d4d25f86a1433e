"""A real Mosquitto on a loopback port with TLS, for tests: start, kill -9, restart on the same
port.
"""

import contextlib
import getpass
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.support.pki import Authority, Credentials

ADDRESS = "127.0.0.1"


class Mosquitto:
    """One broker.

    `client_ca`: require client certificates signed by it; `acl`: an ACL file's text (user = the
    certificate's common name). `address`, `port`: where it listens; loopback and a free one unless
    told. `options`: further lines of mosquitto.conf.

    Use as a context manager; `kill` is SIGKILL, after which `start` brings it back on the same
    port.
    """

    def __init__(
        self,
        folder: Path,
        server: Credentials,
        *,
        client_ca: Authority | None = None,
        acl: str | None = None,
        persistence: bool = False,
        address: str = ADDRESS,
        port: int | None = None,
        options: Sequence[str] = (),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.address = address
        self.port = port or free_port()
        self.data = folder / "data"
        self.data.mkdir(exist_ok=True)
        lines = [
            f"listener {self.port} {self.address}",
            f"certfile {server.certificate}",
            f"keyfile {server.key}",
            # Started as root it would drop to `mosquitto`, which may not read the test's keys.
            f"user {getpass.getuser()}",
            "log_type all",
            f"log_dest file {folder / 'mosquitto.log'}",
            f"allow_anonymous {'false' if client_ca else 'true'}",
            f"persistence {'true' if persistence else 'false'}",
            f"persistence_location {self.data}/",
            *options,
        ]
        if client_ca:
            lines += [
                f"cafile {client_ca.pem}",
                "require_certificate true",
                "use_identity_as_username true",
            ]
        if acl is not None:
            (folder / "acl").write_text(acl)
            lines += [f"acl_file {folder / 'acl'}"]
        self._configuration = folder / "mosquitto.conf"
        self._configuration.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start and wait until it listens.

        Fails the test (never skips it) when Mosquitto is missing.
        """
        self._process = subprocess.Popen(
            [mosquitto(), "-c", str(self._configuration)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for_port(self.port, self._process, address=self.address)
        return self

    @property
    def pid(self) -> int | None:
        """Its process id, while it runs."""
        return self._process.pid if self._process else None

    def kill(self) -> None:
        """SIGKILL: nothing is flushed."""
        if self._process:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def stop(self) -> None:
        """SIGTERM, then wait."""
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None

    def log(self) -> str:
        """What the broker wrote about its clients."""
        path = self.folder / "mosquitto.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.stop()


def mosquitto() -> str:
    """The broker's path (on Debian outside a user's PATH)."""
    found = shutil.which("mosquitto") or shutil.which(
        "mosquitto", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"
    )
    if found is None:
        pytest.fail("Mosquitto is not installed; type: sudo apt install mosquitto")
    return found


def free_port() -> int:
    """A TCP port on loopback that is free, and that a killed broker finds free again: it lies below
    those that the kernel gives to whoever asks for any, such as the tests in the other worker.
    """
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((ADDRESS, port))
            return port


def wait_for_port(
    port: int,
    process: "subprocess.Popen[bytes] | None" = None,
    seconds: float = 10.0,
    address: str = ADDRESS,
) -> None:
    """Return when something listens on the port; fail the test when the process ends or time is
    up.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process is not None and process.poll() is not None:
            pytest.fail(f"the broker ended with exit status {process.returncode}")
        try:
            socket.create_connection((address, port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    pytest.fail(f"nothing listens on port {port}")
