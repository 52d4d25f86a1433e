"""broker.toml: what `broker init` was told, a broker's name and where it listens."""

import json
import tomllib
from ipaddress import ip_address
from pathlib import Path, PurePosixPath

from agent.disk.input_file import read_input
from agent.errors import ConfigError, UsageError
from agent.values import dataclass

SETTINGS, MAX_BYTES, DEFAULT_PORT = "broker.toml", 65_536, 8883
ETC, VAR = PurePosixPath("/etc/mosquitto/platewarden"), PurePosixPath("/var/lib/mosquitto")
MOSQUITTO, RABBITMQ = "mosquitto", "rabbitmq"
RABBITMQ_ETC = PurePosixPath("/etc/rabbitmq/platewarden")


@dataclass(frozen=True, slots=True)
class Place:
    """What `init` was told.

    `host`: the name in the certificate; `addresses`: what is dialled; `etc`, `var`: where the files
    of `machine/` lie on the broker's machine, and where it keeps what waits; `software`: MOSQUITTO,
    or RABBITMQ with a machine for each address.
    """

    host: str
    addresses: tuple[str, ...]
    port: int = DEFAULT_PORT
    etc: PurePosixPath = ETC
    var: PurePosixPath = VAR
    software: str = MOSQUITTO


def format_place(place: Place) -> str:
    """broker.toml; `read_place` reads it."""
    return (
        f"host = {json.dumps(place.host)}\n"
        f"addresses = {json.dumps(list(place.addresses))}\n"
        f"port = {place.port}\n"
        f"etc = {json.dumps(str(place.etc))}\n"
        f"var = {json.dumps(str(place.var))}\n"
        f"software = {json.dumps(place.software)}\n"
    )


def read_place(folder: Path) -> Place:
    """Of a broker's folder. Raises ConfigError."""
    path = folder / SETTINGS
    data = read_input(path, MAX_BYTES, missing="make the folder with `platewarden broker init`")
    try:
        table = tomllib.loads(data.decode())
        place = Place(
            str(table["host"]),
            tuple(map(str, table["addresses"])),
            int(table["port"]),
            PurePosixPath(table["etc"]),
            PurePosixPath(table["var"]),
            str(table.get("software", MOSQUITTO)),  # older folders do not say
        )
        require_place(place)
    except (ValueError, KeyError, TypeError, UsageError) as error:
        raise ConfigError(
            f"is not as `broker init` wrote it ({type(error).__name__})",
            where=path,
            fix="restore it: host, addresses, port, etc, var, software",
        ) from None
    return place


def require_place(place: Place) -> None:
    """Raises UsageError."""
    name = place.host.replace(".", "").replace("-", "")
    if not (name.isascii() and name.isalnum()) or len(place.host) > 64:
        raise UsageError(
            f"{place.host[:64]!a} is no host name",
            fix="--host mqtt.exampleville.gov: letters, digits, - and dots, at most 64",
        )
    for address in place.addresses:
        try:
            ip_address(address)
        except ValueError:
            raise UsageError(
                f"{address[:64]!a} is no IP address",
                fix="--address 203.0.113.10: cameras look up no names, the port is given by --port",
            ) from None
    if place.software not in {MOSQUITTO, RABBITMQ}:
        raise UsageError(
            f"{place.software[:64]!a} is no broker that is known here",
            fix=f"--software {MOSQUITTO} or {RABBITMQ}",
        )
    if place.software == RABBITMQ and len(place.addresses) % 2 == 0 and place.addresses:
        raise UsageError(
            f"of {len(place.addresses)} nodes no half is a majority: with one gone, all would stop",
            fix="give --address three times, one for each machine",
        )
    if not place.addresses or not 1 <= place.port <= 65_535:
        raise UsageError("a broker needs an address and a port", fix="--address 203.0.113.10")
