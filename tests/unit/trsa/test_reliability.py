"""Reliability of RDMs and discrimination of conditions, where signal is planted and where not."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.trsa.noise import Noise
from neuropipe.trsa.patterns import Patterns
from neuropipe.trsa.reliability import discriminate, halves_agree, usable_measure


def patterns(signal=1.0, n_folds=6, n_conditions=8, n_channels=20, seed=0, missing=(), noise=True):
    """Patterns of planted means, with noise of unit variance in every fold."""
    rng = np.random.default_rng(seed)
    means = signal * rng.standard_normal((n_conditions, n_channels))
    values = means + rng.standard_normal((n_folds, n_conditions, n_channels))
    trials = np.ones((n_folds, n_conditions), dtype=int)
    for fold, condition in missing:
        values[fold, condition], trials[fold, condition] = np.nan, 0
    return Patterns(
        values,
        tuple("abcdefghij"[:n_conditions]),
        tuple(f"u{k}" for k in range(n_channels)),
        tuple(f"run {k}" for k in range(n_folds)),
        trials,
        Noise.of_residuals(rng.standard_normal((200, n_channels))) if noise else None,
    )


@pytest.mark.parametrize(
    ("given", "measure", "expected"),
    [
        (patterns(), "crossnobis", "crossnobis"),
        (patterns(n_folds=1), "crossnobis", "mahalanobis"),
        (patterns(n_folds=1, noise=False), "crossnobis", "euclidean"),
        (patterns(noise=False), "crossnobis", "crossnobis"),
        (patterns(n_folds=1), "crossvalidated poisson", "poisson"),
        (patterns(n_folds=2, missing=[(0, 3)]), "crossnobis", "mahalanobis"),
        (patterns(n_folds=3, missing=[(0, 3)]), "crossnobis", "crossnobis"),
        (patterns(n_folds=1), "correlation", "correlation"),
    ],
)
def test_the_plain_form_where_folds_or_noise_are_lacking(given, measure, expected):
    assert usable_measure(given, measure) == expected


@pytest.mark.parametrize("measure", ["crossnobis", "correlation"])
def test_halves_agree_where_there_is_signal(measure):
    found = halves_agree(patterns(1.5), measure, "rho-a", 199, 0)
    assert found.value > 0.6
    assert found.p == pytest.approx(1 / 200)
    assert found.n_splits == 10  # six choose three, without mirror images
    assert abs(found.null.mean()) < 0.1
    assert found.interval[0] < found.value < found.interval[1]


def test_halves_do_not_agree_without_signal():
    values = [
        halves_agree(patterns(0.0, seed=s), "crossnobis", "corr", 99, s).value for s in range(12)
    ]
    assert abs(np.mean(values)) < 3 * np.std(values, ddof=1) / np.sqrt(12)
    p = [halves_agree(patterns(0.0, seed=s), "crossnobis", "corr", 99, s).p for s in range(12)]
    assert 0.2 < np.mean(p) < 0.8


def test_halves_that_lack_conditions_are_compared_on_shared_ones():
    """Condition a is in the first run only: no half has it but one."""
    gaps = [(fold, 0) for fold in range(1, 6)]
    without = halves_agree(patterns(1.5, missing=gaps), "crossnobis", "rho-a", 99, 0)
    whole = patterns(1.5)
    expected = halves_agree(whole.of(whole.conditions[1:]), "crossnobis", "rho-a", 99, 0)
    assert without.value == pytest.approx(expected.value)
    assert np.isfinite(without.null).all()
    few = [(fold, c) for fold in range(1, 6) for c in range(5)]
    none = halves_agree(patterns(missing=few), "crossnobis", "rho-a", 99, 0)
    assert np.isnan(none.value)
    assert none.n_splits == 0


def test_two_runs_are_compared_by_plain_dissimilarities():
    found = halves_agree(patterns(4.0, n_folds=2), "crossnobis", "rho-a", 99, 0)
    assert found.n_splits == 1
    assert found.value > 0.5
    assert np.isnan(halves_agree(patterns(n_folds=1), "crossnobis", "rho-a", 99, 0).value)


def test_many_runs_are_halved_in_twenty_ways():
    found = halves_agree(patterns(1.0, n_folds=10), "crossnobis", "rho-a", 19, 3)
    again = halves_agree(patterns(1.0, n_folds=10), "crossnobis", "rho-a", 19, 3)
    assert found.n_splits == 20
    assert found.value == again.value
    np.testing.assert_array_equal(found.null, again.null)


def test_conditions_are_told_apart_where_there_is_signal():
    found = discriminate(patterns(2.0), 199, 0)
    assert found.accuracy > 0.95
    assert found.chance == 1 / 8
    assert found.p == pytest.approx(1 / 200)
    assert found.null.mean() == pytest.approx(1 / 8, abs=0.01)
    assert found.accuracy == pytest.approx(found.by_fold.mean())


def test_accuracy_is_that_of_a_loop_over_folds():
    given = patterns(0.5, noise=False, missing=[(2, 5)])
    found = discriminate(given, 9, 0)
    centred = given.values - np.nanmean(given.values, axis=1, keepdims=True)
    for fold in range(6):
        means = np.nanmean(np.delete(centred, fold, axis=0), axis=0)
        there = np.flatnonzero(given.present[fold])
        hits = [
            there[np.argmin(((means[there] - centred[fold, c]) ** 2).sum(axis=1))] == c
            for c in there
        ]
        assert found.by_fold[fold] == pytest.approx(np.mean(hits))


def test_a_drift_of_a_whole_fold_does_not_count():
    given = patterns(2.0)
    moved = given.values + 50 * np.random.default_rng(5).standard_normal((6, 1, 20))
    found = discriminate(Patterns(moved, *_rest(given)), 9, 0)
    np.testing.assert_array_equal(found.by_fold, discriminate(given, 9, 0).by_fold)


def test_without_signal_accuracy_is_chance():
    found = [discriminate(patterns(0.0, seed=s), 49, s) for s in range(12)]
    assert np.mean([d.accuracy for d in found]) == pytest.approx(1 / 8, abs=0.04)
    assert 0.2 < np.mean([d.p for d in found]) < 0.8


def test_too_few_folds_give_nothing():
    assert np.isnan(discriminate(patterns(n_folds=1), 9, 0).accuracy)
    alone = [(fold, c) for fold in range(2) for c in range(8) if (c < 4) == (fold == 0)]
    found = discriminate(patterns(n_folds=2, missing=alone), 9, 0)
    assert np.isnan(found.accuracy)
    assert np.isnan(found.by_fold).all()


def test_channels_without_noise_are_left_out():
    given = patterns(2.0)
    residuals = np.random.default_rng(1).standard_normal((50, 20))
    residuals[:, 3] = 0
    silent = Patterns(given.values, *_rest(given)[:-1], Noise.of_residuals(residuals))
    assert discriminate(silent, 9, 0).accuracy > 0.95


def _rest(given):
    return given.conditions, given.channels, given.folds, given.n_trials, given.noise
