"""Partitions keep groups whole, classes balanced and time apart, or refuse in one line."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropipe.errors import UnfitRecordingError
from neuropipe.stats.splits import (
    Fold,
    fold_numbers,
    grouped_folds,
    joint_strata,
    leave_one_run_out,
    time_blocks,
)


@settings(deadline=None, max_examples=40)
@given(
    sizes=st.lists(st.integers(1, 4), min_size=6, max_size=20),
    n_splits=st.integers(2, 5),
    seed=st.integers(0, 1000),
)
def test_grouped_folds_partition_groups(sizes, n_splits, seed):
    groups = np.repeat([f"g{k}" for k in range(len(sizes))], sizes)
    folds = grouped_folds(groups, n_splits=n_splits, seed=seed)
    assert len(folds) == n_splits
    tested = np.concatenate([fold.test for fold in folds])
    assert sorted(tested) == list(range(len(groups)))
    for fold in folds:
        assert not set(groups[fold.train]) & set(groups[fold.test])
        assert sorted([*fold.train, *fold.test]) == list(range(len(groups)))


def test_stratified_folds_keep_class_shares():
    labels = ["a"] * 40 + ["b"] * 10
    folds = grouped_folds(np.arange(50).astype(str), labels, n_splits=5, seed=3)
    for fold in folds:
        assert np.sum(fold.test >= 40) == 2


def test_folds_depend_on_seed_only():
    groups = np.arange(30).astype(str)
    labels = [0, 1] * 15
    first = grouped_folds(groups, labels, seed=1)
    again = grouped_folds(groups, labels, seed=1)
    other = grouped_folds(groups, labels, seed=2)
    assert all(np.array_equal(a.test, b.test) for a, b in zip(first, again, strict=True))
    assert any(not np.array_equal(a.test, b.test) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize(
    ("groups", "labels", "word"),
    [
        (["a", "b", "c"], None, "3 independent"),
        (list("abcdefgh"), ["x"] * 8, "'x'"),
        (list("abcdefgh"), ["x"] * 5 + ["y"] * 3, "'y' has 3"),
        (list("aaabbcdefg"), ["y"] * 5 + ["x"] * 5, "'y' has 2"),
    ],
)
def test_impossible_folds_are_refused(groups, labels, word):
    with pytest.raises(UnfitRecordingError, match=word) as caught:
        grouped_folds(groups, labels, n_splits=5)
    assert "\n" not in str(caught.value)


def test_joint_strata_merge_rare_combinations():
    first = ["a"] * 20 + ["b"] * 20
    second = ["x"] * 18 + ["y"] * 2 + ["x"] * 20
    strata = joint_strata([first, second], n_splits=5)
    assert strata is not None
    # The two rare ones cannot be a stratum of five folds: they joined the largest.
    assert sorted(set(strata)) == ["a|x", "b|x"]
    assert list(strata[18:20]) == ["b|x", "b|x"]
    assert min(np.sum(strata == s) for s in set(strata)) >= 5
    assert joint_strata([], n_splits=5) is None
    assert joint_strata([["a"] * 9], n_splits=5) is None


def test_leave_one_run_out_takes_runs_in_order():
    folds = leave_one_run_out(["r2", "r2", "r1", "r3", "r1"])
    assert [list(fold.test) for fold in folds] == [[0, 1], [2, 4], [3]]
    assert list(folds[0].train) == [2, 3, 4]
    with pytest.raises(UnfitRecordingError, match="1 run"):
        leave_one_run_out(["r"] * 4)


@given(n=st.integers(10, 200), n_splits=st.integers(2, 5), gap=st.integers(0, 4))
def test_time_blocks_keep_their_distance(n, n_splits, gap):
    try:
        folds = time_blocks(n, n_splits=n_splits, gap=gap)
    except UnfitRecordingError:
        assert n < n_splits * (gap + 1) * 2
        return
    assert np.array_equal(np.concatenate([f.test for f in folds]), np.arange(n))
    for fold in folds:
        assert np.all(np.diff(fold.test) == 1)
        distance = np.abs(fold.train[:, None] - fold.test[None, :]).min()
        assert distance > gap


def test_time_blocks_refuse_what_cannot_be():
    with pytest.raises(UnfitRecordingError, match="gap of 50"):
        time_blocks(60, n_splits=2, gap=50)
    with pytest.raises(UnfitRecordingError, match="3 samples"):
        time_blocks(3, n_splits=5)


def test_fold_numbers():
    folds = leave_one_run_out([1, 0, 1, 0])
    assert list(fold_numbers(folds, 5)) == [0, 1, 0, 1, -1]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.integers(0, 12)),
        min_size=12,
        max_size=50,
    ),
    st.integers(2, 4),
)
def test_joint_strata_can_always_be_split(rows, n_splits):
    groups = [f"g{group}" for _, _, group in rows]
    if len(set(groups)) < n_splits:
        return
    columns = [[row[0] for row in rows], [row[1] for row in rows]]
    strata = joint_strata(columns, n_splits=n_splits, groups=groups)
    if strata is not None:
        for stratum in np.unique(strata):
            assert len({g for g, s in zip(groups, strata, strict=True) if s == stratum}) >= n_splits
    try:
        folds = grouped_folds(groups, strata, n_splits=n_splits, seed=0)
    except UnfitRecordingError as error:
        message = str(error)
    else:
        message = "too unequal"
        assert np.array_equal(np.sort(np.concatenate([f.test for f in folds])), range(len(rows)))
    assert "too unequal" in message  # the only reason left


def test_joint_strata_of_nothing():
    assert joint_strata([], n_splits=3) is None
    assert joint_strata([["a"] * 6], n_splits=3) is None


def test_folds_of_every_seed_differ_but_are_as_large():
    groups = [str(k) for k in range(30)]
    labels = ["a", "b"] * 15
    tests = [
        tuple(tuple(f.test) for f in grouped_folds(groups, labels, seed=seed)) for seed in range(5)
    ]
    assert len(set(tests)) == 5
    assert {len(fold) for partition in tests for fold in partition} == {6}


def test_runs_named_by_numbers_or_text_are_the_same():
    first, second = leave_one_run_out([1, 1, 2]), leave_one_run_out(["1", "1", "2"])
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one.train, other.train)
        assert np.array_equal(one.test, other.test)


def test_fold_numbers_of_samples_never_tested():
    fold = Fold(np.array([0, 1]), np.array([3]))
    assert fold_numbers([fold], 5).tolist() == [-1, -1, -1, 0, -1]
