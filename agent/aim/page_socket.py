"""The one socket that the page is served on: handed over by systemd, or opened here on an address
that no stranger's network has.

In the unit the process lives in a network namespace of its own, without any interface. The socket
that systemd opened outside stays usable: the process can answer who comes in by it, and can call
nobody (P2; systemd/platewarden-aim.socket).
"""

import ipaddress
import os
import socket

from agent.errors import PlatewardenError, UsageError

FIRST_DESCRIPTOR = 3  # sd_listen_fds(3)
BACKLOG = 16


def listen(address: str, port: int) -> socket.socket:
    """A listening socket.

    Raises UsageError for an address that others could reach, PlatewardenError when it cannot be
    had.
    """
    return _handed_over() or _opened(address, port)


def _handed_over() -> socket.socket | None:
    """The socket of the unit, where there is one."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        return None
    handed = socket.socket(fileno=FIRST_DESCRIPTOR)
    if (
        handed.family is not socket.AF_INET
        or handed.type is not socket.SOCK_STREAM
        or not handed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    ):
        raise PlatewardenError(
            "systemd handed over something else than a listening IPv4 socket",
            fix="compare: systemctl cat platewarden-aim.socket",
        )
    handed.set_inheritable(False)
    return handed


def _opened(address: str, port: int) -> socket.socket:
    try:
        parsed = ipaddress.IPv4Address(address)
    except ValueError:
        raise UsageError(
            f"{address[:40]!a} is no IPv4 address",
            where="--listen",
            fix="give ADDRESS:PORT, as 127.0.0.1:8480",
        ) from None
    if parsed.is_unspecified or not (parsed.is_loopback or parsed.is_private):
        raise UsageError(
            f"{address}: the page is served without TLS, to this machine or the hotspot only",
            where="--listen",
            fix="127.0.0.1 or 10.42.0.1",
        )
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise PlatewardenError(
            f"cannot listen: {error.strerror}",
            where=f"{address}:{port}",
            fix="is the hotspot open, and the port free?",
        ) from None
    return listening
