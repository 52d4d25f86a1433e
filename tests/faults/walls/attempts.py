"""Ways out of a process: by Python, by a child, by the C library. Each tells who stopped it.

`guard`: our own hook, before a socket opened. An errno's name: the kernel. `ok`: nobody.
"""

import asyncio
import contextlib
import ctypes
import errno
import ftplib
import http.client
import os
import smtplib
import socket
import ssl
import struct
import subprocess
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from agent.errors import DestinationRefusedError
from agent.network.egress import refuse_proxies

WAIT_S = 0.4
STRANGER, STRANGER6, NAME = "198.51.100.9", "2001:db8:9::9", "collector.example"
SOCK_RAW_ICMP, MSG_FASTOPEN = 1, 0x20000000
AF_PACKET, AF_NETLINK = 17, 16
GUARD = "guard"
BY_PYTHON, BY_CHILD, BY_C = "by Python", "by a child", "by the C library"
# Families that the unit does not name: the kernel knows none of them here.
BY_FAMILY = "by another family"


@dataclass(frozen=True, slots=True)
class Attempt:
    """`way`: which wall must stop it."""

    name: str
    way: str
    do: Callable[[], object]


def attempts(listed: str, port: int) -> list[Attempt]:
    """All of them. `listed`, `port`: the broker; another port of it is no listed destination."""
    return [
        Attempt(name, way, do)
        for way, known in (
            (BY_PYTHON, _by_python(listed, port)),
            (BY_CHILD, _by_child()),
            (BY_C, _by_c(listed, port)),
            (BY_FAMILY, _by_family()),
        )
        for name, do in known.items()
    ]


def _by_python(listed: str, port: int) -> dict[str, Callable[[], object]]:
    return {
        "TCP": partial(_connect, socket.AF_INET, (STRANGER, 443)),
        "TCP, connect_ex": partial(_connect_ex, (STRANGER, 443)),
        "TCP, another port of the broker": partial(_connect, socket.AF_INET, (listed, port + 1)),
        "TCP over IPv6": partial(_connect, socket.AF_INET6, (STRANGER6, 443)),
        "TCP to a mapped address": partial(_connect, socket.AF_INET6, (f"::ffff:{STRANGER}", 443)),
        "TCP, fast open": partial(_fast_open, (STRANGER, 443)),
        "TLS": _tls,
        "UDP, sendto": partial(_send, (STRANGER, 53)),
        "UDP to the broker": partial(_send, (listed, port)),
        "UDP, sendmsg": _sendmsg,
        "UDP, connected": _connected_datagram,
        "UDP to everybody": partial(_send, ("255.255.255.255", 9)),
        "UDP, multicast DNS": partial(_send, ("224.0.0.251", 5353)),
        "a name, create_connection": lambda: socket.create_connection((NAME, 443), WAIT_S),
        "a name, getaddrinfo": lambda: socket.getaddrinfo(NAME, 443),
        "a name, gethostbyname": lambda: socket.gethostbyname(NAME),
        "a name, gethostbyname_ex": lambda: socket.gethostbyname_ex(NAME),
        "an address's name": lambda: socket.gethostbyaddr(STRANGER),
        "a raw socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, SOCK_RAW_ICMP),
        "HTTP": lambda: http.client.HTTPConnection(STRANGER, timeout=WAIT_S).request("GET", "/"),
        "SMTP": lambda: smtplib.SMTP(STRANGER, timeout=WAIT_S),
        "FTP": lambda: ftplib.FTP(STRANGER, timeout=WAIT_S),
        "asyncio": lambda: asyncio.run(_asyncio()),
        "http_proxy": partial(_by_proxy, "http_proxy", f"http://{listed}:{port}/"),
        "HTTPS_PROXY": partial(_by_proxy, "HTTPS_PROXY", f"https://{listed}:{port}/"),
        "ALL_PROXY": partial(_by_proxy, "ALL_PROXY", f"http://{listed}:{port}/"),
        "mqtt_proxy": partial(_mqtt_proxy, f"http://{STRANGER}:3128"),
        "listening": _listen,
    }


def _by_child() -> dict[str, Callable[[], object]]:
    told = ["sh", "-c", _shell()]
    return {
        "a subprocess": lambda: subprocess.run(told, timeout=9, capture_output=True, check=True),
        "os.system": lambda: _done(os.system(_shell())),
        "os.posix_spawn": lambda: _waited(os.posix_spawn("/bin/sh", told, {})),
        "os.fork": _fork,
    }


def _by_c(listed: str, port: int) -> dict[str, Callable[[], object]]:
    return {
        "C: TCP": partial(_c_connect, STRANGER, 443),
        "C: TCP, another port of the broker": partial(_c_connect, listed, port + 1),
        "C: TCP over IPv6": partial(_c_connect6, STRANGER6, 443),
        "C: UDP to a name server": partial(_c_send, STRANGER, 53),
        "C: UDP to the broker": partial(_c_send, listed, port),
        "C: UDP to everybody's group": partial(_c_send, "224.0.0.251", 5353),
        "C: a raw socket": partial(_c_socket, socket.AF_INET, socket.SOCK_RAW, SOCK_RAW_ICMP),
        "C: a shell": lambda: _done(_libc().system(_shell().encode())),
    }


