"""Every number stands beside a baseline, chance and an interval, and says how p was found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuropipe.prediction.arrays import prediction_arrays
from neuropipe.prediction.connectomes import feature_grams
from neuropipe.prediction.metrics import prediction_metrics
from neuropipe.prediction.rows import decision_row, score_features
from tests.unit.prediction.builders import design, features, participants


@pytest.fixture(scope="module")
def scored():
    """Two targets by features and by a network, with motion as confound."""
    rng = np.random.default_rng(0)
    table = participants(motion=list(rng.random(40)))
    found = design(table, targets=("group", "age"), confounds=("motion",))
    x = features(table)
    results, _ = score_features(found, {"x": feature_grams(x, found.partitions)})
    made = [
        np.tile(x[:, 0] - 0.75, (2, 1)),
        np.tile(40 + 4 * x[:, 1], (2, 1)),
    ]
    results = [
        replace(result, rows=[*result.rows, decision_row(found, "network", result.target, values)])
        for result, values in zip(results, made, strict=True)
    ]
    return found, results


def _by_name(metrics):
    return {metric.name: metric for metric in metrics}


def test_confounds_are_the_baseline_where_there_are_any(scored):
    found, results = scored
    metrics = _by_name(prediction_metrics(results, found.settings))
    alone = metrics["group: AUROC (confounds alone)"]
    assert (alone.baseline, alone.baseline_name) == (0.5, "majority class")
    other = metrics["group: AUROC (x)"]
    assert (other.baseline, other.baseline_name) == (alone.value, "confounds alone")
    assert other.split == "5 folds by subject, 2 seeds"
    assert metrics["age: R2 (x)"].baseline_name == "training mean"  # motion tells no age
    assert metrics["age: mean absolute error (x)"].better == "lower"


def test_another_row_can_be_the_baseline(scored):
    found, results = scored
    metrics = _by_name(prediction_metrics(results, found.settings, baseline="x"))
    network = metrics["group: AUROC (network)"]
    assert (network.baseline, network.baseline_name) == (metrics["group: AUROC (x)"].value, "x")
    assert metrics["age: R2 (network)"].baseline == metrics["age: R2 (x)"].value > 0
    assert metrics["group: AUROC (x)"].baseline_name == "majority class"
    missing = _by_name(prediction_metrics(results, found.settings, baseline="no such row"))
    assert missing["group: AUROC (network)"].baseline == 0.5


def test_p_says_whether_the_model_was_trained_again(scored):
    found, results = scored
    metrics = _by_name(prediction_metrics(results, found.settings))
    assert metrics["group: AUROC (x)"].description.endswith("(19 label permutations).")
    for name in ("group: AUROC (network)", "age: R2 (network)"):
        assert metrics[name].description.endswith(
            "(19 label permutations, the model not refitted)."
        )


def test_arrays_hold_what_the_numbers_rest_on(scored):
    found, results = scored
    subjects = list(found.participants.index)
    groups = prediction_arrays(results, subjects, found.settings, taken=["age"])
    assert list(groups) == ["group", "age_target"]
    group = groups["group"]
    assert list(group["subject"].values) == subjects
    assert group["decision_network"].shape == (2, 40, 1)
    assert group["null_auroc_confounds_alone"].shape == (19,)
    assert np.array_equal(group["fold"].values, found.folds)
    assert groups["age_target"]["predicted_network"].dims == ("seed", "subject")
    assert list(group.attrs["classes"]) == ["control", "patient"]


def test_targets_that_differ_in_signs_only_both_stay(scored):
    found, (group, _) = scored
    renamed = [replace(group, target=replace(group.target, name=n)) for n in ("a-b", "a_b", "%")]
    groups = prediction_arrays(renamed, list(found.participants.index), found.settings)
    assert list(groups) == ["a_b", "a_b_target", "target"]
