"""agent/vision/models.py loads a network only when it is, byte for byte, the one in the
manifest.
"""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from agent.errors import ModelError
from agent.vision import models
from agent.vision.whole import plain_signs
from models.training import manifest

SHIPPED = Path(__file__).parents[2] / "models"

TINY = bytes(range(64))  # stands for a network: what is hashed need not be one


def write_models(folder: Path, model: bytes, **changes: object) -> Path:
    entry = {
        "file": "tiny.onnx",
        "size_bytes": len(model),
        "sha256": hashlib.sha256(model).hexdigest(),
        "purpose": "a test",
        "inputs": [{"name": "x", "type": "float32", "shape": [2]}],
        "outputs": [{"name": "y", "type": "float32", "shape": [2]}],
        "classes": ["plate"],
        "threshold": 0.5,
        "training_command": "none",
    } | changes
    (folder / "tiny.onnx").write_bytes(model)
    (folder / "manifest.json").write_text(
        json.dumps({"version": 1, "models": {"tiny": entry}}), encoding="utf-8"
    )
    return folder


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What reached onnxruntime; nothing is opened."""
    seen: list[object] = []
    monkeypatch.setattr(models, "make_session", lambda model, threads: seen.append(model))
    return seen


def test_a_listed_model_is_loaded_from_the_very_bytes_that_were_hashed(tmp_path, opened):
    models.load_model("tiny", models_dir=write_models(tmp_path, TINY))
    assert opened == [TINY]  # bytes, never a path that could be swapped after the check


def test_a_network_that_is_asked_seldom_is_opened_once_and_when_it_is_asked(tmp_path, monkeypatch):
    class Session:
        def run(self, names, feed):
            return [names, feed]

    opened = []
    monkeypatch.setattr(models, "make_session", lambda *what: opened.append(what) or Session())
    seldom = models.SeldomAsked("tiny", 3, write_models(tmp_path, TINY))
    assert opened == []
    (tmp_path / "tiny.onnx").write_bytes(b"another")  # what was hashed is what runs
    for _ in range(2):
        assert seldom.run(["y"], {"x": 1}) == [["y"], {"x": 1}]
    assert opened == [(TINY, 3)]


def test_a_network_that_is_asked_seldom_is_checked_at_once(tmp_path, opened):
    write_models(tmp_path, TINY)
    (tmp_path / "tiny.onnx").write_bytes(TINY[::-1])
    with pytest.raises(ModelError, match=r"tiny\.onnx: SHA-256 is"):
        models.SeldomAsked("tiny", models_dir=tmp_path)
    assert opened == []


def test_a_network_that_cannot_be_opened_says_so_each_time_it_is_asked(tmp_path):
    seldom = models.SeldomAsked("tiny", models_dir=write_models(tmp_path, TINY))
    for _ in range(2):
        with pytest.raises(ModelError, match=r"tiny\.onnx: onnxruntime cannot open it: "):
            seldom.run(["y"], {})


@pytest.mark.parametrize("position", [0, len(TINY) // 2, len(TINY) - 1])
def test_one_byte_changed_refuses(tmp_path, opened, position):
    write_models(tmp_path, TINY)
    altered = bytearray(TINY)
    altered[position] ^= 1
    (tmp_path / "tiny.onnx").write_bytes(altered)
    with pytest.raises(
        ModelError, match=r"tiny\.onnx: SHA-256 is .* but the manifest says .* \(reinstall"
    ) as caught:
        models.load_model("tiny", models_dir=tmp_path)
    assert caught.value.exit_code == 1
    assert opened == []


@pytest.mark.parametrize("bytes_left", [0, 1, len(TINY) - 1])
def test_a_shortened_file_refuses(tmp_path, opened, bytes_left):
    write_models(tmp_path, TINY)
    (tmp_path / "tiny.onnx").write_bytes(TINY[:bytes_left])
    with pytest.raises(
        ModelError, match=rf"tiny\.onnx: {bytes_left} bytes, but the manifest says {len(TINY)}"
    ):
        models.load_model("tiny", models_dir=tmp_path)
    assert opened == []


def test_a_lengthened_file_refuses(tmp_path, opened):
    write_models(tmp_path, TINY)
    (tmp_path / "tiny.onnx").write_bytes(TINY + b"\0")
    with pytest.raises(ModelError, match=f"{len(TINY) + 1} bytes"):
        models.load_model("tiny", models_dir=tmp_path)
    assert opened == []


def test_a_huge_file_is_refused_without_being_swallowed(tmp_path, opened, monkeypatch):
    monkeypatch.setattr(models, "LARGEST_MODEL_BYTES", 16)
    write_models(tmp_path, TINY)
    with pytest.raises(ModelError, match="larger than 16 bytes"):
        models.load_model("tiny", models_dir=tmp_path)
    assert opened == []


def test_a_missing_file_names_itself_and_the_next_step(tmp_path, opened):
    write_models(tmp_path, TINY)
    (tmp_path / "tiny.onnx").unlink()
    with pytest.raises(
        ModelError, match=r"tiny\.onnx: cannot be read: No such file or directory \(reinstall"
    ):
        models.load_model("tiny", models_dir=tmp_path)


def test_a_missing_manifest_names_itself_and_the_next_step(tmp_path):
    with pytest.raises(ModelError, match=r"manifest\.json: cannot be read: .*\(reinstall"):
        models.load_model("tiny", models_dir=tmp_path)


def test_an_unlisted_model_is_not_loaded_although_its_file_is_there(tmp_path, opened):
    write_models(tmp_path, TINY)
    (tmp_path / "other.onnx").write_bytes(TINY)
    with pytest.raises(ModelError, match="no model 'other' is listed, only tiny"):
        models.load_model("other", models_dir=tmp_path)
    assert opened == []


@pytest.mark.parametrize(
    "name", ["../tiny.onnx", "/tiny.onnx", "a/b.onnx", "tiny.pt", ".onnx", "tiny.onnx\n"]
)
def test_a_manifest_cannot_lead_out_of_its_folder(tmp_path, opened, name):
    write_models(tmp_path, TINY, file=name)
    with pytest.raises(ModelError, match=r"models\.tiny\.file"):
        models.load_model("tiny", models_dir=tmp_path)
    assert opened == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sha256", "00"),
        ("size_bytes", 0),
        ("size_bytes", "many"),
        ("threshold", 1.5),
        ("surprise", True),
        ("classes", None),
    ],
)
def test_an_odd_manifest_refuses_and_names_the_field(tmp_path, opened, field, value):
    write_models(tmp_path, TINY, **{field: value})
    with pytest.raises(ModelError, match=rf"manifest\.json: models\.tiny\.{field}"):
        models.load_model("tiny", models_dir=tmp_path)
    assert opened == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 2, "models": {}}', "\xff"])
def test_a_broken_manifest_refuses(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text, encoding="latin-1")
    with pytest.raises(ModelError, match=r"manifest\.json"):
        models.read_manifest(tmp_path)


def test_a_file_that_is_no_network_is_refused_even_when_the_manifest_vouches_for_it(tmp_path):
    write_models(tmp_path, b"not a network")
    with pytest.raises(ModelError, match=r"tiny\.onnx: onnxruntime cannot open it"):
        models.load_model("tiny", models_dir=tmp_path)


def test_the_shipped_files_are_those_of_the_shipped_manifest():
    listed = models.read_manifest().models
    assert {entry.file for entry in listed.values()} == {
        path.name for path in SHIPPED.glob("*.onnx")
    }
    for entry in listed.values():
        model = (SHIPPED / entry.file).read_bytes()
        assert (len(model), hashlib.sha256(model).hexdigest()) == (entry.size_bytes, entry.sha256)


def test_the_shipped_detector_loads_and_one_byte_changed_refuses(tmp_path):
    session = models.load_model("detector")
    entry = models.model_entry("detector")
    sizes = [
        (one.name, tuple(-1 if isinstance(side, str) else side for side in one.shape))
        for one in session.get_inputs()
    ]
    assert sizes == [(one.name, one.shape) for one in entry.inputs]
    shutil.copy(SHIPPED / "manifest.json", tmp_path)
    altered = bytearray((SHIPPED / "detector.onnx").read_bytes())
    # A byte of a weight: the network would still load, and quietly see something else.
    altered[len(altered) // 2] ^= 1
    (tmp_path / "detector.onnx").write_bytes(altered)
    with pytest.raises(ModelError, match=r"detector\.onnx: SHA-256"):
        models.load_model("detector", models_dir=tmp_path)


def test_wholeness_was_trained_on_the_features_of_the_recogniser_beside_it():
    """Another recogniser's features mean something else, and nothing would say so (P10)."""
    listed = models.read_manifest().models
    digest = listed["recognizer"].sha256
    assert f"on the features of recognizer.onnx {digest}" in listed["wholeness"].training_command, (
        "train wholeness again: models/wholeness.md"
    )


def test_what_is_plainly_whole_was_fitted_to_the_wholeness_network_beside_it():
    """What it lets through that network does not see (P10)."""
    assert models.read_manifest().models["wholeness"].sha256.startswith(plain_signs.FITTED_TO), (
        "fit it again: python -m models.training.whole.plain"
    )


@pytest.mark.parametrize("file", sorted(SHIPPED.glob("*.onnx")), ids=lambda file: file.stem)
def test_the_manifest_says_what_the_file_says_of_itself(file):
    """Written by hand it would be lost with the next training, a threshold too."""
    listed = json.loads((SHIPPED / "manifest.json").read_text(encoding="utf-8"))
    assert listed["models"][file.stem] == manifest.entry(file)
