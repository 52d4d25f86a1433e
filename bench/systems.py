"""What is compared: ours, other people's models found in a folder, and pairs named on the command
line.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from agent.errors import UsageError

PLATE_CONFIG = "_plate_config.yaml"  # beside NAME.onnx: that makes it a fast-plate-ocr recogniser


@dataclass(frozen=True, slots=True)
class System:
    """A detector and a recogniser.

    None: ours, from the folder `models` or, without one, the shipped ones.
    """

    name: str
    models: str | None = None
    detector: str | None = None
    recognizer: str | None = None
    config: str | None = None

    def to_json(self) -> str:
        """For the measured process's command line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "System":
        """The reverse."""
        return cls(**json.loads(text))

    @property
    def all_theirs(self) -> bool:
        return self.detector is not None and self.recognizer is not None


OURS = System("ours")


def in_folder(folder: Path) -> list[System]:
    """Every pair of detector and recogniser in a folder of peers: a recogniser has its plate config
    beside it.

    Absolute paths.
    """
    models = sorted(folder.resolve().glob("*.onnx"))
    configs = {path: path.with_name(path.stem + PLATE_CONFIG) for path in models}
    recognizers = [path for path in models if configs[path].is_file()]
    detectors = [path for path in models if path not in recognizers]
    return [
        named(detector, recognizer, configs[recognizer])
        for detector in detectors
        for recognizer in recognizers
    ]


def named(detector: Path | None, recognizer: Path | None, config: Path | None) -> System:
    """A pair as typed; None: ours. Raises UsageError for a file that is not there."""
    for path in (detector, recognizer, config):
        if path and not path.is_file():
            raise UsageError("no such file", where=path, fix="check the path")
    name = (
        f"{detector.stem if detector else 'our detector'} + "
        f"{recognizer.stem if recognizer else 'our recogniser'}"
    )
    detector_file, recognizer_file, config_file = (
        str(path.resolve()) if path else None for path in (detector, recognizer, config)
    )
    return System(name, detector=detector_file, recognizer=recognizer_file, config=config_file)


def weights_bytes(system: System) -> int:
    """Size of the model files that it loads.

    Our manifest does not say which network finds and which reads: a mixed pair counts all of ours.
    """
    # Imported here: onnxruntime is for the measured processes.
    from agent.vision.models import read_manifest  # noqa: PLC0415

    theirs = sum(Path(path).stat().st_size for path in (system.detector, system.recognizer) if path)
    if system.all_theirs:
        return theirs
    return theirs + sum(
        entry.size_bytes
        for entry in read_manifest(Path(system.models) if system.models else None).models.values()
    )
