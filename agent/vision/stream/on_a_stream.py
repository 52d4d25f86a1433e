"""Makes eyes for single pictures into eyes for a stream: one place, so that `watch` and what
measures it see alike.
"""

from agent.ports import PlateDetector
from agent.vision.stream.gated_detector import GatedDetector
from agent.vision.stream.luma_gate import LumaGate


def on_a_stream(detector: PlateDetector) -> PlateDetector:
    """The detector, looking only where something may have changed; for one stream of frames."""
    return GatedDetector(detector, LumaGate())
