"""receiver.toml: whose reads these are, which broker brings them, and whom to believe. One closed
schema; unknown keys refuse.
"""

import ipaddress
import json
import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from agent.errors import ConfigError

FILE_NAME = "receiver.toml"
MAX_BYTES = 65_536
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,47}$")]
HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$")]
_BROKER_EXAMPLE = """
# [broker]                             # fill in before `platewarden receiver run`
# host = "mqtt.exampleville.gov"       # for SNI and the certificate only
# address = "203.0.113.10"             # what is dialled: no DNS
# port = 8883
# ca = "broker-ca.pem"
# client_certificate = "tls.crt"       # if the broker asks for one
# client_key = "tls.key"
"""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class BrokerSettings(_Section):
    """`host` is verified in the certificate, `address` is dialled. Paths are relative to the
    receiver's folder.
    """

    host: HostName
    address: str
    port: Annotated[int, Field(ge=1, le=65_535)] = 8883
    ca: Path
    client_certificate: Path | None = None
    client_key: Path | None = None
    session_expiry_days: Annotated[int, Field(ge=1, le=365)] = 30

    @field_validator("address")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        # raises ValueError: a name here would be looked up by somebody else's DNS
        ipaddress.ip_address(value)
        return value

    @model_validator(mode="after")
    def _certificate_with_key(self) -> "BrokerSettings":
        if (self.client_certificate is None) != (self.client_key is None):
            raise ValueError("client_certificate and client_key come together")
        return self


class ReceiverSettings(_Section):
    """receiver.toml. `city_root`: the city's public key, a JWK; `roster`: the cameras that it
    enrolled; `epochs_ahead_days`: how far the key list reaches.
    """

    recipient: Identifier
    city_root: Path = Path("root.json")
    roster: Path = Path("roster.jws")
    epochs_ahead_days: Annotated[int, Field(ge=3, le=399)] = 60
    broker: BrokerSettings | None = None


def load(folder: Path) -> ReceiverSettings:
    """Read and check receiver.toml in `folder`. Raises ConfigError naming file, field and next
    step.
    """
    path = folder / FILE_NAME
    try:
        with path.open("rb") as file:
            table = tomllib.loads(file.read(MAX_BYTES).decode("utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            "no such file",
            where=path,
            fix=f"make a receiver with `platewarden receiver init {folder} --recipient ID`",
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"unreadable: {error}", where=path) from None
    except (ValueError, RecursionError):
        raise ConfigError(
            "unreadable: nested too deep or a number too long",
            where=path,
            fix="see docs/guide/recipient.md",
        ) from None
    try:
        return ReceiverSettings.model_validate(table)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc']) or 'file'}: {fault['msg']}"
            for fault in error.errors(include_input=False)
        )
        raise ConfigError(faults, where=path, fix="see docs/guide/recipient.md") from None


def template(settings: ReceiverSettings) -> str:
    """The text of receiver.toml for these settings; every key written out."""
    lines = [
        f"recipient = {_quote(settings.recipient)}            # as the city's policy names you",
        (
            f"city_root = {_quote(settings.city_root)}   # the city's public key, from the city, "
            "by "
            "hand"
        ),
        f"roster = {_quote(settings.roster)}      # the cameras that the city enrolled",
        (
            f"epochs_ahead_days = {settings.epochs_ahead_days}              # the key list reaches "
            "this far; longer than the longest retention"
        ),
    ]
    broker = settings.broker
    if broker is None:
        return "\n".join(lines) + "\n" + _BROKER_EXAMPLE
    lines += [
        "",
        "[broker]",
        f"host = {_quote(broker.host)}",
        f"address = {_quote(broker.address)}",
        f"port = {broker.port}",
        f"ca = {_quote(broker.ca)}",
    ]
    if broker.client_certificate is not None and broker.client_key is not None:
        lines += [
            f"client_certificate = {_quote(broker.client_certificate)}",
            f"client_key = {_quote(broker.client_key)}",
        ]
    return "\n".join([*lines, f"session_expiry_days = {broker.session_expiry_days}"]) + "\n"


def _quote(value: object) -> str:
    return json.dumps(str(value))
