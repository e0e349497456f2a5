"""Connectivity in the subspace of third-order structure."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuropipe.brainmae.connectomes import CoskewnessConnectivity, Run, decide
from neuropipe.brainmae.coskewness import coskewness_gram, third_moments
from neuropipe.errors import UnfitRecordingError


def skewed_runs(n_runs, skewed, seed=0):
    """Gaussian runs of 8 ROIs; a skewed factor of small variance is told by ROIs 0 to 2."""
    rng = np.random.default_rng(seed)
    runs = []
    for k in range(n_runs):
        values = rng.standard_normal((600, 8))
        values[:, 3:] += 2 * rng.standard_normal((600, 1))
        factor = rng.exponential(size=600) - 1 if skewed[k] else rng.standard_normal(600)
        values[:, :3] += 1.2 * factor[:, None]
        runs.append(Run(values, 1.0))
    return runs


@given(st.integers(0, 1000), st.integers(2, 6))
def test_gram_is_that_of_the_unfolded_tensor(seed, n_rois):
    x = np.random.default_rng(seed).exponential(size=(20, n_rois))
    x = x - x.mean(axis=0)
    tensor = np.einsum("ti,tj,tk->ijk", x, x, x) / len(x)
    unfolded = tensor.reshape(n_rois, -1)
    assert np.allclose(coskewness_gram(x), unfolded @ unfolded.T)


def test_third_moments_are_all_triples_in_order():
    z = np.random.default_rng(0).exponential(size=(50, 3)) - 1
    found = third_moments(z)
    assert len(found) == 10
    assert found[0] == pytest.approx((z[:, 0] ** 3).mean())
    assert found[1] == pytest.approx((z[:, 0] ** 2 * z[:, 1]).mean())
    assert found[4] == pytest.approx((z[:, 0] * z[:, 1] * z[:, 2]).mean())
    assert found[9] == pytest.approx((z[:, 2] ** 3).mean())


def test_subspace_follows_skewness_where_pca_follows_variance():
    runs = skewed_runs(10, np.ones(10, dtype=bool))
    by_skewness = CoskewnessConnectivity(1).fit(runs).axes_[:, 0]
    by_variance = CoskewnessConnectivity(1, subspace="pca").fit(runs).axes_[:, 0]
    assert np.abs(by_skewness[:3]).min() > 3 * np.abs(by_skewness[3:]).max()
    assert np.abs(by_variance[3:]).min() > 3 * np.abs(by_variance[:3]).max()


def test_third_moments_tell_what_correlations_do_not():
    labels = np.random.default_rng(0).permutation(np.repeat([False, True], 30))
    runs = skewed_runs(60, labels)
    correct = {}
    for kind in ("fc", "third"):
        model = CoskewnessConnectivity(3, features=kind).fit(runs[:40])
        decision = decide(model.transform(runs[:40]), labels[:40], model.transform(runs[40:]))
        correct[kind] = np.mean((decision > 0) == labels[40:])
    assert correct["third"] > 0.9
    assert correct["fc"] < 0.8


@pytest.mark.parametrize("subspace", ["coskewness", "pca"])
def test_runs_stand_alone_and_may_have_any_length(subspace):
    runs = skewed_runs(6, np.ones(6, dtype=bool))
    runs[5] = Run(runs[5].values[:300], 2.0)
    model = CoskewnessConnectivity(3, subspace=subspace).fit(runs[:4])
    together = model.transform(runs[4:])
    assert together.shape == (2, 3 + 10)
    assert np.array_equal(together[1:], model.transform(runs[5:]))
    scaled = [Run(1e3 * run.values + 7, run.sampling_rate) for run in runs[4:]]
    assert np.allclose(model.transform(scaled), together)
    assert np.array_equal(model.fit_transform(runs[:4]), model.transform(runs[:4]))


def test_constant_and_missing_rois():
    runs = skewed_runs(4, np.ones(4, dtype=bool))
    for run in runs:
        run.values[:, 0], run.values[:, 1], run.values[5, 2] = 1.0, np.nan, np.nan
    found = CoskewnessConnectivity(15).fit_transform(runs)
    assert found.shape == (4, 15 + 56)  # six ROIs vary
    assert np.isfinite(found).all()
    with pytest.raises(UnfitRecordingError, match="do not vary"):
        CoskewnessConnectivity().fit([Run(np.ones((50, 4)), 1.0)])
