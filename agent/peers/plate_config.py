"""Reads a fast-plate-ocr plate config: the YAML file that says what its recogniser was trained
on.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from agent.core.reading.plate_text import MAX_LENGTH
from agent.core.text.schema_words import first_fault
from agent.errors import ConfigError

LARGEST_BYTES = 16 * 1024
FIX = "give the plate config that came with the recogniser"

Side = Annotated[int, Field(ge=8, le=2048)]
Level = Annotated[int, Field(ge=0, le=255)]


class PlateConfig(BaseModel):
    """Sizes in px.

    `max_plate_slots`: characters of the longest plate; `pad_char`: the alphabet's sign for an empty
    slot.

    Keys that we do not use (a newer file's) are let be: this file is not ours.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, hide_input_in_errors=True)

    max_plate_slots: Annotated[int, Field(ge=1, le=MAX_LENGTH)]
    alphabet: Annotated[str, Field(min_length=2, max_length=512)]
    pad_char: Annotated[str, Field(min_length=1, max_length=1)]
    img_height: Side
    img_width: Side
    keep_aspect_ratio: bool = False
    interpolation: Literal["nearest", "linear", "cubic", "area", "lanczos4"] = "linear"
    image_color_mode: Literal["grayscale", "rgb"] = "grayscale"
    padding_color: tuple[Level, Level, Level] = (114, 114, 114)

    @field_validator("padding_color", mode="before")
    @classmethod
    def _one_level_or_three(cls, given: object) -> object:
        if isinstance(given, int):
            return (given,) * 3
        return tuple(given) if isinstance(given, list) else given

    @model_validator(mode="after")
    def _pad_is_in_the_alphabet(self) -> Self:
        if self.pad_char not in self.alphabet:
            msg = "pad_char is not in alphabet"
            raise ValueError(msg)
        if len(set(self.alphabet)) != len(self.alphabet):
            msg = "alphabet names a character twice"
            raise ValueError(msg)
        return self

    @property
    def channels(self) -> int:
        return 3 if self.image_color_mode == "rgb" else 1


def read_plate_config(path: Path) -> PlateConfig:
    """The config in `path`. Raises ConfigError naming file and key."""
    try:
        with path.open("rb") as file:
            untrusted = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"cannot be read: {error.strerror or type(error).__name__}", where=path, fix=FIX
        ) from error
    if len(untrusted) > LARGEST_BYTES:
        raise ConfigError(f"larger than {LARGEST_BYTES} bytes", where=path, fix=FIX)
    try:
        told = yaml.safe_load(untrusted)  # safe: builds values only, never objects
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" in line {mark.line + 1}" if mark else ""
        raise ConfigError(f"not YAML: {type(error).__name__}{line}", where=path, fix=FIX) from None
    if not isinstance(told, dict):
        raise ConfigError("no keys, expected `max_plate_slots: …` and others", where=path, fix=FIX)
    try:
        return PlateConfig.model_validate(told)
    except ValidationError as error:
        raise ConfigError(first_fault(error, PlateConfig), where=path, fix=FIX) from None
