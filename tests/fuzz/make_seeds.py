"""Writes tests/fuzz/seeds anew, from the golden read, the examples and made-up documents. Every
plate in them is fictitious.

python -m tests.fuzz.make_seeds
"""

import base64
import json
import re
import shutil
import sqlite3
import tempfile
import tomllib
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pyrage
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from agent.bundles.hotlist_keys import HEAD
from agent.core.camera.camera_event import Alarm
from agent.core.camera.health.health_message import HEADER, HealthMessage, format_text
from agent.core.camera.health.health_report import Health, Reading
from agent.core.camera.health.watch_facts import WatchFacts
from agent.core.camera.health.watch_facts import format_facts as format_watch
from agent.core.hotlist.changes import changes_between
from agent.core.hotlist.compiled_format import MAGIC
from agent.core.hotlist.intake.list_import import Source, import_list
from agent.core.log.tlog_proof import InclusionProof, format_proof
from agent.core.software.installed import Installed, Memory, Trial, format_memory
from agent.core.software.signed_release import (
    STATEMENT_TYP,
    PackageFile,
    Release,
    Statement,
    format_release,
    format_statement,
)
from agent.core.software.software_version import SoftwareVersion
from agent.core.text.encoding import from_b64url
from agent.core.time.instant import ClockTrust
from agent.core.wire.device_public import DevicePublic, format_device_public
from agent.core.wire.enrolment import Enrolment, format_enrolment
from agent.core.wire.receipt import OUTCOME_TYP, Disposition, LeadOutcome, format_outcome
from agent.core.wire.sealed_read import pad
from agent.sealing.sealer import encrypt
from tests.fuzz import hold_targets, world
from tests.fuzz.bundle_targets import ROLES, city, file_of, first
from tests.fuzz.city_targets import AS_OF, TODAY, plain_list
from tests.fuzz.targets import SEEDS
from tests.fuzz.wire_targets import golden_tags, opener
from tests.support.audit_logs import write_log
from tests.support.media import HEIC, picture, write_video

ROOT = Path(__file__).parents[2]
MADE = datetime(2026, 11, 22, 9, tzinfo=UTC)
AGE = "age1" + "q" * 58
CSV = b"""plate,state,category,agency,case,source_date,expires
TST0042,US-CA,stolen-vehicle,Exampleville PD,C-1,2026-11-20,2027-01-01
TST0043,US-CA,amber-alert,"Exampleville, PD",C-2,2026-11-21,2027-01-02
tst 0044,CA-ON,never-release,City Clerk,C-3,2026-11-22,2027-02-01
"""
ACT = {
    "action": "add", "at": "2026-11-30T10:00:00.000Z", "by": "Badge 12", "why": "seen on Main St",
    "plate": "TST0045", "state": "US-CA", "category": "stolen-vehicle", "agency": "Exampleville PD",
    "case": "C-4", "source_date": "2026-11-29", "expires": "2026-12-20", "vehicle_class": "",
}  # fmt: skip
PROOF = format_proof(InclusionProof(1, (bytes(32),), b"note\n", bytes(40)))
HEALTH_TEXT = format_text(
    HealthMessage(
        17, 2, Health("cam-fuzz", "0.1.0", MADE, frozenset({Alarm.DARK}), 60, problems=("outbox",))
    )
)
WATCH_TOLD = format_watch(
    WatchFacts(MADE, frozenset(Alarm), 12, False, ClockTrust.OS, None, Reading.WORSE)
)
FLEET_TOML = b"""#fleet
broker = "broker"
keys = ["roster.jws"]
city_root = "root.json"
silent_after_hours = 3
page = "fleet.html"
[[ring.push]]
name = "desk"
url = "https://push.exampleville.example/cameras"
address = "203.0.113.30"
"""
CONFIG = b"""max_plate_slots: 9
alphabet: '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_'
pad_char: '_'
img_height: 64
img_width: 128
keep_aspect_ratio: false
interpolation: linear
image_color_mode: grayscale
padding_color: [114, 114, 114]
"""
VIEW = b'{"masks":[],"v":1,"zones":[[[0.1,0.1],[0.9,0.1],[0.9,0.9]]]}'
KNOWN = (
    b'{"boot":"0123456789abcdef","boot_ms":1000,"floor":"2026-11-22T10:00:00.000Z",'
    b'"reference":{"boot_ms":900,"utc":"2026-11-22T09:00:00.000Z"},"v":1}'
)


