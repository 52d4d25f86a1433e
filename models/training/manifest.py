"""Writes models/manifest.json from the networks that lie in models/: what agent/vision/models.py
will load, and nothing else.

    python -m models.training.manifest

What the bytes cannot tell (purpose, classes, threshold, training command) rides inside each ONNX
file as metadata, put there by `describe` when a training exports it, so that the manifest can be
rebuilt from the files alone.
"""

import hashlib
import json
import sys
from pathlib import Path

import onnx

from agent.disk.atomic_file import write_atomic

MODELS = Path(__file__).parents[1]
VERSION = 1
KEY = "platewarden"
READABLE = 0o644  # a file that ships, for everybody


def describe(
    model: bytes, *, purpose: str, classes: list[str], threshold: float, training_command: str
) -> bytes:
    """The ONNX file with its description inside.

    `classes`: what the output tells apart (["plate"], or the recogniser's characters in the order
    of its output); `threshold`: the score 0..1 from which an output counts.
    """
    graph = onnx.load_model_from_string(model)
    about = {
        "purpose": purpose,
        "classes": classes,
        "threshold": threshold,
        "training_command": training_command,
    }
    onnx.helper.set_model_props(graph, {KEY: json.dumps(about)})
    return graph.SerializeToString()


def tensors(values) -> list[dict]:
    """Name, element type and shape (-1: any) of a graph's inputs or outputs."""
    out = []
    for value in values:
        kind = value.type.tensor_type
        name = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).name
        out.append(
            {
                "name": value.name,
                "type": name,
                "shape": [d.dim_value if d.HasField("dim_value") else -1 for d in kind.shape.dim],
            }
        )
    return out


def description(path: Path, graph: onnx.ModelProto) -> dict:
    """What `describe` put inside; raises ValueError for a file that it never saw."""
    for prop in graph.metadata_props:
        if prop.key == KEY:
            return json.loads(prop.value)
    message = (
        f"{path.name}: carries no description; export it again (models.training.manifest.describe)"
    )
    raise ValueError(message)


def digest(path: Path) -> str:
    """SHA-256 of a file, as the manifest has it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def entry(path: Path) -> dict:
    """One model's entry; raises ValueError for a file that `describe` never saw."""
    model = path.read_bytes()
    graph = onnx.load_model_from_string(model)
    about = description(path, graph)
    return {
        "file": path.name,
        "size_bytes": len(model),
        "sha256": hashlib.sha256(model).hexdigest(),
        "purpose": about["purpose"],
        "inputs": tensors(graph.graph.input),
        "outputs": tensors(graph.graph.output),
        "classes": about["classes"],
        "threshold": about["threshold"],
        "training_command": about["training_command"],
    }


def write(folder: Path) -> dict:
    """Rewrite `folder`/manifest.json from the ONNX files in it; the name of a model is its file's
    stem.
    """
    manifest = {
        "version": VERSION,
        "models": {path.stem: entry(path) for path in sorted(folder.glob("*.onnx"))},
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    write_atomic(folder / "manifest.json", text.encode(), READABLE)
    return manifest


def main(arguments: list[str]) -> None:
    """Rewrite the manifest of models/, or of the folder given."""
    folder = Path(arguments[0]) if arguments else MODELS
    for name, model in write(folder)["models"].items():
        print(f"{name}: {model['size_bytes']} bytes, {model['sha256']}")


if __name__ == "__main__":
    main(sys.argv[1:])
