"""Enrolment files into the roster: a whole batch by one signature of the city's root key. Where the
root has several keys, each holder signs on their own: `roster_signature`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws
from joserfc.jwk import OKPKey

from agent.bundles.repository.signing_keys import load_private
from agent.city.drafts import CAMERAS, ROSTER, Enrolled
from agent.core.policy.camera_roster import MAX_BYTES as CAMERAS_BYTES
from agent.core.policy.camera_roster import RosterCamera, parse_roster
from agent.core.wire.enrolment import MAX_BYTES, Enrolment
from agent.disk.input_file import read_input
from agent.errors import ConfigError, EnvelopeRefusedError, UsageError
from agent.values import dataclass, replace
from agent.verifying.enrolment_check import verify_enrolment
from agent.verifying.jose_registry import registry
from agent.verifying.roster_check import MAX_BYTES as ROSTER_BYTES
from agent.verifying.roster_check import (
    TYP,
    Roster,
    RosterRoot,
    format_root,
    format_roster,
    parse_root,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from agent.city.drafts import Texts


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for.

    `paths`: enrolment files, or folders of them; `replace`, `retire`: ids of cameras; `key`: of the
    city's root key; `new_key`: of the one that takes its place, because it is lost, or handed on.
    """

    paths: Sequence[Path] = ()
    replace: Sequence[str] = ()
    retire: Sequence[str] = ()
    key: str = ""
    new_key: str = ""

    def __bool__(self) -> bool:
        return bool(self.paths or self.replace or self.retire or self.new_key)


def first_roster(city: str, key: Ed25519PrivateKey, now: datetime) -> tuple[bytes, bytes]:
    """root.json and an empty roster.jws."""
    return root_json(key), sign_roster(Roster(city, now, {}), key)


def root_json(key: Ed25519PrivateKey) -> bytes:
    """The public half of the city's root key, as recipients and cameras are given it."""
    return format_root(RosterRoot((key.public_key().public_bytes_raw(),)))


def sign_roster(roster: Roster, key: Ed25519PrivateKey) -> bytes:
    """roster.jws (docs/ref/sealed-read.md)."""
    return sign_payload(format_roster(roster), key)


def sign_payload(payload: bytes, key: Ed25519PrivateKey, typ: str = TYP) -> bytes:
    """The compact JWS of a roster, or of another document of the city's (`typ`)."""
    signed = jws.serialize_compact(
        {"alg": "Ed25519", "typ": typ},
        payload,
        OKPKey.import_key(key),
        registry=registry(ROSTER_BYTES),
    )
    return signed.encode("ascii") + b"\n"


def load_root_key(
    where: str, root_json: bytes | None, secret: Callable[[str], str]
) -> Ed25519PrivateKey:
    """The city's root key, which must be in root.json, where there is one.

    Raises StorageError, ConfigError.
    """
    key = load_private(where, secret)
    held = parse_root(root_json).keys if root_json is not None else None
    if not isinstance(key, Ed25519PrivateKey) or (
        held is not None and key.public_key().public_bytes_raw() not in held
    ):
        raise ConfigError(
            "is not the city's root key, whose public half is root.json",
            where=where,
            fix="name the file that `bundle init --roster-key` made, or that its holder made since",
        )
    return key


def enrolled(wanted: Wanted, texts: Texts, now: datetime, secret: Callable[[str], str]) -> Enrolled:
    """The new roster.toml, roster.jws and root.json.

    Raises UsageError, ConfigError, StorageError.

    A new root key needs nothing of the old one, which may be lost: two of the policy's signers
    stand for it, as for everything else in their role.
    """
    _require_key(wanted, texts)
    done = changed(wanted, texts, now)
    known = None if wanted.new_key else texts.city_root
    key = load_root_key(wanted.new_key or wanted.key, known, secret)
    return Enrolled(done.cameras, sign_roster(done.roster, key), root_json(key), done.files)


@dataclass(frozen=True, slots=True)
class Changed:
    """The new roster.toml, the roster that is to be signed, and the enrolment files by camera."""

    cameras: bytes
    roster: Roster
    files: Mapping[str, bytes]


def changed(wanted: Wanted, texts: Texts, now: datetime) -> Changed:
    """What the drafts become. Raises UsageError, ConfigError, StorageError."""
    before = _before(texts)
    if before is None or texts.cameras is None or texts.city_root is None:
        raise ConfigError("there is no roster yet", where=ROSTER, fix="`bundle init` makes it")
    _require_possible(wanted, before)
    devices, age, logs = dict(before.devices), dict(before.age), dict(before.logs)
    for name in wanted.retire:
        devices.pop(name), age.pop(name, None), logs.pop(name, None)
    files = _files(wanted.paths)
    cameras = _listed(texts.cameras, files)
    read: dict[str, bytes] = {}
    names = {key: name for name, key in devices.items()}
    for path, enrolment in files.items():
        name = enrolment.device
        if name in read:
            raise UsageError(
                f"camera {name!r} is there twice",
                where=path,
                fix="each camera is enrolled once: leave one of its files out",
            )
        _require_new(enrolment, devices, names, wanted, path)
        read[name] = read_input(path, MAX_BYTES, missing="")
        names.pop(devices.get(name, b""), None)
        devices[name], age[name] = enrolment.public.seal, enrolment.age
        names[enrolment.public.seal] = name
        logs[name] = enrolment.public.watch_log, enrolment.public.deliver_log
    if missing := sorted(set(wanted.replace) - read.keys()):
        raise UsageError(
            "is to be replaced, and no enrolment file of its new device is named",
            where=missing[0],
            fix="--enrol FILE --replace CAMERA",
        )
    roster = replace(before, issued_at=now, devices=devices, age=age, logs=logs)
    return Changed(cameras, roster, read)


