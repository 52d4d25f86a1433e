"""Builds and runs `aim`: the camera shown to its installer's phone, every plate painted over but
the test plate; and the survey, shown to nobody (P1, P2).

It takes watch's place: it holds the lock of watch's log, so that both never run together, and
writes its leaves there. It loads no key that seals or opens, no hot list and no network client.
Nothing that it sees is kept.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from threading import Thread

from agent.aim.desk import Desk
from agent.aim.hotspot import Hotspot
from agent.aim.page_server import PageServer
from agent.aim.page_socket import listen
from agent.aim.painted_frame import Looker, samples_of
from agent.aim.view_keeper import ViewKeeper
from agent.camera.masked_source import MaskedSource, ZonedDetector, load_view
from agent.camera.sources import open_source
from agent.core.camera.aim_figures import Band, band_for
from agent.core.camera.aim_gate import Ending, Gate
from agent.core.camera.aim_survey import Survey
from agent.core.camera.view import EVERYTHING
from agent.core.log.leaf import LeafKind
from agent.core.reading.overlap import Box
from agent.core.reading.sighting import Frame, PlateRead
from agent.core.wire.test_plate import is_test_plate
from agent.disk.atomic_file import private_folder
from agent.disk.private_file import credential_or
from agent.errors import PlatewardenError, SourceError, UsageError
from agent.host.clock import SystemClock, TrustedClock
from agent.host.memory import keep_out_of_swap
from agent.host.notify import Notifier
from agent.host.stop_signal import Stop
from agent.pipeline import plates_in
from agent.ports import AuditLog as AuditLogPort
from agent.ports import Clock, PlateDetector, PlateReader
from agent.settings import Settings
from agent.storage.audit_log import AuditLog
from agent.storage.log_key import load_signing_key, own_origin
from agent.values import dataclass, replace
from agent.vision.detector import OnnxPlateDetector
from agent.vision.model_loader import load_vision
from agent.vision.models import load_model

# detector's score from which a place is painted over: far below what counts as a plate, so that
# hardly any is missed
HIDE_FROM = 0.08
FRAME_EVERY_S = 0.2  # of files; a camera has its own pace
LAST_WORD_S = 1.5  # so that the phone still hears why it is over


@dataclass(frozen=True, slots=True)
class Aim:
    """How one aim is run. `kept`: there is a settings file, so that leaves are logged and shapes
    saved; without one (a laptop) nothing is written at all.
    """

    settings: Settings
    source: str
    pin: str
    address: str
    port: int
    seconds: float
    kept: bool
    hotspot: Hotspot | None = None


@dataclass(frozen=True, slots=True)
class Eyes:
    """The networks. `proposer`: the detector alone, at a low threshold, for painting over."""

    detector: PlateDetector
    reader: PlateReader
    proposer: PlateDetector

    def reads(self, frame: Frame) -> list[PlateRead]:
        """Every plate, read, as watch sees them."""
        return plates_in(self.detector, self.reader, frame)

    def finds(self, frame: Frame) -> list[Box]:
        """Every place that might be a plate: all that the detector would propose to the aligner,
        and much more.
        """
        return [found.box for found in self.proposer.find_plates(frame)]


def open_eyes(settings: Settings) -> Eyes:
    """The models of the manifest. Raises ModelError."""
    threads, folder = settings.models.threads, settings.models.directory
    detector, reader = load_vision(threads, folder, settings.models.longest_text)
    return Eyes(
        detector, reader, OnnxPlateDetector(load_model("detector", threads, folder), HIDE_FROM)
    )


def serve(aim: Aim, told: Callable[[str], None], eyes: Eyes | None = None) -> Ending:
    """Show the camera to one phone until time is up, the phone ends it, a PIN is guessed at, or
    SIGTERM. Raises PlatewardenError.

    `told`: gets the page's address once it is there. `eyes`: tests give others.
    """
    stop, notifier = Stop(), Notifier()
    keep_out_of_swap()
    with ExitStack() as closing:
        clock, log = closing.enter_context(opened_log(aim.settings, kept=aim.kept))
        eyes = eyes or open_eyes(aim.settings)
        if aim.hotspot is not None:
            aim.hotspot.open()
            closing.callback(aim.hotspot.close_telling)
        view = load_view(aim.settings.view) if aim.kept else EVERYTHING
        gate = Gate(clock.monotonic_s() + aim.seconds)
        desk = Desk(aim.pin, gate, clock.monotonic_s, view, can_save=aim.kept)
        server = PageServer(listen(aim.address, aim.port), desk)
        closing.callback(server.server_close)
        if log:
            begun = {"seconds": aim.seconds, "hotspot": aim.hotspot is not None}
            log.append(LeafKind.AIM, {"what": "begins", **begun})
        Thread(target=server.serve_forever, name="aim page", daemon=True).start()
        closing.callback(server.shutdown)
        host, port = server.server_address[:2]
        told(f"http://{host!s}:{port}/")
        notifier.ready()
        looker = Looker(eyes.reads, eyes.finds, lambda text: is_test_plate(text.value))
        try:
            keeper = ViewKeeper(aim.settings, log)
            show_until_over(aim, clock, desk, looker, keeper, stop, notifier)
        except PlatewardenError as error:
            desk.end(Ending.CAMERA if isinstance(error, SourceError) else Ending.FAULT)
            raise
        finally:
            notifier.stopping()
            desk.end(Ending.FAULT)  # of an error that is not ours; the first reason stays
            ending = desk.ending() or Ending.FAULT
            if log:
                log.append(LeafKind.AIM, {"what": "ends", "why": ending, **desk.figures})
            clock.sleep(LAST_WORD_S)
    return ending


def show_until_over(
    aim: Aim,
    clock: Clock,
    desk: Desk,
    looker: Looker,
    keeper: ViewKeeper,
    stop: Stop,
    notifier: Notifier,
) -> None:
    """Frame after frame to the desk, from a source that begins again when it ends."""
    for frame in endless(aim, clock):
        if stop():
            desk.end(Ending.STOPPED)
        if desk.ending():
            return
        began_s = clock.monotonic_s()
        desk.show(looker.look(frame))
        desk.do_saves(keeper.save)
        notifier.progress()
        if aim.source != "picamera":
            clock.sleep(max(0.0, FRAME_EVERY_S - (clock.monotonic_s() - began_s)))


def endless(aim: Aim, clock: Clock) -> Iterator[Frame]:
    """The source's frames, over and over: a folder that has been played through begins again."""
    while True:
        source, count = open_source(aim.source, aim.settings, clock, pace=True), 0
        try:
            for frame in source.frames():
                count += 1
                yield frame
        finally:
            source.close()
        if not count:
            raise SourceError(
                "no frame came out of it", where=aim.source, fix="give a source that has pictures"
            )


