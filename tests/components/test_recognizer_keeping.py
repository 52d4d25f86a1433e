"""models/training/recognizer/keeping.py: what a teacher reads right is part of the aim, what it
misreads is not. Needs PyTorch, which the training's requirements install.
"""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is installed for trainings only")

from models.training.recognizer.keeping import kept, read_right, teacher_of  # noqa: E402
from models.training.recognizer.mend import LastLayer  # noqa: E402
from models.training.recognizer.net import CROP, Recognizer  # noqa: E402
from models.training.recognizer.train import losses_of  # noqa: E402
from tests.support.noise_batch import batch  # noqa: E402


@pytest.mark.parametrize(
    ("steps", "text", "right"),
    [
        ([0, 5, 5, 0, 7], [5, 7], True),
        ([5, 0, 5, 7, 0], [5, 5, 7], True),
        ([5, 5, 5, 7, 0], [5, 5, 7], False),
        ([0, 5, 5, 0, 7], [5, 8], False),
        ([0, 5, 5, 0, 0], [5, 7], False),
        ([0, 0, 0, 0, 0], [], True),
        ([0, 0, 3, 0, 0], [], False),
    ],
)
def test_what_is_read_right(steps, text, right):
    given = batch([9], text, [9, 9])
    others = [[9, 9, 0, 0, 0], steps, [9, 0, 9, 0, 0]]
    assert read_right(torch.tensor(others), given).tolist() == [True, right, True]


def test_only_what_the_teacher_reads_right_is_kept():
    """Of two equal samples: where it errs, nothing of it counts."""

    def teacher(crops):
        characters = torch.zeros(len(crops), 4, 37)
        characters[:, 1, 5] = 9.0
        characters[:, [0, 2, 3], 0] = 9.0
        return characters, None

    crops = torch.zeros(2, 1, CROP.height, CROP.width)
    ours = torch.zeros(2, 4, 37).log_softmax(2)
    both, one, none = (
        float(kept(teacher, ours, crops, batch(*texts)))
        for texts in ([[5], [5]], [[5], [6]], [[6], [6]])
    )
    assert both == pytest.approx(2 * one)
    assert (one > 0.1, none) == (True, 0.0)
    same = teacher(crops)[0].log_softmax(2)
    assert float(kept(teacher, same, crops, batch([5], [5]))) == pytest.approx(0.0, abs=1e-6)


def test_a_training_with_a_teacher_learns_from_it_and_leaves_it_alone(tmp_path):
    net = Recognizer()
    torch.save({"averaged": net.state_dict(), "command": ""}, tmp_path / "checkpoint.pt")
    teacher = teacher_of(tmp_path / "checkpoint.pt", torch.device("cpu"))
    before = [value.clone() for value in teacher.state_dict().values()]
    losses = losses_of(net, batch([], []), teacher)
    assert set(losses) == {"text", "region", "kept"}
    assert set(losses_of(net, batch([], []))) == {"text", "region"}
    torch.stack(list(losses.values())).sum().backward()
    assert all(one.grad is None for one in teacher.parameters())
    assert all(map(torch.equal, teacher.state_dict().values(), before))


def test_the_last_layer_learns_alone_and_batch_norm_stays_as_it_is():
    net = LastLayer()
    net.train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    optimiser = torch.optim.SGD(net.parameters(), 0.1)
    given = batch([3, 4], [5])
    losses_of(net, given)["text"].backward()
    optimiser.step()
    moved = {
        name for name, value in net.state_dict().items() if not torch.equal(value, before[name])
    }
    assert moved == {"characters.weight", "characters.bias"}
    assert not net.eval().training
