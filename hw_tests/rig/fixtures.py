"""Fixtures of the tests on a rig: the device of the environment file, its cable, a city around it;
without an environment they skip and say so.
"""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from hw_tests.rig.device import Device
from hw_tests.rig.ethernet import Ethernet, ethernet
from hw_tests.rig.options import Options, parse

NO_RIG = "no rig: `make hw`, or pytest -p labgrid.pytestplugin --lg-env hw_tests/ENVIRONMENT.yaml"


def has_rig(config: pytest.Config) -> bool:
    """Is labgrid loaded, with an environment?"""
    # The plugin is loaded by its entry point, or by -p.
    loaded = any(
        config.pluginmanager.hasplugin(name) for name in ("labgrid", "labgrid.pytestplugin")
    )
    return loaded and bool(environment_file(config))


def environment_file(config: pytest.Config) -> str | None:
    """As labgrid finds it."""
    return config.getoption("--lg-env") or os.environ.get("LG_ENV")


@pytest.fixture(scope="session")
def options(request) -> Options:
    if not has_rig(request.config):
        pytest.skip(NO_RIG)
    env = request.getfixturevalue("env")
    return parse(env.config.get_targets()["main"].get("options", {}))


@pytest.fixture(scope="session")
def strategy_or_none(request, options):
    """labgrid's strategy of this environment; None where a camera simply is there."""
    from labgrid.exceptions import NoDriverFoundError, NoStrategyFoundError

    target = request.getfixturevalue("target")
    try:
        return target.get_driver("Strategy")
    except (NoDriverFoundError, NoStrategyFoundError):
        return None


@pytest.fixture(scope="session")
def cable(options) -> Iterator[Ethernet]:
    with ethernet(options) as found:
        yield found


@pytest.fixture(scope="session")
def whole_device(request, options, cable, strategy_or_none, tmp_path_factory) -> Iterator[Device]:
    """For the session; tests use `device`, which leaves no process behind."""
    target = request.getfixturevalue("target")
    if strategy_or_none is not None:
        strategy_or_none.transition("shell")
    command, files = target.get_driver("CommandProtocol"), target.get_driver("FileTransferProtocol")
    if options.simulated:
        command.prefix = [*cable.prefix, *command.prefix]
    folder = options.folder or str(tmp_path_factory.mktemp("rig"))
    found = Device(command, files, options, folder)
    found.run("mkdir", "-p", folder)
    yield found
    found.stop_all()
    if options.folder:  # a city's throwaway keys have no business staying on a camera
        found.shell(f"rm -rf {shlex.quote(folder)}/*", check=False)


@pytest.fixture
def device(whole_device) -> Iterator[Device]:
    yield whole_device
    whole_device.stop_all()


@pytest.fixture
def world(device, cable, tmp_path, request):
    """A fresh city, camera installation and street for each test."""
    from hw_tests.rig.world import World

    if not cable.address:
        pytest.skip(cable.why)
    return World(device, cable, tmp_path, seed=sum(request.node.name.encode()))


@pytest.fixture(scope="session")
def out(request) -> Path:
    """Where pictures of the chart and the history go."""
    folder = Path(request.config.getoption("--hw-out"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
