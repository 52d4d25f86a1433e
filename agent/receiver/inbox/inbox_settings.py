"""`[inbox]` in receiver.toml: what the inbox shows beside a lead, and how it is served."""

import re
import zoneinfo
from pathlib import Path
from typing import Annotated

from agent.core.text.schema.notes import Between, By, Length, named
from agent.core.text.schema.section import Section, made
from agent.receiver.inbox.oidc.oidc_settings import OidcSettings
from agent.receiver.ringing.ring_settings import Word
from agent.receiver.setting_fields import FilePath, Host

IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,47}")


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


Identifier = Annotated[
    str, named(IDENTIFIER, "identifier", "use letters, digits and -, at most 48 characters")
]


class PositionSettings(Section):
    """[[inbox.position]]: where a camera stands, for exports as GeoJSON. Degrees, WGS 84."""

    camera: Identifier
    latitude: Annotated[float, Between(ge=-90, le=90)]
    longitude: Annotated[float, Between(ge=-180, le=180)]


class InboxSettings(Section):
    """[inbox]: `time_zone`: the desk's; `places`: the city's roster.toml; `purposes`: for which a
    lead may be opened, beside the one that its policy names; `entry_check`: a program that says
    whether an entry still stands; `certificate`, `key`, `host`: to be served beyond this machine;
    `oidc`: a provider that signs people in.
    """

    time_zone: Annotated[str, By(as_zone)] = "UTC"
    places: FilePath | None = None
    purposes: Annotated[list[Identifier], Length(max_length=16)] = made(default_factory=list)
    entry_check: Annotated[list[Word], Length(max_length=16)] = made(default_factory=list)
    idle_minutes: Annotated[int, Between(ge=1, le=120)] = 15
    certificate: FilePath | None = None
    key: FilePath | None = None
    host: Host | None = None
    position: list[PositionSettings] = made(default_factory=list)
    oidc: OidcSettings | None = None

    def together(self) -> None:
        """A certificate comes with its key, and a program begins at the root."""
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key come together | give both, or neither")
        if self.entry_check and not Path(self.entry_check[0]).is_absolute():
            raise ValueError("entry_check begins with no whole path | write /usr/local/bin/PROGRAM")
