"""receiver.toml: whose reads these are, which broker brings them, and whom to believe.

One closed schema; unknown keys refuse.
"""

import json
import re
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

from agent.core.text.schema.notes import Between, By, Length, MisfitError, named
from agent.core.text.schema.section import Section, made
from agent.core.text.toml_document import read_document
from agent.disk.input_file import read_input
from agent.errors import UsageError
from agent.receiver.inbox.inbox_settings import InboxSettings
from agent.receiver.ringing.ring_settings import RingSettings
from agent.receiver.setting_fields import Address, FilePath, Host, Port

FILE_NAME = "receiver.toml"
MAX_BYTES = 65_536
GUIDE = "docs/guide/recipient.md"
_RECIPIENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,47}")
_ONE_OF_SEVERAL = re.compile(r"[a-z0-9]([a-z0-9-]{0,14}[a-z0-9])?")
_RECIPIENT_ID = named(
    _RECIPIENT, "recipient id", "use letters, digits and -, at most 48 characters"
)
_RECEIVER_NAME = named(
    _ONE_OF_SEVERAL, "receiver's name", "use a-z, 0-9 and -, at most 16 characters"
)
_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_BROKER_EXAMPLE = """
# [broker]                             # fill in before `platewarden receiver run`
# host = "mqtt.exampleville.gov"       # for SNI and the certificate only
# address = "203.0.113.10"             # what is dialled: no DNS
# port = 8883
# ca = "broker-ca.pem"
# client_certificate = "tls.crt"       # if the broker asks for one
# client_key = "tls.key"
"""


def as_postgresql(value: object) -> object:
    """A service of libpq, or a URL. A password in it would be copied with this file."""
    if not isinstance(value, str) or _SERVICE.fullmatch(value):
        return value
    try:
        parts = urlsplit(value)
        secrets = {"password", "sslpassword"} & parse_qs(parts.query, keep_blank_values=True).keys()
    except ValueError:
        parts, secrets = urlsplit(""), set()
    if parts.scheme not in {"postgresql", "postgres"}:
        raise ValueError(
            "neither a service nor a URL of PostgreSQL | name a service of pg_service.conf, or "
            "write postgresql://USER@HOST/DATABASE"
        )
    if parts.password is not None or secrets:
        raise ValueError("holds a password | leave it out: libpq looks into its passfile")
    return value


class BrokerSettings(Section):
    """`host` is verified in the certificate; `address` is dialled, or one of `addresses` in turn.

    Paths are relative to the receiver's folder.
    """

    host: Host
    address: Address | None = None
    addresses: Annotated[list[Address], Length(max_length=8)] = made(default_factory=list)
    port: Port = 8883
    ca: FilePath
    client_certificate: FilePath | None = None
    client_key: FilePath | None = None
    session_expiry_days: Annotated[int, Between(ge=1, le=365)] = 30

    def together(self) -> None:
        """A certificate comes with its key, and an address with no list of them."""
        if (self.client_certificate is None) != (self.client_key is None):
            raise ValueError(
                "client_certificate and client_key come together | give both, or neither"
            )
        if (self.address is None) == (not self.addresses):
            raise ValueError(
                "address or addresses, and not both | name what is dialled: "
                'addresses = ["203.0.113.10", "203.0.113.11"]'
            )

    @property
    def dialled(self) -> tuple[str, ...]:
        """The addresses, in the order in which they are tried."""
        return tuple(self.addresses) if self.address is None else (self.address,)


class StoreSettings(Section):
    """Where receivers that share keep the reads. `postgresql`: libpq's service, or a URL."""

    postgresql: Annotated[str, By(as_postgresql)]

    @property
    def conninfo(self) -> str:
        """As libpq takes it."""
        return self.postgresql if "://" in self.postgresql else f"service={self.postgresql}"


class ReceiverSettings(Section):
    """receiver.toml.

    `city_root`: the city's public key, a JWK; `roster`: the cameras that it enrolled;
    `hold_rules`: who may order holds;
    `epochs_ahead_days`: how far the key list reaches.

    `ring`: who is rung when a lead waits. `inbox`: what `receiver serve` shows.

    Of several that share a store: `receiver`: which of them this is; `makes_keys`: one of them
    makes the epoch keys, the others have copies.
    """

    recipient: Annotated[str, _RECIPIENT_ID]
    city_root: FilePath = Path("root.json")
    roster: FilePath = Path("roster.jws")
    hold_rules: FilePath = Path("hold-rules.jws")
    epochs_ahead_days: Annotated[int, Between(ge=3, le=399)] = 60
    receiver: Annotated[str, _RECEIVER_NAME] | None = None
    makes_keys: bool = True
    broker: BrokerSettings | None = None
    store: StoreSettings | None = None
    ring: RingSettings = made(default_factory=RingSettings)
    inbox: InboxSettings = made(default_factory=InboxSettings)

    def together(self) -> None:
        """Several share a store."""
        if self.store is None and (self.receiver is not None or not self.makes_keys):
            raise ValueError(
                "receiver and makes_keys are for receivers that share a store | name it under "
                "[store], or leave them out"
            )
        if not self.makes_keys and self.receiver is None:
            raise ValueError(
                'a receiver that makes no keys is one of several | name it: receiver = "2"'
            )

    @property
    def client_name(self) -> str:
        """The name in its certificate, and behind its client id: no two receivers have the same.
        A recipient's id holds no dot.
        """
        return self.recipient if self.receiver is None else f"{self.recipient}.{self.receiver}"


