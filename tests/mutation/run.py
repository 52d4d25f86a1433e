"""Mutation testing of the refusing part: which small faults in it would no quick test notice?

`make mutation`; docs/ref/mutation.md explains survivors.

Each mutant runs in a fork of a process that has collected the tests already. A fault inside a
function is put in by exchanging the function's code, so that it holds wherever the function was
imported; one at module or class level gets a fork of its own before anything of the product is
imported.
"""

import argparse
import importlib
import importlib.util
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import pytest

from tests.mutation.mutants import Mutant, mutants_of

ROOT = Path(__file__).parents[2]
EXPLAINED = ROOT / "docs/ref/mutation.md"
MODULES = ("policy.decide", "policy.policy", "policy.charter", "hotlist.matching")
TESTS = [
    *(
        f"tests/unit/test_{name}.py"
        for name in (
            "policy",
            "charter",
            "matching",
            "policy_file",
            "barring",
            "lead_odds",
            "policy_check",
            "rehearsal",
        )
    ),
    "tests/components/test_second_model.py",
]
# No shrinking: hypothesis would spend minutes on what is to fail anyway.
PYTEST = [
    "-q",
    "-x",
    "-p",
    "no:cacheprovider",
    "--timeout=0",
    "-m",
    "not slow",
    "--deselect",
    "tests/components/test_second_model.py::test_a_disagreement_would_be_shrunk",
]
MOST_SECONDS = 120  # of one mutant; a fault may make a loop endless, which is noticed too


@dataclass(frozen=True)
class Fault:
    module: str
    mutant: Mutant

    def __str__(self) -> str:
        return (
            f"`{self.module.rpartition('.')[2]}.py` `{self.mutant.function or '(module)'}`: "
            f"`{self.mutant.was}` → `{self.mutant.now}`"
        )


class Runner:
    """Runs faults in forks, as many at once as there are cores.

    `survivors`: those that no test noticed.
    """

    def __init__(self) -> None:
        self.running: dict[int, Fault] = {}
        self.survivors: list[Fault] = []
        self.broken: list[Fault] = []

    def start(self, fault: Fault, child: Callable[[], bool]) -> None:
        """`child`: True where all tests passed."""
        while len(self.running) >= (os.cpu_count() or 1):
            self._wait()
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            _alone(child)
        self.running[pid] = fault

    def finish(self) -> None:
        while self.running:
            self._wait()

    def _wait(self) -> None:
        pid, status = os.wait()
        fault = self.running.pop(pid)
        if os.waitstatus_to_exitcode(status) == 0:
            self.survivors.append(fault)


def _alone(child: Callable[[], bool]) -> None:
    """In the fork: say nothing, end in time, and never come back."""
    code = 1
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(MOST_SECONDS)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        code = 0 if child() else 1
    finally:
        os._exit(code)


class InFork:
    """A plugin that, once the tests are collected, runs them over each fault instead of once."""

    def __init__(self, runner: Runner, faults: Sequence[Fault]) -> None:
        self.runner, self.faults = runner, faults

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        from _pytest.runner import runtestprotocol

        def passes(fault: Fault | None) -> bool:
            if fault is not None:
                exchange(fault)
            for item, following in zip(session.items, [*session.items[1:], None], strict=True):
                if any(
                    report.failed for report in runtestprotocol(item, log=False, nextitem=following)
                ):
                    return False
            return True

        self.runner.start(Fault("none", Mutant(0, "", "", "", None)), lambda: passes(None))
        self.runner.finish()
        if not self.runner.survivors:
            pytest.exit("the tests fail without any fault; mend that first", 2)
        self.runner.survivors.clear()
        for fault in self.faults:
            self.runner.start(fault, lambda fault=fault: passes(fault))
        self.runner.finish()
        return True


def exchange(fault: Fault) -> None:
    """Give the function the mutant's code and defaults."""
    name = f"agent.core.{fault.module}"
    module = importlib.import_module(name)
    space = importlib.util.module_from_spec(module.__spec__).__dict__
    exec(compile(fault.mutant.tree, name, "exec"), space)
    old, new = (
        reduce(getattr, path[1:], names[path[0]])
        for names in (module.__dict__, space)
        for path in [fault.mutant.function.split(".")]
    )
    old, new = (getattr(one, "__func__", one) for one in (old, new))
    old.__code__ = new.__code__
    old.__defaults__ = new.__defaults__
    old.__kwdefaults__ = new.__kwdefaults__


class Finder:
    """Hands out the mutant when the product imports the module."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault

    def find_spec(self, name, path=None, target=None):
        return (
            importlib.util.spec_from_loader(name, self)
            if name == f"agent.core.{self.fault.module}"
            else None
        )

    def create_module(self, spec):
        return None

    def exec_module(self, module) -> None:
        exec(compile(self.fault.mutant.tree, module.__name__, "exec"), module.__dict__)


def passes_anew(fault: Fault) -> bool:
    sys.meta_path.insert(0, Finder(fault))
    return pytest.main([*PYTEST, *TESTS]) == 0


def tell_counts(modules: list[str], faults: list[Fault], survivors: list[Fault]) -> None:
    made = Counter(fault.module for fault in faults)
    left = Counter(fault.module for fault in survivors)
    for name in modules:
        print(
            f"{name}.py: "
            f"{made[name]} mutants, {made[name] - left[name]} noticed, {left[name]} survived"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "modules", nargs="*", default=MODULES, help="of agent/core, as policy.decide"
    )
    asked, start = parser.parse_args(), time.monotonic()
    os.chdir(ROOT)
    faults = [
        Fault(name, mutant)
        for name in asked.modules
        for mutant in mutants_of(
            (ROOT / f"agent/core/{name.replace('.', '/')}.py").read_text(encoding="utf-8")
        )
    ]
    runner = Runner()
    for fault in faults:
        if not fault.mutant.function:
            runner.start(fault, lambda fault=fault: passes_anew(fault))
    runner.finish()
    outside, runner.survivors = runner.survivors, []
    code = pytest.main(
        [*PYTEST, "-s", *TESTS],
        plugins=[InFork(runner, [fault for fault in faults if fault.mutant.function])],
    )
    if code not in {0, 5}:
        return 1
    survivors = outside + runner.survivors
    tell_counts(asked.modules, faults, survivors)
    explained = EXPLAINED.read_text(encoding="utf-8")
    unexplained = [fault for fault in survivors if str(fault) not in explained]
    print(
        *(
            f"not explained in {EXPLAINED.relative_to(ROOT)}: line {fault.mutant.line} {fault}"
            for fault in unexplained
        ),
        sep="\n",
    )
    print(f"{time.monotonic() - start:.0f} s")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