def _by_family() -> dict[str, Callable[[], object]]:
    return {
        "C: frames": partial(_c_socket, AF_PACKET, socket.SOCK_RAW, 0),
        "C: netlink": partial(_c_socket, AF_NETLINK, socket.SOCK_RAW, 0),
    }


def told(do: Callable[[], object]) -> str:
    """Who stopped it."""
    try:
        do()
    except DestinationRefusedError:
        return GUARD
    except (TimeoutError, subprocess.TimeoutExpired):
        return "ETIMEDOUT"
    except OSError as error:
        cause = error
        while cause is not None:  # urllib and others wrap what they met
            if isinstance(cause, DestinationRefusedError):
                return GUARD
            cause = getattr(cause, "reason", None) or cause.__context__
            if not isinstance(cause, BaseException):
                break
        return errno.errorcode.get(error.errno or 0, type(error).__name__)
    except subprocess.CalledProcessError:
        return "the child failed"
    return "ok"


def _connect(family: int, place: tuple[str, int]) -> None:
    with socket.socket(family) as sock:
        sock.settimeout(WAIT_S)
        sock.connect(place)


def _connect_ex(place: tuple[str, int]) -> None:
    with socket.socket() as sock:
        sock.settimeout(WAIT_S)
        if code := sock.connect_ex(place):
            raise OSError(code, "connect_ex")


def _fast_open(place: tuple[str, int]) -> None:
    with socket.socket() as sock:
        sock.settimeout(WAIT_S)
        sock.sendto(b"x", MSG_FASTOPEN, place)


def _tls() -> None:
    with socket.socket() as sock:
        sock.settimeout(WAIT_S)
        context = ssl.create_default_context()
        context.wrap_socket(sock, server_hostname=NAME).connect((STRANGER, 443))


def _send(place: tuple[str, int]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.sendto(b"x", place)


def _sendmsg() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendmsg([b"x"], [], 0, (STRANGER, 53))


def _connected_datagram() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((STRANGER, 53))
        sock.send(b"x")


async def _asyncio() -> None:
    await asyncio.wait_for(asyncio.open_connection(STRANGER, 443), WAIT_S)


def _by_proxy(name: str, url: str) -> None:
    """The environment's proxies are dropped, and without one the address itself is refused."""
    os.environ[name] = url
    refuse_proxies(os.environ)
    if urllib.request.getproxies():
        return
    urllib.request.urlopen(f"http://{STRANGER}/", timeout=WAIT_S)


def _mqtt_proxy(url: str) -> None:
    refuse_proxies({"mqtt_proxy": url})


def _listen() -> None:
    with socket.socket() as sock:
        sock.bind(("0.0.0.0", 8884))
        sock.listen()


def _shell() -> str:
    """A child's way out; without a program that may be missing."""
    return f"timeout 2 bash -c 'exec 3<>/dev/tcp/{STRANGER}/443'"


def _fork() -> None:
    child = os.fork()
    if child == 0:
        try:
            _connect(socket.AF_INET, (STRANGER, 443))
            os._exit(0)
        finally:
            os._exit(1)
    _waited(child)


def _waited(pid: int) -> None:
    _done(os.waitpid(pid, 0)[1])


def _done(status: int) -> None:
    if status:
        raise subprocess.CalledProcessError(status, "child")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), "C")
    return result


def _c_socket(family: int, kind: int, protocol: int) -> None:
    os.close(_checked(_libc().socket(family, kind, protocol)))


def _c_connect(address: str, port: int) -> None:
    place = struct.pack("=HH4s8x", socket.AF_INET, socket.htons(port), socket.inet_aton(address))
    _c_reach(socket.AF_INET, place)


def _c_connect6(address: str, port: int) -> None:
    packed = socket.inet_pton(socket.AF_INET6, address)
    place = struct.pack("=HHI16sI", socket.AF_INET6, socket.htons(port), 0, packed, 0)
    _c_reach(socket.AF_INET6, place)


def _c_reach(family: int, place: bytes) -> None:
    made = _checked(_libc().socket(family, socket.SOCK_STREAM, 0))
    try:
        wait = struct.pack("ll", 0, int(WAIT_S * 1e6))
        _libc().setsockopt(made, socket.SOL_SOCKET, socket.SO_SNDTIMEO, wait, len(wait))
        _checked(_libc().connect(made, place, len(place)))
    finally:
        os.close(made)


def _c_send(address: str, port: int) -> None:
    place = struct.pack("=HH4s8x", socket.AF_INET, socket.htons(port), socket.inet_aton(address))
    made = _checked(_libc().socket(socket.AF_INET, socket.SOCK_DGRAM, 0))
    try:
        _checked(_libc().sendto(made, b"x", 1, 0, place, len(place)))
    finally:
        os.close(made)
