"""Gaussian processes with known spectra."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropipe.simulate.processes import (
    ar1_spectrum,
    autocovariance,
    bold_spectrum,
    gaussian_process,
    hrf,
    stream,
)


def test_streams_are_reproducible_and_apart():
    first = stream(3, 1, 2).standard_normal(5)
    assert np.array_equal(first, stream(3, 1, 2).standard_normal(5))
    for other in (stream(4, 1, 2), stream(3, 2, 2), stream(3, 1)):
        assert not np.isclose(first, other.standard_normal(5)).any()


def test_hrf_is_that_of_nilearn():
    from nilearn.glm.first_level import spm_hrf

    ours = hrf(0.1)
    theirs = spm_hrf(0.1, oversampling=1, time_length=32.0)
    # nilearn starts one sample later and normalises in the same way.
    assert np.allclose(ours[: len(theirs) - 1], theirs[1:], atol=2e-4)
    assert ours.sum() == pytest.approx(1)
    assert np.argmax(ours) * 0.1 == pytest.approx(5.0, abs=0.2)


@settings(deadline=None)
@given(st.integers(200, 4000), st.sampled_from([0.1, 0.72, 1.0, 1.6]))
def test_spectra_have_unit_variance_and_stay_in_their_band(n_samples, step):
    if n_samples * step < 110:
        n_samples = int(110 / step)
    power = bold_spectrum(n_samples, step)
    frequency = np.fft.rfftfreq(n_samples, step)
    assert power.sum() == pytest.approx(1)
    assert (power[(frequency < 0.01) | (frequency > 0.1)] == 0).all()
    assert ar1_spectrum(n_samples, step, 0.8).sum() == pytest.approx(1)


def test_bold_spectrum_does_not_depend_on_the_step():
    # 1.6 s and 0.8 s samples of the same 480 s: the same frequencies carry the same power.
    coarse, fine = bold_spectrum(300, 1.6), bold_spectrum(600, 0.8)
    used = np.flatnonzero(coarse)
    assert np.allclose(coarse[used], fine[used], rtol=1e-12)


def test_a_process_too_short_for_the_band_is_refused():
    with pytest.raises(ValueError, match="hold no frequency"):
        bold_spectrum(5, 1.0)


@pytest.mark.parametrize("n_samples", [400, 401])
def test_draws_have_the_autocovariance_of_their_spectrum(n_samples):
    spectrum = ar1_spectrum(n_samples, 1.0, 2.0)
    drawn = gaussian_process(spectrum, n_samples, 4000, np.random.default_rng(0))
    expected = autocovariance(spectrum, n_samples)
    for lag in (0, 1, 2, 5, 20):
        measured = (drawn * np.roll(drawn, lag, axis=0)).mean()
        assert measured == pytest.approx(expected[lag], abs=0.01)
    # First-order autoregression: the correlation falls geometrically.
    assert expected[:4] == pytest.approx(np.exp(-np.arange(4) / 2.0), abs=1e-3)


def test_every_frequency_carries_its_power():
    rng = np.random.default_rng(1)
    spectrum = rng.uniform(size=9)
    drawn = gaussian_process(spectrum, 16, 20_000, rng)
    transformed = np.fft.rfft(drawn, axis=0) / 16
    power = (np.abs(transformed) ** 2).mean(axis=1)
    power[1:-1] *= 2
    assert power == pytest.approx(spectrum, rel=0.05)
