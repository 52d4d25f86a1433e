"""Keeps what another reader reads right while the recogniser learns something new.

A training that mends one kind of plate unlearns a few others (negative flips: Yan et al.,
Positive-congruent training, 2021). So where the teacher reads a sample right, its probabilities are
part of the aim; where it errs, only the sample's text is.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.training.loop import averaged_weights, short_floats
from models.training.recognizer.net import Recognizer
from models.training.recognizer.samples import Batch

BLANK = 0
USUAL_LENGTH = 7  # characters: the loss is by the character, as CTC's is


def teacher_of(checkpoint: Path, place: torch.device) -> Recognizer:
    """The weights of a checkpoint, not to be changed."""
    net = Recognizer()
    net.load_state_dict(averaged_weights(checkpoint))
    return net.eval().to(place, memory_format=torch.channels_last)


def read_right(steps: Tensor, batch: Batch) -> Tensor:
    """N booleans: whether the likeliest class of each step (`steps`: N×T) spells the text."""
    ends = np.cumsum(batch.lengths)
    right = []
    for row, end, length in zip(steps.cpu().numpy(), ends, batch.lengths, strict=True):
        changes = np.concatenate([[True], row[1:] != row[:-1]])
        right.append(np.array_equal(row[changes & (row != BLANK)], batch.texts[end - length : end]))
    return torch.tensor(right, device=steps.device)


def kept(teacher: nn.Module, ours: Tensor, crops: Tensor, batch: Batch) -> Tensor:
    """How far our characters (log probabilities N×T×37) are from the teacher's where these are
    right: Kullback-Leibler, by the character, mean over all samples.
    """
    with torch.no_grad(), short_floats(crops.device):
        theirs, _region = teacher(crops)
    theirs = theirs.float().log_softmax(2)
    apart = nn.functional.kl_div(ours, theirs, reduction="none", log_target=True).sum((1, 2))
    return (apart * read_right(theirs.argmax(2), batch)).mean() / USUAL_LENGTH
