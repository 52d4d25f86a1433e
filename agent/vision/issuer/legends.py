"""The closed list of what US plates say of their issuer, from legends.toml."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from agent.values import dataclass


@dataclass(frozen=True, slots=True)
class Legends:
    """Of one state, its code as `US-CA`: names and slogans, letters A–Z alone."""

    state: str
    names: tuple[str, ...]
    slogans: tuple[str, ...]


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("legends.toml").read_text(encoding="ascii"))


@cache
def legends() -> tuple[Legends, ...]:
    """Every state, by code."""
    slogans = _table()["slogans"]
    return tuple(
        Legends(state, tuple(names), tuple(slogans.get(state, ())))
        for state, names in sorted(_table()["names"].items())
    )


@cache
def state_of() -> dict[str, str]:
    """The state of each legend."""
    return {text: state.state for state in legends() for text in (*state.names, *state.slogans)}


@cache
def counties() -> frozenset[str]:
    """Names that counties of other states have too: below a number they name no state."""
    return frozenset(_table()["counties"])


@cache
def parts() -> frozenset[str]:
    """Legends that stand in another state's: KANSAS in ARKANSAS. Half hidden, that one reads so."""
    return frozenset(
        text
        for text, state in state_of().items()
        if any(text in longer and state != other for longer, other in state_of().items())
    )
