"""Shows a chart to the camera: on a monitor, on paper, or, on a simulated rig, played into the
source through a model of lens and sensor.
"""

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from hw_tests.rig import chart
from hw_tests.rig.device import Device
from hw_tests.rig.options import RigError

SETTLE_S = 1.0
FRAMES = 2


class Screen(Protocol):
    """`pages`: what it can show, in order.

    `show`: the page is before the camera when it returns; the source to look through.
    """

    def pages(self) -> Iterator[tuple[chart.Page, np.ndarray]]: ...
    def show(self, page: chart.Page, picture: np.ndarray) -> str: ...


def screen_of(device: Device, folder: Path) -> Screen:
    """What the environment file says. Raises RigError."""
    kind, _, argument = device.options.screen.partition(":")
    if kind == "played":
        return Played(device, folder)
    if kind == "virtual" and argument:
        return Virtual(device, folder, argument)
    if kind == "framebuffer" and argument:
        return Framebuffer(Path(argument), device.options.source)
    if kind == "printed" and argument:
        return Printed(Path(argument), device.options.source)
    raise RigError(
        "screen: must be played, virtual:FOLDER, framebuffer:/dev/fbN or printed:CHART.json"
    )


@dataclass
class Played:
    """No screen and no lens: the chart, seen through `through_a_lens`, is what the camera's
    software is given as frames.

    Says nothing about optics.
    """

    device: Device
    folder: Path

    def pages(self) -> Iterator[tuple[chart.Page, np.ndarray]]:
        return chart.pages()

    def show(self, page: chart.Page, picture: np.ndarray) -> str:
        here = self.folder / f"page-{page.page}"
        here.mkdir(parents=True)
        for number in range(FRAMES):
            cv2.imwrite(
                str(here / f"{number}.png"), through_a_lens(picture, 100 * page.page + number)
            )
        there = self.device.put_files({"frames": here}, f"page-{page.page}")
        shutil.rmtree(here)
        return f"{there}/frames"


@dataclass
class Virtual:
    """libcamera's virtual camera plays the files of one folder on the target, in order, from when
    it is opened.

    Real software, no optics.
    """

    device: Device
    folder: Path
    frames: str

    def pages(self) -> Iterator[tuple[chart.Page, np.ndarray]]:
        return chart.pages()

    def show(self, page: chart.Page, picture: np.ndarray) -> str:
        here = self.folder / "frame.jpg"
        cv2.imwrite(
            str(here), through_a_lens(picture, 100 * page.page), [cv2.IMWRITE_JPEG_QUALITY, 95]
        )
        self.device.run("sh", "-c", f"mkdir -p {self.frames} && rm -f {self.frames}/*")
        self.device.files.put(str(here), f"{self.frames}/0.jpg")
        return self.device.options.source


@dataclass
class Framebuffer:
    """A monitor at this machine, without a desktop: the picture is written to the kernel's
    framebuffer.

    `system`: /, or a test's stand-in.
    """

    path: Path
    source: str
    system: Path = Path("/")
    settle_s: float = SETTLE_S

    def pages(self) -> Iterator[tuple[chart.Page, np.ndarray]]:
        return chart.pages()

    def show(self, page: chart.Page, picture: np.ndarray) -> str:
        told = self.system / "sys/class/graphics" / self.path.name
        width, height = (int(value) for value in (told / "virtual_size").read_text().split(","))
        depth = int((told / "bits_per_pixel").read_text())
        stride = int((told / "stride").read_text())
        scaled = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        if depth == 32:
            rows = cv2.cvtColor(scaled, cv2.COLOR_BGR2BGRA).reshape(height, -1)
        elif depth == 16:
            rows = cv2.cvtColor(scaled, cv2.COLOR_BGR2BGR565).reshape(height, -1).view(np.uint8)
        else:
            raise RigError(
                f"screen: {self.path.name} has {depth} bits a pixel; 16 and 32 are known"
            )
        padded = np.zeros((height, stride), np.uint8)
        padded[:, : rows.shape[1]] = rows
        self.path.write_bytes(padded.tobytes())
        time.sleep(self.settle_s)  # for the panel, and for exposure to follow
        return self.source


@dataclass
class Printed:
    """A chart on paper hangs there already; its JSON says which.

    One page, in whatever light there is.
    """

    path: Path
    source: str

    def pages(self) -> Iterator[tuple[chart.Page, np.ndarray]]:
        yield chart.load(self.path), np.zeros((1, 1, 3), np.uint8)

    def show(self, page: chart.Page, picture: np.ndarray) -> str:
        return self.source


def through_a_lens(picture: np.ndarray, seed: int) -> np.ndarray:
    """The chart as a camera two metres away, a little to the side, might see it: perspective,
    defocus, vignette, noise; more noise where it is dark.
    """
    rng = np.random.default_rng(seed)
    height, width = picture.shape[:2]
    corners = np.float32([(0, 0), (width, 0), (width, height), (0, height)])
    seen = np.float32([(0.06, 0.07), (0.95, 0.04), (0.94, 0.95), (0.05, 0.93)]) * (
        width,
        height,
    ) + rng.uniform(-4, 4, (4, 2)).astype(np.float32)
    matrix = cv2.getPerspectiveTransform(corners, np.float32(seen))
    frame = cv2.warpPerspective(
        picture, matrix, (width, height), flags=cv2.INTER_AREA, borderValue=(60, 64, 66)
    )
    frame = cv2.GaussianBlur(frame, (0, 0), 0.8).astype(np.float32)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    frame *= (1 - 0.22 * (x**2 + y**2) / 2)[:, :, None]
    noise = cv2.resize(
        rng.normal(0, 1, (height // 2, width // 2)).astype(np.float32), (width, height)
    ) * 4.0 + rng.normal(0, 1.5)
    frame += noise[:, :, None] * (1.6 - frame / 255)
    return np.clip(frame, 0, 255).astype(np.uint8)
