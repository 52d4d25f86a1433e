"""Makes eyes for single pictures into eyes for a stream: one place, so that `watch` and what
measures it see alike.
"""

from collections.abc import Sequence
from typing import Protocol

from agent.core.reading.sighting import Frame, PlateBox, PlateRead
from agent.ports import PlateDetector, PlateReader
from agent.vision.aligner import AligningDetector
from agent.vision.stream.coasting_detector import CoastingDetector
from agent.vision.stream.following_reader import FollowingReader
from agent.vision.stream.gated_detector import GatedDetector
from agent.vision.stream.luma_gate import LumaGate
from agent.vision.stream.overlay_finder import OverlayFinder
from agent.vision.stream.sparing_proposer import SparingProposer


class Follower(Protocol):
    """What is needed of core.reading.tracking.Tracker."""

    def known(self, frame: Frame, box: PlateBox) -> PlateRead | None: ...

    def awaits(self, frame: Frame, box: PlateBox) -> bool: ...

    def coasted(self, frame: Frame) -> Sequence[PlateBox]: ...


def on_a_stream(
    detector: PlateDetector, reader: PlateReader, follower: Follower
) -> tuple[PlateDetector, PlateReader]:
    """Both for one stream of frames: the detector looks where something may have changed, and looks
    closer only at what the tracker does not know yet, which is all that the reader reads.
    """
    known = follower.known
    if isinstance(detector, AligningDetector):
        detector = detector.following(known, SparingProposer(detector.proposer, follower.awaits))
    gated = GatedDetector(OverlayFinder(detector), LumaGate())
    return CoastingDetector(gated, known, follower.coasted), FollowingReader(reader, known)
