"""The simulated sessions as the fleet's conductor sees them: some processes, one sum."""

import json
import subprocess
import sys
import threading
from pathlib import Path

from tests.support.delivery_rig import ROOT


class SessionPool:
    """A process for each task; `sent`, `got`: read ids and when, by the monotonic clock."""

    def __init__(self, tasks: list[dict[str, object]], errors: Path) -> None:
        self.sent: dict[str, float] = {}
        self.got: dict[str, float] = {}
        self._state: list[dict[str, int]] = [{} for _ in tasks]
        self._lock, self._errors = threading.Lock(), errors
        self._processes = []
        with errors.open("ab") as said:
            for task in tasks:
                process = subprocess.Popen(
                    [sys.executable, "-m", "tests.fleet.sessions"],
                    cwd=ROOT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=said,
                    text=True,
                )
                self._processes.append(process)
                process.stdin.write(json.dumps(task) + "\n")
                process.stdin.flush()
        self._readers = [
            threading.Thread(target=self._read, args=(number,), daemon=True)
            for number in range(len(tasks))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, number: int) -> None:
        for line in self._processes[number].stdout:
            told = json.loads(line)
            with self._lock:
                self.sent |= dict(told.pop("sent"))
                self.got |= dict(told.pop("got"))
                self._state[number] = told

    def sum(self, what: str) -> int:
        """`connected`, `waiting` or `odd`, of all."""
        with self._lock:
            return sum(one.get(what, 0) for one in self._state)

    def tell(self, order: str) -> None:
        """`go`, `stop` or `end`. Raises AssertionError where one has died."""
        for process in self._processes:
            assert process.poll() is None, self._errors.read_text()[-2_000:]
            process.stdin.write(order + "\n")
            process.stdin.flush()

    def resident_bytes(self) -> int:
        """Memory of all of them."""
        return sum(resident_bytes(process.pid) for process in self._processes)

    def end(self) -> None:
        """After this, `sent` and `got` are whole."""
        self.tell("end")
        for process, reader in zip(self._processes, self._readers, strict=True):
            process.wait(60)
            reader.join(10)

    def kill(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()


def resident_bytes(pid: int) -> int:
    """Of one process, from the kernel."""
    try:
        words = Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()
    except (OSError, IndexError):
        return 0
    return int(words[0]) * 1024
