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


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 100))
def test_scale_and_rotation_of_the_features_change_nothing(seed, scale):
    features, target, train, test = _problem(seed, p=20)
    turn = np.linalg.qr(np.random.default_rng(seed).standard_normal((20, 20)))[0]
    found = []
    for x in (features, scale * features @ turn + 3.0):
        gram = fold_gram(gram_matrix(x), train)
        inner, outer = gram[np.ix_(train, train)], gram[np.ix_(test, train)]
        positive = target[train] > np.median(target)
        ridge = kernel_ridge(inner, outer, target[train][:, None]).test[:, 0]
        found.append((ridge, kernel_logistic(inner, outer, positive)))
    assert found[1][0] == pytest.approx(found[0][0], rel=1e-5, abs=1e-5)
    assert found[1][1] == pytest.approx(found[0][1], rel=1e-3, abs=1e-3)


def test_targets_shift_and_scale_with_their_predictions():
    features, target, train, test = _problem(4)
    gram = fold_gram(gram_matrix(features), train)
    inner, outer = gram[np.ix_(train, train)], gram[np.ix_(test, train)]
    columns = np.column_stack([target, 7 - 3 * target])[train]
    fit = kernel_ridge(inner, outer, columns)
    assert fit.penalties[0] == fit.penalties[1]
    assert fit.test[:, 1] == pytest.approx(7 - 3 * fit.test[:, 0])
    assert fit.left_out[:, 1] == pytest.approx(7 - 3 * fit.left_out[:, 0])


def test_noise_is_shrunk_to_the_mean():
    rng = np.random.default_rng(5)
    shares = []
    for _ in range(40):
        features, target = rng.standard_normal((50, 200)), rng.standard_normal(50)
        train, test = np.arange(40), np.arange(40, 50)
        gram = fold_gram(gram_matrix(features), train)
        fit = kernel_ridge(
            gram[np.ix_(train, train)], gram[np.ix_(test, train)], target[train][:, None]
        )
        shares.append(np.var(fit.test) / np.var(target))
    assert np.median(shares) < 0.05


def test_features_without_variance_predict_the_mean():
    gram = np.zeros((10, 10))
    target = np.arange(10.0)[:, None]
    fit = kernel_ridge(gram, gram[:3], target)
    assert fit.test[:, 0] == pytest.approx(np.full(3, 4.5))
    assert not kernel_logistic(gram, gram[:3], np.arange(10) % 2 == 0).any()
    rest = [np.delete(target, k).mean() for k in range(10)]
    assert fit.left_out[:, 0] == pytest.approx(rest)


def test_gram_matrix_of_float32_keeps_its_precision():
    rng = np.random.default_rng(6)
    features = rng.standard_normal((20, 3000)) + 50.0  # a mean far above the spread
    exact = fold_gram(gram_matrix(features), np.arange(20))
    single = fold_gram(gram_matrix(features.astype(np.float32)), np.arange(20))
    assert single == pytest.approx(exact, abs=1e-3 * np.diag(exact).mean())
    matrices = rng.standard_normal((4, 5, 5))
    assert gram_matrix(matrices) == pytest.approx(gram_matrix(matrices.reshape(4, 25)))


def test_threshold_lies_halfway_between_the_classes():
    targets = np.where(np.arange(12) < 3, 1.0, -1.0)[:, None]
    # Left-out predictions relative to the mean of the samples that made them.
    relative = np.where(targets > 0, 0.6, -0.2)
    means = (targets.sum() - targets) / 11
    assert thresholds(relative + means, targets) == pytest.approx([0.2])
    assert thresholds(np.zeros((4, 1)), np.ones((4, 1))) == pytest.approx([0.0])


def test_confounds_without_variance_or_twice_the_same_do_no_harm():
    features, _, train, _ = _problem(7)
    gram = gram_matrix(features)
    age = np.random.default_rng(8).standard_normal((40, 1))
    one = fold_gram(gram, train, age)
    twice = fold_gram(gram, train, np.hstack([age, 2 * age + 1, np.ones((40, 1))]))
    assert twice == pytest.approx(one, abs=1e-8 * np.abs(one).max())
    none = fold_gram(gram, train, np.empty((40, 0)))
    assert none == pytest.approx(fold_gram(gram, train))
