"""P9: plates appear nowhere else.

A whole demo run is searched byte by byte; a plate planted anywhere in it is found.
"""

import base64
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.demo.scene import VEHICLES
from tests.support.demo_run import DemoRun
from tests.support.plate_search import encodings, search

PLATES = tuple(vehicle.plate for vehicle in VEHICLES)
PLANTED = VEHICLES[1].plate

PLACES: dict[str, Callable[[DemoRun], Path]] = {
    "outbox": lambda run: run.work / "state" / "outbox",
    "receipts": lambda run: run.work / "state" / "receipts",
    "watch log": lambda run: run.work / "state" / "watch" / "log.sqlite",
    "deliver log": lambda run: run.work / "state" / "deliver" / "log.sqlite",
    "processes' output": lambda run: run.work / "output.log",
    "broker store": lambda run: run.work / "broker" / "relayed",
    "receiver store": lambda run: run.work / "recipients" / "exampleville-pd" / "store",
    "page": lambda run: run.out / "index.html",
    "summary": lambda run: run.out / "summary.json",
    "sealed": lambda run: run.out / "sealed",
    "kept logs": lambda run: run.out / "log",
}

WRITINGS: dict[str, Callable[[str], bytes]] = {
    "text": lambda plate: f'{{"plate":"{plate}"}}'.encode(),
    "text in lower case": lambda plate: plate.lower().encode(),
    "utf-16": lambda plate: plate.encode("utf-16"),
    "base64": lambda plate: base64.b64encode(f'{{"plate":"{plate}"}}'.encode()),
    "base64url of a tag": lambda plate: base64.urlsafe_b64encode(f"a={plate}&b=??>>".encode()),
    "json-escaped": lambda plate: "".join(f"\\u{ord(c):04x}" for c in plate).encode(),
}


def skipped(root: Path) -> list[Path]:
    """What holds plates rightly: the rendered clip, and the hot list that the city gave to the
    camera.
    """
    return [root / "out" / "frames", root / "work" / "city-hotlist" / "hotlist.csv"]


def test_no_plate_in_any_byte_of_a_run(demo_run: DemoRun) -> None:
    assert search(demo_run.root, PLATES, skip=skipped(demo_run.root)) == []


def test_the_run_has_every_place_that_is_searched(demo_run: DemoRun) -> None:
    missing = [name for name, place in PLACES.items() if not place(demo_run).exists()]
    assert missing == []


@pytest.mark.parametrize("writing", WRITINGS)
@pytest.mark.parametrize("place", PLACES)
def test_a_planted_plate_is_found(
    demo_run: DemoRun, tmp_path: Path, place: str, writing: str
) -> None:
    """The same search over a copy of each place, with one plate appended to a file in it, or in a
    new file.
    """
    origin = PLACES[place](demo_run)
    copy = tmp_path / "copy"
    if origin.is_dir():
        shutil.copytree(origin, copy)
        target = next((p for p in sorted(copy.rglob("*")) if p.is_file()), copy / "planted")
    else:
        copy.mkdir()
        target = copy / origin.name
        shutil.copy(origin, target)
    assert search(copy, PLATES) == []
    with target.open("ab") as file:
        file.write(b"\0some bytes before " + WRITINGS[writing](PLANTED) + b" and after\n")
    assert {found.file for found in search(copy, PLATES)} == {target}


def test_the_hot_list_would_be_found_if_it_were_not_left_out(demo_run: DemoRun) -> None:
    """The search is not blind where it matters most."""
    assert search(demo_run.work / "city-hotlist", PLATES)
    assert set(encodings(PLANTED)) == {"text", "utf-16", "base64", "json-escaped"}
