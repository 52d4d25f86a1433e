"""labgrid's parts without hardware: the strategy's order of steps on fakes, the local driver on
this machine, the shipped environments as labgrid reads them.
"""

from pathlib import Path

import pytest

pytest.importorskip(
    "labgrid", reason="labgrid is not installed: pip install -e .[rig], or `make hw`"
)

import attr
from labgrid import Environment, Target
from labgrid.driver import SerialDriver, ShellDriver, SSHDriver, USBSDMuxDriver, USBStorageDriver
from labgrid.driver.exception import ExecutionError
from labgrid.driver.fake import FakePowerDriver
from labgrid.strategy.common import StrategyError

from hw_tests.rig.local_shell import LocalShellDriver
from hw_tests.rig.strategy import CameraStrategy, State

HERE = Path(__file__).parent


@attr.s(eq=False)
class Power(FakePowerDriver):
    def on(self):
        self.target.done.append("power on")

    def off(self):
        self.target.done.append("power off")


@attr.s(eq=False)
class Mux(USBSDMuxDriver):
    bindings = {}  # noqa: RUF012 - labgrid's own form

    def set_mode(self, mode):
        self.target.done.append(f"card to {mode}")


@attr.s(eq=False)
class Storage(USBStorageDriver):
    bindings = {}  # noqa: RUF012

    def write_image(self, filename=None, **_more):
        self.target.done.append("card written")
        if self.target.card_is_bad:
            raise ExecutionError("dd: input/output error")


@attr.s(eq=False)
class Console(SerialDriver):
    bindings = {}  # noqa: RUF012

    def __attrs_post_init__(self):
        super(SerialDriver, self).__attrs_post_init__()

    def on_activate(self):
        self.target.done.append("console open")

    def on_deactivate(self):
        self.target.done.append("console closed")


@attr.s(eq=False)
class Shell(ShellDriver):
    def on_activate(self):
        self.target.done.append("logged in")

    def on_deactivate(self):
        self.target.done.append("shell lost")

    def run(self, cmd, *, timeout=30.0, decodeerrors="strict"):
        self.target.done.append(f"{cmd} ({'patient' if timeout > 60 else 'hasty'})")
        return [self.target.systemd_says], [], 0


@attr.s(eq=False)
class Config:
    def get_image_path(self, kind):
        return f"/images/{kind}"

    def get_tool(self, name):
        return name


@attr.s(eq=False)
class Environments:
    config = attr.ib(factory=Config)


@pytest.fixture
def target():
    found = Target("main", env=Environments())
    found.done, found.systemd_says, found.card_is_bad = [], "running", False
    Power(found, None)
    Mux(found, None)
    Storage(found, None)
    Console(found, None)
    Shell(found, None, prompt="# ", login_prompt="login: ", username="root")
    return found


@pytest.fixture
def strategy(target):
    return CameraStrategy(target, None, off_s=0.0)


BOOT = [
    "power off",
    "card to dut",
    "console open",
    "power on",
    "logged in",
    "systemctl is-system-running --wait (patient)",
]


def test_from_nothing_to_a_shell_the_card_is_written_with_the_power_off(strategy, target):
    strategy.transition("shell")
    assert target.done == ["power off", "card to host", "card written", "card to off", *BOOT]
    assert strategy.status is State.shell


def test_a_second_time_nothing_is_done(strategy, target):
    strategy.transition("shell")
    target.done.clear()
    strategy.transition("shell")
    assert target.done == []


def test_a_card_that_is_in_place_is_left_alone(target):
    CameraStrategy(target, None, off_s=0.0, flash=False).transition("shell")
    assert target.done == BOOT


def test_a_power_cut_is_no_shutdown_and_writes_no_card(strategy, target):
    strategy.transition("shell")
    target.done.clear()
    assert strategy.cut_power() >= 0
    assert target.done == ["shell lost", "console closed", "power off", *BOOT]
    assert strategy.status is State.shell


def test_a_power_cut_needs_a_running_camera(strategy):
    with pytest.raises(StrategyError):
        strategy.cut_power()
    assert "unknown" in str(strategy.broken)


def test_a_reset_is_waited_for_and_no_power_is_touched(strategy, target):
    strategy.transition("shell")
    target.done.clear()
    strategy.await_reset()
    assert not [step for step in target.done if step.startswith("power")]
    assert "logged in" in target.done


def test_a_system_that_does_not_settle_breaks_the_strategy_and_later_tests_skip(strategy, target):
    target.systemd_says = "maintenance"
    with pytest.raises(StrategyError):
        strategy.transition("shell")
    assert "maintenance" in str(strategy.broken)
    target.systemd_says = "running"
    with pytest.raises(StrategyError, match="broken"):
        strategy.transition("shell")


def test_a_card_that_cannot_be_written_goes_back_to_nobody(strategy, target):
    target.card_is_bad = True
    with pytest.raises(StrategyError):
        strategy.transition("flashed")
    assert target.done[-1] == "card to off", (
        "never to the camera: a half-written card boots into anything"
    )


def test_nobody_goes_to_an_unknown_state(strategy):
    with pytest.raises(StrategyError):
        strategy.transition("unknown")


def test_a_rig_with_ssh_lets_go_of_it_before_the_power_goes(target):
    from labgrid.resource import NetworkService

    class Ssh(SSHDriver):
        def on_activate(self):
            self.target.done.append("ssh")

        def on_deactivate(self):
            self.target.done.append("ssh closed")

    NetworkService(target, None, address="192.0.2.2", username="root")
    ssh = Ssh(target, None)
    strategy = CameraStrategy(target, None, off_s=0.0)
    strategy.transition("shell")
    target.activate(ssh)
    target.done.clear()
    strategy.cut_power()
    assert target.done[:4] == ["ssh closed", "shell lost", "console closed", "power off"]


# --- the local driver ---


@pytest.fixture
def local():
    target = Target("main")
    driver = LocalShellDriver(target, None)
    target.activate(driver)
    return driver


def test_the_local_driver_answers_as_every_command_protocol(local, tmp_path):
    assert local.run("echo one; echo two >&2; exit 3") == (["one"], ["two"], 3)
    assert local.run_check("echo fine") == ["fine"]
    with pytest.raises(ExecutionError):
        local.run_check("false")
    with pytest.raises(ExecutionError, match="not done within"):
        local.run("sleep 5", timeout=0.2)
    (tmp_path / "a").write_text("x")
    local.put(str(tmp_path / "a"), str(tmp_path / "b"))
    local.get(str(tmp_path / "b"), str(tmp_path / "c"))
    assert (tmp_path / "c").read_text() == "x"


def test_a_prefix_leads_elsewhere(local):
    local.prefix = ["env", "PLACE=elsewhere"]
    assert local.run("echo $PLACE")[0] == ["elsewhere"]


# --- the shipped environments ---


@pytest.mark.parametrize("name", ["simulated", "virtual-camera", "pi-ssh", "pi-sdmux"])
def test_labgrid_makes_a_target_of_each_shipped_environment(name):
    """Every resource, driver, binding and argument is known to labgrid; no hardware is touched
    before a driver is activated.
    """
    environment = Environment(str(HERE / f"{name}.yaml"))
    try:
        target = environment.get_target("main")
        assert target.get_driver("CommandProtocol", activate=False)
        assert target.get_driver("FileTransferProtocol", activate=False)
        if name == "pi-sdmux":
            assert isinstance(target.get_strategy(), CameraStrategy)
            assert target.get_strategy().ssh is not None
    finally:
        environment.cleanup()
