"""agent/peers: other people's models behind our ports, in every layout that is known, and what is
said of those that are not.
"""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from agent.core.reading.sighting import Frame, PlateBox
from agent.core.time.instant import Instant
from agent.errors import ConfigError, ModelError, UsageError
from agent.peers.peer_loader import load_detector, load_reader
from agent.peers.plate_config import read_plate_config
from tests.support import tiny_networks as tiny
from tests.support.drawn import drawn_car

PEERS = Path(os.environ.get("PLATEWARDEN_PEERS", "../shared/peers"))
LAYOUTS = ("sevens", "sixes", "centres")
RED, GREEN, BLUE = (0, 0, 255), (0, 255, 0), (255, 0, 0)  # BGR


def frame(colour, width=tiny.WIDTH, height=tiny.HEIGHT):
    return Frame(
        np.full((height, width, 3), colour, np.uint8), Instant(datetime(2027, 1, 15, tzinfo=UTC)), 0
    )


def upright(x, y, w, h):
    return PlateBox((x, y, w, h), ((x, y), (x + w, y), (x + w, y + h), (x, y + h)), 1.0)


def rounded(plates):
    return [tuple(round(side) for side in plate.box) for plate in plates]


class TestDetectors:
    @pytest.mark.parametrize("layout", LAYOUTS)
    @pytest.mark.parametrize(
        ("colour", "box"),
        [(RED, (10, 20, 30, 10)), (GREEN, (50, 20, 30, 10)), (BLUE, (10, 40, 30, 10))],
    )
    def test_every_layout_sees_rgb_from_0_to_1(self, tmp_path, layout, colour, box):
        found = load_detector(tiny.detector(tmp_path / "d.onnx", layout)).find_plates(frame(colour))
        assert rounded(found) == [box]
        assert found[0].confidence == pytest.approx(1.0)
        assert found[0].corners[2] == pytest.approx((box[0] + box[2], box[1] + box[3]))

    @pytest.mark.parametrize("layout", LAYOUTS)
    def test_best_first_and_not_below_a_quarter(self, tmp_path, layout):
        # The bytes are BGR 0.5, 1.0, 0.24.
        found = load_detector(tiny.detector(tmp_path / "d.onnx", layout)).find_plates(
            frame((128, 255, 60))
        )
        assert [round(plate.confidence, 1) for plate in found] == [1.0, 0.5]

    @pytest.mark.parametrize("layout", LAYOUTS)
    @pytest.mark.parametrize(
        ("width", "height", "expected"),
        [
            (192, 128, (20, 40, 60, 20)),  # twice the input
            (96, 32, (10, 4, 30, 10)),  # wide: 16 px of grey above and below
            # A narrow frame has 32 px of grey at the left and right, and the box is cut at the
            # frame's edge.
            (32, 64, (0, 20, 8, 10)),
        ],
    )
    def test_boxes_are_in_px_of_the_frame(self, tmp_path, layout, width, height, expected):
        found = load_detector(
            tiny.detector(tmp_path / "d.onnx", layout, boxes=[tiny.BOXES[0]], classes=[0])
        ).find_plates(frame(RED, width, height))
        assert rounded(found) == [expected]

    def test_padding_is_grey_114(self, tmp_path):
        found = load_detector(
            tiny.detector(tmp_path / "d.onnx", "sevens", boxes=[(40, 4, 60, 60)], classes=[0])
        ).find_plates(frame(RED, 64, 64))
        assert found[0].confidence == pytest.approx((2 / 3) + (1 / 3) * 114 / 255, abs=0.001)

    @pytest.mark.parametrize("layout", ["sevens", "sixes"])
    def test_only_the_first_class_is_a_plate(self, tmp_path, layout):
        detector = load_detector(tiny.detector(tmp_path / "d.onnx", layout, classes=(1, 0, 2)))
        assert rounded(detector.find_plates(frame((255, 255, 255)))) == [(50, 20, 30, 10)]

    def test_doubles_are_removed_where_the_network_has_not(self, tmp_path):
        # The second overlaps the first by 0.76, the third overlaps it by 0.2.
        boxes = [(10, 20, 40, 30), (14, 20, 44, 30), (30, 20, 60, 30)]
        detector = load_detector(tiny.detector(tmp_path / "d.onnx", "centres", boxes=boxes))
        assert rounded(detector.find_plates(frame((150, 200, 255)))) == [
            (10, 20, 30, 10),
            (30, 20, 30, 10),
        ]

    def test_absurd_boxes_are_no_plates(self, tmp_path):
        boxes = [(np.nan, 20, 40, 30), (-40, 20, -10, 30), (50, 30, 20, 20), (20, 20, 500, 300)]
        found = load_detector(
            tiny.detector(tmp_path / "d.onnx", "sevens", boxes=boxes, classes=[0] * 4)
        ).find_plates(frame((255, 255, 255)))
        assert rounded(found) == [(20, 20, 76, 44)], "cut at the frame's edge"

    def test_nothing_found_is_no_error(self, tmp_path):
        for layout in LAYOUTS:
            assert (
                load_detector(tiny.detector(tmp_path / "d.onnx", layout)).find_plates(
                    frame((0, 0, 0))
                )
                == ()
            )

    @pytest.mark.parametrize(
        ("make", "said"),
        [
            (lambda path: path, "cannot be read: No such file"),
            (lambda path: path.mkdir() or path, "cannot be read: Is a directory"),
            (lambda path: path.touch() or path, "the file is empty"),
            (lambda path: path.write_bytes(b"no network") and path, "onnxruntime cannot open it"),
            (
                lambda path: (
                    path.write_bytes(tiny.detector(path, "sevens").read_bytes()[:-200]) and path
                ),
                "onnxruntime cannot open it",
            ),
            (tiny.two_inputs, "2 inputs, expected one picture"),
            (
                lambda path: tiny.detector(path, "sevens", input_shape=(1, 3, "h", "w")),
                r"its input is images tensor\(float\) 1×3×\?×\?.*fixed size",
            ),
            (
                lambda path: tiny.detector(path, "sevens", input_shape=(2, 3, 64, 96)),
                "not a plate detector: its input",
            ),
            (lambda path: tiny.passing_on(path, (1, 4, 64, 96)), "not a plate detector: its input"),
            (tiny.recognizer, r"its input is input tensor\(uint8\)"),
            (tiny.passing_on, r"it gives output tensor\(float\) 1×3×64×96; expected N×7"),
        ],
    )
    def test_what_is_no_detector_is_told_in_one_line(self, tmp_path, make, said):
        path = make(tmp_path / "odd.onnx")
        with pytest.raises(ModelError, match=said) as told:
            load_detector(path)
        assert str(path) in str(told.value)
        assert str(told.value).endswith(")"), "the next step"
        assert "\n" not in str(told.value)

    def test_an_answer_of_another_shape_than_promised(self, tmp_path, monkeypatch):
        detector = load_detector(tiny.detector(tmp_path / "d.onnx", "sevens"))

        class Other:
            def run(self, _names, _fed):
                return [np.zeros((1, 3, 7), np.float32)]

        monkeypatch.setattr(type(detector._network), "session", Other(), raising=False)
        with pytest.raises(ModelError, match=r"d\.onnx: it gave \(1, 3, 7\) instead of output"):
            detector.find_plates(frame(RED))


