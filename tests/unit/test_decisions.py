"""Predictions made elsewhere get the scores, intervals and honest nulls of those made here."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from neuropipe.stats.linear_models import fold_gram, gram_matrix
from neuropipe.stats.prediction import classify, regress, score_decisions, score_predictions
from neuropipe.stats.splits import grouped_folds

FAST = {"n_permutations": 19, "n_resamples": 200}


def _partitions(names, labels=None, seeds=2):
    return [grouped_folds(names, labels, n_splits=4, seed=s) for s in range(seeds)]


def _grams(features, parts):
    gram = gram_matrix(features)
    ready = [[fold_gram(gram, fold.train) for fold in folds] for folds in parts]
    return lambda s, f: ready[s][f]


def _families(rng, n_families=12, size=3):
    """Families of two classes, features with a signal, and partitions that keep them whole."""
    families = np.repeat(np.arange(n_families), size)
    labels = (np.arange(n_families) % 2)[families]
    features = rng.standard_normal((len(families), 30))
    features[:, :4] += 1.5 * labels[:, None]
    names = families.astype(str)
    return features, labels, names, _partitions(names, labels)


@pytest.mark.parametrize("with_families", [False, True])
def test_classes_are_scored_as_if_they_had_been_predicted_here(with_families):
    features, labels, names, parts = _families(np.random.default_rng(0))
    labels[4] = -1
    groups = names if with_families else None
    here = classify(_grams(features, parts), parts, labels, ("a", "b"), groups=groups, **FAST)
    there = score_decisions(here.decision, parts, labels, ("a", "b"), groups=groups, **FAST)
    assert there.auroc.value == here.auroc.value > 0.8
    assert there.auroc.interval == here.auroc.interval
    assert there.balanced_accuracy.value == here.balanced_accuracy.value
    assert there.balanced_accuracy.interval == here.balanced_accuracy.interval
    assert {name: score.value for name, score in there.recall.items()} == {
        name: score.value for name, score in here.recall.items()
    }
    assert np.array_equal(there.decision, here.decision, equal_nan=True)
    assert there.auroc.p_value <= 0.1
    assert there.auroc.chance == pytest.approx(0.5, abs=0.15)


def test_three_classes_are_scored_as_if_they_had_been_predicted_here():
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1, 2], 16)
    features = rng.standard_normal((48, 40))
    features[:, :3] += 2.0 * np.eye(3)[labels]
    parts = _partitions(np.arange(48).astype(str), labels)
    here = classify(_grams(features, parts), parts, labels, ("a", "b", "c"), **FAST)
    there = score_decisions(here.decision, parts, labels, ("a", "b", "c"), **FAST)
    assert there.auroc.value == here.auroc.value
    assert there.auroc.interval == here.auroc.interval
    assert there.recall["c"].interval == here.recall["c"].interval
    assert there.balanced_accuracy.chance == pytest.approx(1 / 3, abs=0.08)


@pytest.mark.parametrize("with_families", [False, True])
def test_numbers_are_scored_as_if_they_had_been_predicted_here(with_families):
    features, labels, names, parts = _families(np.random.default_rng(2))
    values = 30 + 4.0 * labels
    values[7] = np.nan
    groups = names if with_families else None
    here = regress(_grams(features, parts), parts, values, groups=groups, **FAST)
    there = score_predictions(here.predicted, parts, values, groups=groups, **FAST)
    assert there.r2.value == here.r2.value > 0.2
    assert there.r2.interval == here.r2.interval
    assert there.correlation.value == here.correlation.value
    assert there.error.interval == here.error.interval
    assert there.mean_error == here.mean_error
    assert np.array_equal(there.predicted, here.predicted, equal_nan=True)
    assert there.r2.p_value <= 0.1
    assert there.error.p_value <= 0.1


def test_the_training_mean_explains_nothing():
    rng = np.random.default_rng(3)
    values = rng.standard_normal(40)
    parts = _partitions(np.arange(40).astype(str))
    means = np.empty((2, 40))
    for s, folds in enumerate(parts):
        for fold in folds:
            means[s, fold.test] = values[fold.train].mean()
    scores = score_predictions(means, parts, values, **FAST)
    assert scores.r2.value == pytest.approx(0, abs=1e-12)
    assert scores.r2.null == pytest.approx(np.zeros(19), abs=1e-12)
    assert scores.r2.p_value == 1.0
    assert scores.error.value == pytest.approx(scores.mean_error)
    assert np.isnan(scores.correlation.value)


def test_subjects_without_a_decision_are_left_out():
    rng = np.random.default_rng(4)
    labels = np.arange(40) % 2
    parts = _partitions(np.arange(40).astype(str), labels)
    decisions = rng.standard_normal((2, 40))
    decisions[1, 5] = np.nan  # in one seed only
    unknown = np.where(np.arange(40) == 5, -1, labels)
    scores, same = (
        score_decisions(decisions, parts, found, ("a", "b"), **FAST) for found in (labels, unknown)
    )
    assert np.isnan(scores.decision[:, 5]).all()
    assert np.isfinite(np.delete(scores.decision, 5, axis=1)).all()
    assert scores.auroc.value == same.auroc.value
    assert np.array_equal(scores.auroc.null, same.auroc.null)
    values = rng.standard_normal(40)
    numbers = score_predictions(decisions, parts, values, **FAST)
    assert np.isnan(numbers.predicted[:, 5]).all()


def test_misshapen_predictions_are_refused():
    labels = np.arange(20) % 2
    parts = _partitions(np.arange(20).astype(str), labels)
    for shape in ((2, 19), (1, 20), (2, 20, 2)):
        with pytest.raises(ValueError, match="2 seeds, 20 subjects and 1 outputs"):
            score_decisions(np.zeros(shape), parts, labels, ("a", "b"))
    with pytest.raises(ValueError, match="2 seeds and 20 subjects"):
        score_predictions(np.zeros((2, 20, 1)), parts, labels.astype(float))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(16, 40), st.integers(1, 3))
def test_auroc_is_that_of_scikit_learn_within_folds(seed, n, n_seeds):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    parts = _partitions(np.arange(n).astype(str), labels, n_seeds)
    decisions = rng.standard_normal((n_seeds, n)) + 0.5 * labels
    scores = score_decisions(decisions, parts, labels, ("a", "b"), **FAST)
    won, met = 0.0, 0
    for s, folds in enumerate(parts):
        for _, test in folds:
            pairs = labels[test].sum() * (len(test) - labels[test].sum())
            won += pairs * roc_auc_score(labels[test], decisions[s, test])
            met += pairs
    assert scores.auroc.value == pytest.approx(won / met)
    accuracy = np.mean((decisions > 0) == labels, axis=0)
    assert scores.recall["b"].value == pytest.approx(accuracy[labels == 1].mean())


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.1, 50), st.floats(-100, 100))
def test_scores_follow_scale_and_sign(seed, scale, shift):
    rng = np.random.default_rng(seed)
    labels = np.arange(24) % 2
    parts = _partitions(np.arange(24).astype(str), labels)
    decisions = rng.standard_normal((2, 24))
    plain = score_decisions(decisions, parts, labels, ("a", "b"), **FAST)
    scaled = score_decisions(scale * decisions, parts, labels, ("a", "b"), **FAST)
    mirrored = score_decisions(-decisions, parts, 1 - labels, ("b", "a"), **FAST)
    assert scaled.auroc.value == plain.auroc.value
    assert scaled.auroc.p_value == plain.auroc.p_value
    assert mirrored.auroc.value == pytest.approx(plain.auroc.value)
    assert mirrored.balanced_accuracy.value == pytest.approx(plain.balanced_accuracy.value)
    values = rng.standard_normal(24)
    first = score_predictions(decisions, parts, values, **FAST)
    second = score_predictions(scale * decisions + shift, parts, scale * values + shift, **FAST)
    assert second.r2.value == pytest.approx(first.r2.value, rel=1e-5, abs=1e-5)
    assert second.error.value == pytest.approx(scale * first.error.value, rel=1e-6)
    assert second.r2.null == pytest.approx(first.r2.null, rel=1e-5, abs=1e-5)


def test_noise_keeps_its_error_rate_without_training_again():
    # Out-of-fold decisions of noise, where a null of plain shuffles rejects twice too often.
    rng = np.random.default_rng(5)
    labels = np.array([0] * 24 + [1] * 16)
    names = np.arange(40).astype(str)
    p, plain = [], []
    for k in range(200):
        parts = [grouped_folds(names, labels, n_splits=5, seed=100 * k + s) for s in range(2)]
        grams = _grams(rng.standard_normal((40, 50)), parts)
        here = classify(grams, parts, labels, ("a", "b"), n_permutations=1, n_resamples=20)
        auroc = score_decisions(
            here.decision, parts, labels, ("a", "b"), n_permutations=99, n_resamples=20, seed=k
        ).auroc
        p.append(auroc.p_value)
        shuffled = auroc.chance + (auroc.null - auroc.chance) / np.sqrt(2)
        plain.append((1 + np.sum(shuffled >= auroc.value)) / 100)
    assert np.mean(np.array(p) <= 0.05) <= 0.09
    assert 0.15 <= np.mean(np.array(p) <= 0.25) <= 0.35
    assert np.mean(np.array(plain) <= 0.05) >= 0.08
