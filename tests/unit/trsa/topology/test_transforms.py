"""Geo-topological transforms against the formula, and what they may not depend on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import rankdata

from neuropipe.errors import InputError, SettingsError
from neuropipe.simulate.stimuli_oracle import geo_topological
from neuropipe.trsa.topology.grid import cells
from neuropipe.trsa.topology.transforms import (
    cell_chunks,
    geotopological,
    geotopological_cells,
    normalised_ranks,
    rank_quantiles,
    sigmoid_transform,
)

#: RDMs of few different values: many ties.
TIED = hnp.arrays(np.float64, (3, 15), elements=st.integers(0, 6).map(float))
SHARES = st.integers(0, 20).map(lambda k: k / 20)


def thresholds() -> st.SearchStrategy[tuple[float, float]]:
    return st.tuples(SHARES, SHARES).map(lambda pair: (min(pair), max(pair)))


def test_ranks_share_ties_and_span_the_unit_interval():
    ranks = normalised_ranks(np.array([[3.0, 1.0, 1.0, 7.0, 7.0, 9.0]]))
    np.testing.assert_allclose(ranks[0], (np.array([3, 1.5, 1.5, 4.5, 4.5, 6]) - 1.5) / 4.5)


def test_constant_rdm_has_ranks_of_zero_and_stays_glued():
    flat = np.full((2, 6), 3.0)
    assert (normalised_ranks(flat) == 0).all()
    for lower, upper in ((0, 1), (0.4, 0.6), (0.5, 0.5)):
        assert (geotopological(flat, lower, upper) == 0).all()


def test_unknown_pairs_take_no_rank():
    values = np.array([[4.0, np.nan, 1.0, 2.0, np.nan, 3.0], [np.nan] * 6])
    ranks = normalised_ranks(values)
    np.testing.assert_allclose(ranks[0], [1, np.nan, 0, 1 / 3, np.nan, 2 / 3])
    assert np.isnan(ranks[1]).all()
    known = np.isfinite(values[0])
    for cell in ((0, 1), (0.3, 0.6), (0.5, 0.5)):
        found = geotopological(values, *cell)
        np.testing.assert_array_equal(found[0, known], geotopological(values[0, known], *cell))
        assert np.isnan(found[0, ~known]).all()
        assert np.isnan(found[1]).all()


def test_infinite_dissimilarity_is_refused():
    with pytest.raises(InputError, match="infinite"):
        normalised_ranks(np.array([1.0, np.inf, 2.0]))


@given(values=TIED, quantile=SHARES)
def test_quantiles_are_those_of_numpy(values, quantile):
    ranks = normalised_ranks(values)
    np.testing.assert_allclose(
        rank_quantiles(ranks, np.array([quantile]))[0],
        np.quantile(ranks, quantile, axis=-1),
        atol=1e-12,
    )


def test_quantile_on_a_rank_is_that_rank_in_spite_of_binary_fractions():
    ranks = np.linspace(0, 1, 1891)
    for k in range(1, 20):
        # k / 20 * 1890 has a fraction of .5 or none; the latter must hit exactly.
        found = rank_quantiles(ranks, np.array([k / 20]))[0]
        if k * 1890 % 20 == 0:
            assert found == ranks[k * 1890 // 20]
        else:
            assert ranks[k * 1890 // 20] < found < ranks[k * 1890 // 20 + 1]


@given(values=TIED, cell=thresholds())
def test_transform_is_the_formula(values, cell):
    lower, upper = cell
    for row, found in zip(values, geotopological(values, lower, upper), strict=True):
        ranks = rankdata(row)
        ranks = (ranks - ranks.min()) / max(np.ptp(ranks), 1)
        low, high = np.quantile(ranks, [lower, upper])
        if high - low > 1e-9:
            expected = [
                0 if r < low else 1 if r > high else (r - low) / (high - low) for r in ranks
            ]
        else:
            expected = [float(r > low + 1e-9) for r in ranks]
        np.testing.assert_allclose(found, expected, atol=1e-9)


def test_transform_agrees_with_the_reader_of_simulations():
    values = np.random.default_rng(0).random((4, 190))
    for cell in ((0, 1), (0.4, 0.6), (0, 0.075), (0.8, 1)):
        np.testing.assert_allclose(geotopological(values, *cell), geo_topological(values, *cell))


@given(values=TIED, cell=thresholds(), seed=st.integers(0, 2**32 - 1))
def test_transform_depends_neither_on_scale_nor_on_order_nor_on_other_rdms(values, cell, seed):
    found = geotopological(values, *cell)
    np.testing.assert_array_equal(geotopological(np.exp(values) - 40, *cell), found)
    order = np.random.default_rng(seed).permutation(values.shape[1])
    np.testing.assert_array_equal(geotopological(values[:, order], *cell), found[:, order])
    np.testing.assert_array_equal(geotopological(values[1], *cell), found[1])


@given(values=TIED)
def test_widest_cell_is_the_rank_rdm(values):
    np.testing.assert_array_equal(geotopological(values, 0, 1), normalised_ranks(values))


def test_equal_thresholds_split_with_ties_on_the_near_side():
    values = np.array([0.0, 1.0, 2.0, 2.0, 3.0])
    np.testing.assert_array_equal(geotopological(values, 0.5, 0.5), [0, 0, 0, 0, 1])
    np.testing.assert_array_equal(geotopological(values, 0.0, 0.0), [0, 1, 1, 1, 1])
    np.testing.assert_array_equal(geotopological(values, 1.0, 1.0), [0, 0, 0, 0, 0])
    # .1 of 1890 steps is 189.00000000000003 in binary; pair 189 is on the quantile.
    assert geotopological(np.arange(1891.0), 0.1, 0.1).sum() == 1890 - 189


def test_scales_do_not_mix():
    """Quantiles over all RDMs at once would make one all near and the other all far."""
    values = np.random.default_rng(0).random(45)
    found = geotopological(np.stack([values, 1000 * values + 500]), 0.2, 0.4)
    np.testing.assert_array_equal(found[0], found[1])
    assert 0 < found.mean() < 1


@given(values=TIED, max_bytes=st.sampled_from([1, 1000, 2**26]))
@settings(max_examples=15)
def test_many_cells_are_the_single_cells(values, max_bytes):
    grid = cells(0.1, include_equal=True)
    ranks = normalised_ranks(values)
    found = geotopological_cells(ranks, grid, max_bytes=max_bytes)
    assert found.shape == (len(grid), *values.shape)
    assert found.dtype == torch.float64
    for cell, own in zip(grid, found.numpy(), strict=True):
        np.testing.assert_allclose(own, geotopological(values, *cell), atol=1e-12)
    single = geotopological_cells(ranks, grid, dtype=torch.float32)
    assert single.dtype == torch.float32
    np.testing.assert_allclose(single.numpy(), found.numpy(), atol=1e-5)


def test_chunks_stay_within_their_memory_and_cover_all_cells():
    ranks, grid = normalised_ranks(np.random.default_rng(0).random((5, 45))), cells(0.1)
    seen = []
    for places, values in cell_chunks(ranks, grid, max_bytes=4 * ranks.nbytes):
        assert values.nbytes <= 4 * ranks.nbytes
        seen += list(range(places.start, places.stop))
    assert seen == list(range(len(grid)))


def test_unknown_pairs_stay_unknown_in_cells():
    values = np.random.default_rng(0).random((2, 10))
    values[0, 3] = np.nan
    found = geotopological_cells(normalised_ranks(values), np.array([[0.2, 0.6]]))
    np.testing.assert_allclose(found[0].numpy(), geotopological(values, 0.2, 0.6))


@pytest.mark.parametrize("cell", [(0.6, 0.4), (-0.1, 0.5), (0.5, 1.1), (np.nan, 0.5)])
def test_impossible_thresholds_are_refused(cell):
    values = np.random.default_rng(0).random((2, 10))
    with pytest.raises(SettingsError, match="thresholds"):
        geotopological(values, *cell)
    with pytest.raises(SettingsError, match="thresholds"):
        geotopological_cells(normalised_ranks(values), np.array([cell]))


def test_no_cells_give_nothing():
    assert geotopological_cells(np.zeros((2, 10)), np.empty((0, 2))).shape == (0, 2, 10)


def test_sigmoid_is_the_logistic_curve_of_ranks():
    values = np.array([[5.0, 1.0, 3.0, np.nan]])
    found = sigmoid_transform(values)
    np.testing.assert_allclose(found[0, :3], 1 / (1 + np.exp(-10 * (np.array([1, 0, 0.5]) - 0.5))))
    assert np.isnan(found[0, 3])
    assert sigmoid_transform(values, alpha=100, beta=0.25)[0, 2] == pytest.approx(1)
