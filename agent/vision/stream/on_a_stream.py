"""Makes eyes for single pictures into eyes for a stream: one place, so that `watch` and what
measures it see alike.
"""

from agent.ports import PlateDetector, PlateReader
from agent.vision.stream.following_reader import FollowingReader, Known
from agent.vision.stream.gated_detector import GatedDetector
from agent.vision.stream.luma_gate import LumaGate


def on_a_stream(
    detector: PlateDetector, reader: PlateReader, known: Known
) -> tuple[PlateDetector, PlateReader]:
    """Both for one stream of frames: the detector looks where something may have changed, the
    reader reads what the tracker does not know yet.
    """
    return GatedDetector(detector, LumaGate()), FollowingReader(reader, known)
