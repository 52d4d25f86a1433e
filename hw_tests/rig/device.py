"""The camera under test as the tests see it: commands, files, processes and Platewarden on it,
whatever labgrid reaches it by.
"""

import json
import shlex
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hw_tests.rig.options import ROOT, Options

PROBE_FILES = ("hw_tests/rig/__init__.py", "hw_tests/rig/fiducial.py", "hw_tests/rig/probe.py")
PROBE_WITHIN_S = 110.0
QUIET = {
    "NO_COLOR": "1",
    "PYTHONUNBUFFERED": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "ORT_DISABLE_TELEMETRY": "1",
}


class DeviceError(AssertionError):
    """What was asked of the camera did not work; a failing test shows the message.

    Never a plate: what is printed there is cut and holds none.
    """


@contextmanager
def told_as_ours(what: str) -> Iterator[None]:
    """Each of labgrid's drivers fails in ways of its own: pexpect's TIMEOUT, subprocess's,
    ExecutionError, a serial port that is gone.
    """
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever a driver raises
        said = " ".join(str(error).split())[:200]
        raise DeviceError(f"no answer: {what}: {type(error).__name__}: {said}") from None


def last_object(told: str) -> dict | None:
    """The last line that is a JSON object: the kernel writes on the same console, whenever it
    likes.
    """
    for line in reversed(told.splitlines()):
        begins = line.find("{")
        if begins < 0:
            continue
        try:
            found, _end = json.JSONDecoder().raw_decode(line[begins:])
        except json.JSONDecodeError:
            continue
        return found
    return None


