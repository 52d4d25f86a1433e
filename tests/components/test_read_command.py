"""`platewarden read`: the JSON interface, the table, the exit codes, the annotated pictures.

The models are fakes here.
"""

import io
import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from agent import cli
from agent.bulk import inputs, reader
from agent.commands import read as command
from agent.commands import read_output as output
from tests.fakes.vision import FakeDetector, FakePlate, FakeReader
from tests.support import tiny_networks
from tests.support.media import cut, write_picture, write_video

ROOT = Path(__file__).parents[2]

PLATES = [
    FakePlate("", box=(1, 2, 30, 10), found=0.99),
    FakePlate("TEST12", box=(100.123, 50.06, 80, 25), confidence=0.7),
    FakePlate("FAKE345", box=(10, 20, 100.55, 30), confidence=0.91239, region="eu"),
]


@pytest.fixture(autouse=True)
def asked(monkeypatch):
    asked = {}

    def open_vision(threads, models, longest_text):
        asked.update(threads=threads, models=models, longest_text=longest_text)
        return FakeDetector(PLATES), FakeReader(PLATES)

    monkeypatch.setattr(reader, "open_vision", open_vision)
    return asked


@pytest.fixture
def read(capsys):
    def run(*arguments):
        """(exit code, stdout lines, stderr lines)."""
        code = 0
        try:
            cli.main(["read", *map(str, arguments)])
        except SystemExit as end:
            code = end.code or 0
        captured = capsys.readouterr()
        return code, captured.out.splitlines(), captured.err.splitlines()

    return run


@pytest.fixture
def folder(tmp_path):
    write_picture(tmp_path / "in" / "us" / "b.jpg")
    write_picture(tmp_path / "in" / "us" / "a.png")
    write_picture(tmp_path / "in" / "top.webp")
    (tmp_path / "in" / "us" / "a.txt").write_text("truth")
    return tmp_path / "in"


def test_json_has_exactly_the_documented_members(read, folder):
    code, lines, errors = read(folder / "top.webp", "--json")
    assert (code, errors, len(lines)) == (0, [], 1)
    record = json.loads(lines[0])
    assert set(record) == {"file", "plates", "cpu_ms"}
    assert record["file"] == "top.webp"
    assert isinstance(record["cpu_ms"], float)
    best = record["plates"][0]
    assert set(best) == {
        "text",
        "box",
        "corners",
        "confidence",
        "char_confidence",
        "region",
        "state",
        "rows",
        "alternatives",
        "network_text",
        "limits",
    }
    assert best["limits"] == []
    assert best["text"] == "FAKE345"
    assert best["box"] == [10, 20, 100.5, 30] or best["box"] == [10, 20, 100.6, 30]
    assert len(best["corners"]) == 4
    assert all(len(corner) == 2 for corner in best["corners"])
    assert best["confidence"] == 0.9124
    assert len(best["char_confidence"]) == 7
    assert (best["region"], best["state"]) == ("eu", None)


def test_best_plate_first_and_the_unreadable_last_but_there(read, folder):
    _code, lines, _errors = read(folder / "top.webp", "--json")
    plates = json.loads(lines[0])["plates"]
    assert [plate["text"] for plate in plates] == ["FAKE345", "TEST12", ""]
    assert (plates[2]["confidence"], plates[2]["char_confidence"]) == (0.0, [])


def test_folders_are_walked_sorted_and_files_are_named_from_the_folder(read, folder):
    code, lines, _errors = read(folder, folder / "us" / "b.jpg", "--json")
    assert code == 0
    assert [json.loads(line)["file"] for line in lines] == [
        "top.webp",
        "us/a.png",
        "us/b.jpg",
        "b.jpg",
    ]


def test_what_is_no_picture_by_its_name_is_counted_and_named(read, folder):
    for name in ("notes.txt", "us/plan.pdf", ".hidden", "us/.DS_Store"):
        (folder / name).touch()
    code, lines, errors = read(folder, "--json")
    assert (code, len(lines)) == (0, 3)
    [told] = errors
    assert told.endswith("no picture or video by name (3): notes.txt, us/a.txt, us/plan.pdf")


