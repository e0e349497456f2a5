"""Trials in unequal numbers: as if every pair of trials had been visited."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropipe.errors import InputError, SettingsError
from neuropipe.trsa.estimation.unbalanced import crossvalidated_trials, euclidean_trials, fold_means
from neuropipe.trsa.noise import Noise


def trials_of(n_trials=40, n_conditions=5, n_folds=3, n_channels=7, seed=0):
    rng = np.random.default_rng(seed)
    condition = np.concatenate(
        [np.arange(n_conditions), rng.integers(0, n_conditions, n_trials - n_conditions)]
    )
    fold = rng.integers(0, n_folds, n_trials)
    signal = rng.standard_normal((n_conditions, n_channels))
    return signal[condition] + rng.standard_normal((n_trials, n_channels)), condition, fold


def by_pairs(values, condition, different, n):
    """Similarity over all ordered pairs of trials that `different` allows."""
    total, weight = np.zeros((n, n)), np.zeros((n, n))
    for a, b in itertools.product(range(len(values)), repeat=2):
        if different(a, b):
            products = values[a] * values[b]
            known = np.isfinite(products)
            total[condition[a], condition[b]] += products[known].sum()
            weight[condition[a], condition[b]] += known.sum()
    with np.errstate(invalid="ignore"):
        similarity = total / weight
    own = np.diag(similarity)
    return (own[:, None] + own - 2 * similarity)[np.triu_indices(n, 1)]


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.floats(0, 0.3))
def test_estimates_are_means_over_pairs_of_trials(seed, lacking):
    values, condition, fold = trials_of(25, seed=seed)
    values[np.random.default_rng(seed).random(values.shape) < lacking] = np.nan
    np.testing.assert_allclose(
        crossvalidated_trials(values, condition, fold),
        by_pairs(values, condition, lambda a, b: fold[a] != fold[b], 5),
        atol=1e-11,
    )
    np.testing.assert_allclose(
        euclidean_trials(values, condition),
        by_pairs(values, condition, lambda a, b: True, 5),
        atol=1e-11,
    )


def test_euclidean_distances_are_those_of_means():
    values, condition, _ = trials_of()
    mean = np.stack([values[condition == k].mean(axis=0) for k in range(5)])
    rows, columns = np.triu_indices(5, 1)
    np.testing.assert_allclose(
        euclidean_trials(values, condition), ((mean[rows] - mean[columns]) ** 2).mean(axis=1)
    )


@pytest.mark.parametrize("gaps", [False, True])
def test_parity_with_rsatoolbox(gaps):
    toolbox = pytest.importorskip("rsatoolbox")
    values, condition, fold = trials_of()
    if gaps:
        values[np.random.default_rng(1).random(values.shape) < 0.1] = np.nan
    data = toolbox.data.Dataset(values, obs_descriptors={"conds": condition, "runs": fold})
    unbalanced = toolbox.rdm.calc_rdm_unbalanced
    plain = unbalanced(data, method="euclidean", descriptor="conds")
    crossed = unbalanced(data, method="crossnobis", descriptor="conds", cv_descriptor="runs")
    np.testing.assert_allclose(
        euclidean_trials(values, condition), plain.dissimilarities[0], atol=1e-11
    )
    np.testing.assert_allclose(
        crossvalidated_trials(values, condition, fold), crossed.dissimilarities[0], atol=1e-11
    )


def test_parity_with_rsatoolbox_of_whitened_trials():
    toolbox = pytest.importorskip("rsatoolbox")
    values, condition, fold = trials_of()
    noise = Noise.of_residuals(np.random.default_rng(3).standard_normal((30, 7)))
    data = toolbox.data.Dataset(values, obs_descriptors={"conds": condition, "runs": fold})
    expected = toolbox.rdm.calc_rdm_unbalanced(
        data,
        method="crossnobis",
        descriptor="conds",
        cv_descriptor="runs",
        noise=noise.precision(),
    )
    found = crossvalidated_trials(values, condition, fold, noise)
    np.testing.assert_allclose(found, expected.dissimilarities[0], atol=1e-11)


def test_no_bias_without_signal():
    rng = np.random.default_rng(0)
    _, condition, fold = trials_of()
    means = [
        crossvalidated_trials(rng.standard_normal((40, 7)), condition, fold).mean()
        for _ in range(400)
    ]
    assert abs(np.mean(means)) < 3 * np.std(means) / 20
    plain = [euclidean_trials(rng.standard_normal((40, 7)), condition).mean() for _ in range(50)]
    assert np.mean(plain) > 10 * abs(np.mean(means))


def test_pairs_of_conditions_within_one_fold_are_unknown():
    values, condition, fold = trials_of()
    fold = np.where(condition == 2, 0, fold)
    fold[condition == 0] = [k % 2 for k in range((condition == 0).sum())]
    found = crossvalidated_trials(values, condition, fold)
    rows, columns = np.triu_indices(5, 1)
    assert np.isnan(found[(rows == 2) | (columns == 2)]).all()
    assert np.isfinite(found[(rows != 2) & (columns != 2)]).all()


def test_means_within_folds():
    values, condition, fold = trials_of()
    values[0, 3] = np.nan
    means, n_trials = fold_means(values, condition, fold)
    assert means.shape == (3, 5, 7)
    assert n_trials.sum() == 40
    for f, c in itertools.product(range(3), range(5)):
        here = values[(fold == f) & (condition == c)]
        assert n_trials[f, c] == len(here)
        if len(here):
            known = ~np.isnan(here)
            expected = np.where(known, here, 0).sum(axis=0) / np.where(
                known.any(axis=0), known.sum(axis=0), np.nan
            )
            np.testing.assert_allclose(means[f, c], expected)
        else:
            assert np.isnan(means[f, c]).all()


def test_what_does_not_fit_is_refused():
    values, condition, fold = trials_of()
    with pytest.raises(InputError, match="one condition and one fold a trial"):
        crossvalidated_trials(values, condition[1:], fold)
    with pytest.raises(InputError, match="whole numbers"):
        euclidean_trials(values, condition + 0.5)
    with pytest.raises(InputError, match="whole numbers"):
        crossvalidated_trials(values, condition - 1, fold)
    values[0, 0] = np.nan
    noise = Noise.of_residuals(np.random.default_rng(3).standard_normal((30, 7)))
    with pytest.raises(SettingsError, match="1 trials that miss channels"):
        crossvalidated_trials(values, condition, fold, noise)