@dataclass(frozen=True, slots=True)
class Surveyed:
    """The hours' rows (docs/ref/aim.md), and the band by which their widths were judged."""

    rows: Sequence[Mapping[str, object]]
    band: Band


def survey(
    settings: Settings, source: str, seconds: float, *, kept: bool, eyes: Eyes | None = None
) -> Surveyed:
    """Hourly figures of what watch would see, until `seconds` have passed, the source ends or
    SIGTERM. No socket is opened. Raises PlatewardenError.
    """
    stop, notifier = Stop(), Notifier()
    keep_out_of_swap()
    with opened_log(settings, kept=kept) as (clock, log):
        eyes, view = eyes or open_eyes(settings), load_view(settings.view) if kept else EVERYTHING
        eyes = replace(eyes, detector=ZonedDetector(eyes.detector, view))
        result: Survey | None = None
        band = band_for(settings.camera.width)
        frames = MaskedSource(open_source(source, settings, clock), view)
        if log:
            log.append(LeafKind.AIM, {"what": "survey begins", "seconds": seconds})
        notifier.ready()
        ends_s = clock.monotonic_s() + seconds
        try:
            for frame in frames.frames():
                if stop() or clock.monotonic_s() >= ends_s:
                    break
                if result is None:
                    band = band_for(frame.image.shape[1])
                    result = Survey(band)
                result.add(frame.captured, *samples_of(frame, eyes.reads(frame)))
                notifier.progress()
        finally:
            notifier.stopping()
            frames.close()
            if log:
                log.append(
                    LeafKind.AIM,
                    {"what": "survey ends", "hours": len(result.rows()) if result else 0},
                )
    return Surveyed(result.rows() if result else (), band)


@contextmanager
def opened_log(settings: Settings, *, kept: bool) -> Iterator[tuple[Clock, AuditLogPort | None]]:
    """The clock, and watch's own log with its lock: while an aim goes on watch cannot run, and the
    other way round. Raises StorageError, LogRefusedError.
    """
    if not kept:
        yield SystemClock(), None
        return
    folder = settings.state / "watch"
    private_folder(folder)
    # above all root: files that it makes there would stop watch for good
    if os.geteuid() != folder.stat().st_uid:
        raise UsageError(
            "this folder is another user's, watch's",
            where=folder,
            fix="sudo systemctl start platewarden-aim, or platewarden-survey",
        )
    clock = TrustedClock(folder) if settings.anchor.exists() else SystemClock()
    key = load_signing_key(settings.device / "watch-log.key")
    origin = own_origin(credential_or(settings.device / "public.json"), settings.camera_id, "watch")
    with AuditLog(folder / "log.sqlite", origin, key, clock.now) as log:
        yield clock, log
