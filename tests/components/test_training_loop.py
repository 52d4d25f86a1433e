"""models/training/loop.py and feeding.py: a training that is killed goes on, and leaves no process
behind.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from models.training.feeding import Feeder

PARENT = """
import sys, time
from models.training.feeding import Feeder
def compose(share):
    while True:
        yield 1
feeder = Feeder(compose, depth=2)
next(feeder)
print(feeder._process.pid, flush=True)
time.sleep(60)
"""


def test_batches_come_in_order_and_the_composer_sees_how_far_the_training_is():
    def compose(share):
        while True:
            yield share()

    feeder = Feeder(compose, depth=1, share=0.25)
    try:
        assert next(feeder) == 0.25
        feeder.tell(0.5)
        assert 0.5 in [next(feeder) for _ in range(4)]
    finally:
        feeder.close()


def test_a_composer_that_dies_is_an_error_not_a_wait(monkeypatch):
    monkeypatch.setattr("models.training.feeding.LOOK_EVERY_S", 0.2)

    def compose(share):
        yield 1
        raise SystemExit(3)

    feeder = Feeder(compose)
    assert next(feeder) == 1
    with pytest.raises(RuntimeError, match=r"gave nothing for .* \(exit code 3\)"):
        next(feeder)


def test_the_composer_ends_when_its_training_is_killed():
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True, cwd=root
    ) as parent:
        composer = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 30
    while _alive(composer):
        assert time.monotonic() < deadline, "the composing process outlived its training by 30 s"
        time.sleep(0.2)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] != "Z"


def test_the_composer_ends_even_where_its_parent_catches_the_signal():
    def compose(share):
        while True:
            yield 1

    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        feeder = Feeder(compose, depth=1)
        next(feeder)
        feeder._process.terminate()
        feeder._process.join(20)
        assert feeder._process.exitcode == -signal.SIGTERM
    finally:
        signal.signal(signal.SIGTERM, before)
        feeder.close()


def test_a_stopped_training_goes_on_from_its_checkpoint(tmp_path):
    torch = pytest.importorskip("torch", reason="the training needs PyTorch")
    from models.training.loop import Plan, Training

    def plan(minutes):
        return Plan(tmp_path, minutes, 1, 1e-2, "train")

    def endless():
        while True:
            yield torch.ones(4, 2)

    def losses_of(net, batch):
        return {"square": net(batch).square().mean()}

    torch.manual_seed(1)
    first = Training(torch.nn.Linear(2, 1), plan(0.005))
    before = losses_of(first.net, torch.ones(4, 2))["square"].item()
    first.run(endless(), losses_of)
    assert first.step > 0
    again = Training(torch.nn.Linear(2, 1), plan(0.01))
    assert (again.step, again.minutes) == (first.step, first.minutes)
    assert torch.equal(again.net.weight, first.net.weight)
    again.run(endless(), losses_of)
    assert again.step > first.step
    assert losses_of(again.net, torch.ones(4, 2))["square"].item() < before
    assert not list(tmp_path.glob("*.part"))


def test_the_mean_of_two_checkpoints_and_none_of_two_networks(tmp_path):
    torch = pytest.importorskip("torch", reason="the training needs PyTorch")
    from models.training.mean import mean_of

    def checkpoint(name, **weights):
        torch.save({"averaged": weights, "command": "none"}, tmp_path / name)
        return tmp_path / name

    one = checkpoint("one.pt", weight=torch.tensor([1.0, 2.0]), seen=torch.tensor(7))
    two = checkpoint("two.pt", weight=torch.tensor([3.0, 6.0]), seen=torch.tensor(9))
    other = checkpoint("other.pt", weight=torch.zeros(3), seen=torch.tensor(0))
    mean = mean_of([one, two])
    assert mean["weight"].tolist() == [2.0, 4.0]
    assert mean["seen"].item() == 7
    with pytest.raises(SystemExit, match=r"other\.pt: weights of another network"):
        mean_of([one, other])


def test_a_checkpoint_may_count_more_than_another(tmp_path):
    torch = pytest.importorskip("torch", reason="the training needs PyTorch")
    from models.training.loop import write_averaged
    from models.training.mean import mean_of

    one, two = (
        write_averaged({"w": torch.full((2,), value)}, "none", tmp_path / name)
        for name, value in (("one", 0.0), ("two", 3.0))
    )
    assert mean_of([one, two], [1, 2])["w"].tolist() == [2.0, 2.0]
    with pytest.raises(SystemExit, match="1 weights for 2 checkpoints"):
        mean_of([one, two], [1])


def test_after_a_mean_batch_norm_is_settled_on_what_is_seen():
    torch = pytest.importorskip("torch", reason="the training needs PyTorch")
    from models.training.recognizer.net import Recognizer
    from models.training.recognizer.settle import settled

    torch.manual_seed(1)
    net = Recognizer()
    weights = {name: value.clone() for name, value in net.named_parameters()}
    before = net.trunk[1].running_mean.clone()
    crops = np.random.default_rng(1).integers(0, 255, (3, 8, 48, 128), np.uint8)
    net = settled(net, crops)
    assert not torch.equal(net.trunk[1].running_mean, before)
    assert not net.training
    for name, value in net.named_parameters():
        assert torch.equal(value, weights[name])
    first = net.trunk[1].running_mean.clone()
    backwards = settled(net, crops[::-1]).trunk[1].running_mean
    assert torch.allclose(first, backwards, atol=1e-5), "every batch counts as much"


CROPS = 40, 1, 48, 128
INPUTS = {
    "recognizer": CROPS,
    "reviewer": CROPS,
    "aligner": (40, 1, 64, 96),
    "detector": (6, 1, 64, 96),
}


def noise(torch, name):
    """What the network is shown; frames are bytes."""
    dice = torch.Generator().manual_seed(5)
    values = torch.randn(INPUTS[name], generator=dice)
    return (values * 60 + 120).clamp(0, 255).byte() if name == "detector" else values


@pytest.mark.parametrize("name", INPUTS)
def test_what_ships_can_be_trained_further(name):
    torch = pytest.importorskip("torch", reason="the training needs PyTorch")
    import onnx

    from models.training.reopen import NETWORKS
    from models.training.reopening import reopened

    network, samples = NETWORKS[name], noise(torch, name)
    net = network.build()
    reopened(net, network.shipped, onnx.load(f"models/{name}.onnx"), samples)
    with torch.no_grad():
        # The norms take the samples' own statistics: those that were measured.
        as_shipped, as_trained = net.eval()(samples)[0], net.train()(samples)[0]
    assert (as_shipped - as_trained).abs().max() < 2e-2
    other = next(one for one, shape in INPUTS.items() if shape != INPUTS[name])
    with pytest.raises(SystemExit, match="not an export of this network"):
        reopened(net, network.shipped, onnx.load(f"models/{other}.onnx"), samples)


def test_a_network_that_computes_otherwise_than_its_file_is_not_written():
    torch = pytest.importorskip("torch", reason="the training needs PyTorch")
    import onnx

    from models.training.reopen import NETWORKS
    from models.training.reopening import reopened

    network, samples = NETWORKS["recognizer"], noise(torch, "recognizer")
    net, other, file = network.build(), network.build(), "models/recognizer.onnx"
    with pytest.raises(SystemExit, match="differs from it by"):
        reopened(net, lambda _net: network.shipped(other), onnx.load(file), samples)


def test_a_training_goes_on_with_the_detector_that_it_is_given(tmp_path):
    pytest.importorskip("torch", reason="the training needs PyTorch")
    from models.training.detector.net import PlateNet, net_of
    from models.training.loop import write_averaged

    for wide in (True, False):
        weights = PlateNet(wide=wide).state_dict()
        written = write_averaged(weights, "none", tmp_path / str(wide))
        assert net_of(written).state_dict().keys() == weights.keys()
    assert net_of(None).state_dict().keys() == PlateNet(wide=True).state_dict().keys()


@pytest.mark.parametrize("able", [True, False])
def test_short_floats_are_used_only_where_the_processor_has_them(monkeypatch, able):
    torch = pytest.importorskip("torch", reason="the training needs PyTorch")
    from models.training.loop import short_floats

    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": able}, raising=False)
    with short_floats(torch.device("cpu")):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype is (torch.bfloat16 if able else torch.float32)