class TestReaders:
    def read(self, folder, colour, config=None, **network):
        path = tiny.recognizer(folder / "r.onnx", **network)
        config = tiny.write_config(folder / "r_plate_config.yaml", **(config or {}))
        reader = load_reader(path, config)
        return reader.read(frame(colour), upright(10.0, 10.0, 48.0, 16.0))

    @pytest.mark.parametrize(("colour", "text"), [(RED, "A"), (GREEN, "B"), (BLUE, "C")])
    @pytest.mark.parametrize("flat", [False, True])
    def test_colour_is_rgb(self, tmp_path, colour, text, flat):
        read = self.read(tmp_path, colour, flat=flat)
        assert (read.text.value, read.char_confidence) == (text, (1.0,))
        assert read.confidence == pytest.approx(1.0)
        assert (read.region, read.state, read.alternatives) == ("unknown", None, ())

    @pytest.mark.parametrize(("colour", "text"), [((255, 255, 255), "A"), ((0, 0, 0), "B")])
    @pytest.mark.parametrize("mode", ["grayscale", None])
    def test_grey_where_the_config_says_so_or_nothing(self, tmp_path, colour, text, mode):
        assert (
            self.read(tmp_path, colour, {"image_color_mode": mode}, channels=1).text.value == text
        )

    def test_logits_become_probabilities(self, tmp_path):
        read = self.read(tmp_path, RED, logits=True)
        assert read.text.value == "A"
        assert 0.99 < read.confidence < 1

    def test_the_plate_is_as_sure_as_all_slots_together(self, tmp_path):
        read = self.read(tmp_path, (0, 102, 153))  # A 0.6, B 0.4; the empty slots are certain
        assert (read.text.value, read.confidence) == ("A", pytest.approx(0.6, abs=0.001))

    def test_all_slots_empty_is_unreadable(self, tmp_path):
        read = self.read(tmp_path, RED, {"pad_char": "A"})
        assert read.text.value == ""
        read = self.read(tmp_path, RED, {"alphabet": "-BC_"})  # no character of a plate
        assert (read.text.value, read.confidence, read.char_confidence) == ("", 0.0, ())

    def test_lower_case_is_read_as_upper(self, tmp_path):
        assert self.read(tmp_path, GREEN, {"alphabet": "aBc_"}).text.value == "B"
        assert self.read(tmp_path, RED, {"alphabet": "aBc_"}).text.value == "A"

    def test_only_the_box_is_shown(self, tmp_path):
        reader = load_reader(
            tiny.recognizer(tmp_path / "r.onnx"), tiny.write_config(tmp_path / "c.yaml")
        )
        scene = frame(RED)
        scene.image[10:26, 10:58] = BLUE
        read = reader.read(scene, upright(10.0, 10.0, 48.0, 16.0))
        assert (read.text.value, read.confidence) == ("C", pytest.approx(1.0))
        assert not np.shares_memory(read.crop, scene.image)

    def test_keeping_the_aspect_pads_with_the_configs_colour(self, tmp_path):
        config = {"keep_aspect_ratio": True, "padding_color": [0, 0, 255]}  # RGB
        reader = load_reader(
            tiny.recognizer(tmp_path / "r.onnx"), tiny.write_config(tmp_path / "c.yaml", **config)
        )
        read = reader.read(frame(RED), upright(10.0, 10.0, 80.0, 10.0))  # 24×3 of 24×16 are plate
        assert (read.text.value, read.confidence) == ("C", pytest.approx(13 / 16, abs=0.01))

    @pytest.mark.parametrize(
        "box",
        [
            (-5.0, -5.0, 3.0, 3.0),
            (95.9, 63.9, 0.05, 0.05),
            (200.0, 200.0, 10.0, 10.0),
            (0.0, 0.0, 96.0, 64.0),
        ],
    )
    def test_any_box_gives_a_read(self, tmp_path, box):
        reader = load_reader(
            tiny.recognizer(tmp_path / "r.onnx"), tiny.write_config(tmp_path / "c.yaml")
        )
        assert reader.read(frame(RED), upright(*box)).text.value == "A"

    @pytest.mark.parametrize(
        ("network", "config", "said"),
        [
            (
                {"height": 32},
                {},
                (
                    r"its input is input tensor\(uint8\) \?×32×24×3, "
                    r"but the plate config says tensor\(uint8\) 1×16×24×3 \(img_height"
                ),
            ),
            ({}, {"img_width": 48}, "but the plate config says.*1×16×48×3"),
            ({"channels": 1}, {}, "but the plate config says.*16×24×3"),
            (
                {},
                {"max_plate_slots": 4},
                (
                    r"it gives plate tensor\(float\) 1×3×4, "
                    r"but the plate config says \?×4×4 \(max_plate_slots"
                ),
            ),
            ({}, {"alphabet": "ABCD_"}, r"but the plate config says \?×3×5"),
        ],
    )
    def test_network_and_config_must_go_together(self, tmp_path, network, config, said):
        with pytest.raises(ModelError, match=said):
            self.read(tmp_path, RED, config, **network)

    def test_a_detector_is_no_recogniser(self, tmp_path):
        with pytest.raises(ModelError, match=r"d\.onnx: its input is images tensor\(float\)"):
            load_reader(
                tiny.detector(tmp_path / "d.onnx", "sevens"), tiny.write_config(tmp_path / "c.yaml")
            )

    def test_the_config_beside_it_is_found(self, tmp_path):
        path = tiny.recognizer(tmp_path / "r.onnx")
        with pytest.raises(
            UsageError,
            match=r"r\.onnx: "
            r"no r_plate_config\.yaml beside it \(name its plate config with --recognizer-config\)",
        ):
            load_reader(path)
        tiny.write_config(tmp_path / "r_plate_config.yaml")
        assert load_reader(path).read(frame(RED), upright(0.0, 0.0, 9.0, 9.0)).text.value == "A"


