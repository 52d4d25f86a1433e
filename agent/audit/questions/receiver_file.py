"""Reads what a recipient says of itself: the output of `receiver status --json`, kept in a file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.disk.atomic_file import read_bounded
from agent.errors import UsageError
from agent.values import dataclass

MAX_BYTES = 4 * 1024 * 1024
_Number = Annotated[int, Field(ge=0, le=10**12)]


@dataclass(frozen=True, slots=True)
class DeviceTold:
    """One camera's numbers, as runs from first to last."""

    highest: int
    missing: tuple[tuple[int, int], ...]
    twice: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class ReceiverTold:
    """`devices`: by camera."""

    recipient: str
    devices: Mapping[str, DeviceTold]


class _Device(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True, strict=True)
    device: str
    highest: _Number
    missing: list[list[_Number]]
    twice: list[list[_Number]]


class _Status(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True, strict=True)
    recipient: str
    devices: list[_Device] = Field(max_length=100_000)


def read_receiver(path: Path) -> ReceiverTold:
    """Raises UsageError, StorageError."""
    try:
        status = _Status.model_validate_json(read_bounded(path, MAX_BYTES))
        devices = {one.device: _device(one) for one in status.devices}
    except (ValidationError, ValueError):
        raise UsageError(
            "is not what a receiver says of itself",
            where=path,
            fix="ask the recipient for the output of `platewarden receiver status --json`",
        ) from None
    return ReceiverTold(status.recipient, devices)


def _device(told: _Device) -> DeviceTold:
    return DeviceTold(told.highest, _runs(told.missing), _runs(told.twice))


def _runs(told: Sequence[Sequence[int]]) -> tuple[tuple[int, int], ...]:
    """Raises ValueError for what is no pair."""
    return tuple((low, high) for low, high in told)