def test_an_iphones_picture_is_read(read, tmp_path):
    write_picture(tmp_path / "IMG_0001.HEIC".lower())
    code, lines, errors = read(tmp_path, "--json")
    assert (code, errors) == (0, [])
    assert json.loads(lines[0])["file"] == "img_0001.heic"


def test_a_video_gives_one_line_a_frame(read, tmp_path):
    write_video(tmp_path / "clip.mp4", frames=3)
    code, lines, _errors = read(tmp_path / "clip.mp4", "--json")
    assert code == 0
    assert [json.loads(line)["file"] for line in lines] == [
        "clip.mp4#000000",
        "clip.mp4#000001",
        "clip.mp4#000002",
    ]


def test_cpu_time_is_that_of_finding_and_reading_without_decoding(folder, monkeypatch):
    ticks = iter([1_000_000, 3_500_000])
    monkeypatch.setattr(reader.time, "process_time_ns", lambda: next(ticks))
    (frame,) = inputs.frames_of(inputs.Input(folder / "top.webp", "top.webp"))
    assert reader.read_frame(FakeDetector([]), FakeReader([]), frame).cpu_ms == 2.5


def test_one_bad_picture_does_not_stop_the_others(read, folder):
    cut(folder / "us" / "a.png", 0.5)
    code, lines, errors = read(folder, "--json")
    assert code == 1
    assert [json.loads(line)["file"] for line in lines] == ["top.webp", "us/b.jpg"]
    assert len(errors) == 2  # and that of the file that is no picture
    assert errors[0].startswith("platewarden: ")
    assert "us/a.png: the PNG is cut short" in errors[0]


def test_a_cut_video_gives_its_good_frames_then_the_error(read, tmp_path):
    cut(write_video(tmp_path / "clip.mp4", frames=30, front_index=True), 0.6)
    code, lines, errors = read(tmp_path / "clip.mp4", "--json")
    assert code == 1
    assert len(lines) >= 5
    assert f"at frame {len(lines)} " in errors[0]


def test_nothing_readable_is_a_failure(read, tmp_path):
    (tmp_path / "notes.txt").touch()
    code, lines, errors = read(tmp_path, "--json")
    assert (code, lines) == (1, [])
    assert "no picture or video in this folder" in errors[0]


@pytest.mark.parametrize(
    "arguments",
    [["nosuch.jpg"], [], ["--threads", "0", "."], ["--nosuch", "."], ["rtsp://192.0.2.1/x"]],
)
def test_usage_errors_exit_2_and_read_nothing(read, folder, arguments, monkeypatch):
    monkeypatch.chdir(folder)
    code, lines, errors = read(*arguments, *(["top.webp"] if arguments else []), "--json")
    assert (code, lines) == (2, [])
    assert errors


def test_threads_and_models_reach_the_models(read, folder, asked):
    read(
        folder / "top.webp",
        "--json",
        "--threads",
        "3",
        "--models",
        "elsewhere",
        "--longest-text",
        "10",
    )
    assert asked == {"threads": 3, "models": Path("elsewhere"), "longest_text": 10}


def test_the_table_is_for_people(read, folder):
    code, lines, errors = read(folder / "top.webp")
    text = "\n".join(lines)
    assert (code, errors) == (0, [])
    assert text.index("FAKE345") < text.index("TEST12") < text.index("not readable")
    assert "3 plates in 1 pictures or frames" in lines[-1]


def test_a_file_name_cannot_steer_the_terminal(read, tmp_path):
    name = "\x1b]0;owned\x07[red].jpg"
    write_picture(tmp_path / "x.jpg").rename(tmp_path / name)
    _code, lines, _errors = read(tmp_path)
    assert "\x1b" not in "".join(lines)
    assert "]0;owned" in "".join(lines)
    assert "[red]" in "".join(lines), "no markup either"
    (tmp_path / name).write_bytes(b"")
    _code, _lines, errors = read(tmp_path)
    assert "\x1b" not in "".join(errors)


def test_a_file_name_that_is_no_text_is_readable_json(read, tmp_path):
    name = b"caf\xe9.jpg".decode("utf-8", "surrogateescape")
    write_picture(tmp_path / "x.jpg").rename(tmp_path / name)
    code, lines, _errors = read(tmp_path, "--json")
    assert code == 0
    assert json.loads(lines[0])["file"] == name
    assert read(tmp_path)[0] == 0


