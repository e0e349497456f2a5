"""Intrinsic dimension of clouds whose dimension is known."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.errors import UnfitRecordingError
from neuropipe.trsa.geometry.intrinsic import levina_bickel_dimension, two_nn_dimension

ESTIMATORS = [two_nn_dimension, levina_bickel_dimension]


def cloud(d: int, n: int = 1500, p: int = 20, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.standard_normal((p, d)))[0]
    return rng.random((n, d)) @ axes.T


@pytest.mark.parametrize("estimate", ESTIMATORS)
@pytest.mark.parametrize("d", [1, 2, 4])
def test_flat_clouds(estimate, d: int) -> None:
    assert estimate(cloud(d)) == pytest.approx(d, rel=0.12)


@pytest.mark.parametrize("estimate", ESTIMATORS)
def test_a_curved_line_has_one_dimension(estimate) -> None:
    t = np.sort(np.random.default_rng(1).random(1000)) * 6
    spiral = np.stack([t * np.cos(2 * t), t * np.sin(2 * t), t], axis=1)
    assert estimate(spiral) == pytest.approx(1, rel=0.1)
    spread = np.linalg.svd(spiral - spiral.mean(axis=0), compute_uv=False)
    assert (spread**2).sum() ** 2 / (spread**4).sum() > 1.8  # linear measures see more


@pytest.mark.parametrize("estimate", ESTIMATORS)
def test_scale_rotation_and_repeated_points_change_nothing(estimate) -> None:
    points = cloud(2, n=300)
    rotation = np.linalg.qr(np.random.default_rng(2).standard_normal((20, 20)))[0]
    expected = estimate(points)
    assert estimate(5 * points @ rotation + 1) == pytest.approx(expected, rel=1e-6)
    assert estimate(np.vstack([points, points[:40]])) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("estimate", ESTIMATORS)
def test_few_points_are_refused(estimate) -> None:
    with pytest.raises(UnfitRecordingError, match="distinct"):
        estimate(np.repeat(cloud(2, n=5), 20, axis=0))


def test_more_neighbours_need_more_points() -> None:
    with pytest.raises(UnfitRecordingError, match="at least 32"):
        levina_bickel_dimension(cloud(2, n=20), n_neighbours=(10, 30))


def test_noise_adds_dimensions_at_its_own_scale() -> None:
    points = cloud(1, n=1000)
    noisy = points + 0.01 * np.random.default_rng(3).standard_normal(points.shape)
    assert two_nn_dimension(noisy) > 3 * two_nn_dimension(points)


def test_discarding_less_keeps_outliers() -> None:
    points = cloud(3, n=400, seed=4)
    whole, cut = (two_nn_dimension(points, discarded=share) for share in (0.0, 0.1))
    assert whole != cut
    assert cut == pytest.approx(3, rel=0.2)
