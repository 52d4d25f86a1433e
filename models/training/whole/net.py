"""The network that says whether a whole plate was seen: what hides a part of it, stacked letters or
a row that were left out.

It is given the plate pulled straight with its surroundings, `around` N×1×96×192, grey, each
standardised; the recogniser's last `features` N×160×32; and the `signs` N×26
(`agent.vision.whole.wholeness`). It answers N×3, logits in that order. About 27 MMAC.

Its convolutions begin as the aligner's, which learnt from scenes what a plate's edge is. Then they
learn from pictures alone what stands before a plate (`whole.see`). What is left to learn from the
few samples that were read takes minutes, and the first of them stay as they are.
"""

from collections.abc import Mapping

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from agent.vision.whole.wholeness import SIGNS
from models.training.aligner.net import LAYERS, SQUEEZED
from models.training.recognizer.net import CONTEXT
from models.training.reopening import layers_of

OUTPUTS = 3
HOLDERS = nn.Conv2d | nn.Conv1d | nn.Linear
KEPT = 4  # of the aligner's convolutions; the others are where the training begins
NARROWED, CELLS = 8, 6 * 12
READ, READ_STEPS = 32, 8  # channels and places of what becomes of the recogniser's features
HIDDEN = 32
LEAST_SPREAD = 1e-3
DROPPED, DROPPED_MAPS, DROPPED_READ = 0.45, 0.05, 0.2


class WholeNet(nn.Module):
    """See the module's docstring."""

    def __init__(self) -> None:
        super().__init__()
        layers = [(wider, 3, stride) for wider, stride in LAYERS] + [(SQUEEZED, 1, 1)]
        made: list[nn.Module] = []
        channels = 1
        for wider, side, stride in layers:
            made += [nn.Conv2d(channels, wider, side, stride, side // 2), nn.ReLU()]
            channels = wider
        self.first = nn.Sequential(*made[: 2 * KEPT])
        self.first.requires_grad_(requires_grad=False)
        self.then = nn.Sequential(
            nn.Dropout2d(DROPPED_MAPS),
            *made[2 * KEPT :],
            nn.Conv2d(SQUEEZED, NARROWED, 1),
            nn.ReLU(),
        )
        self.reading = nn.Sequential(
            nn.Dropout(DROPPED_READ),
            nn.Conv1d(CONTEXT, READ, 3, 1, 1),
            nn.ReLU(),
            nn.Conv1d(READ, READ, 3, 2, 1),
            nn.ReLU(),
            nn.Conv1d(READ, READ, 3, 2, 1),
            nn.ReLU(),
        )
        pooled = NARROWED * (CELLS + 2) + READ * (READ_STEPS + 2) + len(SIGNS)
        self.head = nn.Sequential(
            nn.Dropout(DROPPED),
            nn.Linear(pooled, HIDDEN),
            nn.ReLU(),
            nn.Dropout(DROPPED),
            nn.Linear(HIDDEN, OUTPUTS),
        )
        self.register_buffer("middle", torch.zeros(len(SIGNS)))
        self.register_buffer("spread", torch.ones(len(SIGNS)))

    def begin_with(self, aligner: onnx.ModelProto, signs: NDArray[np.float32]) -> None:
        """Its convolutions' weights, and how large the signs are."""
        mine = [one for one in (*self.first, *self.then) if isinstance(one, nn.Conv2d)][:-1]
        for layer, (weight, offset) in zip(mine, layers_of(aligner), strict=False):
            if layer.weight.shape != weight.shape:
                message = "not an aligner of this shape: check out the commit that wrote it"
                raise SystemExit(message)
            layer.weight.data, layer.bias.data = torch.tensor(weight), torch.tensor(offset)
        self.middle.copy_(torch.from_numpy(signs.mean(axis=0)))
        self.spread.copy_(torch.from_numpy(signs.std(axis=0) + LEAST_SPREAD))

    def go_on_from(self, shipped: onnx.ModelProto) -> None:
        """An exported network's weights, the aligner's among them, and how large its signs were.

        Raises SystemExit for another network's file.
        """
        mine = [one for one in self.modules() if isinstance(one, HOLDERS)]
        layers = list(layers_of(shipped))
        if [tuple(one.weight.shape) for one in mine] != [weight.shape for weight, _ in layers]:
            message = "not a wholeness.onnx of this shape: check out the commit that wrote it"
            raise SystemExit(message)
        for layer, (weight, offset) in zip(mine, layers, strict=True):
            layer.weight.data, layer.bias.data = torch.tensor(weight), torch.tensor(offset)
        kept = {value.name: numpy_helper.to_array(value) for value in shipped.graph.initializer}
        self.middle.copy_(torch.tensor(kept["net.middle"]))
        self.spread.copy_(torch.tensor(kept["net.spread"]))

    def look_with(self, eyes: Mapping[str, Tensor]) -> None:
        """The convolutions of a checkpoint of `whole.see`."""
        for part, name in ((self.first, "first."), (self.then, "then.")):
            mine = {
                key.removeprefix(name): one for key, one in eyes.items() if key.startswith(name)
            }
            part.load_state_dict(mine)

    def drop(self, share: float) -> None:
        """Drop that share of what the dense layers are given, while it learns."""
        for layer in self.head:
            if isinstance(layer, nn.Dropout):
                layer.p = share

    def forward(self, around: Tensor, features: Tensor, signs: Tensor) -> Tensor:
        """See the module's docstring."""
        return self.answer(self.first(around), features, signs)

    def answer(self, seen: Tensor, features: Tensor, signs: Tensor) -> Tensor:
        """What follows on the first convolutions' N×48×12×24."""
        pooled = [(signs - self.middle) / self.spread]
        for maps in (self.then(seen), self.reading(features)):
            sides = tuple(range(2, maps.ndim))
            pooled += [maps.flatten(1), maps.amax(sides), maps.mean(sides)]
        return self.head(torch.cat(pooled, dim=1))
