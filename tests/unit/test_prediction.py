"""Cross-validated prediction finds planted signal, nothing in noise, and hides nothing."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from neuropipe.stats.linear_models import fold_gram, gram_matrix
from neuropipe.stats.prediction import classify, regress
from neuropipe.stats.splits import grouped_folds


def _setup(features: np.ndarray, labels: np.ndarray | None, seeds: int = 2):
    names = np.arange(len(features)).astype(str)
    parts = [grouped_folds(names, labels, n_splits=5, seed=s) for s in range(seeds)]
    gram = gram_matrix(features)
    ready = [[fold_gram(gram, fold.train) for fold in folds] for folds in parts]
    return (lambda s, f: ready[s][f]), parts


@pytest.fixture
def two_classes():
    rng = np.random.default_rng(0)
    labels = np.array([0] * 36 + [1] * 24)
    features = rng.standard_normal((60, 200))
    features[:, :10] += 0.9 * labels[:, None]
    return features, labels


@pytest.mark.parametrize("classifier", ["ridge", "logistic"])
def test_planted_classes_are_found(two_classes, classifier):
    features, labels = two_classes
    grams, parts = _setup(features, labels, seeds=1)
    scores = classify(grams, parts, labels, ("a", "b"), classifier=classifier, n_permutations=19)
    assert scores.auroc.value > 0.8
    assert scores.auroc.p_value == pytest.approx(0.05)
    assert scores.auroc.interval[0] < scores.auroc.value < scores.auroc.interval[1]
    assert scores.auroc.interval[0] > 0.5
    assert scores.auroc.chance == pytest.approx(0.5, abs=0.12)
    both = (scores.recall["a"].value + scores.recall["b"].value) / 2
    assert scores.balanced_accuracy.value == pytest.approx(both)


def test_auroc_is_the_mean_over_folds(two_classes):
    features, labels = two_classes
    grams, parts = _setup(features, labels)
    scores = classify(grams, parts, labels, ("a", "b"), n_permutations=19)
    by_fold = []
    for s, folds in enumerate(parts):
        assert np.isfinite(scores.decision[s]).all()
        for fold in folds:
            by_fold.append(roc_auc_score(labels[fold.test], scores.decision[s, fold.test, 0]))
    assert scores.auroc.value == pytest.approx(np.mean(by_fold), abs=0.01)


def test_same_seed_same_numbers(two_classes):
    features, labels = two_classes
    grams, parts = _setup(features, labels)
    first, again = (
        classify(grams, parts, labels, ("a", "b"), n_permutations=19, seed=4) for _ in range(2)
    )
    assert first.auroc.interval == again.auroc.interval
    assert np.array_equal(first.auroc.null, again.auroc.null)


def test_subjects_without_a_label_are_neither_trained_on_nor_tested(two_classes):
    features, labels = two_classes
    grams, parts = _setup(features, labels)
    partial = labels.copy()
    partial[[0, 40, 59]] = -1
    scores = classify(grams, parts, partial, ("a", "b"), n_permutations=19)
    assert np.isnan(scores.decision[:, [0, 40, 59]]).all()
    assert np.isfinite(np.delete(scores.decision, [0, 40, 59], axis=1)).all()
    # The same folds on the smaller set alone give the same decisions.
    kept = np.flatnonzero(partial >= 0)
    place = {int(k): i for i, k in enumerate(kept)}
    inner = [
        [
            type(f)(*(np.array([place[int(i)] for i in side if int(i) in place]) for side in f))
            for f in folds
        ]
        for folds in parts
    ]
    gram = gram_matrix(features[kept])
    ready = [[fold_gram(gram, f.train) for f in folds] for folds in inner]
    alone = classify(lambda s, f: ready[s][f], inner, partial[kept], ("a", "b"), n_permutations=19)
    assert scores.decision[:, kept] == pytest.approx(alone.decision)


def test_three_classes_one_against_the_rest():
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1, 2], 20)
    features = rng.standard_normal((60, 100))
    features[:, :3] += 2.0 * np.eye(3)[labels]
    grams, parts = _setup(features, labels)
    scores = classify(grams, parts, labels, ("a", "b", "c"), n_permutations=39)
    assert scores.decision.shape == (2, 60, 3)
    assert scores.auroc.value > 0.65
    assert scores.balanced_accuracy.value > 0.45
    assert scores.balanced_accuracy.chance == pytest.approx(1 / 3, abs=0.06)
    assert set(scores.recall) == {"a", "b", "c"}


def test_noise_is_not_predicted():
    rng = np.random.default_rng(2)
    p_values, areas = [], []
    labels = np.array([0] * 25 + [1] * 15)
    for _ in range(40):
        grams, parts = _setup(rng.standard_normal((40, 50)), labels, seeds=1)
        scores = classify(grams, parts, labels, ("a", "b"), n_permutations=19, n_resamples=200)
        p_values.append(scores.auroc.p_value)
        areas.append(scores.auroc.value)
    assert np.mean(areas) == pytest.approx(0.5, abs=0.05)
    assert 4 <= np.sum(np.array(p_values) <= 0.25) <= 17  # 10 expected


def test_numbers_are_predicted_and_compared_with_the_training_mean():
    rng = np.random.default_rng(3)
    features = rng.standard_normal((80, 60))
    values = 30 + 4 * features[:, 0] + 3 * features[:, 1] + rng.standard_normal(80)
    values[5] = np.nan
    grams, parts = _setup(features, None)
    scores = regress(grams, parts, values, n_permutations=39)
    assert scores.r2.value > 0.3
    assert scores.r2.interval[0] < scores.r2.value < scores.r2.interval[1]
    assert scores.r2.p_value == pytest.approx(1 / 40)
    assert scores.correlation.value > 0.5
    assert scores.error.value < scores.mean_error
    assert scores.error.p_value == pytest.approx(1 / 40)
    assert scores.r2.chance < 0.05
    assert np.isnan(scores.predicted[:, 5]).all()
    truth, guess = np.delete(values, 5), np.delete(scores.predicted[0], 5)
    assert scores.error.value == pytest.approx(
        np.mean(np.abs(np.delete(scores.predicted, 5, axis=1) - truth))
    )
    assert np.corrcoef(truth, guess)[0, 1] > 0.5


def test_unpredictable_numbers_have_no_skill():
    rng = np.random.default_rng(4)
    grams, parts = _setup(rng.standard_normal((60, 40)), None)
    scores = regress(grams, parts, rng.standard_normal(60), n_permutations=39)
    assert scores.r2.value < 0.1
    assert abs(scores.correlation.chance) < 0.08


def test_labels_are_permuted_within_blocks_only():
    # The label is the site; permuted within sites it never changes.
    labels = np.repeat([0, 1], 20)
    features = np.random.default_rng(5).standard_normal((40, 30)) + labels[:, None]
    grams, parts = _setup(features, labels)
    scores = classify(
        grams, parts, labels, ("a", "b"), n_permutations=19, blocks=labels.astype(str)
    )
    assert scores.auroc.value > 0.9
    assert scores.auroc.p_value == 1.0
