"""Generalisation to conditions that were not learnt."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier
from sklearn.svm import LinearSVC

from neuropipe.errors import SettingsError, UnfitRecordingError
from neuropipe.simulate.geometry import conditions, factorised_geometry, random_geometry
from neuropipe.trsa.geometry.arrays import condition_means
from neuropipe.trsa.geometry.dichotomies import balanced_dichotomies
from neuropipe.trsa.geometry.dimensionality import spectrum
from neuropipe.trsa.geometry.generalisation import (
    cross_condition_generalisation,
    generalisation_null,
    rotated_conditions,
)

SIGNS = conditions(3).T


def repeats(patterns: np.ndarray, noise: float, n_repeats: int = 5, seed: int = 0) -> np.ndarray:
    draws = np.random.default_rng(seed).standard_normal((n_repeats, *patterns.shape))
    return patterns + noise * draws


@pytest.mark.parametrize("classifier", ["ridge", "svm", "logistic"])
def test_variables_of_a_box_generalise(classifier) -> None:
    values = repeats(5 * factorised_geometry(3, 30, np.random.default_rng(0)), 0.2)
    found = cross_condition_generalisation(values, SIGNS, classifier=classifier)
    np.testing.assert_array_equal(found.accuracies, 1)
    np.testing.assert_array_equal(found.n_pairs, 16)


@pytest.mark.parametrize("classifier", ["ridge", "svm"])
def test_random_codes_do_not(classifier) -> None:
    found = [
        cross_condition_generalisation(
            random_geometry(3, 60, np.random.default_rng(seed)), SIGNS, classifier=classifier
        ).accuracies.mean()
        for seed in range(25)
    ]
    assert abs(np.mean(found) - 0.5) < 4 * np.std(found) / 5


def test_the_mean_over_all_dichotomies_says_nothing() -> None:
    """By symmetry one half for any geometry, even where three of them generalise perfectly."""
    patterns = factorised_geometry(3, 30, np.random.default_rng(1))
    found = cross_condition_generalisation(patterns, balanced_dichotomies(8))
    assert found.accuracies.max() == 1
    assert found.accuracies.mean() == pytest.approx(0.5)


def test_closed_form_is_the_loop_of_scikit_learn() -> None:
    values = repeats(random_geometry(2, 20, np.random.default_rng(2)), 0.3, 4)
    signs = np.array([1, 1, -1, -1])
    found = cross_condition_generalisation(values, signs, penalty=0.2)
    scores = []
    for first in (0, 1):
        for second in (2, 3):
            learnt = np.setdiff1d(np.arange(4), [first, second])
            train = values[:, learnt].reshape(-1, 20)
            size = ((train - train.mean(axis=0)) ** 2).sum() / len(train)
            model = RidgeClassifier(alpha=0.2 * size).fit(train, np.tile(signs[learnt], 4))
            asked = values[:, [first, second]].reshape(-1, 20)
            right = model.predict(asked) == np.tile(signs[[first, second]], 4)
            scores.append(right.reshape(4, 2).mean(axis=1))
    np.testing.assert_allclose(found.by_repeat[0], np.mean(scores, axis=0))


def test_other_classifiers_are_those_of_scikit_learn() -> None:
    values = repeats(random_geometry(2, 20, np.random.default_rng(3)), 0.3, 4)
    signs = np.array([1, 1, -1, -1])
    found = cross_condition_generalisation(values, signs, classifier="svm")
    scores = []
    for first in (0, 1):
        for second in (2, 3):
            learnt = np.setdiff1d(np.arange(4), [first, second])
            model = LinearSVC(C=1.0, dual=True, random_state=0, max_iter=10_000)
            model.fit(values[:, learnt].reshape(-1, 20), np.tile(signs[learnt], 4))
            asked = values[:, [first, second]].reshape(-1, 20)
            scores.append((model.predict(asked) == np.tile(signs[[first, second]], 4)).mean())
    assert found.accuracies[0] == pytest.approx(np.mean(scores))


def test_many_dichotomies_are_single_ones_together() -> None:
    values = repeats(random_geometry(3, 20, np.random.default_rng(4)), 0.3)
    together = cross_condition_generalisation(values, SIGNS)
    for k, signs in enumerate(SIGNS):
        alone = cross_condition_generalisation(values, signs)
        np.testing.assert_allclose(together.by_repeat[k], alone.by_repeat[0])


def test_missing_trials_are_left_out() -> None:
    values = repeats(5 * factorised_geometry(3, 30, np.random.default_rng(5)), 0.2)
    values[1] = np.nan
    values[0, 2] = np.nan
    found = cross_condition_generalisation(values, SIGNS)
    assert np.isnan(found.by_repeat[:, 1]).all()
    np.testing.assert_array_equal(found.accuracies, 1)


def test_pairs_are_drawn_beyond_a_limit() -> None:
    values = factorised_geometry(4, 30, np.random.default_rng(6))
    found = cross_condition_generalisation(values, conditions(4).T, max_pairs=20)
    assert found.n_pairs.max() <= 20
    np.testing.assert_array_equal(found.accuracies, 1)


def test_rotation_keeps_the_spectrum_and_the_noise() -> None:
    values = repeats(random_geometry(3, 15, np.random.default_rng(7)), 0.3)
    turned = rotated_conditions(values, np.random.default_rng(0))
    np.testing.assert_allclose(spectrum(turned), spectrum(values), rtol=1e-8)
    np.testing.assert_allclose(
        turned - condition_means(turned), values - condition_means(values), atol=1e-10
    )
    assert np.abs(condition_means(turned) - condition_means(values)).max() > 0.1


def test_null_of_a_box_is_wide_about_chance() -> None:
    values = repeats(5 * factorised_geometry(3, 30, np.random.default_rng(8)), 0.2)
    null = generalisation_null(values, SIGNS, n_draws=40)
    assert null.shape == (40, 3)
    assert abs(null.mean() - 0.5) < 0.06
    assert null.std() > 0.05
    assert (null < 1).mean() > 0.95


def test_sides_of_one_condition_and_unknown_classifiers_are_refused() -> None:
    values = repeats(random_geometry(2, 9, np.random.default_rng(9)), 0.1)
    with pytest.raises(UnfitRecordingError, match="two contexts"):
        cross_condition_generalisation(values, np.array([1, -1, -1, -1]))
    with pytest.raises(SettingsError, match="ridge, svm or logistic"):
        cross_condition_generalisation(
            values,
            np.array([1, 1, -1, -1]),
            classifier="forest",  # type: ignore[arg-type]
        )
