from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropipe.errors import InputError
from neuropipe.stats.noise_ceiling import (
    ceiling_of_mean,
    explainable_variance,
    feve,
    noise_ceiling,
    noise_ceiling_snr,
    spearman_brown,
    split_half_reliability,
    variance_parts,
)

SIGNAL = np.array([1.0, 1.0, 0.5, 2.0])
NOISE = np.array([1.0, 0.5, 1.0, 3.0])


def simulate(n_repeats=5, n_stimuli=4000, seed=0):
    rng = np.random.default_rng(seed)
    signal = rng.standard_normal((n_stimuli, 4)) * SIGNAL
    trials = signal + rng.standard_normal((n_repeats, n_stimuli, 4)) * NOISE
    return signal, trials + 3.0


def unequal(trials, seed=1):
    """Leave out late repeats of some stimuli, the same for all units."""
    keep = np.random.default_rng(seed).integers(2, len(trials) + 1, trials.shape[1])
    gone = np.arange(len(trials))[:, None] >= keep
    return np.where(gone[:, :, None], np.nan, trials), keep


def test_variances_are_recovered():
    _, trials = simulate()
    parts = variance_parts(trials)
    np.testing.assert_allclose(parts.signal, SIGNAL**2, rtol=0.12)
    np.testing.assert_allclose(parts.noise, NOISE**2, rtol=0.05)
    np.testing.assert_allclose(parts.total, SIGNAL**2 + NOISE**2, rtol=0.08)
    np.testing.assert_allclose(parts.repeats, 5)


def test_variances_are_recovered_from_unequal_repeats():
    _, trials = simulate()
    missing, keep = unequal(trials)
    parts = variance_parts(missing)
    np.testing.assert_allclose(parts.signal, SIGNAL**2, rtol=0.15)
    np.testing.assert_allclose(parts.noise, NOISE**2, rtol=0.06)
    np.testing.assert_allclose(parts.repeats, 1 / np.mean(1 / keep))


def test_ceiling_is_the_r2_of_the_true_signal():
    signal, trials = simulate()
    mean = trials.mean(axis=0)
    r2 = [np.corrcoef(signal[:, u], mean[:, u])[0, 1] ** 2 for u in range(4)]
    np.testing.assert_allclose(noise_ceiling(trials), r2, atol=0.03)


def test_ceiling_grows_with_the_repeats_averaged():
    parts = variance_parts(simulate()[1])
    truth = SIGNAL**2 / (SIGNAL**2 + NOISE**2 / 20)
    np.testing.assert_allclose(ceiling_of_mean(parts, 20), truth, atol=0.02)
    np.testing.assert_allclose(ceiling_of_mean(parts), noise_ceiling(simulate()[1]))
    np.testing.assert_allclose(noise_ceiling_snr(parts), SIGNAL / NOISE, rtol=0.08)


def test_pure_noise_has_no_ceiling():
    trials = np.random.default_rng(0).standard_normal((4, 3000, 6))
    assert np.median(noise_ceiling(trials)) < 0.05
    assert abs(np.median(explainable_variance(trials))) < 0.02
    # Uncorrected, four repeats explain a quarter by chance.
    assert explainable_variance(trials, bias_correction=False) == pytest.approx(0.25, abs=0.02)


def test_noise_free_and_constant_units():
    signal = np.random.default_rng(0).standard_normal((50, 1))
    trials = np.concatenate([np.stack([signal] * 3), np.ones((3, 50, 1))], axis=2)
    ceiling = noise_ceiling(trials)
    assert ceiling[0] == 1
    assert np.isnan(ceiling[1])
    snr = noise_ceiling_snr(variance_parts(trials))
    assert np.isinf(snr[0])
    assert np.isnan(snr[1])


def test_explainable_variance_is_the_published_formula():
    _, trials = simulate(n_stimuli=60)
    n = len(trials)
    residual = ((trials - trials.mean(axis=0)) ** 2).mean(axis=(0, 1))
    raw = 1 - residual / trials.reshape(-1, 4).var(axis=0)
    np.testing.assert_allclose(explainable_variance(trials, bias_correction=False), raw)
    np.testing.assert_allclose(explainable_variance(trials), raw - (1 - raw) / (n - 1))


def test_feve_of_truth_mean_and_half_truth():
    signal, trials = simulate()
    np.testing.assert_allclose(feve(signal + 3, trials), 1, atol=0.05)
    grand = np.broadcast_to(trials.mean(axis=(0, 1)), signal.shape)
    np.testing.assert_allclose(feve(grand, trials), 0, atol=1e-9)
    np.testing.assert_allclose(feve(0.5 * signal + 3, trials), 0.75, atol=0.05)


