"""Targets on one machine's files and sockets: pictures, videos, settings, the aim's page,
mailboxes, status, logs, time, other people's configs.
"""

import os
import sqlite3
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from types import SimpleNamespace

from agent import settings as settings_file
from agent.aim import page_server
from agent.aim.desk import Desk
from agent.audit.log_verify import verify
from agent.camera import photo_header
from agent.camera.images import load_image
from agent.camera.video import VideoSource
from agent.core.camera.aim_gate import Gate
from agent.core.camera.health.health_message import HEADER
from agent.core.camera.health.watch_facts import parse_facts as parse_watch
from agent.core.camera.view import EVERYTHING, format_view, parse_view
from agent.core.log.checkpoint import (
    NoteSignature,
    key_id,
    note,
    origin_of,
    parse_body,
    parse_note,
    parse_signatures,
    parse_verifier_key,
)
from agent.core.log.collected import parse_answer, published_at
from agent.core.log.cosignature import parse_witness_key
from agent.core.log.witness_policy import parse_policy
from agent.core.time.trusted_time import MAX_BYTES as MOST_KNOWN
from agent.core.time.trusted_time import Look, SignedTime, format_known, judge, parse_known
from agent.core.wire.image_header import parse as parse_header
from agent.errors import PlatewardenError
from agent.fleet import fleet_settings
from agent.host.clock import BUILD_TIME
from agent.receiver import receiver_settings
from agent.sides import camera_state
from agent.storage.health.health_note import verified
from agent.storage.log_key import TrustedLogKeys
from agent.storage.log_notes import verified_checkpoint
from agent.storage.log_reader import rehearsals
from agent.storage.mailbox import OutboxReader, ReceiptBox
from tests.fakes.clock import FakeClock
from tests.fuzz import world
from tests.fuzz.targets import SEEDS, target
from tests.support.audit_logs import KEY, ORIGIN, TRUSTED

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
MOST_PIXELS = 250_000
TOKEN = "A" * 43
page_server.WRONG_PIN_WAIT_S = page_server.LOOK_WAIT_S = 0.0


def written(name: str, data: bytes):
    path = world.folder("files") / name
    path.write_bytes(data)
    return path


@target("an image's header: JPEG, PNG, WebP, HEIC, AVIF, TIFF, BMP")
def image_header(data: bytes) -> None:
    parse_header(data)
    photo_header.parse(data)


@target("an image file, decoded", most_seconds=5.0)
def image(data: bytes) -> None:
    picture = load_image(written("picture", data), MOST_PIXELS)
    assert picture.ndim == 3
    assert picture.shape[0] * picture.shape[1] <= MOST_PIXELS


@target("a video file, its first frames decoded", 16_384, most_seconds=20.0)
def video(data: bytes) -> None:
    source = VideoSource(written("video", data), "video", FakeClock(), MOST_PIXELS)
    frames = source.frames()
    try:
        for _, frame in zip(range(20), frames, strict=False):
            assert frame.image.ndim == 3
    finally:
        frames.close()
        source.close()


@target("platewarden.toml", 8192)
def settings(data: bytes) -> None:
    settings_file.load(written("platewarden.toml", data))


@target("receiver.toml; or, with a first line that says so, fleet.toml", 8192)
def receiver_toml(data: bytes) -> None:
    written(receiver_settings.FILE_NAME, data)
    if data.startswith(b"#fleet\n"):
        written(fleet_settings.FILE_NAME, data)
        fleet_settings.load(world.folder("files"))
        return
    found = receiver_settings.load(world.folder("files"))
    receiver_settings.template(found)


class Line:
    """Stands for a phone's connection: what it sends, and what is sent to it."""

    def __init__(self, data: bytes) -> None:
        self.sends, self.gets = BytesIO(data), bytearray()

    def makefile(self, *_arguments: object) -> BytesIO:
        return BytesIO()  # closed unread: the page reads by recv_into

    def recv_into(self, buffer: memoryview) -> int:
        return self.sends.readinto(buffer)

    def sendall(self, data: bytes) -> None:
        self.gets += data

    def settimeout(self, _seconds: float) -> None:
        pass


@target("the bytes of a connection to the aim's page", also=("http",))
def http_request(data: bytes) -> None:
    # `*` for the length, else a changed body would be cut or waited for
    _, _, body = data.partition(b"\r\n\r\n")
    data = data.replace(b"Length: *", b"Length: %d" % len(body))
    gate = Gate(1000.0)
    if b"Cookie" in data:  # else nobody has come in yet
        gate.enter(0.0, right=True, token=TOKEN)
    desk = Desk("123456", gate, lambda: 1.0, EVERYTHING, can_save=True)
    desk.save = lambda _view: None  # the camera's loop would save it
    server = SimpleNamespace(desk=desk, hosts={"10.42.0.1", "localhost:80"})
    line = Line(data)
    page_server.Handler(line, ("10.42.0.7", 1), server)
    assert b"could not be answered" not in line.gets, bytes(line.gets[-200:])


