"""Day and night for a camera: which controls to set, of those that this camera has; and when it is
night.

Values in, values out (docs/design/camera-care.md).

Names and units are libcamera's: ExposureTime in µs, LensPosition in dioptres (1 / m), ScalerCrop in
px of the sensor.
"""

from collections.abc import Mapping
from typing import Any

from agent.values import dataclass

Limits = Mapping[str, tuple[Any, Any, Any]]
"""What picamera2's `camera_controls` says once the camera is configured: name → least, most,
default.
"""

# As libcamera numbers them: AfModeManual; ExposureTimeModeManual and AnalogueGainModeManual; …Auto.
MANUAL_FOCUS, MANUAL, AUTO = 0, 1, 0
DAY, NIGHT = "day", "night"

_CONTROL = {
    "rate": "FrameDurationLimits",
    "exposure": "ExposureTime",
    "gain": "AnalogueGain",
    "focus": "LensPosition",
    "crop": "ScalerCrop",
}


@dataclass(frozen=True, slots=True)
class Profile:
    """What is wanted; None: the camera's own choice.

    `crop`: left, top, width, height as shares of the sensor; `shape`: width / height of the
    picture.
    """

    frames_per_second: int
    shape: float
    exposure_us: int | None = None
    gain: float | None = None
    focus_m: float | None = None
    crop: tuple[float, float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """`controls`: to set; `lacking`: wishes that this camera has no control for; `bent`: wishes
    outside its range, brought to the nearest end.
    """

    controls: Mapping[str, Any]
    lacking: tuple[str, ...]
    bent: tuple[str, ...]


def choose(profile: Profile, limits: Limits) -> Chosen:
    """Every control is looked up first: libcamera refuses one that it does not know, and the whole
    configuration with it.
    """
    wishes = {
        "rate": round(1_000_000 / profile.frames_per_second),
        "exposure": profile.exposure_us,
        "gain": profile.gain,
        "focus": None if profile.focus_m is None else 1 / profile.focus_m,
        "crop": profile.crop,
    }
    lacking = tuple(
        wish for wish, value in wishes.items() if value is not None and _CONTROL[wish] not in limits
    )
    controls, bent = dict[str, Any](), list[str]()
    for wish in ("rate", "exposure", "gain", "focus"):
        value, name = wishes[wish], _CONTROL[wish]
        if value is None or name not in limits:
            continue
        controls[name] = _within(value, limits[name])
        if controls[name] != value:
            bent.append(wish)
    if "rate" not in lacking:
        controls[_CONTROL["rate"]] = (controls[_CONTROL["rate"]],) * 2
    if _CONTROL["focus"] in controls and "AfMode" in limits:
        controls["AfMode"] = MANUAL_FOCUS
    if profile.crop is not None and "crop" not in lacking:
        rectangle = crop_px(profile.crop, profile.shape, limits["ScalerCrop"][1])
        controls |= (
            {"ScalerCrops": [rectangle]} if "ScalerCrops" in limits else {"ScalerCrop": rectangle}
        )
    return Chosen(controls | _modes(controls, limits), lacking, tuple(bent))


def _modes(controls: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    """Whether exposure and gain are fixed or the camera's.

    Said always, so that a profile also ends what the one before it fixed.

    Since libcamera 0.5 each has a mode; before, a value of 0 gave it back to the camera.
    """
    modes: dict[str, Any] = {}
    for value, mode in (("ExposureTime", "ExposureTimeMode"), ("AnalogueGain", "AnalogueGainMode")):
        if mode in limits:
            modes[mode] = MANUAL if value in controls else AUTO
        elif value in limits and value not in controls:
            modes[value] = 0 if value == "ExposureTime" else 0.0
    return modes


def crop_px(
    crop: tuple[float, float, float, float], shape: float, whole: tuple[int, int, int, int]
) -> tuple[int, int, int, int]:
    """The largest rectangle of the picture's shape in the middle of the crop, px of the sensor:
    another shape would squeeze the plates.

    `whole`: all of the sensor.
    """
    x, y, width, height = whole
    left, top = x + crop[0] * width, y + crop[1] * height
    wide, high = crop[2] * width, crop[3] * height
    kept_wide, kept_high = min(wide, high * shape), min(high, wide / shape)
    return (
        round(left + (wide - kept_wide) / 2),
        round(top + (high - kept_high) / 2),
        int(kept_wide),
        int(kept_high),
    )


def _within(value: Any, limits: tuple[Any, Any, Any]) -> Any:
    """The nearest value between least and most of this camera, of the wish's own type."""
    return type(value)(max(limits[0], min(value, limits[1])))


class DayNight:
    """Tells day from night by the light in lux.

    Changes only after `after_s` on the other side, so that a passing headlight or cloud changes
    nothing.
    """

    def __init__(self, below_lux: float | None, above_lux: float | None, after_s: float) -> None:
        self._below, self._above, self._after_s = below_lux, above_lux, after_s
        self.now = DAY
        self._crossed_s: float | None = None

    def see(self, lux: float | None, at_s: float) -> str | None:
        """DAY or NIGHT when it changes now, else None.

        A frame that tells no light changes nothing.
        """
        if self._below is None or self._above is None or lux is None:
            return None
        crossed = lux < self._below if self.now == DAY else lux > self._above
        if not crossed:
            self._crossed_s = None
            return None
        self._crossed_s = at_s if self._crossed_s is None else self._crossed_s
        if at_s - self._crossed_s < self._after_s:
            return None
        self.now, self._crossed_s = NIGHT if self.now == DAY else DAY, None
        return self.now
