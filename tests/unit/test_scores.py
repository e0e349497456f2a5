"""Scores agree with scikit-learn within a fold, and never compare models of two folds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import pearsonr
from sklearn.metrics import balanced_accuracy_score, r2_score, roc_auc_score

from neuropipe.stats.scores import (
    auroc_by_fold,
    auroc_from_pairs,
    class_accuracies,
    fold_correlation,
    pair_counts,
    roc_curve,
    skill,
)

SMALL = st.integers(-3, 3).map(float)


@settings(max_examples=60, deadline=None)
@given(arrays(float, st.integers(4, 25), elements=SMALL), st.integers(0, 1000))
def test_auroc_matches_sklearn_with_ties(scores, seed):
    positive = np.random.default_rng(seed).permutation(np.arange(len(scores)) % 2 == 0)
    one_fold = np.zeros(len(scores), dtype=int)
    expected = roc_auc_score(positive, scores)
    pairs = pair_counts(positive, scores, one_fold)
    assert auroc_from_pairs(pairs, positive)[0] == pytest.approx(expected)
    won, met = auroc_by_fold(positive[:, None], scores[:, None], one_fold)
    assert won[0] / met[0] == pytest.approx(expected)


def test_folds_of_different_scale_are_not_compared():
    positive = np.array([True, False, True, False])
    scores = np.array([2.0, 1.0, -101.0, -102.0])  # each fold is perfect on its own scale
    folds = np.array([0, 0, 1, 1])
    assert auroc_from_pairs(pair_counts(positive, scores, folds), positive)[0] == 1.0
    won, met = auroc_by_fold(positive[:, None], scores[:, None], folds)
    assert won[0] / met[0] == 1.0
    assert roc_auc_score(positive, scores) == 0.75


def test_weighted_auroc_is_the_auroc_of_the_repeated_sample():
    rng = np.random.default_rng(1)
    positive = np.arange(20) < 8
    scores = rng.standard_normal(20)
    weights = rng.integers(0, 4, size=20).astype(float)
    repeated = np.repeat(np.arange(20), weights.astype(int))
    pairs = pair_counts(positive, scores, np.zeros(20, dtype=int))
    expected = roc_auc_score(positive[repeated], scores[repeated])
    assert auroc_from_pairs(pairs, positive, weights[None])[0] == pytest.approx(expected)


def test_auroc_without_a_pair_is_undefined():
    positive = np.array([True, True])
    pairs = pair_counts(positive, np.zeros(2), np.zeros(2, dtype=int))
    assert np.isnan(auroc_from_pairs(pairs, positive)[0])


def test_class_accuracies_average_to_balanced_accuracy():
    rng = np.random.default_rng(2)
    truth, guess = rng.integers(0, 3, 60), rng.integers(0, 3, 60)
    shares = class_accuracies((truth == guess).astype(float)[:, None], truth[:, None], 3)
    assert shares.mean() == pytest.approx(balanced_accuracy_score(truth, guess))
    assert np.isnan(class_accuracies(np.ones((4, 1)), np.zeros((4, 1), dtype=int), 2)[1, 0])


def test_skill_is_r2_against_the_test_mean_where_that_is_the_reference():
    rng = np.random.default_rng(3)
    truth, guess = rng.standard_normal((40, 1)), rng.standard_normal((40, 1))
    reference = np.full_like(truth, truth.mean())
    assert skill(truth, guess, reference)[0] == pytest.approx(r2_score(truth, guess))


def test_fold_correlation_is_the_mean_over_folds():
    rng = np.random.default_rng(4)
    truth, guess = rng.standard_normal((30, 2)), rng.standard_normal((30, 2))
    folds = np.repeat([0, 1, 2], 10)
    expected = [
        np.mean([pearsonr(truth[folds == f, c], guess[folds == f, c])[0] for f in range(3)])
        for c in range(2)
    ]
    assert fold_correlation(truth, guess, folds) == pytest.approx(expected)
    weights = np.vstack([np.ones(30), rng.integers(1, 4, 30)])
    drawn = fold_correlation(truth[:, :1], guess[:, :1], folds, weights)
    assert drawn[0] == pytest.approx(expected[0])
    repeated = np.repeat(np.arange(30), weights[1].astype(int))
    again = fold_correlation(truth[repeated][:, :1], guess[repeated][:, :1], folds[repeated])
    assert drawn[1] == pytest.approx(again[0])


def test_fold_correlation_of_a_constant_is_undefined():
    truth = np.arange(6.0)[:, None]
    assert np.isnan(fold_correlation(truth, np.full((6, 1), 0.1), np.zeros(6, dtype=int))[0])


def test_roc_curve_has_the_area_of_the_auroc():
    rng = np.random.default_rng(5)
    positive = np.arange(200) % 2 == 0
    scores = rng.standard_normal(200) + positive
    grid = np.linspace(0, 1, 2001)
    curve = roc_curve(positive, scores, np.zeros(200, dtype=int), grid)
    assert curve[-1] == 1.0
    assert np.all(np.diff(curve) >= 0)
    assert np.trapezoid(curve, grid) == pytest.approx(roc_auc_score(positive, scores), abs=0.003)


def test_roc_curve_of_one_fold_is_that_of_scikit_learn():
    from sklearn.metrics import roc_curve as reference

    rng = np.random.default_rng(6)
    positive = rng.random(60) < 0.4
    scores = rng.integers(0, 8, 60) + 2.0 * positive  # many ties
    grid = np.linspace(0, 1, 101)
    false_rate, true_rate, _ = reference(positive, scores, drop_intermediate=False)
    expected = np.interp(grid, false_rate, true_rate)
    assert roc_curve(positive, scores, np.zeros(60, dtype=int), grid) == pytest.approx(expected)


def test_roc_curve_averages_folds_that_hold_both_classes():
    positive = np.array([True, False, True, False, True, True])
    scores = np.array([2.0, 1.0, 1.0, 2.0, 5.0, 6.0])
    folds = np.array([0, 0, 1, 1, 2, 2])  # perfect, reversed, one class only
    grid = np.array([0.0, 0.5, 1.0])
    curve = roc_curve(positive, scores, folds, grid)
    assert curve[1] == pytest.approx(0.5)
    assert curve[2] == 1.0
    nothing = roc_curve(positive[4:], scores[4:], folds[4:], grid)
    assert np.isnan(nothing).all()


@settings(max_examples=40, deadline=None)
@given(arrays(float, st.integers(4, 20), elements=SMALL), st.integers(0, 1000))
def test_reversing_scores_mirrors_the_auroc(scores, seed):
    rng = np.random.default_rng(seed)
    positive = rng.permutation(np.arange(len(scores)) % 2 == 0)
    folds = rng.integers(0, 2, len(scores))
    pairs = [pair_counts(positive, s, folds) for s in (scores, -scores)]
    areas = [auroc_from_pairs(p, positive)[0] for p in pairs]
    if np.isfinite(areas).all():
        assert sum(areas) == pytest.approx(1.0)
    won, met = auroc_by_fold(positive[:, None], scores[:, None], folds)
    assert won[0] == pytest.approx(pairs[0].won.sum())
    assert met[0] == pairs[0].met.sum()


def test_pooled_folds_of_noise_are_biased_and_folds_apart_are_not():
    # Training means run against test means: the reason why nothing is pooled here.
    rng = np.random.default_rng(7)
    apart, pooled = [], []
    for _ in range(200):
        truth = rng.standard_normal(30)
        folds = rng.permutation(30) // 3 % 10
        means = np.array([truth[folds != f].mean() for f in folds])
        guess = means + 0.02 * rng.standard_normal(30)
        apart.append(fold_correlation(truth[:, None], guess[:, None], folds)[0])
        pooled.append(pearsonr(truth, guess)[0])
    assert np.mean(pooled) < -0.5
    assert abs(np.mean(apart)) < 0.06


def test_skill_of_the_reference_is_zero_and_of_the_truth_one():
    truth = np.random.default_rng(8).standard_normal((20, 3))
    reference = np.zeros_like(truth)
    assert skill(truth, reference, reference) == pytest.approx(np.zeros(3))
    assert skill(truth, truth, reference) == pytest.approx(np.ones(3))
    assert (skill(truth, -truth, reference) < 0).all()
