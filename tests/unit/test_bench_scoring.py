"""bench/scoring.py against its definition, and against the script that it was defined by where that
lies beside the photographs.
"""

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

from agent.errors import UsageError
from bench import scoring
from bench.scoring import (
    Guess,
    TrueImage,
    TruePlate,
    char_accuracy,
    edits,
    load_benchmark,
    plain,
    score_image,
    spread,
)

REFERENCE = Path(os.environ.get("PLATEWARDEN_PLATES", "../shared/plates")).parent / "score.py"


def image(*plates):
    return TrueImage("us", Path("x.jpg"), tuple(TruePlate(box, text) for box, text in plates))


def only(score):
    (outcome,) = score.outcomes
    return outcome


class TestTexts:
    @pytest.mark.parametrize(
        ("text", "kept"), [("tst-48 21", "TST4821"), ("ÄB·1", "B1"), ("", ""), ("oqi1", "OQI1")]
    )
    def test_only_letters_and_digits_count(self, text, kept):
        assert plain(text, fold=False) == kept

    def test_folding_reads_o_and_q_as_0_and_i_as_1(self):
        assert plain("oQ0iI1L", fold=True) == "000111L"

    @pytest.mark.parametrize(
        ("a", "b", "expected"),
        [
            ("", "", 0),
            ("TEST1", "TEST1", 0),
            ("TEST1", "", 5),
            ("TEST1", "TST1", 1),
            ("ABC", "BCA", 2),
            ("FAKE", "FACE", 1),
        ],
    )
    def test_edits(self, a, b, expected):
        assert edits(a, b) == edits(b, a) == expected

    def test_characters_count_by_the_longer_text(self):
        assert char_accuracy("TEST", "TEST12") == pytest.approx(4 / 6)
        assert char_accuracy("", "") == 1


class TestPairing:
    def test_the_guess_that_overlaps_most_counts_not_the_surest(self):
        near, far = Guess((1, 0, 100, 30), "WRONG1", 0.2), Guess((60, 0, 100, 30), "TEST1", 0.99)
        outcome = only(score_image(image(((0, 0, 100, 30), "TEST1")), [far, near]))
        assert (outcome.exact, outcome.confidence) == (False, 0.2)

    def test_found_depends_on_the_threshold(self):
        outcome = only(
            score_image(image(((0, 0, 10, 10), "TEST1")), [Guess((0, 0, 10, 4), "TEST1", 0.9)])
        )
        assert outcome.overlap == pytest.approx(0.4)
        assert outcome.found(0.3)
        assert not outcome.found(0.5)

    def test_nothing_guessed(self):
        outcome = only(score_image(image(((0, 0, 10, 10), "TEST1")), []))
        assert (
            outcome.overlap,
            outcome.exact,
            outcome.folded,
            outcome.char_accuracy,
            outcome.confidence,
        ) == (0, False, False, 0, 0)

    def test_a_guess_elsewhere_lends_the_plate_nothing(self):
        outcome = only(
            score_image(image(((0, 0, 10, 10), "TEST1")), [Guess((50, 50, 10, 10), "TEST1", 0.9)])
        )
        assert (outcome.overlap, outcome.exact, outcome.confidence) == (0, False, 0)

    def test_folded_forgives_what_exact_does_not(self):
        outcome = only(
            score_image(image(((0, 0, 10, 10), "T0 1A")), [Guess((0, 0, 10, 10), "TOIA", 0.9)])
        )
        assert (
            outcome.exact,
            outcome.folded,
            outcome.char_accuracy,
            outcome.char_accuracy_folded,
        ) == (False, True, 0.5, 1)

    def test_extra_guesses_are_those_at_no_plate(self):
        plates = image(((0, 0, 10, 10), "TEST1"))
        guesses = [
            Guess((0, 0, 10, 4), "TEST1", 0.9),
            Guess((50, 0, 10, 10), "SIGN", 0.95),
            Guess((80, 0, 10, 10), "", 0.95),
            Guess((90, 0, 9, 9), "SIGN", 0.5),
        ]
        score = score_image(plates, guesses)
        assert score.extra == (3, 4)
        assert score.extra_sure == 1, "with a text, and said at 0.9"


