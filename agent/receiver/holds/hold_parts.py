"""What holds need of their receiver."""

from collections.abc import Callable, Mapping
from pathlib import Path

from agent.core.wire.holds.hold_rules import HoldRules
from agent.receiver.opener import Opener
from agent.values import dataclass


@dataclass(frozen=True, slots=True)
class HoldParts:
    """`name`: the receiver's; `makes_keys`: of several that share a store, the one that applies and
    opens holds; `epochs`: the folder of its epoch keys. `opener`, `enrolled`, `rules` are read when
    they are needed; each raises StorageError, RefusedError.
    """

    folder: Path
    recipient: str
    name: str
    makes_keys: bool
    epochs: Path
    opener: Callable[[], Opener]
    enrolled: Callable[[], Mapping[str, bytes]]
    rules: Callable[[], HoldRules]
