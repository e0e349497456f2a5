"""Codes and tasks of known geometry, measured with scikit-learn and plain algebra."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from neuropipe.errors import SettingsError
from neuropipe.simulate.geometry import (
    conditions,
    expected_counts,
    factorised_geometry,
    feature_code,
    feature_task,
    random_geometry,
    spiking_repeats,
    student_task,
    xor_labels,
)


def parallelism(patterns: np.ndarray, variables: np.ndarray, which: int) -> float:
    """Mean cosine between the differences that one variable makes at all others."""
    others = np.delete(variables, which, axis=1)
    order = np.lexsort(others.T)
    on, off = (order[variables[order, which] == sign] for sign in (1, -1))
    steps = patterns[on] - patterns[off]
    steps /= np.linalg.norm(steps, axis=1, keepdims=True)
    cosine = steps @ steps.T
    return float(cosine[np.triu_indices(len(steps), 1)].mean())


@given(k=st.integers(1, 6))
def test_conditions_are_all_combinations_in_order(k):
    table = conditions(k)
    assert len(np.unique(table, axis=0)) == 2**k
    np.testing.assert_array_equal(table, np.array(sorted(table.tolist())))
    np.testing.assert_array_equal(table.T @ table, 2**k * np.eye(k))


@given(k=st.integers(2, 5))
def test_exclusive_or_is_blind_to_every_single_variable(k):
    table = conditions(k)
    assert (xor_labels(table) @ table == 0).all()


@given(k=st.integers(2, 4), seed=st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_factorised_geometry_is_parallel_and_generalises(k, seed):
    patterns = factorised_geometry(k, 50, np.random.default_rng(seed))
    table = conditions(k)
    for variable in range(k):
        assert parallelism(patterns, table, variable) == pytest.approx(1.0)
        train = table[:, (variable + 1) % k] > 0
        model = SVC(kernel="linear", C=100).fit(patterns[train], table[train, variable])
        assert model.score(patterns[~train], table[~train, variable]) == 1.0


def test_random_geometry_shatters_and_does_not_generalise():
    table, scores, parallel = conditions(3), [], []
    for seed in range(40):
        patterns = random_geometry(3, 500, np.random.default_rng(seed))
        parallel.append(parallelism(patterns, table, 0))
        train = table[:, 1] > 0
        model = SVC(kernel="linear", C=100).fit(patterns[train], table[train, 0])
        scores.append(model.score(patterns[~train], table[~train, 0]))
    assert np.mean(parallel) == pytest.approx(0.0, abs=0.03)
    assert np.mean(scores) == pytest.approx(0.5, abs=0.1)
    for chosen in combinations(range(8), 4):
        labels = np.isin(np.arange(8), chosen)
        assert SVC(kernel="linear", C=100).fit(patterns, labels).score(patterns, labels) == 1.0


def test_too_few_units_for_a_box_are_refused():
    with pytest.raises(SettingsError, match="units"):
        factorised_geometry(4, 3, np.random.default_rng(0))


def test_spiking_repeats_are_poisson_around_a_copy_of_the_kernel():
    rng = np.random.default_rng(0)
    patterns = factorised_geometry(3, 30, rng)
    counts = spiking_repeats(patterns, 3000, rng)
    expected = expected_counts(patterns)
    assert counts.mean() == pytest.approx(4.0, abs=0.03)
    error = np.sqrt(np.maximum(expected, 0.01) / 3000)
    assert (np.abs(counts.mean(axis=0) - expected) < 5 * error).all()
    busy = expected > 0.5
    assert (counts.var(axis=0)[busy] / counts.mean(axis=0)[busy]).mean() == pytest.approx(
        1, abs=0.02
    )
    kernels = [x @ x.T for x in (m - m.mean(axis=0) for m in (patterns, expected))]
    assert np.corrcoef(kernels[0].ravel(), kernels[1].ravel())[0, 1] == pytest.approx(1.0)


@given(first=st.floats(0.05, 0.95), seed=st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_features_carry_their_shares_of_the_variance(first, seed):
    code = feature_code(200, 40, np.random.default_rng(seed), shares=(first, 1 - first))
    total = code.activity.var(axis=0).sum()
    for k, share in enumerate(code.shares):
        feature = code.features[:, k]
        explained = (code.activity.T @ feature / len(feature)) ** 2
        assert explained.sum() / total == pytest.approx(share, abs=1e-9)
    assert (code.features.mean(axis=0) == 0).all()
    assert (code.features[:, 0] @ code.features[:, 1]) == 0


def test_features_of_unequal_variance_are_equally_decodable():
    code = feature_code(400, 60, np.random.default_rng(0), shares=(0.9, 0.1), noise=0.5)
    for k in range(2):
        model = LogisticRegression().fit(code.activity[::2], code.features[::2, k])
        assert model.score(code.activity[1::2], code.features[1::2, k]) > 0.98


def test_unbalanced_features_are_refused():
    for wrong in ({"n_trials": 10}, {"n_trials": 8, "shares": (0.5, 0.6)}):
        with pytest.raises(SettingsError, match="shares"):
            feature_code(n_units=5, rng=np.random.default_rng(0), **wrong)


def test_one_feature_is_linear_and_the_other_is_not():
    inputs, labels = feature_task(2000, 12, np.random.default_rng(0))
    scores = [
        LogisticRegression().fit(inputs[::2], y[::2]).score(inputs[1::2], y[1::2]) for y in labels.T
    ]
    assert scores[0] > 0.99
    assert scores[1] < 0.57
    assert abs(np.corrcoef(labels.T)[0, 1]) < 0.08
    quadratic = np.einsum("ti,tj->tij", inputs, inputs).reshape(2000, -1)
    model = LogisticRegression(max_iter=500).fit(quadratic[::2], labels[::2, 1])
    assert model.score(quadratic[1::2], labels[1::2, 1]) > 0.99


@given(rank=st.integers(1, 20), norm=st.floats(0.01, 10), aligned=st.booleans())
@settings(max_examples=30, deadline=None)
def test_students_start_with_the_rank_and_norm_that_was_asked_for(rank, norm, aligned):
    task = student_task(np.random.default_rng(0), rank=rank, norm=norm, aligned=aligned)
    assert np.linalg.matrix_rank(task.first) == rank
    assert np.linalg.norm(task.first) == pytest.approx(norm)
    assert np.linalg.norm(task.second) == pytest.approx(norm)
    np.testing.assert_allclose(task.targets, task.inputs @ task.teacher.T)
    seen = np.linalg.norm(task.first @ task.teacher.T)
    if aligned and rank >= 2:
        # All of the teacher's directions lie in the row space of the first layer.
        projected = task.teacher @ np.linalg.pinv(task.first) @ task.first
        np.testing.assert_allclose(projected, task.teacher, atol=1e-8)
    elif not aligned and rank <= 18:
        assert seen < 1e-9 * norm


def test_impossible_tasks_are_refused():
    with pytest.raises(SettingsError, match="rank"):
        student_task(np.random.default_rng(0), rank=21)
    with pytest.raises(SettingsError, match="inputs"):
        feature_task(10, 3, np.random.default_rng(0))
