"""Rows of features and of other models' predictions stand beside each other on the same folds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuropipe.prediction.connectomes import feature_grams
from neuropipe.prediction.rows import ALONE, decision_row, score_features
from tests.unit.prediction.builders import design, features, participants


def _scored(found, effect=1.5, **more):
    x = features(found.participants, effect)
    noise = np.random.default_rng(9).standard_normal((len(x), 10))
    grams = {name: feature_grams(v, found.partitions) for name, v in (("x", x), ("noise", noise))}
    return score_features(found, grams | more)


def test_every_model_of_every_target_has_a_row():
    found = design(
        targets=("group", "age"), classifiers=("ridge", "logistic"), confounds=("age",), seeds=(0,)
    )
    (group, age), left_out = _scored(found)
    names = ["x", "x, logistic", "noise", "noise, logistic", "x, confounds regressed", ALONE]
    assert [row.name for row in group.rows] == names
    assert [row.name for row in age.rows] == ["x", "noise"]  # age is its own confound
    assert left_out == []
    assert group.rows[0].scores.auroc.value > 0.7
    assert age.rows[0].scores.r2.value > 0.3
    assert np.array_equal(group.folds, found.folds)
    assert all(row.refitted for row in group.rows)


def test_without_features_the_confounds_stand_alone():
    (result,), _ = score_features(design(confounds=("age",)), {})
    assert [row.name for row in result.rows] == [ALONE]


def test_classes_predicted_elsewhere_get_the_same_scores():
    found = design(group_column="family")
    (result,), _ = _scored(found)
    ridge = result.rows[0]
    row = decision_row(found, "network", result.target, ridge.scores.decision)
    assert not row.refitted
    assert row.scores.auroc.value == ridge.scores.auroc.value
    assert row.scores.auroc.interval == ridge.scores.auroc.interval
    assert row.scores.recall["patient"].value == ridge.scores.recall["patient"].value
    flat = decision_row(found, "network", result.target, ridge.scores.decision[:, :, 0])
    assert flat.scores.auroc.value == row.scores.auroc.value
    more = replace(result, rows=[row, *result.rows])
    assert [r.name for r in more.rows] == ["network", "x", "noise"]


def test_numbers_predicted_elsewhere_get_the_same_scores():
    found = design(targets=("age",))
    (result,), _ = _scored(found)
    ridge = result.rows[0]
    row = decision_row(found, "network", result.target, ridge.scores.predicted)
    assert row.scores.r2.value == ridge.scores.r2.value
    assert row.scores.r2.interval == ridge.scores.r2.interval
    assert row.scores.mean_error == ridge.scores.mean_error
    assert row.scores.r2.p_value <= 0.1


def test_subjects_with_unknown_confounds_are_left_out_of_their_rows():
    found = design(participants(weight=["n/a"] + [60.0 + k for k in range(39)]),
                   confounds=("weight",))  # fmt: skip
    (result,), _ = _scored(found)
    plain, _, freed, alone = result.rows
    assert np.isfinite(plain.scores.decision).all()
    for row in (freed, alone):
        assert np.isnan(row.scores.decision[:, 0]).all()
        assert np.isfinite(row.scores.decision[:, 1:]).all()


def test_confounds_of_too_few_are_said():
    found = design(participants(dose=[1.0 * k for k in range(12)] + ["n/a"] * 28),
                   confounds=("dose",))  # fmt: skip
    (result,), left_out = _scored(found)
    assert [row.name for row in result.rows] == ["x", "noise"]
    assert left_out == [
        "dose (confounds) known of 12 subjects with group: too few for a model without them."
    ]


def test_a_confound_that_is_the_label_takes_it_out_of_the_first_features():
    is_patient = [float(k % 2 == 0) for k in range(40)]
    (result,), _ = _scored(design(participants(scanner=is_patient), confounds=("scanner",)), 2.0)
    scores = {row.name: row.scores.auroc.value for row in result.rows}
    assert scores["x"] > 0.8
    assert scores["x, confounds regressed"] < 0.65
    assert scores[ALONE] == 1.0


def test_predictions_of_a_target_may_miss_subjects():
    found = design(participants(half=["n/a"] * 10 + ["a", "b"] * 15), targets=("half",))
    target = found.targets[0]
    decisions = np.random.default_rng(0).standard_normal((2, 40))
    decisions[:, 20] = np.nan
    scores = decision_row(found, "network", target, decisions).scores
    tested = np.isfinite(scores.decision).all(axis=(0, 2))
    assert list(np.flatnonzero(~tested)) == [*range(10), 20]
    assert scores.auroc.value == pytest.approx(0.5, abs=0.3)
