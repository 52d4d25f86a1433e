"""The sequence numbers that came from each camera, in the SQLite index: what is missing, and what
came twice.
"""

from collections.abc import Callable, Sequence
from typing import Any

from agent.receiver.store.number_runs import gaps, runs_of
from agent.receiver.store.read_store import DeviceSequence

Execute = Callable[[str, tuple[object, ...]], Any]
Select = Callable[..., Sequence[tuple[Any, ...]]]


class ArrivedNumbers:
    """The tables `sequences`, `runs` and `twice`; `execute` and `select`: their index's."""

    def __init__(self, execute: Execute, select: Select) -> None:
        self._execute, self._select = execute, select

    def count(self, arrived: Sequence[tuple[str, int, str]]) -> None:
        """Numbers have arrived: device, number and digest of each; inside a transaction."""
        new: dict[str, set[int]] = {}
        for device, sequence, digest in arrived:
            inserted = self._execute(
                "INSERT OR IGNORE INTO sequences VALUES (?, ?, ?)", (device, sequence, digest)
            )
            if inserted.rowcount:
                new.setdefault(device, set()).add(sequence)
            else:
                self._compare(device, sequence, digest)
        for device, numbers in new.items():
            for first, last in runs_of(sorted(numbers)):
                self._extend_runs(device, first, last)

    def sequences(self) -> Sequence[DeviceSequence]:
        """As ReadStore has it."""
        runs: dict[str, list[tuple[int, int]]] = {}
        for device, first, last in self._select("SELECT * FROM runs ORDER BY device, first"):
            runs.setdefault(device, []).append((first, last))
        twice: dict[str, list[int]] = {}
        for device, sequence in self._select(
            "SELECT DISTINCT device, sequence FROM twice ORDER BY device, sequence"
        ):
            twice.setdefault(device, []).append(sequence)
        return [
            DeviceSequence(device, of[-1][1], gaps(of), runs_of(twice.get(device, ())))
            for device, of in runs.items()
        ]

    def make_runs(self) -> None:
        """Of all numbers: once, for an index of a version that had no runs."""
        numbers: dict[str, list[int]] = {}
        for device, number in self._select("SELECT device, sequence FROM sequences ORDER BY 1, 2"):
            numbers.setdefault(device, []).append(number)
        for device, of in numbers.items():
            for run in runs_of(of):
                self._execute("INSERT INTO runs VALUES (?, ?, ?)", (device, *run))

    def _compare(self, device: str, sequence: int, digest: str) -> None:
        """A number has come again: with other bytes it counts as twice."""
        place = (device, sequence)
        [(known,)] = self._select(
            "SELECT sha256 FROM sequences WHERE device = ? AND sequence = ?", place
        )
        if known is None:  # an older version did not keep it
            self._execute(
                "UPDATE sequences SET sha256 = ? WHERE device = ? AND sequence = ?",
                (digest, *place),
            )
        elif known != digest:
            self._execute("INSERT OR IGNORE INTO twice VALUES (?, ?, ?)", (*place, digest))

    def _extend_runs(self, device: str, first: int, last: int) -> None:
        """Numbers `first` to `last` are new."""
        begin, end = first, last
        for low, high in self._select(
            "SELECT first, last FROM runs WHERE device = ? AND (first = ? OR first = (SELECT "
            "max(first) FROM runs WHERE device = ? AND first < ?))",
            (device, last + 1, device, first),
        ):
            if high == first - 1 or low == last + 1:
                begin, end = min(begin, low), max(end, high)
                self._execute("DELETE FROM runs WHERE device = ? AND first = ?", (device, low))
        self._execute("INSERT INTO runs VALUES (?, ?, ?)", (device, begin, end))
