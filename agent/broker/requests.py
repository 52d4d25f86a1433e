"""Requests for certificates, as they come: cameras' enrolments, a recipient's own request."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from agent.broker.broker_folder import CAMERAS, RECIPIENTS, Wanted
from agent.core.wire.enrolment import MAX_BYTES
from agent.disk.input_file import read_input
from agent.errors import ConfigError, EnvelopeRefusedError, UsageError
from agent.verifying.enrolment_check import verify_enrolment

_MISSING = "give enrolment.json of a camera, or a folder of them"


def from_cameras(paths: Sequence[Path]) -> list[Wanted]:
    """All of them, or an error: nothing is signed of a batch in which one is bad. Raises
    ConfigError, UsageError.
    """
    files: list[Path] = []
    for path in paths:
        files += sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise UsageError("holds no *.json", where=paths[0], fix=_MISSING)
    wanted = [_camera(path) for path in files]
    times = Counter(one.name for one in wanted)
    for one in wanted:
        if times[one.name] > 1:
            raise ConfigError(
                f"camera {one.name} is there twice", where=one.where, fix="give one enrolment each"
            )
    return wanted


def from_recipient(recipient: str, paths: Sequence[Path]) -> list[Wanted]:
    """Raises ConfigError, UsageError."""
    if len(paths) != 1 or paths[0].is_dir():
        raise UsageError("--recipient goes with one file", fix="sign one recipient at a time")
    csr = read_input(paths[0], MAX_BYTES, missing="`platewarden receiver request` makes it")
    return [Wanted(RECIPIENTS, recipient, csr, str(paths[0]))]


def _camera(path: Path) -> Wanted:
    try:
        enrolment = verify_enrolment(read_input(path, MAX_BYTES, missing=_MISSING), str(path))
    except EnvelopeRefusedError as error:
        raise ConfigError(
            error.what, where=error.where or path, fix="ask the installer for the camera's own file"
        ) from None
    return Wanted(CAMERAS, enrolment.device, enrolment.csr.encode("ascii"), str(path))
