"""The parts of the rig that need no rig: chart and marks, screens, the capture's reading of
packets, the options of an environment file.
"""

import json
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from agent.bundles.hotlist_file import files_in, list_folder
from hw_tests.rig import chart, fiducial, probe, screen
from hw_tests.rig.device import Device, DeviceError
from hw_tests.rig.ethernet import NETWORKS, Ethernet, free_network, left_over
from hw_tests.rig.options import Options, RigError, parse
from hw_tests.rig.sniffer import Flow, flow_of
from hw_tests.rig.world import World


@pytest.fixture(scope="module")
def shown():
    return chart.draw(2, 20, "dusk", 0.45, chart.generator(1))


@pytest.fixture(scope="module")
def frame(shown):
    return screen.through_a_lens(shown[1], 1)


# --- chart and marks ---


def test_the_marks_tell_page_and_place_through_a_lens(shown, frame):
    page, _ = shown
    view = fiducial.find(frame, page.page, page.marks)
    corners = view.place(page.plates[0].corners)
    width_px = np.linalg.norm(corners[1] - corners[0])
    assert 0.7 * page.plates[0].width_px < width_px < page.plates[0].width_px, (
        "turned by 20° and a little farther"
    )


def test_another_page_is_not_this_page(shown, frame):
    page, _ = shown
    assert fiducial.find(frame, page.page + 1, page.marks) is None


@pytest.mark.parametrize("place", range(4))
def test_a_hidden_mark_hides_the_chart(shown, frame, place, tmp_path):
    page, _ = shown
    hidden = frame.copy()
    half_height, half_width = frame.shape[0] // 2, frame.shape[1] // 2
    top, left = (0 if place in (0, 1) else half_height), (0 if place in (0, 3) else half_width)
    hidden[top : top + half_height, left : left + half_width] = 90
    assert fiducial.find(hidden, page.page, page.marks) is None
    assert not fiducial.keep(
        hidden, page.page, page.marks, tuple(page.size_px), tmp_path / "kept.png"
    )
    assert list(tmp_path.iterdir()) == []


def test_marks_that_lie_in_no_plane_are_not_our_chart(shown):
    page, picture = shown
    shuffled = picture.copy()
    x, y = (int(value) for value in page.marks[2][0])
    mark = shuffled[y - 30 : y + 130, x - 30 : x + 130].copy()
    shuffled[y - 30 : y + 130, x - 30 : x + 130] = 112
    shuffled[500:660, 900:1060] = mark
    assert fiducial.find(shuffled, page.page, page.marks) is None


def test_what_is_kept_is_the_chart_and_nothing_beside_it(shown, frame, tmp_path):
    """Beside the screen stands a bright thing: it is not in the file."""
    page, _ = shown
    street = frame.copy()
    street[:, -60:] = (0, 255, 0)
    assert fiducial.keep(street, page.page, page.marks, tuple(page.size_px), tmp_path / "kept.png")
    kept = cv2.imread(str(tmp_path / "kept.png"))
    assert kept.shape[:2] == tuple(reversed(page.size_px))
    assert not (kept == (0, 255, 0)).all(axis=2).any()


def test_texts_are_the_same_for_the_same_seed_and_fit_the_format():
    first, again = (chart.fictitious(chart.generator(3)) for _ in range(2))
    assert first == again
    assert (first[0] + first[4:]).isdigit()
    assert first[1:4].isalpha()
    assert len(first) == 7


def test_a_printed_chart_says_what_it_shows(shown, tmp_path):
    page, _ = shown
    path = tmp_path / "chart.json"
    path.write_text(page.as_json())
    assert chart.load(path) == page


# --- the probe ---


class Eyes:
    """Reads what it is told, wherever it looks."""

    def __init__(self, *texts):
        self.texts, self.frames = texts, 0

    def find_plates(self, _frame):
        self.frames += 1
        return self.texts

    def read(self, _frame, box):
        return SimpleNamespace(text=SimpleNamespace(value=box))


