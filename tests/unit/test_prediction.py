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


@pytest.mark.parametrize(("classifier", "n"), [("ridge", 19), ("logistic", 4)])
def test_planted_classes_are_found(two_classes, classifier, n):
    features, labels = two_classes
    grams, parts = _setup(features, labels, seeds=1)
    scores = classify(grams, parts, labels, ("a", "b"), classifier=classifier, n_permutations=n)
    assert scores.auroc.value > 0.8
    assert scores.auroc.p_value == pytest.approx(1 / (n + 1))
    assert scores.auroc.interval[0] < scores.auroc.value < scores.auroc.interval[1]
    assert scores.auroc.interval[0] > 0.5
    assert scores.auroc.chance < 0.65
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


def _families(rng, n_families=16, size=3):
    """Features shared within families, and a label that is the same within them."""
    families = np.repeat(np.arange(n_families), size)
    features = rng.standard_normal((n_families, 40))[families]
    features += 0.4 * rng.standard_normal(features.shape)
    labels = rng.permutation(np.arange(n_families) % 2)[families]
    names = families.astype(str)
    parts = [grouped_folds(names, labels, n_splits=4, seed=0)]
    gram = gram_matrix(features)
    ready = [fold_gram(gram, fold.train) for fold in parts[0]]
    return (lambda _, f: ready[f]), parts, labels, names


def test_families_keep_the_error_rate_that_single_subjects_lose():
    rng = np.random.default_rng(5)
    p_values = {"families": [], "subjects": []}
    widths = {"families": [], "subjects": []}
    for k in range(100):
        grams, parts, labels, names = _families(rng)
        for key, groups in (("families", names), ("subjects", None)):
            scores = classify(
                grams, parts, labels, ("a", "b"),
                n_permutations=39, n_resamples=200, seed=k, groups=groups,
            )  # fmt: skip
            p_values[key].append(scores.auroc.p_value)
            widths[key].append(np.ptp(scores.auroc.interval))
    rejected = {key: np.mean(np.array(p) <= 0.05) for key, p in p_values.items()}
    assert rejected["families"] <= 0.12  # 5 expected of 100
    assert rejected["subjects"] > 0.15
    assert np.mean(widths["families"]) > 1.2 * np.mean(widths["subjects"])


def test_families_of_one_are_plain_subjects(two_classes):
    features, labels = two_classes
    grams, parts = _setup(features, labels, seeds=1)
    names = [f"subject {k}" for k in range(60)]
    plain, alone = (
        classify(grams, parts, labels, ("a", "b"), n_permutations=19, groups=groups)
        for groups in (None, names)
    )
    assert plain.auroc.interval == alone.auroc.interval
    assert np.array_equal(plain.auroc.null, alone.auroc.null)


def test_numbers_of_families_are_permuted_by_family():
    rng = np.random.default_rng(6)
    grams, parts, _, names = _families(rng)
    values = rng.standard_normal(16)[names.astype(int)]
    values[:2] = np.nan  # their sibling stays, a family of one
    whole = regress(grams, parts, values, n_permutations=39, groups=names)
    apart = regress(grams, parts, values, n_permutations=39)
    assert whole.r2.value == apart.r2.value
    assert np.std(whole.correlation.null) > 1.2 * np.std(apart.correlation.null)
    assert np.ptp(whole.error.interval) > np.ptp(apart.error.interval)


def test_r2_agrees_with_its_definition_and_its_bootstrap_is_centred_on_it():
    rng = np.random.default_rng(7)
    features = rng.standard_normal((60, 30))
    values = 3 * features[:, 0] + rng.standard_normal(60)
    grams, parts = _setup(features, None, seeds=3)
    scores = regress(grams, parts, values, n_permutations=1)
    expected = []
    for predicted, folds in zip(scores.predicted, parts, strict=True):
        reference = np.empty(60)
        for fold in folds:
            reference[fold.test] = values[fold.train].mean()
        expected.append(1 - np.sum((values - predicted) ** 2) / np.sum((values - reference) ** 2))
    assert scores.r2.value == pytest.approx(np.mean(expected))
    assert np.mean(scores.r2.interval) == pytest.approx(scores.r2.value, abs=0.1)


def test_predictions_match_a_pipeline_of_scikit_learn():
    from sklearn.linear_model import RidgeCV

    rng = np.random.default_rng(8)
    features = rng.standard_normal((40, 15))
    values = features[:, 0] + 0.5 * rng.standard_normal(40)
    grams, parts = _setup(features, None, seeds=1)
    scores = regress(grams, parts, values, n_permutations=1)
    for fold in parts[0]:
        centred = features[fold.train] - features[fold.train].mean(axis=0)
        unit = np.sum(centred**2) / len(fold.train)
        model = RidgeCV(alphas=np.logspace(-4, 4, 17) * unit).fit(centred, values[fold.train])
        expected = model.predict(features[fold.test] - features[fold.train].mean(axis=0))
        assert scores.predicted[0, fold.test] == pytest.approx(expected)


def test_labels_of_test_subjects_do_not_touch_their_decisions(two_classes):
    features, labels = two_classes
    grams, parts = _setup(features, labels, seeds=1)
    fold = parts[0][2]
    first = classify(grams, parts, labels, ("a", "b"), n_permutations=1)
    changed = labels.copy()
    changed[fold.test] = 1 - changed[fold.test]
    second = classify(grams, parts, changed, ("a", "b"), n_permutations=1)
    assert second.decision[0, fold.test] == pytest.approx(first.decision[0, fold.test])
    assert second.decision[0, fold.train] != pytest.approx(first.decision[0, fold.train])
