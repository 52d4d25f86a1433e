"""Mutation testing: which small faults would no quick test notice? `make mutation`;
docs/ref/mutation.md has the figures and explains survivors.

First the module runs once with a mark at each place of a fault, so that it is known which tests
come by there: only these run over the fault, and a fault where none comes by is told apart. Each
fault gets a fork. One inside a function is put in by exchanging the function's code, so that it
holds wherever the function was imported; one at module or class level is there before anything of
the product is imported.
"""

import argparse
import gc
import importlib
import importlib.util
import math
import os
import pickle
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.mutation.modules import TESTS
from tests.mutation.mutants import MARK, Mutant, marked, mutants_of

ROOT = Path(__file__).parents[2]
EXPLAINED = ROOT / "docs/ref/mutation.md"
PYTEST = [
    "-q",
    "-x",
    "-p",
    "no:cacheprovider",
    "--timeout=0",
    "--assert=plain",  # what differs is told to nobody
    "--tb=native",
    "-m",
    "not slow",
    # these look for a shrunk example, and nothing is shrunk here
    "--deselect",
    "tests/unit/test_second_model.py::test_a_disagreement_would_be_shrunk",
]
WARM = (
    "hypothesis",
    "numpy",
    "tuf.ngclient",
    "cryptography.x509",
    "cryptography.hazmat.primitives.serialization",
)
"""Imported once, before the forks: what a fork would import for seconds."""
NOTICED, SURVIVED, NEVER, BROKE, LATE = (
    "noticed",
    "survived",
    "never executed",
    "broke the import",
    "ran out of time",
)
_PASSED, _FAILED, _UNFIT, _NO_IMPORT = 0, 1, 5, 6
_SAID = {_PASSED: SURVIVED, _FAILED: NOTICED, _NO_IMPORT: BROKE}


@dataclass(frozen=True)
class Fault:
    """`module`: as in TESTS."""

    module: str
    mutant: Mutant

    def __str__(self) -> str:
        return (
            f"`{self.module.rpartition('.')[2]}.py` `{self.mutant.function or '(module)'}`: "
            f"`{self.mutant.was}` → `{self.mutant.now}`"
        )


@dataclass
class Seen:
    """Which places the tests came by: while they were imported, and each test with its seconds."""

    at_import: set[int] = field(default_factory=set)
    tests: dict[str, tuple[set[int], float]] = field(default_factory=dict)
    code: int = 1

    def of(self, place: int) -> dict[str, float]:
        """Tests that came by, with their seconds."""
        return {name: seconds for name, (places, seconds) in self.tests.items() if place in places}

    def all(self) -> dict[str, float]:
        """For what is executed at import only: nobody sees who uses it."""
        return {name: seconds for name, (_, seconds) in self.tests.items()}


class Forks:
    """As many at once as there are cores, each with a folder of its own for temporary files, and
    ended with all that it started.
    """

    def __init__(self) -> None:
        self.running: dict[int, tuple[Callable[[int], None], float, str]] = {}

    def start(self, child: Callable[[], int], limit_s: float, then: Callable[[int], None]) -> None:
        """`child` gives the exit code, which `then` is told; -1 when the time was over."""
        while len(self.running) >= (os.cpu_count() or 1):
            self._wait()
        sys.stdout.flush()
        folder = tempfile.mkdtemp(prefix="mutant-")
        pid = os.fork()
        if pid == 0:
            _alone(child, folder)
        self.running[pid] = then, time.monotonic() + limit_s, folder

    def finish(self) -> None:
        while self.running:
            self._wait()

    def _wait(self) -> None:
        while True:
            for pid, (then, until, folder) in list(self.running.items()):
                ended, status = os.waitpid(pid, os.WNOHANG)
                late = not ended and time.monotonic() > until
                if not ended and not late:
                    continue
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, signal.SIGKILL)
                if late:
                    os.waitpid(pid, 0)
                del self.running[pid]
                shutil.rmtree(folder, ignore_errors=True)
                then(-1 if late else os.waitstatus_to_exitcode(status))
                return
            time.sleep(0.01)


def _alone(child: Callable[[], int], folder: str) -> None:
    """In the fork: say nothing and never come back."""
    code = _FAILED
    try:
        os.setpgid(0, 0)
        os.environ["PYTEST_DEBUG_TEMPROOT"] = tempfile.tempdir = folder
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        code = child()
    finally:
        os._exit(code)


