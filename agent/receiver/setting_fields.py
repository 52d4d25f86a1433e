"""The kinds of value that stand in receiver.toml, each checked in our words."""

import ipaddress
import re
from pathlib import Path
from typing import Annotated

from agent.core.text.schema.notes import Between, By, named

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


def as_address(value: object) -> object:
    """An IP address: a name here would be looked up by somebody else's DNS."""
    if isinstance(value, str):
        try:
            ipaddress.ip_address(value)
        except ValueError:
            raise ValueError(
                f"{value[:40]!a} is no IP address | write 203.0.113.10 or 2001:db8::1"
            ) from None
    return value


def as_path(value: object) -> object:
    """Text as a path; anything else stays, and is refused as no text."""
    return Path(value) if isinstance(value, str) else value


FilePath = Annotated[Path, By(as_path)]
Host = Annotated[str, named(_HOST, "host name", "use letters, digits, - and dots")]
Address = Annotated[str, By(as_address)]
Port = Annotated[int, Between(ge=1, le=65_535)]
