"""models/training/whole/: what is hidden on purpose, what is kept of it, and how it is learnt."""

from dataclasses import replace

import numpy as np
import pytest

from agent.core.reading.sighting import PlateBox
from agent.vision.plate_views import CLOSE, Views, network_input
from agent.vision.whole.wholeness import Sight
from bench.spoilt_plates import box
from models.training.data_guard import MeasureOnlyError
from models.training.whole import samples
from models.training.whole.choose import Sure, table
from models.training.whole.hiding import hidden
from models.training.whole.odds import fitted as odds_of
from models.training.whole.samples import KINDS, LUCKY, ROW, STACKED, WHOLE, WRONG, Samples

FEATURES = np.ones((160, 32), np.float32)
CORNERS = box(np.array([120.0, 90.0]), np.array([220.0, 140.0]))


def noise(seed=1):
    return np.random.default_rng(seed).integers(0, 255, (240, 340, 3), np.uint8)


def test_most_things_hide_a_part_of_the_plate_and_none_hides_the_picture():
    image, hides = noise(), []
    for seed in range(80):
        seen = hidden(np.random.default_rng(seed), image, CORNERS)
        assert (seen.shape, seen.dtype) == (image.shape, image.dtype)
        changed = (np.abs(seen.astype(int) - image) > 30).any(axis=2)
        assert changed.mean() < 0.7
        hides.append(changed[90:140, 120:220].mean() > 0.03)
    assert np.mean(hides) > 0.85


def test_what_hides_is_drawn_anew_each_time_and_the_same_from_one_seed():
    one, same, other = (hidden(np.random.default_rng(s), noise(), CORNERS) for s in (3, 3, 4))
    assert (one == same).all()
    assert (one != other).any()


def test_a_read_is_judged_by_the_whole_plates_text():
    assert samples.judged("TST123", "TST123", hides=False) == WHOLE
    assert samples.judged("TST123", "TST123", hides=True) == LUCKY
    assert samples.judged("TST12", "TST123", hides=True) == WRONG


def kept(numbers):
    count = len(numbers)
    return Samples(
        np.arange(count, dtype=np.uint8)[:, None, None] * np.ones((1, 96, 192), np.uint8),
        np.zeros((count, 160, 32), np.float16),
        np.zeros((count, 160, 32), np.float16),
        np.zeros((count, 26), np.float32),
        np.arange(count) % len(KINDS),
        np.zeros(count, np.int64),
        np.array(numbers),
        np.ones(count, np.float32),
    )


def test_files_are_read_as_one(tmp_path):
    for name, numbers in (("a.npz", [1, 2]), ("b.npz", [3])):
        one = kept(numbers)
        np.savez(tmp_path / name, **{n: getattr(one, n) for n in Samples.__slots__})
    assert samples.load([tmp_path / "a.npz", tmp_path / "b.npz"]).number.tolist() == [1, 2, 3]


def test_where_no_other_recogniser_was_named_its_features_are_the_same_ones(tmp_path):
    one = replace(kept([1, 2]), features=np.full((2, 160, 32), 3, np.float16))
    columns = {n: getattr(one, n) for n in Samples.__slots__}
    np.savez(tmp_path / "both.npz", **columns)
    del columns["former"]
    np.savez(tmp_path / "one.npz", **columns)
    seen = samples.load([tmp_path / "both.npz", tmp_path / "one.npz"])
    assert seen.features[:, 0, 0].tolist() == [3, 3, 3, 3]
    assert seen.former[:, 0, 0].tolist() == [0, 0, 3, 3]


def test_the_former_recogniser_looks_at_the_same_crop():
    image = noise()
    at = PlateBox((120.0, 90.0, 100.0, 50.0), tuple(map(tuple, CORNERS.tolist())), 0.9)
    sight = Sight("TST123", (0.1, 0.3, 0.4, 0.6, 0.7, 0.9), (1, 0, 0, 0), FEATURES, 0.9)
    asked = []

    class Former:
        def run(self, _names, given):
            asked.append(given["crop"])
            logits = np.zeros((1, 32, 37), np.float32)
            return logits, np.zeros((1, 4), np.float32), np.full((1, 160, 32), 7, np.float32)

    recorder = samples.Recorder()
    recorder(image, at, sight)
    assert recorder.last[1] is recorder.last[2] is FEATURES
    recorder.former = Views(Former())
    recorder(image, at, sight)
    assert (recorder.last[1] is FEATURES, recorder.last[2][0, 0]) == (True, 7)
    assert (asked[0][0, 0] == network_input(image, at, CLOSE)).all()


def test_measure_only_photographs_are_neither_kept_nor_learnt(tmp_path):
    with pytest.raises(MeasureOnlyError):
        samples.photographed(None, tmp_path / "benchmark_dev", 1, 1)
    with pytest.raises(MeasureOnlyError):
        samples.load([tmp_path / "us_crops_dev.npz"])


