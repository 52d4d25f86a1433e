"""models/training/data_guard.py: no training can be pointed at the photographs that judge it."""

import importlib

import pytest

from models.training.data_guard import MeasureOnlyError, refuse_measure_only
from models.training.recognizer.real import load_real


@pytest.mark.parametrize(
    "folder", ["benchmark_dev", "us_crops_dev", "BENCHMARK_DEV", "old_benchmark_dev_2"]
)
@pytest.mark.parametrize("below", ["", "us", "us/picture.jpg"])
def test_measure_only_folders_are_refused(tmp_path, folder, below):
    with pytest.raises(MeasureOnlyError, match="measure-only"):
        refuse_measure_only(tmp_path / folder / below)


def test_a_link_into_one_is_refused(tmp_path):
    (tmp_path / "benchmark_dev").mkdir()
    (tmp_path / "innocent").symlink_to(tmp_path / "benchmark_dev")
    with pytest.raises(MeasureOnlyError):
        refuse_measure_only(tmp_path / "innocent" / "us")


def test_a_detour_into_one_is_refused(tmp_path):
    with pytest.raises(MeasureOnlyError):
        refuse_measure_only(tmp_path / "darkplate" / ".." / "benchmark_dev")


def test_training_folders_pass(tmp_path):
    assert refuse_measure_only(tmp_path / "darkplate") == tmp_path / "darkplate"


def test_the_real_plates_loader_goes_through_the_guard(tmp_path):
    with pytest.raises(MeasureOnlyError):
        load_real(tmp_path / "us_crops_dev")


def test_a_label_that_points_into_one_is_refused(tmp_path):
    (tmp_path / "train.jsonl").write_text(
        '{"file": "darkplate/../benchmark_dev/us/a.jpg", "plates": [{"box": [1, 1, 9, 9], "text": '
        '"TEST123"}]}\n',
        encoding="utf-8",
    )
    with pytest.raises(MeasureOnlyError):
        load_real(tmp_path)


@pytest.mark.parametrize("network", ["detector", "aligner", "recognizer"])
def test_every_training_refuses_such_a_data_folder(tmp_path, network):
    pytest.importorskip("torch", reason="the training needs PyTorch")
    train = importlib.import_module(f"models.training.{network}.train")
    (tmp_path / "benchmark_dev").mkdir()
    with pytest.raises(MeasureOnlyError):
        train.main(["--data", str(tmp_path / "benchmark_dev"), "--out", str(tmp_path / "out")])
