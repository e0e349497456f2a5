"""Surrogates without shared structure (SIM-B): what a method must call nothing."""

from __future__ import annotations

import numpy as np

from neuropipe.simulate.calcium import CalciumData, draw_expressed, sim_calcium
from neuropipe.simulate.settings import CalciumSimulation


def shifted(traces: np.ndarray, rng: np.random.Generator, *, shortest: int = 1) -> np.ndarray:
    """Shift every trace circularly, each by its own lag.

    Parameters
    ----------
    traces : array of shape (..., n_samples)
        NaN samples move with the rest.
    rng : numpy.random.Generator
    shortest : int
        Least shift in samples, in either direction.

    Returns
    -------
    array of the same shape and type
        Each trace keeps its values and its autocorrelation (circularly); coincidences between
        traces are lost.
    """
    n_samples = traces.shape[-1]
    lags = rng.integers(shortest, n_samples - shortest + 1, size=traces.shape[:-1])
    index = (np.arange(n_samples) - lags[..., None]) % n_samples
    return np.take_along_axis(traces, index, axis=-1)


def phase_randomised(traces: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Give every trace random phases and keep its power spectrum (Theiler et al. 1992).

    Parameters
    ----------
    traces : array of shape (..., n_samples)
        A trace that holds NaN is returned as it is: it has no spectrum.
    rng : numpy.random.Generator

    Returns
    -------
    array of the same shape and type
    """
    n_samples = traces.shape[-1]
    whole = np.isfinite(traces).all(axis=-1)
    surrogate = traces.copy()
    spectrum = np.fft.rfft(traces[whole], axis=-1)
    turn = np.exp(2j * np.pi * rng.uniform(size=spectrum.shape))
    turn[..., 0] = 1
    if n_samples % 2 == 0:
        turn[..., -1] = rng.choice([-1.0, 1.0], size=turn.shape[:-1])
    surrogate[whole] = np.fft.irfft(spectrum * turn, n_samples, axis=-1)
    return surrogate


def independent(settings: CalciumSimulation) -> CalciumData:
    """Draw animals in which no two neurons share an event.

    Parameters
    ----------
    settings : CalciumSimulation
        Every neuron fires privately at the mean rate of all neurons in the structured data.

    Returns
    -------
    CalciumData
        Its partitions are all background, and no epoch is expressed.
    """
    in_community = settings.n_communities * settings.community_size / settings.n_neurons
    shown = draw_expressed(settings).mean()
    rate = settings.private_rate + settings.event_rate * in_community * shown
    lonely = settings.model_copy(update={"private_rate": rate, "homologues": 0.0})
    return sim_calcium(lonely, structured=False)
