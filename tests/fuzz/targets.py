"""The registry of what is fuzzed: one small function a target, which feeds bytes to one boundary.

A target may raise PlatewardenError and nothing else. It runs without `agent.boundary`, so that an
exception which the boundary would catch is found, and mended where it begins (docs/ref/fuzzing.md).
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from agent.errors import PlatewardenError

HERE = Path(__file__).parent
SEEDS = HERE / "seeds"
MODULES = ("wire_targets", "city_targets", "bundle_targets", "device_targets", "hold_targets")


@dataclass(frozen=True)
class Target:
    """`fed`: what the bytes are, for people; `most_bytes` of one input; `most_seconds` of processor
    time for one; `also`: foreign modules in Python whose branches count as coverage too; `words`:
    of the format, which chance would not spell.
    """

    name: str
    fed: str
    feed: Callable[[bytes], None]
    most_bytes: int
    most_seconds: float
    also: tuple[str, ...]
    words: tuple[bytes, ...]

    @property
    def seeds(self) -> Path:
        return SEEDS / self.name

    def run(self, data: bytes) -> str:
        """One input. Whatever is raised is a find. Why it was refused; empty: it was taken."""
        try:
            self.feed(data)
        except PlatewardenError as error:
            return str(error)
        return ""


TARGETS: dict[str, Target] = {}


def target(
    fed: str,
    most_bytes: int = 4096,
    most_seconds: float = 2.0,
    also: tuple[str, ...] = (),
    words: str = "",
):
    """Registers a function as the target of its name. `words`: apart by spaces."""

    def register(feed: Callable[[bytes], None]) -> Callable[[bytes], None]:
        name = feed.__name__
        assert name not in TARGETS, name
        told = tuple(words.encode().split())
        TARGETS[name] = Target(name, fed, feed, most_bytes, most_seconds, also, told)
        return feed

    return register


def load() -> dict[str, Target]:
    """Every target. What is imported here imports the product."""
    for module in MODULES:
        import_module(f"tests.fuzz.{module}")
    return TARGETS
