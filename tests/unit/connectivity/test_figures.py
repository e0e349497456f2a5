"""Matrices are drawn in an order that shows what belongs together, and say so."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from neuropipe.connectivity.data import usable_series
from neuropipe.connectivity.figures import matrix_order, pooled, recording_figures
from neuropipe.connectivity.fit import fit_recording
from neuropipe.connectivity.model import correlation
from neuropipe.connectivity.settings import ConnectivitySettings
from tests.unit.connectivity.builders import recording, series, unit_table


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


def test_lower_triangle_is_correlation_upper_is_partial():
    found = usable_series(recording(n_times=400), ConnectivitySettings())
    fit = fit_recording(found, ConnectivitySettings(n_shuffles=99))
    figure = recording_figures(found, fit, "ROI")[0].figure
    image = np.asarray(figure.axes[0].images[0].get_array())
    order = matrix_order(found.units, fit.correlation).units
    r = fit.correlation[np.ix_(order, order)]
    partial = fit.partial[np.ix_(order, order)]
    below, above = np.tril_indices(12, -1), np.triu_indices(12, 1)
    limit = figure.axes[0].images[0].get_clim()[1]
    assert np.abs(image[below] - np.clip(r[below], -limit, limit)).max() < limit / 16
    assert np.corrcoef(image[above], partial[above])[0, 1] > 0.95
    assert np.ma.is_masked(np.ma.masked_invalid(image).diagonal())


def test_large_matrices_are_drawn_small():
    matrix = np.arange(36.0).reshape(6, 6)
    assert np.array_equal(pooled(matrix, 6), matrix)
    small = pooled(matrix, 3)
    assert small[0, 1] == np.mean([2, 3, 8, 9])
    matrix[0, 2] = np.nan
    assert pooled(matrix, 3)[0, 1] == np.mean([3, 8, 9])
    assert pooled(np.zeros((1000, 1000)), 300).shape == (300, 300)


def test_captions_say_how_to_read():
    found = usable_series(recording(n_times=400), ConnectivitySettings())
    fit = fit_recording(found, ConnectivitySettings(n_shuffles=99))
    matrix_figure, edge_figure = recording_figures(found, fit, "ROI")
    assert "Look for" in matrix_figure.caption
    assert "dealt out at random" in edge_figure.caption
    assert len(edge_figure.figure.axes) == 3
