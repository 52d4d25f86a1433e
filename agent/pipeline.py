"""The straight line from frame to sealed read.

What no rule releases ends here, in memory, as a number (P1).
"""

from collections.abc import Callable, Iterable

from agent.core.camera.health.reading_quality import ReadingTally
from agent.core.hotlist.index import HotList
from agent.core.hotlist.matching import match
from agent.core.hotlist.rehearsal import rehearsal
from agent.core.policy.counts import Counts
from agent.core.policy.decider import Decider
from agent.core.policy.policy import Decision
from agent.core.reading.overlap import same_plate
from agent.core.reading.quarter_turns import (
    QUARTERS,
    SURE_ENOUGH,
    UPRIGHT,
    StillReads,
    surest,
    turned,
    turned_back,
)
from agent.core.reading.sighting import Frame, PlateRead, Sighting, Track
from agent.core.reading.tracking import Tracker
from agent.core.reading.voting import vote
from agent.core.reasons import Reason
from agent.core.wire.test_plate import nearly_test_plate
from agent.errors import RefusedError
from agent.ports import AuditLog, Outbox, PlateDetector, PlateReader, Sealer
from agent.values import dataclass, field

READABLE = 0.05
"""Confidence of the voted text below which a track is no sighting: no rule should act on it, and
matching it could only mislead (P10).
"""


@dataclass(frozen=True, slots=True)
class Line:
    """The parts of one camera's line, built by `sides.watch`.

    `camera`: its id. `closed`: why nothing may be released at all just now, or None. `tally`: how
    surely it reads, a few numbers a day.
    """

    camera: str
    detector: PlateDetector
    reader: PlateReader
    tracker: Tracker
    hotlist: HotList
    decider: Decider
    sealer: Sealer
    outbox: Outbox
    log: AuditLog
    counts: Counts
    closed: Reason | None = None
    tally: ReadingTally = field(default_factory=ReadingTally)


def watch(line: Line, frames: Iterable[Frame], between_frames: Callable[[], Line | None]) -> None:
    """Run the line until the frames end.

    `between_frames` settles receipts and feeds the watchdog; it gives another line when the policy
    has changed.
    """
    for frame in frames:
        reads = plates_in(line.detector, line.reader, frame)
        line.counts.saw(len(reads), frame.captured)
        for track in line.tracker.add(frame, reads):  # tracks that just ended, or are sure already
            report(line, track)
        line = between_frames() or line
    for track in line.tracker.finish():
        report(line, track)


def plates_in(detector: PlateDetector, reader: PlateReader, frame: Frame) -> list[PlateRead]:
    """Every plate of a frame, read, the most confident first.

    `read` and the camera both use this.

    A box that is not surely a plate counts only if its text is legible. Of two boxes on one plate,
    or a sticker's on a plate's, the one that was read better counts.
    """
    reads = (reader.read(frame, box) for box in detector.find_plates(frame))
    kept: list[PlateRead] = []
    for read in sorted(reads, key=lambda one: (not one.box.whole, -one.confidence)):
        if read.confidence >= read.box.least_text and not any(
            same_plate(read.box.box, other.box.box) for other in kept
        ):
            kept.append(read)
    return kept


def watch_stills(
    line: Line, frames: Iterable[Frame], between_frames: Callable[[], Line | None]
) -> None:
    """As `watch`, of pictures that have nothing to do with each other: every plate of every picture
    is a sighting of its own.
    """
    for frame in frames:
        reads = plates_in_still(line.detector, line.reader, frame).reads
        line.counts.still(frame.captured)
        line.counts.saw(len(reads), frame.captured)
        for read in reads:
            report(line, Track(frame.sequence, (read,)))
        line = between_frames() or line


def plates_in_still(detector: PlateDetector, reader: PlateReader, frame: Frame) -> StillReads:
    """As `plates_in`; a picture in which no plate surely stands upright is tried turned.

    A turn counts only where it reads a plate more surely than not, and than the picture as it is.
    """
    best = StillReads(plates_in(detector, reader, frame))
    if surest(best.reads) >= UPRIGHT:
        return best
    height, width = frame.image.shape[:2]
    for degrees in QUARTERS:
        reads = plates_in(detector, reader, turned(frame, degrees))
        if surest(reads) >= SURE_ENOUGH and surest(reads) > surest(best.reads):
            back = [turned_back(read, degrees, width, height) for read in reads]
            best = StillReads(back, degrees)
    return best


def report(line: Line, track: Track) -> None:
    """One vehicle, once: vote, match, decide, and seal what a rule releases.

    Everything else becomes a number.
    """
    sighting = vote(track, line.camera)
    if sighting.confidence < READABLE:
        line.counts.unreadable(sighting.captured)
        return
    test = rehearsal(sighting)
    _tally(line.tally, sighting, right=test is not None)
    if line.closed is not None:
        line.counts.add(Decision((), (line.closed,)), sighting.captured)
        return
    if test is not None:
        line.counts.test(sighting.captured)
    decision = line.decider.decide(sighting, test or match(sighting, line.hotlist))
    if decision.reasons == (Reason.NO_HOTLIST_MATCH,) and line.hotlist.stale(sighting.captured.utc):
        # Nothing was looked up; the report must not say that nothing was found.
        decision = Decision((), (Reason.HOTLIST_STALE,))
    for release in decision.releases:
        try:
            line.outbox.put(
                line.sealer.seal(sighting, release, line.outbox.next_sequence(release.recipient))
            )
            line.tracker.was_released(sighting.text.value)
        except RefusedError as refusal:
            # no epoch key, no common version, outbox full: this read is lost to this recipient,
            # and the log says so
            line.log.append(
                "refusal",
                {"reason": refusal.reason, "rule": release.rule, "recipient": release.recipient},
            )
            line.counts.refuse(refusal.reason, sighting.captured)
    line.counts.add(decision, sighting.captured)


def _tally(tally: ReadingTally, sighting: Sighting, *, right: bool) -> None:
    """Also while the line is closed: a rehearsal is what opens it again."""
    if right or nearly_test_plate(sighting.text.value):
        tally.test_plate(sighting.captured, right=right)
    else:
        tally.vehicle(sighting.confidence, sighting.captured)
