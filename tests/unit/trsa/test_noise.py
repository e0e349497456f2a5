"""Noise covariances: the textbook's numbers, without the textbook's memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropipe.errors import InputError, SettingsError, UnfitRecordingError
from neuropipe.trsa.noise import Noise, shrinkage_share, standardised

SHAPES = [(60, 12), (12, 60), (30, 30), (5, 3)]
TARGETS = ["diagonal", "identity"]


def residuals_of(n_residuals, n_channels, seed=0):
    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((n_channels, n_channels)) * np.exp(rng.standard_normal(n_channels))
    return rng.standard_normal((n_residuals, n_channels)) @ mixing + 5


def schaefer_strimmer(residuals, df):
    """The estimator written out over pairs of channels."""
    centred = residuals - residuals.mean(axis=0)
    n, covariance = len(centred), centred.T @ centred / df
    spread = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(spread, spread) * df / (n - 1)
    scaled = centred / spread
    squares = np.einsum("ti,tj->ij", scaled**2, scaled**2) / (n - 1)
    variance = n / df**2 * (squares - correlation**2)
    off = ~np.eye(len(spread), dtype=bool)
    share = np.clip(variance[off].sum() / (correlation[off] ** 2).sum(), 0, 1)
    return np.where(off, 1 - share, 1) * covariance, share


def ledoit_wolf(residuals, df):
    """The estimator written out over residuals."""
    centred = residuals - residuals.mean(axis=0)
    n, p = centred.shape
    sample = centred.T @ centred / n
    mean = np.trace(sample) / p
    distance = ((sample - mean * np.eye(p)) ** 2).sum()
    error = sum(((np.outer(row, row) - sample) ** 2).sum() for row in centred) / n**2
    share = min(error, distance) / distance
    return (share * mean * np.eye(p) + (1 - share) * sample) * n / df, share


ORACLES = {"diagonal": schaefer_strimmer, "identity": ledoit_wolf}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("shape", SHAPES)
def test_covariance_and_shrinkage_are_those_written_out(target, shape):
    data = residuals_of(*shape)
    df = shape[0] - 1.5
    noise = Noise.of_residuals(data, df, target)
    expected, share = ORACLES[target](data, df)
    assert noise.share == pytest.approx(share, abs=1e-12)
    np.testing.assert_allclose(
        noise.covariance(), expected, rtol=1e-12, atol=1e-12 * expected.max()
    )


@pytest.mark.parametrize(("target", "theirs"), [("diagonal", "diag"), ("identity", "eye")])
@pytest.mark.parametrize("shape", SHAPES)
def test_parity_with_rsatoolbox(target, theirs, shape):
    noise = pytest.importorskip("rsatoolbox.data.noise")
    data = residuals_of(*shape, seed=3)
    for df in (None, shape[0] - 2):
        expected = noise.cov_from_residuals(data, dof=df, method=f"shrinkage_{theirs}")
        found = Noise.of_residuals(data, df, target).covariance()
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10 * expected.max())


def test_default_degrees_of_freedom_are_those_of_a_mean():
    data = residuals_of(20, 4)
    np.testing.assert_allclose(
        Noise.of_residuals(data, shrinkage=0.0).covariance(), np.cov(data.T), rtol=1e-12
    )


def test_whitened_residuals_of_full_rank_are_white():
    data = residuals_of(200, 10)
    noise = Noise.of_residuals(data, shrinkage=0.0)
    white = noise.whiten(data - data.mean(axis=0))
    np.testing.assert_allclose(white.T @ white / 199, np.eye(10), atol=1e-10)


@settings(max_examples=30)
@given(
    st.integers(3, 30),
    st.integers(2, 40),
    st.floats(0.01, 1),
    st.integers(0, 2**32 - 1),
    st.integers(1, 50),
)
def test_inner_products_are_those_of_the_precision(n_residuals, n_channels, share, seed, size):
    noise = Noise.of_residuals(residuals_of(n_residuals, n_channels, seed), shrinkage=share)
    values = np.random.default_rng(seed).standard_normal((2, 3, n_channels))
    white = np.concatenate(list(noise.blocks(values, size)), axis=-1)
    np.testing.assert_array_equal(
        np.concatenate(list(noise.blocks(values)), -1), noise.whiten(values)
    )
    scaled = values * noise.scale  # so that the precision is of moderate size
    white = np.concatenate(list(noise.blocks(scaled, size)), axis=-1)
    correlation = noise.covariance() / np.outer(noise.scale, noise.scale)
    expected = values.reshape(6, -1) @ np.linalg.inv(correlation) @ values.reshape(6, -1).T
    found = white.reshape(6, -1) @ white.reshape(6, -1).T
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8 * np.abs(expected).max())


@pytest.mark.parametrize("shape", SHAPES)
def test_precision_inverts_the_covariance(shape):
    noise = Noise.of_residuals(residuals_of(*shape))
    np.testing.assert_allclose(noise.precision() @ noise.covariance(), np.eye(shape[1]), atol=1e-9)


def test_missing_values_spoil_their_own_pattern_only():
    noise = Noise.of_residuals(residuals_of(10, 20))
    values = np.random.default_rng(0).standard_normal((3, 20))
    gappy = values.copy()
    gappy[1, 4] = np.nan
    white = noise.whiten(gappy)
    assert np.isnan(white[1]).all()
    np.testing.assert_allclose(white[[0, 2]], noise.whiten(values)[[0, 2]], rtol=1e-12)


def test_some_channels_have_the_same_part_of_the_covariance():
    noise = Noise.of_residuals(residuals_of(15, 30))
    chosen = np.array([4, 1, 22])
    np.testing.assert_allclose(
        noise.of_channels(chosen).covariance(), noise.covariance()[np.ix_(chosen, chosen)]
    )
    mask = np.zeros(30, bool)
    mask[:7] = True
    assert noise.of_channels(mask).n_channels == 7


@pytest.mark.parametrize("target", [*TARGETS, 0.4])
def test_silent_channels_do_not_touch_the_others(target):
    data = residuals_of(20, 6)
    wider = np.insert(data, [2, 6], 0.1, axis=1)  # constant, but no exact binary fraction
    noise, alone = Noise.of_residuals(wider, 18, target), Noise.of_residuals(data, 18, target)
    assert np.flatnonzero(noise.silent).tolist() == [2, 7]
    assert noise.share == pytest.approx(alone.share, rel=1e-10)
    np.testing.assert_allclose(noise.of_channels(~noise.silent).covariance(), alone.covariance())
    with pytest.raises(UnfitRecordingError, match="positions 2, 7"):
        noise.whiten(np.ones((1, 8)))


def test_full_shrinkage_is_univariate():
    data = residuals_of(8, 40)
    noise = Noise.of_residuals(data, shrinkage=1.0)
    np.testing.assert_allclose(noise.whiten(data), data / data.std(axis=0, ddof=1), rtol=1e-12)


@pytest.mark.parametrize("shape", [(10, 10), (10, 40)])
def test_singular_covariances_are_refused(shape):
    noise = Noise.of_residuals(residuals_of(*shape), shrinkage=0.0)
    with pytest.raises(UnfitRecordingError, match="singular"):
        noise.whiten(np.ones(shape[1]))


def test_channels_that_repeat_each_other_are_singular_without_shrinkage():
    data = residuals_of(50, 4)
    noise = Noise.of_residuals(np.column_stack([data, data[:, 0]]), shrinkage=0.0)
    with pytest.raises(UnfitRecordingError, match="singular"):
        noise.precision()


def test_independent_channels_are_shrunk_further():
    rng = np.random.default_rng(0)
    common = rng.standard_normal((40, 1))
    alone = rng.standard_normal((40, 30))
    assert Noise.of_residuals(alone).share > 0.7
    assert Noise.of_residuals(alone + 3 * common).share < 0.1


def test_large_covariances_are_refused_but_whiten():
    data = np.random.default_rng(0).standard_normal((3, 20_001))
    noise = Noise.of_residuals(data)
    with pytest.raises(InputError, match="20001 channels"):
        noise.covariance()
    with pytest.raises(InputError, match="20001 channels"):
        noise.precision()
    assert np.isfinite(noise.whiten(data)).all()


def test_memory_grows_with_residuals_not_with_pairs_of_channels():
    data = np.random.default_rng(0).standard_normal((20, 20_000))
    values = data[:5].copy()
    tracemalloc.start()
    Noise.of_residuals(data).whiten(values)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * data.nbytes  # a square matrix would be 1000 times as large


def test_stacks_of_residuals_have_the_shares_of_each():
    stack = np.stack([residuals_of(12, 7, seed) for seed in range(3)])
    scale, scaled = standardised(stack, 11)
    shares = shrinkage_share(scaled, 11)
    for k, data in enumerate(stack):
        noise = Noise.of_residuals(data, 11)
        np.testing.assert_allclose(scale[k], noise.scale)
        assert shares[k] == pytest.approx(noise.share, rel=1e-12)


@pytest.mark.parametrize(
    ("data", "df", "word"),
    [
        (np.zeros((1, 4)), None, "shape"),
        (np.zeros(4), None, "shape"),
        (np.array([[1.0, np.nan], [2.0, 3.0]]), None, "1 not finite"),
        (np.ones((5, 2)), 0, "degrees of freedom"),
    ],
)
def test_residuals_that_are_none_are_refused(data, df, word):
    with pytest.raises(InputError, match=word):
        Noise.of_residuals(data, df)


def test_residuals_without_variance_are_refused():
    with pytest.raises(UnfitRecordingError, match="none of which varies"):
        Noise.of_residuals(np.ones((5, 3)))


@pytest.mark.parametrize("shrinkage", ["diag", 1.5, -0.1])
def test_unknown_shrinkage_is_refused(shrinkage):
    with pytest.raises(SettingsError, match="shrinkage"):
        Noise.of_residuals(residuals_of(5, 3), shrinkage=shrinkage)


def test_patterns_of_other_channels_are_refused():
    noise = Noise.of_residuals(residuals_of(5, 3))
    with pytest.raises(InputError, match="3 channels"):
        noise.whiten(np.ones((2, 4)))
