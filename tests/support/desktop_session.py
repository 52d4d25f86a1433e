"""A desktop session on this machine: a dbus-daemon of its own, and a notification service on it
that keeps what it is asked to show.
"""

import subprocess
import threading
from pathlib import Path
from typing import Self

from jeepney import HeaderFields, MessageType, new_method_return
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import DBusConnection, open_dbus_connection

NAME = "org.freedesktop.Notifications"
ABOUT = ("Tests", "Platewarden", "1", "1.2")


class SessionBus:
    """`address`: as DBUS_SESSION_BUS_ADDRESS has it. A context manager."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._process = subprocess.Popen(
            [
                *("dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address=1"),
                f"--address=unix:dir={folder}",
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._process.stdout.close()


class Screen:
    """A notification service (Desktop Notifications Specification 1.2). `shown`: of each what it
    was asked, by the specification's names. `answers`: whether it answers at all.
    """

    def __init__(self, bus: SessionBus, *, answers: bool = True) -> None:
        self.shown: list[dict[str, object]] = []
        self._answers = answers
        self._connection: DBusConnection = open_dbus_connection(bus=bus.address)
        self._connection.send_and_get_reply(message_bus.RequestName(NAME))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                asked = self._connection.receive()
            except (ConnectionError, OSError, ValueError):
                return  # the bus has ended
            if asked.header.message_type is MessageType.method_call and self._answers:
                self._answer(asked)

    def _answer(self, asked) -> None:
        what = asked.header.fields[HeaderFields.member]
        if what == "Notify":
            app, _, _, title, body, _, hints, _ = asked.body
            urgency = {0: "low", 1: "normal", 2: "critical"}[hints["urgency"][1]]
            self.shown.append({"app": app, "summary": title, "body": body, "urgency": urgency})
            told, signature = (len(self.shown),), "u"
        elif what == "GetServerInformation":
            told, signature = ABOUT, "ssss"
        else:
            told, signature = (["body"],), "as"
        self._connection.send(new_method_return(asked, signature, told))
