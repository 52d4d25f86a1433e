#!/usr/bin/env bash
# What segno.make picks by itself OpenCV's reader misses: Micro QR for short text, Shift JIS for Cyrillic.
#
# zxing-cpp reads both.
# Needs python3 with venv. About 30 s, 600 s at most.
set -euo pipefail
[ "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=60 600 bash "$0"

command -v python3 >/dev/null || { echo "needs python3: apt-get install python3-venv" >&2; exit 2; }
work=$(mktemp -d)
trap 'trap "" TERM; rm -rf "$work"' EXIT
trap 'exit 124' TERM # at the time limit the folder goes too
{ python3 -m venv "$work/venv" && "$work/venv/bin/pip" install --quiet \
    --disable-pip-version-check --only-binary :all: segno==1.6.6 numpy==2.4.6 zxing-cpp==3.1.1 \
    opencv-python-headless==5.0.0.93
} || { echo "could not install what this runs" >&2; exit 2; }

"$work/venv/bin/python" - <<'EOF'
import io
import sys
from importlib.metadata import version

import cv2
import numpy
import segno
import zxingcpp

CYRILLIC = "\u041a\u0410\u041c\u0415\u0420\u0410 \u0423\u041b\u0418\u0426\u0410"


def read(code):
    """What OpenCV and zxing-cpp read."""
    png = io.BytesIO()
    code.save(png, kind="png", scale=6, border=4)
    picture = cv2.imdecode(numpy.frombuffer(png.getvalue(), numpy.uint8), cv2.IMREAD_GRAYSCALE)
    try:
        opencv = cv2.QRCodeDetector().detectAndDecode(picture)[0]
    except UnicodeDecodeError as error:
        opencv = type(error).__name__
    return opencv, [one.text for one in zxingcpp.read_barcodes(picture)]


codes = {
    ("CAM-7", "segno.make"): segno.make("CAM-7"),
    ("CAM-7", "segno.make(micro=False)"): segno.make("CAM-7", micro=False),
    (CYRILLIC, "segno.make"): segno.make(CYRILLIC),
    (CYRILLIC, "segno.make(encoding='utf-8')"): segno.make(CYRILLIC, encoding="utf-8"),
}
print(", ".join(f"{name} {version(name)}" for name in ("segno", "opencv-python-headless", "zxing-cpp")))
print("One would guess: a code made with default settings is read by the reader at hand.")
seen = []
for (text, call), code in codes.items():
    opencv, zxing = read(code)
    seen.append((opencv == text, zxing == [text]))
    print(f"Seen, {call}: {code.designator} in {code.mode} mode; OpenCV reads "
          f"{'it' if opencv == text else repr(opencv)}, zxing-cpp {'it' if zxing == [text] else zxing}.")
sys.exit(None if seen == [(False, True), (True, True), (False, True), (True, True)] else "This has changed.")
EOF
