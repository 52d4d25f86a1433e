"""A plate as a video encoder leaves it: same size, same by seed, worse with a coarser encoder, and
nothing invented on empty ground.
"""

import cv2
import numpy as np
import pytest

from models.training.render import video


def plate() -> np.ndarray:
    """Characters on a light ground, of sides that are no whole blocks."""
    levels = np.full((53, 111), 210, np.uint8)
    cv2.putText(levels, "AB1234", (6, 38), cv2.FONT_HERSHEY_SIMPLEX, 0.9, 40, 2, cv2.LINE_AA)
    return levels


def loss(before: np.ndarray, after: np.ndarray) -> float:
    """Mean difference, grey levels."""
    return float(np.abs(before.astype(int) - after).mean())


def film(levels: np.ndarray, seed: int) -> np.ndarray:
    """Filmed with that seed."""
    return video.filmed(np.random.default_rng(seed), levels)


@pytest.mark.parametrize("seed", range(12))
def test_size_and_content_stay_and_the_seed_decides(seed: int) -> None:
    levels = plate()
    once = film(levels, seed)
    assert once.shape == levels.shape
    assert once.dtype == np.uint8
    assert 0 < loss(levels, once) < 25
    np.testing.assert_array_equal(once, film(levels, seed))


@pytest.mark.parametrize("h264_share", [0.0, 1.0])
def test_a_coarser_encoder_loses_more(monkeypatch: pytest.MonkeyPatch, h264_share: float) -> None:
    """Either codec alone."""

    def mean_loss(factor: tuple[float, float], quantiser: tuple[int, int]) -> float:
        monkeypatch.setattr(video, "FACTOR", factor)
        monkeypatch.setattr(video, "QUANTISER", quantiser)
        monkeypatch.setattr(video, "H264_SHARE", h264_share)
        return float(np.mean([loss(plate(), film(plate(), seed)) for seed in range(6)]))

    assert mean_loss((18.0, 20.0), (2, 4)) * 2 < mean_loss((40.0, 42.0), (26, 31))


def test_empty_ground_stays_empty() -> None:
    levels = np.full((40, 90), 130, np.uint8)
    assert max(loss(levels, film(levels, seed)) for seed in range(6)) <= 2


def test_the_frame_before_shows_the_same_elsewhere() -> None:
    levels = plate()
    moved = [video.before(np.random.default_rng(seed), levels) for seed in range(8)]
    assert all(frame.shape == levels.shape for frame in moved)
    assert min(loss(levels, frame) for frame in moved) > 1


def test_little_contrast_is_coded_finer() -> None:
    clear, faint = plate(), (plate() // 10 + 40).astype(np.uint8)
    both = [
        (
            video.factor(np.random.default_rng(seed), clear),
            video.factor(np.random.default_rng(seed), faint),
        )
        for seed in range(20)
    ]
    assert all(video.FINEST <= finer < coarser <= video.FACTOR[1] + 1 for coarser, finer in both)
