"""A labgrid driver whose target is this machine, or what a prefix leads into: a network namespace,
a chroot, a container.

The simulated rig's SSH.
"""

import shlex
import subprocess
from pathlib import Path

import attr
from labgrid.driver.commandmixin import CommandMixin
from labgrid.driver.common import Driver
from labgrid.driver.exception import ExecutionError
from labgrid.factory import target_factory
from labgrid.protocol import CommandProtocol, FileTransferProtocol
from labgrid.step import step

TRANSFER_WITHIN_S = 120.0


@target_factory.reg_driver
@attr.s(eq=False)
class LocalShellDriver(CommandMixin, Driver, CommandProtocol, FileTransferProtocol):
    """labgrid has no driver for a shell without a wire.

    `prefix`: words before `sh -c COMMAND`; tests may change it.
    """

    prefix = attr.ib(factory=list, validator=attr.validators.instance_of(list))

    @Driver.check_active
    @step(args=["cmd"], result=True)
    def run(self, cmd, *, timeout=30.0, codec="utf-8", decodeerrors="replace"):
        """(lines of stdout, lines of stderr, exit code), as every CommandProtocol."""
        return self._run(cmd, timeout=timeout, codec=codec, decodeerrors=decodeerrors)

    def _run(self, cmd, *, timeout=30.0, codec="utf-8", decodeerrors="replace"):
        command = [*map(str, self.prefix), "sh", "-c", cmd]
        try:
            done = subprocess.run(
                command, capture_output=True, stdin=subprocess.DEVNULL, timeout=timeout, check=False
            )
        except subprocess.TimeoutExpired:
            raise ExecutionError(f"not done within {timeout:g} s: {cmd}") from None
        return (
            done.stdout.decode(codec, decodeerrors).splitlines(),
            done.stderr.decode(codec, decodeerrors).splitlines(),
            done.returncode,
        )

    @Driver.check_active
    def get_status(self):
        """Logged in, as labgrid's own drivers say it."""
        return 1

    @Driver.check_active
    @step(args=["filename", "remotepath"])
    def put(self, filename, remotepath=""):
        """Through the shell, so that every prefix works: the target may have another root, or be
        another machine.
        """
        with Path(filename).open("rb") as file:
            self._copy("cat >", remotepath, stdin=file)

    @Driver.check_active
    @step(args=["filename", "destination"])
    def get(self, filename, destination="."):
        path = Path(destination)
        with (path / Path(filename).name if path.is_dir() else path).open("wb") as file:
            self._copy("cat", filename, stdin=subprocess.DEVNULL, stdout=file)

    def _copy(self, how, path, **streams):
        command = [*map(str, self.prefix), "sh", "-c", f"{how} {shlex.quote(path)}"]
        done = subprocess.run(
            command, stderr=subprocess.PIPE, timeout=TRANSFER_WITHIN_S, check=False, **streams
        )
        if done.returncode:
            raise ExecutionError(f"copying {path}: {done.stderr.decode(errors='replace')[-200:]}")
