"""Looks through the camera for `doctor`: models, a frame, exposure, focus, a plate's width.

Numbers only; no frame and no text outlives it (P1).
"""

import os
import time
from collections import deque

from agent.aim.painted_frame import sample_of
from agent.camera.masked_source import MaskedSource, ZonedDetector, load_view
from agent.camera.sources import is_live, open_source
from agent.core.camera import camera_facts, diagnosis, diagnosis_findings
from agent.core.camera.aim_survey import Sample
from agent.core.camera.diagnosis_findings import Finding, Health, fail, failed, ok, skip
from agent.core.policy.wall_rules import WATCH
from agent.core.reading.sighting import Frame
from agent.core.wire.test_plate import is_test_plate
from agent.disk.atomic_file import read_bounded
from agent.doctor.machine import Runs, run
from agent.errors import PlatewardenError
from agent.host.clock import SystemClock
from agent.light_meter import light_of, luminance, sharpest
from agent.pipeline import plates_in
from agent.ports import PlateDetector, PlateReader
from agent.settings import Settings
from agent.vision.model_loader import load_vision
from agent.vision.models import read_manifest

SETTLE_FRAMES = 12  # of a live camera: its exposure needs about a second
LOOKED_AT = 3

Eyes = tuple[PlateDetector, PlateReader]


def look(settings: Settings, source: str, runs: Runs = run) -> list[Finding]:
    """Models first: without them nobody needs a camera."""
    findings, eyes = models(settings)
    holder = is_live(source) and camera_held(runs)
    if holder:
        stop = f"to look: sudo systemctl stop {WATCH}, run this again, then start it"
        return [
            *findings,
            skip(
                "camera",
                "watch is running and has it; its watchdog is fed by frames, so frames come",
                stop,
            ),
            *told_by_watch(settings),
        ]
    frames, found = camera(settings, source)
    return [*findings, found, *(seen(settings, frames, eyes) if frames else [])]


def models(settings: Settings) -> tuple[list[Finding], Eyes | None]:
    """Every network, byte for byte the manifest's, opened."""
    try:
        asked = settings.models
        listed = read_manifest(asked.directory).models
        eyes = load_vision(asked.threads, asked.directory, asked.longest_text)
    except PlatewardenError as error:
        return [failed("models", error)], None
    told = ", ".join(f"{name} {entry.sha256[:8]}" for name, entry in sorted(listed.items()))
    return [ok("models", f"{len(listed)} networks, each with the manifest's SHA-256: {told}")], eyes


def camera_held(runs: Runs = run) -> bool:
    """Does watch run as a unit? It has the sensor then, and must not lose it to us."""
    return (
        runs(["systemctl", "show", f"{WATCH}.service", "--property=ActiveState"]) or ""
    ).startswith("ActiveState=active")


def told_by_watch(settings: Settings) -> list[Finding]:
    """The standing alarms, from watch's own file."""
    path = settings.state / "watch" / camera_facts.NAME
    try:
        return diagnosis_findings.told_by_watch(
            camera_facts.parse_facts(read_bounded(path, camera_facts.MAX_BYTES))
        )
    except PlatewardenError:
        return [
            skip(
                "camera alarm",
                "what watch says about its camera cannot be read",
                "sudo platewarden doctor",
            )
        ]


def camera(settings: Settings, source: str) -> tuple[list[Frame], Finding]:
    """Open it, let its exposure settle, keep the last few frames; they are masked as watch's
    are.
    """
    folder, kept, count = settings.view.parent, deque[Frame](maxlen=LOOKED_AT), 0
    if folder.exists() and not os.access(folder, os.R_OK | os.X_OK):
        return [], skip(
            "camera",
            f"{folder} with the masks cannot be read by this user, and nobody looks without them",
            "sudo platewarden doctor",
        )
    wanted, began_s = SETTLE_FRAMES if is_live(source) else LOOKED_AT, time.monotonic()
    first_s = 0.0
    try:
        frames = MaskedSource(
            open_source(source, settings, SystemClock()), load_view(settings.view)
        )
        try:
            for frame in frames.frames():
                first_s = first_s or time.monotonic() - began_s
                kept.append(frame)
                count += 1
                if count >= wanted:
                    break
        finally:
            frames.close()
    except PlatewardenError as error:
        return [], failed("camera", error)
    if not kept:
        return [], fail(
            "camera",
            "it opened, and no frame came",
            "check the ribbon cable, or give --source pictures",
        )
    height, width = kept[-1].image.shape[:2]
    size = f"{width}×{height} px"
    return list(kept), ok(
        "camera",
        f"{source}: the first frame after {first_s:.1f} s, {size}"
        if is_live(source)
        else f"pictures of {size}",
    )


def seen(settings: Settings, frames: list[Frame], eyes: Eyes | None) -> list[Finding]:
    """Exposure, focus, and the plate."""
    grey = luminance(frames[-1].image)
    exposure = diagnosis.picture(light_of(grey))
    if exposure.health is Health.FAIL:
        return [exposure]  # of a covered lens there is no more to say
    findings = [exposure, diagnosis.focus(sharpest(grey))]
    if eyes is None:
        return [*findings, skip("plate width", "not measured without models")]
    return [*findings, *diagnosis.plate(frames[-1].image.shape[1], plates(settings, frames, eyes))]


def plates(settings: Settings, frames: list[Frame], eyes: Eyes) -> list[tuple[Sample, bool]]:
    """The plates of the newest frame that shows any, as numbers; whether each is the test plate.

    Their text stays here.
    """
    detector, reader = ZonedDetector(eyes[0], load_view(settings.view)), eyes[1]
    for frame in reversed(frames):
        reads = plates_in(detector, reader, frame)
        if reads:
            grey = luminance(frame.image)
            return [(sample_of(grey, read), is_test_plate(read.text.value)) for read in reads]
    return []
