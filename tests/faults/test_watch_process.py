"""`watch` as a process: what it refuses at the start, and how it ends."""

import json
import re
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import cv2
import pytest

from tests.support.camera_rig import CameraRig, camera_rig, copy_of, edit_policy


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> CameraRig:
    return camera_rig(tmp_path_factory.mktemp("rig"))


@pytest.fixture
def rig(original: CameraRig, tmp_path: Path) -> CameraRig:
    return copy_of(original, tmp_path)


def leaves(rig: CameraRig) -> list[dict[str, object]]:
    with closing(sqlite3.connect(rig.installation.state / "watch" / "log.sqlite")) as connection:
        return [
            json.loads(details)
            for (details,) in connection.execute("SELECT details FROM leaf ORDER BY n")
        ]


@pytest.mark.parametrize(
    ("old", "new", "code", "said"),
    [
        ('recipient = "exampleville-pd"', 'recipient = "*"', 2, "release"),
        ("max_per_hour = 20", "max_per_hour = 20\nsurprise = 1", 2, "surprise"),
        ('addresses = ["127.0.0.1:', 'addresses = ["mqtt.example:', 2, "addresses"),
        ('retention = "21d"', 'retention = "1d"', 2, "retention"),
        ('retention = "21d"', 'retention = "90d"', 3, "charter-retention"),
        (
            'purpose = "stolen-vehicle-recovery"',
            'purpose = "immigration-enforcement"',
            3,
            "charter-forbids-purpose",
        ),
        ('"exampleville-pd"', '"us-dhs-hsi"', 3, "charter-forbids-recipient"),
    ],
)
def test_a_bad_policy_stops_watch_with_one_clear_error_and_a_leaf(
    rig: CameraRig, old: str, new: str, code: int, said: str
) -> None:
    edit_policy(rig, old, new)
    done = rig.watch("--allow-unsigned")
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "policy.toml" in done.stderr or "charter.toml" in done.stderr
    assert "Traceback" not in done.stderr
    assert [leaf["kind"] for leaf in leaves(rig)] == ["refusal"]


def test_an_unsigned_policy_is_refused_unless_allowed(rig: CameraRig) -> None:
    done = rig.watch()
    assert done.returncode == 3
    assert "policy-unsigned" in done.stderr
    assert [leaf["reason"] for leaf in leaves(rig)] == ["policy-unsigned"]


def test_an_expired_policy_is_refused(rig: CameraRig) -> None:
    policy = rig.installation.work / "city" / "policy.toml"
    text = re.sub(
        r"^effective = .*$",
        "effective = 2026-01-01",
        policy.read_text(encoding="utf-8"),
        flags=re.MULTILINE,
    )
    policy.write_text(
        re.sub(r"^expires = .*$", "expires = 2026-02-01", text, flags=re.MULTILINE),
        encoding="utf-8",
    )
    done = rig.watch("--allow-unsigned")
    assert done.returncode == 3
    assert "policy-expired" in done.stderr


def watched_with(rig: CameraRig, category: str) -> subprocess.CompletedProcess[str]:
    """One row of that category has no date."""
    hotlist = rig.installation.work / "city-hotlist" / "hotlist.csv"
    hotlist.write_text(
        hotlist.read_text(encoding="utf-8")
        + f"3FPA826,US-CA,{category},Exampleville PD,2026-9,not-a-date,2027-01-01\n",
        encoding="utf-8",
    )
    done = rig.watch("--allow-unsigned")
    assert "3FPA826" not in done.stdout + done.stderr
    return done


def test_a_broken_protection_names_file_line_and_field_but_no_plate(rig: CameraRig) -> None:
    done = watched_with(rig, "never-release")
    assert done.returncode == 2, done.stderr
    assert "hotlist.csv:3" in done.stderr
    assert "source_date" in done.stderr


def test_another_broken_row_is_left_out_and_told_by_line(rig: CameraRig) -> None:
    done = watched_with(rig, "stolen-vehicle")
    assert done.returncode == 0, done.stderr
    assert "hot list: hotlist.csv: 1 rows are not what they seem and are left out" in done.stderr
    assert "line 3; `platewarden hotlist import` tells why" in done.stderr
    assert "1 sealed" in done.stderr


def test_sigterm_ends_cleanly_with_counts_and_a_stop_leaf(rig: CameraRig) -> None:
    """With the outbox waiting for a receipt that never comes, so that it would go on for long."""
    process = subprocess.Popen(
        rig.arguments("--allow-unsigned", "--settle", "100"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    outbox, deadline = rig.installation.state / "outbox", time.monotonic() + 60
    while (
        not list(outbox.glob("*.sealed")) and time.monotonic() < deadline and process.poll() is None
    ):
        time.sleep(0.1)
    assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert [leaf["kind"] for leaf in leaves(rig)] == ["start", "release", "counts", "stop"]
    assert not list(outbox.glob("*.part")) + list(outbox.glob(".*"))


def test_stills_are_each_their_own(rig: CameraRig) -> None:
    """As a street the six pictures are one car."""
    frames = sorted(rig.frames.iterdir())
    image = cv2.imread(str(frames[0]))
    cv2.imwrite(str(rig.frames / "9-lying.png"), cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE))
    try:
        done = rig.watch("--allow-unsigned", "--stills", "--json")
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout.splitlines()[-1])
        assert (told["stills"], told["vehicles"]) == (7, 7)
        (counts,) = (leaf for leaf in leaves(rig) if leaf["kind"] == "counts")
        assert (counts["stills"], counts["sightings"]) == (7, 7)
    finally:
        (rig.frames / "9-lying.png").unlink()


def test_a_missing_settings_file_is_a_usage_error(rig: CameraRig) -> None:
    rig.installation.settings.unlink()
    done = rig.watch("--allow-unsigned")
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "config/platewarden.example.toml" in done.stderr
