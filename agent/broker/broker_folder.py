"""The folder of one broker, on the desk of whoever runs it: what it is called and where it listens,
its authority, who has a certificate, and what goes onto the broker's machine.

The certificates in `cameras/` and `recipients/` are the list of who is let in: the access list is
made of them anew after each change.
"""

import base64
import json
import secrets
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from agent.broker import authority, mosquitto, rabbitmq
from agent.broker.authority import Authority
from agent.broker.names import (
    CHECK_CAMERA,
    CHECK_RECIPIENT,
    CHECK_STRANGER,
    COLLECTOR,
    RESERVED,
    Rights,
    recipient_of,
    rights,
)
from agent.broker.place import (
    MAX_BYTES,
    RABBITMQ,
    SETTINGS,
    Place,
    format_place,
    read_place,
    require_place,
)
from agent.core.text.encoding import PIN_PREFIX
from agent.core.text.identifier import IDENTIFIER
from agent.disk.atomic_file import private_folder, write_all, write_atomic
from agent.disk.folder import NewFile, write_folder
from agent.disk.input_file import read_input
from agent.disk.private_file import read_private
from agent.errors import ConfigError, UsageError
from agent.values import dataclass

CA, CA_KEY, NEXT_KEY, REVOKED = "ca.pem", "ca.key", "next.key", "revoked.json"
CAMERAS, RECIPIENTS, CHECK, MACHINE = "cameras", "recipients", "check", "machine"
COLLECTORS = "collector"
MAX_REVOKED_BYTES = 1 << 22


