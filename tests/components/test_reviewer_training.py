"""models/training/reviewer and what keeps its weights small. Needs PyTorch, which the training's
requirements install.
"""

from dataclasses import replace

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is installed for trainings only")

from models.training import halving, quartering  # noqa: E402
from models.training.exporting import fused, largest_difference, to_onnx  # noqa: E402
from models.training.recognizer.export import as_shipped  # noqa: E402
from models.training.recognizer.net import Recognizer  # noqa: E402
from models.training.recognizer.samples import Batch  # noqa: E402
from models.training.recognizer.train import losses_of  # noqa: E402
from models.training.reopening import layers_of  # noqa: E402
from models.training.reviewer import train as reviewer  # noqa: E402
from tests.support.noise_batch import batch  # noqa: E402

DICE = np.random.default_rng(5)


class Says(torch.nn.Module):
    """Reads class 5 in every crop, as surely as it is told: logits of each."""

    def __init__(self, *logits):
        super().__init__()
        self.logits = logits

    def forward(self, crops):
        characters = torch.zeros(len(crops), 4, 37)
        characters[:, [0, 2, 3], 0] = 20.0
        for sample, logit in enumerate(self.logits):
            characters[sample, 1, 5] = logit
        return characters, None


@pytest.mark.parametrize(
    ("logit", "text", "clear"),
    [
        (20.0, [5], True),
        (6.5, [5], True),
        (5.0, [5], False),  # 0.80
        (20.0, [6], False),  # surely wrong: nothing is more worth learning
        (20.0, [5, 5], False),
        (20.0, [], False),
    ],
)
def test_what_the_recogniser_reads_surely_and_rightly_counts_little(logit, text, clear):
    given = batch([5], text)
    counts = reviewer.counts_of(Says(20.0, logit), torch.zeros(2, 1, 48, 128), given)
    little = pytest.approx(reviewer.CLEAR_COUNTS)
    assert counts.tolist() == [little, little if clear else 1.0]


def test_what_counts_nothing_teaches_nothing():
    """The loss of the text is the mean of those that count, by character."""
    net, both = Recognizer().eval(), batch([5, 6, 7], [8])
    one = Batch(both.crops[:1], both.texts[:3], both.lengths[:1], both.regions[:1])
    alone = losses_of(net, one)["text"]
    beside = losses_of(net, both, counted=lambda *_: torch.tensor([1.0, 0.0]))["text"]
    alike = losses_of(net, both)["text"]
    assert beside.item() == pytest.approx(alone.item(), rel=1e-3)
    assert alike.item() != pytest.approx(alone.item(), rel=1e-3)


def test_the_training_asks_for_the_recogniser_that_ships(tmp_path):
    with pytest.raises(SystemExit, match="--teacher: name a checkpoint of the recogniser"):
        reviewer.main(["--out", str(tmp_path), "--fewer-fonts"])


def rounded(precision):
    """A recogniser of chance as an export would write it."""
    net = Recognizer()
    for weights in net.parameters():
        torch.nn.init.normal_(weights, std=0.1)
    whole = as_shipped(net)
    return replace(whole, net=precision.rounded(fused(whole.net)))


@pytest.mark.parametrize(("precision", "share"), [(halving, 0.51), (quartering, 0.27)])
def test_weights_are_kept_small_and_compute_the_same(precision, share):
    shipped = rounded(precision)
    before = to_onnx(shipped)
    after = precision.packed(before)
    assert len(after) < share * len(before)
    assert largest_difference(shipped, after) < 1e-4


def test_eight_bits_are_as_near_to_each_weight_as_they_can_be():
    weights = DICE.normal(size=(7, 90, 3)).astype(np.float32)
    weights[3] = 0
    whole, scale = quartering.split(weights)
    most = np.abs(weights).max((1, 2))
    assert np.abs(whole.astype(int)).max() == quartering.LARGEST
    assert (np.abs(whole * scale - weights).max((1, 2)) <= most / 254 * 1.001).all()


def test_the_layers_of_an_export_are_found_whatever_keeps_them():
    exported = to_onnx(rounded(quartering))
    plain, small = (
        list(layers_of(onnx.load_model_from_string(model)))
        for model in (exported, quartering.packed(exported))
    )
    assert len(plain) == len(small) == 11
    for (one, offset), (other, its) in zip(plain, small, strict=True):
        assert np.allclose(one, other, atol=1e-6)
        assert np.array_equal(offset, its)
