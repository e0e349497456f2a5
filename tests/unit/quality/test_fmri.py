from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropipe.quality import fmri, series


def noise(n_times=600, n_units=40, seed=0):
    return np.random.default_rng(seed).standard_normal((n_times, n_units))


def test_planted_tsnr_is_recovered():
    planted = np.array([20.0, 100.0, 400.0])
    signals = planted * 10 + 10 * noise(4000, 3)
    np.testing.assert_allclose(fmri.temporal_snr(signals), planted, rtol=0.05)


def test_demeaned_series_have_no_tsnr():
    assert fmri.temporal_snr(noise()) is None
    assert fmri.temporal_snr(np.ones((10, 3))) is None


def test_a_constant_unit_has_no_tsnr():
    signals = 100 + noise(300, 3)
    signals[:, 1] = 7
    tsnr = fmri.temporal_snr(signals)
    assert np.isnan(tsnr).tolist() == [False, True, False]


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_dvars_of_undisturbed_series_is_one(rho):
    steps = noise(3000, 60)
    series = np.empty_like(steps)
    series[0] = steps[0]
    for t in range(1, len(steps)):
        series[t] = rho * series[t - 1] + np.sqrt(1 - rho**2) * steps[t]
    dvars = fmri.standardised_dvars(1000 + series * np.linspace(1, 50, 60))
    assert np.isnan(dvars[0])
    assert np.nanmean(dvars) == pytest.approx(1, abs=0.03)


def test_planted_jumps_are_the_dvars_spikes():
    signals = noise()
    signals[[100, 300]] += 6
    dvars = fmri.standardised_dvars(signals)
    # A jump of one frame shows on its way up and on its way down.
    assert np.flatnonzero(dvars > 2).tolist() == [100, 101, 300, 301]


def test_dvars_skips_missing_samples():
    signals = noise()
    signals[200] = np.nan
    signals[:50, 3] = np.nan
    signals[:, 5] = 4.0
    dvars = fmri.standardised_dvars(signals)
    assert np.isnan(dvars[[0, 200, 201]]).all()
    assert np.isfinite(dvars).sum() == 597
    assert np.nanmean(dvars) == pytest.approx(1, abs=0.03)


def test_dvars_without_any_variance_is_nan():
    assert np.isnan(fmri.standardised_dvars(np.ones((10, 2)))).all()


def test_global_signal_in_percent():
    wave = np.sin(np.linspace(0, 20, 500))[:, None]
    levels = np.array([500.0, 1000.0, 2000.0])
    signals = levels * (1 + 0.02 * wave)
    level = 1 + 0.02 * wave.mean()
    expected = 2 * (wave[:, 0] - wave.mean()) / level
    np.testing.assert_allclose(fmri.percent_change(signals, None), expected, atol=1e-9)
    # Demeaned by the reader, which kept the means.
    found = fmri.percent_change(signals - signals.mean(axis=0), levels * level)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert fmri.percent_change(signals - signals.mean(axis=0), None) is None
    assert fmri.percent_change(signals, np.zeros(3)) is None


def test_line_share_of_planted_drift():
    line = np.linspace(-1, 1, 4000)[:, None]
    signals = np.hstack([line, line + line.std() * noise(4000, 1), noise(4000, 1)])
    np.testing.assert_allclose(series.line_share(signals), [1, 0.5, 0], atol=0.03)
    assert np.isnan(series.line_share(np.full((50, 1), 3.1)))
    signals[:1000, 1] = np.nan
    assert series.line_share(signals)[1] == pytest.approx(0.36, abs=0.05)


def test_constant_units_are_found():
    signals = noise(20, 4)
    signals[:, 1] = 0.1
    signals[:, 2] = np.nan
    signals[3:, 3] = np.nan
    assert series.constant_units(signals).tolist() == [False, True, False, False]


def test_a_planted_rhythm_is_the_peak_of_the_spectrum():
    time = np.arange(1200) * 0.72
    signals = np.sin(2 * np.pi * 0.05 * time)[:, None] + 0.1 * noise(1200, 3)
    frequencies, power = fmri.power_spectrum(signals, 1 / 0.72)
    assert frequencies[power[:, 0].argmax()] == pytest.approx(0.05, abs=0.01)
    np.testing.assert_allclose(power.sum(axis=0), 1)
    assert frequencies[-1] == pytest.approx(0.5 / 0.72, rel=0.02)


def test_the_spectrum_of_short_and_constant_series():
    signals = noise(20, 2)
    signals[:, 1] = 5
    frequencies, power = fmri.power_spectrum(signals, 1.0)
    assert len(frequencies) == 10
    assert np.isnan(power).all(axis=0).tolist() == [False, True]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 1e3), st.floats(-100, 100))
def test_scale_offset_and_order_do_not_matter(seed, scale, offset):
    rng = np.random.default_rng(seed)
    signals = rng.standard_normal((60, 7))
    signals[rng.random(signals.shape) < 0.05] = np.nan
    order = rng.permutation(7)
    moved = scale * signals[:, order] + offset
    np.testing.assert_allclose(
        fmri.standardised_dvars(moved), fmri.standardised_dvars(signals), rtol=1e-6
    )
    np.testing.assert_allclose(
        series.line_share(moved), series.line_share(signals)[order], atol=1e-7
    )
    np.testing.assert_allclose(
        series.global_signal(moved), series.global_signal(signals), atol=1e-6
    )
