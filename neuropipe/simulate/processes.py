"""Stationary Gaussian processes with a given spectrum, and the haemodynamic response.

Processes are made in the frequency domain: exactly Gaussian and stationary, and their
autocovariance is known in closed form, which the oracles of :mod:`neuropipe.simulate.fmri_oracle`
need.
"""

from __future__ import annotations

from functools import lru_cache
from math import gamma

import numpy as np

BAND = (0.01, 0.1)  # Hz, of the slow fluctuations of BOLD
HRF_LENGTH = 32.0  # s
_FINE = 0.1  # s, step at which the response's gain is computed


def stream(seed: int, *keys: int) -> np.random.Generator:
    """Give the random numbers of one purpose, independent of those of every other purpose.

    Parameters
    ----------
    seed : int
        Of the simulation.
    *keys : int
        What the numbers are for, such as purpose, subject and run: a subject's stay the same
        whatever the number of subjects. Purposes of one simulation differ in the first key, or
        have as many keys: a missing key counts as 0.
    """
    return np.random.default_rng([seed, *keys])


def hrf(step: float) -> np.ndarray:
    """Canonical double-gamma haemodynamic response with unit sum.

    Parameters
    ----------
    step : float
        Sampling step in s.

    Returns
    -------
    array of shape (n_samples,)
        Over 32 s.

    Notes
    -----
    Peak 6 s, undershoot 16 s, dispersion 1 s, ratio 1/6: Glover 1999 in the form that SPM uses.
    """
    time = np.arange(0, HRF_LENGTH, step)
    peak = time**5 * np.exp(-time) / gamma(6)
    undershoot = time**15 * np.exp(-time) / gamma(16)
    response = peak - undershoot / 6
    return np.asarray(response / response.sum())


@lru_cache(maxsize=16)
def bold_spectrum(n_samples: int, step: float) -> np.ndarray:
    """Power of slow network fluctuations after the haemodynamic response, with unit variance.

    1/f power between 0.01 and 0.1 Hz, none outside, multiplied by the squared gain of `hrf`.

    Parameters
    ----------
    n_samples : int
        Length of the (circular) process.
    step : float
        Sampling step in s.

    Returns
    -------
    array of shape (n_samples // 2 + 1,)
        Expected variance at each frequency of ``numpy.fft.rfftfreq``; sums to 1. Read-only.

    Raises
    ------
    ValueError
        If the process is too short to hold a frequency of the band.
    """
    frequency = np.fft.rfftfreq(n_samples, step)
    inside = (frequency >= BAND[0]) & (frequency <= BAND[1])
    if not inside.any():
        raise ValueError(f"{n_samples} samples of {step} s hold no frequency of 0.01 to 0.1 Hz")
    # The gain is that of a finely sampled response, so that the spectrum is the same at any step.
    response = hrf(_FINE)
    phase = np.exp(-2j * np.pi * _FINE * np.outer(frequency[inside], np.arange(len(response))))
    power = np.zeros(len(frequency))
    power[inside] = np.abs(phase @ response) ** 2 / frequency[inside]
    power /= power.sum()
    power.setflags(write=False)
    return power


def ar1_spectrum(n_samples: int, step: float, time_constant: float) -> np.ndarray:
    """Power of a first-order autoregressive process with unit variance.

    Parameters
    ----------
    n_samples : int
    step : float
        Sampling step in s; the coefficient is ``exp(-step / time_constant)``.
    time_constant : float
        In s.

    Returns
    -------
    array of shape (n_samples // 2 + 1,)
        Sums to 1.
    """
    coefficient = np.exp(-step / time_constant)
    angle = 2 * np.pi * np.fft.rfftfreq(n_samples)
    power = 1 / (1 + coefficient**2 - 2 * coefficient * np.cos(angle))
    power *= _two_sided(n_samples)
    return np.asarray(power / power.sum())


def gaussian_process(
    spectrum: np.ndarray, n_samples: int, n_series: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw independent stationary Gaussian series with a given spectrum.

    Parameters
    ----------
    spectrum : array of shape (n_samples // 2 + 1,)
        Expected variance at each frequency.
    n_samples, n_series : int
    rng : numpy.random.Generator

    Returns
    -------
    array of shape (n_samples, n_series)
        Circular in time: draw more samples than are used, or first and last are alike.
    """
    used = np.flatnonzero(spectrum)
    draws = rng.standard_normal((2, len(used), n_series))
    values = draws[0] + 1j * draws[1]
    # A frequency without a partner (zero, Nyquist) is real and carries all its power alone.
    lone = _two_sided(n_samples)[used] == 1
    values[lone] = draws[0, lone] * np.sqrt(2)
    amplitude = np.sqrt(spectrum[used] / _two_sided(n_samples)[used] / 2)
    coefficients = np.zeros((len(spectrum), n_series), dtype=complex)
    coefficients[used] = values * amplitude[:, None]
    return np.fft.irfft(coefficients, n_samples, axis=0) * n_samples


def autocovariance(spectrum: np.ndarray, n_samples: int) -> np.ndarray:
    """Autocovariance at lags 0, 1, ... of the series that `gaussian_process` draws.

    Parameters
    ----------
    spectrum : array of shape (n_samples // 2 + 1,)
    n_samples : int

    Returns
    -------
    array of shape (n_samples // 2 + 1,)
        By lag in samples (Wiener-Khinchin).
    """
    two_sided = np.fft.irfft(spectrum / _two_sided(n_samples), n_samples) * n_samples
    return np.asarray(two_sided[: n_samples // 2 + 1])


def _two_sided(n_samples: int) -> np.ndarray:
    """How many of the frequencies of a two-sided spectrum each one-sided frequency stands for."""
    count = np.full(n_samples // 2 + 1, 2.0)
    count[0] = 1
    if n_samples % 2 == 0:
        count[-1] = 1
    return count
