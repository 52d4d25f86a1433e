"""Reads a fast-plate-ocr plate config: the YAML file that says what its recogniser was trained
on.
"""

from pathlib import Path
from typing import Annotated, Literal

import yaml

from agent.core.reading.plate_text import MAX_LENGTH
from agent.core.text.schema.notes import Between, By, Length, MisfitError
from agent.core.text.schema.section import Section
from agent.core.text.schema_words import first_fault
from agent.errors import ConfigError

LARGEST_BYTES = 16 * 1024
FIX = "give the plate config that came with the recogniser"

Side = Annotated[int, Between(ge=8, le=2048)]
Level = Annotated[int, Between(ge=0, le=255)]


def one_level_or_three(given: object) -> object:
    """A grey level stands for three alike."""
    if isinstance(given, int):
        return (given,) * 3
    return tuple(given) if isinstance(given, list) else given


class PlateConfig(Section):
    """Sizes in px.

    `max_plate_slots`: characters of the longest plate; `pad_char`: the alphabet's sign for an empty
    slot.

    Keys that we do not use (a newer file's) are let be: this file is not ours.
    """

    max_plate_slots: Annotated[int, Between(ge=1, le=MAX_LENGTH)]
    alphabet: Annotated[str, Length(2, 512)]
    pad_char: Annotated[str, Length(1, 1)]
    img_height: Side
    img_width: Side
    keep_aspect_ratio: bool = False
    interpolation: Literal["nearest", "linear", "cubic", "area", "lanczos4"] = "linear"
    image_color_mode: Literal["grayscale", "rgb"] = "grayscale"
    padding_color: Annotated[tuple[Level, Level, Level], By(one_level_or_three)] = (114, 114, 114)

    def together(self) -> None:
        """The alphabet names each character once, and the pad."""
        if self.pad_char not in self.alphabet:
            msg = "pad_char is not in alphabet"
            raise ValueError(msg)
        if len(set(self.alphabet)) != len(self.alphabet):
            msg = "alphabet names a character twice"
            raise ValueError(msg)

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
    ours = PlateConfig.own_fields().keys()
    try:
        return PlateConfig.from_table({name: told[name] for name in ours & told.keys()})
    except MisfitError as error:
        raise ConfigError(first_fault(error, PlateConfig), where=path, fix=FIX) from None
