"""Single trials to patterns: folds in the order of time, means, noise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuropipe.errors import InputError
from neuropipe.trsa.responses.trials import Trials, contiguous_folds, trial_patterns


def trials(values, condition, fold, n_conditions=None):
    condition, fold = np.asarray(condition), np.asarray(fold)
    n = int(condition.max()) + 1 if n_conditions is None else n_conditions
    return Trials(
        values=values,
        condition=condition,
        fold=fold,
        conditions=tuple("abcdefgh"[:n]),
        folds=tuple(f"part {k + 1}" for k in range(int(fold.max()) + 1)),
        channels=tuple(f"u{k}" for k in range(values.shape[1])),
        unit="spikes/s",
    )


@given(st.lists(st.integers(0, 4), min_size=1, max_size=80), st.integers(2, 9))
def test_folds_are_contiguous_and_even(condition, n_folds):
    condition = np.array(condition)
    fold = contiguous_folds(condition, n_folds)
    counts = np.bincount(condition)
    n = min(n_folds, counts[counts > 0].min())
    assert set(fold) == set(range(n))
    for k in np.flatnonzero(counts):
        own = fold[condition == k]
        assert (np.diff(own) >= 0).all()  # in the order of time
        sizes = np.bincount(own, minlength=n)
        assert sizes.max() - sizes.min() <= 1


def test_no_trials_no_folds():
    assert len(contiguous_folds(np.array([], dtype=int), 4)) == 0


@given(st.integers(0, 10_000))
def test_patterns_are_means_over_known_trials(seed):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((40, 3))
    values[rng.random(values.shape) < 0.2] = np.nan
    condition, fold = rng.integers(0, 4, 40), rng.integers(0, 3, 40)
    found = trial_patterns(trials(values, condition, fold, 4))
    for f in range(len(found.folds)):
        for c in range(4):
            here = values[(fold == f) & (condition == c)]
            assert found.n_trials[f, c] == np.isfinite(here).any(axis=1).sum()
            for p in range(3):
                known = here[np.isfinite(here[:, p]), p]
                expected = known.sum() / len(known) if len(known) else np.nan
                np.testing.assert_allclose(found.values[f, c, p], expected)
    assert found.unit == "spikes/s"


def test_noise_is_that_of_trials_about_their_mean():
    rng = np.random.default_rng(0)
    covariance = np.array([[1.0, 0.6], [0.6, 2.0]])
    condition, fold = np.tile(np.arange(4), 600), np.repeat(np.arange(3), 800)
    signal = 5 * rng.standard_normal((3, 4, 2))[fold, condition]
    noise = rng.multivariate_normal([0, 0], covariance, 2400)
    found = trial_patterns(trials(signal + noise, condition, fold))
    np.testing.assert_allclose(found.noise.covariance(), covariance, atol=0.1)
    assert found.noise.df == 2400 - 12


def test_one_trial_a_fold_is_compared_with_its_condition():
    rng = np.random.default_rng(1)
    condition, fold = np.tile(np.arange(6), 4), np.repeat(np.arange(4), 6)
    found = trial_patterns(trials(rng.standard_normal((24, 3)), condition, fold))
    assert found.noise.df == 24 - 6
    alone = trial_patterns(trials(rng.standard_normal((6, 3)), np.arange(6), np.zeros(6, int)))
    assert alone.noise is None
    flat = trial_patterns(trials(np.ones((24, 3)), condition, fold))
    assert flat.noise is None


def test_a_unit_with_gaps_does_not_take_the_noise_from_the_others():
    rng = np.random.default_rng(2)
    values = rng.standard_normal((48, 3))
    condition, fold = np.tile(np.arange(4), 12), np.repeat(np.arange(2), 24)
    whole = trial_patterns(trials(values, condition, fold)).noise
    values[::4, 1] = np.nan  # condition 0 is missing in every fold
    found = trial_patterns(trials(values, condition, fold))
    np.testing.assert_array_equal(found.noise.silent, [False, True, False])
    assert found.noise.df == whole.df
    complete = found.complete()
    assert complete.channels == ("u0", "u2")
    np.testing.assert_allclose(
        np.diag(complete.noise.covariance()), np.diag(whole.covariance())[[0, 2]]
    )


def test_incomplete_trials_count_in_the_mean_but_not_in_the_noise():
    rng = np.random.default_rng(3)
    values = rng.standard_normal((48, 3))
    condition, fold = np.tile(np.arange(4), 12), np.zeros(48, int)
    values[:4, 2] = np.nan  # one trial of each condition
    found = trial_patterns(trials(values, condition, fold))
    assert found.noise.df == 44 - 4
    assert found.n_trials.sum() == 48


def test_trials_need_conditions_and_folds():
    with pytest.raises(InputError, match="3 trials, 2 conditions"):
        trials(np.ones((3, 2)), [0, 1], [0, 0, 0])
