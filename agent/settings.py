"""The camera's settings file, platewarden.toml: one closed pydantic schema; unknown keys refuse
(docs/ref/settings.md).
"""

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from agent.errors import ConfigError

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,31}$")]
ExposureUs = Annotated[int, Field(ge=10, le=1_000_000)]
Gain = Annotated[float, Field(ge=1, le=64)]
FocusM = Annotated[float, Field(ge=0.05, le=1000)]
Share = Annotated[float, Field(ge=0, le=1)]
LEAST_CROP, ROUNDING = 0.05, 1e-9
NOT_SANE = "unreadable settings: nested too deep or a number too long"


class Section(BaseModel):
    """Closed, immutable, and silent about values in its errors (they could be secrets)."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Paths(Section):
    """Folders, relative to the settings file. `city`: policy, charter, hot list, key lists,
    unsigned; `state`: mailboxes and logs; `device`: keys; `bundles`: signed bundles as fetched,
    untrusted; `trust`: root.json, the city's root as enrolment put it there.
    """

    city: Path = Path("city")
    state: Path = Path("state")
    device: Path = Path("device")
    bundles: Path = Path("bundles-in")
    trust: Path = Path("trust")


class Models(Section):
    """`threads`: of onnxruntime, for one frame. `directory`: another folder with a manifest.json;
    default: the packaged models.
    """

    threads: Annotated[int, Field(ge=1, le=16)] = 1
    directory: Path | None = None


class Limits(Section):
    """Bounds on what is read from other processes and kept on disk."""

    max_envelope_bytes: Annotated[int, Field(ge=4096)] = 65_536
    max_receipt_bytes: Annotated[int, Field(ge=512)] = 4_096
    max_outbox_reads: Annotated[int, Field(ge=1)] = 5_000
    max_source_pixels: Annotated[int, Field(ge=10_000)] = 50_000_000
    max_hotlist_bytes: Annotated[int, Field(ge=65_536, le=513 * 1024 * 1024)] = 134_217_728
    max_bundle_bytes: Annotated[int, Field(ge=1_048_576)] = 268_435_456


class Camera(Section):
    """A Raspberry Pi camera by picamera2: `width` × `height` of the picture in px,
    `frames_per_second`, `timeout_s` until a silence counts as a stall.

    `exposure_us`, `gain`, `focus_m`: fixed, by day, or None for the camera's own choice; `crop`:
    left, top, width, height as shares of the sensor; `required`: which of these the camera must be
    able to obey; `look_every_s`: between two looks for the standing alarms
    (docs/design/camera-care.md).
    """

    width: Annotated[int, Field(ge=320, le=4608)] = 1920
    height: Annotated[int, Field(ge=240, le=2592)] = 1080
    frames_per_second: Annotated[int, Field(ge=1, le=60)] = 10
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 5.0
    exposure_us: ExposureUs | None = None
    gain: Gain | None = None
    focus_m: FocusM | None = None
    crop: tuple[Share, Share, Share, Share] | None = None
    required: tuple[Literal["rate", "exposure", "gain", "focus", "crop", "light"], ...] = ()
    look_every_s: Annotated[float, Field(ge=0.1, le=3600)] = 60.0

    @model_validator(mode="after")
    def _crop_lies_within(self) -> Self:
        if self.crop is not None:
            left, top, width, height = self.crop
            if (
                width < LEAST_CROP
                or height < LEAST_CROP
                or left + width > 1 + ROUNDING
                or top + height > 1 + ROUNDING
            ):
                raise ValueError(
                    "crop is left, top, width, height as shares of the picture: each side at "
                    f"least {LEAST_CROP:g}, and all within 1"
                )
        return self


class Night(Section):
    """What replaces the day's values of [camera] in the dark. `below_lux`: in force from there on,
    None: never; `above_lux`: day again; `after_s`: both only after so long.
    """

    below_lux: Annotated[float, Field(gt=0, le=10_000)] | None = None
    above_lux: Annotated[float, Field(gt=0, le=100_000)] | None = None
    after_s: Annotated[float, Field(ge=0, le=3600)] = 60.0
    exposure_us: ExposureUs | None = None
    gain: Gain | None = None
    focus_m: FocusM | None = None

    @model_validator(mode="after")
    def _both_limits(self) -> Self:
        if (self.below_lux is None) != (self.above_lux is None) or (
            self.below_lux is not None
            and self.above_lux is not None
            and self.above_lux <= self.below_lux
        ):
            raise ValueError(
                "below_lux and above_lux belong together, and above_lux is the higher: between "
                "them nothing changes"
            )
        if self.below_lux is None and (self.exposure_us, self.gain, self.focus_m) != (
            None,
            None,
            None,
        ):
            raise ValueError(
                "without below_lux and above_lux it is never night, and these values would never "
                "be used"
            )
        return self


class Settings(Section):
    """platewarden.toml. `camera_id` names this camera in tags and topics; `rig`: a test rig, which
    may obey a city made for trying.
    """

    camera_id: Identifier
    rig: bool = False
    paths: Paths = Paths()
    models: Models = Models()
    limits: Limits = Limits()
    camera: Camera = Camera()
    night: Night = Night()
    root: Path = Path()  # folder of the settings file; filled in by `load`

    def path(self, relative: Path) -> Path:
        """A configured path as seen from the settings file's folder."""
        return self.root / relative

    @property
    def city(self) -> Path:
        return self.path(self.paths.city)

    @property
    def state(self) -> Path:
        return self.path(self.paths.state)

    @property
    def device(self) -> Path:
        return self.path(self.paths.device)

    @property
    def bundles(self) -> Path:
        return self.path(self.paths.bundles)

    @property
    def anchor(self) -> Path:
        """The city's first root (TUF, version 1): what every bundle's signatures lead back to.
        Where there is none, the camera is not enrolled.
        """
        return self.path(self.paths.trust) / "root.json"

    @property
    def view(self) -> Path:
        """Zones and masks as `aim` wrote them (docs/ref/aim.md); where there is none, the whole
        frame counts.
        """
        return self.state / "watch" / "view.json"

    @property
    def outbox(self) -> Path:
        return self.state / "outbox"

    @property
    def receipts(self) -> Path:
        return self.state / "receipts"


def load(path: Path) -> Settings:
    """Read and check a settings file. Raises ConfigError naming file, line or field, and the next
    step.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            "no settings file",
            where=path,
            fix="give --config FILE; see config/platewarden.example.toml",
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"unreadable settings: {error}", where=path) from None
    except (ValueError, RecursionError):
        raise ConfigError(NOT_SANE, where=path, fix="see docs/ref/settings.md") from None
    if "root" in table:
        raise ConfigError("root: unknown key", where=path)
    try:
        return Settings(**table, root=path.parent)
    except ValidationError as error:
        raise ConfigError(explain(error), where=path, fix="see docs/ref/settings.md") from None


def explain(error: ValidationError) -> str:
    """All faults of a pydantic error in one line, as `field: what`; never the values."""
    return "; ".join(
        f"{'.'.join(str(part) for part in fault['loc']) or 'file'}: {fault['msg']}"
        for fault in error.errors(include_input=False)
    )
