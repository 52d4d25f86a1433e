"""A notification on the screen of whoever runs this, by notify-send (Desktop Notifications
Specification 1.2, freedesktop.org) over the bus of the desktop session.
"""

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import NetworkError
from agent.receiver.ringing.child import run_to_end

if TYPE_CHECKING:
    from agent.receiver.ringing.message import Notice

PROGRAM, BUS = "notify-send", "DBUS_SESSION_BUS_ADDRESS"
USER_BUS = "/run/user/{user}/bus"


def session_bus(environment: Mapping[str, str] = os.environ) -> str:
    """The address of this user's session bus, on this machine alone; empty where there is none.

    Mitigates against: an address that leads over the network (`tcp:`), or starts a program
    (`unixexec:`, `autolaunch:`).
    """
    told = environment.get(BUS, "")
    if told:
        return told if all(one.startswith("unix:") for one in told.split(";")) else ""
    socket = Path(USER_BUS.format(user=os.getuid()))
    with suppress(PermissionError):  # ProtectHome=yes closes /run/user to a service
        return f"unix:path={socket}" if socket.is_socket() else ""
    return ""


class Desktop:
    """Shows title and sentence. What is urgent stays until somebody takes it away, where the
    desktop does as the specification says.
    """

    def ring(self, message: "Notice") -> None:
        bus, program = session_bus(), shutil.which(PROGRAM, path=os.defpath)
        if not bus:
            raise NetworkError(
                "finds no desktop session: start this as who is signed in at the screen"
            )
        if program is None:
            raise NetworkError(f"needs {PROGRAM} (Debian: libnotify-bin)")
        urgency = "critical" if message.urgent else "normal"
        command = [program, "--app-name=Platewarden", f"--urgency={urgency}", "--"]
        code = run_to_end([*command, message.title(), message.sentence()], b"", {BUS: bus})
        if code:
            raise NetworkError("is not shown: does this session have a notification service?")
