"""fleet.toml: where a city's cameras are heard, whose keys are believed, and what is made of it
(docs/ref/fleet.md). One closed schema.
"""

from pathlib import Path
from typing import Annotated

from agent.core.policy.schema.fields import Identifier
from agent.core.text.schema.notes import Between, By, Length
from agent.core.text.schema.section import Section, made
from agent.core.text.toml_document import read_document
from agent.disk.input_file import read_input
from agent.receiver.ringing.ring_settings import RingSettings
from agent.receiver.setting_fields import FilePath, as_path

FILE_NAME, GUIDE = "fleet.toml", "docs/guide/fleet.md"
MAX_BYTES = 65_536


def _some_file(value: object) -> object:
    """A path that names something."""
    path = as_path(value)
    if path == Path():
        raise ValueError('names nothing | write "fleet.html"')
    return path


OutFile = Annotated[Path, By(_some_file)]


class FleetSettings(Section):
    """fleet.toml. Paths are relative to its folder.

    `broker`: its folder, or a copy of broker.toml, ca.pem and collector/; `keys`: roster.jws, or
    cameras' public.json; `city_root`: the city's root key, for a roster. `city`: the city's
    folder, if its log takes in checkpoints from here, every `collect_every_hours`. `groups`: of
    cameras that are heard here, by the city's roster.toml (`cameras`); None: every camera.

    `silent_after_hours`: when a camera that tells nothing is told of. `page`, `metrics`: files that
    are written anew, each `write_every_minutes`. `ring`: who is rung.
    """

    broker: FilePath = Path("broker")
    keys: Annotated[list[FilePath], Length(1, 64)] = made(
        default_factory=lambda: [Path("roster.jws")]
    )
    city_root: FilePath | None = None
    city: FilePath | None = None
    groups: Annotated[list[Identifier], Length(1, 64)] | None = None
    cameras: FilePath = Path("roster.toml")
    collect_every_hours: Annotated[int, Between(ge=1, le=24)] = 6
    silent_after_hours: Annotated[int, Between(ge=2, le=720)] = 3
    page: OutFile | None = None
    metrics: OutFile | None = None
    write_every_minutes: Annotated[int, Between(ge=1, le=1440)] = 5
    ring: RingSettings = made(default_factory=RingSettings)


def load(folder: Path) -> FleetSettings:
    """Read and check fleet.toml in `folder`. Raises ConfigError: file, field and next step."""
    path = folder / FILE_NAME
    untrusted = read_input(path, MAX_BYTES, missing=f"write one: {GUIDE}")
    document = read_document(untrusted, str(path), GUIDE)
    loaded = document.check(FleetSettings, document.table)
    document.require_faultless()
    assert loaded is not None  # noqa: S101 (for mypy: a table that does not fit is a fault, and faults have raised)
    return loaded
