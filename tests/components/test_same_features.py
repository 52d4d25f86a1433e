"""models/training/whole/same_features.py: wholeness may name another recogniser only where its
features are the same.
"""

import json

import onnx
import pytest
from onnx import numpy_helper

from models.training.manifest import MODELS, description
from models.training.whole import same_features


@pytest.fixture
def folder(tmp_path):
    for name in ("wholeness", "recognizer"):
        (tmp_path / f"{name}.onnx").write_bytes((MODELS / f"{name}.onnx").read_bytes())
    return tmp_path


def changed(source, target, *, of):
    """The recogniser with one of its weights moved: of its last layer, or of its first."""
    model = onnx.load(source)
    weights = [one for one in model.graph.initializer if len(one.dims) > 2]
    one = weights[of]
    one.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(one) * 1.1, one.name))
    onnx.save(model, target)


def command(folder):
    whole = folder / "wholeness.onnx"
    return json.dumps(description(whole, onnx.load(whole)))


def test_with_another_last_layer_it_names_the_new_one(folder, capsys):
    before = command(folder)
    changed(MODELS / "recognizer.onnx", folder / "recognizer.onnx", of=-1)
    same_features.main([str(MODELS / "recognizer.onnx"), "--models", str(folder)])
    assert command(folder) != before
    assert "whose features are the same" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="names another recogniser"):
        same_features.main([str(MODELS / "recognizer.onnx"), "--models", str(folder)])


def test_with_other_features_nothing_is_written(folder):
    before = (folder / "wholeness.onnx").read_bytes()
    changed(MODELS / "recognizer.onnx", folder / "recognizer.onnx", of=0)
    with pytest.raises(SystemExit, match="its features differ"):
        same_features.main([str(MODELS / "recognizer.onnx"), "--models", str(folder)])
    assert (folder / "wholeness.onnx").read_bytes() == before
