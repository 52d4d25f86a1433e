"""Every bad picture and video of issue "First light", through the installed command: one clear line
each, exit 1, no traceback, nothing half-written.
"""

import json
import os
import struct
import subprocess
import sys

import pytest

from tests.support.media import cut, picture, write_picture, write_video

RUN = """
import sys
from agent import cli
from agent.bulk import reader
from tests.fakes.vision import FakeDetector, FakePlate, FakeReader
plates = [FakePlate("TEST123")]
reader.open_vision = lambda *_asked: (FakeDetector(plates), FakeReader(plates))
cli.main(sys.argv[1:])
"""


def read(*arguments, **options):
    """In a process of its own: what a decoder prints by itself, and a crash, show too."""
    return subprocess.run(
        [sys.executable, "-c", RUN, "read", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        **options,
    )


@pytest.fixture
def zoo(tmp_path):
    """(folder, number of bad files); one good picture among them."""
    folder = tmp_path / "zoo"
    write_picture(folder / "good.jpg")
    (folder / "zero-size.jpg").touch()
    (folder / "text.jpg").write_text("no picture")
    (folder / "random.png").write_bytes(os.urandom(5000))
    (folder / "dangling.jpg").symlink_to("nowhere")
    for name in ("cut.jpg", "cut.png", "cut.webp"):
        cut(write_picture(folder / name), 0.6)
    bomb = bytearray(write_picture(folder / "bomb.png").read_bytes())
    bomb[16:24] = struct.pack(">II", 2**31 - 1, 2**31 - 1)
    (folder / "bomb.png").write_bytes(bomb)
    with (folder / "huge.jpg").open("r+b" if (folder / "huge.jpg").exists() else "wb") as file:
        file.write(b"\xff\xd8\xff")
        file.truncate(20_000_000_000)
    cut(write_video(folder / "cut.mp4", frames=20, front_index=True), 0.6)
    cut(write_video(folder / "headless.mp4"), 0.6)
    (folder / "empty.mp4").touch()
    (folder / "text.avi").write_text("no video " * 100)
    return folder, 13


def test_each_bad_file_is_one_line_and_the_good_ones_are_read(zoo):
    folder, bad = zoo
    done = read(folder, "--json")
    errors = done.stderr.splitlines()
    assert "Traceback" not in done.stderr
    assert done.returncode == 1
    assert all(
        line.startswith(f"platewarden: {folder}/") and line.endswith(")") for line in errors
    ), done.stderr
    assert len(errors) == bad
    files = [json.loads(line)["file"] for line in done.stdout.splitlines()]
    assert "good.jpg" in files
    assert {file.partition("#")[0] for file in files} == {"good.jpg", "cut.mp4"}, (
        "of a cut video the good frames, of a cut picture nothing"
    )


def test_only_bad_files_is_a_failure_with_no_output(zoo):
    folder, _bad = zoo
    (folder / "good.jpg").unlink()
    (folder / "cut.mp4").unlink()
    done = read(folder, "--json")
    assert (done.returncode, done.stdout) == (1, "")


def test_errors_and_names_hold_no_plate(zoo):
    folder, _bad = zoo
    assert "TEST123" not in read(folder, "--json").stderr


def test_a_reader_of_our_output_that_goes_away_is_no_traceback(tmp_path):
    for number in range(300):
        write_picture(tmp_path / f"{number:03}.png", picture(16, 16))
    command = [sys.executable, "-c", RUN, "read", str(tmp_path), "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
        process.wait(60)
    assert "Traceback" not in errors
    assert process.returncode == 1


def test_no_color_is_respected(tmp_path):
    write_picture(tmp_path / "a.jpg")
    done = read(tmp_path, env=os.environ | {"NO_COLOR": "1", "FORCE_COLOR": "1"})
    assert done.returncode == 0
    assert "TEST123" in done.stdout
    assert "\x1b[3" not in done.stdout, "no colour"
