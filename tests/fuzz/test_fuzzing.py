"""The fuzzers themselves: every target takes its seeds, and a planted fault is found.

What fuzzing found has its tests in tests/components/test_fuzz_finds.py.
"""

import contextlib
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz import odd_values, one
from tests.fuzz.planted import FAULTS, stands_at
from tests.fuzz.targets import SEEDS

ROOT = Path(__file__).parents[2]


def python(*arguments, seconds=110):
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


@pytest.fixture(scope="module")
def replayed():
    """In a process of its own: targets run without the boundary, which other tests need."""
    return python("tests.fuzz.one", "--replay")


def test_every_target_takes_its_seeds_without_a_foreign_exception(replayed):
    assert replayed.returncode == 0, replayed.stderr[-2000:]
    count = sum(1 for path in SEEDS.rglob("*") if path.is_file())
    assert f"{count} seeds, nothing foreign" in replayed.stdout


def test_few_seeds_are_refused(replayed):
    """A seed that is refused at the door leads the fuzzer nowhere."""
    refused = [line for line in replayed.stdout.splitlines() if ": " in line]
    names = {line.partition(":")[0] for line in refused}
    assert names <= {
        "wire/nothing",
        "wire_header/newer",
        "jws/receipt",
        "jws/roster",
        "hotlist_sealed_file/stranger",
        "mailbox/read",
        "mailbox/receipt",
        "mailbox/stranger",
    }


FOREIGN = """
from tests.fuzz import one
{first}
from tests.fuzz import targets
from agent.verifying import key_list_check
target = targets.load()["key_list"]
def odd(*_): raise ZeroDivisionError
key_list_check.parse_key_list = odd
print(target.run((target.seeds / "json").read_bytes()))
"""


@pytest.mark.parametrize("without", [True, False])
def test_the_boundary_hides_nothing_from_a_target(without):
    first = "one.without_boundary()" if without else ""
    done = subprocess.run(
        [sys.executable, "-c", FOREIGN.format(first=first)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert (done.returncode != 0) is without, done.stderr
    assert ("ZeroDivisionError" in done.stderr) is without
    assert ("unforeseen" in done.stdout) is not without


def test_every_target_has_seeds_and_a_planted_fault():
    listed = python("tests.fuzz.run", "no-such-target")
    assert listed.returncode == 2
    names = set(listed.stderr.partition("there are: ")[2].split())
    assert names == FAULTS.keys() == {path.name for path in SEEDS.iterdir()}
    assert len(names) > 30


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_stands_where_there_is_a_function(name):
    """Else it cannot be planted, and nobody sees that its fuzzer finds nothing."""
    assert callable(getattr(*stands_at(FAULTS[name])))


@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", ["manual_acts", "hotlist_sealed_file"])
def test_a_planted_fault_is_found(name):
    pytest.importorskip("atheris")
    done = python("tests.fuzz.run", name, "--planted", "--minutes", "2", seconds=390)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert f"PlantedError: {name}" in done.stdout


@pytest.mark.parametrize(
    "data", [b"", b"{}", b'{"a": [1, {"b": "x"}]}', b"a = 1\n\nb = 2\n", b"\0" * 40, b"A" * 60]
)
def test_a_change_is_within_bounds_and_the_same_for_the_same_chance(data):
    made = {
        odd_values.changed(data, 100, random.Random(number), (b"word",)) for number in range(50)
    }
    assert len(made) > 5
    assert max(map(len, made)) <= 100
    again = odd_values.changed(data, 100, random.Random(7), (b"word",))
    assert again == odd_values.changed(data, 100, random.Random(7), (b"word",))


class Leaking:
    """A target that keeps so many bytes of each input."""

    most_seconds = 10.0

    def __init__(self, seeds, kept):
        self.seeds, self.kept, self.held = seeds, kept, []

    def run(self, _data):
        self.held.append(bytearray(b"x" * self.kept))
        return ""


@pytest.mark.parametrize(("kept", "found"), [(16_384, True), (0, False)])
def test_a_target_that_grows_is_found_and_a_fuzzer_that_grows_is_not(
    tmp_path, monkeypatch, kept, found
):
    monkeypatch.setattr(one, "SETTLED_AFTER", 100)
    monkeypatch.setattr(one, "LOOK_EVERY", 100)
    monkeypatch.setattr(one, "MOST_GROWTH_BYTES", 8 << 20)
    target, of_the_fuzzer = Leaking(tmp_path, kept), []
    # counted, not measured: freed memory of earlier tests would hide what is kept
    monkeypatch.setattr(one, "resident", lambda: 1 + sum(map(len, [*target.held, *of_the_fuzzer])))
    watched = one.Watched(target)
    told = pytest.raises(one.FindError, match="grew by") if found else contextlib.nullcontext()
    with told:
        for _ in range(1_000):
            watched(b"")
            of_the_fuzzer.append(bytearray(b"x" * (0 if kept else 16_384)))
    assert watched.settled > 0
