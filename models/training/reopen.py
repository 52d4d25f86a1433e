"""Makes a checkpoint of an exported network, so that a training can begin with what ships.

    python -m models.training.reopen recognizer --out ../train/shipped [--data ../shared/plates]
    python -m models.training.recognizer.train --start ../train/shipped/checkpoint.pt --minutes 60
    --rate 1e-3 --out ../train/further

The same for `reviewer`, `stacked`, `aligner` and `detector`; the last two need --data, whose
photographs they are measured on.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from models.training import fonts
from models.training.aligner import export as aligner_export
from models.training.aligner import samples as aligner_samples
from models.training.aligner.net import Aligner
from models.training.data_guard import refuse_measure_only
from models.training.detector import banks, photographs
from models.training.detector import export as detector_export
from models.training.detector import train as detector_train
from models.training.detector.net import PlateNet
from models.training.exporting import Shipped
from models.training.loop import write_averaged
from models.training.manifest import description
from models.training.recognizer import export as recognizer_export
from models.training.recognizer import samples as recognizer_samples
from models.training.recognizer.net import Recognizer, standardised
from models.training.render.syntax import font_names
from models.training.reopening import reopened
from models.training.stacked import net as stacked_net
from models.training.stacked import train as stacked_train

MODELS = Path(__file__).parents[1]
SAMPLES_SEED = 17
BATCHES = 20  # of samples that the statistics are measured on


@dataclass(frozen=True, slots=True)
class Network:
    """How one of the five is built, exported, and what it is trained on.

    `samples`: from the photographs' folder and the cache to a batch of the network's input.
    """

    build: Callable[[], nn.Module]
    shipped: Callable[[nn.Module], Shipped]
    samples: Callable[[Path | None, Path], Tensor]


def recognizer_input(data: Path | None, _cache: Path) -> Tensor:
    """Standardised crops, N×1×48×128."""
    return crops_of(recognizer_samples.batches(SAMPLES_SEED, lambda: 1.0, data))


def crops_of(drawn: Iterator[recognizer_samples.Batch]) -> Tensor:
    """The first batches' crops, standardised."""
    return standardised(
        torch.cat([torch.from_numpy(one.crops)[:, None].float() for one in islice(drawn, BATCHES)])
    )


def stacked_input(data: Path | None, _cache: Path) -> Tensor:
    """Standardised crops, N×1×72×128."""
    drawn = recognizer_samples.batches(
        SAMPLES_SEED, lambda: 1.0, data, stacked_train.draw, stacked_net.CROP
    )
    return crops_of(drawn)


def aligner_input(data: Path | None, cache: Path) -> Tensor:
    """Proposals cut out, N×1×64×96."""
    drawn = aligner_samples.batches(SAMPLES_SEED, ready(data, cache), cache)
    return torch.cat([torch.from_numpy(one["crop"])[:, None] for one in islice(drawn, BATCHES)])


def detector_input(data: Path | None, cache: Path) -> Tensor:
    """Frames of one size, N×1×H×W, uint8."""
    drawn = detector_train.batches(ready(data, cache), cache, SAMPLES_SEED, 1)
    frames = [images for images, _ in islice(drawn, BATCHES)]
    return torch.cat([images for images in frames if images.shape == frames[0].shape])


def ready(data: Path | None, cache: Path) -> Path:
    """The photographs and drawn plates decoded into the cache. Raises SystemExit without a folder
    of photographs.
    """
    if data is None:
        raise SystemExit("--data is missing: this network is measured on photographs' scenes")
    cache.mkdir(parents=True, exist_ok=True)
    photographs.load(data, cache)
    banks.load(cache)
    return data


NETWORKS = {
    "recognizer": Network(Recognizer, recognizer_export.as_shipped, recognizer_input),
    "reviewer": Network(Recognizer, recognizer_export.as_shipped, recognizer_input),
    "stacked": Network(stacked_net.build, stacked_net.as_shipped, stacked_input),
    "aligner": Network(Aligner, aligner_export.as_shipped, aligner_input),
    "detector": Network(PlateNet, detector_export.as_shipped, detector_input),
}


def main() -> None:
    """Reopen, check, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("network", choices=sorted(NETWORKS))
    parser.add_argument("--file", type=Path, help="an export; the one that ships if not given")
    parser.add_argument("--out", type=Path, required=True, help="folder of the new checkpoint")
    parser.add_argument("--data", type=Path, help="folder of train.jsonl with the photographs")
    parser.add_argument("--cache", type=Path, help="of decoded photographs (as --out)")
    given = parser.parse_args()
    if given.data:
        refuse_measure_only(given.data)
    fonts.tell(font_names())
    file = given.file or MODELS / f"{given.network}.onnx"
    graph = onnx.load(file)
    command = description(file, graph)["training_command"]
    network = NETWORKS[given.network]
    net = network.build()
    samples = network.samples(given.data, given.cache or given.out)
    reopened(net, network.shipped, graph, samples)
    written = write_averaged(net.state_dict(), command, given.out)
    print(f"{written}: the network of {file}")


if __name__ == "__main__":
    main()
