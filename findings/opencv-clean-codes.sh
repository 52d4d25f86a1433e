#!/usr/bin/env bash
# OpenCV's QRCodeDetector leaves about one clean QR code in a hundred unread; QRCodeDetectorAruco reads all.
#
# The codes are black on white, upright, 6 pixels a module, and all of one version.
# They differ only in 16 hexadecimal digits.
# zxing-cpp reads all of them too.
# Needs python3 with venv. About 40 s, 600 s at most.
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
import sys
from hashlib import sha256
from importlib.metadata import version

import cv2
import numpy
import segno
import zxingcpp

CODES = 600


def picture(text):
    """Black on white, 6 pixels a module, with the quiet zone of 4 modules."""
    rows = [[0 if dark else 255 for dark in row] for row in segno.make(text, error="q").matrix]
    return numpy.pad(numpy.kron(numpy.array(rows, "u1"), numpy.ones((6, 6), "u1")), 24, constant_values=255)


readers = {
    "QRCodeDetector": lambda code: cv2.QRCodeDetector().detectAndDecode(code)[0],
    "QRCodeDetectorAruco": lambda code: cv2.QRCodeDetectorAruco().detectAndDecode(code)[0],
    "zxing-cpp": lambda code: "".join(one.text for one in zxingcpp.read_barcodes(code)),
}
unread = dict.fromkeys(readers, 0)
for number in range(CODES):
    text = f"Camera 1 of a city's fifty, main street, policy {sha256(b'%d' % number).hexdigest()[:16]}"
    code = picture(text)
    for name, read in readers.items():
        unread[name] += read(code) != text
print(", ".join(f"{name} {version(name)}" for name in ("segno", "opencv-python-headless", "zxing-cpp")))
print("One would guess: OpenCV's QR reader reads a clean, upright code.")
print(f"Seen, of {CODES} such codes: " + ", ".join(f"{name} leaves {many} unread" for name, many in unread.items()) + ".")
told = unread["QRCodeDetector"] > 0 and unread["QRCodeDetectorAruco"] == unread["zxing-cpp"] == 0
sys.exit(None if told else "This has changed.")
EOF
