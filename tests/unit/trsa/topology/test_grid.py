"""The grid of thresholds and its categories."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuropipe.errors import SettingsError
from neuropipe.trsa.topology.grid import (
    CATEGORIES,
    RANK_CELL,
    categories,
    category,
    cells,
    sample_categories,
)


def test_grid_has_its_cells():
    grid, more = cells(), cells(include_equal=True)
    assert grid.shape == (210, 2)
    assert more.shape == (229, 2)
    assert (grid[:, 0] < grid[:, 1]).all()
    assert tuple(grid[0]) == RANK_CELL
    equal = more[more[:, 0] == more[:, 1]][:, 0]
    np.testing.assert_array_equal(equal, [k / 20 for k in range(1, 20)])


def test_thresholds_are_the_decimals_meant():
    """int(l * 100) / 100 would make .28 of .29, and sums of .05 drift."""
    named = {(float(f"{k / 20:.2f}")) for k in range(21)}
    assert set(cells().ravel()) == named
    assert {round(x * 100) for x in cells(0.01).ravel()} == set(range(101))
    assert set(cells(0.01).ravel()) == {float(f"{k / 100:.2f}") for k in range(101)}


@given(n=st.integers(1, 100))
def test_any_part_of_one_is_a_step(n):
    assert len(cells(1 / n)) == n * (n + 1) // 2


@pytest.mark.parametrize("step", [0.0, -0.1, 0.3, 2.0, 0.07])
def test_other_steps_are_refused(step):
    with pytest.raises(SettingsError, match="grid step"):
        cells(step)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ((0.4, 0.6), "topology"),
        ((0.45, 0.55), "topology"),
        ((0.5, 0.5), "topology"),
        ((0.35, 0.6), "intermediate"),
        ((0.0, 1.0), "geometry"),
        ((0.1, 0.9), "geometry"),
        ((0.15, 0.95), "geometry"),  # .95 - .15 is 0.7999999999999999
        ((0.15, 0.9), "intermediate"),
        ((0.0, 0.4), "local"),
        ((0.1, 0.3), "local"),
        ((0.15, 0.25), "local"),
        ((0.0, 0.45), "intermediate"),
        ((0.7, 0.9), "global"),  # .7 + .9 is 1.6 and (.7 + .9) / 2 is 0.8 only in decimals
        ((0.65, 0.95), "global"),
        ((0.65, 0.9), "intermediate"),
    ],
)
def test_cells_have_their_category_at_the_edges(cell, expected):
    assert category(*cell) == expected


@given(low=st.floats(0, 1), high=st.floats(0, 1))
def test_conditions_exclude_each_other(low, high):
    low, high = min(low, high), max(low, high)
    holds = [
        low >= 0.4 and high <= 0.6,
        high - low >= 0.8,
        (low + high) / 2 <= 0.2,
        (low + high) / 2 >= 0.8,
    ]
    assert sum(holds) <= 1
    assert category(low, high) in CATEGORIES


def test_grid_is_parted_into_categories():
    names = categories(cells())
    counts = {name: int((names == name).sum()) for name in CATEGORIES}
    assert counts["topology"] == 10
    assert counts["geometry"] == 15
    assert counts["local"] == counts["global"] == 20
    assert sum(counts.values()) == 210


def test_samples_are_cells_of_their_category_without_repeats():
    drawn = sample_categories(np.random.default_rng(0))
    assert tuple(drawn) == CATEGORIES
    for name, own in drawn.items():
        assert own.shape == (10, 2)
        assert len(np.unique(own, axis=0)) == 10
        assert (categories(own) == name).all()
    again = sample_categories(np.random.default_rng(0))
    other = sample_categories(np.random.default_rng(1))
    assert all((drawn[name] == again[name]).all() for name in CATEGORIES)
    assert any((drawn[name] != other[name]).any() for name in CATEGORIES)


def test_small_categories_are_taken_whole_and_empty_ones_refused():
    drawn = sample_categories(np.random.default_rng(0), 1000)
    assert sum(len(own) for own in drawn.values()) == 210
    with pytest.raises(SettingsError, match="no topology cell"):
        sample_categories(np.random.default_rng(0), step=0.5)