class Watcher:
    """A plugin that notes which places each test comes by."""

    def __init__(self, seen: Seen) -> None:
        self.seen, self.now = seen, seen.at_import

    def __call__(self, place: int) -> None:
        self.now.add(place)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item):
        self.now, start = set(), time.monotonic()
        try:
            return (yield)
        finally:
            self.seen.tests[item.nodeid] = self.now, time.monotonic() - start


class Chosen:
    """A plugin that runs these tests only, the quickest first. `others`: and then those of other
    names: a constant that is changed may stand in a test's name.
    """

    def __init__(self, tests: dict[str, float], *, others: bool = False) -> None:
        self.tests, self.others = tests, others

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (item for item in items if self.others or item.nodeid in self.tests),
            key=lambda item: self.tests.get(item.nodeid, math.inf),
        )


class InFork:
    """A plugin that, once the tests are collected, runs them over each fault instead of once."""

    def __init__(self, faults: Sequence[Fault], seen: Seen, outcomes: dict[int, int]) -> None:
        self.faults, self.seen, self.outcomes = faults, seen, outcomes

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        from _pytest.runner import runtestprotocol

        forks, items = Forks(), {item.nodeid: item for item in session.items}
        gc.collect()
        gc.freeze()  # else each fork would copy what it never changes

        def run(fault: Fault, tests: dict[str, float]) -> int:
            if not exchange(fault):
                return _UNFIT
            order = [items[name] for name in sorted(tests, key=tests.__getitem__)]
            for item, following in zip(order, [*order[1:], None], strict=True):
                reports = runtestprotocol(item, log=False, nextitem=following)
                if any(report.failed for report in reports):
                    return _FAILED
            return _PASSED

        for number, fault in enumerate(self.faults):
            tests = self.seen.of(fault.mutant.place)
            forks.start(
                lambda fault=fault, tests=tests: run(fault, tests),
                _limit_s(tests),
                lambda code, number=number: self.outcomes.__setitem__(number, code),
            )
        forks.finish()
        return True


def exchange(fault: Fault) -> bool:
    """Give the function the mutant's code and defaults; False where that cannot be done."""
    name = f"agent.{fault.module}"
    module = importlib.import_module(name)
    space = importlib.util.module_from_spec(module.__spec__).__dict__
    try:
        exec(compile(fault.mutant.tree, name, "exec"), space)
        old, new = (
            _plain(reduce(getattr, path[1:], names[path[0]]))
            for names in (module.__dict__, space)
            for path in [fault.mutant.function.split(".")]
        )
        old.__code__, old.__defaults__, old.__kwdefaults__ = (
            new.__code__,
            new.__defaults__,
            new.__kwdefaults__,
        )
    except Exception:  # noqa: BLE001 - whatever it is, the fault gets an import of its own
        return False
    return True


def _plain(one):
    """The function itself behind a property, a method or a wrapper."""
    for name in ("fget", "__func__", "__wrapped__"):
        one = getattr(one, name, one)
    return one


class Finder:
    """Hands out the changed module when the product imports it."""

    def __init__(self, module: str, tree, **names) -> None:
        self.name, self.tree, self.names, self.failed = f"agent.{module}", tree, names, False

    def find_spec(self, name, path=None, target=None):
        return importlib.util.spec_from_loader(name, self) if name == self.name else None

    def create_module(self, spec):
        return None

    def exec_module(self, module) -> None:
        module.__file__ = str(ROOT / f"{self.name.replace('.', '/')}.py")
        module.__dict__.update(self.names)
        try:
            exec(compile(self.tree, module.__file__, "exec"), module.__dict__)
        except BaseException:
            self.failed = True
            raise


def files_of(module: str) -> list[str]:
    return [f"tests/{name}.py" for name in TESTS[module]]


def look(module: str, source: str) -> Seen:
    """One run of all tests over the marked module."""

    def child(to: str) -> int:
        seen = Seen()
        watcher = Watcher(seen)
        sys.meta_path.insert(0, Finder(module, marked(source), **{MARK: watcher}))
        seen.code = int(pytest.main([*PYTEST, *files_of(module)], plugins=[watcher]))
        Path(to).write_bytes(pickle.dumps(seen))
        return 0

    return _told_by(child, 1800, Seen())


