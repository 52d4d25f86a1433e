"""The camera's settings file, platewarden.toml: one closed schema; an unknown key is
refused (docs/ref/settings.md).
"""

import re
from pathlib import Path
from typing import Annotated, Literal

from agent.core.text.identifier import is_domain
from agent.core.text.schema.notes import Between, By, as_tuple, named
from agent.core.text.schema.section import Section, hidden
from agent.core.text.toml_document import read_document
from agent.errors import ConfigError

EXAMPLE = "config/platewarden.example.toml"
LEAST_CROP, ROUNDING = 0.05, 1e-9
_CAMERA_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,31}")


def as_path(value: object) -> object:
    """Text as a path; anything else stays, and is refused as no text."""
    return Path(value) if isinstance(value, str) else value


def as_crop(value: object) -> object:
    """A list of four: how many there are is said before what they are."""
    given = as_tuple(value)
    if isinstance(given, tuple) and len(given) != len(("left", "top", "width", "height")):
        raise ValueError("must have 4 entries | write left, top, width, height, each from 0 to 1")
    return given


def as_domain(value: object) -> object:
    """A domain name, or none."""
    if isinstance(value, str) and value and not is_domain(value):
        raise ValueError("is no domain name | lower case, as exampleville.gov")
    return value


CityDomain = Annotated[str, By(as_domain)]
CameraId = Annotated[
    str, named(_CAMERA_ID, "camera id", "use letters, digits and -, at most 32 characters")
]
FilePath = Annotated[Path, By(as_path)]
ExposureUs = Annotated[int, Between(ge=10, le=1_000_000)]
Gain = Annotated[float, Between(ge=1, le=64)]
FocusM = Annotated[float, Between(ge=0.05, le=1000)]
Share = Annotated[float, Between(ge=0, le=1)]
Crop = Annotated[tuple[Share, Share, Share, Share], By(as_crop)]
Ability = Literal["rate", "exposure", "gain", "focus", "crop", "light"]


class Paths(Section):
    """Folders, relative to the settings file.

    `city`: policy, charter, hot list, key lists, unsigned; `state`: mailboxes and logs; `device`:
    keys; `bundles`: signed bundles as fetched, untrusted; `trust`: root.json, the city's root as
    enrolment put it there.
    """

    city: FilePath = Path("city")
    state: FilePath = Path("state")
    device: FilePath = Path("device")
    bundles: FilePath = Path("bundles-in")
    trust: FilePath = Path("trust")


class Models(Section):
    """`threads`: of onnxruntime, for one frame.

    `directory`: another folder with a manifest.json; default: the packaged models. `longest_text`:
    characters of the longest plates issued here; a longer text is never sure.
    """

    threads: Annotated[int, Between(ge=1, le=16)] = 1
    directory: FilePath | None = None
    longest_text: Annotated[int, Between(ge=9, le=12)] = 9


class Limits(Section):
    """Bounds on what is read from other processes and kept on disk."""

    max_envelope_bytes: Annotated[int, Between(ge=4096)] = 65_536
    max_receipt_bytes: Annotated[int, Between(ge=512)] = 4_096
    max_outbox_reads: Annotated[int, Between(ge=1)] = 5_000
    max_source_pixels: Annotated[int, Between(ge=10_000)] = 50_000_000
    max_hotlist_bytes: Annotated[int, Between(ge=65_536, le=513 * 1024 * 1024)] = 134_217_728
    max_bundle_bytes: Annotated[int, Between(ge=1_048_576)] = 268_435_456


