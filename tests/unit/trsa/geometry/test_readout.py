"""Closed-form readouts against scikit-learn and against a loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge

from neuropipe.errors import UnfitRecordingError
from neuropipe.trsa.geometry.arrays import flatten
from neuropipe.trsa.geometry.dichotomies import balanced_dichotomies
from neuropipe.trsa.geometry.readout import (
    accuracy_by_repeat,
    crossvalidated_decisions,
    fold_readouts,
    kernel_decisions,
    repeat_folds,
    ridge_readout,
)


def split(p: int, seed: int = 0, n: int = 30) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.sign(rng.standard_normal((n, 4)))
    return rng.standard_normal((n, p)) + 3, rng.standard_normal((7, p)) + 3, labels


def reference(train: np.ndarray, labels: np.ndarray, test: np.ndarray, penalty: float):
    size = ((train - train.mean(axis=0)) ** 2).sum() / len(train)
    return Ridge(alpha=penalty * size).fit(train, labels).predict(test)


@pytest.mark.parametrize("p", [5, 30, 200])
@pytest.mark.parametrize("penalty", [0.01, 1.0])
def test_decisions_are_those_of_scikit_learn(p: int, penalty: float) -> None:
    train, test, labels = split(p)
    left, right = ridge_readout(train, test, penalty=penalty)
    mean = labels.mean(axis=0)
    found = mean + left @ (right @ (labels - mean))
    np.testing.assert_allclose(found, reference(train, labels, test, penalty), atol=1e-8)


@pytest.mark.parametrize("p", [5, 200])
def test_inner_products_are_enough(p: int) -> None:
    train, test, labels = split(p, seed=1)
    both = np.vstack([train, test])
    rows = np.vstack([labels, np.zeros((7, 4))])
    found = kernel_decisions(both @ both.T, np.arange(30), np.arange(30, 37), rows, penalty=0.3)
    np.testing.assert_allclose(found, reference(train, labels, test, 0.3), atol=1e-8)


def test_without_penalty_it_is_the_linear_discriminant() -> None:
    """Two equally frequent classes: least squares on -1 and 1 finds the same plane."""
    rng = np.random.default_rng(2)
    labels = np.repeat([-1, 1], 50)
    train = rng.standard_normal((100, 6)) * [1, 2, 3, 1, 1, 1] + 0.7 * labels[:, None]
    test = rng.standard_normal((200, 6))
    left, right = ridge_readout(train, test, penalty=1e-10)
    expected = LinearDiscriminantAnalysis().fit(train, labels).predict(test)
    np.testing.assert_array_equal(np.sign(left @ (right @ labels)), expected)


def test_patterns_that_do_not_differ_decide_nothing() -> None:
    left, right = ridge_readout(np.ones((6, 3)), np.ones((2, 3)))
    np.testing.assert_array_equal(left @ right @ np.arange(6), 0)


def test_every_repeat_is_tested_once() -> None:
    repeats = np.repeat(np.arange(7), 3)
    folds = repeat_folds(repeats, 3)
    assert len(folds) == 3
    np.testing.assert_array_equal(np.sort(np.concatenate(folds)), np.arange(21))
    assert len(repeat_folds(repeats)) == 7
    for fold in folds:
        outside = np.setdiff1d(np.arange(21), fold)
        assert not set(repeats[fold]) & set(repeats[outside])


def test_one_repeat_cannot_be_tested() -> None:
    with pytest.raises(UnfitRecordingError, match="one repeat"):
        repeat_folds(np.zeros(5, dtype=int))


@pytest.mark.parametrize("p", [10, 100])
def test_all_dichotomies_at_once_are_the_loop(p: int) -> None:
    rng = np.random.default_rng(3)
    values = rng.standard_normal((5, 8, p)) + rng.standard_normal((8, p))
    signs = balanced_dichotomies(8)
    together = crossvalidated_decisions(values, signs, penalty=0.2)
    assert together.shape == (35, 5, 8)
    for d in (0, 17, 34):
        for r in range(5):
            train = np.delete(values, r, axis=0).reshape(-1, p)
            expected = reference(train, np.tile(signs[d], 4), values[r], 0.2)
            np.testing.assert_allclose(together[d, r], expected, atol=1e-8)


def test_left_out_repeats_teach_nothing() -> None:
    rng = np.random.default_rng(4)
    values = rng.standard_normal((4, 6, 9))
    labels = np.array([[1, 1, 1, -1, -1, -1]])
    before = crossvalidated_decisions(values, labels)
    other = values.copy()
    other[2] += 5 * rng.standard_normal((6, 9))
    fold = fold_readouts(flatten(other))[2]
    np.testing.assert_allclose(fold.right, fold_readouts(flatten(values))[2].right)
    after = crossvalidated_decisions(other, labels)
    assert not np.allclose(after[0, 2], before[0, 2])
    assert not np.allclose(after[0, 1], before[0, 1])


def test_missing_trials_have_no_decision() -> None:
    values = np.random.default_rng(5).standard_normal((4, 6, 9))
    values[1, 2] = np.nan
    decisions = crossvalidated_decisions(values, np.array([[1, 1, 1, -1, -1, -1]]))
    assert np.isnan(decisions[0, 1, 2])
    assert np.isfinite(decisions).sum() == 23
    accuracy = accuracy_by_repeat(decisions, np.array([[1, 1, 1, -1, -1, -1]]))
    assert np.isfinite(accuracy).all()


def test_sides_count_the_same_and_ties_one_half() -> None:
    labels = np.array([[1, 1, -1, -1]])
    decisions = np.array(
        [[[2.0, np.nan, -1, 3], [0, 0, 0, 0], [np.nan] * 4, [1, 1, np.nan, np.nan]]]
    )
    np.testing.assert_allclose(
        accuracy_by_repeat(decisions, labels)[0], [0.75, 0.5, np.nan, 1], equal_nan=True
    )


@given(seed=st.integers(0, 30))
def test_flipping_a_dichotomy_flips_its_decisions(seed: int) -> None:
    values = np.random.default_rng(seed).standard_normal((3, 4, 6))
    signs = np.array([[1, 1, -1, -1]])
    np.testing.assert_allclose(
        crossvalidated_decisions(values, signs),
        -crossvalidated_decisions(values, -signs),
        atol=1e-10,
    )