def _told_by(child: Callable[[str], int], limit_s: float, otherwise):
    """What a fork writes down, or `otherwise`."""
    with tempfile.TemporaryDirectory() as folder:
        to, forks = f"{folder}/told", Forks()
        forks.start(lambda: child(to), limit_s, lambda _code: None)
        forks.finish()
        return pickle.loads(Path(to).read_bytes()) if Path(to).exists() else otherwise


def _limit_s(tests: dict[str, float]) -> float:
    """A fault may make a loop endless, which is noticed too; busy cores are no fault."""
    return 30 + 10 * sum(tests.values())


def anew(fault: Fault, tests: dict[str, float]) -> int:
    """In a fork: the tests over a fault that is there from the import on."""
    finder = Finder(fault.module, fault.mutant.tree)
    sys.meta_path.insert(0, finder)
    files = sorted({name.partition("::")[0] for name in tests})
    chosen = Chosen(tests, others=not fault.mutant.function)
    code = pytest.main([*PYTEST, *files], plugins=[chosen])
    if finder.failed or code not in (_PASSED, _FAILED):
        return _NO_IMPORT
    return int(code)


def examine(module: str) -> dict[Fault, str]:
    """Every fault of a module, and what became of it."""
    source = (ROOT / f"agent/{module.replace('.', '/')}.py").read_text(encoding="utf-8")
    faults = [Fault(module, mutant) for mutant in mutants_of(source)]
    seen = look(module, source)
    if seen.code != 0:
        sys.exit(f"{module}: the tests fail without any fault; mend that first")
    inside, outside, became = [], [], {}
    for fault in faults:
        if fault.mutant.function and seen.of(fault.mutant.place):
            inside.append(fault)
        elif fault.mutant.place in seen.at_import:
            outside.append(fault)
        else:
            became[fault] = NEVER

    def child(to: str) -> int:
        codes: dict[int, int] = {}
        plugins = [Chosen(seen.all()), InFork(inside, seen, codes)]
        pytest.main([*PYTEST, "-s", *files_of(module)], plugins=plugins)
        Path(to).write_bytes(pickle.dumps(codes))
        return 0

    codes = _told_by(child, 36_000, {}) if inside else {}
    for number, fault in enumerate(inside):
        if codes.get(number, _UNFIT) == _UNFIT:
            outside.append(fault)
        else:
            became[fault] = _SAID.get(codes[number], LATE if codes[number] == -1 else NOTICED)
    forks = Forks()
    for fault in outside:
        tests = seen.of(fault.mutant.place) or seen.all()
        forks.start(
            lambda fault=fault, tests=tests: anew(fault, tests),
            _limit_s(tests),
            lambda code, fault=fault: became.__setitem__(
                fault, _SAID.get(code, LATE if code == -1 else NOTICED)
            ),
        )
    forks.finish()
    return became


def warm_up() -> None:
    """Without shrinking: it would spend minutes on what is to fail anyway."""
    settings.register_profile(
        "mutation",
        deadline=None,
        derandomize=True,
        max_examples=40,
        suppress_health_check=[HealthCheck.too_slow],
        phases=[Phase.explicit, Phase.generate],
    )
    os.environ["HYPOTHESIS_PROFILE"] = "mutation"
    for name in WARM:
        importlib.import_module(name)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", default=list(TESTS), help="as core.policy.decide")
    asked = parser.parse_args()
    os.chdir(ROOT)
    warm_up()
    explained, unexplained = EXPLAINED.read_text(encoding="utf-8"), 0
    for module in asked.modules:
        start = time.monotonic()
        became = examine(module)
        count = Counter(became.values())
        print(
            f"{module}: {len(became)} generated, {len(became) - count[NEVER] - count[BROKE]} run, "
            f"{count[NOTICED] + count[LATE]} noticed ({count[LATE]} by running out of time), "
            f"{count[SURVIVED]} survived, {count[NEVER]} never executed, {count[BROKE]} broke the "
            f"import; {time.monotonic() - start:.0f} s"
        )
        for fault, outcome in became.items():
            if outcome in (SURVIVED, NEVER) and str(fault) not in explained:
                unexplained += 1
                print(f"  {outcome}, line {fault.mutant.line}: {fault}", flush=True)
    print(f"{unexplained} faults are not explained in {EXPLAINED.relative_to(ROOT)}")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
