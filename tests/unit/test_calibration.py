"""What the mean of several crops is worth (agent/vision/plate_views.py), and how that is fitted."""

from itertools import pairwise

import numpy as np
import pytest

from agent.vision.ctc import Reading
from agent.vision.plate_views import (
    ASKED_AGAIN_FROM,
    HOPELESS,
    TOLD_AS_SURE,
    beta,
    calibrated,
    worth,
)
from agent.vision.whole.second_look import JUDGED_FROM
from models.training.recognizer.calibrate import Doubtful, fitted, loss

MEANS = [number / 200 for number in range(201)]


def reading(text, probability, characters=None):
    return Reading(text, probability, characters or (probability,) * len(text))


def test_more_never_becomes_less():
    assert all(worth(low) < worth(high) for low, high in pairwise(MEANS))


@pytest.mark.parametrize("mean", [0.0, 1.0])
def test_nothing_stays_nothing_and_certainty_certainty(mean):
    assert worth(mean) == mean


@pytest.mark.parametrize("mean", [0.3, 0.55, 0.8, 0.85])
def test_what_several_crops_read_is_less_doubtful_than_their_mean(mean):
    best, other = calibrated([reading("TEST123", mean), reading("TEST128", (1 - mean) / 2)])
    assert mean < best.probability < 1
    assert other.probability / (1 - best.probability) == pytest.approx(0.5)


def test_a_character_is_as_likely_as_the_whole_text_at_least():
    (best,) = calibrated([reading("AB1", 0.6, (0.99, 0.5, 0.7))])
    assert best.char_confidence == (0.99, best.probability, best.probability)


def test_two_crops_that_would_be_told_as_sure_have_a_third_asked():
    assert worth(ASKED_AGAIN_FROM) <= TOLD_AS_SURE < worth(ASKED_AGAIN_FROM + 0.01)


def test_what_was_hopeless_does_not_become_worth_a_second_look():
    assert worth(HOPELESS) < JUDGED_FROM


def drawn(count, worth, seed):
    rng = np.random.default_rng(seed)
    means = rng.uniform(0.05, 0.97, count)
    right = np.array([rng.random() < worth(mean) for mean in means], float)
    return Doubtful(means, right, np.full(count, 1 / count))


@pytest.mark.parametrize("truth", [(1.0, 1.0, 0.0), (1.7, 0.4, 1.8), (0.6, 1.2, -0.3)])
def test_the_fit_finds_how_often_such_texts_are_right(truth):
    found = fitted([drawn(20_000, lambda mean: beta(mean, *truth), 5)])
    for mean in (0.1, 0.3, 0.5, 0.8, 0.95):
        assert beta(mean, *found) == pytest.approx(beta(mean, *truth), abs=0.02)


@pytest.mark.parametrize("truth", [(2.4, -0.5, 1.5), (-0.5, 2.0, 1.5)])
def test_a_fit_never_makes_less_of_more(truth):
    """Where few texts are nearly sure, chance can have it that more of them are wrong."""
    found = fitted([drawn(2_000, lambda mean: beta(mean, *truth), 5)])
    told = [beta(mean, *found) for mean in MEANS]
    assert all(low <= high for low, high in pairwise(told))
    assert min(found[:2]) == 0 < max(found[:2])


def test_each_set_counts_the_same_however_large_it_is():
    modest = drawn(4_000, lambda mean: beta(mean, 1, 1, 1.5), 6)
    honest = drawn(400, lambda mean: mean, 7)
    between = beta(0.5, *fitted([modest, honest]))
    assert 0.5 + 0.1 < between < beta(0.5, 1, 1, 1.5) - 0.1
    own = fitted([modest])
    assert loss(modest, own) < loss(modest, (1.0, 1.0, 0.0))
