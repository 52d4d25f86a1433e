"""What a recorder's video encoder leaves of a picture: blocks predicted from their neighbours or
from the frame before, little else.

Roadside pictures are mostly stills from such video. JPEG alone does not look like it: H.264
continues edges in straight lines through blocks that it spends no bits on, and smooths the blocks'
borders.
"""

from fractions import Fraction

import av
import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Levels = NDArray[np.uint8]
# The constant rate factor of x264 for full contrast: from hardly to be seen to blocks of one grey.
FACTOR = (24.0, 43.0)
FINEST = 8.0  # of it
DOUBLING = 6.0  # so much more doubles the quantiser's step (ITU-T H.264, 8.5.9)
FULL_CONTRAST = 160.0  # grey levels between ink and ground
MADE_UP_FOR = (0.4, 1.0)  # share of the missing contrast, in halvings, by which an encoder is finer
QUANTISER = (4, 24)  # MPEG-4's
SIDE = 16  # px: encoders want whole macroblocks
H264_SHARE = 0.8  # the others MPEG-4, of older recorders
MOVED = 3.0  # px from the frame before


def filmed(rng: Generator, levels: Levels) -> Levels:
    """The picture (H×W) as the last frame of a film of one or two frames; the blocks' grid lies
    anywhere.
    """
    height, width = levels.shape
    left, top = (int(v) for v in rng.integers(0, SIDE, 2))
    right, bottom = -(left + width) % SIDE, -(top + height) % SIDE
    frame = cv2.copyMakeBorder(levels, top, bottom, left, right, cv2.BORDER_REPLICATE)
    frames = [before(rng, frame), frame] if rng.random() < 0.5 else [frame]
    return coded(rng, frames)[top : top + height, left : left + width]


def before(rng: Generator, frame: Levels) -> Levels:
    """The frame before: the plate a little elsewhere and of another size."""
    height, width = frame.shape
    scale = rng.uniform(0.95, 1.02)
    x, y = rng.uniform(-MOVED, MOVED, 2)
    matrix = np.array(
        [[scale, 0, x + (1 - scale) * width / 2], [0, scale, y + (1 - scale) * height / 2]]
    )
    return cv2.warpAffine(frame, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


def coded(rng: Generator, frames: list[Levels]) -> Levels:
    """The last of the frames, all of whole macroblocks, encoded and decoded."""
    if rng.random() < H264_SHARE:
        writing, reading = "libx264", "h264"
        options = {
            "crf": f"{factor(rng, frames[-1]):.1f}",
            "preset": str(rng.choice(["ultrafast", "veryfast", "medium"])),
            "tune": "zerolatency",
        }
    else:
        writing = reading = "mpeg4"
        quantiser = str(int(rng.integers(*QUANTISER)))
        options = {"qmin": quantiser, "qmax": quantiser}
    encoder, decoder = av.CodecContext.create(writing, "w"), av.CodecContext.create(reading, "r")
    encoder.thread_count = decoder.thread_count = 1
    encoder.height, encoder.width = frames[0].shape
    encoder.pix_fmt, encoder.time_base, encoder.options = "yuv420p", Fraction(1, 25), options
    packets = [
        packet
        for number, frame in enumerate(frames)
        for packet in encoder.encode(numbered(frame, number))
    ] + encoder.encode(None)
    return [picture for packet in [*packets, None] for picture in decoder.decode(packet)][
        -1
    ].to_ndarray(format="gray")


def factor(rng: Generator, frame: Levels) -> float:
    """The rate factor: finer for little contrast, as encoders do it, or every dark plate would be
    lost in one step of the quantiser.
    """
    low, high = np.percentile(frame, (5, 95))
    return max(
        FINEST,
        rng.uniform(*FACTOR)
        + DOUBLING * np.log2(max(1.0, high - low) / FULL_CONTRAST) * rng.uniform(*MADE_UP_FOR),
    )


def numbered(levels: Levels, number: int) -> av.VideoFrame:
    """A grey picture as the film's frame of that number."""
    frame = av.VideoFrame.from_ndarray(levels, format="gray")
    frame.pts = number
    return frame
