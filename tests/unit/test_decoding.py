"""The decoder equals scikit-learn's pipeline and refuses what it cannot decode."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from neuropipe.errors import InputError, UnfitRecordingError
from neuropipe.stats.decoding import leave_one_run_out_accuracy


@pytest.fixture
def patterns():
    rng = np.random.default_rng(0)
    labels = np.tile(["cat", "dog", "face"], 6)
    runs = np.repeat(np.arange(6), 3)
    means = rng.standard_normal((3, 50))
    x = means[np.tile([0, 1, 2], 6)] + 1.5 * rng.standard_normal((18, 50))
    x[:, 7] = 3.0  # a dead voxel
    return x, labels, runs


def test_decoding_matches_a_pipeline_on_the_voxels(patterns):
    x, labels, runs = patterns
    found = leave_one_run_out_accuracy(x, labels, runs)
    for run in range(6):
        train = runs != run
        model = make_pipeline(StandardScaler(), LinearSVC(dual=True, tol=1e-6, max_iter=100_000))
        expected = model.fit(x[train], labels[train]).predict(x[~train])
        assert list(found.predicted[~train]) == list(expected)
        assert found.by_run[run] == np.mean(expected == labels[~train])
    assert found.accuracy == pytest.approx(found.by_run.mean())
    assert found.chance == pytest.approx(1 / 3)
    assert found.accuracy > 0.6
    assert found.confusion.sum() == 18
    assert np.trace(found.confusion) == round(18 * found.accuracy)
    assert found.p_value is None


def test_null_is_at_chance(patterns):
    x, labels, runs = patterns
    found = leave_one_run_out_accuracy(x, labels, runs, n_permutations=39, seed=1)
    assert found.null.mean() == pytest.approx(1 / 3, abs=0.08)
    assert found.p_value == pytest.approx(1 / 40)


def test_unfit_patterns_are_refused(patterns):
    x, labels, runs = patterns
    with pytest.raises(UnfitRecordingError, match="1 run"):
        leave_one_run_out_accuracy(x, labels, np.zeros(18))
    with pytest.raises(UnfitRecordingError, match="one condition"):
        leave_one_run_out_accuracy(x, ["cat"] * 18, runs)
    with pytest.raises(InputError, match="17 labels"):
        leave_one_run_out_accuracy(x, labels[:17], runs)
    x = x.copy()
    x[0, 0] = np.nan
    with pytest.raises(InputError, match="missing"):
        leave_one_run_out_accuracy(x, labels, runs)


def test_a_condition_of_one_run_only_is_guessed_wrong_not_crashed():
    x = np.random.default_rng(1).standard_normal((4, 5))
    found = leave_one_run_out_accuracy(x, ["a", "a", "b", "b"], [1, 1, 2, 2])
    assert found.accuracy == 0.0
