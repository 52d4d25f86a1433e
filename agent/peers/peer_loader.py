"""Builds a peer's detector or reader from the files that were named: one place for `read` and
`bench`.
"""

from pathlib import Path

import cv2

from agent.errors import UsageError
from agent.peers.network import open_network
from agent.peers.slots import SlotPlateReader
from agent.peers.yolo import YoloPlateDetector

CONFIG_SUFFIX = "_plate_config.yaml"  # fast-plate-ocr's own way to name it


def load_detector(path: Path, threads: int = 1) -> YoloPlateDetector:
    """Raises ModelError."""
    cv2.setNumThreads(threads)
    return YoloPlateDetector(open_network(path, threads))


def load_reader(path: Path, config: Path | None = None, threads: int = 1) -> SlotPlateReader:
    """`config`: its plate config; None: NAME_plate_config.yaml beside NAME.onnx.

    Raises ModelError, ConfigError, UsageError.
    """
    cv2.setNumThreads(threads)
    try:
        # PyYAML is an extra: a detector alone needs none.
        from agent.peers.plate_config import read_plate_config  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name != "yaml":
            raise
        raise UsageError(
            "PyYAML is not installed", where="--recognizer", fix="pip install 'platewarden[peers]'"
        ) from None
    return SlotPlateReader(open_network(path, threads), read_plate_config(config or _beside(path)))


def _beside(recognizer: Path) -> Path:
    path = recognizer.with_name(recognizer.stem + CONFIG_SUFFIX)
    if not path.is_file():
        raise UsageError(
            f"no {path.name} beside it",
            where=recognizer,
            fix="name its plate config with --recognizer-config",
        )
    return path
