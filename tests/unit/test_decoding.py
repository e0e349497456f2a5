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


def test_chance_is_that_of_the_same_mean_over_runs():
    # Run 1 holds nine a and one b, run 2 one of each: naming a is right in 0.9 and 0.5.
    labels = ["a"] * 9 + ["b"] + ["a", "b"]
    runs = [1] * 10 + [2] * 2
    x = np.random.default_rng(2).standard_normal((12, 4))
    found = leave_one_run_out_accuracy(x, labels, runs)
    assert found.chance == pytest.approx(0.7)


def test_noise_is_decoded_at_chance_with_honest_p_values():
    rng = np.random.default_rng(3)
    labels, runs = np.tile(["a", "b"], 8), np.repeat(np.arange(4), 4)
    p, accuracies = [], []
    for seed in range(40):
        x = rng.standard_normal((16, 10)) + rng.standard_normal((4, 10))[runs]  # runs differ
        found = leave_one_run_out_accuracy(x, labels, runs, n_permutations=19, seed=seed)
        p.append(found.p_value)
        accuracies.append(found.accuracy)
    assert np.mean(accuracies) == pytest.approx(0.5, abs=0.06)
    assert np.sum(np.array(p) <= 0.25) <= 17  # 10 expected
    assert np.sum(np.array(p) <= 0.05) <= 6  # 2 expected


def test_a_run_of_one_condition_cannot_be_decoded_from_its_offset():
    # Each run shows one condition only: shuffling within runs changes nothing.
    rng = np.random.default_rng(4)
    runs = np.repeat(np.arange(6), 3)
    labels = np.array(["a", "b"])[runs % 2]
    x = rng.standard_normal((18, 8)) + 3 * rng.standard_normal((6, 8))[runs]
    found = leave_one_run_out_accuracy(x, labels, runs, n_permutations=19)
    assert np.all(found.null == found.accuracy)
    assert found.p_value == 1.0


def test_scaling_a_voxel_changes_no_prediction(patterns):
    x, labels, runs = patterns
    scaled = x * np.linspace(0.01, 100, x.shape[1]) - 20
    first, second = (leave_one_run_out_accuracy(v, labels, runs).predicted for v in (x, scaled))
    assert list(first) == list(second)


def test_confusion_has_the_truth_in_rows():
    # b always looks like a.
    x = np.tile([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], (4, 1))
    x += 0.01 * np.random.default_rng(5).standard_normal(x.shape)
    x[1::3] = x[0::3]
    found = leave_one_run_out_accuracy(x, ["a", "b", "c"] * 4, np.repeat(np.arange(4), 3))
    assert list(found.classes) == ["a", "b", "c"]
    assert found.confusion[2].tolist() == [0, 0, 4]
    assert found.confusion.sum(axis=1).tolist() == [4, 4, 4]
    assert found.confusion[:2, 2].tolist() == [0, 0]