def ask(monkeypatch, tmp_path, shown, frames, eyes, **given):
    page, _ = shown
    (tmp_path / "page.json").write_text(page.as_json())
    source = SimpleNamespace(
        frames=lambda: iter([SimpleNamespace(image=image) for image in frames]), close=lambda: None
    )
    monkeypatch.setattr(probe, "opened", lambda _options: (source, None))
    monkeypatch.setattr(probe, "vision", lambda _settings: (eyes, eyes))
    return probe.chart(
        SimpleNamespace(
            page=str(tmp_path / "page.json"), frames=2, keep=str(tmp_path / "kept.png"), **given
        )
    )


def test_a_frame_without_the_marks_is_neither_read_nor_written(monkeypatch, tmp_path, shown):
    grey, eyes = np.full((1080, 1920, 3), 100, np.uint8), Eyes()
    found = ask(monkeypatch, tmp_path, shown, [grey] * 5, eyes)
    assert (found["in_view"], found["without_marks"], eyes.frames) == (0, 5, 0)
    assert not (tmp_path / "kept.png").exists()


def test_only_yes_and_no_come_back(monkeypatch, tmp_path, shown, frame):
    """A stranger's plate beside the chart is read like any other; nothing of it leaves."""
    page, _ = shown
    found = ask(monkeypatch, tmp_path, shown, [frame] * 4, Eyes(page.plates[1].text, "STRANGE1"))
    assert [plate["read"] for plate in found["plates"]] == [0, 2, 0, 0, 0, 0]
    assert (found["in_view"], (tmp_path / "kept.png").exists()) == (2, True)
    told = json.dumps(found)
    assert "STRANGE1" not in told
    assert not any(plate.text in told for plate in page.plates)


# --- a monitor ---


@pytest.mark.parametrize(("depth", "stride"), [(32, 4 * 320 + 64), (16, 2 * 320)])
def test_a_framebuffer_gets_the_picture_row_by_row(tmp_path, depth, stride):
    told = tmp_path / "sys/class/graphics/fb0"
    told.mkdir(parents=True)
    for name, value in (("virtual_size", "320,200"), ("bits_per_pixel", depth), ("stride", stride)):
        (told / name).write_text(f"{value}\n")
    picture = np.zeros((1080, 1920, 3), np.uint8)
    picture[:, :, 2] = 255
    assert (
        screen.Framebuffer(tmp_path / "fb0", "picamera", tmp_path, settle_s=0).show(None, picture)
        == "picamera"
    )
    data = (tmp_path / "fb0").read_bytes()
    assert len(data) == 200 * stride
    assert data[stride : stride + depth // 8] == (
        b"\x00\x00\xff\xff" if depth == 32 else b"\x00\xf8"
    ), "red, as the kernel wants it"


def test_a_screen_that_nobody_knows_is_refused(tmp_path):
    for word in ("beamer", "framebuffer:", "printed"):
        device = SimpleNamespace(options=Options("pi", screen=word))
        with pytest.raises(RigError, match="screen"):
            screen.screen_of(device, tmp_path)


# --- packets ---

MACS = bytes(12)


def test_flows_are_told_from_packets():
    tcp = (1234).to_bytes(2) + (8883).to_bytes(2) + bytes(16)
    # A header with four bytes of options.
    ipv4 = bytes([0x46, *bytes(8), 6, *bytes(6), 192, 0, 2, 9]) + bytes(4)
    assert flow_of(MACS + b"\x08\x00" + ipv4 + tcp) == Flow("tcp", 1234, "192.0.2.9", 8883)
    ipv6 = bytes([0x60, *bytes(5), 17, *bytes(17), *bytes(15), 1])
    assert flow_of(MACS + b"\x86\xdd" + ipv6 + tcp) == Flow("udp", 1234, "::1", 8883)
    hopping = bytes([0x60, *bytes(5), 0, *bytes(17), *bytes(15), 1]) + bytes([58, 0, *bytes(6)])
    assert flow_of(MACS + b"\x86\xdd" + hopping + bytes(8)) == Flow("icmpv6", 0, "::1", 0)
    assert flow_of(MACS + b"\x08\x06").kind == "arp"
    assert flow_of(MACS + b"\x08\x00" + bytes(3)).kind == "0x0800", "cut short is odd, not unseen"
    assert flow_of(MACS + b"\x88\xcc").kind == "0x88cc"


