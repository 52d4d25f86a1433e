"""Trains the network that looks for what hides a plate, on the samples that
models.training.whole.samples kept.

    python -m models.training.whole.train SAMPLES... [--epochs 9] [--seed 1] [--rate 2e-3]
    [--start CHECKPOINT | --further models/wholeness.onnx] [--eyes ../train/seen/checkpoint.pt]
    [--teachers NETWORK...] [--out ../train/whole] [--aligner models/aligner.onnx]

What the kept convolutions make of the samples is computed once, so an epoch takes seconds. Then
`python -m models.training.whole.export`. After another aligner, `--further` needs a tenth of the
samples: the file's answers to what is rare are taught again as they are. `--eyes` takes the
convolutions that models.training.whole.see taught. `--teachers`: networks whose mean first answer
is learnt in place of the samples' own. Networks with other convolutions err on other plates, so
their mean errs less than each. Teachers, and the file of `--further`, answer by the features of the
recogniser before, where the samples have these: so a network learns to say by new features what
one says by old ones.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agent.vision.grey import standardised
from bench.scoring import SURE
from models.training.asking import begin
from models.training.data_guard import refuse_measure_only
from models.training.loop import averaged_weights, write_averaged
from models.training.whole.net import WholeNet
from models.training.whole.samples import LUCKY, ROW, STACKED, WRONG, Samples, load, shown

ALIGNER = Path(__file__).parents[2] / "aligner.onnx"
BATCH, AT_A_TIME = 64, 256
DECAY = 0.05
# A plate that is read rightly though something hides a part may stay sure; who would be told as
# sure counts most.
LUCKY_COUNTS, SURE_COUNTS, OTHER_COUNTS = 0.05, 1.5, 0.7
SEEING = 0.3  # of the rate, for convolutions that pictures have taught already
TAUGHT_DROPPED = 0.2  # a mean's answers hold less noise than the samples' own


@dataclass(frozen=True, slots=True)
class Lesson:
    """N×48×12×24 of the kept convolutions, the recogniser's features, the signs; what is asked N×3,
    how much each sample counts.
    """

    seen: NDArray[np.float16]
    features: NDArray[np.float16]
    signs: NDArray[np.float32]
    wanted: Tensor
    counts: Tensor


def lesson(samples: Samples, seen: NDArray[np.float16]) -> Lesson:
    """What there is to learn."""
    wanted = np.stack([samples.kind == kind for kind in (WRONG, STACKED, ROW)], axis=1)
    return Lesson(
        seen,
        samples.features,
        samples.signs,
        torch.from_numpy(wanted.astype(np.float32)),
        counts_of(samples, LUCKY_COUNTS),
    )


def counts_of(samples: Samples, lucky: float) -> Tensor:
    """How much each sample counts; `lucky`: who was hidden and still read rightly."""
    counts = np.where(samples.kind == LUCKY, lucky, 1.0) * np.where(
        samples.sure >= SURE, SURE_COUNTS, OTHER_COUNTS
    )
    return torch.from_numpy(counts.astype(np.float32))


@torch.inference_mode()
def answers(net: WholeNet, given: Lesson) -> Tensor:
    """The network's logits N×3 now."""
    parts = []
    for start in range(0, len(given.wanted), AT_A_TIME):
        columns = (given.seen, given.features, given.signs)
        some = (one[start : start + AT_A_TIME].astype(np.float32) for one in columns)
        parts.append(net.answer(*map(torch.from_numpy, some)))
    return torch.cat(parts)


def taught(teachers: Sequence[Path], samples: Samples, given: Lesson) -> Lesson:
    """The same lesson, but the first answer is to be the mean of these networks'. They know of each
    plate how doubtful it is, so all count the same.
    """
    said = {}
    for path in set(teachers):  # one may be named, and so count, several times
        teacher = network(path).eval()
        eyes = replace(given, seen=seen_by(teacher, samples.around), features=samples.former)
        said[path] = answers(teacher, eyes)[:, 0]
    wanted = given.wanted.clone()
    wanted[:, 0] = torch.stack([said[path] for path in teachers]).mean(0).sigmoid()
    return replace(given, wanted=wanted, counts=counts_of(samples, 1.0))


def network(path: Path) -> WholeNet:
    """Of an exported file, or of a checkpoint."""
    net = WholeNet()
    if path.suffix == ".onnx":
        net.go_on_from(onnx.load(refuse_measure_only(path)))
    else:
        net.load_state_dict(averaged_weights(refuse_measure_only(path)))
    return net


