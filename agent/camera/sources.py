"""Turns the word after `--source` into a frame source, and says why addresses are declined."""

import re
from pathlib import Path

from agent.camera.images import IMAGE_SUFFIXES, ImageSource, find_files
from agent.camera.picamera import PicameraSource
from agent.core.camera.camera_event import Tell, nobody
from agent.errors import SourceError, UsageError
from agent.ports import Clock, FrameSource
from agent.settings import Settings

_USB = re.compile(r"usb:([0-9]{1,3})")


def open_source(
    spec: str,
    settings: Settings,
    clock: Clock,
    *,
    pace: bool = False,
    stills: bool = False,
    tell: Tell = nobody,
) -> FrameSource:
    """The source that `spec` names: `picamera`, `usb:N`, an image, a folder of images, or a video
    file.

    `pace`: play a video at its own speed. `stills`: the pictures have nothing to do with each
    other, so their times are not those of a clip. `tell`: hears what a source says about itself.
    Raises UsageError for what names no source, SourceError for a source that does not open.
    """
    decline_address(spec)
    if stills and not _holds_pictures(spec):
        raise UsageError(
            "--stills: this is no picture and no folder of pictures",
            where=spec,
            fix="leave --stills out, or give pictures",
        )
    if spec == "picamera":
        return PicameraSource(settings.camera, clock, night=settings.night, tell=tell)
    if usb := _USB.fullmatch(spec):
        from agent.camera.usb import UsbSource

        return UsbSource(int(usb[1]), settings.camera, clock, tell=tell)
    path, max_pixels = Path(spec), settings.limits.max_source_pixels
    if not spec or not path.exists():
        raise UsageError(
            "no such source",
            where=spec,
            fix="give picamera, usb:N, an image, a folder of images, or a video file",
        )
    if path.is_dir():
        files = find_files(path, IMAGE_SUFFIXES)
        if not files:
            raise SourceError(
                "no image in this folder",
                where=path,
                fix=f"images end in {', '.join(sorted(IMAGE_SUFFIXES))}",
            )
        rate = None if stills else settings.camera.frames_per_second
        return ImageSource(files, clock, max_pixels, rate)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return ImageSource([(path, path.name)], clock, max_pixels)
    from agent.camera.video import VideoSource

    return VideoSource(path, path.name, clock, max_pixels, pace=pace, tell=tell)


def _holds_pictures(spec: str) -> bool:
    path = Path(spec)
    return path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES


def is_live(spec: str) -> bool:
    """Is it a sensor, which can be closed and opened again without missing anything but time?"""
    return spec == "picamera" or _USB.fullmatch(spec) is not None


def decline_address(spec: str) -> None:
    """Raise UsageError for rtsp://, http:// and their like: the process that sees plates has no
    network, and so no way to a camera behind one.
    """
    if "://" in spec:
        scheme = spec.partition("://")[0]
        raise UsageError(
            f"{scheme}: "
            "network cameras are not read, because the process that sees plates has no network",
            fix="use picamera or usb:N, or record to a file; see docs/ref/sources.md",
        )