class Camera(Section):
    """A Raspberry Pi camera by picamera2: `width` × `height` of the picture in px,
    `frames_per_second`, `timeout_s` until a silence counts as a stall.

    `exposure_us`, `gain`, `focus_m`: fixed, by day, or None for the camera's own choice; `crop`:
    left, top, width, height as shares of the sensor; `required`: which of these the camera must be
    able to obey; `look_every_s`: between two looks for the standing alarms
    (docs/design/camera-care.md).
    """

    width: Annotated[int, Between(ge=320, le=4608)] = 1920
    height: Annotated[int, Between(ge=240, le=2592)] = 1080
    frames_per_second: Annotated[int, Between(ge=1, le=60)] = 10
    timeout_s: Annotated[float, Between(gt=0, le=60)] = 5.0
    exposure_us: ExposureUs | None = None
    gain: Gain | None = None
    focus_m: FocusM | None = None
    crop: Crop | None = None
    required: Annotated[tuple[Ability, ...], By(as_tuple)] = ()
    look_every_s: Annotated[float, Between(ge=0.1, le=3600)] = 60.0

    def together(self) -> None:
        """A crop lies within the picture."""
        if self.crop is not None:
            left, top, width, height = self.crop
            if (
                width < LEAST_CROP
                or height < LEAST_CROP
                or left + width > 1 + ROUNDING
                or top + height > 1 + ROUNDING
            ):
                raise ValueError(
                    "crop is left, top, width, height as shares of the picture | width and height "
                    f"are at least {LEAST_CROP:g}, left + width and top + height at most 1"
                )


class Night(Section):
    """What replaces the day's values of [camera] in the dark.

    `below_lux`: in force from there on, None: never; `above_lux`: day again; `after_s`: both only
    after so long.
    """

    below_lux: Annotated[float, Between(gt=0, le=10_000)] | None = None
    above_lux: Annotated[float, Between(gt=0, le=100_000)] | None = None
    after_s: Annotated[float, Between(ge=0, le=3600)] = 60.0
    exposure_us: ExposureUs | None = None
    gain: Gain | None = None
    focus_m: FocusM | None = None

    def together(self) -> None:
        """Night has both its limits, or nothing."""
        if (self.below_lux is None) != (self.above_lux is None) or (
            self.below_lux is not None
            and self.above_lux is not None
            and self.above_lux <= self.below_lux
        ):
            raise ValueError(
                "below_lux and above_lux belong together, "
                "and above_lux is the higher | give both or neither"
            )
        if self.below_lux is None and (self.exposure_us, self.gain, self.focus_m) != (
            None,
            None,
            None,
        ):
            raise ValueError(
                "without below_lux and above_lux it is never night | give both, "
                "or remove exposure_us, gain and focus_m"
            )


class Health(Section):
    """What is told of this camera's health beside its city. `home_assistant`: Home Assistant finds
    it at the policy's brokers by itself (docs/ref/health.md).
    """

    home_assistant: bool = False


class Settings(Section):
    """platewarden.toml.

    `camera_id` names this camera in tags and topics; `city_domain`: of the city, by which
    `provision` names its logs; `rig`: a test rig, which may obey a city made for trying.
    """

    camera_id: CameraId
    city_domain: CityDomain | None = None
    rig: bool = False
    paths: Paths = Paths()
    models: Models = Models()
    limits: Limits = Limits()
    camera: Camera = Camera()
    night: Night = Night()
    health: Health = Health()
    # the settings file and its folder; filled in by `load`, and no keys of the file
    file: Path = hidden(default=Path("platewarden.toml"))
    root: Path = hidden(default=Path())

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
    """Read and check a settings file.

    Raises ConfigError naming file, line, field and the next step.
    """
    try:
        untrusted = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(
            "no settings file", where=path, fix=f"give --config FILE; see {EXAMPLE}"
        ) from None
    except OSError as error:
        raise ConfigError(f"unreadable settings: {error.strerror}", where=path) from None
    document = read_document(untrusted, str(path), EXAMPLE)
    for name in {"file", "root"} & document.table.keys():
        document.fault((name,), "unknown key", "remove it", of_key=True)
    loaded = document.check(Settings, {**document.table, "file": path, "root": path.parent})
    document.require_faultless()
    assert loaded is not None  # noqa: S101 (for mypy: a table that does not fit is a fault, and faults have raised)
    return loaded