def test_a_network_of_this_machine_is_never_taken():
    assert free_network("default via 192.0.2.1 dev eth0") == NETWORKS[0]
    assert free_network(f"{NETWORKS[0]}.0/24 dev eth0\n{NETWORKS[1]}.4 dev x") == NETWORKS[2]
    with pytest.raises(LookupError):
        free_network(" ".join(f"{network}.0/24" for network in NETWORKS))


# --- environment files ---


class Console:
    """As a labgrid driver. `says`: lines, or what it raises."""

    def __init__(self, says):
        self.says, self.asked = says, []

    def run(self, line, *, timeout, decodeerrors="strict"):
        self.asked.append((line, timeout, decodeerrors))
        if isinstance(self.says, Exception):
            raise self.says
        return self.says, [], 0

    def get(self, path, destination):
        raise self.says


class SerialTimeout(Exception):  # noqa: N818 - as pexpect's TIMEOUT
    """Of no class that we know."""


def device(says):
    return Device(Console(says), Console(says), Options("simulated"), "/nowhere")


def test_a_kernel_line_on_the_console_hides_no_answer():
    said = ["[  3.1] usb 1-1: reset", '[  9.9] x{"findings": []}', "[ 10.0] voltage {low}"]
    found = device(said)
    assert found.doctor("x.toml") == {"findings": []}
    assert found.command.asked[0][2] == "replace", "bytes that are no text"
    with pytest.raises(DeviceError, match="printed no JSON"):
        device(["Killed"]).doctor("x.toml")


@pytest.mark.parametrize(
    "raised", [SerialTimeout("30 s"), TimeoutError(), OSError("gone"), ValueError("odd")]
)
def test_a_camera_that_does_not_answer_is_a_device_error(raised, tmp_path):
    for ask in (
        lambda found: found.run("true", within_s=5),
        lambda found: found.fetch("/x", tmp_path / "x"),
    ):
        with pytest.raises(DeviceError, match=f"no answer: .*{type(raised).__name__}"):
            ask(device(raised))


def test_options_are_closed_and_every_fault_is_told():
    pi = {
        "place": "pi",
        "folder": "/x",
        "python": "/usr/bin/python3",
        "pythonpath": "/y",
        "sensor": "s",
    }
    assert parse(pi).live is False
    assert parse({**pi, "source": "usb:0"}).live
    for table, said in (
        ({"place": "mars"}, "place"),
        ({"place": "simulated", "sorce": "x"}, "sorce: unknown"),
        ({"place": "simulated", "min_fps": "fast"}, "min_fps: must be float"),
        ({**pi, "folder": ""}, "folder: is missing"),
        ({**pi, "folder": "relative"}, "absolute"),
        ({"place": "pi"}, "python: is missing"),
    ):
        with pytest.raises(RigError, match=said):
            parse(table)


def test_every_shipped_environment_is_understood():
    yaml = pytest.importorskip("yaml")
    features = {"camera", "display", "network", "power", "rtc", "watchdog", "throttle"}
    found = sorted((Path(__file__).parents[2] / "hw_tests").glob("*.yaml"))
    assert {path.stem for path in found} >= {"simulated", "virtual-camera", "pi-ssh", "pi-sdmux"}
    for path in found:
        main = yaml.safe_load(path.read_text())["targets"]["main"]
        assert set(main["features"]) <= features
        parse(main["options"])


def test_the_hot_list_goes_to_the_camera_with_the_city_s_folder(tmp_path):
    """It lies beside that folder, and a camera without it sealed nothing: each night failed."""
    given = {}

    def put(files, _folder):
        given.update(files)
        return "/camera"

    ethernet = Ethernet("127.0.0.1", "", (), "no cable")
    world = World(SimpleNamespace(put_files=put), ethernet, tmp_path, seed=1)
    assert world.settings == "/camera/platewarden.toml"
    lists = list_folder(given["city"])
    assert files_in(lists)
    assert given[lists.name] == lists


def test_the_cable_of_a_killed_night_is_taken_away(tmp_path):
    """Three of them took every network, and each later night skipped what needs a cable."""
    (tmp_path / "77").mkdir()
    listed = "pwrig5 (id: 1)\npwrig77 (id: 0)\nother\npwrig9\n"
    assert left_over(listed, tmp_path) == ["pwrig5", "pwrig9"]
