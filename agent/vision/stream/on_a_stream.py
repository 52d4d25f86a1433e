"""Makes eyes for single pictures into eyes for a stream: one place, so that `watch` and what
measures it see alike.
"""

from agent.ports import PlateDetector, PlateReader
from agent.vision.aligner import AligningDetector, Known
from agent.vision.stream.following_reader import FollowingReader
from agent.vision.stream.gated_detector import GatedDetector
from agent.vision.stream.luma_gate import LumaGate
from agent.vision.stream.overlay_finder import OverlayFinder


def on_a_stream(
    detector: PlateDetector, reader: PlateReader, known: Known
) -> tuple[PlateDetector, PlateReader]:
    """Both for one stream of frames: the detector looks where something may have changed, and looks
    closer only at what the tracker does not know yet, which is all that the reader reads.
    """
    if isinstance(detector, AligningDetector):
        detector = detector.following(known)
    return GatedDetector(OverlayFinder(detector), LumaGate()), FollowingReader(reader, known)
