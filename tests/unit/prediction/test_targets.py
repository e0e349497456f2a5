"""Columns become classes or numbers as a user would expect, or are refused in one line."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from neuropipe.errors import UnfitRecordingError
from neuropipe.prediction.settings import PredictionSettings
from neuropipe.prediction.targets import (
    confound_matrix,
    is_missing,
    read_target,
    split_groups,
)


def _table(**columns):
    n = len(next(iter(columns.values())))
    return pd.DataFrame(columns, index=[f"{k:02d}" for k in range(n)], dtype=object)


def _settings(name, **more):
    return PredictionSettings(targets=(name,), **more)


def test_text_is_classes_with_the_rarer_positive():
    table = _table(diagnosis=["ASD"] * 8 + ["TC"] * 12 + ["n/a", None])
    target = read_target("diagnosis", table, _settings("diagnosis"))
    assert target.classes == ("TC", "ASD")
    assert list(target.values) == [1] * 8 + [0] * 12 + [-1, -1]
    assert target.known.sum() == 20
    other = read_target("diagnosis", table, _settings("diagnosis", positive={"diagnosis": "TC"}))
    assert other.classes == ("ASD", "TC")


def test_many_numbers_are_a_quantity_few_are_classes():
    age = read_target("age", _table(age=[*np.arange(11.0), "n/a"]), _settings("age"))
    assert not age.is_classification
    assert np.isnan(age.values[-1])
    label = _table(y=[0, 1] * 10)
    assert read_target("y", label, _settings("y")).classes == ("0", "1")
    score = read_target("y", label, _settings("y", target_types={"y": "regression"}))
    assert list(score.values[:2]) == [0.0, 1.0]


def test_numbers_with_gaps_are_the_same_classes():
    table = _table(y=[1.0, 0, "1", 0.0] * 5 + [float("nan")])
    target = read_target("y", table, _settings("y"))
    assert sorted(target.classes) == ["0", "1"]
    assert target.known.sum() == 20


@pytest.mark.parametrize(
    ("values", "more", "word"),
    [
        (["a"] * 20, {}, "only the class 'a'"),
        (["n/a"] * 20, {}, "no value"),
        (["a"] * 17 + ["b"] * 3, {}, "'b' of target 'y' has 3"),
        (["a", "b"] * 10, {"target_types": {"y": "regression"}}, "'y' holds 'a'"),
        ([3.0] * 20, {"target_types": {"y": "regression"}}, "does not vary"),
        (["a", "b"] * 10, {"positive": {"y": "c"}}, "'c'"),
    ],
)
def test_unfit_targets_are_refused_in_one_line(values, more, word):
    with pytest.raises(UnfitRecordingError, match=word) as caught:
        read_target("y", _table(y=values), _settings("y", **more))
    assert "\n" not in str(caught.value)


def test_unknown_column_names_those_that_exist():
    with pytest.raises(UnfitRecordingError, match="one of: sex, age"):
        read_target("iq", _table(sex=["F"] * 3, age=[1] * 3), _settings("iq"))


def test_families_count_once():
    table = _table(y=["a"] * 10 + ["b"] * 10, family=["f1"] * 10 + [f"g{k}" for k in range(10)])
    settings = _settings("y", group_column="family")
    with pytest.raises(UnfitRecordingError, match="'a' of target 'y' has 1 independent"):
        read_target("y", table, settings)
    groups = split_groups(_table(family=["x", None, "x", "n/a"]), settings)
    assert groups[0] == groups[2]
    assert len(set(groups)) == 3


def test_confounds_become_numbers():
    table = _table(age=[10, 20.5, "n/a"], sex=["M", "F", "F"], site=["a", "b", "c"])
    values, known = confound_matrix(["age", "sex", "site"], table)
    assert list(known) == [True, True, False]
    assert values.shape == (3, 4)
    assert list(values[:, 0]) == [10, 20.5, 0]
    assert list(values[:, 1]) == [1, 0, 0]
    assert list(values[:, 3]) == [0, 0, 1]
    with pytest.raises(UnfitRecordingError, match="'iq'"):
        confound_matrix(["iq"], table)
    with pytest.raises(UnfitRecordingError, match="no value"):
        confound_matrix(["age"], _table(age=["n/a", None]))


def test_infinite_numbers_are_text_not_quantities():
    table = _table(y=[*np.arange(19.0), float("inf")])
    with pytest.raises(UnfitRecordingError, match="'y' holds inf"):
        read_target("y", table, _settings("y", target_types={"y": "regression"}))


def test_a_positive_class_of_three_is_refused():
    table = _table(y=["a", "b", "c"] * 7)
    with pytest.raises(UnfitRecordingError, match="which has 3 classes"):
        read_target("y", table, _settings("y", positive={"y": "a"}))


def test_one_text_among_the_numbers_of_a_confound_is_refused():
    # Read as classes it would be one indicator a subject, which explains everything.
    table = _table(age=[*np.arange(29.0), "90+"])
    with pytest.raises(UnfitRecordingError, match="'age' holds 30 different texts") as caught:
        confound_matrix(["age"], table)
    assert "'90+'" in str(caught.value)
    sites, known = confound_matrix(["site"], _table(site=list("abcde") * 6))
    assert sites.shape == (30, 4)
    assert known.all()


def test_only_keeps_the_classes():
    target = read_target("y", _table(y=["a"] * 8 + ["b"] * 12), _settings("y"))
    kept = np.arange(20) < 15
    less = target.only(kept)
    assert less.classes == target.classes
    assert list(less.known) == list(kept)
    ages = read_target("y", _table(y=list(np.arange(20.0))), _settings("y"))
    assert np.isnan(ages.only(kept).values[15:]).all()
    assert list(ages.only(kept).values[:15]) == list(ages.values[:15])


@pytest.mark.parametrize("value", [None, "", " n/a ", "NaN", float("nan"), np.nan, "None"])
def test_what_is_missing(value):
    assert is_missing(value)


@pytest.mark.parametrize("value", [0, 0.0, False, "no", "N", "-"])
def test_what_is_not_missing(value):
    assert not is_missing(value)


def test_classes_of_equal_size_have_a_fixed_positive_one():
    table = _table(y=["b", "a"] * 10)
    assert read_target("y", table, _settings("y")).classes == ("a", "b")
    assert read_target("y", table.iloc[::-1], _settings("y")).classes == ("a", "b")
