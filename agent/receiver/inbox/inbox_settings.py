"""`[inbox]` in receiver.toml: what the inbox shows beside a lead, and how it is served."""

import re
import zoneinfo
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from agent.core.text.toml_document import Section
from agent.receiver.ringing.ring_settings import Word
from agent.receiver.setting_fields import FilePath, Host

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,47}")


def as_zone(value: object) -> object:
    """A name of the IANA's time zone database."""
    if isinstance(value, str):
        try:
            zoneinfo.ZoneInfo(value)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(
                f"{value[:40]!a} is no time zone | write one as America/Los_Angeles"
            ) from None
    return value


def as_identifier(value: object) -> object:
    """A camera's id, or a purpose, as a policy writes it."""
    if isinstance(value, str) and not _IDENTIFIER.fullmatch(value):
        raise ValueError(
            f"{value[:40]!a} is no identifier | use letters, digits and -, at most 48 characters"
        )
    return value


Identifier = Annotated[str, BeforeValidator(as_identifier)]


class PositionSettings(Section):
    """[[inbox.position]]: where a camera stands, for exports as GeoJSON. Degrees, WGS 84."""

    camera: Identifier
    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]


class InboxSettings(Section):
    """[inbox]: `time_zone`: the desk's; `places`: the city's roster.toml; `purposes`: for which a
    lead may be opened, beside the one that its policy names; `entry_check`: a program that says
    whether an entry still stands; `certificate`, `key`, `host`: to be served beyond this machine.
    """

    time_zone: Annotated[str, BeforeValidator(as_zone)] = "UTC"
    places: FilePath | None = None
    purposes: list[Identifier] = Field(default_factory=list, max_length=16)
    entry_check: Annotated[list[Word], Field(max_length=16)] = Field(default_factory=list)
    idle_minutes: Annotated[int, Field(ge=1, le=120)] = 15
    certificate: FilePath | None = None
    key: FilePath | None = None
    host: Host | None = None
    position: list[PositionSettings] = Field(default_factory=list)

    @model_validator(mode="after")
    def _certificate_with_key(self) -> "InboxSettings":
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key come together | give both, or neither")
        return self

    @model_validator(mode="after")
    def _check_from_the_root(self) -> "InboxSettings":
        if self.entry_check and not Path(self.entry_check[0]).is_absolute():
            raise ValueError("entry_check begins with no whole path | write /usr/local/bin/PROGRAM")
        return self
