#!/usr/bin/env bash
# A video marked as mirrored is "turned by 180 degrees" for PyAV, and OpenCV turns it upside down.
#
# MP4's display matrix can mirror as well as turn. ffmpeg shows what it means.
# Needs python3 with venv. About 40 s, 600 s at most.
set -euo pipefail
[ "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=60 600 bash "$0"

command -v python3 >/dev/null || { echo "needs python3: apt-get install python3-venv" >&2; exit 2; }
work=$(mktemp -d)
trap 'trap "" TERM; rm -rf "$work"' EXIT
trap 'exit 124' TERM # at the time limit the folder goes too
{ python3 -m venv "$work/venv" && "$work/venv/bin/pip" install --quiet \
    --disable-pip-version-check --only-binary :all: av==18.1.0 numpy==2.4.6 imageio-ffmpeg==0.8.1 \
    opencv-python-headless==5.0.0.93
} || { echo "could not install what this runs" >&2; exit 2; }

"$work/venv/bin/python" - "$work" <<'EOF'
import os
import subprocess
import sys
from fractions import Fraction

import av
import cv2
import imageio_ffmpeg
import numpy

os.chdir(sys.argv[1])
MARKS = {"mirrored left to right": ["-display_hflip"],
         "mirrored top to bottom": ["-display_vflip"], "turned by 180": ["-display_rotation", "180"]}


def ffmpeg(*words):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *words]
    return subprocess.run(command, check=True, capture_output=True).stdout


def bright(picture):
    """Which corner the one bright block is in."""
    height, width = picture.shape[:2]
    corners = {"top left": (20, 20), "top right": (20, width - 20),
               "bottom left": (height - 20, 20), "bottom right": (height - 20, width - 20)}
    return max(corners, key=lambda corner: int(picture[corners[corner]].sum()))


block = numpy.zeros((240, 320, 3), numpy.uint8)
block[:80, :100] = 255
with av.open("plain.mp4", "w") as file:
    stream = file.add_stream("libx264", rate=25)
    stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
    for number in range(5):
        frame = av.VideoFrame.from_ndarray(block)
        frame.pts, frame.time_base = number, Fraction(1, 25)
        file.mux(stream.encode(frame))
    file.mux(stream.encode())

seen = []
print(f"av {av.__version__}, opencv {cv2.__version__}")
print("One would guess: a mirror is told as one, or at least apart from a turn, and shown as one.")
for mark, words in MARKS.items():
    ffmpeg(*words, "-i", "plain.mp4", "-c", "copy", "marked.mp4")
    shown = ffmpeg("-i", "marked.mp4", "-frames:v", "1", "-f", "image2pipe", "-c:v", "png", "-")
    with av.open("marked.mp4") as file:
        rotation = next(file.decode(video=0)).rotation
    read = cv2.VideoCapture("marked.mp4").read()[1]
    meant = bright(cv2.imdecode(numpy.frombuffer(shown, numpy.uint8), cv2.IMREAD_COLOR))
    seen.append((meant, rotation, bright(read)))
    print(f"Seen, {mark}: ffmpeg shows the block {meant}, PyAV says rotation {rotation}, "
          f"OpenCV shows it {bright(read)}.")
expected = [("top right", -180, "bottom right"), ("bottom left", 0, "top left"), ("bottom right", -180, "bottom right")]
sys.exit(None if seen == expected else "This has changed.")
EOF
