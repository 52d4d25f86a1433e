"""What `aim` drew, `watch` obeys: as a process, with the real networks, up to the sealed read."""

import json
from pathlib import Path

import pytest

from tests.support.camera_rig import camera_rig, copy_of

pytestmark = pytest.mark.slow
EVERYWHERE = [[0, 0], [1, 0], [1, 1], [0, 1]]
TOP = [[0, 0], [1, 0], [1, 0.2], [0, 0.2]]


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    return camera_rig(tmp_path_factory.mktemp("rig"), frames=3)


def watched(rig, tmp_path: Path, view: str, *options: str):
    """The process, and how many reads it sealed, with this view.json."""
    camera = copy_of(rig, tmp_path)
    folder = camera.installation.state / "watch"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "view.json").write_text(view)
    done = camera.watch("--allow-unsigned", *options)
    return done, len(list((camera.installation.state / "outbox").glob("*.sealed")))


@pytest.mark.parametrize(
    ("zones", "masks", "sealed"),
    [([EVERYWHERE], [TOP], 1), ([TOP], [], 0), ([], [EVERYWHERE], 0)],
    ids=["zone around it", "zone elsewhere", "masked"],
)
def test_only_what_lies_in_a_zone_and_behind_no_mask_is_seen(rig, tmp_path, zones, masks, sealed):
    done, count = watched(rig, tmp_path, json.dumps({"v": 1, "zones": zones, "masks": masks}))
    assert (done.returncode, count) == (0, sealed), done.stderr


def test_stills_are_not_seen_through_a_cameras_zones(rig, tmp_path):
    view = json.dumps({"v": 1, "zones": [EVERYWHERE], "masks": []})
    done, count = watched(rig, tmp_path, view, "--stills")
    assert (done.returncode, count) == (2, 0)
    assert "view.json: --stills: the zones and masks" in done.stderr


def test_a_damaged_file_stops_watch(rig, tmp_path):
    done, count = watched(rig, tmp_path, '{"v": 1, "zones": [')
    assert (done.returncode, count) == (3, 0)
    assert "view.json" in done.stderr
