"""Every question that the process-wide guard answers, one by one: which call may go where.

The guard itself, in a process of its own, is tried in tests/components/test_egress.py.
"""

import socket
import sys
from pathlib import Path

import pytest

from agent.core.policy.policy import Broker
from agent.errors import DestinationRefusedError
from agent.network.egress import Egress, install_guard

HERE = ("203.0.113.10", 8883)


def broker(*addresses):
    return Broker("b", "mqtt.example", addresses, "ca.pem", frozenset(), frozenset())


class Named:
    """As what os.scandir gives: a path, whose text for people is another."""

    def __fspath__(self):
        return "/run/named"


def refusal(hook, event, arguments):
    try:
        hook(event, arguments)
    except DestinationRefusedError as refused:
        return refused
    return None


@pytest.fixture
def ask(monkeypatch):
    """The text that is refused and noted; None: permitted."""
    hooks = []
    monkeypatch.setattr(sys, "addaudithook", hooks.append)
    noted = []
    egress = Egress([broker(HERE, ("2001:db8::1", 8883))], notify_socket="/run/notify")
    install_guard(egress, lambda *told: noted.append(told))
    [hook] = hooks

    def asked(event, *arguments):
        noted.clear()
        refused = refusal(hook, event, arguments)
        if refused is None:
            assert noted == []
            return None
        [(event_noted, text)] = noted
        assert (event_noted, type(text)) == (event, str)
        assert str(refused).startswith(
            "refused [destination-not-in-policy]: this process's network guard: "
            f"{event} to {text} ("
        )
        return text

    return asked


FLAGS = socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC


@pytest.mark.parametrize(
    ("family", "kind", "refused"),
    [
        (socket.AF_INET, socket.SOCK_STREAM, None),
        (socket.AF_INET6, socket.SOCK_STREAM, None),
        (socket.AF_INET, socket.SOCK_STREAM | FLAGS, None),
        (socket.AF_UNIX, socket.SOCK_STREAM, None),
        (socket.AF_UNIX, socket.SOCK_DGRAM, None),
        (-1, -1, None),  # around one that is there
        (socket.AF_NETLINK, -1, None),
        (socket.AF_INET, socket.SOCK_DGRAM, "socket family 2, type 2"),
        (socket.AF_INET6, socket.SOCK_DGRAM, "socket family 10, type 2"),
        (socket.AF_INET, socket.SOCK_RAW, "socket family 2, type 3"),
        (socket.AF_INET, 0, "socket family 2, type 0"),
        (socket.AF_NETLINK, socket.SOCK_STREAM, "socket family 16, type 1"),
        (socket.AF_PACKET, socket.SOCK_RAW, "socket family 17, type 3"),
    ],
)
def test_new_sockets(ask, family, kind, refused):
    assert ask("socket.__new__", None, family, kind, 0) == refused


DESTINATIONS = [
    (HERE, None),
    (("2001:db8::1", 8883, 0, 0), None),
    ((b"203.0.113.10", "8883"), None),
    ("/run/notify", None),
    (("203.0.113.10", 1883), "203.0.113.10:1883"),
    (("203.0.113.11", 8883), "203.0.113.11:8883"),
    (("mqtt.example", 8883), "mqtt.example:8883"),
    (("203.0.113.10",), "('203.0.113.10',)"),
    (["203.0.113.10", 8883], "['203.0.113.10', 8883]"),
    ("/run/dbus/system_bus_socket", "/run/dbus/system_bus_socket"),
    (Path("/run/other"), "/run/other"),
    (b"/run/other", "/run/other"),
    (b"/run/\xff", "/run/\N{REPLACEMENT CHARACTER}"),
    (Named(), "/run/named"),
    ("", ""),
    (b"\x00hidden", "?hidden"),
    ("\n" + "x" * 300, "?" + "x" * 119),
]


@pytest.mark.parametrize("event", ["socket.connect", "socket.sendto", "socket.sendmsg"])
@pytest.mark.parametrize(("address", "refused"), DESTINATIONS)
def test_destinations(ask, event, address, refused):
    assert ask(event, None, address) == refused


def test_a_message_over_a_socket_that_is_connected_was_judged_before(ask):
    assert ask("socket.sendmsg", None, None) is None


@pytest.mark.parametrize(
    ("address", "refused"),
    [
        (("", 0), None),
        (("", 0, 0, 0), None),
        (("", 8080), ":8080"),
        (("0.0.0.0", 0), "0.0.0.0:0"),
        (["", 0], "['', 0]"),
        ("/run/door", "/run/door"),
    ],
)
def test_doors(ask, address, refused):
    assert ask("socket.bind", None, address) == refused


@pytest.mark.parametrize(
    ("host", "port", "refused"),
    [
        (*HERE, None),
        (b"2001:db8::1", "8883", None),
        ("203.0.113.10", 1883, "203.0.113.10:1883"),
        ("mqtt.example", 8883, "mqtt.example:8883"),
        (None, None, "None:None"),
    ],
)
def test_look_ups(ask, host, port, refused):
    assert ask("socket.getaddrinfo", host, port, 0, 0, 0) == refused


@pytest.mark.parametrize(
    ("event", "name", "refused"),
    [
        ("socket.gethostbyname", "203.0.113.10", "203.0.113.10"),
        ("socket.gethostbyaddr", "203.0.113.10", "203.0.113.10"),
        ("socket.getnameinfo", HERE, "203.0.113.10:8883"),
    ],
)
def test_names_are_never_looked_up(ask, event, name, refused):
    assert ask(event, name, 0) == refused


@pytest.mark.parametrize(
    "event",
    [
        *("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork"),
        "os.forkpty",
    ],
)
def test_another_process_would_be_outside(ask, event):
    assert ask(event, "true") == "another process"


@pytest.mark.parametrize("event", ["open", "import", "socket.gethostname", "os.kill"])
def test_what_leads_nowhere_is_not_asked_about(ask, event):
    assert ask(event, "x") is None


def test_without_a_notify_socket_no_unix_socket_may_be_used():
    egress = Egress([broker(HERE)])
    assert [egress.is_notify_socket(name) for name in ("", None, "XX", "/run/notify")] == [
        False
    ] * 4


def test_a_name_in_a_policy_opens_nothing():
    """The policy's parser takes no name; here it would stand for every name."""
    egress = Egress([broker(("mqtt.example", 8883), ("203.0.113.10", 8883))])
    for name in ("mqtt.example", "elsewhere.example"):
        assert egress.listed(name, 8883) is False
        with pytest.raises(DestinationRefusedError, match=f"has no address {name}:8883 in the"):
            egress.permit("b", name, 8883)
    egress.permit("b", *HERE)