class TestFolder:
    def test_images_and_plates_by_region(self, tmp_path):
        for region, name, lines in (
            ("us", "a", "a.jpg\t1\t2\t30\t10\tTST 1\n"),
            ("us", "b", "b.jpg\t1\t2\t3\t4\tTST2\nb.jpg\t5\t6\t7\t8\tTST3\n"),
            ("eu", "c", "\nc.png\t1\t2\t3\t4\tTST4\r\n"),
        ):
            (tmp_path / region).mkdir(exist_ok=True)
            (tmp_path / region / f"{name}.txt").write_text(lines)
        images = load_benchmark(tmp_path)
        assert [(one.region, one.path.name, len(one.plates)) for one in images] == [
            ("eu", "c.png", 1),
            ("us", "a.jpg", 1),
            ("us", "b.jpg", 2),
        ]
        assert images[0].plates == (TruePlate((1, 2, 3, 4), "TST4"),)
        assert [one.path.name for one in load_benchmark(tmp_path, 1)] == ["c.png", "a.jpg"]

    @pytest.mark.parametrize(
        "line",
        [
            "a.jpg\t1\t2\t3\tTST1",
            "a.jpg\t1\t2\t3\tx\tTST1",
            "a.jpg 1 2 3 4 TST1",
            "../../a.jpg\t1\t2\t3\t4\tTST1",
        ],
    )
    def test_an_odd_line_is_named(self, tmp_path, line):
        (tmp_path / "us").mkdir()
        (tmp_path / "us" / "a.txt").write_text(line)
        with pytest.raises(UsageError, match=r"us/a\.txt:1: "):
            load_benchmark(tmp_path)

    def test_a_folder_without_truth(self, tmp_path):
        with pytest.raises(UsageError, match="no plates with their truth"):
            load_benchmark(tmp_path)

    def test_a_quick_look_is_spread_over_the_folder(self):
        assert spread(range(10), 4) == [0, 2, 5, 7]
        assert spread(range(3), 4) == [0, 1, 2]


@pytest.mark.skipif(
    not REFERENCE.is_file(), reason="no score.py beside the photographs: set PLATEWARDEN_PLATES"
)
@pytest.mark.parametrize("fold", [False, True])
@pytest.mark.parametrize("threshold", scoring.THRESHOLDS)
def test_the_same_scores_as_the_reference(fold, threshold):
    spec = importlib.util.spec_from_file_location("reference_score", REFERENCE)
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    reference.fold = fold
    rng = np.random.default_rng(7)
    truth, predictions, scores = {}, {}, []
    for number in range(200):
        plates = [
            (tuple(rng.uniform(0, 60, 2)) + tuple(rng.uniform(10, 60, 2)), drawn(rng))
            for _ in range(rng.integers(1, 4))
        ]
        moved = [
            (
                tuple(np.array(box) * rng.uniform(0.8, 1.25, 4)),
                text if rng.random() < 0.4 else drawn(rng),
            )
            for box, text in plates * 2
            if rng.random() < 0.6
        ]
        truth[f"{number}.jpg"] = [(list(box), reference.plain(text)) for box, text in plates]
        predictions[f"{number}.jpg"] = {
            "plates": [{"text": text, "box": list(box)} for box, text in moved]
        }
        scores.append(score_image(image(*plates), [Guess(box, text, 0.5) for box, text in moved]))
    tally, _cpu = reference.score(truth, predictions, threshold)
    found = [outcome for score in scores for outcome in score.outcomes if outcome.found(threshold)]
    assert 50 < tally["exact"] < tally["found"] < tally["plates"], "the sample tells"
    assert tally["plates"] == sum(len(score.outcomes) for score in scores)
    assert tally["found"] == len(found)
    assert tally["exact"] == sum(outcome.folded if fold else outcome.exact for outcome in found)
    assert tally["chars"] == pytest.approx(
        sum(outcome.char_accuracy_folded if fold else outcome.char_accuracy for outcome in found)
    )
    assert tally["extra"] == sum(
        score.extra[scoring.THRESHOLDS.index(threshold)] for score in scores
    )


def drawn(rng):
    return "".join(rng.choice(list("O0Q1IABc-7 "), rng.integers(1, 7)))
