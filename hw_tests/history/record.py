"""One run as a record: which software saw which sensor, what each test said, what was measured.

Written whole, read with suspicion. No plates.
"""

import json
import math
import re
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

FORMAT = 1
OUTCOMES = ("passed", "failed", "error", "skipped")
MAX_BYTES, MAX_TESTS, MAX_TEXT = 2_000_000, 5_000, 2_000
SUFFIX = ".run.json"
_WHERE = {"environment", "commit", "sensor", "python", "machine", "version"}


class RecordError(Exception):
    """A file that is no record of ours; the message names file and fault, and is shown on the page
    beside the records that are.
    """


@dataclass(frozen=True, slots=True)
class Outcome:
    """One test. `message`: why it failed or was skipped, one line; never a plate."""

    test: str
    outcome: str
    seconds: float
    message: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value. `unit`: as it is shown: "fps", "°C", "s", "%".

    `simulated`: it says nothing of a real camera: this machine stood in its place.
    """

    name: str
    value: float
    unit: str
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """`at`: when it began, UTC.

    `where`: environment, commit, sensor, python, machine, version. `models`: 12 hex digits of each
    model's SHA-256.
    """

    at: datetime
    where: dict[str, str]
    models: dict[str, str] = field(default_factory=dict)
    tests: tuple[Outcome, ...] = ()
    figures: tuple[Figure, ...] = ()

    @property
    def failed(self) -> tuple[Outcome, ...]:
        return tuple(one for one in self.tests if one.outcome in {"failed", "error"})

    @property
    def software(self) -> tuple[str, ...]:
        """What must be equal for two runs to be the same trial: an uncommitted tree is like no
        other.
        """
        commit = self.where["commit"]
        unlike_any = (self.at.isoformat(),) if commit.endswith("+") or commit == "unknown" else ()
        return (
            commit,
            *sorted(f"{name}={value}" for name, value in self.models.items()),
            *unlike_any,
        )


def write(folder: Path, run: Run) -> Path:
    """A file of its own, named by time and environment; whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^A-Za-z0-9-]", "-", run.where["environment"])[:40]
    path = folder / f"{run.at.strftime('%Y%m%dT%H%M%SZ')}-{name}{SUFFIX}"
    table = {**asdict(run), "format": FORMAT, "at": run.at.strftime("%Y-%m-%dT%H:%M:%SZ")}
    part = path.with_suffix(".part")
    part.write_text(json.dumps(table, ensure_ascii=True, indent=1) + "\n", encoding="ascii")
    part.replace(path)
    return path


def read_all(folder: Path) -> tuple[list[Run], list[str]]:
    """Every run in order of time, and a line for each file that is none."""
    runs, faults = [], []
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            runs.append(read(path))
        except RecordError as error:
            faults.append(str(error))
    return sorted(runs, key=lambda run: run.at), faults


def read(path: Path) -> Run:
    """Raises RecordError.

    What is written here is shown to people: everything is bounded and of its type.
    """
    try:
        untrusted_data = path.read_bytes() if path.stat().st_size <= MAX_BYTES else None
    except OSError as error:
        raise RecordError(f"{path.name}: cannot be read: {error.strerror}") from None
    if untrusted_data is None:
        raise RecordError(f"{path.name}: larger than {MAX_BYTES:,} bytes")
    try:
        return _run(json.loads(untrusted_data))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise RecordError(
            f"{path.name}: no record of a run: {type(error).__name__}: {str(error)[:120]}; "
            "remove the file, or look who wrote it"
        ) from None


def _run(untrusted: dict) -> Run:
    if untrusted.get("format") != FORMAT:
        raise ValueError(f"format {untrusted.get('format')!r:.20}, not {FORMAT}")
    where = {key: _text(value) for key, value in untrusted["where"].items()}
    if missing := _WHERE - where.keys():
        raise ValueError(f"where lacks {', '.join(sorted(missing))}")
    if len(untrusted["tests"]) > MAX_TESTS or len(untrusted["figures"]) > MAX_TESTS:
        raise ValueError("too many lines")
    tests = tuple(
        Outcome(
            _text(one["test"]),
            _outcome(one["outcome"]),
            _number(one["seconds"]),
            _text(one["message"]),
        )
        for one in untrusted["tests"]
    )
    figures = tuple(
        Figure(
            _text(one["name"]),
            _number(one["value"]),
            _text(one["unit"]),
            one.get("simulated", where["sensor"].startswith("none")) is True,
        )
        for one in untrusted["figures"]
    )
    at = datetime.strptime(untrusted["at"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return Run(
        at,
        where,
        {_text(key): _text(value) for key, value in untrusted["models"].items()},
        tests,
        figures,
    )


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise TypeError(f"a text is missing or too long: {type(value).__name__}")
    return "".join(character if character.isprintable() else " " for character in value)


def _outcome(value: object) -> str:
    if value not in OUTCOMES:
        raise ValueError("an unknown outcome")
    return str(value)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError("a number is missing")
    return float(value)
