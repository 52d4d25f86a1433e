"""Makes the pages behind the codes on the cameras' poles, one a camera, from the archive and the
city's log.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agent.city.city_log import DATABASE, FOLDER
from agent.city.in_force import in_force
from agent.city.pages.pole_page import Behind, LogStand, pole_page
from agent.city.policy_files import write_page
from agent.city.witness_reach import witness_reach
from agent.core.judging.explain.answers import explain
from agent.core.judging.explain.false_leads import Inputs, estimate_all
from agent.core.text.rfc3339 import from_posix_s
from agent.errors import UsageError
from agent.storage.log_reader import snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

MOST_URL = 200
_URL = re.compile(r"(https://[a-z0-9.-]+(:[0-9]{1,5})?/)?[A-Za-z0-9._~/-]+", re.ASCII)


def pole_pages(city: Path, out: Path, report: str, now: datetime) -> tuple[Path, ...]:
    """Write `<camera>.html` for each camera of the roster in force. `report`: where the report is,
    an https address or a path beside the pages.

    Raises UsageError, ConfigError, StorageError.
    """
    if not _URL.fullmatch(report) or len(report) > MOST_URL or ".." in report:
        raise UsageError(
            f"{report[:MOST_URL]!a} is no address of a report",
            where="--report",
            fix="write https://exampleville.example/report-2027.html, or report-2027.html",
        )
    if not out.is_dir():
        raise UsageError("is no folder", where=out, fix="make it first")
    files = in_force(city, now.date(), now)
    stands, reach = _collected(city), witness_reach(city)
    written = []
    for camera in files.cameras:
        told = explain(files, now.date(), camera=camera)
        leads = estimate_all(told, Inputs(listed=0), None)
        logs = [one for one in stands.get(camera, ()) if one.leaves]
        path = out / f"{camera}.html"
        write_page(path, pole_page(told, leads, Behind(report, reach, logs)))
        written.append(path)
    if not written:
        raise UsageError("the roster in force lists no camera", where=city)
    return tuple(written)


def _collected(city: Path) -> Mapping[str, Sequence[LogStand]]:
    """The newest checkpoints that the city's log took in, by camera. Raises StorageError."""
    database = city / FOLDER / DATABASE
    if not database.is_file():
        return {}
    found: dict[str, list[LogStand]] = {}
    with snapshot(database) as connection:
        known = "SELECT 1 FROM sqlite_schema WHERE name = 'collected'"
        if connection.execute(known).fetchone() is None:
            return {}
        query = "SELECT origin, size, root, at_s FROM collected ORDER BY origin"
        for origin, size, root, at_s in connection.execute(query):
            camera = str(origin).partition("/")[2].rpartition("/")[0]
            found.setdefault(camera, []).append(
                LogStand(str(origin), int(size), bytes(root).hex(), from_posix_s(int(at_s)))
            )
    return found