@target("a mailbox: a line with a file's name, then its content")
def mailbox(data: bytes) -> None:
    name, _, content = data.partition(b"\n")
    name = name.replace(b"/", b"").replace(b"\0", b"")[:200]
    if name in {b"", b".", b".."}:
        return
    where = world.folder("mailbox")
    path = where / os.fsdecode(name)
    path.write_bytes(content)
    try:
        for reader, take in (
            (OutboxReader(where, 1024), OutboxReader.untrusted_wire),
            (ReceiptBox(where, 512), ReceiptBox.untrusted_receipt),
        ):
            for read_id in reader.pending():
                take(reader, read_id)
            for stranger in reader.strangers():
                stranger.encode()  # it is printed
                assert stranger.isprintable()
    finally:
        path.unlink()
    OutboxReader(where, 1024).untrusted_wire(os.fsdecode(name))


@target(
    "the small files that `status` reads: refusals, hot list, camera, clock (by first byte)",
    words='"night" "blocked" "dirty" null',
)
def status_files(data: bytes) -> None:
    path = written("small.json", data[1:])
    choice = data[0] % 4 if data else 0
    if choice == 0:
        camera_state._refusals(path)
    elif choice == 1:
        camera_state._hotlist(path, NOW)
    elif choice == 2:
        camera_state._camera(path)
    else:
        camera_state._clock(written("clock.json", data[1:]).parent, None)


@target("view.json: zones and masks")
def view(data: bytes) -> None:
    found = parse_view(data, "view.json")
    again = parse_view(format_view(found), "again")
    assert again.digest() == found.digest()
    found.counts(0.5, 0.5)


@target("clock.json: what a process knew of time", MOST_KNOWN)
def trusted_time(data: bytes) -> None:
    known = parse_known(data, "clock.json")
    format_known(known)
    signed = SignedTime(BUILD_TIME, NOW)
    for look in (
        Look(NOW, 100.0, known.boot, synchronised=True, rtc=False),
        Look(NOW, 100.0, "another", synchronised=False, rtc=False),
    ):
        for told in (None, signed):
            format_known(judge(look, known, told, BUILD_TIME).known)


@target("a checkpoint and its note, and a verifier's key")
def checkpoint(data: bytes) -> None:
    verified_checkpoint(data, ORIGIN, KEY.public_key())
    with suppress(ValueError):  # is what these three say of anything else
        parse_verifier_key(data.decode())
    with suppress(ValueError):
        parse_body(data)
    with suppress(ValueError):
        parse_note(data)
    with suppress(ValueError):  # what a witness answers, and who is asked
        parse_signatures(data)
    with suppress(ValueError):
        parse_witness_key(data.decode())
    with suppress(ValueError):
        parse_policy(data)
    with suppress(ValueError):  # between a camera and its city's collector
        published_at(parse_body(data).extensions)
    with suppress(ValueError):
        parse_answer(data)


@target("a camera's health: what stands below its first line; or (behind `!`) watch's file")
def health(data: bytes) -> None:
    origin = origin_of("cam-fuzz", "deliver")
    line = NoteSignature(origin, key_id(origin, KEY.public_key().public_bytes_raw()), bytes(64))
    keys = TrustedLogKeys({origin: KEY.public_key()}, "roster")
    if data.startswith(b"!"):
        parse_watch(data[1:])
        return
    with suppress(PlatewardenError):
        verified(data, "cam-fuzz", keys)
    # signed, so that what stands behind the signature is reached
    whole = note(HEADER + data, [replace(line, signature=KEY.sign(HEADER + data))])
    verified(whole, "cam-fuzz", keys)


@cache
def small_log() -> bytes:
    return (SEEDS / "audit_log/whole").read_bytes()


@target(
    "a log's database; or (behind `!` and `?`) one leaf's details, one checkpoint in it",
    16_384,
    5.0,
)
def audit_log(data: bytes) -> None:
    path = world.folder("log") / "log.sqlite"
    place = {b"!": "leaf SET details", b"?": "checkpoint SET note"}.get(data[:1])
    path.write_bytes(small_log() if place else data)
    if place:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute(f"UPDATE {place} = ? WHERE rowid = 1", (data[1:],))
    for one in path.parent.glob("log.sqlite-*"):
        one.unlink()
    try:
        verify(path, TRUSTED)
    finally:
        rehearsals(path)


@target("another recogniser's plate config (YAML)", also=("yaml",))
def plate_config(data: bytes) -> None:
    from agent.peers.plate_config import read_plate_config

    read_plate_config(written("x_plate_config.yaml", data))
