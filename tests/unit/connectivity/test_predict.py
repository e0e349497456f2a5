"""Labels are predicted across subjects and families, never from the test subjects themselves."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.connectivity.cohort import build_cohort
from neuropipe.connectivity.model import expm, logm, tangent_vectors
from neuropipe.connectivity.predict import fold_grams, partitions, predict_targets
from neuropipe.connectivity.settings import ConnectivitySettings
from neuropipe.connectivity.targets import read_target, split_groups
from neuropipe.errors import UnfitRecordingError
from neuropipe.stats.prediction import Classification
from tests.unit.connectivity.builders import cohort as toy_cohort


def _settings(**more):
    values = {"targets": ("group",), "seeds": (0, 1), "n_permutations": 19, "n_resamples": 200}
    return ConnectivitySettings(**{**values, **more})


@pytest.fixture(scope="module")
def different():
    return build_cohort(toy_cohort(40, effect=1.0), "toy", _settings())


def test_every_kind_finds_a_planted_difference(different):
    (result,), _ = predict_targets(different, _settings())
    assert [row.name for row in result.rows] == ["correlation", "partial", "tangent"]
    for row in result.rows:
        assert row.scores.auroc.value > 0.85, row.name
        assert row.scores.auroc.p_value == pytest.approx(0.05)
    assert result.folds.shape == (2, 40)
    assert set(result.folds[0]) == set(range(5))


def test_equal_groups_are_not_told_apart():
    same = build_cohort(toy_cohort(40), "toy", _settings())
    (result,), _ = predict_targets(same, _settings(kinds=("correlation",)))
    low, high = result.rows[0].scores.auroc.interval
    assert low < 0.5 < high


def test_tangent_reference_is_made_of_training_subjects_only(different):
    settings = _settings(seeds=(0,))
    target = read_target("group", different.participants, settings)
    parts = partitions([target], split_groups(different.participants, settings), settings)
    grams = fold_grams("tangent", different, parts)
    fold = parts[0][1]
    covariances = different.covariances.astype(float)
    reference = expm(np.mean([logm(c) for c in covariances[fold.train]], axis=0))
    vectors = tangent_vectors(covariances, reference)
    centred = vectors - vectors.mean(axis=0)
    assert grams[0][1] == pytest.approx(centred @ centred.T, rel=1e-3, abs=1e-3)
    # The training mean of the tangent vectors is near zero: the reference is their mean.
    assert np.abs(vectors[fold.train].mean(axis=0)).max() < 0.02


def test_families_stay_together(different):
    settings = _settings(group_column="family")
    groups = split_groups(different.participants, settings)
    target = read_target("group", different.participants, settings)
    for folds in partitions([target], groups, settings):
        for fold in folds:
            assert not {groups[i] for i in fold.train} & {groups[i] for i in fold.test}


def test_confounds_that_are_the_label_leave_nothing(different):
    # The confound names the group: regressed out within folds, the features lose it.
    different.participants["scanner"] = [
        1.0 if g == "patient" else 0.0 for g in different.participants["group"]
    ]
    settings = _settings(kinds=("correlation",), confounds=("scanner",))
    (result,), _ = predict_targets(different, settings)
    scores = {row.name: row.scores.auroc for row in result.rows}
    assert scores["correlation"].value > 0.85
    assert scores["correlation, confounds regressed"].interval[0] < 0.5
    assert scores["correlation, confounds regressed"].p_value > 0.05
    assert scores["confounds alone"].value == 1.0


def test_subjects_with_unknown_confounds_are_left_out(different):
    table = different.participants
    table["weight"] = ["n/a" if k == 3 else 70.0 + k for k in range(40)]
    settings = _settings(kinds=("correlation",), confounds=("weight",))
    (result,), _ = predict_targets(different, settings)
    freed = result.rows[1].scores
    assert isinstance(freed, Classification)
    assert np.isnan(freed.decision[:, 3]).all()
    assert np.isfinite(np.delete(freed.decision, 3, axis=1)).all()
    assert np.isfinite(result.rows[0].scores.decision).all()


def test_a_target_known_of_few_is_left_out_with_a_warning(different):
    different.participants["rare"] = ["a", "b"] * 5 + ["n/a"] * 30
    settings = _settings(targets=("group", "rare"), kinds=("partial",))
    found, left_out = predict_targets(different, settings)
    assert [result.target.name for result in found] == ["group"]
    assert "rare is known of 10 subjects" in left_out[0]


def test_one_class_is_refused(different):
    with pytest.raises(UnfitRecordingError, match="only the class 'one'"):
        predict_targets(different, _settings(targets=("site",)))


def test_numbers_are_regressed(different):
    (result,), _ = predict_targets(different, _settings(targets=("age",), kinds=("correlation",)))
    assert not result.target.is_classification
    assert result.rows[0].scores.r2.value < 0.3  # age is only the seed of the noise here
    assert result.rows[0].scores.mean_error == pytest.approx(10, abs=1.5)
