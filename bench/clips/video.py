"""Writes a clip as a video file, for `platewarden run --source` and for the tests on hardware."""

from fractions import Fraction
from pathlib import Path

import av

from bench.clips.clip import Clip

QUALITY = {"crf": "14", "preset": "ultrafast"}


def write_video(clip: Clip, path: Path) -> Path:
    """H.264 at the clip's own rate; what the coder changes is part of the picture. The suffix says
    the container (.mp4, .mkv).
    """
    rate = Fraction(clip.frames_per_second).limit_denominator(1000)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options=QUALITY)
        stream.width, stream.height, stream.pix_fmt = clip.width_px, clip.height_px, "yuv420p"
        for frame in clip.frames():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame.image, "bgr24")))
        container.mux(stream.encode())
    return path
