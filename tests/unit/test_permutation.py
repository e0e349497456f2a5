"""Permutation p values are valid, shuffles stay in their blocks, shifts move far enough."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from neuropipe.errors import UnfitRecordingError
from neuropipe.stats.permutation import (
    circular_shift_null,
    draw_shifts,
    permutation_p_value,
    permute_families,
    permute_labels,
    shift_columns,
)


def test_p_value_counts_the_data_as_one_permutation():
    null = np.arange(99.0)
    assert permutation_p_value(1000.0, null) == pytest.approx(0.01)
    assert permutation_p_value(98.0, null) == pytest.approx(0.02)  # a tie is extreme
    assert permutation_p_value(-1.0, null) == 1.0
    assert permutation_p_value(-1.0, null, alternative="less") == pytest.approx(0.01)
    assert permutation_p_value(-1.0, null, alternative="two-sided") == pytest.approx(0.02)
    assert permutation_p_value(49.0, null, alternative="two-sided") == 1.0


def test_p_value_ties_up_to_rounding():
    assert permutation_p_value(0.1 + 0.2, np.array([0.3] * 9)) == 1.0


def test_p_value_of_many_statistics_and_of_nan():
    p = permutation_p_value(np.array([5.0, np.nan]), np.zeros((19, 2)))
    assert p[0] == pytest.approx(0.05)
    assert np.isnan(p[1])
    # A permutation without a value cannot speak against the null.
    assert permutation_p_value(5.0, np.array([np.nan] * 19)) == 1.0
    with pytest.raises(ValueError, match="at least one"):
        permutation_p_value(1.0, np.empty(0))


def test_p_values_under_the_null_are_not_too_small():
    rng = np.random.default_rng(0)
    draws = rng.standard_normal((4000, 20))
    p = np.array([permutation_p_value(row[0], row[1:]) for row in draws])
    for level in (0.05, 0.1, 0.5):
        assert np.mean(p <= level) == pytest.approx(level, abs=0.025)


@given(arrays(int, st.integers(1, 30), elements=st.integers(0, 3)), st.integers(0, 100))
def test_permuted_labels_stay_within_blocks(blocks, seed):
    labels = np.arange(len(blocks))
    shuffled = permute_labels(labels, 5, np.random.default_rng(seed), blocks=blocks)
    assert shuffled.shape == (5, len(blocks))
    for row in shuffled:
        assert sorted(row) == list(labels)
        assert np.array_equal(blocks[row], blocks)


def test_permuted_labels_reach_all_orders():
    rows = permute_labels(["a", "b", "c"], 600, np.random.default_rng(1))
    _, counts = np.unique(rows, axis=0, return_counts=True)
    assert len(counts) == 6
    assert counts.min() > 60


def test_shifts_are_far_enough():
    shifts = draw_shifts(100, (50, 3), 20, np.random.default_rng(0))
    assert shifts.shape == (50, 3)
    assert shifts.min() >= 20
    assert shifts.max() <= 80
    with pytest.raises(UnfitRecordingError, match="60 samples in a series of 100"):
        draw_shifts(100, 1, 60, np.random.default_rng(0))


@given(st.integers(2, 40), st.integers(1, 5), st.integers(0, 1000))
def test_shift_columns_is_roll(n_times, n_units, seed):
    rng = np.random.default_rng(seed)
    series = rng.standard_normal((n_times, n_units))
    shifts = rng.integers(0, n_times, n_units)
    expected = np.column_stack([np.roll(c, s) for c, s in zip(series.T, shifts, strict=True)])
    assert np.array_equal(shift_columns(series, shifts), expected)


def test_circular_shift_null_keeps_autocorrelation_in():
    rng = np.random.default_rng(2)
    slow = np.cumsum(rng.standard_normal((2, 500)), axis=1)

    def absolute_r(x, y):
        return abs(np.corrcoef(x, y)[0, 1])

    shifted = circular_shift_null(
        absolute_r, slow[0], slow[1], n_permutations=200, min_shift=20, rng=rng
    )
    shuffled = [absolute_r(slow[0], rng.permutation(slow[1])) for _ in range(200)]
    # Random walks correlate by chance far more than white noise of the same length.
    assert np.mean(shifted) > 3 * np.mean(shuffled)


@given(st.lists(st.integers(0, 6), min_size=1, max_size=25), st.integers(0, 1000))
def test_families_trade_whole_sets_of_labels(families, seed):
    families = np.array(families)
    labels = np.arange(len(families))  # every label tells whose it was
    sizes = {f: np.sum(families == f) for f in np.unique(families)}
    rows = permute_families(labels, 5, np.random.default_rng(seed), families)
    for row in rows:
        assert np.array_equal(np.sort(row), labels)
        for family, size in sizes.items():
            origin = families[row[families == family]]
            assert len(set(origin)) == 1  # all from one family
            assert sizes[origin[0]] == size


def test_families_of_one_are_permuted_freely_and_evenly():
    rows = permute_families(np.arange(4), 4000, np.random.default_rng(0), list("abcd"))
    assert len({tuple(row) for row in rows}) == 24
    share = [np.mean(rows[:, 0] == k) for k in range(4)]
    assert share == pytest.approx([0.25] * 4, abs=0.03)


def test_siblings_trade_their_labels():
    rows = permute_families(np.array([1.5, 2.5, 9.0]), 200, np.random.default_rng(1), list("xxy"))
    assert {tuple(row) for row in rows} == {(1.5, 2.5, 9.0), (2.5, 1.5, 9.0)}