@dataclass
class Device:
    """`command`, `files`: labgrid's drivers.

    `folder`: the scratch folder on the target. Every wait is bounded.
    """

    command: object
    files: object
    options: Options
    folder: str
    _probed: bool = False
    _processes: list["Process"] = field(default_factory=list)

    def run(self, *words: str, within_s: float = 30.0, check: bool = True) -> tuple[int, str]:
        """A program with arguments, no shell's interpretation: (exit code, stdout).

        Raises DeviceError.
        """
        return self.shell(shlex.join(words), within_s=within_s, check=check)

    def shell(self, line: str, *, within_s: float = 30.0, check: bool = True) -> tuple[int, str]:
        """A line for the target's sh. What is no text on a serial line comes as `�`.

        Raises DeviceError, also where no answer comes in time.
        """
        with told_as_ours(f"{line[:120]} (within {within_s:g} s)"):
            out, err, code = self.command.run(line, timeout=within_s, decodeerrors="replace")
        if check and code:
            raise DeviceError(
                f"exit code {code} on the camera: {line[:120]}: {' | '.join([*out, *err])[-600:]}"
            )
        return code, "\n".join(out)

    def platewarden(self, *arguments: str) -> list[str]:
        """The words of a Platewarden command on the target."""
        return [*self._python(), "-m", "agent", *arguments]

    def doctor(self, config: str, *more: str) -> dict:
        """What `doctor --json` says there."""
        _, told = self.run(
            *self.platewarden("doctor", "--json", "--config", config, *more),
            within_s=110.0,
            check=False,
        )
        found = last_object(told)
        if found is None:
            raise DeviceError("doctor printed no JSON on the camera")
        return found

    def probe(self, *arguments: str, within_s: float = PROBE_WITHIN_S) -> dict:
        """hw_tests/rig/probe.py on the target; what it found."""
        if not self._probed:
            self.put_files({name: ROOT / name for name in PROBE_FILES}, "probe")
            self._probed = True
        code, told = self.run(
            *self._python("probe"),
            "-m",
            "hw_tests.rig.probe",
            *arguments,
            within_s=within_s,
            check=False,
        )
        found = last_object(told)
        if found is None:
            raise DeviceError(f"the probe ended with {code} and printed no JSON")
        if "error" in found:
            raise DeviceError(f"the probe says: {found['error']}")
        return found

    def put_files(self, files: dict[str, Path], folder: str) -> str:
        """Copy files or folders to the target, modes kept, into a fresh `folder` below the scratch
        folder; its path there.
        """
        there = f"{self.folder}/{folder}"
        self.run("rm", "-rf", there)
        self.run("mkdir", "-p", there)
        with tempfile.TemporaryDirectory() as here:
            archive = Path(here) / "files.tar"
            with tarfile.open(archive, "w") as tar:
                for name, path in files.items():
                    tar.add(path, name)
            with told_as_ours(f"files to {there}"):
                self.files.put(str(archive), f"{there}.tar")
        self.run("tar", "--no-same-owner", "-xpf", f"{there}.tar", "-C", there, within_s=60)
        self.run("rm", f"{there}.tar")
        return there

    def fetch(self, path: str, destination: Path) -> Path:
        """One file from the target."""
        with told_as_ours(f"{path} from the camera"):
            self.files.get(path, str(destination))
        return destination

    def start(self, name: str, *words: str) -> "Process":
        """A program in the background, in a session of its own, so that it dies as a whole; its
        output in a file on the target.
        """
        stem = f"{self.folder}/{name}"
        inner = f"echo $$ >{shlex.quote(stem)}.pid; exec {shlex.join(words)}"
        self.shell(
            f"rm -f {shlex.quote(stem)}.pid; "
            f"setsid sh -c {shlex.quote(inner)} >>{shlex.quote(stem)}.out 2>&1 </dev/null &"
        )
        process = Process(self, stem, self._pid(stem))
        self._processes.append(process)
        return process

    def stop_all(self) -> None:
        """SIGKILL to whatever a test left behind."""
        for process in self._processes:
            process.kill()
        self._processes.clear()

    def reconnect(self, target: object) -> None:
        """After a reset: labgrid's drivers are activated anew, and what ran there is gone."""
        for driver in {id(one): one for one in (self.command, self.files)}.values():
            target.activate(driver)
        self._processes.clear()

    def _pid(self, stem: str) -> int:
        for _ in range(100):
            _, told = self.shell(f"cat {shlex.quote(stem)}.pid 2>/dev/null", check=False)
            if told.strip().isdigit():
                return int(told)
            time.sleep(0.05)
        raise DeviceError(f"{Path(stem).name} did not start on the camera")

    def _python(self, *folders: str) -> list[str]:
        path = ":".join(
            [*(f"{self.folder}/{folder}" for folder in folders), self.options.pythonpath]
        )
        return [
            "env",
            *(f"{key}={value}" for key, value in QUIET.items()),
            f"PYTHONPATH={path}",
            "PYTHONSAFEPATH=1",
            self.options.python,
        ]


@dataclass
class Process:
    """A process group on the target. `stem`: its .out and .pid files."""

    device: Device
    stem: str
    pid: int

    def alive(self) -> bool:
        """Neither gone nor a zombie that its parent has not yet looked after."""
        code, _ = self.device.shell(
            f"grep -q '^State:[^ZX]*$' /proc/{self.pid}/status 2>/dev/null", check=False
        )
        return code == 0

    def kill(self) -> None:
        """SIGKILL to the whole group: nothing is flushed, nobody says goodbye."""
        self.device.shell(f"kill -s KILL -- -{self.pid} 2>/dev/null", check=False)

    def stop(self, within_s: float = 30.0) -> None:
        """SIGTERM; fails when it is not obeyed in time."""
        self.device.shell(f"kill -s TERM -- -{self.pid} 2>/dev/null", check=False)
        end_s = time.monotonic() + within_s
        while self.alive():
            if time.monotonic() > end_s:
                raise DeviceError(
                    f"{Path(self.stem).name} does not end within {within_s:g} s of SIGTERM"
                )
            time.sleep(0.1)

    def output(self) -> str:
        """What it has printed, as far as it goes."""
        return self.device.shell(
            f"tail -c 3000 {shlex.quote(self.stem)}.out 2>/dev/null", check=False
        )[1]
