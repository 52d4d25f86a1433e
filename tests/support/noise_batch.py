"""Samples for a training of the recogniser: crops of noise. Needs PyTorch."""

import numpy as np

from models.training.recognizer.net import CROP
from models.training.recognizer.samples import Batch

DICE = np.random.default_rng(5)


def batch(*texts):
    """Of each text, class numbers, a crop."""
    return Batch(
        DICE.integers(0, 255, (len(texts), CROP.height, CROP.width), np.uint8),
        np.array([one for text in texts for one in text], np.int64),
        np.array([len(text) for text in texts], np.int64),
        np.zeros(len(texts), np.int64),
    )
