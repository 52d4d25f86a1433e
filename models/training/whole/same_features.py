"""Lets wholeness.onnx name another recogniser whose features are the very same: one of which the
last layer alone was trained (models.training.recognizer.mend).

    python -m models.training.whole.same_features OLD/recognizer.onnx

OLD: the recogniser that it names now. The one in models/ is the new one. Then `python -m
models.training.manifest`. Where the features differ, nothing is written: wholeness is trained anew.
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from agent.disk.atomic_file import write_atomic
from models.training.manifest import MODELS, READABLE, describe, description, digest

LOOKS = 8  # crops
ROUNDING = 1e-4  # of their spread: folding batch norm in rounds, once more


def features_of(model: Path) -> NDArray[np.float32]:
    """What it makes of crops of noise."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (crop,) = session.get_inputs()
    crops = np.random.default_rng(3).normal(size=(LOOKS, *crop.shape[1:])).astype(np.float32)
    (features,) = session.run(["features"], {crop.name: crops})
    return np.asarray(features)


def renamed(wholeness: bytes, about: dict, old: Path, new: Path) -> bytes:
    """The network as it is, described as trained on the features of `new`.

    Raises SystemExit where it does not name `old`, and where the features differ.
    """
    before, after = digest(old), digest(new)
    if before not in about["training_command"]:
        message = f"{old}: wholeness.onnx names another recogniser: give the one that it names"
        raise SystemExit(message)
    features = features_of(old)
    apart = float(np.abs(features - features_of(new)).max() / features.std())
    if not apart <= ROUNDING:
        message = (
            f"{new}: its features differ from those of {old} by {apart:.2g} of their spread: "
            "train wholeness on them (python -m models.training.whole.samples)"
        )
        raise SystemExit(message)
    command = about["training_command"].replace(before, after)
    return describe(wholeness, **{**about, "training_command": command})


def main(arguments: list[str] | None = None) -> None:
    """Compare, then write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("old", type=Path, help="the recogniser that wholeness.onnx names now")
    parser.add_argument("--models", type=Path, default=MODELS, help="another folder")
    given = parser.parse_args(arguments)
    target = given.models / "wholeness.onnx"
    about = description(target, onnx.load(target))
    recognizer = given.models / "recognizer.onnx"
    named = renamed(target.read_bytes(), about, given.old, recognizer)
    write_atomic(target, named, READABLE)
    print(f"{target}: names {recognizer}, whose features are the same")


if __name__ == "__main__":
    main()
