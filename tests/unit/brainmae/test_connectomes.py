"""Hidden states of runs and linear decoders."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

from neuropipe.brainmae.connectomes import (
    HiddenMarkovStates,
    Run,
    SlidingWindowStates,
    decide,
    state_features,
)
from neuropipe.brainmae.run_series import (
    principal_axes,
    resampled,
    standardised,
    windowed_edges,
)
from neuropipe.errors import InputError, UnfitRecordingError
from neuropipe.simulate.fmri import sim_fmri
from neuropipe.simulate.settings import FmriSimulation

SWITCHING = FmriSimulation(
    switching="loadings", y_dyn="rate", n_subjects=60, duration=300, repetition_time=1.0, y_fc=0,
    family_size=1,
)  # fmt: skip


@functools.cache
def cohort():
    data = sim_fmri(SWITCHING)
    return [Run(series, 1.0) for series in data.bold], data.participants["y_dyn"].to_numpy(), data


@functools.cache
def state_runs(n=8, seed=0):
    """Small runs that switch between two patterns of correlation every 60 s."""
    rng = np.random.default_rng(seed)
    signs = np.array([[1, 1, 1, 1, 1, 1], [1, -1, 1, -1, 1, -1]])
    path = np.repeat([0, 1, 0, 1], 60)
    runs = []
    for _ in range(n):
        factor = rng.standard_normal((240, 1))
        runs.append(Run(factor * signs[path] + 0.4 * rng.standard_normal((240, 6)), 1.0))
    return runs, path


def static(runs):
    return np.stack([windowed_edges(run, 1e9, 1.0)[0][0] for run in runs])


def area(runs, labels, model, kind="logistic"):
    """Cross-validated ROC area (3 folds); everything is fitted on training runs."""
    scores = []
    for train, test in StratifiedKFold(3, shuffle=True, random_state=0).split(labels, labels):
        inside, outside = [runs[i] for i in train], [runs[i] for i in test]
        if model is None:
            features = static(inside), static(outside)
        else:
            features = model.fit(inside).transform(inside), model.transform(outside)
        decision = decide(features[0], labels[train], features[1], kind)
        scores.append(roc_auc_score(labels[test], decision))
    return float(np.mean(scores))


# Known truth


@pytest.mark.parametrize("model", [SlidingWindowStates(), HiddenMarkovStates()])
def test_states_tell_the_rate_of_switching_and_static_connectivity_does_not(model):
    runs, labels, _ = cohort()
    assert abs(area(runs, labels, None) - 0.5) < 0.15
    assert area(runs, labels, model) > 0.85
    shuffled = [np.random.default_rng(seed).permutation(labels) for seed in range(6)]
    features = model.fit(runs).transform(runs)  # without labels: nothing can leak
    chance = []
    for wrong in shuffled:
        folds = StratifiedKFold(3, shuffle=True, random_state=0).split(features, wrong)
        for train, test in folds:
            decision = decide(features[train], wrong[train], features[test])
            chance.append(roc_auc_score(wrong[test], decision))
    assert abs(np.mean(chance) - 0.5) < 0.12


def test_hidden_markov_model_finds_the_true_states():
    runs, _, data = cohort()
    model = HiddenMarkovStates().fit(runs[:40])
    paths = [model.path(run)[0] for run in runs[40:]]
    assert adjusted_rand_score(data.states[40:].ravel(), np.concatenate(paths)) > 0.7


@pytest.mark.parametrize(
    "model", [SlidingWindowStates(2, 20.0, centre=False), HiddenMarkovStates(2, n_components=4)]
)
def test_dwell_and_shares_of_two_known_states(model):
    runs, _ = state_runs()
    rate, dwell, *rest = model.fit(runs).transform(runs).mean(axis=0)
    assert rate == pytest.approx(3 / 4, abs=0.25)  # changes a minute
    assert dwell == pytest.approx(60, abs=12)
    assert np.allclose(rest[:2], 0.5, atol=0.1)
    assert np.allclose(rest[2:4], 60, atol=12)
    follow = np.reshape(rest[4:], (2, 2))
    assert np.allclose(follow.sum(axis=1), 1)
    assert (np.diag(follow) > 0.75).all()


# Honesty


@pytest.mark.parametrize("model", [SlidingWindowStates(2), HiddenMarkovStates(2, n_components=3)])
def test_features_of_a_run_do_not_depend_on_other_test_runs(model):
    runs, _ = state_runs()
    fitted = model.fit(runs[:5])
    together = fitted.transform(runs[5:])
    alone = np.concatenate([fitted.transform([run]) for run in runs[:4:-1]])[::-1]
    assert np.array_equal(together, alone)
    again = model.fit(runs[:5], np.arange(5)).transform(runs[5:])  # same seed, labels unused
    assert np.array_equal(together, again)
    assert np.array_equal(model.fit_transform(runs[:5]), fitted.transform(runs[:5]))


# Runs of every kind


@pytest.mark.parametrize("model", [SlidingWindowStates(2), HiddenMarkovStates(2, n_components=3)])
def test_runs_of_other_length_and_rate_have_like_features(model):
    runs, _ = state_runs()
    fast = [Run(resampled(run.values, 1.0, 1.6), 1.6) for run in runs]
    fitted = model.fit([*runs[:4], fast[4]._replace(values=fast[4].values[:200])])
    slow, quick = fitted.transform(runs[5:]), fitted.transform(fast[5:])
    assert slow.shape == quick.shape == (3, 10)
    assert np.allclose(slow[:, 2:4], quick[:, 2:4], atol=0.15)
    assert np.allclose(slow[:, 1], quick[:, 1], rtol=0.35)


@pytest.mark.parametrize("model", [SlidingWindowStates(2), HiddenMarkovStates(2, n_components=3)])
def test_constant_and_missing_rois_are_no_obstacle(model):
    runs, _ = state_runs()
    broken = []
    for run in runs:
        values = run.values.copy()
        values[:, 0], values[:, 1], values[100:104, 2] = 7.0, np.nan, np.nan
        broken.append(Run(values, 1.0))
    found = model.fit(broken).transform(broken)
    assert np.isfinite(found).all()


def test_too_few_samples_windows_or_activity_are_refused():
    runs, _ = state_runs()
    with pytest.raises(UnfitRecordingError, match="windows of 2 samples"):
        windowed_edges(runs[0], 2.0, 1.0)
    with pytest.raises(UnfitRecordingError, match="windows in the training data"):
        SlidingWindowStates(5).fit([Run(runs[0].values[:30], 1.0)])
    with pytest.raises(UnfitRecordingError, match="do not vary"):
        HiddenMarkovStates(2).fit([Run(np.ones((100, 3)), 1.0)])


def test_many_training_windows_are_thinned(monkeypatch):
    monkeypatch.setattr("neuropipe.brainmae.connectomes._MOST_WINDOWS", 20)
    runs, _ = state_runs()
    found = SlidingWindowStates(2).fit_transform(runs)
    assert found.shape == (8, 10)


# Pieces


def test_windowed_edges_are_correlations_of_each_window():
    runs, _ = state_runs()
    found, step = windowed_edges(runs[0], 30.0, 15.0)
    assert step == 15
    assert found.shape == (15, 15)
    expected = np.corrcoef(runs[0].values[30:60].T)[np.triu_indices(6, 1)]
    assert np.allclose(np.tanh(found[2]), expected, atol=1e-6)
    whole, _ = windowed_edges(Run(runs[0].values[:20], 1.0), 30.0, 15.0)
    assert len(whole) == 1


@settings(max_examples=50)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.floats(0.2, 5))
def test_state_features_are_consistent(states, step):
    found = state_features(np.array(states), step, 4)
    rate, dwell, share, visit, follow = np.split(found, [1, 2, 6, 10])
    changes = sum(a != b for a, b in itertools.pairwise(states))
    assert rate[0] == pytest.approx(60 * changes / (max(len(states) - 1, 1) * step))
    assert dwell[0] == pytest.approx(len(states) * step / (changes + 1))
    assert share.sum() == pytest.approx(1)
    assert np.allclose(follow.reshape(4, 4).sum(axis=1), 1)
    assert np.array_equal(visit == 0, share == 0)


def test_state_features_of_a_small_path():
    found = state_features(np.array([0, 0, 1, 1, 1, 0]), 2.0, 3)
    assert found[:8].tolist() == [12, 4, 0.5, 0.5, 0, 3, 6, 0]
    follow = found[8:].reshape(3, 3)
    assert np.allclose(follow[0], [(1 + 1 / 3) / 3, (1 + 1 / 3) / 3, 1 / 9])
    assert np.allclose(follow[2], 1 / 3)


@given(st.integers(0, 100))
def test_standardised_ignores_scale_and_missing_values(seed):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((30, 4)) * [1, 1e-3, 1e5, 1] + [0, 5, 1e6, 0]
    values[:, 3] = 3.3
    values[rng.random((30, 4)) < 0.1] = np.nan
    z = standardised(values)
    known = np.isfinite(values)
    assert (z[~known] == 0).all()
    assert (z[:, 3] == 0).all()
    for column in range(3):
        own = z[known[:, column], column]
        assert own.mean() == pytest.approx(0, abs=1e-6)
        assert own.std() == pytest.approx(1, abs=1e-6)


def test_principal_axes_whiten():
    x = standardised(np.random.default_rng(0).standard_normal((200, 5)) @ np.ones((5, 5)) + 1)
    runs, _ = state_runs()
    series = [standardised(run.values) for run in runs]
    scores = np.concatenate(series) @ principal_axes(series, 3)
    assert np.allclose(scores.T @ scores / len(scores), np.eye(3))
    assert principal_axes([x], 4).shape == (5, 1)  # one direction varies


def test_resampling_keeps_slow_waves_and_drops_fast_ones():
    time = np.arange(600) * 0.5
    slow, fast = np.sin(2 * np.pi * 0.05 * time), np.sin(2 * np.pi * 0.8 * time)
    found = resampled(np.stack([slow, fast], axis=1), 2.0, 1.0)
    assert np.abs(found[20:-20, 0] - slow[::2][20:-20]).max() < 0.02
    assert np.abs(found[20:-20, 1]).max() < 0.02
    assert resampled(found, 1.0, 1.001) is found


# Decoders


@pytest.mark.parametrize("kind", ["logistic", "svm"])
def test_decision_separates_labels_and_stays_at_chance_without_any(kind):
    rng = np.random.default_rng(0)
    labels = np.repeat(["control", "patient"], 40)
    features = rng.standard_normal((80, 300))
    noise = decide(features[::2], labels[::2], features[1::2], kind)
    assert abs(roc_auc_score(labels[1::2], noise) - 0.5) < 0.25
    features[40:, :30] += 0.8
    found = decide(features[::2], labels[::2], features[1::2], kind)
    assert found.shape == (40,)
    assert roc_auc_score(labels[1::2], found) > 0.9
    assert found[labels[1::2] == "patient"].mean() > 0


def test_logistic_decision_is_that_of_sklearn_on_all_features():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 30)
    train, test = (
        rng.standard_normal((60, 200)) + 0.3 * labels[:, None],
        rng.standard_normal((9, 200)),
    )
    found = decide(train, labels, test)
    scaler = StandardScaler().fit(train)
    fits = [
        LogisticRegression(C=c / 200, class_weight="balanced", max_iter=1000, tol=1e-8).fit(
            scaler.transform(train), labels
        )
        for c in np.logspace(-3, 3, 7)
    ]
    decisions = np.array([fit.decision_function(scaler.transform(test)) for fit in fits])
    assert np.abs(decisions - found).max(axis=1).min() < 1e-2 * np.abs(found).max()


@pytest.mark.parametrize("kind", ["logistic", "svm"])
def test_more_classes_constant_features_and_small_classes(kind):
    rng = np.random.default_rng(0)
    labels = np.array(["a"] * 10 + ["b"] * 10 + ["c"] * 3)
    features = rng.standard_normal((23, 5))
    features[:, 0] = 1
    features[10:20, 1] += 6  # one direction a class: one-versus-rest tells no middle class
    features[20:, 2] += 6
    found = decide(features, labels, features, kind)
    assert found.shape == (23, 3)
    assert (np.array(["a", "b", "c"])[found.argmax(axis=1)] == labels).mean() > 0.8
    assert (decide(np.ones((23, 2)), labels, np.ones((4, 2)), kind) == np.zeros((4, 3))).all()


def test_one_class_or_missing_values_are_refused():
    features = np.arange(12.0).reshape(6, 2)
    with pytest.raises(UnfitRecordingError, match="1 classes"):
        decide(features, ["a"] * 6, features)
    with pytest.raises(UnfitRecordingError, match="smallest class"):
        decide(features, ["a"] * 5 + ["b"], features)
    with pytest.raises(InputError, match="missing"):
        decide(np.where(features > 4, np.nan, features), ["a", "b"] * 3, features)