@dataclass(frozen=True, slots=True)
class Signed:
    """A certificate that was made: whose, where it lies, until when it holds (UTC)."""

    name: str
    path: Path
    until: datetime


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request for a certificate. `kind`: CAMERAS or RECIPIENTS; `where`: it came from."""

    kind: str
    name: str
    untrusted_csr: bytes
    where: str


class BrokerFolder:
    """One that `create` made. Raises ConfigError, StorageError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place = read_place(folder)
        missing = "make the folder with `platewarden broker init`"
        self._authority = authority.loaded(
            read_input(folder / CA, MAX_BYTES, missing=missing),
            read_private(folder / CA_KEY),
            str(folder / CA_KEY),
        )

    @classmethod
    def create(cls, folder: Path, place: Place, now: datetime) -> "BrokerFolder":
        """Make the authority, the broker's key and the next one, and the check's certificates."""
        require_place(place)
        made = authority.made(f"Platewarden broker CA {place.host}", now)
        server, following = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        files = {
            SETTINGS: NewFile(format_place(place).encode()),
            CA: NewFile(authority.pem(made.certificate)),
            CA_KEY: NewFile(authority.private_pem(made.key), 0o600),
            NEXT_KEY: NewFile(authority.private_pem(following), 0o600),
            REVOKED: NewFile(b"[]\n"),
            **_machine(place, made, server, now),
        }
        for name in (CHECK_CAMERA, CHECK_RECIPIENT, CHECK_STRANGER):
            key = ec.generate_private_key(ec.SECP256R1())
            certificate = made.client(name, key.public_key(), now)
            files[f"{CHECK}/{name}.crt"] = NewFile(authority.pem(certificate))
            files[f"{CHECK}/{name}.key"] = NewFile(authority.private_pem(key), 0o600)
        write_folder(folder, files, 0o700)
        for inner in (CAMERAS, RECIPIENTS):
            (folder / inner).mkdir(mode=0o755)
        return cls(folder)

    @property
    def access_files(self) -> str:
        """What has to be copied to the broker's machine after each change, in words."""
        names = sorted(_access_names(self.place, self._authority))
        return " and ".join(f"{MACHINE}/{name}" for name in names)

    @property
    def guide(self) -> str:
        """The page that says how."""
        cluster = self.place.software == RABBITMQ
        return "docs/guide/broker-cluster.md" if cluster else "docs/guide/broker.md"

    @property
    def cameras(self) -> tuple[str, ...]:
        """Who has a camera's certificate."""
        return self._names(CAMERAS)

    @property
    def recipients(self) -> tuple[str, ...]:
        """Who has a recipient's certificate."""
        return self._names(RECIPIENTS)

    @property
    def pins(self) -> tuple[str, str]:
        """Of the key in use and of the next one, as a policy's `spki_pins` has them."""
        keys = (self.folder / MACHINE / "server.key", self.folder / NEXT_KEY)
        first, second = (authority.pin(_load_key(path).public_key()) for path in keys)
        return first, second

    @property
    def pin_digests(self) -> frozenset[bytes]:
        """The same two as SHA-256 digests."""
        return frozenset(base64.b64decode(pin.removeprefix(PIN_PREFIX)) for pin in self.pins)

    def sign(self, kind: str, name: str, untrusted_csr: bytes, where: str, now: datetime) -> Signed:
        """As `sign_all`, for one request."""
        [signed] = self.sign_all([Wanted(kind, name, untrusted_csr, where)], now)
        return signed

    def sign_all(self, wanted: Sequence[Wanted], now: datetime) -> Sequence[Signed]:
        """A certificate for each request, and the access list once, behind them.

        A second one for the same name is a renewal, or a new device in its place: the former is
        then revoked. All are looked at before the first is signed.

        Raises ConfigError, StorageError.
        """
        keys = []
        for one in wanted:
            self._require_name(one.kind, one.name, one.where)
            keys.append(authority.requested(one.untrusted_csr, one.name, one.where))
        made: dict[Path, x509.Certificate] = {}
        former: list[int] = []
        for one, key in zip(wanted, keys, strict=True):
            path = self._path(one.kind, one.name)
            if path.exists() and (old := _certificate(path)).public_key() != key:
                former.append(old.serial_number)
            made[path] = self._authority.client(one.name, key, now)
        if former:
            self._revoke(former)
        write_all({path: authority.pem(one) for path, one in made.items()}, 0o644)
        self._write_access(now)
        return [
            Signed(one.name, path, made[path].not_valid_after_utc)
            for one in wanted
            for path in [self._path(one.kind, one.name)]
        ]

    def sign_collector(self, now: datetime) -> Signed:
        """A new key and certificate for the city's `audit collect`. An earlier one is revoked."""
        path = self.folder / COLLECTORS / f"{COLLECTOR}.crt"
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._authority.client(COLLECTOR, key.public_key(), now)
        if path.exists():
            self._revoke((_certificate(path).serial_number,))
        private_folder(path.parent)
        write_atomic(path.with_suffix(".key"), authority.private_pem(key))
        write_atomic(path, authority.pem(certificate), 0o644)
        self._write_access(now)
        return Signed(COLLECTOR, path, certificate.not_valid_after_utc)

    def remove(self, name: str, now: datetime) -> None:
        """Take a camera or recipient off the access list and revoke its certificate. Raises
        UsageError.
        """
        found = [
            path
            for kind in (CAMERAS, RECIPIENTS)
            if (kind == RECIPIENTS or "." not in name) and (path := self._path(kind, name)).exists()
        ]
        if not found:
            raise UsageError(
                f"{name[:64]!a} has no certificate of this broker",
                where=self.folder,
                fix="`platewarden broker show` lists who has",
            )
        self._revoke(tuple(_certificate(path).serial_number for path in found))
        for path in found:
            path.unlink()
        self._write_access(now)

    def renew(self, now: datetime, *, next_key: bool = False) -> datetime:
        """A new certificate for the broker, for the same key, or for the next one, whose pin the
        policy has had from the start; then a new next key is made. Returns its end.
        """
        machine = self.folder / MACHINE
        key = _load_key(self.folder / NEXT_KEY if next_key else machine / "server.key")
        certificate = self._authority.server(key.public_key(), _hosts(self.place), now)
        if next_key:
            following = ec.generate_private_key(ec.SECP256R1())
            write_atomic(machine / "server.key", authority.private_pem(key))
            write_atomic(self.folder / NEXT_KEY, authority.private_pem(following))
        write_atomic(machine / "server.crt", authority.pem(certificate), 0o644)
        return certificate.not_valid_after_utc

    def holders(self) -> Iterator[tuple[str, str, datetime]]:
        """Who has a certificate: what kind, name, until when; the broker's own first."""
        server = _certificate(self.folder / MACHINE / "server.crt")
        yield "broker", self.place.host, server.not_valid_after_utc
        for kind in (CAMERAS, RECIPIENTS, COLLECTORS):
            for name in self._names(kind):
                ends = _certificate(self.folder / kind / f"{name}.crt").not_valid_after_utc
                yield kind.removesuffix("s"), name, ends

    def _path(self, kind: str, name: str) -> Path:
        parts = name.split(".") if kind == RECIPIENTS else [name]  # one of several receivers
        if len(parts) > 2 or any(IDENTIFIER.fullmatch(part) is None for part in parts):
            raise UsageError(
                f"{name[:64]!a} is no id",
                fix="use a-z, 0-9 and - only, as in roster and policy; a recipient's second "
                "receiver is ID.2",
            )
        return self.folder / kind / f"{name}.crt"

    def _names(self, kind: str) -> tuple[str, ...]:
        return tuple(sorted(path.stem for path in (self.folder / kind).glob("*.crt")))

    def _require_name(self, kind: str, name: str, where: str) -> None:
        """Mitigates against: a camera that has a recipient's name would be let read what it is
        told, since the name alone decides.
        """
        other = RECIPIENTS if kind == CAMERAS else CAMERAS
        self._path(kind, name)
        if name in RESERVED or ("." not in name and self._path(other, name).exists()):
            raise ConfigError(
                f"{name!a} is already the name of "
                + ("one of the broker's own" if name in RESERVED else f"one of the {other}"),
                where=where,
                fix="cameras and recipients need different ids",
            )

    def _gone(self) -> list[int]:
        """The serial numbers that were revoked."""
        found: list[int] = json.loads(
            read_input(self.folder / REVOKED, MAX_REVOKED_BYTES, missing="restore it")
        )
        return found

    def _revoke(self, serials: Iterable[int]) -> None:
        gone = sorted({*self._gone(), *serials})
        write_atomic(self.folder / REVOKED, json.dumps(gone).encode() + b"\n", 0o644)

    def _write_access(self, now: datetime) -> None:
        let_in = rights(self.cameras, self.recipients)
        for name, data in _access(self.place, self._authority, let_in, self._gone(), now).items():
            write_atomic(self.folder / MACHINE / name, data, 0o644)


