"""Tells systemd that this process is ready, makes progress, or stops (sd_notify(3)).

It tells nobody anything else.

Thirty lines of our own: PyPI's `sdnotify` had its last release in 2017 and opens its socket at
construction; `systemd-python` needs libsystemd's headers to build. No socket is made unless
NOTIFY_SOCKET is set: `watch` has no other one, and a test looks.
"""

import os
import socket

from agent.errors import NetworkError


class Notifier:
    """Sends datagrams to the unix socket that systemd named in the environment; without one, does
    nothing.

    `address`: as sendto takes it.
    """

    def __init__(self, path: str | None = None) -> None:
        path = os.environ.get("NOTIFY_SOCKET", "") if path is None else path
        self.address = (
            "\0" + path[1:] if path.startswith("@") else path if path.startswith("/") else ""
        )
        self._said = ""

    def ready(self) -> None:
        """The process does its work from here on."""
        self._send("READY=1")

    def progress(self) -> None:
        """Feed the watchdog: call it only where something was truly done, never from a timer."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The process is about to end, on purpose."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`; sent only when it changes. Never a plate."""
        line = " ".join(text.split())[:200]
        if line != self._said:
            self._said = line
            self._send(f"STATUS={line}")

    def _send(self, message: str) -> None:
        if not self.address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.sendto(message.encode(), self.address)
        except OSError as error:
            raise NetworkError(
                f"cannot notify systemd: {error.strerror}",
                where="NOTIFY_SOCKET",
                fix="start the service by systemd, or unset NOTIFY_SOCKET",
            ) from None
