"""The enrolment files beside the drafts, so that every signer is shown the fingerprints that the
installer reads out, and not only the one who enrolled.

A fingerprint is never taken from a note: it is computed from a file that the camera has signed, and
only where the roster that is to be signed holds the very keys of that file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.text.identifier import IDENTIFIER
from agent.core.wire.enrolment import MAX_BYTES, fingerprint, spoken
from agent.disk.atomic_file import read_bounded, write_atomic
from agent.errors import EnvelopeRefusedError, StorageError
from agent.verifying.enrolment_check import verify_enrolment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from agent.verifying.roster_check import Roster

FOLDER = "enrolments"


def keep(city: Path, files: Mapping[str, bytes]) -> None:
    """Put the files of the enrolled beside the drafts. Raises StorageError."""
    for camera, data in files.items():
        path = city / FOLDER / f"{camera}.json"
        path.parent.mkdir(exist_ok=True)
        write_atomic(path, data, 0o644)


def kept(city: Path) -> dict[str, bytes]:
    """Those that can be read, by camera, unverified."""
    found = {}
    for path in sorted((city / FOLDER).glob("*.json")):
        if IDENTIFIER.fullmatch(path.stem):
            try:
                found[path.stem] = read_bounded(path, MAX_BYTES)
            except StorageError:
                continue  # then its fingerprint is not shown, which is said
    return found


def fingerprints(
    roster: Roster, cameras: Iterable[str], files: Mapping[str, bytes]
) -> dict[str, str]:
    """What the installer of each camera reads out; those without a file that fits are missing."""
    found = {}
    for camera in cameras:
        try:
            enrolment = verify_enrolment(files[camera], camera)
        except (KeyError, EnvelopeRefusedError):
            continue
        public = enrolment.public
        listed = (roster.devices[camera], roster.age.get(camera), roster.logs.get(camera))
        logs = (public.watch_log, public.deliver_log)
        if enrolment.device == camera and listed == (public.seal, enrolment.age, logs):
            found[camera] = spoken(fingerprint(enrolment))
    return found