def policy_table(folder: BrokerFolder, ca: str) -> str:
    """The [[broker]] of a policy that fits."""
    place = folder.place
    addresses = ", ".join(
        json.dumps(f"[{one}]:{place.port}" if ":" in one else f"{one}:{place.port}")
        for one in place.addresses
    )
    pins = "".join(f'    "{pin}",\n' for pin in folder.pins)
    recipients = ", ".join(
        json.dumps(one) for one in dict.fromkeys(map(recipient_of, folder.recipients))
    )
    return (
        f'[[broker]]\nid = "city"\nhost = {json.dumps(place.host)}\naddresses = [{addresses}]\n'
        f"ca = {json.dumps(ca)}\nspki_pins = [\n{pins}]\nrecipients = [{recipients}]\n"
    )


def _machine(
    place: Place, made: Authority, key: ec.EllipticCurvePrivateKey, now: datetime
) -> dict[str, NewFile]:
    """What goes onto the broker's machine."""
    certificate = made.server(key.public_key(), _hosts(place), now)
    if place.software == RABBITMQ:
        texts = rabbitmq.files(place.addresses, place.port, place.etc)
        cookie = {"erlang.cookie": NewFile(secrets.token_hex(32).encode(), 0o600)}
    else:
        config = mosquitto.config(place.port, place.etc, place.var)
        texts, cookie = {mosquitto.CONFIG: config, mosquitto.OPEN_FILES: mosquitto.open_files()}, {}
    files = {name: NewFile(text.encode()) for name, text in texts.items()} | cookie
    for name, data in _access(place, made, rights((), ()), (), now).items():
        files[name] = NewFile(data)
    files["ca.pem"] = NewFile(authority.pem(made.certificate))
    files["server.crt"] = NewFile(authority.pem(certificate))
    files["server.key"] = NewFile(authority.private_pem(key), 0o600)
    return {f"{MACHINE}/{name}": file for name, file in files.items()}


def _access(
    place: Place, made: Authority, let_in: Sequence[Rights], gone: Sequence[int], now: datetime
) -> dict[str, bytes]:
    """Who is let in, and what was revoked, as the broker reads it."""
    revoked, access = _access_names(place, made)
    text = (rabbitmq if place.software == RABBITMQ else mosquitto).access(let_in)
    return {revoked: made.revocations(gone, now), access: text.encode()}


def _access_names(place: Place, made: Authority) -> tuple[str, str]:
    """Where both lie, under `machine/`: the list of what was revoked, and who is let in."""
    if place.software == RABBITMQ:
        return f"{rabbitmq.CRL}/{made.crl_name()}", rabbitmq.ACCESS
    return "crl.pem", mosquitto.ACCESS


def _hosts(place: Place) -> tuple[str, ...]:
    return (place.host, *place.addresses)


def _certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(read_input(path, MAX_BYTES, missing="restore it"))
    except ValueError:
        raise ConfigError("is not a certificate in PEM", where=path, fix="restore it") from None


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(read_private(path), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigError("is not a P-256 key in PEM", where=path, fix="restore it")
    return key