def test_the_network_begins_with_the_aligner_and_keeps_its_first_convolutions():
    torch = pytest.importorskip("torch", reason="the training needs PyTorch")
    import onnx

    from models.training.reopening import layers_of
    from models.training.whole import train
    from models.training.whole.net import WholeNet

    torch.manual_seed(1)
    net = WholeNet().eval()
    some = kept(range(64))
    aligner = onnx.load(train.ALIGNER)
    net.begin_with(aligner, some.signs)
    some = replace(some, kind=np.where(np.arange(64) % 2, WHOLE, WRONG))
    seen = train.seen_by(net, some.around)
    assert seen.shape == (64, 48, 12, 24)
    lesson = train.lesson(some, seen)
    train.train(net, lesson, epochs=1, rate=1e-3)
    kept_layers = [layer for layer in net.first if hasattr(layer, "weight")]
    assert len(kept_layers) == 4
    for layer, (weight, offset) in zip(kept_layers, layers_of(aligner), strict=False):
        assert (layer.weight.numpy() == weight).all()
        assert (layer.bias.numpy() == offset).all()
    empty = (torch.zeros(2, *shape) for shape in ((1, 96, 192), (160, 32), (26,)))
    assert net(*empty).shape == (2, 3)


def test_a_training_goes_on_from_what_ships():
    torch = pytest.importorskip("torch", reason="the training needs PyTorch")
    import onnx
    import onnxruntime

    from models.training.whole import export, train
    from models.training.whole.net import WholeNet

    net = WholeNet().eval()
    net.go_on_from(onnx.load(export.TARGET))
    given = list(export.examples(7))
    fed = {name: one.numpy() for name, one in zip(export.INPUTS, given, strict=True)}
    (said,) = onnxruntime.InferenceSession(export.TARGET).run(["chances"], fed)
    with torch.inference_mode():
        mine = export.ShippedWholeNet(net, export.LIMITS)(*given).numpy()
    assert mine == pytest.approx(said, abs=1e-3)

    some = replace(kept(range(6)), kind=np.int64([WHOLE, WRONG, WRONG, STACKED, ROW, WHOLE]))
    lesson = train.lesson(some, train.seen_by(net, some.around))
    again = train.as_before(net, lesson, some.former)
    assert (again.wanted[:, 0] == lesson.wanted[:, 0]).all()
    assert not (again.wanted[:, 1:] == lesson.wanted[:, 1:]).any()
    other = np.random.default_rng(5).normal(size=some.features.shape).astype(np.float16)
    now = train.as_before(net, replace(lesson, features=other), some.former)
    assert (now.wanted == again.wanted).all(), "what is said is said by the former features"
    assert (now.features == other).all()
    with pytest.raises(SystemExit, match=r"not a wholeness\.onnx"):
        net.go_on_from(onnx.load(train.ALIGNER))


def test_what_hides_and_does_not_mislead_counts_less_than_what_does():
    pytest.importorskip("torch", reason="the training needs PyTorch")
    from models.training.whole import train

    some = replace(kept(range(5)), sure=np.float32([1, 1, 1, 0.5, 0.5]))
    lesson = train.lesson(some, np.zeros((5, 1), np.float16))
    assert lesson.wanted.tolist() == [[0, 0, 0], [1, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 1]]
    counts = lesson.counts.tolist()
    assert counts[0] == counts[1] > counts[3] > counts[2]


def test_convolutions_that_pictures_taught_are_taken_over_and_nothing_else():
    torch = pytest.importorskip("torch", reason="the training needs PyTorch")
    from models.training.whole.net import WholeNet
    from models.training.whole.see import Seer

    torch.manual_seed(1)
    net, other = WholeNet(), WholeNet()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    net.look_with(Seer(other).state_dict())
    for name, value in net.state_dict().items():
        if name.startswith(("first.", "then.")):
            assert (value == other.state_dict()[name]).all()
        else:
            assert (value == before[name]).all()


def test_several_teachers_give_the_mean_of_their_first_answers(tmp_path):
    torch = pytest.importorskip("torch", reason="the training needs PyTorch")
    from models.training.loop import write_averaged
    from models.training.whole import train
    from models.training.whole.net import WholeNet

    torch.manual_seed(1)
    nets = [WholeNet().eval() for _ in range(2)]
    files = [
        write_averaged(net.state_dict(), "none", tmp_path / str(number))
        for number, net in enumerate(nets)
    ]
    some = kept(range(5))
    given = train.lesson(some, np.zeros((5, 1), np.float16))
    taught = train.taught(files, some, given)
    each = [
        train.answers(net, replace(given, seen=train.seen_by(net, some.around))) for net in nets
    ]
    mean = ((each[0] + each[1]) / 2).sigmoid()
    assert taught.wanted[:, 0].numpy() == pytest.approx(mean[:, 0].numpy(), abs=1e-6)
    assert (taught.wanted[:, 1:] == given.wanted[:, 1:]).all()
    assert len(set(taught.counts.tolist())) == 1 < len(set(given.counts.tolist()))
    other = np.random.default_rng(5).normal(size=some.features.shape).astype(np.float16)
    now = train.taught(files, replace(some, features=other), replace(given, features=other))
    assert (now.wanted == taught.wanted).all(), "teachers answer by the former features"
    assert (now.features == other).all()
    twice = train.taught([files[0], *files], some, given).wanted[:, 0]
    mean = ((2 * each[0] + each[1]) / 3).sigmoid()
    assert twice.numpy() == pytest.approx(mean[:, 0].numpy(), abs=1e-6)


