"""A throwaway city for a test rig: every key in one folder, unencrypted, everything signed and
published at once; city.json says so, and real cameras refuse it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from agent.bundles import jurisdiction_files
from agent.bundles.layout import (
    HOTLIST,
    METADATA_FOLDER,
    POLICY,
    ROOT,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    CityIdentity,
    keys_role,
)
from agent.bundles.repository.published import REPOSITORY_FOLDER
from agent.bundles.repository.signing_keys import load_signer, make_key
from agent.city import drafts
from agent.city.city_lock import only_writer
from agent.city.founding import Founding, RootKey, found
from agent.city.publication import publish_city
from agent.city.roster_change import Wanted
from agent.city.signature import Asked, Signing
from agent.core.judging.policy_draft import Answers, draft
from agent.core.policy.schema.policy_file import parse_policy
from agent.core.text.encoding import spki_pin
from agent.disk.atomic_file import private_folder, write_atomic, write_new
from agent.errors import UsageError
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from agent.bundles.repository.signing_keys import KeyHolder
    from agent.core.policy.policy import Policy

KEYS = "rig-keys"
TEXTS = (drafts.CHARTER, drafts.POLICY_TOML, drafts.CAMERAS)
SIGNERS = ("rig-1", "rig-2", "rig-3")
ROSTER_KEY, ONLINE_KEY, HOTLIST_KEY = "roster.pem", "online.pem", "hotlist.pem"
HOST = "rig.example"
ADDRESS = "127.0.0.1:8883"
RECIPIENT = "rig-receiver"
CAMERA = "rig-1"
CA = "city-hall-ca.pem"
_LIFETIME = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Rig:
    """Where everything lies."""

    city: Path
    drafted: tuple[str, ...]

    @property
    def keys(self) -> Path:
        return self.city / KEYS

    @property
    def anchor(self) -> Path:
        return self.city / REPOSITORY_FOLDER / METADATA_FOLDER / "1.root.json"

    def lines(self) -> Iterator[str]:
        """For people."""
        yield (
            f"A rig's city, published in {self.city / REPOSITORY_FOLDER}. "
            "Cameras obey it only with rig = true in their settings."
        )
        if self.drafted:
            yield f"Drafted, to be edited: {', '.join(self.drafted)}."
        yield f"Anchor for the camera's trust/root.json: {self.anchor}"
        yield (
            "Keys, unencrypted, worth nothing elsewhere: "
            f"{self.keys} ({', '.join(f'{name}.pem' for name in SIGNERS)}: any two sign; "
            f"{ONLINE_KEY}: publishes)"
        )

    def table(self) -> dict[str, object]:
        """As plain values."""
        names = {
            "signers": [str(self.keys / f"{name}.pem") for name in SIGNERS],
            "online": str(self.keys / ONLINE_KEY),
            "hotlist": str(self.keys / HOTLIST_KEY),
        }
        return {
            "repository": str(self.city / REPOSITORY_FOLDER),
            "anchor": str(self.anchor),
            **names,
            "roster_key": str(self.keys / ROSTER_KEY),
        }


def found_rig(city: Path, city_id: str, name: str, now: datetime) -> Rig:
    """Make it.

    What is in the folder already (charter.toml, policy.toml, roster.toml, ca/) is used; the rest is
    drafted. Raises UsageError, StorageError.
    """
    if (city / KEYS).exists() or (city / REPOSITORY_FOLDER).exists():
        raise UsageError(
            "holds a city already",
            where=city,
            fix="a rig's city is thrown away whole: remove the folder, or name another",
        )
    if all((city / text).exists() for text in TEXTS):
        drafts.authorities(city, _policy(city))  # what is missing is said before a key is made
    private_folder(city / KEYS)
    drafted = _draft(city, name, now)
    policy = _policy(city)
    identity = CityIdentity(city_id, name, rig=True)
    founding = Founding.of(identity, _holders(city / KEYS, policy.recipients), 2)
    with only_writer(city):
        founding.require_free(city, city / KEYS / ROSTER_KEY)
        found(city, founding, RootKey(city / KEYS / ROSTER_KEY, ""), now)
        for label in SIGNERS[:2]:
            signing = Signing(
                city, now.isoformat(), Asked((), Wanted(), None, start_again=False), _no_secret
            )
            plan = signing.plan(load_signer(str(city / KEYS / f"{label}.pem"), _no_secret))
            plan.sign()
            plan.keep()
        publish_city(
            city,
            load_signer(str(city / KEYS / ONLINE_KEY), _no_secret),
            lambda _rig: now,
            renew=False,
        )
    return Rig(city, drafted)


def _policy(city: Path) -> Policy:
    path = city / drafts.POLICY_TOML
    return parse_policy(path.read_bytes(), str(path))


def _holders(keys: Path, recipients: Iterable[str]) -> dict[str, list[KeyHolder]]:
    """A new key for each who signs: by role."""
    people = [make_key(keys / f"{label}.pem", "", f"Rig signer {label[-1]}") for label in SIGNERS]
    online = make_key(keys / ONLINE_KEY, "", "Rig online job")
    holders = {
        ROOT: people,
        TARGETS: people,
        POLICY: people,
        SNAPSHOT: [online],
        TIMESTAMP: [online],
        HOTLIST: [make_key(keys / HOTLIST_KEY, "", "Rig hot list")],
    }
    for recipient in recipients:
        role = keys_role(recipient)
        holders[role] = [make_key(keys / f"{role}.pem", "", f"Rig {recipient}"[:64])]
    return holders


def _no_secret(_what: str) -> str:
    return ""


def _draft(city: Path, name: str, now: datetime) -> tuple[str, ...]:
    """What is missing of charter, policy, roster and the broker's certificates."""
    today = now.date()
    missing = [text for text in TEXTS if not (city / text).exists()]
    if not missing:
        return ()
    pin = _authority(city, now)
    answers = Answers(
        city=name,
        recipient=RECIPIENT,
        legal_name="The rig's receiver",
        basis="none: a rehearsal",
        kind="local-law-enforcement",
        camera=CAMERA,
        stands="on the bench",
        near=(),
        host=HOST,
        address=ADDRESS,
        effective=today - timedelta(days=1),
        expires=today + timedelta(days=180),
        retention_days=14,
        pin=pin,
    )
    written = draft(jurisdiction_files.named("us-ca"), answers)
    for text, content in zip(TEXTS, (written.charter, written.policy, written.roster), strict=True):
        if text in missing:
            write_atomic(city / text, content.encode(), 0o644)
    return tuple(missing)


def _authority(city: Path, now: datetime) -> str:
    """ca/city-hall-ca.pem with a server certificate for the rig's broker beside the keys; the pin
    of that server.
    """
    if (city / "ca" / CA).exists():
        return ""
    private_folder(city / "ca", 0o755)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Platewarden rig CA")])
    authority = _certificate(subject, subject, key.public_key(), now, ca=True).sign(
        key, hashes.SHA256()
    )
    server = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    builder = _certificate(name, subject, server.public_key(), now, ca=False)
    for extension in (
        x509.SubjectAlternativeName([x509.DNSName(HOST)]),
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
        x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()),
    ):
        builder = builder.add_extension(extension, critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    write_new(
        city / KEYS / "broker.crt", certificate.public_bytes(serialization.Encoding.PEM), 0o644
    )
    for file, private in (("ca.key", key), ("broker.key", server)):
        pem = private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        write_new(city / KEYS / file, pem)
    write_atomic(city / "ca" / CA, authority.public_bytes(serialization.Encoding.PEM), 0o644)
    return spki_pin(
        server.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    now: datetime,
    *,
    ca: bool,
) -> x509.CertificateBuilder:
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=0 if ca else None), critical=True)
        .add_extension(usage, critical=True)
    )
