"""Makes all cameras of a roster.csv at once, each in a folder of its own: all of it or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.policy.roster_csv import MAX_BYTES, parse_roster_csv
from agent.core.text.identifier import is_domain
from agent.disk.folder import require_free, write_folder
from agent.disk.input_file import read_input
from agent.errors import UsageError
from agent.host.clock import SystemClock
from agent.provision.anchor import read_anchor
from agent.provision.device_files import ENROLMENTS, SHEET, batch_files
from agent.sealing.camera_keys import make_kit

if TYPE_CHECKING:
    from pathlib import Path


def make_batch(roster: Path, out: Path, anchor: Path | None, domain: str) -> dict[str, object]:
    """What was made, as plain values. `domain`: the city's, or "". Raises UsageError, ConfigError,
    StorageError.
    """
    if domain and not is_domain(domain):
        what = f"{domain[:64]!a} is no domain name"
        raise UsageError(what, where="--domain", fix="lower case, as exampleville.gov")
    rows = parse_roster_csv(read_input(roster, MAX_BYTES, missing="name a roster.csv"), str(roster))
    require_free(out)
    root = read_anchor(anchor) if anchor is not None else None
    made = SystemClock().now().utc
    kits = {row.id: make_kit(row.id, made, domain=domain) for row in rows}
    write_folder(out, batch_files(kits, rows, root, domain), 0o700)
    return {
        "cameras": len(kits),
        "folder": str(out),
        "enrolments": str(out / ENROLMENTS),
        "fingerprints": str(out / ENROLMENTS / SHEET),
        "next": f"platewarden bundle sign --enrol {out / ENROLMENTS} …",
    }