class TestPlateConfig:
    @pytest.mark.parametrize(
        "key", ["max_plate_slots", "alphabet", "pad_char", "img_height", "img_width"]
    )
    def test_a_missing_key_is_named(self, tmp_path, key):
        with pytest.raises(
            ConfigError, match=rf"c\.yaml: {key}: missing \(give the plate config"
        ) as told:
            read_plate_config(tiny.write_config(tmp_path / "c.yaml", **{key: None}))
        assert told.value.exit_code == 2

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("max_plate_slots", "nine"),
            ("max_plate_slots", 13),
            ("max_plate_slots", True),
            ("alphabet", 12),
            ("pad_char", "__"),
            ("img_height", 0),
            ("img_width", 10**9),
            ("interpolation", "magic"),
            ("image_color_mode", "bgr"),
            ("keep_aspect_ratio", "perhaps"),
            ("padding_color", [1, 2]),
            ("padding_color", [1, 2, 300]),
        ],
    )
    def test_an_odd_value_names_its_key(self, tmp_path, key, value):
        with pytest.raises(ConfigError, match=rf"c\.yaml: {key}"):
            read_plate_config(tiny.write_config(tmp_path / "c.yaml", **{key: value}))

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"pad_char": "#"}, "pad_char is not in alphabet"),
            ({"alphabet": "AAB_"}, "names a character twice"),
        ],
    )
    def test_what_does_not_fit_together(self, tmp_path, changes, said):
        with pytest.raises(ConfigError, match=said):
            read_plate_config(tiny.write_config(tmp_path / "c.yaml", **changes))

    def test_keys_that_we_do_not_know_are_let_be(self, tmp_path):
        assert (
            read_plate_config(
                tiny.write_config(tmp_path / "c.yaml", plate_regions="many")
            ).max_plate_slots
            == 3
        )

    def test_one_level_of_grey_is_a_colour(self, tmp_path):
        assert read_plate_config(
            tiny.write_config(tmp_path / "c.yaml", padding_color=7)
        ).padding_color == (7, 7, 7)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "no keys"),
            ("- a\n- b\n", "no keys"),
            ("a: [1", r"not YAML: ParserError in line \d"),
            ("a: \x00", "not YAML"),
            (
                "!!python/object/apply:os.system ['touch owned']",
                "not YAML: ConstructorError in line 1",
            ),
            ("when: 2026-99-99", "not YAML"),
            ("[" * 500, "not YAML: RecursionError"),
            ("#" * 70_000, "larger than"),
        ],
    )
    def test_what_is_no_config(self, tmp_path, text, said, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "c.yaml").write_text(text)
        with pytest.raises(ConfigError, match=said):
            read_plate_config(tmp_path / "c.yaml")
        assert not (tmp_path / "owned").exists()

    def test_a_thousand_laughs_are_over_quickly(self, tmp_path):
        levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
        (tmp_path / "c.yaml").write_text("\n".join(["a0: &a0 [ha]", *levels, "alphabet: *a29"]))
        begun = time.monotonic()
        with pytest.raises(ConfigError):
            read_plate_config(tmp_path / "c.yaml")
        assert time.monotonic() - begun < 5

    def test_no_file(self, tmp_path):
        with pytest.raises(ConfigError, match=r"c\.yaml: cannot be read: No such file"):
            read_plate_config(tmp_path / "c.yaml")


@pytest.mark.skipif(not PEERS.is_dir(), reason="no folder of peers: set PLATEWARDEN_PEERS")
def test_real_peers_find_and_read_a_drawn_car():
    readers = sorted(PEERS.glob("*_plate_config.yaml"))
    detectors = sorted(
        path
        for path in PEERS.glob("*.onnx")
        if not path.with_name(f"{path.stem}_plate_config.yaml").is_file()
    )
    if not readers or not detectors:
        pytest.skip("the folder of peers holds no pair of detector and recogniser")
    street = Frame(drawn_car("TST4821"), Instant(datetime(2027, 1, 15, tzinfo=UTC)), 0)
    for detector in detectors:
        (box,) = load_detector(detector).find_plates(street)
        x, y, w, h = box.box
        assert 236 - 20 < x < x + w < 404 + 20
        assert 268 - 20 < y < y + h < 352 + 20
        for config in readers:
            read = load_reader(
                config.with_name(config.name.replace("_plate_config.yaml", ".onnx"))
            ).read(street, box)
            assert read.text.value == "TST4821"
            assert 0.9 < read.confidence <= 1
