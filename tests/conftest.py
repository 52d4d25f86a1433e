"""Rules for the whole suite: what is quick, what may be reached, and how hypothesis behaves."""

import gc
import ipaddress
import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.demo_run import TIMEOUT_S, DemoRun, shared_demo

HERE = Path(__file__).parent
QUICK = ("unit", "components", "contracts")

# Busy cores make deadlines lie. The same examples every time: a red run can be repeated;
# `HYPOTHESIS_PROFILE=search` looks for new ones.
settings.register_profile(
    "steady",
    deadline=None,
    derandomize=True,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

# What a developer's shell sets must not steer a test.
for name in (
    "PLATEWARDEN_DEBUG",
    "PLATEWARDEN_ON",
    "PLATEWARDEN_PASSPHRASE_FILE",
    "mqtt_proxy",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
):
    os.environ.pop(name, None)
    os.environ.pop(name.upper(), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests outside tests/unit, tests/components and tests/contracts are slow by place, so that
    `check` plus `rest` miss none.
    """
    for item in items:
        if HERE in item.path.parents and item.path.relative_to(HERE).parts[0] not in QUICK:
            item.add_marker("slow")
        if "demo_run" in item.fixturenames:  # whichever test comes first waits for all of it
            item.add_marker(pytest.mark.timeout(TIMEOUT_S + 60))


def pytest_collection_finish() -> None:
    """What was collected stays until the end: a sixth of the unit tests' time went into looking
    through it for garbage again and again.
    """
    gc.collect()
    gc.freeze()


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"


def _stay_on_loopback(event: str, arguments: tuple[object, ...]) -> None:
    """No test reaches beyond this machine: connecting anywhere else fails the test that tried."""
    if (
        event == "socket.connect"
        and isinstance(arguments[1], tuple)
        and not _is_here(arguments[1][0])
    ):
        pytest.fail(f"a test tried to connect to {arguments[1][0]}")


sys.addaudithook(_stay_on_loopback)


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory: pytest.TempPathFactory) -> DemoRun:
    """The whole demo, once for all tests that look at what it left, in whichever worker."""
    own = tmp_path_factory.getbasetemp()
    return shared_demo(own.parent if "PYTEST_XDIST_WORKER" in os.environ else own)


@pytest.fixture
def quick_disk(monkeypatch):
    """Waits for no disk.

    What fsync is for no test sees that does not pull the plug; that it comes, and when, is tested
    in test_atomic_file.py and tests/promises/test_p08_outbox.py.
    """
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    """A certificate authority of this module's own."""
    from tests.support.pki import Authority

    return Authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def server(ca):
    """A broker's certificate from it."""
    return ca.server()


@pytest.fixture(scope="session")
def postgresql():
    """A PostgreSQL server; `postgresql.url()` is an empty place in it."""
    from tests.support.postgresql import Postgresql

    with Postgresql() as server:
        yield server
