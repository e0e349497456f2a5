"""Planted tensors: what the factors say is in them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropipe.simulate.tensors import compose, planted_factors

SHAPES = st.lists(st.integers(2, 8), min_size=2, max_size=4)


@given(shape=SHAPES, rank=st.integers(1, 5), density=st.floats(0, 1), seed=st.integers(0, 999))
@settings(deadline=None)
def test_factors_are_nonnegative_of_unit_norm_and_never_empty(shape, rank, density, seed):
    factors = planted_factors(shape, rank, np.random.default_rng(seed), density=density)
    assert [f.shape for f in factors] == [(length, rank) for length in shape]
    for factor in factors:
        assert (factor >= 0).all()
        assert np.linalg.norm(factor, axis=0) == pytest.approx(np.ones(rank))


@pytest.mark.parametrize("density", [0.2, 0.5, 0.9])
def test_density_is_the_share_of_entries(density):
    (factor,) = planted_factors([20_000], 2, np.random.default_rng(0), density=density)
    assert (factor > 0).mean() == pytest.approx(density, abs=0.02)


@given(shape=SHAPES, rank=st.integers(1, 5), seed=st.integers(0, 999))
@settings(deadline=None)
def test_order_of_components_does_not_matter_and_rank_is_bounded(shape, rank, seed):
    rng = np.random.default_rng(seed)
    factors = planted_factors(shape, rank, rng)
    tensor = compose(factors)
    assert tensor.shape == tuple(shape)
    order = rng.permutation(rank)
    np.testing.assert_allclose(compose([f[:, order] for f in factors]), tensor)
    assert np.linalg.matrix_rank(tensor.reshape(shape[0], -1)) <= rank
    # Swapping modes swaps axes.
    np.testing.assert_allclose(compose(factors[::-1]), tensor.transpose(range(len(shape))[::-1]))


def test_components_can_be_told_apart():
    factors = planted_factors((40, 60, 10), 6, np.random.default_rng(0))
    alike = np.prod([f.T @ f for f in factors], axis=0)
    assert np.diag(alike) == pytest.approx(np.ones(6))
    assert alike[~np.eye(6, dtype=bool)].max() < 0.4
