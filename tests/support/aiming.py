"""A street for aiming at: a parked car with a fictitious plate, and somebody who holds up the
rehearsal's test plate.

And a phone without a browser.
"""

import http.client
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from agent.core.wire.test_plate import plate_for
from agent.demo import scene
from agent.sealing.device_keys import create
from tests.support.rehearsing import drawn_plate, street_with

ROOT = Path(__file__).parents[2]
ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)/ for .*PIN (\d{6})")
CAR_PLATE, TEST_PLATE = "7XKD419", plate_for((2, 7, 13, 19))


def street(width_px=200, *, seed=0, with_test=True):
    """1280×720 BGR: the car on the right, the sheet on the left, `width_px` wide."""
    rng = np.random.default_rng(seed)
    picture = np.asarray(scene._street(np.random.default_rng(1))).copy()
    scene.paste(
        picture,
        scene.car(
            scene.Vehicle(CAR_PLATE, "non-hit", (70, 60, 150), 0, 1, lambda _t: (0.0, 0.0, 1.0))
        ),
        930,
        500,
        0.7,
    )
    if with_test:
        held = street_with(drawn_plate(TEST_PLATE), width_px, seed=seed)
        picture[190:550, 120:600] = held[90:450, 80:560]
    return np.clip(picture + rng.normal(0, 2, picture.shape), 0, 255).astype(np.uint8)


def street_folder(folder: Path, count=6) -> Path:
    """Pictures of somebody walking up with the sheet."""
    folder.mkdir(parents=True)
    for number in range(count):
        cv2.imwrite(
            str(folder / f"{number:03d}.jpg"),
            street(170 + 14 * number, seed=number),
            [cv2.IMWRITE_JPEG_QUALITY, 92],
        )
    return folder


def new_camera(folder: Path) -> Path:
    """A settings file with keys beside it."""
    create(folder / "device", "main-street-2")
    (folder / "platewarden.toml").write_text('camera_id = "main-street-2"\n')
    return folder


def address(told: str):
    """Port and PIN in what the process said, or None."""
    return ADDRESS.search(told)


class Phone:
    """Speaks HTTP to the page as a browser would; keeps its cookie."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port, self.cookie = host, port, ""

    def ask(self, path, body=None, *, headers=None, raw=None):
        """(status, parsed JSON or text, headers)."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        sent = {"Cookie": self.cookie} if self.cookie else {}
        data = raw if raw is not None else json.dumps(body).encode() if body is not None else None
        if data is not None:
            sent["Content-Type"] = "application/json"
        try:
            connection.request(
                "POST" if data is not None else "GET", path, data, sent | (headers or {})
            )
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if cookie := answer.headers.get("Set-Cookie"):
            self.cookie = cookie.split(";")[0]
        told = (
            json.loads(text)
            if text and answer.headers.get_content_type() == "application/json"
            else text.decode()
        )
        return answer.status, told, dict(answer.headers)

    def enter(self, pin):
        return self.ask("/enter", {"pin": pin})[:2]


class Running:
    """The process, once it has said where it is.

    Its home, temporary folder and working folder are `place`.
    """

    def __init__(self, place: Path, *arguments: str, before: tuple[str, ...] = ()) -> None:
        for name in ("home", "tmp", "here"):
            (place / name).mkdir(parents=True)
        self.place = place
        environment = {
            **os.environ,
            "HOME": str(place / "home"),
            "TMPDIR": str(place / "tmp"),
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self.process = subprocess.Popen(
            [*before, sys.executable, "-m", "agent", "aim", *arguments],
            cwd=place / "here",
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.told = ""
        while (found := address(self.told)) is None:
            line = self.process.stderr.readline()  # bounded by the test's own timeout
            assert line, f"it ended: {self.told}"
            self.told += line
        self.phone, self.pin = Phone("127.0.0.1", int(found[1])), found[2]

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def plates(self):
        """Wait for a look with plates in it."""
        for _ in range(200):
            status, told, _headers = self.phone.ask("/look?after=0")
            if status == 200 and told["plates"]:
                return told
            time.sleep(0.1)
        raise AssertionError("no plate came into view")

    def ended(self):
        out, err = self.process.communicate(timeout=60)
        self.told += err
        assert out == ""
        return self.process.returncode
