"""Brings a Pi with an SD multiplexer, a power port and a serial console to a shell: flash, boot,
log in; and cuts its power.
"""

import enum
import time
from typing import ClassVar

import attr
from labgrid.factory import target_factory
from labgrid.step import step
from labgrid.strategy.common import Strategy, StrategyError, never_retry

# What systemd says when it has started all it will. Whether it is degraded is doctor's affair.
SETTLED = ("running", "degraded")


class State(enum.Enum):
    """In the order of a boot."""

    unknown = 0
    off = 1
    flashed = 2
    shell = 3


@target_factory.reg_driver
@attr.s(eq=False)
class CameraStrategy(Strategy):
    """`flash`: write images: card of the environment to the card first, once a run.

    `boots_within_s`: from power to a settled system. `off_s`: how long the power stays away at a
    cut, so that capacitors are empty.
    """

    bindings: ClassVar = {
        "power": "PowerProtocol",
        "mux": "USBSDMuxDriver",
        "storage": "USBStorageDriver",
        "console": "SerialDriver",
        "shell": "ShellDriver",
        "ssh": {"SSHDriver", None},
    }

    flash = attr.ib(default=True, validator=attr.validators.instance_of(bool))
    boots_within_s = attr.ib(default=180, validator=attr.validators.instance_of(int))
    off_s = attr.ib(default=5.0, converter=float)
    status = attr.ib(default=State.unknown, init=False)  # labgrid keeps its own `state`

    @never_retry
    @step(args=["status"])
    def transition(self, status, *, step):
        """To `off`, `flashed` or `shell`, through all that lies between.

        A failure breaks the strategy: the tests after it skip and say so.
        """
        wanted = status if isinstance(status, State) else State[status]
        if wanted is State.unknown:
            raise StrategyError("nobody can bring a camera into an unknown state")
        if wanted is self.status:
            step.skip("nothing to do")
        elif wanted is State.off:
            self._turn_off()
        elif wanted is State.flashed:
            self._write_card()
        else:
            if self.flash and self.status is not State.flashed:
                self._write_card()
            self._boot()

    @never_retry
    @step()
    def cut_power(self):
        """As when somebody pulls the plug: no shutdown, no sync; then the camera must come back by
        itself.

        Seconds until it was settled.
        """
        if self.status is not State.shell:
            raise StrategyError(f"a power cut needs a running camera; it is {self.status.name}")
        self._turn_off()
        return self._boot()

    def force(self, status):
        """`--lg-initial-state shell`: believe the person who says so, and attach."""
        wanted = State[status]
        for driver in (self.power, self.mux):
            self.target.activate(driver)
        if wanted is State.shell:
            self.target.activate(self.shell)
        self.status = wanted

    @never_retry
    @step()
    def await_reset(self):
        """The board resets itself (hardware watchdog): no power is touched, only waited.

        Seconds until it was settled.
        """
        self._let_go()
        return self._settle(time.monotonic())

    def _let_go(self):
        """A connection to a camera that has died is no connection."""
        if self.ssh is not None:
            self.target.deactivate(self.ssh)
        self.target.deactivate(self.shell)

    def _turn_off(self):
        self._let_go()
        self.target.deactivate(self.console)
        self.target.activate(self.power)
        self.power.off()
        time.sleep(self.off_s)
        self.status = State.off

    def _write_card(self):
        self._turn_off()  # never under a running camera: two masters on one card destroy it
        self.target.activate(self.mux)
        self.target.activate(self.storage)
        self.mux.set_mode("host")
        try:
            self.storage.write_image(self.target.env.config.get_image_path("card"))
        finally:
            self.target.deactivate(self.storage)
            self.mux.set_mode("off")
        self.status = State.flashed

    def _boot(self):
        """Power on and wait for systemd. Seconds that took."""
        begun_s = time.monotonic()
        self.target.activate(self.power)
        self.target.activate(self.mux)
        self.power.off()
        self.mux.set_mode("dut")
        self.target.activate(self.console)
        self.power.on()
        return self._settle(begun_s)

    def _settle(self, begun_s):
        self.target.activate(self.shell)  # waits for the login prompt, by its own login_timeout
        left_s = max(1.0, self.boots_within_s - (time.monotonic() - begun_s))
        said, _, _ = self.shell.run(
            "systemctl is-system-running --wait", timeout=left_s, decodeerrors="replace"
        )
        if not any(line.strip() in SETTLED for line in said):  # the kernel writes there too
            raise StrategyError(
                f"booted, but systemd says: {said[-1].strip() if said else 'nothing'}; "
                "look at `systemctl --failed`"
            )
        took_s = time.monotonic() - begun_s
        if took_s > self.boots_within_s:
            raise StrategyError(
                f"the camera took {took_s:.0f} s to boot; it has {self.boots_within_s} s"
            )
        self.status = State.shell
        return took_s
