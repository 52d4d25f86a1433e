"""A pytest plugin that gathers outcomes and figures while the tests run, and writes the record and
the page when they have ended.
"""

import platform
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hw_tests.history import page, record
from hw_tests.history.record import Figure, Outcome, Run

MASK, MESSAGE = "▮▮▮", 600
BROKEN = "is in broken state"
NEVER_RAN = "did not run: the session ended before it"
ROOT = Path(__file__).parents[2]


class Collector:
    """`plates`: fictitious texts that this run showed; they are struck out of every message.

    `figures`: by name; a later value replaces an earlier.
    """

    def __init__(self, folder: Path, html: Path | None, environment: str) -> None:
        self._folder, self._html, self._begun = folder, html, datetime.now(UTC)
        self.where = {
            "environment": environment,
            "commit": commit(),
            "sensor": "unknown",
            "machine": platform.machine(),
            "version": "unknown",
        }
        self.where["python"] = platform.python_version()
        self.models: dict[str, str] = {}
        self.plates: set[str] = set()
        self._figures: dict[str, Figure] = {}
        self._tests: dict[str, Outcome] = {}
        self._awaited: tuple[str, ...] = ()

    def figure(self, name: str, value: float, unit: str, *, simulated: bool) -> None:
        """One measured value of this run."""
        self._figures[name] = Figure(name, float(value), unit, simulated)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """What this run set out to try."""
        self._awaited = tuple(_name(item.nodeid) for item in session.items)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Set-up, call and tear-down become one outcome: the worst."""
        name, seconds = _name(report.nodeid), report.duration
        before = self._tests.get(name)
        outcome, message = self._said(report)
        if before is not None:
            seconds += before.seconds
            if before.outcome in {"failed", "error"} or (
                before.outcome == "skipped" and outcome == "passed"
            ):
                outcome, message = before.outcome, before.message
        self._tests[name] = Outcome(name[: record.MAX_TEXT], outcome, round(seconds, 2), message)

    def pytest_sessionfinish(self) -> None:
        """The record; the page over all records. A run that collected nothing is no night."""
        if not any(one.outcome != "skipped" for one in self._tests.values()):
            return
        for name in self._awaited:
            if name not in self._tests:
                self._tests[name] = Outcome(name[: record.MAX_TEXT], "error", 0.0, NEVER_RAN)
        run = Run(
            self._begun,
            self.where,
            self.models,
            tuple(self._tests.values()),
            tuple(self._figures.values()),
        )
        record.write(self._folder, run)
        if self._html:
            page.write(self._folder, self._html)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._html and self._html.exists():
            terminalreporter.write_line(f"compared with the nights before: {self._html}")

    def _said(self, report: pytest.TestReport) -> tuple[str, str]:
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            return "failed" if report.when == "call" else "error", self._line(
                crash.message if crash else str(report.longrepr)
            )
        if report.skipped:
            reason = (
                report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            )
            if BROKEN in reason:  # labgrid skips what follows a camera that did not come up
                return "error", self._line(f"did not run: {reason.removeprefix('Skipped: ')}")
            return "skipped", self._line(reason.removeprefix("Skipped: "))
        return "passed", ""

    def _line(self, text: str) -> str:
        for plate in self.plates:
            text = text.replace(plate, MASK)
        text = " ".join(text.split())
        return text if len(text) <= MESSAGE else text[: MESSAGE - 1] + "…"


def _name(nodeid: str) -> str:
    return nodeid.removeprefix("hw_tests/")


def commit() -> str:
    """Twelve digits; `+` when the tree has other changes; `unknown` without git."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(ROOT), *words], capture_output=True, text=True, timeout=20, check=True
        ).stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + (
            "+" if git("status", "--porcelain", "--untracked-files=no") else ""
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"


Figures = Callable[[str, float, str], None]
