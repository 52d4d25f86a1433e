"""Loads a network only when it is, byte for byte, the one that models/manifest.json names.

Mitigates against: a damaged or half-copied file, a stale one after an upgrade, a file dropped
beside the others, a swap between check and use. Limit: whoever can rewrite both model and manifest
can load what they like; the package's signature guards both.
"""

import hashlib
from pathlib import Path
from typing import Annotated, Any

from onnxruntime import InferenceSession

import models
from agent.core.text.schema.notes import Between, By, Form, MisfitError, as_tuple
from agent.core.text.schema.section import Section
from agent.core.text.schema_words import first_fault
from agent.errors import ModelError
from agent.vision.sessions import make_session

MANIFEST = "manifest.json"
LARGEST_MANIFEST_BYTES = 64 * 1024
LARGEST_MODEL_BYTES = 64 * 1024 * 1024
REINSTALL = "reinstall platewarden; after a training: python -m models.training.manifest"


class TensorEntry(Section):
    """An input or output: `type` as numpy spells it, `shape` with -1 for any size."""

    name: str
    type: str
    shape: Annotated[tuple[int, ...], By(as_tuple)]


Tensors = Annotated[tuple[TensorEntry, ...], By(as_tuple)]


class ModelEntry(Section):
    """One network.

    `threshold`: the score from which its output counts, 0–1; `classes`: what its output tells
    apart.
    """

    # A bare name, so that no path leads out of the folder.
    file: Annotated[str, Form(r"^[a-z0-9][a-z0-9_-]*\.onnx$")]
    size_bytes: Annotated[int, Between(gt=0, le=LARGEST_MODEL_BYTES)]
    sha256: Annotated[str, Form(r"^[0-9a-f]{64}$")]
    purpose: str
    inputs: Tensors
    outputs: Tensors
    classes: Annotated[tuple[str, ...], By(as_tuple)]
    threshold: Annotated[float, Between(ge=0, le=1)]
    training_command: str


class Manifest(Section):
    """The networks that may be loaded, by name."""

    version: Annotated[int, Between(ge=1, le=1)]
    models: dict[str, ModelEntry]


def read_manifest(models_dir: Path | None = None) -> Manifest:
    """The manifest of `models_dir`, by default the one that ships with Platewarden.

    Raises ModelError.
    """
    folder = _folder(models_dir)
    untrusted = _read(folder, MANIFEST, LARGEST_MANIFEST_BYTES)
    try:
        return Manifest.from_json(untrusted)
    except MisfitError as error:
        raise ModelError(
            first_fault(error, Manifest), where=_where(folder, MANIFEST), fix=REINSTALL
        ) from None


def load_model(
    name: str, threads: int = 1, models_dir: Path | None = None, manifest: Manifest | None = None
) -> InferenceSession:
    """A session over the network that the manifest lists as `name`. `manifest`: as it was read,
    else it is read for this one.

    Raises ModelError when its size or hash is another.
    """
    return _opened(*_checked(name, models_dir, manifest), threads)


class SeldomAsked:
    """As the session of load_model, of a network that many a run never asks: its file is checked
    at once, and opened when it is first asked.

    Raises ModelError, at once when its size or hash is another, and later when onnxruntime cannot
    open what the manifest lists.
    """

    def __init__(
        self,
        name: str,
        threads: int = 1,
        models_dir: Path | None = None,
        manifest: Manifest | None = None,
    ) -> None:
        self._model: tuple[bytes, str] = _checked(name, models_dir, manifest)
        self._threads = threads
        self._session: InferenceSession | None = None

    def run(self, output_names: list[str] | None, input_feed: dict[str, Any]) -> list[Any]:
        """As the session's."""
        if self._session is None:
            self._session = _opened(*self._model, self._threads)
            self._model = (b"", "")  # the session has a copy
        found: list[Any] = self._session.run(output_names, input_feed)
        return found


def _checked(name: str, models_dir: Path | None, manifest: Manifest | None) -> tuple[bytes, str]:
    """The file's bytes and where it lies. Raises ModelError when its size or hash is another.

    The bytes that were hashed are the bytes that run: the file is read once and never opened by
    onnxruntime.
    """
    folder = _folder(models_dir)
    entry = model_entry(name, models_dir, manifest)
    where = _where(folder, entry.file)
    model = _read(folder, entry.file, LARGEST_MODEL_BYTES)
    if len(model) != entry.size_bytes:
        raise ModelError(
            f"{len(model)} bytes, but the manifest says {entry.size_bytes}",
            where=where,
            fix=REINSTALL,
        )
    digest = hashlib.sha256(model).hexdigest()
    if digest != entry.sha256:
        raise ModelError(
            f"SHA-256 is {digest}, but the manifest says {entry.sha256}", where=where, fix=REINSTALL
        )
    return model, where


def _opened(model: bytes, where: str, threads: int) -> InferenceSession:
    """A session over these bytes. Raises ModelError."""
    try:
        return make_session(model, threads)
    except Exception as error:  # onnxruntime's errors share no base class
        raise ModelError(
            f"onnxruntime cannot open it: {type(error).__name__}", where=where, fix=REINSTALL
        ) from error


def model_entry(
    name: str, models_dir: Path | None = None, manifest: Manifest | None = None
) -> ModelEntry:
    """What the manifest says about `name`. Raises ModelError when it is not listed."""
    listed = (manifest or read_manifest(models_dir)).models
    if name not in listed:
        where = _where(_folder(models_dir), MANIFEST)
        raise ModelError(
            f"no model {name!r} is listed, only {', '.join(sorted(listed)) or 'none'}",
            where=where,
            fix=REINSTALL,
        )
    return listed[name]


def _folder(models_dir: Path | None) -> Path:
    return models_dir if models_dir is not None else Path(models.__path__[0])


def _where(folder: Path, name: str) -> str:
    return str(folder.joinpath(name))


def _read(folder: Path, name: str, most_bytes: int) -> bytes:
    """The whole file, but never more than one byte beyond `most_bytes`: a huge file is refused, not
    swallowed.
    """
    where = _where(folder, name)
    try:
        with folder.joinpath(name).open("rb") as file:
            untrusted = file.read(most_bytes + 1)
    except OSError as error:
        raise ModelError(
            f"cannot be read: {error.strerror or type(error).__name__}", where=where, fix=REINSTALL
        ) from error
    if len(untrusted) > most_bytes:
        raise ModelError(f"larger than {most_bytes} bytes", where=where, fix=REINSTALL)
    return untrusted