def test_annotated_pictures_go_to_a_folder_of_their_own(read, folder, tmp_path):
    album = tmp_path / "album"
    originals = {path: path.read_bytes() for path in folder.rglob("*.*")}
    assert read(folder, "--json", "--annotate", album)[0] == 0
    files = sorted(
        path.relative_to(album).as_posix() for path in album.rglob("*") if path.is_file()
    )
    assert files == ["top.webp", "us/a.png", "us/b.jpg"], "named by the input, never by the plate"
    assert {path: path.read_bytes() for path in folder.rglob("*.*")} == originals
    assert all(stat.S_IMODE((album / file).stat().st_mode) == 0o600 for file in files), (
        "plates are personal data"
    )


def test_annotated_video_frames_are_jpegs(read, tmp_path):
    write_video(tmp_path / "clip.mp4", frames=2)
    assert read(tmp_path / "clip.mp4", "--json", "--annotate", tmp_path / "album")[0] == 0
    assert sorted(path.name for path in (tmp_path / "album").iterdir()) == [
        "clip.mp4#000000.jpg",
        "clip.mp4#000001.jpg",
    ]


def test_annotating_never_overwrites(read, folder, tmp_path):
    code, lines, errors = read(folder, "--json", "--annotate", folder)
    assert (code, lines) == (2, [])
    assert "not an empty folder" in errors[0]
    code, lines, errors = read(
        folder / "us", folder / "us" / "b.jpg", "--json", "--annotate", tmp_path / "album"
    )
    assert (code, lines) == (2, [])
    assert "b.jpg: --annotate: two of the inputs have this name" in errors[0]


def test_a_full_disk_stops_with_one_error_and_no_half_picture(read, folder, tmp_path, monkeypatch):
    from agent.disk import atomic_file

    def full(_descriptor, _data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic_file, "_write_all", full)
    code, _lines, errors = read(folder, "--json", "--annotate", tmp_path / "album")
    assert code == 1
    assert len(errors) == 1
    assert "space" in errors[0]
    assert [path for path in (tmp_path / "album").rglob("*") if path.is_file()] == []


def test_the_bar_shows_on_a_terminal_only(folder, monkeypatch, capsys):
    shown = []
    real = command.progress_bar
    monkeypatch.setattr(command, "progress_bar", lambda total, *, shown: spy(total, shown))

    def spy(total, is_shown):
        shown.append(is_shown)
        return real(total, shown=False)

    for terminals, expected in (
        ((False, False), False),
        ((False, True), True),
        ((True, True), False),
    ):
        monkeypatch.setattr(sys.stdout, "isatty", lambda answer=terminals[0]: answer)
        monkeypatch.setattr(sys.stderr, "isatty", lambda answer=terminals[1]: answer)
        with pytest.raises(SystemExit):
            cli.main(["read", str(folder), "--json"])
        assert shown[-1] is expected


def test_the_bar_keeps_json_off_stderr(capsys):
    with command.progress_bar(2, shown=True) as advance:
        print("a line of JSON")
        advance()
    captured = capsys.readouterr()
    assert captured.out == "a line of JSON\n"
    assert "a line" not in captured.err


def test_the_table_fits_a_narrow_terminal_without_losing_text():
    console = Console(file=io.StringIO(), width=70, markup=False, highlight=False)
    table = output.TablePrinter(console)
    table.add(reader.Picture("a-rather-long-folder/and-a-long-file-name.jpg", (), 1.0))
    table.finish(2)
    lines = console.file.getvalue().splitlines()
    assert "".join(line[:15].strip() for line in lines[3:]).startswith(
        "a-rather-long-folder/and-a-long-file-name.jpg"
    )
    assert "2 could not be read" in lines[-1]


# --- other people's models ---


@pytest.fixture
def peers(tmp_path):
    """A detector, and a recogniser with its plate config beside it."""
    tiny_networks.write_config(tmp_path / "r_plate_config.yaml")
    return tiny_networks.detector(tmp_path / "d.onnx", "sevens"), tiny_networks.recognizer(
        tmp_path / "r.onnx"
    )


