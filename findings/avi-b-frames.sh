#!/usr/bin/env bash
# H.264 with B-frames in AVI comes out of PyAV in the right order with times that run to and fro.
#
# AVI keeps no presentation time, so a packet's place in the file is taken for one.
# Needs python3 with venv. About 20 s, 600 s at most.
set -euo pipefail
[ "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=60 600 bash "$0"

command -v python3 >/dev/null || { echo "needs python3: apt-get install python3-venv" >&2; exit 2; }
work=$(mktemp -d)
trap 'trap "" TERM; rm -rf "$work"' EXIT
trap 'exit 124' TERM # at the time limit the folder goes too
{ python3 -m venv "$work/venv" && "$work/venv/bin/pip" install --quiet \
    --disable-pip-version-check --only-binary :all: av==18.1.0 numpy==2.4.6
} || { echo "could not install what this runs" >&2; exit 2; }

"$work/venv/bin/python" - "$work" <<'EOF'
import os
import sys
from fractions import Fraction

import av
import numpy

os.chdir(sys.argv[1])
RATE, LENGTH = 25, 40


def film(name):
    with av.open(name, "w") as file:
        stream = file.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        stream.codec_context.max_b_frames = 2
        for number in range(LENGTH):  # each brighter than the one before: its order can be seen
            frame = av.VideoFrame.from_ndarray(numpy.full((120, 160, 3), 20 + 5 * number, numpy.uint8))
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())


def steps_back(values):
    return sum(after <= before for before, after in zip(values, values[1:]))


def seen(name):
    film(name)
    with av.open(name) as file:
        frames = [(frame.time, float(frame.to_ndarray(format="gray").mean())) for frame in file.decode(video=0)]
    return len(frames), steps_back([light for _, light in frames]), steps_back([time for time, _ in frames])


avi, mp4 = seen("film.avi"), seen("film.mp4")
print(f"av {av.__version__}")
print("One would guess: frames come in order, and so do their times.")
for name, (count, pictures, times) in (("AVI", avi), ("MP4", mp4)):
    print(f"Seen, {name}: of {count} frames, {pictures} stand out of order, and {times} times run back.")
sys.exit(None if mp4 == (LENGTH, 0, 0) and avi[:2] == (LENGTH, 0) and avi[2] > 5 else "This has changed.")
EOF