def test_who_is_to_be_taught_drops_less():
    pytest.importorskip("torch", reason="the training needs PyTorch")
    from torch import nn

    from models.training.whole.net import WholeNet

    net = WholeNet()
    net.drop(0.2)
    assert {one.p for one in net.head if isinstance(one, nn.Dropout)} == {0.2}


def test_the_lesson_of_pictures_asks_where_a_thing_is_and_nothing_of_what_is_unknown():
    torch = pytest.importorskip("torch", reason="the training needs PyTorch")
    from models.training.whole import pictures, see
    from models.training.whole.net import WholeNet

    torch.manual_seed(1)
    net = see.Seer(WholeNet()).eval()
    lesson = next(pictures.lessons(1, noise()[None, :96, :192, 0]))
    fine, coarse, hides = net(torch.from_numpy(lesson.pictures))
    assert (fine.shape, coarse.shape) == (lesson.fine.shape, lesson.coarse.shape)
    assert hides.shape == lesson.hides.shape
    losses = see.losses_of(net, lesson)
    assert set(losses) == {"fine", "coarse", "hides"}
    unknown = replace(lesson, hides=np.full_like(lesson.hides, pictures.UNKNOWN))
    assert see.losses_of(net, unknown)["hides"] == 0
    sum(losses.values()).backward()
    assert all(one.grad is not None for one in net.first.parameters())


def test_the_exported_network_answers_a_half_where_an_answer_begins_to_count(tmp_path):
    torch = pytest.importorskip("torch", reason="the training needs PyTorch")
    import onnxruntime

    from models.training.loop import write_averaged
    from models.training.whole import export
    from models.training.whole.net import WholeNet

    torch.manual_seed(1)
    net = WholeNet()
    checkpoint = write_averaged(net.state_dict(), "none", tmp_path)
    given = list(export.examples(1))
    with torch.inference_mode():
        limits = export.shipped(checkpoint, (0.0, 0.0, 0.0)).net(*given)[0].tolist()
    model = export.to_onnx(export.shipped(checkpoint, limits))
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    fed = {name: one.numpy() for name, one in zip(export.INPUTS, given, strict=True)}
    assert session.run(["chances"], fed)[0] == pytest.approx(np.full((1, 3), 0.5), abs=1e-5)
    weights = sum(value.numel() for value in net.parameters())
    assert len(model) < 2.2 * weights, "weights of 16 bits"


def test_a_threshold_tells_what_it_keeps_and_what_it_lets_through():
    reads = [
        Sure("whole", right=True, chance=0.05),
        Sure("whole", right=True, chance=0.62),
        Sure("hidden", right=True, chance=0.3),
        Sure("hidden", right=False, chance=0.55),
    ]
    columns = [list(column.cells) for column in table(reads).columns]
    rows = {row[0]: row[1:] for row in zip(*columns, strict=True)}
    assert rows["0.1"] == ("1", "0", "0")
    assert rows["0.5"] == ("1", "1", "0")
    assert rows["0.6"] == ("1", "2", "1")
    assert rows["0.7"] == ("2", "2", "1")


def test_the_fit_finds_how_often_a_text_is_right_though_its_plate_is_hidden():
    """As if one plate in ten were hidden, however many of the samples are."""
    rng = np.random.default_rng(8)
    reads = []
    for how, count in (("whole", 6000), ("hidden", 12000)):
        chances = rng.uniform(0, 1, count)
        right = rng.random(count) < (1 - chances if how == "hidden" else 0.9)
        reads += map(Sure, (how,) * count, right.tolist(), chances.tolist())
    odds, fall = odds_of(reads, 0.45)
    for chance in (0.5, 0.7, 0.9):
        told = 1 / (1 + np.exp(fall * np.log(chance / (1 - chance)) - odds))
        assert told == pytest.approx(0.9 * 0.9 + 0.1 * (1 - chance), abs=0.03)


def test_the_weights_of_plain_signs_foretell_what_the_network_objects_to():
    pytest.importorskip("torch", reason="the training needs PyTorch")
    from models.training.whole import plain

    rng = np.random.default_rng(3)
    some = replace(
        kept(range(400)),
        signs=rng.normal(size=(400, 26)).astype(np.float32),
        kind=np.where(np.arange(400) % 2, WHOLE, WRONG),
    )
    lines = [plain.SIGNS.index(name) for name in plain.LINES]
    some.signs[:, lines] = 100.0  # that no weight must see
    objected = some.signs[:, 0] > 0.5
    columns = plain.columns_of(some)
    assert columns.shape == (400, 25)
    weights, offset = plain.fitted(columns, objected)
    doubts = columns @ weights + offset
    assert np.mean((doubts > 0) == objected) > 0.9
    assert abs(weights[0]) > 5 * abs(weights[1])
    (line, *_) = plain.table(some, doubts, objected)
    assert f"spared 20% of {int((some.kind == WHOLE).sum())} sure whole plates" in line
