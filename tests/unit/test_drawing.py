"""Matrices are drawn small, in an order that shows what belongs together, and say so."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropipe.drawing import angle_order, draw_matrix, matrix_order, null_panel, pooled
from neuropipe.plotting import new_figure
from neuropipe.stats.connectivity_matrices import correlation
from tests.unit.connectivity.builders import series, unit_table


@pytest.fixture
def matrix():
    return correlation(series(300, 6, np.random.default_rng(0)))


def test_networks_first_left_before_right_strangers_last(matrix):
    units = unit_table(6)
    units.loc["L0", "network"] = "n/a"
    order = matrix_order(units, matrix)
    names = [str(units.index[i]) for i in order.units]
    assert names == ["L2", "L4", "R0", "R2", "R4", "L1", "L3", "L5", "R1", "R3", "R5", "L0"]
    assert order.groups == [("net0", 5), ("net1", 6), ("n/a", 1)]
    assert "by network, left before right" in order.words


def test_hemispheres_keep_homologues_parallel(matrix):
    units = unit_table(6)[["hemisphere", "homologue"]]
    order = matrix_order(units, matrix)
    assert [str(units.index[i]) for i in order.units[:3]] == ["L0", "L1", "L2"]
    assert order.groups == [("L", 6), ("R", 6)]
    assert "homologous pairs" in order.words


def test_without_names_like_units_stand_together():
    rng = np.random.default_rng(1)
    two = rng.standard_normal((300, 2))[:, np.array([0, 1] * 6)]
    r = correlation(two + 0.3 * rng.standard_normal((300, 12)))
    order = matrix_order(unit_table(6)[[]], r)
    assert sorted(order.units) == list(range(12))
    kinds = (order.units % 2).tolist()
    assert sum(a != b for a, b in pairwise(kinds)) == 1


def test_large_matrices_are_drawn_small():
    matrix = np.arange(36.0).reshape(6, 6)
    assert np.array_equal(pooled(matrix, 6, 6), matrix)
    small = pooled(matrix, 3, 3)
    assert small[0, 1] == np.mean([2, 3, 8, 9])
    matrix[0, 2] = np.nan
    assert pooled(matrix, 3, 3)[0, 1] == np.mean([3, 8, 9])
    assert pooled(np.zeros((1000, 1000)), 300, 300).shape == (300, 300)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 40), st.integers(1, 40))
def test_pooling_keeps_size_limits_and_means(n_rows, n_columns, most_rows, most_columns):
    values = np.random.default_rng(0).standard_normal((n_rows, n_columns))
    small = pooled(values, most_rows, most_columns)
    assert small.shape == (min(n_rows, most_rows), min(n_columns, most_columns))
    assert values.min() <= small.min() <= small.max() <= values.max()
    if n_rows % most_rows == 0 and n_columns % most_columns == 0:
        assert small.mean() == pytest.approx(values.mean())


def test_pooling_skips_missing_values():
    values = np.array([[1.0, np.nan, 5.0, 7.0], [np.nan, np.nan, 1.0, 1.0]])
    np.testing.assert_array_equal(pooled(values, 2, 2), [[1, 6], [np.nan, 1]])


def test_every_known_entry_of_a_pool_counts_the_same():
    values = np.array([[1.0, np.nan], [3.0, 8.0]])
    assert pooled(values, 1, 1).item() == 4.0


@given(st.integers(3, 40), st.floats(0, 6.28), st.integers(0, 1000))
def test_points_stand_in_the_order_of_their_angle(n, start, seed):
    # Half a circle, so that one gap is the widest: the order runs from end to end.
    angle = start + np.linspace(0, np.pi, n)
    shuffled = np.random.default_rng(seed).permutation(n)
    plane = np.column_stack([np.sin(angle), np.cos(angle)])[shuffled]
    order = angle_order(plane)
    along = shuffled[order]
    assert (np.diff(along) == 1).all()


def test_groups_are_parted_and_named(matrix):
    order = matrix_order(unit_table(6), matrix)
    figure = new_figure(4.0)
    ax = figure.subplots()
    draw_matrix(ax, matrix, order, 0.5, "r")
    assert [t.get_text() for t in ax.get_yticklabels()] == ["net0", "net1"]
    assert len(ax.lines) == 2  # one edge between two groups, both ways
    assert figure.axes[1].get_ylabel() == "r"
    image = np.asarray(ax.images[0].get_array())
    assert np.abs(image[~np.isnan(image)]).max() <= 0.5


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=60), st.floats(-50, 50))
@settings(max_examples=30, deadline=None)
def test_a_null_holds_every_draw_and_stays_visible(draws, value):
    ax = new_figure(2).subplots()
    null_panel(ax, np.array([*draws, np.nan]), value, "r", drawn="shifted")
    outline = ax.patches[0].get_xy()
    assert outline[:, 0].min() <= min(draws) + 1e-9
    assert outline[:, 0].max() >= max(draws) - 1e-9
    assert np.ptp(outline[:, 0]) >= 0.01 * abs(value - np.mean(draws))
    assert ax.get_lines()[0].get_xdata()[0] == value
    assert [text for text in ax.get_legend_handles_labels()[1] if text == "shifted"]
