"""Trains the detector that ships: from the same scenes as its teacher, and from what the teacher
sees in them (Romero et al., FitNets, 2015).

python -m models.training.detector.distil --start ../train/teacher/checkpoint.pt --minutes 90 --out
../train/detector [--data ../shared/plates]

`--start` is the teacher, or a network of this training to go on with (then `--teacher`). What both
have in common is taken over.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from models.training.asking import Defaults, ask
from models.training.detector import banks, losses, photographs
from models.training.detector.net import PlateNet
from models.training.detector.train import batches
from models.training.feeding import Feeder
from models.training.loop import Losses, Training, averaged_weights

DEFAULTS = Defaults("detector.distil", minutes=90.0, rate=3e-3)
LIKE_THE_TEACHER = ("to4", "to8", "to16", "join16", "head")  # stages whose features must agree
# Shares of the time: from when on the scenes' own truth counts, and until when the teacher's
# features fade.
OWN_BEGIN, OWN_FULL = 0.1, 0.4
FEATURES_AT_LAST, OWN_WEIGHT = 0.1, 0.5
BACKGROUND = 0.05  # weight of a cell where the teacher sees nothing


class Lesson:
    """The losses of one batch: the teacher's features and answers, and more and more the truth.

    `share`: of the time that is spent, 0–1.
    """

    def __init__(self, teacher: PlateNet, pupil: PlateNet, share: Callable[[], float]) -> None:
        self._teacher, self._share = teacher.eval(), share
        self._seen: dict[tuple[str, str], Tensor] = {}
        for whose, net in (("teacher", teacher), ("pupil", pupil)):
            for name in (*LIKE_THE_TEACHER, "out"):
                getattr(net, name).register_forward_hook(self._keep(whose, name))

    def _keep(self, whose: str, name: str) -> Callable[[nn.Module, object, Tensor], None]:
        return lambda _module, _given, features: self._seen.__setitem__((whose, name), features)

    def losses_of(self, net: nn.Module, batch: tuple[Tensor, losses.Maps]) -> Losses:
        """What the training sums up and takes down."""
        place = next(net.parameters()).device
        with torch.no_grad():
            self._teacher.to(place)(
                batch[0].to(place).contiguous(memory_format=torch.channels_last)
            )
        own = torch.stack(list(losses.losses_of(net, batch).values())).sum()
        features = torch.stack([self._apart(name) for name in LIKE_THE_TEACHER]).sum()
        theirs, ours = self._seen["teacher", "out"], self._seen["pupil", "out"]
        weight = BACKGROUND + theirs[:, :1].sigmoid()
        answers = (weight * (ours - theirs).square()).mean() / weight.mean()
        truth = max(0.0, min(1.0, (self._share() - OWN_BEGIN) / (OWN_FULL - OWN_BEGIN)))
        return {
            "features": (1 - (1 - FEATURES_AT_LAST) * truth) * features,
            "answers": answers,
            "truth": OWN_WEIGHT * truth * own,
        }

    def _apart(self, name: str) -> Tensor:
        """Mean squared difference as a share of the teacher's mean square."""
        theirs = self._seen["teacher", name]
        return (self._seen["pupil", name] - theirs).square().mean() / theirs.square().mean()


def pupil_of(start: Path) -> PlateNet:
    """The slim network with all weights of `start` that fit."""
    net = PlateNet()
    own = net.state_dict()
    own.update(
        {
            name: value
            for name, value in averaged_weights(start).items()
            if name in own and own[name].shape == value.shape
        }
    )
    net.load_state_dict(own)
    return net


def main(arguments: list[str]) -> None:
    """Train, or go on training."""
    asked = ask(arguments, __doc__ or "", DEFAULTS)
    if not asked.start:
        raise SystemExit(
            "--start is missing: "
            "the teacher's checkpoint (python -m models.training.detector.train)"
        )
    photographs.load(asked.data, asked.cache)
    banks.load(asked.cache)
    teacher = PlateNet(wide=True)
    teacher.load_state_dict(averaged_weights(asked.teacher or asked.start))
    training = Training(pupil_of(asked.start), asked.plan)
    lesson = Lesson(teacher, training.net, lambda: training.share)
    feeder = Feeder(
        lambda _share: batches(asked.data, asked.cache, asked.plan.seed, training.step), depth=6
    )
    training.run(feeder, lesson.losses_of)
    feeder.close()


if __name__ == "__main__":
    main(sys.argv[1:])
