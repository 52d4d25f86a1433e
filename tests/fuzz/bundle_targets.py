"""Targets on signed bundles: each metadata file, raw or signed by its role's own keys; fetching."""

import itertools
import json
import logging
import shutil
from datetime import timedelta
from functools import cache
from pathlib import Path

from securesystemslib.formats import encode_canonical
from securesystemslib.signer import CryptoSigner, SSlibKey

from agent.bundles import verification
from agent.bundles.fetcher import Fetch, FolderSource
from agent.bundles.generation import _parse_facts
from agent.bundles.inbox import Inbox
from agent.bundles.layout import (
    HOLDER,
    HOTLIST,
    POLICY,
    ROOT,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    parse_city,
)
from agent.errors import PlatewardenError
from agent.settings import Limits
from tests.fuzz import world
from tests.fuzz.targets import target
from tests.support import bundle_city

ROLES = (ROOT, TIMESTAMP, SNAPSHOT, TARGETS, POLICY, HOTLIST, bundle_city.KEYS)
TUF = ("tuf", "securesystemslib")
_numbers = itertools.count()
logging.getLogger("tuf").disabled = logging.getLogger("securesystemslib").disabled = True


def fixed_person(name: str) -> CryptoSigner:
    """The same keys in the same order each time."""
    signer = CryptoSigner(world.ed25519(f"person {next(_numbers)}"))
    public = signer.public_key
    named = SSlibKey(public.keyid, public.keytype, public.scheme, public.keyval, {HOLDER: name})
    return CryptoSigner(signer._private_key, named)


@cache
def city() -> bundle_city.BundleCity:
    """A city whose second root is published, so that it can be exchanged as well."""
    bundle_city.person = fixed_person
    made = bundle_city.BundleCity()
    made.root()
    made.online()
    return made


@cache
def first() -> dict[str, bytes]:
    """What it has published, before anybody touched it."""
    return dict(city().published)


def file_of(role: str) -> str:
    """Where a role's newest metadata lies."""
    if role == TIMESTAMP:
        return "metadata/timestamp.json"
    return f"metadata/{city().metadata[role].signed.version}.{role}.json"


@cache
def box(name: str) -> Path:
    """The whole repository in a folder."""
    first()
    return city().write(world.folder(name))


def put(where: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (where / name).write_bytes(data)


def signed(role: str, data: bytes) -> bytes | None:
    """The role's metadata around these signed parts, by all who may sign it; None: no JSON that
    could be signed.
    """
    try:
        table = json.loads(data)
        payload = encode_canonical(table).encode()
    except Exception:  # noqa: BLE001 - what nobody can sign needs no look behind a signature
        return None
    signatures = [
        {"keyid": signer.public_key.keyid, "sig": signer.sign(payload).signature}
        for signer in city().signers[role]
    ]
    return json.dumps({"signatures": signatures, "signed": table}).encode()


def repository_with(role: str, data: bytes) -> dict[str, bytes]:
    """The files that change with this role's metadata: the online job signs what names it."""
    one = city()
    one.published = dict(first())
    before = dict(one.metadata)
    one.published[file_of(role)] = data
    if role in {TARGETS, POLICY, HOTLIST, bundle_city.KEYS}:
        one.online(snapshot_version=one.metadata[SNAPSHOT].signed.version)
    elif role == SNAPSHOT:
        one.timestamp()
    made = {path: text for path, text in one.published.items() if text != first().get(path)}
    one.metadata = before
    return made


@target(
    "one role's metadata: a byte for the role, then the file, or its signed part behind `!`",
    8192,
    5.0,
    also=TUF,
)
def bundle_metadata(data: bytes) -> None:
    role, rest = ROLES[data[0] % len(ROLES) if data else 0], data[1:]
    if rest.startswith(b"!"):
        rest = signed(role, rest[1:]) or rest
    where, part = box("inbox"), world.folder("part") / "1"
    changed = repository_with(role, rest)
    put(where, changed)
    part.mkdir(exist_ok=True)
    (part / "city").mkdir(exist_ok=True)
    try:
        verify(part, where)
    finally:
        put(where, {name: first()[name] for name in changed})
        shutil.rmtree(part)


def verify(part: Path, where: Path) -> None:
    anchor = first()["metadata/1.root.json"]
    run = verification.Verification(
        part, Inbox(where), anchor, city().now + timedelta(hours=1), Limits(), frozenset()
    )
    run.run(None, rig=False)


def own_refusal(error: Exception, *arguments: object) -> Exception:
    """What TUF raises is turned into a refusal. What begins in a file of ours is a find."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    file = last.tb_frame.f_code.co_filename if last is not None else ""
    if "/agent/" in file and not isinstance(error, _known()):
        raise error
    return _refusal(error, *arguments)


@cache
def _known() -> tuple[type[Exception], ...]:
    from tuf.api.exceptions import DownloadError, RepositoryError

    return DownloadError, RepositoryError


_refusal, verification.refusal = verification.refusal, own_refusal


@target("the same files, fetched from a folder, which believes nothing", 8192, 5.0)
def fetch(data: bytes) -> None:
    role, rest = ROLES[data[0] % len(ROLES) if data else 0], data[1:]
    where, into = box("source"), world.folder("fetched")
    name = file_of(role)
    put(where, {name: rest})
    try:
        Fetch(FolderSource(where), into, Limits(), "main-street-2").run()
    finally:
        put(where, {name: first()[name]})


@target("generation.json, and a city's own file (JSON)")
def generation_facts(data: bytes) -> None:
    try:
        parse_city(data)
    except PlatewardenError:
        _parse_facts(data)
