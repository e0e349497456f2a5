"""Shattering dimensionality of codes that allow much or little."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier

from neuropipe.errors import UnfitRecordingError
from neuropipe.simulate.geometry import factorised_geometry, random_geometry
from neuropipe.trsa.geometry.dichotomies import balanced_dichotomies
from neuropipe.trsa.geometry.shattering import decoding_null, shattering_dimensionality


def repeats(patterns: np.ndarray, noise: float, n_repeats: int = 6, seed: int = 0) -> np.ndarray:
    draws = np.random.default_rng(seed).standard_normal((n_repeats, *patterns.shape))
    return patterns + noise * draws


def test_random_codes_shatter_and_boxes_do_not() -> None:
    rng = np.random.default_rng(0)
    rich = shattering_dimensionality(repeats(10 * random_geometry(3, 100, rng), 0.5))
    poor = shattering_dimensionality(repeats(10 * factorised_geometry(3, 100, rng), 0.5))
    assert rich.dimensionality > 0.98
    assert poor.dimensionality < 0.8
    assert rich.n_possible == len(rich.dichotomies) == 35


def test_planes_of_a_box_are_faces_and_corners() -> None:
    """Of 35 halvings of a cube, 3 faces and 4 corners with their neighbours are separable."""
    values = repeats(10 * factorised_geometry(3, 100, np.random.default_rng(1)), 0.1)
    accuracies = shattering_dimensionality(values).accuracies
    assert (accuracies == 1).sum() == 7
    assert np.sort(accuracies)[-8] <= 0.85


def test_noise_alone_is_at_chance() -> None:
    values = np.random.default_rng(2).standard_normal((8, 8, 40))
    found = shattering_dimensionality(values)
    assert abs(found.dimensionality - 0.5) < 0.06


def test_all_at_once_is_the_loop_of_scikit_learn() -> None:
    values = repeats(random_geometry(3, 30, np.random.default_rng(3)), 0.4)
    found = shattering_dimensionality(values, penalty=0.1)
    expected = np.zeros((35, 6))
    for d, signs in enumerate(balanced_dichotomies(8)):
        for r in range(6):
            train = np.delete(values, r, axis=0).reshape(-1, 30)
            size = ((train - train.mean(axis=0)) ** 2).sum() / len(train)
            model = RidgeClassifier(alpha=0.1 * size).fit(train, np.tile(signs, 5))
            expected[d, r] = (model.predict(values[r]) == signs).mean()
    np.testing.assert_allclose(found.by_repeat, expected)


def test_dichotomies_are_drawn_beyond_a_limit() -> None:
    values = repeats(random_geometry(4, 20, np.random.default_rng(4)), 0.2, 3)
    found = shattering_dimensionality(values, max_dichotomies=50, seed=1)
    assert found.dichotomies.shape == (50, 16)
    assert found.n_possible == 6435
    again = shattering_dimensionality(values, max_dichotomies=50, seed=1)
    np.testing.assert_array_equal(found.dichotomies, again.dichotomies)


def test_missing_trials_are_left_out() -> None:
    values = repeats(10 * random_geometry(3, 100, np.random.default_rng(5)), 0.5)
    values[2, 3] = np.nan
    assert shattering_dimensionality(values).dimensionality > 0.97


def test_null_is_centred_and_covers_noise() -> None:
    values = np.random.default_rng(6).standard_normal((6, 8, 20))
    signs = balanced_dichotomies(8)[:5]
    null = decoding_null(values, signs, n_permutations=300)
    assert null.shape == (300, 5)
    np.testing.assert_allclose(null.mean(axis=0), 0.5, atol=0.05)
    observed = shattering_dimensionality(values).accuracies[:5]
    low, high = np.quantile(null, [0.001, 0.999], axis=0)
    assert ((low <= observed) & (observed <= high)).all()


def test_null_of_a_strong_code_is_below_it() -> None:
    values = repeats(10 * random_geometry(3, 100, np.random.default_rng(7)), 0.5)
    null = decoding_null(values, balanced_dichotomies(8)[:2], n_permutations=50)
    assert null.max() < 0.9


def test_an_odd_number_of_conditions_is_refused() -> None:
    with pytest.raises(UnfitRecordingError, match="even"):
        shattering_dimensionality(np.random.default_rng(8).standard_normal((3, 7, 5)))