def test_feve_refuses_other_shapes():
    with pytest.raises(InputError, match="predict the stimuli"):
        feve(np.zeros((3, 4)), simulate(n_stimuli=10)[1])


@pytest.mark.parametrize("n_repeats", [2, 6])
def test_reliability_is_the_analytic_value(n_repeats):
    _, trials = simulate(n_repeats)
    truth = SIGNAL**2 / (SIGNAL**2 + NOISE**2 / n_repeats)
    found = split_half_reliability(trials, np.random.default_rng(0), n_splits=20)
    np.testing.assert_allclose(found, truth, atol=0.04)
    half = split_half_reliability(trials, np.random.default_rng(0), n_splits=20, corrected=False)
    np.testing.assert_allclose(spearman_brown(half), found)


def test_reliability_of_unequal_repeats():
    _, trials = simulate(8)
    missing, keep = unequal(trials)
    truth = SIGNAL**2 / (SIGNAL**2 + NOISE**2 * np.mean(1 / keep))
    found = split_half_reliability(missing, np.random.default_rng(0), n_splits=20)
    np.testing.assert_allclose(found, truth, atol=0.06)


def test_units_may_miss_different_trials():
    _, trials = simulate(6, n_stimuli=1500)
    rng = np.random.default_rng(2)
    for unit in range(4):
        trials[5, rng.random(1500) < 0.5, unit] = np.nan
    found = split_half_reliability(trials, np.random.default_rng(0), n_splits=20)
    truth = SIGNAL**2 / (SIGNAL**2 + NOISE**2 * (1 / 5 + 1 / 6) / 2)
    np.testing.assert_allclose(found, truth, atol=0.06)


def test_a_unit_without_repeats_is_nan_beside_others():
    _, trials = simulate(3, n_stimuli=100)
    trials[1:, :, 2] = np.nan
    for result in (
        noise_ceiling(trials),
        explainable_variance(trials),
        split_half_reliability(trials, np.random.default_rng(0), n_splits=3),
    ):
        assert np.isnan(result).tolist() == [False, False, True, False]


@pytest.mark.parametrize("shape", [(1, 20, 3), (4, 1, 3)])
def test_no_repeats_is_an_error(shape):
    with pytest.raises(InputError, match="hold no repeats"):
        noise_ceiling(np.random.default_rng(0).standard_normal(shape))


def test_wrong_axes_are_an_error():
    with pytest.raises(InputError, match="2 axes"):
        noise_ceiling(np.zeros((4, 4)))


def test_chunks_of_splits_do_not_change_the_average(monkeypatch):
    _, trials = simulate(4, n_stimuli=300)
    whole = split_half_reliability(trials, np.random.default_rng(0), n_splits=60)
    monkeypatch.setattr("neuropipe.stats.noise_ceiling._CHUNK", 5000)
    parts = split_half_reliability(trials, np.random.default_rng(0), n_splits=60)
    np.testing.assert_allclose(whole, parts, atol=0.02)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 1e4), st.floats(-1e3, 1e3))
def test_ceilings_ignore_scale_offset_and_order(seed, scale, offset):
    rng = np.random.default_rng(seed)
    trials = rng.standard_normal((20, 3)) + rng.standard_normal((4, 20, 3))
    trials[3, :5] = np.nan
    order = rng.permutation(3)
    moved = scale * trials[:, rng.permutation(20)][:, :, order] + offset
    np.testing.assert_allclose(noise_ceiling(moved), noise_ceiling(trials)[order], atol=1e-6)
    np.testing.assert_allclose(
        explainable_variance(moved), explainable_variance(trials)[order], atol=1e-6
    )
    assert ((noise_ceiling(trials) >= 0) & (noise_ceiling(trials) <= 1)).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_reliability_repeats_with_its_seed(seed):
    trials = np.random.default_rng(0).standard_normal((5, 30, 2))
    first, second = (
        split_half_reliability(trials, np.random.default_rng(seed), n_splits=5) for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)
    assert (first <= 1).all()


def test_feve_leaves_missing_trials_and_units_out():
    rng = np.random.default_rng(20)
    signal = rng.standard_normal((40, 3))
    trials = signal + 0.5 * rng.standard_normal((4, 40, 3))
    whole = feve(signal, trials)
    trials[0, :5, 0] = np.nan
    trials[:, :, 2] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = feve(signal, trials)
    assert found[0] == pytest.approx(whole[0], abs=0.03)
    assert found[1] == whole[1]
    assert np.isnan(found[2])
