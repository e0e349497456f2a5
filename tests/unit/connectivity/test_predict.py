"""Labels are predicted across subjects and families, never from the test subjects themselves."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.connectivity.cohort import build_cohort
from neuropipe.connectivity.predict import predict_targets
from neuropipe.connectivity.settings import ConnectivitySettings
from neuropipe.errors import UnfitRecordingError
from neuropipe.prediction import rows
from neuropipe.prediction.connectomes import tangent_grams
from neuropipe.prediction.design import partitions
from neuropipe.prediction.targets import confound_matrix, read_target, split_groups
from neuropipe.stats.connectivity_matrices import expm, logm, tangent_vectors
from neuropipe.stats.linear_models import fold_gram
from neuropipe.stats.prediction import classify
from neuropipe.stats.prediction_scores import Classification
from tests.unit.connectivity.builders import cohort as toy_cohort
from tests.unit.connectivity.builders import recording as toy_recording
from tests.unit.connectivity.builders import series as toy_series


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
    grams = tangent_grams(different.covariances, parts)
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


def test_confounds_known_of_too_few_leave_their_rows_out(different):
    different.participants["dose"] = [1.0 + k if k < 12 else "n/a" for k in range(40)]
    settings = _settings(kinds=("correlation",), confounds=("dose",))
    (result,), left_out = predict_targets(different, settings)
    assert [row.name for row in result.rows] == ["correlation"]
    assert left_out == [
        "dose (confounds) known of 12 subjects with group: too few for a model without them."
    ]


def test_confounds_known_of_one_class_leave_their_rows_out(different):
    table = different.participants
    table["dose"] = [1.0 + k if g == "patient" else "n/a" for k, g in enumerate(table["group"])]
    settings = _settings(kinds=("correlation",), confounds=("dose",))
    (result,), left_out = predict_targets(different, settings)
    assert len(result.rows) == 1
    assert "known of 20 subjects with group" in left_out[0]


def test_a_confound_that_is_the_target_is_not_regressed_out(different):
    settings = _settings(targets=("group",), kinds=("correlation",), confounds=("group",))
    (result,), left_out = predict_targets(different, settings)
    assert [row.name for row in result.rows] == ["correlation"]
    assert left_out == []


def test_missing_labels_change_no_fold_of_the_others(different):
    table = different.participants
    table["half"] = [g if k >= 12 else "n/a" for k, g in enumerate(table["group"])]
    settings = _settings(targets=("half",), kinds=("correlation", "tangent"))
    (result,), _ = predict_targets(different, settings)
    for row in result.rows:
        assert np.isnan(row.scores.decision[:, :12]).all()
        assert np.isfinite(row.scores.decision[:, 12:]).all()
        assert row.scores.auroc.value > 0.75, row.name
    assert (result.folds >= 0).all()


def test_labels_of_test_subjects_reach_no_feature(different):
    # Changing the labels of one fold moves the decisions of others only.
    settings = _settings(seeds=(0,), kinds=("tangent",))
    (before,), _ = predict_targets(different, settings)
    fold = before.folds[0] == 2
    table = different.participants
    flipped = {"patient": "control", "control": "patient"}
    table["other"] = [flipped[g] if f else g for g, f in zip(table["group"], fold, strict=True)]
    groups = split_groups(table, settings)
    target = read_target("group", table, settings)
    parts = partitions([target], groups, settings)
    again = read_target("other", table, settings.model_copy(update={"targets": ("other",)}))
    values = np.where(np.array(again.classes)[again.values] == target.classes[1], 1, 0)
    grams = tangent_grams(different.covariances, parts)
    ready = [fold_gram(g, f.train) for g, f in zip(grams[0], parts[0], strict=True)]
    after = classify(lambda _, f: ready[f], parts, values, target.classes, n_permutations=1)
    first = before.rows[0].scores.decision[0, :, 0]
    assert after.decision[0, fold, 0] == pytest.approx(first[fold])
    assert np.abs(after.decision[0, ~fold, 0] - first[~fold]).max() > 0.05


def test_logistic_and_ridge_agree(different):
    settings = _settings(seeds=(0,))
    target = read_target("group", different.participants, settings)
    parts = partitions([target], split_groups(different.participants, settings), settings)
    grams = tangent_grams(different.covariances, parts)
    ready = [fold_gram(g, f.train) for g, f in zip(grams[0], parts[0], strict=True)]
    ridge, logistic = (
        classify(
            lambda _, f: ready[f], parts, target.values, target.classes,
            classifier=name, n_permutations=1, n_resamples=200,
        )
        for name in ("ridge", "logistic")
    )  # fmt: skip
    assert np.corrcoef(ridge.decision[0, :, 0], logistic.decision[0, :, 0])[0, 1] > 0.8
    assert logistic.auroc.value > 0.85


def test_families_are_permuted_and_resampled_whole():
    # Families of three share label and matrix: six of them are no evidence, 18 subjects would be.
    found = []
    for k in range(30):
        family = k // 3
        x = toy_series(120, 6, np.random.default_rng(family))
        label = "ab"[family % 2]
        found.append(toy_recording(f"{k:02d}", values=x, family=f"f{family}", group=label))
    settings = _settings(kinds=("correlation",), n_permutations=99, n_splits=2)
    cohort = build_cohort(found, "toy", settings)
    by_family = settings.model_copy(update={"group_column": "family"})
    (leaky,), _ = predict_targets(cohort, settings)
    (honest,), _ = predict_targets(cohort, by_family)
    leaky, honest = leaky.rows[0].scores.auroc, honest.rows[0].scores.auroc
    assert leaky.value > 0.9  # siblings on both sides
    assert honest.value < 0.8
    assert honest.p_value > 0.05
    assert np.ptp(honest.interval) > np.ptp(leaky.interval)
    # Shuffled families of three move together: their null is wide.
    assert honest.null.std() > 0.15


def test_too_few_families_for_the_folds_are_refused(different):
    different.participants["house"] = ["one"] * 20 + ["two"] * 20
    with pytest.raises(UnfitRecordingError, match="independent subjects") as caught:
        predict_targets(different, _settings(group_column="house"))
    assert "\n" not in str(caught.value)


def test_unknown_confounds_are_never_trained_on(different, monkeypatch):
    # What stands in for them must not matter.
    different.participants["weight"] = [50.0 + k if k % 5 else "n/a" for k in range(40)]
    settings = _settings(kinds=("correlation",), confounds=("weight",))

    def filled(names, table):
        values, known = confound_matrix(names, table)
        return np.where(known[:, None], values, 1e5), known

    (plain,), _ = predict_targets(different, settings)
    monkeypatch.setattr(rows, "confound_matrix", filled)
    (other,), _ = predict_targets(different, settings)
    for row, again in zip(plain.rows, other.rows, strict=True):
        assert again.scores.decision == pytest.approx(
            row.scores.decision, rel=1e-6, abs=1e-6, nan_ok=True
        )


@pytest.mark.parametrize("value", [3.0, "Siemens"])
def test_a_confound_that_is_the_same_for_all_says_nothing(different, value):
    different.participants["scanner"] = [value] * 40
    settings = _settings(targets=("group", "age"), kinds=("correlation",), confounds=("scanner",))
    (group, age), left_out = predict_targets(different, settings)
    assert left_out == []
    alone = group.rows[-1].scores
    assert alone.auroc.value == 0.5
    assert alone.auroc.p_value == 1.0
    assert age.rows[-1].scores.r2.value == pytest.approx(0)
    plain, freed = (row.scores.decision for row in group.rows[:2])
    assert freed == pytest.approx(plain)  # nothing was there to be taken away
