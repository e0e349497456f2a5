"""Models on Gram matrices equal scikit-learn's on the features, with nothing learnt from tests."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeCV

from neuropipe.stats.linear_models import (
    fold_gram,
    gram_matrix,
    kernel_logistic,
    kernel_ridge,
    residual_projection,
    thresholds,
)


def _problem(seed: int = 0, n: int = 40, p: int = 150):
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((n, p)) + 5.0
    target = features[:, :3].sum(axis=1) + rng.standard_normal(n)
    train, test = np.arange(0, 30), np.arange(30, n)
    return features, target, train, test


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_ridge_and_its_penalty_match_ridgecv(seed):
    features, target, train, test = _problem(seed)
    gram = fold_gram(gram_matrix(features), train)
    penalties = np.logspace(-1, 5, 13)
    fit = kernel_ridge(
        gram[np.ix_(train, train)],
        gram[np.ix_(test, train)],
        target[train][:, None],
        penalties=penalties,
    )
    model = RidgeCV(alphas=penalties).fit(features[train], target[train])
    assert fit.penalties[0] == pytest.approx(model.alpha_)
    assert fit.test[:, 0] == pytest.approx(model.predict(features[test]), rel=1e-8)


def test_left_out_predictions_are_those_of_refitted_models():
    features, target, train, _ = _problem(3)
    gram = fold_gram(gram_matrix(features), train)[np.ix_(train, train)]
    fit = kernel_ridge(gram, gram, target[train][:, None], penalties=np.array([200.0]))
    for left in (0, 7, 29):
        kept = np.delete(train, left)
        inner = fold_gram(gram_matrix(features), kept)
        again = kernel_ridge(
            inner[np.ix_(kept, kept)],
            inner[np.ix_([left], kept)],
            target[kept][:, None],
            penalties=np.array([200.0]),
        )
        assert fit.left_out[left, 0] == pytest.approx(again.test[0, 0])


def test_each_target_chooses_its_own_penalty():
    features, target, train, test = _problem(1, p=8)
    noise = np.random.default_rng(9).standard_normal(40)
    both = np.column_stack([target, noise])
    gram = fold_gram(gram_matrix(features), train)
    sides = gram[np.ix_(train, train)], gram[np.ix_(test, train)]
    together = kernel_ridge(*sides, both[train])
    for column in range(2):
        alone = kernel_ridge(*sides, both[train][:, column : column + 1])
        assert together.penalties[column] == alone.penalties[0]
        assert together.test[:, column] == pytest.approx(alone.test[:, 0])
    assert together.penalties[1] > together.penalties[0]


def test_confounds_are_removed_with_training_coefficients_only():
    features, _, train, test = _problem(2)
    confounds = np.random.default_rng(4).standard_normal((40, 2))
    model = LinearRegression().fit(confounds[train], features[train])
    residual = features - model.predict(confounds)
    found = fold_gram(gram_matrix(features), train, confounds)
    assert found == pytest.approx(residual @ residual.T, rel=1e-8, abs=1e-8)
    # Whatever happens to a test sample, the training samples stay as they are.
    changed = features.copy()
    changed[test] += 100.0
    again = fold_gram(gram_matrix(changed), train, confounds)
    rows = np.ix_(train, train)
    assert again[rows] == pytest.approx(found[rows], abs=1e-6)


def test_a_feature_that_is_its_confound_predicts_nothing():
    rng = np.random.default_rng(5)
    age = rng.standard_normal(60)
    features = np.outer(age, rng.standard_normal(30))
    train = np.arange(45)
    assert np.abs(fold_gram(gram_matrix(features), train, age[:, None])).max() < 1e-8


def test_projection_centres_the_training_samples():
    train = np.array([1, 3, 4])
    projection = residual_projection(train, None, 6)
    x = np.random.default_rng(0).standard_normal((6, 2))
    assert projection @ x == pytest.approx(x - x[train].mean(axis=0))


def test_threshold_has_no_side_when_the_features_say_nothing():
    rng = np.random.default_rng(6)
    targets = np.where(np.arange(50) < 10, 1.0, -1.0)[:, None]  # unequal classes
    above = []
    for _ in range(200):
        features = rng.standard_normal((60, 40))
        gram = fold_gram(gram_matrix(features), np.arange(50))
        fit = kernel_ridge(gram[:50, :50], gram[50:, :50], targets)
        decision = fit.test - targets.mean(axis=0) - thresholds(fit.left_out, targets)
        above.append(np.mean(decision > 0))
    assert np.mean(above) == pytest.approx(0.5, abs=0.05)
    assert thresholds(np.ones((4, 1)), np.ones((4, 1)))[0] == 0.0


def test_logistic_matches_sklearn_on_the_features():
    features, target, train, test = _problem(7, p=60)
    positive = target > np.median(target)
    gram = fold_gram(gram_matrix(features), train)
    found = kernel_logistic(
        gram[np.ix_(train, train)], gram[np.ix_(test, train)], positive[train], seed=1
    )
    centred = features - features[train].mean(axis=0)
    scale = np.sqrt(np.mean(np.sum(centred[train] ** 2, axis=1)))
    candidates = [
        LogisticRegression(C=c, class_weight="balanced", max_iter=1000, tol=1e-8)
        .fit(centred[train] / scale, positive[train])
        .decision_function(centred[test] / scale)
        for c in np.logspace(-3, 3, 7)
    ]
    assert min(np.abs(found - other).max() for other in candidates) < 0.02
    assert np.mean((found > 0) == positive[test]) > 0.5


def test_logistic_with_one_class_says_nothing():
    assert np.array_equal(
        kernel_logistic(np.eye(5), np.eye(5)[:2], np.array([True] * 5)), np.zeros(2)
    )
