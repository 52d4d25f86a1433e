"""Calls what a camera's modules call of OpenCV, reads a drawn plate, measures the light, and prints
a digest of each outcome as JSON: two builds of OpenCV and numpy that print the same are the same to
a camera.
"""

import hashlib
import json
import sys

import cv2
import numpy as np

CORNERS = np.array([[3, 4], [90, 7], [88, 60], [5, 55]], np.float32)


def calls(image):
    """{function: outcome}, one of each name that a camera's modules use."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    wide = image.shape[1] // 2 * 2
    planes = np.ascontiguousarray(grey[: image.shape[0] // 6 * 6, :wide])
    turn = cv2.getPerspectiveTransform(CORNERS, CORNERS[::-1].copy())
    seen = grey.astype(np.float32)
    return {
        "GaussianBlur": cv2.GaussianBlur(image, (5, 5), 1.2),
        "Laplacian": cv2.Laplacian(grey, cv2.CV_16S),
        "Sobel": cv2.Sobel(grey, cv2.CV_16S, 1, 0),
        "absdiff": cv2.absdiff(grey, grey[::-1].copy()),
        "accumulateWeighted": cv2.accumulateWeighted(grey[::-1].copy(), seen, 0.3),
        "boxFilter": cv2.boxFilter(grey, cv2.CV_32F, (7, 7)),
        "calcHist": cv2.calcHist([grey], [0], None, [64], [0, 256]),
        "copyMakeBorder": cv2.copyMakeBorder(image, 3, 4, 5, 6, cv2.BORDER_REPLICATE),
        "cvtColor": [
            cv2.cvtColor(planes, code) for code in (cv2.COLOR_YUV2BGR_I420, cv2.COLOR_YUV2BGR_NV12)
        ],
        "dilate": cv2.dilate(grey, np.ones((3, 3), np.uint8)),
        "fillPoly": cv2.fillPoly(image.copy(), [CORNERS.astype(np.int32)], (1, 2, 3)),
        "getPerspectiveTransform": turn,
        "imdecode": [
            cv2.imdecode(cv2.imencode(kind, image)[1], cv2.IMREAD_COLOR)
            for kind in (".jpg", ".png", ".bmp", ".webp", ".tiff", ".avif")
        ],
        "imencode": cv2.imencode(
            ".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 80, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
        )[1],
        "mean": cv2.mean(image),
        "meanStdDev": cv2.meanStdDev(image),
        "pointPolygonTest": cv2.pointPolygonTest(CORNERS, (40.0, 30.0), measureDist=False),
        "resize": [
            cv2.resize(image, size, interpolation=how)
            for how in (cv2.INTER_AREA, cv2.INTER_LINEAR)
            for size in ((100, 37), (901, 777))
        ],
        "setNumThreads": cv2.setNumThreads(1),
        "warpPerspective": cv2.warpPerspective(image, turn, (128, 64)),
    }


def reads(image):
    """What detector and reader say of the picture."""
    from datetime import UTC, datetime

    from agent.core.reading.sighting import Frame
    from agent.core.time.instant import Instant
    from agent.vision.model_loader import load_vision

    detector, reader = load_vision()
    frame = Frame(image, Instant(datetime(2027, 1, 15, 12, tzinfo=UTC), 0), 0)
    return [
        (box.box, box.confidence, repr(reader.read(frame, box)))
        for box in detector.find_plates(frame)
    ]


def light(image):
    """What the standing alarms and the installer's meters see in it."""
    from agent.light_meter import look_at, luminance, sharpest

    grey = luminance(image)
    return look_at(grey), sharpest(grey)


def digest(outcome):
    parts = outcome if isinstance(outcome, list) else [outcome]
    data = b"".join(np.asarray(part).tobytes() if part is not None else b"-" for part in parts)
    return hashlib.sha256(data).hexdigest()


def main():
    from tests.support.drawn import drawn_car

    image = drawn_car("TST4821")
    told = {name: digest(outcome) for name, outcome in calls(image).items()}
    told["reads"] = hashlib.sha256(repr(reads(image)).encode()).hexdigest()
    told["light"] = hashlib.sha256(repr(light(image)).encode()).hexdigest()
    json.dump({"files": [cv2.__file__, np.__file__], "told": told}, sys.stdout)


if __name__ == "__main__":
    main()