def _before(texts: Texts) -> Roster | None:
    """Who is enrolled in the drafts. Raises ConfigError."""
    try:
        return texts.enrolled()
    except EnvelopeRefusedError as error:
        raise ConfigError(
            error.what,
            where=ROSTER,
            fix="let the missing holders sign it (`bundle roster`), or take roster.jws and "
            "root.json together from a copy; then run it again",
        ) from None


def _require_key(wanted: Wanted, texts: Texts) -> None:
    if wanted.key and wanted.new_key:
        raise UsageError(
            "the roster is signed by one of the two",
            where="--new-roster-key",
            fix="leave --roster-key out: the old key is needed no more",
        )
    if not wanted.key and not wanted.new_key:
        raise UsageError(
            "who is enrolled is signed with the city's root key",
            where="--enrol",
            fix="name it with --roster-key",
        )
    if wanted.key and texts.city_root and (root := parse_root(texts.city_root)).threshold > 1:
        raise UsageError(
            f"the roster needs the signatures of {root.threshold} of {len(root.keys)} keys",
            where="--roster-key",
            fix="each holder runs `platewarden bundle roster`, the first with --enrol or --retire; "
            "then sign without --roster-key",
        )


def _require_possible(wanted: Wanted, before: Roster) -> None:
    for name in (*wanted.retire, *wanted.replace):
        if name not in before.devices:
            raise UsageError(
                "no such camera is enrolled",
                where=name,
                fix=f"enrolled: {', '.join(sorted(before.devices)) or 'none'}",
            )


def _files(paths: Sequence[Path]) -> dict[Path, Enrolment]:
    """The files named, and those in folders named. Raises ConfigError, UsageError."""
    found: dict[Path, Enrolment] = {}
    for path in paths:
        inside = sorted(path.glob("*.json")) if path.is_dir() else [path]
        if not inside:
            raise UsageError(
                "holds no enrolment files",
                where=path,
                fix="name the folder `enrolments` that `platewarden provision --batch` made",
            )
        found |= {file: read_enrolment(file) for file in inside}
    return found


def _listed(cameras: bytes, files: Mapping[Path, Enrolment]) -> bytes:
    """roster.toml with every camera in it: as it stands there, else as roster.toml beside its
    enrolment file says.

    Raises UsageError, ConfigError.
    """
    known = set(parse_roster(cameras, CAMERAS).cameras)
    tables: dict[Path, Mapping[str, RosterCamera]] = {}
    added = []
    for path, enrolment in files.items():
        if enrolment.device in known:
            continue
        if path.parent not in tables:
            tables[path.parent] = _tables_beside(path)
        camera = tables[path.parent].get(enrolment.device)
        if camera is None:
            fix = (
                "add its [[camera]] to roster.toml: "
                "where it stands and what is near is for a person to say"
            )
            raise UsageError(
                f"camera {enrolment.device!r} is not in {CAMERAS}", where=path, fix=fix
            )
        near = ", ".join(json.dumps(place) for place in sorted(camera.near))
        values = (
            f'id = "{camera.id}"',
            f"stands = {json.dumps(camera.stands, ensure_ascii=False)}",
            f"near = [{near}]",
            f'mount = "{camera.mount}"',
            *((f'road = "{camera.road}"',) if camera.road else ()),
            *((f'group = "{camera.group}"',) if camera.group else ()),
        )
        added.append("\n\n[[camera]]\n{}".format("\n".join(values)).encode())
        known.add(camera.id)
    if added:
        cameras = b"".join([cameras.rstrip(b"\n"), *added, b"\n"])
        parse_roster(cameras, CAMERAS)
    return cameras


def _tables_beside(path: Path) -> Mapping[str, RosterCamera]:
    """The cameras that roster.toml beside an enrolment file tells; empty where there is none."""
    beside = path.parent / CAMERAS
    text = read_input(beside, CAMERAS_BYTES, missing="") if beside.is_file() else b""
    return parse_roster(b'city = "-"\n' + text, str(beside)).cameras


def _require_new(
    enrolment: Enrolment,
    devices: Mapping[str, bytes],
    names: Mapping[bytes, str],
    wanted: Wanted,
    path: Path,
) -> None:
    """Another key under a known name is an attack until the clerk says otherwise; one key under two
    names is a copied card. `names`: of cameras, by key.

    Raises UsageError.
    """
    name, seal = enrolment.device, enrolment.public.seal
    if name in devices and devices[name] != seal and name not in wanted.replace:
        raise UsageError(
            f"camera {name!r} is enrolled with another key",
            where=path,
            fix=f"is it a new device in the same place? then: --replace {name}",
        )
    taken = names.get(seal, name)
    if taken != name:
        raise UsageError(
            f"camera {name!r} has the key of {taken!r}",
            where=path,
            fix="a card was copied: make the keys on each camera anew",
        )


def read_enrolment(path: Path) -> Enrolment:
    """An enrolment file whose signature shows that its maker holds the camera's key.

    Raises ConfigError.
    """
    untrusted = read_input(
        path, MAX_BYTES, missing="`platewarden provision` makes it on the camera"
    )
    try:
        return verify_enrolment(untrusted, str(path))
    except EnvelopeRefusedError as error:
        raise ConfigError(
            error.what,
            where=path,
            fix="get the file again from the camera: `platewarden provision`",
        ) from None
