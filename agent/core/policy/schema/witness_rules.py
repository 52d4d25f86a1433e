"""What a charter says of witnesses: which log of the city they cosign, how many of them are enough,
and after how many hours without them a camera stops releasing (docs/ref/policy.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from agent.core.log.checkpoint import parse_verifier_key
from agent.core.log.cosignature import parse_witness_key
from agent.core.log.witness_policy import Witness, WitnessPolicy, k_of
from agent.core.text.schema.notes import Between, By, Length
from agent.core.text.schema.section import Section
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.core.text.toml_document import Document

LEAST_HOURS, MOST_HOURS = 30, 8_760  # an answer may take a day


def _read_by(parse: Callable[[str], object], fix: str) -> By:
    """A line that this function reads; it stays the line."""

    def read(value: object) -> object:
        if isinstance(value, str):
            try:
                parse(value)
            except ValueError as error:
                raise ValueError(f"{error} | {fix}: name+id+key") from None
        return value

    return By(read)


_LOG_KEY = _read_by(parse_verifier_key, "copy the line of `audit publish`")
_WITNESS = _read_by(parse_witness_key, "ask the witness for its line")


class WitnessRulesTable(Section):
    """[witnesses] of a charter. `close_after_hours`: None: it is only told."""

    log: Annotated[str, _LOG_KEY]
    keys: Annotated[list[Annotated[str, _WITNESS]], Length(1, 16)]
    quorum: Annotated[int, Between(ge=1, le=16)]
    close_after_hours: Annotated[int, Between(ge=LEAST_HOURS, le=MOST_HOURS)] | None = None


@dataclass(frozen=True, slots=True)
class WitnessRules:
    """`log`: the name of the city's log, `log_key` its raw Ed25519 key; `policy`: which witnesses
    are enough; `close_after_s`: how long a camera may release without them, None: for ever.
    """

    log: str
    log_key: bytes
    policy: WitnessPolicy
    close_after_s: int | None


def witness_rules(document: Document) -> WitnessRules | None:
    """The rules in a charter, or None; faults are noted."""
    written = document.table.get("witnesses", {})
    if not isinstance(written, dict) or not written:
        return None
    table = document.check(WitnessRulesTable, written, ("witnesses",))
    if table is None:
        return None
    keys = [parse_witness_key(text) for text in table.keys]
    try:
        policy = k_of(table.quorum, [Witness(key.name, key) for key in keys])
    except ValueError as error:
        document.fault(("witnesses", "quorum"), str(error), "name that many, each once")
        return None
    hours = table.close_after_hours
    name, raw = parse_verifier_key(table.log)
    return WitnessRules(name, raw, policy, hours * 3_600 if hours is not None else None)
