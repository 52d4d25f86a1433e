"""The process of one target: atheris around it, or (`--replay`) its seeds once each, without.

python -m tests.fuzz.one NAME --corpus DIR --crashes DIR --seconds N [--planted]
"""

import argparse
import gc
import importlib
import os
import random
import resource
import shutil
import sys
import time
from collections import deque
from contextlib import contextmanager
from pathlib import Path

MOST_GROWTH_BYTES = 300 << 20
LOOK_EVERY, SETTLED_AFTER = 500, 3000  # inputs
MOST_TAKEN = 200
AGAIN = 20  # rounds over the last inputs, when the process has grown
HANG_S = 120  # of wall time: a busy machine is slow, a hang is for ever
PAGE = resource.getpagesize()


class FindError(Exception):
    """An input that took too long, or a process that grows."""


@contextmanager
def open_frame(*_arguments: object, **_named: object):
    """Stands where agent.boundary.document stood: everything passes."""
    yield


def without_boundary() -> None:
    """Before anything else of ours is imported, else decorators hold the real one already."""
    from agent import boundary

    boundary.document = open_frame


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


class Watched:
    """A target whose time and memory are looked at. `taken`: inputs that were no refusal, to begin
    from again: the fuzzer soon prefers what is odd, and what is odd is refused at the door.
    """

    def __init__(self, target) -> None:
        self.target, self.count, self.settled = target, 0, 0
        self.chance = random.Random(1)
        self.last: deque[bytes] = deque(maxlen=LOOK_EVERY)
        self.taken = [path.read_bytes() for path in sorted(target.seeds.iterdir())]

    def __call__(self, data: bytes) -> None:
        begun = time.process_time()
        if not self.target.run(data):
            self._keep(data)
        took = time.process_time() - begun
        if took > self.target.most_seconds:
            raise FindError(f"{took:.1f} s of processor time for {len(data)} bytes")
        self.count += 1
        self.last.append(data)
        if self.count == SETTLED_AFTER:
            gc.collect()
            self.settled = resident()
        elif self.count > SETTLED_AFTER and self.count % LOOK_EVERY == 0:
            self._look()

    def _look(self) -> None:
        """The fuzzer's own memory grows as well: by 300 MiB over half a million inputs. So the
        target must grow without it, over the last inputs again, by a quarter of what it would have
        to.
        """
        before = resident()
        grown = before - self.settled
        if grown <= MOST_GROWTH_BYTES:
            return
        for _ in range(AGAIN):
            for data in self.last:
                self.target.run(data)
        gc.collect()
        expected = grown / self.count * AGAIN * len(self.last)
        if resident() - before > expected / 4:
            raise FindError(f"grew by {grown >> 20} MiB over {self.count} inputs")
        self.settled += grown

    def _keep(self, data: bytes) -> None:
        if len(self.taken) < MOST_TAKEN:
            self.taken.append(data)
        elif self.chance.random() < 0.1:
            self.taken[self.chance.randrange(MOST_TAKEN)] = data


def fuzz(asked) -> None:
    import atheris

    without_boundary()
    with atheris.instrument_imports(
        include=["agent", "tests.fuzz.planted", *asked.also], enable_loader_override=False
    ):
        importlib.import_module("agent.peers.plate_config")  # which is imported only when asked for
        target = importlib.import_module("tests.fuzz.targets").load()[asked.name]
        if asked.planted:
            planted = importlib.import_module("tests.fuzz.planted")
            planted.plant(asked.name)
            for seed in target.seeds.iterdir():
                target.run(seed.read_bytes())  # a fault that a seed meets is none that was found
    from tests.fuzz.odd_values import changed

    def mutated(data: bytes, most_bytes: int, number: int) -> bytes:
        chance = random.Random(number)
        if chance.random() < 0.4:
            data = chance.choice(watched.taken)[:most_bytes]
        if chance.random() < 0.5:
            return atheris.Mutate(data, most_bytes)
        return changed(data, most_bytes, chance, target.words)

    watched = Watched(target)
    options = [
        sys.argv[0],
        f"-max_total_time={asked.seconds}",
        f"-max_len={target.most_bytes}",
        f"-timeout={HANG_S}",
        "-rss_limit_mb=4096",
        "-len_control=20",
        "-reload=0",
        "-print_final_stats=1",
        f"-artifact_prefix={asked.crashes}/",
        asked.corpus,
        str(target.seeds),
    ]
    atheris.Setup(options, watched, custom_mutator=mutated)
    atheris.Fuzz()


def replay(names: list[str]) -> int:
    """Every seed once: how many were fed."""
    without_boundary()
    targets = importlib.import_module("tests.fuzz.targets").load()
    count = 0
    for name in names or targets:
        seeds = sorted(targets[name].seeds.iterdir())
        assert seeds, f"{name} has no seeds"
        for path in seeds:
            try:
                if refused := targets[name].run(path.read_bytes()):
                    print(f"{name}/{path.name}: {refused}")
            except Exception as error:
                raise AssertionError(f"{name}/{path.name}") from error
            count += 1
    return count


def clean() -> None:
    """Folders in memory go with the process."""
    if world := sys.modules.get("tests.fuzz.world"):
        for name in list(world.made):
            shutil.rmtree(name, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="?", default="")
    parser.add_argument("--corpus")
    parser.add_argument("--crashes")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--also", nargs="*", default=[])
    parser.add_argument("--planted", action="store_true")
    parser.add_argument("--replay", action="store_true")
    asked = parser.parse_args()
    if asked.replay:
        print(f"{replay([asked.name] if asked.name else [])} seeds, nothing foreign")
        clean()
        return
    os.environ.pop("PLATEWARDEN_DEBUG", None)
    fuzz(asked)


if __name__ == "__main__":
    main()
