"""Matrices are nilearn's and scikit-learn's, to rounding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.covariance import LedoitWolf

from neuropipe.stats.connectivity_matrices import (
    correlation,
    edges,
    expm,
    fisher_z,
    inverse_fisher_z,
    ledoit_wolf,
    logm,
    partial_correlation,
    square,
    standardise,
    tangent_vectors,
)


def _series(seed: int, n_times: int = 80, n_units: int = 12) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n_times, n_units)) @ rng.standard_normal((n_units, n_units))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 60), st.integers(2, 40))
def test_ledoit_wolf_matches_sklearn(seed, n_times, n_units):
    x = _series(seed, n_times, n_units)
    covariance, shrinkage = ledoit_wolf(x)
    oracle = LedoitWolf().fit(x)
    assert shrinkage == pytest.approx(oracle.shrinkage_, abs=1e-9)
    assert covariance == pytest.approx(oracle.covariance_, rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_matrices_match_nilearn(seed):
    from nilearn.connectome import ConnectivityMeasure
    from sklearn.covariance import EmpiricalCovariance

    x = _series(seed)
    plain = ConnectivityMeasure(EmpiricalCovariance(), kind="correlation").fit_transform([x])[0]
    assert correlation(x) == pytest.approx(plain, abs=1e-6)
    z = standardise(x)  # nilearn leaves this to its maskers
    oracle = ConnectivityMeasure(kind="partial correlation").fit_transform([z])[0]
    assert partial_correlation(ledoit_wolf(z)[0]) == pytest.approx(oracle, abs=1e-6)


def test_tangent_vectors_match_nilearn_at_its_own_mean():
    from nilearn.connectome import ConnectivityMeasure

    runs = [standardise(_series(seed)) for seed in range(6)]
    oracle = ConnectivityMeasure(kind="tangent")
    expected = oracle.fit_transform(runs)
    covariances = np.stack([ledoit_wolf(x)[0] for x in runs])
    found = tangent_vectors(covariances, oracle.mean_)
    products = np.einsum("sij,tij->st", expected, expected)
    assert found @ found.T == pytest.approx(products, rel=1e-4, abs=1e-4)
    rows, columns = np.triu_indices(12)
    weight = np.where(rows == columns, 1.0, np.sqrt(2))
    assert found == pytest.approx(expected[:, rows, columns] * weight, abs=1e-4)


def test_tangent_vector_of_the_reference_is_zero():
    covariance = ledoit_wolf(_series(3))[0]
    assert tangent_vectors(covariance[None], covariance) == pytest.approx(0, abs=1e-6)


def test_log_and_exponential_are_inverse():
    covariance = ledoit_wolf(_series(4))[0]
    assert expm(logm(covariance)) == pytest.approx(covariance, rel=1e-9)


def test_partial_correlation_forgets_what_a_third_unit_explains():
    rng = np.random.default_rng(5)
    common = rng.standard_normal(4000)
    x = np.column_stack([common, common, common]) + 0.5 * rng.standard_normal((4000, 3))
    x[:, 2] = common
    partial = partial_correlation(np.cov(x.T))
    assert correlation(x)[0, 1] > 0.7
    assert abs(partial[0, 1]) < 0.06


@given(st.integers(2, 12))
def test_edges_and_square_are_inverse(n):
    matrix = correlation(np.random.default_rng(n).standard_normal((30, n)))
    assert square(edges(matrix), n) == pytest.approx(matrix)
    stacked = edges(np.stack([matrix, 2 * matrix]))
    assert stacked.shape == (2, n * (n - 1) // 2)


def test_fisher_z_stays_finite():
    z = fisher_z(np.array([-1.0, 0.0, 0.5, 1.0]))
    assert np.isfinite(z).all()
    assert inverse_fisher_z(z) == pytest.approx([-1, 0, 0.5, 1], abs=1e-6)