def test_other_peoples_models_find_and_read(read, folder, peers):
    detector, recognizer = peers
    code, lines, errors = read(
        folder / "top.webp", "--json", "--detector", detector, "--recognizer", recognizer
    )
    assert (code, errors) == (0, [])
    plates = json.loads(lines[0])["plates"]
    assert {plate["text"] for plate in plates} <= {"A", "B", "C"}
    assert plates
    assert all(plate["region"] == "unknown" for plate in plates)


def test_either_of_them_works_beside_ours(read, folder, peers, asked):
    detector, recognizer = peers
    code, lines, _errors = read(
        folder / "top.webp", "--json", "--detector", detector, "--models", "elsewhere"
    )
    assert (code, asked["models"]) == (0, Path("elsewhere"))
    assert {plate["text"] for plate in json.loads(lines[0])["plates"]} == {""}, (
        "our fake reader knows none of their boxes"
    )
    code, lines, _errors = read(
        folder / "top.webp",
        "--json",
        "--recognizer",
        recognizer,
        "--recognizer-config",
        recognizer.with_name("r_plate_config.yaml"),
    )
    assert code == 0
    assert [plate["box"] for plate in json.loads(lines[0])["plates"]]


def test_without_them_ours_are_opened(read, folder, asked):
    assert read(folder / "top.webp", "--json")[0] == 0
    assert asked == {"threads": 1, "models": None, "longest_text": 9}


@pytest.mark.parametrize(
    ("options", "exit_code", "said"),
    [
        (
            ["--detector", "nosuch.onnx"],
            1,
            "nosuch.onnx: cannot be read: No such file or directory (check the path)",
        ),
        (["--detector", "us/a.txt"], 1, "us/a.txt: onnxruntime cannot open it"),
        (
            ["--recognizer", "us/a.txt", "--recognizer-config", "us/a.txt"],
            1,
            "us/a.txt: onnxruntime cannot open it",
        ),
        (
            ["--recognizer-config", "us/a.txt"],
            2,
            "--recognizer-config: there is no recogniser that it could describe",
        ),
        (
            ["--models", ".", "--detector", "a", "--recognizer", "b"],
            2,
            "--models: no model of ours is left to load",
        ),
    ],
)
def test_what_cannot_be_loaded_is_one_line_and_reads_nothing(
    read, folder, monkeypatch, options, exit_code, said
):
    monkeypatch.chdir(folder)
    code, lines, errors = read("top.webp", "--json", *options)
    assert (code, lines, len(errors)) == (exit_code, [], 1)
    assert said in errors[0]


def test_a_missing_key_of_the_plate_config_is_named(read, folder, peers):
    config = tiny_networks.write_config(folder / "c.yaml", pad_char=None)
    code, lines, errors = read(
        folder / "top.webp", "--json", "--recognizer", peers[1], "--recognizer-config", config
    )
    assert (code, lines) == (2, [])
    assert errors == [
        (
            f"platewarden: {config}: pad_char: "
            "missing (give the plate config that came with the recogniser)"
        )
    ]


def test_without_pyyaml_the_next_step_is_told(read, folder, peers, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    monkeypatch.delitem(sys.modules, "agent.peers.plate_config", raising=False)
    code, lines, errors = read(folder / "top.webp", "--json", "--recognizer", peers[1])
    assert (code, lines) == (2, [])
    assert errors == [
        "platewarden: --recognizer: PyYAML is not installed (pip install 'platewarden[peers]')"
    ]
    assert read(folder / "top.webp", "--json", "--detector", peers[0])[0] == 0, (
        "a detector alone needs none"
    )


def test_reading_with_our_own_models_loads_nothing_of_the_peers(folder):
    script = (
        "import sys\nfrom agent import cli\ntry:\n    cli.main(sys.argv[1:])\nfinally:\n"
        "    print('loaded:', *sys.modules, file=sys.stderr)"
    )
    options = [sys.executable, "-c", script, "read", str(folder / "top.webp"), "--json"]
    done = subprocess.run(options, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    loaded = set(done.stderr.split("loaded:")[1].split())
    assert "agent.vision.model_loader" in loaded
    assert not [
        name for name in loaded if name == "yaml" or name.startswith(("yaml.", "agent.peers"))
    ]
