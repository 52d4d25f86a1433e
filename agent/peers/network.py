"""Opens an ONNX file that somebody named on the command line, and says what it takes and gives."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.errors import ModelError
from agent.values import dataclass
from agent.vision.sessions import Session, make_session

LARGEST_BYTES = 512 * 1024 * 1024

Shape = tuple[int | None, ...]  # None: any size


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output; `kind` as onnxruntime spells it, `tensor(float)`."""

    name: str
    kind: str
    shape: Shape

    def __str__(self) -> str:
        sides = "×".join("?" if side is None else str(side) for side in self.shape)
        return f"{self.name} {self.kind} {sides or 'of unknown shape'}"


@dataclass(frozen=True, slots=True)
class Network:
    """An opened network with exactly one input. `where`: its file, for errors."""

    where: str
    session: Session
    input: Tensor
    outputs: tuple[Tensor, ...]

    def run(self, output: Tensor, fed: NDArray[Any]) -> NDArray[np.float32]:
        """One pass. Raises ModelError when the network fails on what it said it takes."""
        try:
            (given,) = self.session.run([output.name], {self.input.name: fed})
        except Exception as error:  # onnxruntime's errors share no base class
            raise ModelError(
                f"onnxruntime failed while running it: {type(error).__name__}",
                where=self.where,
                fix="export the model again",
            ) from error
        if len(given.shape) != len(output.shape) or any(
            told not in {side, None} for side, told in zip(given.shape, output.shape, strict=True)
        ):
            raise ModelError(
                f"it gave {given.shape} instead of {output}",
                where=self.where,
                fix="export the model again",
            )
        return np.asarray(given, np.float32)


def open_network(path: Path, threads: int) -> Network:
    """A CPU session over the file's bytes.

    Raises ModelError: missing, huge, no ONNX, or with several inputs.
    """
    try:
        session = make_session(_read(path), threads)
    except ModelError:
        raise
    except Exception as error:  # as above
        fix = (
            "give a whole .onnx file with its weights inside, "
            "of an opset that this onnxruntime knows"
        )
        raise ModelError(
            f"onnxruntime cannot open it: {type(error).__name__}", where=path, fix=fix
        ) from error
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1:
        raise ModelError(
            f"{len(inputs)} inputs, expected one picture",
            where=path,
            fix="docs/ref/read.md lists the models that can be loaded",
        )
    return Network(
        str(path), session, _tensor(inputs[0]), tuple(_tensor(output) for output in outputs)
    )


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            untrusted = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise ModelError(
            f"cannot be read: {error.strerror or type(error).__name__}",
            where=path,
            fix="check the path",
        ) from error
    if not untrusted:
        raise ModelError(
            "the file is empty", where=path, fix="copy it again from where it came from"
        )
    if len(untrusted) > LARGEST_BYTES:
        raise ModelError(
            f"larger than {LARGEST_BYTES} bytes", where=path, fix="this is no plate model"
        )
    return untrusted


def _tensor(told: Any) -> Tensor:
    return Tensor(
        told.name,
        told.type,
        tuple(side if isinstance(side, int) and side > 0 else None for side in told.shape or ()),
    )
