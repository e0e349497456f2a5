"""Low-rank parts of connectivity."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.errors import InputError
from neuropipe.trsa.geometry.dimensionality import effective_rank
from neuropipe.trsa.geometry.spectra import connectivity_spectrum


def planted(rank: int, strength: float = 3.0, n: int = 80, seed: int = 0) -> tuple:
    rng = np.random.default_rng(seed)
    left, right = (np.linalg.qr(rng.standard_normal((n, rank)))[0] for _ in range(2))
    modes = strength * 2 * left @ right.T  # a random bulk reaches about 2
    return modes, modes + rng.standard_normal((n, n)) / np.sqrt(n)


@pytest.mark.parametrize("rank", [1, 2, 4])
def test_planted_modes_are_counted_and_found(rank: int) -> None:
    modes, weights = planted(rank)
    found = connectivity_spectrum(weights, n_shuffles=40)
    assert found.n_outliers == rank
    np.testing.assert_allclose(found.low_rank + found.random, weights)
    agreement = (found.low_rank * modes).sum()
    agreement /= np.linalg.norm(found.low_rank) * np.linalg.norm(modes)
    assert agreement > 0.95
    assert found.p_low_rank < 0.05


def test_random_connectivity_has_none() -> None:
    counts = []
    for seed in range(20):
        weights = np.random.default_rng(seed).standard_normal((50, 50))
        found = connectivity_spectrum(weights, n_shuffles=40, seed=seed)
        counts.append(found.n_outliers)
        if not found.n_outliers:
            assert not found.low_rank.any()
    assert np.mean(np.array(counts) > 0) <= 0.2


def test_a_mean_weight_is_a_mode() -> None:
    weights = 0.5 + np.random.default_rng(1).standard_normal((60, 40)) * 0.5
    found = connectivity_spectrum(weights, n_shuffles=40)
    assert found.n_outliers == 1
    assert np.abs(found.low_rank - 0.5).max() < 0.4


def test_ranks_are_those_of_the_singular_values() -> None:
    weights = np.random.default_rng(2).standard_normal((20, 30))
    found = connectivity_spectrum(weights, n_shuffles=10)
    values = np.linalg.svd(weights, compute_uv=False)
    np.testing.assert_allclose(found.singular_values, values)
    assert found.effective_rank == pytest.approx(effective_rank(values))
    expected = (values**2).sum() ** 2 / (values**4).sum()
    assert found.participation_ratio == pytest.approx(expected)
    assert found.null_singular_values.shape == (10, 20)


def test_shuffles_keep_the_weights_and_an_empty_diagonal() -> None:
    weights = np.random.default_rng(3).exponential(size=(30, 30))
    np.fill_diagonal(weights, 0)
    found = connectivity_spectrum(weights, n_shuffles=5)
    total = (weights**2).sum()
    np.testing.assert_allclose((found.null_singular_values**2).sum(axis=1), total)


def test_order_of_units_and_transposition_change_nothing() -> None:
    _, weights = planted(2, seed=4)
    order = np.random.default_rng(0).permutation(80)
    one = connectivity_spectrum(weights, n_shuffles=20)
    two = connectivity_spectrum(weights[order][:, order].T, n_shuffles=20)
    assert one.n_outliers == two.n_outliers
    assert one.effective_rank == pytest.approx(two.effective_rank)


@pytest.mark.parametrize("weights", [np.zeros((4, 4)), np.full((3, 3), np.nan), np.ones(4)])
def test_unusable_weights_are_refused(weights: np.ndarray) -> None:
    with pytest.raises(InputError, match="finite matrix"):
        connectivity_spectrum(weights)
