"""sd_notify: the right datagrams to the socket that systemd named, and no socket at all without
one.
"""

import os
import socket

import pytest

from agent.errors import NetworkError
from agent.host.notify import Notifier


@pytest.fixture
def systemd(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(2)
        yield listener


def test_says_what_systemd_understands(systemd) -> None:
    notifier = Notifier(systemd.getsockname())
    notifier.ready()
    notifier.progress()
    notifier.status("3 reads\nwait")
    notifier.status("3 reads wait")  # nothing new: not said again
    notifier.stopping()
    assert [systemd.recv(300) for _ in range(4)] == [
        b"READY=1",
        b"WATCHDOG=1",
        b"STATUS=3 reads wait",
        b"STOPPING=1",
    ]


def test_an_abstract_socket() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        name = f"platewarden-test-{os.getpid()}"  # another run of the tests may go on beside this
        listener.bind(f"\0{name}")
        listener.settimeout(2)
        Notifier(f"@{name}").ready()
        assert listener.recv(300) == b"READY=1"


@pytest.mark.parametrize("path", ["", "relative/path", "vsock:2:1234"])
def test_makes_no_socket_without_a_path(monkeypatch, path) -> None:
    monkeypatch.setattr(socket, "socket", lambda *_: pytest.fail("a socket was made"))
    notifier = Notifier(path)
    for call in (
        notifier.ready,
        notifier.progress,
        notifier.stopping,
        lambda: notifier.status("x"),
    ):
        call()


def test_the_path_comes_from_the_environment(monkeypatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not Notifier().address
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    assert Notifier().address == "/run/systemd/notify"


def test_a_socket_that_is_gone_is_an_error_with_its_name(tmp_path) -> None:
    with pytest.raises(NetworkError, match="NOTIFY_SOCKET"):
        Notifier(str(tmp_path / "gone")).ready()
