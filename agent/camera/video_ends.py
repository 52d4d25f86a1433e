"""Says whether a video file delivered all that its container promises, as each container says it.

MP4 and MOV: by their index. AVI: by its index or, where that was cut off, by the places that its
header counts. Matroska and WebM, which count nothing: by the duration in their own tag.
"""

import struct
from pathlib import Path
from typing import TYPE_CHECKING

from agent.values import dataclass

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

USUAL_RATE = 25  # frames per second, for a file that does not say
SLACK_FRAMES = 2.5  # stamps and durations are rounded, each by itself


@dataclass(frozen=True, slots=True)
class Promise:
    """What a container says before anything is decoded.

    `packets`: at least so many, each with something in it. `places`: so many frames with the gaps
    between them, as an AVI's header counts them; 0: nobody says. `end_s`: the end of the last
    frame, 0: nobody says.
    """

    packets: int = 0
    places: int = 0
    end_s: float = 0.0


def promise_of(container: "InputContainer", stream: "VideoStream", path: Path) -> Promise:
    """Read from the index, the header or the tag, whichever can be trusted in this container."""
    name = container.format.name
    indexed = sum(entry.size > 0 for entry in stream.index_entries)
    if name == "avi":
        # The index stands at the end. Without it FFmpeg makes one of the frames that it looked at.
        return Promise(packets=indexed) if _avi_is_whole(path) else Promise(places=stream.frames)
    if name.startswith("mov"):
        # `stream.frames` counts those too that an edit list has cut away.
        return Promise(packets=indexed or stream.frames)
    return Promise(packets=stream.frames, end_s=_tagged_end_s(stream))


@dataclass(slots=True)
class Came:
    """What has come of a promise so far."""

    packets: int = 0
    places: int = 0
    last_s: float = 0.0
    end_s: float = 0.0

    def add(self, packet: "Packet[VideoStream]") -> None:
        """Count one packet that is not empty."""
        self.packets += 1
        self.places = 1 + (self.places if packet.dts is None else packet.dts)
        if packet.pts is not None:
            begins = float(packet.pts * packet.time_base)
            self.last_s = max(self.last_s, begins)
            own_s = float((packet.duration or 0) * packet.time_base)
            self.end_s = max(self.end_s, begins + own_s)

    def less_than(self, promise: Promise, stream: "VideoStream") -> bool:
        """Is anything missing? Of a duration, SLACK_FRAMES may be."""
        if self.packets < promise.packets or self.places < promise.places:
            return True
        # A file stamped in milliseconds may call itself 1000 frames a second.
        seen_s = min(self.last_s / max(1, self.packets - 1), 1 / USUAL_RATE)
        frame_s = max(1 / float(stream.average_rate or USUAL_RATE), seen_s)
        return promise.end_s - self.end_s > SLACK_FRAMES * frame_s


def _avi_is_whole(path: Path) -> bool:
    """Does the file hold all that its outermost chunks promise? The index stands at their end."""
    size, at = path.stat().st_size, 0
    with path.open("rb") as file:
        while at < size:
            file.seek(at)
            untrusted_head = file.read(8)
            if len(untrusted_head) < 8 or untrusted_head[:4] != b"RIFF":
                break  # what stands behind the last one is not the video's
            (length,) = struct.unpack_from("<I", untrusted_head, 4)
            if not length:
                return False  # the recorder never came back to write it
            at += 8 + length + length % 2
    return 0 < at <= size + 1


def _tagged_end_s(stream: "VideoStream") -> float:
    """Matroska and WebM hold no count of frames, but a tag with the end of the last one."""
    try:
        hours, minutes, seconds = stream.metadata.get("DURATION", "").split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return 0.0
