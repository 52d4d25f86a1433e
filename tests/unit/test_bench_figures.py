"""bench/intervals.py, calibration.py, summary.py, systems.py: figures that are known beforehand."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from agent.errors import UsageError
from bench import calibration, intervals
from bench.lockstep import Reading, Round
from bench.report import Comparison, to_json
from bench.scoring import Guess, TrueImage, TruePlate
from bench.summary import ALL, WIDTHS_PX, compare, summarise
from bench.systems import OURS, System, in_folder, named, weights_bytes


class TestIntervals:
    @pytest.mark.parametrize(
        ("hits", "of", "low", "high"),
        [
            (48, 48, 0.92590, 1.0),  # Wilson's, from its closed form: n / (n + z²)
            (0, 10, 0.0, 0.27753),
            (50, 100, 0.40383, 0.59617),
            (1, 29, 0.00611, 0.17175),
        ],
    )
    def test_shares_have_wilsons_interval(self, hits, of, low, high):
        figure = intervals.share(hits, of)
        assert (figure.value, figure.of) == (hits / of, of)
        assert (figure.low, figure.high) == (
            pytest.approx(low, abs=1e-5),
            pytest.approx(high, abs=1e-5),
        )

    def test_of_nothing_there_is_no_figure(self):
        for figure in (
            intervals.share(0, 0),
            intervals.mean([]),
            intervals.ratio_of_medians([], []),
        ):
            assert math.isnan(figure.value)
            assert figure.of == 0

    def test_a_mean_lies_in_its_interval_which_shrinks_with_more(self):
        few, many = (intervals.mean([1.0, 1.0, 1.0, 0.5, 0.0] * times) for times in (4, 100))
        assert few.value == pytest.approx(0.7)
        assert few.low < 0.7 < few.high
        assert many.high - many.low < (few.high - few.low) / 3
        assert intervals.mean([1.0] * 9) == intervals.Figure(1.0, 1.0, 1.0, 9)

    def test_the_interval_covers_about_as_often_as_it_says(self):
        rng = np.random.default_rng(0)
        covered = sum(
            figure.low <= 0.8 <= figure.high
            for figure in (intervals.share(int(hits), 120) for hits in rng.binomial(120, 0.8, 2000))
        )
        assert 0.93 < covered / 2000 < 0.97
        covered = sum(
            figure.low <= 0.75 <= figure.high
            for figure in (intervals.mean(rng.beta(3, 1, 60)) for _ in range(150))
        )
        assert 0.88 < covered / 150 <= 1

    def test_a_ratio_is_of_pairs(self):
        """The pictures differ by a factor of ten, the systems by two in each: only unpaired draws
        would make that uncertain.
        """
        theirs = np.geomspace(10, 100, 40)
        ratio = intervals.ratio_of_medians(theirs / 2, theirs)
        assert (ratio.value, ratio.low, ratio.high) == (pytest.approx(0.5),) * 3


class TestCalibration:
    def test_saying_what_comes_true_is_no_error(self):
        said = [0.25] * 100 + [0.75] * 100
        right = [n < 25 for n in range(100)] + [n < 75 for n in range(100)]
        assert calibration.expected_error(calibration.equal_width(said, right)) == pytest.approx(0)
        assert calibration.expected_error(calibration.equal_mass(said, right, 2)) == pytest.approx(
            0
        )

    def test_boasting_is_an_error_of_its_size(self):
        said, right = [0.95] * 200, [n < 100 for n in range(200)]
        assert calibration.expected_error(calibration.equal_width(said, right)) == pytest.approx(
            0.45
        )

    def test_bins_of_equal_mass_hold_as_many_and_rise(self):
        said = list(np.random.default_rng(1).random(100) ** 4)
        bins = calibration.equal_mass(said, [True] * 100)
        assert len(bins) == calibration.EQUAL_MASS_BINS
        assert {one.right.of for one in bins} == {6, 7}
        assert [one.said for one in bins] == sorted(one.said for one in bins)

    def test_certainty_belongs_to_the_last_bin_and_empty_bins_are_left_out(self):
        bins = calibration.equal_width([1.0, 0.95, 0.0], [True, True, False])
        assert [one.right.of for one in bins] == [1, 2]

    def test_few_plates_or_none(self):
        assert len(calibration.equal_mass([0.5, 0.6], [True, False])) == 2
        assert math.isnan(calibration.expected_error(calibration.equal_mass([], [])))


BOX = (10.0, 10.0, 100.0, 30.0)


def images(*widths):
    return [
        TrueImage(
            "us" if n % 2 else "eu",
            Path(f"{n}.jpg"),
            (TruePlate((10.0, 10.0, width, 30.0), "TEST1"),),
        )
        for n, width in enumerate(widths)
    ]


def one_round(*readings, load_ms=5.0, peak_mb=100.0):
    return Round(load_ms, load_ms / 2, 60.0, peak_mb, readings)


def right(cpu_ms=10.0, text="TEST1", confidence=0.95, box=BOX):
    return Reading((Guess(box, text, confidence),), cpu_ms, cpu_ms)


class TestSummary:
    def test_groups_and_figures(self):
        wide = right(box=(10.0, 10.0, 200.0, 30.0))
        readings = [right(), right(text="TEST2"), wide, None]
        summary = summarise(
            "ours",
            images(100, 100, 200, 40),
            [one_round(*readings), one_round(*readings, load_ms=3.0, peak_mb=110.0)],
            1_000_000,
        )
        assert list(summary.regions) == ["eu", "us", ALL]
        loose, tight = summary.regions[ALL]
        assert (loose.threshold, tight.threshold, loose.plates) == (0.3, 0.5, 4)
        assert (loose.recall.value, loose.exact.value, loose.characters.value) == (
            0.75,
            0.5,
            pytest.approx((1 + 0.8 + 1 + 0) / 4),
        )
        assert summary.regions["eu"][0].exact.value == 1
        assert {label: groups[0].plates for label, groups in summary.widths.items()} == {
            "under 50 px": 1,
            "50–80 px": 0,
            "80–120 px": 2,
            "over 120 px": 1,
        }
        assert (summary.undecodable, summary.unsteady) == (1, 0)
        assert (summary.cost.load_ms, summary.cost.peak_mb, summary.cost.models_mb) == (
            3.0,
            110.0,
            50.0,
        )
        assert summary.cost.cpu_ms.value == 10
        assert (summary.calibration.sure.value, summary.calibration.sure_wrong.value) == (
            0.75,
            pytest.approx(1 / 3),
        )

    def test_each_width_belongs_to_one_group(self):
        for width in (1, 49.9, 50, 79.9, 80, 120, 120.1, 500):
            assert sum(fits(width) for fits in WIDTHS_PX.values()) == 1

    def test_another_answer_in_a_later_round_is_told(self):
        rounds = [one_round(right(), right()), one_round(right(), right(text="TEST9"))]
        assert summarise("ours", images(100, 100), rounds, 1).unsteady == 1

    def test_ours_over_theirs(self):
        ours = [
            one_round(right(10), right(20), right(30)),
            one_round(right(20), right(40), right(60)),
        ]
        theirs = [
            one_round(right(40), right(80), right(120)),
            one_round(right(80), right(160), right(240)),
        ]
        (ratio,) = compare(["ours", "theirs"], [ours, theirs])
        assert (ratio.all_rounds.value, ratio.by_round) == (pytest.approx(0.25), (0.25, 0.25))

    def test_the_json_has_no_text_no_name_and_no_nan(self):
        summary = summarise("ours", images(100), [one_round(right())], 1)
        text = to_json([], Comparison(1, 1, 1, [summary], []))
        json.loads(text, parse_constant=pytest.fail)
        assert "TEST1" not in text
        assert ".jpg" not in text


class TestSystems:
    def test_pairs_in_a_folder(self, tmp_path):
        for name in ("finds.onnx", "reads.onnx", "reads_plate_config.yaml", "notes.txt"):
            (tmp_path / name).write_bytes(b"1234")
        (system,) = in_folder(tmp_path)
        assert system.name == "finds + reads"
        assert system.config == str(tmp_path / "reads_plate_config.yaml")
        assert System.from_json(system.to_json()) == system
        assert weights_bytes(system) == 8

    def test_ours_weigh_what_the_manifest_says(self):
        models = Path(__file__).parents[2] / "models"
        assert weights_bytes(OURS) == sum(path.stat().st_size for path in models.glob("*.onnx"))

    def test_a_file_that_is_not_there(self, tmp_path):
        with pytest.raises(UsageError, match=r"nosuch\.onnx: no such file"):
            named(tmp_path / "nosuch.onnx", None, None)
