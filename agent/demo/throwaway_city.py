"""A throwaway city for the demo: root key, policy, charter, hot list, roster, certificate
authority.

Valid for days.
"""

import datetime as dt
import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws
from joserfc.jwk import OKPKey

from agent.bundles.hotlist_file import PLAIN, beside
from agent.core.text.encoding import b64url
from agent.core.text.rfc3339 import rfc3339
from agent.demo.pki import ServerIdentity, ThrowawayAuthority
from agent.values import dataclass

NAME, HOST = "City of Exampleville", "mqtt.exampleville.example"
RECIPIENT, RULE = "exampleville-pd", "stolen-and-amber"
FORBIDDEN = "us-dhs-ice-ero"
NEIGHBOUR = "example-county-sheriff"

_POLICY = """\
name = "City of Exampleville ALPR policy (demo)"
version = 1
jurisdiction = "US-CA"
effective = {effective}
expires = {expires}

[[release]]
rule = "{rule}"
categories = ["stolen-vehicle", "amber-alert"]
match = ["exact", "text"]
min_confidence = 0.8
max_per_hour = 20
recipient = "{recipient}"
purpose = "stolen-vehicle-recovery"
retention = "21d"
include = ["plate", "crop", "captured_at", "camera"]

[[recipient]]
id = "{recipient}"
legal_name = "Exampleville Police Department"
basis = "Ordinance 2026-14"
expires = {expires}
signing_key = "{signing_key}"

[[broker]]
id = "city-hall"
host = "{host}"
addresses = ["127.0.0.1:{port}"]
ca = "city-hall-ca.pem"
spki_pins = ["{pin}"]
recipients = ["{recipient}"]
"""

_ADDED = """
[[release]]
rule = "pushed"
categories = ["stolen-vehicle", "amber-alert"]
match = ["exact", "text", "confusable"]
min_confidence = 0.5
max_per_hour = 1000
recipient = "{recipient}"
purpose = "{purpose}"
retention = "30d"
include = ["plate", "crop", "captured_at", "camera"]

[[recipient]]
id = "{recipient}"
legal_name = "{legal_name}"
basis = "{basis}"
expires = {expires}
signing_key = "{signing_key}"
"""

_CHARTER = """\
name = "Exampleville ALPR charter (demo)"
forbidden_recipients = [
    "us-dhs-ice-ero",
    "us-dhs-hsi",
    "us-dhs-cbp",
]
forbidden_purposes = ["immigration-enforcement"]
allowed_categories = ["stolen-vehicle", "amber-alert"]
max_retention = "30d"
"""

_ROSTER = """\
city = "{city}"

[[camera]]
id = "{camera}"
stands = "Main Street at 2nd Avenue (drawn, not real)"
near = []
mount = "fixed"
"""

_HOTLIST_HEADER = "plate,state,category,agency,case,source_date,expires\n"


@dataclass(frozen=True, slots=True)
class City:
    """Where the city's files lie.

    `folder`: what a camera gets; `root_key`: signs the roster, stays in memory.
    """

    folder: Path
    authority: ThrowawayAuthority
    root_key: Ed25519PrivateKey
    today: dt.date

    def policy(self, *, recipient: str, signing_key: str, broker: ServerIdentity, port: int) -> str:
        """The policy's text for one recipient and one broker."""
        week = dt.timedelta(days=7)
        return _POLICY.format(
            effective=self.today - week,
            expires=self.today + 4 * week,
            rule=RULE,
            recipient=recipient,
            signing_key=signing_key,
            host=HOST,
            port=port,
            pin=broker.pin,
        )


def with_recipient(
    policy_text: str, recipient: str, legal_name: str, *, purpose: str, basis: str
) -> str:
    """A next version of a policy that adds one recipient, a rule for it, and a broker to carry it
    there, as somebody might push it.
    """
    expires = policy_text.split("expires = ", 1)[1][:10]
    key = b64url(Ed25519PrivateKey.generate().public_key().public_bytes_raw())
    head, broker = policy_text.split("[[broker]]")
    added = _ADDED.format(
        recipient=recipient,
        legal_name=legal_name,
        purpose=purpose,
        basis=basis,
        expires=expires,
        signing_key=key,
    ).lstrip()
    carried = broker.replace(
        f'recipients = ["{RECIPIENT}"]', f'recipients = ["{RECIPIENT}", "{recipient}"]'
    )
    return f"{head.replace('version = 1', 'version = 2')}{added}\n[[broker]]{carried}"


def found(
    folder: Path, today: dt.date, wanted: tuple[str, ...], recovered: tuple[str, ...] = ()
) -> City:
    """Write charter, hot list, certificate authority and root key of a new city.

    `wanted`: fictitious plates that are looked for; `recovered`: some that were, whose entries
    ended when the cars were found.
    """
    city = City(
        folder, ThrowawayAuthority("Exampleville demo CA"), Ed25519PrivateKey.generate(), today
    )
    (folder / "ca").mkdir(parents=True)
    (folder / "keys").mkdir()
    (folder / "ca" / "city-hall-ca.pem").write_bytes(city.authority.pem())
    (folder / "charter.toml").write_text(_CHARTER, encoding="utf-8")
    expires = today + dt.timedelta(days=2)
    entries = [(plate, today, expires) for plate in wanted] + [
        (plate, today - dt.timedelta(days=9), today) for plate in recovered
    ]
    rows = [
        f"{plate},US-CA,stolen-vehicle,Exampleville PD,2026-{number:04d},{since},{until}\n"
        for number, (plate, since, until) in enumerate(entries, 118)
    ]
    lists = beside(folder)
    lists.mkdir(mode=0o700)
    (lists / PLAIN).write_text(_HOTLIST_HEADER + "".join(rows), encoding="utf-8")
    public = {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": b64url(city.root_key.public_key().public_bytes_raw()),
    }
    (folder / "root.json").write_text(json.dumps(public), encoding="utf-8")
    return city


def enrol(city: City, device: str, device_key: dict[str, str], at: dt.datetime) -> None:
    """List one camera, and sign a roster that enrols it, as the clerk does (docs/ref/policy.md, The
    roster; docs/ref/sealed-read.md, Roster).
    """
    (city.folder / "roster.toml").write_text(
        _ROSTER.format(city=NAME, camera=device), encoding="utf-8"
    )
    payload = {
        "v": 1,
        "city": NAME,
        "issued_at": rfc3339(at),
        "devices": [{"device": device, "key": device_key}],
    }
    key = OKPKey.import_key(city.root_key)
    roster = jws.serialize_compact(
        {"alg": "Ed25519", "typ": "platewarden-roster"},
        json.dumps(payload),
        key,
        algorithms=["Ed25519"],
    )
    (city.folder / "roster.jws").write_text(roster, encoding="ascii")
