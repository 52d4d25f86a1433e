"""Refuses every destination that the policy does not list, before a socket opens: by name here, by
audit hook in the whole process.
"""

import os
import socket
import sys
from collections.abc import Callable, Iterable, MutableMapping
from ipaddress import ip_address

from agent.core.policy.policy import Broker
from agent.core.reasons import Reason
from agent.errors import DestinationRefusedError
from agent.mqtt.proxy import refuse_proxy

Noted = Callable[[str, str], None]
"""Told of each refusal of the hook: the audit event and the destination. Runs inside the hook: it
may only remember.
"""

_WHERE = "this process's network guard"


class Egress:
    """The destinations in force: the addresses of the policy's brokers, and systemd's notify socket
    if there is one.

    Limit: a check inside the process. It stops our own mistakes and our libraries' surprises; code
    execution in this process gets around it, and is stopped by the address rules of systemd and
    nftables only.
    """

    def __init__(self, brokers: Iterable[Broker] = (), *, notify_socket: str = "") -> None:
        self._notify_socket = notify_socket
        self.replace(brokers)

    def replace(self, brokers: Iterable[Broker]) -> None:
        """Another policy is in force: its addresses, and only they, from now on."""
        self._by_broker = {
            (broker.id, destination)
            for broker in brokers
            for address, port in broker.addresses
            # A name is no destination: it would stand for every name.
            if (destination := _destination(address, port)) is not None
        }
        self._listed = {destination for _, destination in self._by_broker}

    def permit(self, broker: str, address: str, port: int) -> None:
        """Return when this broker lists this address and port; else raise
        DestinationRefusedError(destination-not-in-policy).
        """
        if (broker, _destination(address, port)) not in self._by_broker:
            raise DestinationRefusedError(
                Reason.DESTINATION_NOT_IN_POLICY,
                f"broker {broker!r} has no address {address}:{port} in the policy in force",
                where="policy",
                fix="a city adds it by signing a policy that lists it",
            )

    def listed(self, address: object, port: object) -> bool:
        """Does any broker list this address and port?"""
        return _destination(address, port) in self._listed

    def is_notify_socket(self, address: object) -> bool:
        """Is this the unix socket that systemd gave us?"""
        return bool(self._notify_socket) and address == self._notify_socket


def refuse_proxies(environment: MutableMapping[str, str]) -> None:
    """Drop the environment's proxies; refuse what redirects paho (mqtt/proxy.py). Raises
    DestinationRefusedError(proxy-forbidden).
    """
    refuse_proxy(environment)
    for name in [name for name in environment if name.lower().endswith("_proxy")]:
        del environment[name]


def install_guard(egress: Egress, noted: Noted) -> None:
    """From now on, and for ever in this process, an unlisted destination raises
    DestinationRefusedError inside the offending call.

    Covers TCP, UDP, unix sockets, name look-ups, listening on a fixed port, and new processes
    (which would be outside the hook).
    """
    checks = _Checks(egress)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        check = checks.by_event.get(event)
        if check is None:
            return
        refused = check(*arguments)
        if refused is not None:
            noted(event, refused)
            raise DestinationRefusedError(
                Reason.DESTINATION_NOT_IN_POLICY,
                f"{event} to {refused}",
                where=_WHERE,
                fix="only listed brokers may be reached",
            )

    sys.addaudithook(hook)


class _Checks:
    """One check per audit event: None permits, a text names what is refused
    (docs.python.org/3/library/audit_events.html).
    """

    def __init__(self, egress: Egress) -> None:
        self._egress = egress
        self.by_event: dict[str, Callable[..., str | None]] = {
            "socket.__new__": self._new_socket,
            "socket.connect": self._connect,
            "socket.sendto": self._connect,
            "socket.sendmsg": self._send_message,
            "socket.bind": self._bind,
            "socket.getaddrinfo": self._look_up,
        }
        for event in ("socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"):
            self.by_event[event] = lambda name, *_rest: _text(name)
        for event in (
            "subprocess.Popen",
            "os.system",
            "os.exec",
            "os.posix_spawn",
            "os.spawn",
            "os.fork",
            "os.forkpty",
        ):
            self.by_event[event] = lambda *_arguments: "another process"

    def _new_socket(self, _socket: object, family: int, kind: int, _protocol: int) -> str | None:
        # -1: wraps a socket that exists
        if kind == -1 or (
            family in {socket.AF_INET, socket.AF_INET6} and kind & 0xF == socket.SOCK_STREAM
        ):
            return None
        if family == socket.AF_UNIX:
            return None  # judged by its address when it is used
        return f"socket family {int(family)}, type {int(kind)}"

    def _connect(self, _socket: object, address: object) -> str | None:
        if (
            isinstance(address, tuple)
            and len(address) >= 2
            and self._egress.listed(address[0], address[1])
        ):
            return None
        return None if self._egress.is_notify_socket(address) else _text(address)

    def _send_message(self, sock: object, address: object) -> str | None:
        return None if address is None else self._connect(sock, address)

    @staticmethod
    def _bind(_socket: object, address: object) -> str | None:
        # paho binds to ("", 0) before it connects: any interface, any port, which is no destination
        # and no fixed door.
        return (
            None if isinstance(address, tuple) and tuple(address[:2]) == ("", 0) else _text(address)
        )

    def _look_up(self, host: object, port: object, *_rest: object) -> str | None:
        return None if self._egress.listed(host, port) else _text((host, port))


def _destination(address: object, port: object) -> tuple[str, int] | None:
    """One spelling per address; None for what is no IP address with a port (a name would be looked
    up: no DNS here).
    """
    try:
        return str(ip_address(_plain(address))), int(_plain(port))
    except ValueError:
        return None


def _text(destination: object) -> str:
    """A destination for a log line: bounded, one line, printable."""
    if isinstance(destination, tuple) and len(destination) >= 2:
        destination = f"{_plain(destination[0])}:{_plain(destination[1])}"
    return "".join(c if c.isprintable() else "?" for c in _plain(destination))[:120]


def _plain(value: object) -> str:
    return (
        value.decode("utf-8", "replace")
        if isinstance(value, bytes)
        else os.fspath(value)
        if isinstance(value, os.PathLike)
        else str(value)
    )