def as_before(net: WholeNet, given: Lesson, former: NDArray[np.float16]) -> Lesson:
    """The same lesson, but the second and third answer are to stay what the network says now by the
    former features: few samples hold few stacked characters, and hardly a lost row.
    """
    wanted = answers(net, replace(given, features=former)).sigmoid()
    wanted[:, 0] = given.wanted[:, 0]
    return replace(given, wanted=wanted)


@torch.inference_mode()
def seen_by(net: WholeNet, around: NDArray[np.uint8]) -> NDArray[np.float16]:
    """What the kept convolutions make of it."""
    parts = []
    for start in shown(range(0, len(around), AT_A_TIME), "looking"):
        crops = np.stack([standardised(one) for one in around[start : start + AT_A_TIME]])
        parts.append(net.first(torch.from_numpy(crops[:, None])).numpy().astype(np.float16))
    return np.concatenate(parts)


def train(net: WholeNet, given: Lesson, epochs: int, rate: float, seeing: float = 1.0) -> None:
    """All epochs, on a cosine of the rate (its peak) that rises first. `seeing`: of that rate, for
    the convolutions.
    """
    steps = len(given.wanted) // BATCH
    eyes = list(net.then.parameters())
    others = [*net.reading.parameters(), *net.head.parameters()]
    rates = [rate * seeing, rate]
    groups = [{"params": some, "lr": one} for some, one in zip((eyes, others), rates, strict=True)]
    optimiser = torch.optim.AdamW(groups, weight_decay=DECAY)
    cosine = torch.optim.lr_scheduler.OneCycleLR(optimiser, rates, total_steps=epochs * steps + 1)
    for epoch in range(epochs):
        net.train()
        total = 0.0
        for of in torch.randperm(len(given.wanted)).split(BATCH)[:steps]:
            loss = loss_of(net, given, of)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            cosine.step()
            total += loss.item()
        print(f"epoch {epoch + 1} of {epochs}: {total / steps:.4f}", flush=True)
    net.eval()


def loss_of(net: WholeNet, given: Lesson, of: Tensor) -> Tensor:
    """Cross-entropy of the three answers."""
    columns = (given.seen, given.features, given.signs)
    given_to_it = (torch.from_numpy(one[of.numpy()].astype(np.float32)) for one in columns)
    each = nn.functional.binary_cross_entropy_with_logits(
        net.answer(*given_to_it), given.wanted[of], reduction="none"
    )
    return (each.sum(1) * given.counts[of]).mean()


def begun(given: argparse.Namespace, signs: NDArray[np.float32]) -> WholeNet:
    """The network before its first step."""
    if given.further:
        return network(given.further)
    net = WholeNet()
    net.begin_with(onnx.load(refuse_measure_only(given.aligner)), signs)
    begin(net, refuse_measure_only(given.start) if given.start else None)
    return net


def main(arguments: list[str] | None = None) -> None:
    """Begin with the aligner, train, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("samples", type=Path, nargs="+")
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=2e-3)
    begins = parser.add_mutually_exclusive_group()
    begins.add_argument("--start", type=Path, help="a checkpoint whose weights to begin with")
    begins.add_argument("--further", type=Path, help="a wholeness.onnx to go on from")
    parser.add_argument("--eyes", type=Path, help="a checkpoint of whole.see: its convolutions")
    parser.add_argument("--teachers", type=Path, nargs="+", default=[], help="files, checkpoints")
    parser.add_argument("--aligner", type=Path, default=ALIGNER, help="whose convolutions to keep")
    parser.add_argument("--out", type=Path, default=Path("../train/whole"))
    given = parser.parse_args(arguments)
    learnt = load(given.samples)
    torch.manual_seed(given.seed)
    torch.set_num_threads(1)
    net = begun(given, learnt.signs).eval()
    wanted = lesson(learnt, seen_by(net, learnt.around))
    wanted = as_before(net, wanted, learnt.former) if given.further else wanted
    if given.eyes:
        net.look_with(averaged_weights(refuse_measure_only(given.eyes)))
        wanted = replace(wanted, seen=seen_by(net, learnt.around))
    if given.teachers:
        wanted = taught(given.teachers, learnt, wanted)
        net.drop(TAUGHT_DROPPED)
    train(net, wanted, given.epochs, given.rate, SEEING if given.eyes else 1.0)
    started = " --start START" if given.start else " --further FILE" if given.further else ""
    started += " --eyes EYES" if given.eyes else ""
    started += " --teachers TEACHERS" if given.teachers else ""
    command = (
        f"python -m models.training.whole.train SAMPLES --epochs {given.epochs} "
        f"--seed {given.seed} --rate {given.rate:g}{started}; "
        "SAMPLES: python -m models.training.whole.samples --data ../shared/plates"
    )
    print(write_averaged(net.state_dict(), command, given.out))


if __name__ == "__main__":
    main()