def plain(toml: bytes) -> bytes:
    """The same without comments, in which a change means nothing."""
    bare = re.sub(rb"(?m) *#.*$", b"", toml).strip() + b"\n"
    assert tomllib.loads(bare.decode()) == tomllib.loads(toml.decode())
    return bare


def decoded(document: str) -> bytes:
    """The payload of a compact JWS."""
    return from_b64url(document.split(".")[1])


def request(name: str = world.DEVICE) -> x509.CertificateSigningRequest:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return builder.sign(world.p256("tls"), hashes.SHA256())


def enrolment() -> bytes:
    keys = [
        world.ed25519(name).public_key().public_bytes_raw()
        for name in ("device", "watch log", "deliver log")
    ]
    csr = request().public_bytes(Encoding.PEM).decode()
    made = Enrolment(DevicePublic(world.DEVICE, *keys), AGE, csr, MADE)
    return format_enrolment(made, world.DEVICE_KEY.sign)


def small_crop() -> str:
    """A whole JPEG of a few grey pixels, in base64: the reader takes no cut one."""
    _, jpeg = cv2.imencode(".jpg", np.full((8, 16), 128, np.uint8))
    return base64.b64encode(jpeg.tobytes()).decode()


def reported():
    """A recipient's word on a lead."""
    said = LeadOutcome("a" * 32, world.DEVICE, world.RECIPIENT, Disposition.WRONG_PLATE, MADE)
    outcome = format_outcome(said)
    return {"raw": world.compact(world.RECIPIENT_KEY, OUTCOME_TYP, outcome), "json": outcome}


def wire() -> dict[str, dict[str, bytes]]:
    golden = world.golden()
    whole, head = golden["wire"].encode(), golden["wire"].partition(".")[0]
    content = opener()._decrypt(golden_tags(), whole).rstrip(b" ")
    table = json.loads(content)
    table["crop"] = small_crop()
    small = {name: table[name] for name in ("v", "match")}
    key = world.epoch_key().public_key().public_bytes_raw()
    first_line = encrypt(golden_tags(), key, pad(dumped(small)))
    header = json.loads(from_b64url(head))
    header["alpr"]["v"] = 2
    receipt, keys, roster = (decoded(golden[name]) for name in ("receipt", "key_list", "roster"))
    few = json.loads(keys)
    few["epochs"] = few["epochs"][:3]
    few["versions"] = [2, 1]
    more = json.loads(roster)
    return {
        "wire": {"small": world.outer(first_line), "nothing": b"."},
        "wire_header": {"golden": from_b64url(head), "newer": json.dumps(header).encode()},
        "wire_jwe": {"small": first_line},
        "wire_content": {"all": json.dumps(table).encode(), "least": json.dumps(small).encode()},
        "receipt": {"raw": golden["receipt"].encode(), "json": receipt},
        "outcome": reported(),
        "key_list": {
            "raw": world.compact(world.RECIPIENT_KEY, "platewarden-epoch-keys", dumped(few)),
            "json": dumped(few),
        },
        "signed_roster": {
            "raw": golden["roster"].encode(), "json": roster, "more": with_logs(more),
        },
        "software_release": software(),
        "jws": {"receipt": golden["receipt"].encode(), "roster": golden["roster"].encode()},
        "public_keys": {
            "root": dumped(golden["root_key"]),
            "device": format_device_public(
                DevicePublic(world.DEVICE, *(world.digest(bytes([n])) for n in range(3)))
            ),
        },
        "enrolment": {"whole": enrolment()},
        "enrolment_csr": {"body": request().tbs_certrequest_bytes},
    }  # fmt: skip


def software() -> dict[str, bytes]:
    """A release with its statement, the statement alone, and what a trial remembers."""
    package = PackageFile("arm64", "3.11", "a" * 64, 40_000_000)
    statement = format_statement(Statement(SoftwareVersion(1, 4, 0), 1, (package,)))
    jws = world.compact(world.ROOT_KEY, STATEMENT_TYP, statement).decode().strip()
    tried = Trial(Installed(SoftwareVersion(1, 4, 0), "a" * 64, 1), 7)
    memory = Memory(tried, (("b" * 64, 6),)).noted(MADE, "trial begins", tried.installed)
    return {
        "release": format_release(Release(jws, 10, frozenset({world.DEVICE}))),
        "statement": b"!" + statement,
        "memory": b"?" + format_memory(memory),
    }


