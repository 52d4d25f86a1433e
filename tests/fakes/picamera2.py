"""A stand-in for the module `picamera2`, as honest as its source (0.3.38) allows: same calls, same
waiting, same padding of rows.

What it copies on purpose: a request that is not released is a buffer lost, and with all buffers
lost no frame comes; a `capture_request` that timed out stays in the job list, takes the next frame
and never gives it back; `close` is a job too and waits for ever behind one; an unknown control, an
odd size and a second start are refused.
"""

import threading
from typing import Any

import cv2
import numpy as np

from tests.support.media import picture

PADDING = 64  # bytes to which rows are padded on the Pi


class FakeLibrary:
    """Acts as the module: `FakeLibrary(clock).Picamera2()`.

    `stalls`: for each camera opened, after how many frames it stalls (None: never).

    `heals`: "restart" when a stop and start ends a stall. `lux`: the light that the next frames
    tell. `gives`: the size that libcamera gives in place of any other.
    """

    def __init__(
        self,
        clock,
        *,
        pixel_format="YUV420",
        stalls=(),
        cameras=1,
        controls=None,
        stamp=True,
        frame_interval_s=0.1,
        dead_loop=False,
        heals="",
        lux=(),
        gives=None,
    ) -> None:
        self.clock = clock
        self.pixel_format = pixel_format
        self.stalls = list(stalls)
        self.cameras = cameras
        self.controls = (
            {"FrameDurationLimits": (10_000, 200_000, None)} if controls is None else controls
        )
        self.stamp, self.frame_interval_s, self.dead_loop = stamp, frame_interval_s, dead_loop
        self.heals, self.lux, self.gives = heals, list(lux), gives
        self.controls_at_start: list[dict[str, Any]] = []
        self.opened: list[FakePicamera2] = []

    def Picamera2(self) -> "FakePicamera2":  # noqa: N802 its real name
        if not self.cameras:
            raise RuntimeError(
                'No camera number 0 found - use "rpicam-hello --list-cameras" '
                "to check connected cameras"
            )
        if any(camera.is_open for camera in self.opened):
            raise RuntimeError("Failed to initialize camera")  # libcamera: busy
        self.opened.append(FakePicamera2(self, self.stalls.pop(0) if self.stalls else None))
        return self.opened[-1]


class FakePicamera2:
    """One camera."""

    def __init__(self, library: FakeLibrary, stalls_after: int | None) -> None:
        self.library, self.stalls_after = library, stalls_after
        self.is_open, self.started = True, False
        self.camera_config: dict[str, Any] = {}
        self.controls: dict[str, Any] = {}
        self.heals, self.starts = library.heals, 0
        self.free_buffers = self.frames = self.flushes = 0
        self.waiting_jobs = 0

    @property
    def camera_controls(self):
        return self.library.controls

    def create_video_configuration(
        self,
        main,
        lores=None,
        buffer_count=6,
        controls=None,
        queue=True,
        display="main",
        encode="main",
    ):
        return {
            "main": main,
            "lores": lores,
            "buffer_count": buffer_count,
            "controls": controls or {},
            "queue": queue,
            "display": display,
            "encode": encode,
        }

    def configure(self, config) -> None:
        if self.started:
            raise RuntimeError("Camera must be stopped before configuring")
        self.set_controls(config["controls"])
        for name in ("main", "lores"):
            if config[name] is None:
                continue
            width, height = config[name]["size"]
            if width % 2 or height % 2:
                raise RuntimeError("width and height should be even")
            if self.library.gives:
                config[name]["size"] = width, height = self.library.gives
            kind = self.library.pixel_format
            stride = -(-width // PADDING) * PADDING
            config[name] |= {
                "format": kind,
                "stride": stride,
                "framesize": stride * height * 3 // 2,
            }
        self.camera_config = config
        self.free_buffers = config["buffer_count"]

    def set_controls(self, controls) -> None:
        if unknown := set(controls) - set(self.library.controls):
            raise RuntimeError(f"Control {unknown.pop()} is not advertised by libcamera")
        self.controls |= controls

    def camera_configuration(self):
        return self.camera_config

    def start(self) -> None:
        if self.started:
            raise RuntimeError("already started")
        self.started = True
        self.starts += 1
        self.library.controls_at_start.append(dict(self.controls))

    def stop(self) -> None:
        if self.waiting_jobs or self.library.dead_loop:
            threading.Event().wait()  # as the real one: a job behind a job, for ever
        self.started = False
        if self.stalls_after is not None and self.heals == "restart":
            self.stalls_after = None

    def capture_request(self, wait=None, signal_function=None, flush=None) -> "FakeRequest":
        assert isinstance(wait, int | float), "an untimed wait can last for ever"
        stalled = (
            not self.started
            or self.waiting_jobs
            or not self.free_buffers
            or self.frames == self.stalls_after
        )
        if stalled:
            self.waiting_jobs += 1
            self.library.clock.advance(wait)
            raise TimeoutError
        self.library.clock.advance(self.library.frame_interval_s)
        self.frames += 1
        self.free_buffers -= 1
        return FakeRequest(self)

    def cancel_all_and_flush(self) -> None:
        self.flushes += 1
        self.waiting_jobs = 0

    def close(self) -> None:
        if self.waiting_jobs or self.library.dead_loop:
            threading.Event().wait()  # as the real one: for ever
        self.is_open = self.started = False


class FakeRequest:
    """One completed request: a picture, red on the left and blue on the right, as padded YUV; the
    padding is green, to be seen if it leaks.
    """

    def __init__(self, camera: FakePicamera2) -> None:
        self.camera, self.config, self.released = camera, camera.camera_config, False
        self.taken_s = camera.library.clock.monotonic_s()

    def make_buffer(self, name: str) -> np.ndarray:
        assert not self.released
        return padded_yuv(
            picture(*self.config[name]["size"]),
            self.config[name]["stride"],
            self.config[name]["format"],
        )

    def get_metadata(self):
        assert not self.released
        light = {"Lux": self.camera.library.lux.pop(0)} if self.camera.library.lux else {}
        stamps = {
            "SensorTimestamp": round(self.taken_s * 1e9),
            "FrameDuration": round(self.camera.library.frame_interval_s * 1e6),
        }
        return light | (stamps if self.camera.library.stamp else {})

    def release(self) -> None:
        assert not self.released, "released twice"
        self.released = True
        self.camera.free_buffers += 1


def padded_yuv(image: np.ndarray, stride: int, kind: str) -> np.ndarray:
    """One-dimensional buffer as libcamera lays it out: Y rows, then U rows and V rows of half the
    stride, or U and V interleaved.
    """
    height, width = image.shape[:2]
    planar = cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420).reshape(-1)
    luma = planar[: width * height].reshape(height, width)
    u, v = planar[width * height :].reshape(2, height // 2, width // 2)

    def pad(rows: np.ndarray, length: int) -> np.ndarray:
        # Zeros in all three planes are green.
        return np.pad(rows, ((0, 0), (0, length - rows.shape[1]))).reshape(-1)

    if kind == "NV12":
        return np.concatenate(
            [pad(luma, stride), pad(np.dstack([u, v]).reshape(height // 2, width), stride)]
        )
    return np.concatenate([pad(luma, stride), pad(u, stride // 2), pad(v, stride // 2)])
