"""Targets that enough subjects have are predicted, all on the same folds."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.errors import UnfitRecordingError
from neuropipe.prediction.design import read_design
from neuropipe.prediction.settings import PredictionSettings
from tests.unit.prediction.builders import FAST, design, participants


def test_every_subject_is_tested_once_a_seed():
    found = design(targets=("group", "age"))
    assert [target.name for target in found.targets] == ["group", "age"]
    assert found.folds.shape == (2, 40)
    assert all(set(row) == set(range(5)) for row in found.folds)
    for part in found.partitions:
        assert sorted(np.concatenate([fold.test for fold in part])) == list(range(40))
        for fold in part:  # stratified
            assert 3 <= found.targets[0].values[fold.test].sum() <= 5


def test_families_stay_together():
    found = design(group_column="family")
    for part in found.partitions:
        for fold in part:
            assert not set(found.groups[fold.train]) & set(found.groups[fold.test])


def test_a_target_known_of_few_is_left_out_and_said():
    table = participants(rare=["a", "b"] * 5 + ["n/a"] * 30)
    settings = PredictionSettings(**FAST, targets=("rare", "group"))
    found, left_out = read_design(table, settings)
    assert [target.name for target in found.targets] == ["group"]
    assert left_out == ["rare is known of 10 subjects, fewer than 20: not predicted."]
    nothing, left_out = read_design(table, settings.model_copy(update={"targets": ("rare",)}))
    assert nothing is None
    assert len(left_out) == 1


def test_wrong_columns_are_refused():
    with pytest.raises(UnfitRecordingError, match="'iq' is no column"):
        design(targets=("iq",))
    with pytest.raises(UnfitRecordingError, match="'clan' is no column"):
        design(group_column="clan")


def test_what_is_enough():
    found = design(targets=("group", "age"))
    group, age = found.targets
    everyone = np.arange(40)
    assert found.is_enough(group.only(everyone < 20))
    assert not found.is_enough(group.only(everyone < 19))
    assert not found.is_enough(group.only(everyone % 2 == 0))  # one class
    assert found.is_enough(age.only(everyone % 2 == 0))