def with_logs(roster: dict) -> bytes:
    """A roster as the newest software writes it."""
    device = roster["devices"][0]
    device["age"] = AGE
    for name in ("watch_log", "deliver_log"):
        device[name] = next(value for value in device.values() if isinstance(value, dict))
    return dumped(roster)


def dumped(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def in_parts(file: bytes) -> bytes:
    """A list or changes, as a target takes them: header, line feed, what follows but the sum."""
    begin = len(MAGIC) + 8
    end = begin + int.from_bytes(file[len(MAGIC) : begin], "little")
    return file[begin:end] + b"\n" + file[end:-32]


def lists() -> dict[str, dict[str, bytes]]:
    whole = bytes(import_list(Source([CSV], "x", AS_OF), None, TODAY).encoded())
    record = b"V20261120TST0042   CA"
    manual = dumped({"v": 1, "acts": [ACT, {**ACT, "action": "withdraw", "case": "C-1"}]})
    example = {name: {"plain": plain((world.EXAMPLE / f"{name}.toml").read_bytes())}
               for name in ("policy", "charter", "roster")}  # fmt: skip
    return {
        "hotlist_csv": {"three": CSV, "crlf": CSV.replace(b"\n", b"\r\n")},
        "hotlist_ncic": {
            "short": b"0" + record + b"\nA20261121TST0043   NB\n",
            "long": b"1" + record + b"EXAMPLE PDCASE-00120261231\n",
        },
        "hotlist_bin": {"whole": whole[:-32], "parts": in_parts(whole)},
        "hotlist_changes": {"two-come": in_parts(changes_between(plain_list(), whole))},
        "hotlist_sealed_file": {
            "acts": b"!" + manual,
            "stranger": pyrage.encrypt(b"x", [pyrage.x25519.Identity.generate().to_public()]),
        },
        "hotlist_key_group": {
            "others": HEAD + b"age1abc Zm9v\ncamerab Zm9v\n",
            "key": b"!secret",
        },
        "manual_acts": {"two": manual},
        **example,
        "profile": {
            name: (ROOT / f"config/jurisdictions/{name}.toml").read_bytes()
            for name in ("us-ca", "us-nh", "eu")
        },
        "roster_csv": {
            "two": b"id,stands,near,mount\nmain-street-1,Main Street 1,school|court,fixed\n"
            b"van-2,Van 2,,vehicle\n",
            "semicolons": b"\xef\xbb\xbfid;stands;near;mount\nmain-street-1;Main Street 1;;\n",
        },
    }


def bundles() -> dict[str, dict[str, bytes]]:
    first()
    metadata: dict[str, bytes] = {}
    raw: dict[str, bytes] = {}
    for number, role in enumerate(ROLES):
        data = first()[file_of(role)]
        raw[role] = bytes([number]) + data
        metadata[f"{role}-signed"] = bytes([number]) + b"!" + dumped(json.loads(data)["signed"])
    facts = {
        "v": 1, "city": {"id": "exampleville", "name": "City of Exampleville", "rig": False},
        "issued": "2026-11-22T06:00:00.000Z", "absent": [], "anchor": "ab" * 32,
        "roles": [{"role": "root", "version": 1, "expires": "2027-11-22T06:00:00.000Z",
                   "signed_by": ["Ana Ortiz"]}],
        "files": [{"path": "policy.toml", "sha256": "cd" * 32}],
    }  # fmt: skip
    identity = next(data for name, data in city().published.items() if name.endswith("city.json"))
    return {
        "bundle_metadata": raw | metadata,
        "fetch": raw,
        "generation_facts": {"facts": dumped(facts), "city": identity},
    }


def pictures() -> dict[str, dict[str, bytes]]:
    small = picture(24, 16)
    images = {
        suffix: cv2.imencode(f".{suffix}", small)[1].tobytes()
        for suffix in ("jpg", "png", "webp", "avif", "tif", "bmp")
    }
    headers = images | {"heic": HEIC.read_bytes()}
    videos = {}
    with tempfile.TemporaryDirectory() as folder:
        for suffix, codec in (
            ("mp4", "mpeg4"),
            ("mkv", "mpeg4"),
            ("avi", "mjpeg"),
            ("ts", "mpeg2video"),
        ):
            path = write_video(Path(folder) / f"x.{suffix}", 3, codec, 10, (64, 48))
            videos[suffix] = path.read_bytes()
    return {"image_header": headers, "image": images, "video": videos}


def log() -> bytes:
    """Three leaves in small pages."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_log(Path(folder) / "watch", 3) / "log.sqlite"
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("PRAGMA page_size = 512")
            connection.execute("VACUUM")
        data = path.read_bytes()
        with closing(sqlite3.connect(path)) as connection:
            (note,) = connection.execute("SELECT note FROM checkpoint WHERE size = 1").fetchone()
            (details,) = connection.execute("SELECT details FROM leaf WHERE n = 1").fetchone()
    return data, note, details


def device() -> dict[str, dict[str, bytes]]:
    database, note, details = log()
    refusals = dumped([{"at": "2026-11-22T06:00:00.000Z", "reason": "x", "what": "y"}])
    facts = {"as_of": "2026-11-22T06:00:00.000Z", "stale_after": "2026-11-24T06:00:00.000Z",
             "digest": "ab" * 32}  # fmt: skip
    camera = {"at": "2026-11-22T06:00:00.000Z", "alarms": {}, "profile": "day", "stalls": 0}
    camera |= {"frames": 900, "dropped": 4}
    settings = (ROOT / "config/platewarden.example.toml").read_bytes()
    everything = re.sub(rb"(?m)^# (?=[a-z_]+ = )", b"", settings)
    host = b"Host: 10.42.0.1\r\n"
    cookie = b"Cookie: aim=" + b"A" * 43 + b"\r\n"

    def post(path: bytes, body: bytes) -> bytes:
        first_line, kind = b"POST " + path + b" HTTP/1.1\r\n", b"Content-Type: application/json\r\n"
        return first_line + host + cookie + kind + b"Content-Length: *\r\n\r\n" + body

    return {
        "settings": {"plain": plain(settings), "all": plain(everything)},
        "receiver_toml": {
            "fleet": FLEET_TOML,
            "whole": b'recipient = "exampleville-pd"\n[broker]\nhost = "mqtt.exampleville.gov"\n'
            b'address = "203.0.113.10"\nport = 8883\nca = "broker-ca.pem"\n',
        },
        "http_request": {
            "page": b"GET / HTTP/1.1\r\n" + host + b"\r\n",
            "look": b"GET /look?after=1 HTTP/1.1\r\n" + host + cookie + b"\r\n",
            "enter": post(b"/enter", b'{"pin":"123456"}'),
            "view": post(b"/view", VIEW),
            "shutter": post(b"/shutter", b'{"speed_km_h":50,"shutter":1000,"angle_deg":30,'
                            b'"plate_px":100,"plate_mm":520}'),
            "end": post(b"/end", b"{}"), "ask": post(b"/view", b"{}"),
        },
        "mailbox": {"read": b"0" * 32 + b".sealed\ncontent", "receipt": b"a" * 32 + b".receipt\nx",
                    "stranger": b"x\x1b[1m\n"},
        "status_files": {
            "refusals": b"\0" + refusals, "hotlist": b"\1" + dumped(facts),
            "camera": b"\2" + dumped(camera), "clock": b"\3" + KNOWN,
        },
        "view": {"zone": VIEW},
        "trusted_time": {"known": KNOWN},
        "checkpoint": {
            "note": note,
            "key": b"example.org+00000000+AQID",
            "answer": note.partition(b"\n\n")[0] + b"\n\n" + PROOF,
            "published": note.partition(b"\n\n")[0] + b"\npublished 2027-01-15T08:00:00.000Z\n",
        },
        "audit_log": {"whole": database, "leaf": b"!" + details, "checkpoint": b"?" + note},
        "health": {"message": HEALTH_TEXT[len(HEADER) :], "watch": b"!" + WATCH_TOLD},
        "plate_config": {"whole": CONFIG},
    }  # fmt: skip


def main() -> None:
    shutil.rmtree(SEEDS, ignore_errors=True)
    made = {}
    for part in (wire, lists, bundles, pictures, device, hold_targets.seeds):
        for name, files in part().items():
            made[name] = files
            (SEEDS / name).mkdir(parents=True)
            for file, data in files.items():
                (SEEDS / name / file).write_bytes(data)
    print(f"{sum(map(len, made.values()))} seeds for {len(made)} targets")


if __name__ == "__main__":
    main()
