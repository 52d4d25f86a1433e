"""The network that reads small print: the recogniser's, over a wider strip, with letters alone.

Input N×1×48×192, grey, each strip standardised as the recogniser's crops are. Output N×48×27,
logits: 0 is the CTC blank, then A–Z.

It begins with the recogniser's weights, which know letters. Its first convolutions stay as they
are, so that minutes are enough.
"""

import onnx
import torch
from torch import Tensor, nn

from agent.vision.issuer.closed_list import LETTERS
from agent.vision.issuer.strips import STRIP_HEIGHT_PX, STRIP_WIDTH_PX
from models.training.recognizer.net import CONTEXT, Recognizer
from models.training.render.degrade import Crop
from models.training.render.syntax import CHARACTERS
from models.training.reopening import measure, take_over, units

STRIP = Crop(width=STRIP_WIDTH_PX, height=STRIP_HEIGHT_PX)
CLASSES = len(LETTERS) + 1
KEPT = 3 * 3  # of the trunk's modules: three convolutions with what is behind them


class StripReader(nn.Module):
    """0.46 M weights, about 105 MMAC a strip."""

    def __init__(self) -> None:
        super().__init__()
        like = Recognizer()
        self.kept, self.trunk, self.context = like.trunk[:KEPT], like.trunk[KEPT:], like.context
        self.letters = nn.Conv1d(CONTEXT, CLASSES, 1)
        self.kept.requires_grad_(requires_grad=False)

    def train(self, mode: bool = True) -> "StripReader":  # noqa: FBT001, FBT002  as PyTorch has it
        """What is kept keeps its norms' statistics too."""
        super().train(mode)
        self.kept.eval()
        return self

    def begin_with(self, recognizer: onnx.ModelProto, strips: Tensor) -> None:
        """Its weights; `strips`: standardised, on which its norms are measured."""
        like = Recognizer().eval()
        pairs = units(like, strips[:1])
        take_over(pairs, recognizer)
        measure(like, pairs, strips)
        for mine, its in ((self.kept, like.trunk[:KEPT]), (self.trunk, like.trunk[KEPT:])):
            mine.load_state_dict(its.state_dict())
        self.context.load_state_dict(like.context.state_dict())
        rows = [0, *(1 + CHARACTERS.index(letter) for letter in LETTERS)]
        with torch.no_grad():
            self.letters.weight.copy_(like.characters.weight[rows])
            self.letters.bias.copy_(like.characters.bias[rows])

    def forward(self, strips: Tensor) -> Tensor:
        """See the module's docstring for shapes."""
        seen = self.trunk(self.kept(strips))
        return self.letters(self.context(seen.squeeze(2))).permute(0, 2, 1)
