#!/usr/bin/env bash
# PyAV's stream.frames counts other things in AVI, MP4 and Matroska: gaps, what was cut away, nothing.
#
# Needs python3 with venv. About 25 s, 600 s at most.
set -euo pipefail
[ "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=60 600 bash "$0"

command -v python3 >/dev/null || { echo "needs python3: apt-get install python3-venv" >&2; exit 2; }
work=$(mktemp -d)
trap 'trap "" TERM; rm -rf "$work"' EXIT
trap 'exit 124' TERM # at the time limit the folder goes too
{ python3 -m venv "$work/venv" && "$work/venv/bin/pip" install --quiet \
    --disable-pip-version-check --only-binary :all: av==18.1.0 numpy==2.4.6 imageio-ffmpeg==0.8.1
} || { echo "could not install what this runs" >&2; exit 2; }

"$work/venv/bin/python" - "$work" <<'EOF'
import os
import subprocess
import sys
from fractions import Fraction

import av
import imageio_ffmpeg
import numpy

os.chdir(sys.argv[1])
RATE, LENGTH, GAP = 25, 50, range(10, 30)  # a camera that was away for 20 of 50 frames


def film(name):
    with av.open(name, "w") as file:
        stream = file.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        stream.codec_context.max_b_frames = 0
        for number in range(LENGTH):
            if number in GAP:
                continue
            frame = av.VideoFrame.from_ndarray(numpy.full((120, 160, 3), 4 * number, numpy.uint8))
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())


def counts(name):
    """What the stream says, how many packets there are, how many frames come out."""
    with av.open(name) as file:
        packets = sum(packet.size > 0 for packet in file.demux(video=0))
    with av.open(name) as file:
        said = file.streams.video[0].frames
        return said, packets, sum(1 for _ in file.decode(video=0))


for name in ("gap.avi", "gap.mp4", "gap.mkv"):
    film(name)
# Cut at 0.2 s without encoding anew: the frames before stay in the file, its edit list skips them.
cut = ["-v", "error", "-ss", "0.2", "-i", "gap.mp4", "-c", "copy", "cut.mp4"]
subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), *cut], check=True)
seen = {name: counts(name) for name in ("gap.avi", "gap.mp4", "cut.mp4", "gap.mkv")}
print(f"av {av.__version__}")
print("One would guess: stream.frames is how many frames the file holds, in each container alike.")
for name, (said, packets, frames) in seen.items():
    print(f"Seen, {name}: stream.frames {said}, packets {packets}, frames {frames}.")
avi, whole, part, matroska = seen.values()
as_then = avi == (50, 30, 30) and whole == (30, 30, 30) and matroska == (0, 30, 30)
sys.exit(None if as_then and part[0] == part[1] > part[2] else "This has changed.")
EOF