def load(folder: Path) -> ReceiverSettings:
    """Read and check receiver.toml in `folder`.

    Raises ConfigError naming file, field and next step.
    """
    path = folder / FILE_NAME
    missing = f"make a receiver with `platewarden receiver init {folder} --recipient ID`"
    untrusted = read_input(path, MAX_BYTES, missing=missing)
    document = read_document(untrusted, str(path), GUIDE)
    loaded = document.check(ReceiverSettings, document.table)
    document.require_faultless()
    assert loaded is not None  # noqa: S101 (for mypy: a table that does not fit is a fault, and faults have raised)
    return loaded


def broker_typed(
    host: str | None, address: str | None, port: int, ca: Path
) -> BrokerSettings | None:
    """The broker as typed at `receiver init`; None where none was. Raises UsageError."""
    if host is None and address is None:
        return None
    if host is None or address is None:
        raise UsageError(
            "--host and --address come together", fix="give both, or neither and edit receiver.toml"
        )
    try:
        return BrokerSettings(host=host, address=address, port=port, ca=ca)
    except MisfitError:
        raise UsageError(
            "--host must be a host name and --address an IP address",
            fix="give the IP address itself: no name is looked up",
        ) from None


def template(settings: ReceiverSettings) -> str:
    """The text of receiver.toml for these settings; every key written out."""
    lines = [
        f"recipient = {_quote(settings.recipient)}            # as the city's policy names you",
        (
            f"city_root = {_quote(settings.city_root)}   # the city's public key, "
            "from the city, by hand"
        ),
        f"roster = {_quote(settings.roster)}      # the cameras that the city enrolled",
        (
            f"hold_rules = {_quote(settings.hold_rules)}   # who may order that reads are held, "
            "from the city"
        ),
        (
            f"epochs_ahead_days = {settings.epochs_ahead_days}              # the key list reaches "
            "this far; longer than the longest retention"
        ),
    ]
    lines += _several_lines(settings)
    lines += [*_ring_lines(settings.ring), *_inbox_lines(settings.inbox)]
    broker = settings.broker
    if broker is None:
        return "\n".join(lines) + "\n" + _BROKER_EXAMPLE
    lines += [
        "",
        "[broker]",
        f"host = {_quote(broker.host)}",
        (
            f"address = {_quote(broker.address)}"
            if broker.address is not None
            else f"addresses = {json.dumps(broker.addresses)}"
        ),
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


def _several_lines(settings: ReceiverSettings) -> list[str]:
    """Nothing for one receiver alone."""
    lines = []
    if settings.receiver is not None:
        lines.append(f"receiver = {_quote(settings.receiver)}   # which of several")
    if not settings.makes_keys:
        lines.append("makes_keys = false   # copied from the receiver that makes them")
    if settings.store is not None:
        lines += ["", "[store]", f"postgresql = {_quote(settings.store.postgresql)}"]
    return lines


def _ring_lines(ring: RingSettings) -> list[str]:
    lines = []
    for kind, table in ring.tables():
        lines += ["", f"[[ring.{kind}]]", *(f"{key} = {_quoted(one)}" for key, one in table)]
    return lines


def _inbox_lines(inbox: InboxSettings) -> list[str]:
    """Nothing where all is as it is by default."""
    if inbox == InboxSettings():
        return []
    keys = [(key, one) for key, one in vars(inbox).items() if key != "position" and one is not None]
    lines = ["", "[inbox]", *(f"{key} = {_quoted(one)}" for key, one in keys)]
    for place in inbox.position:
        lines += [
            "",
            "[[inbox.position]]",
            *(f"{key} = {_quoted(one)}" for key, one in vars(place).items()),
        ]
    return lines


def _quoted(value: object) -> str:
    """A number, a list of texts, or a text, as TOML."""
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list):
        return json.dumps(value)
    return _quote(value)
