"""An animal that runs about, and units that follow its speed or its place.

Drives are parts of the log rate, so that drives add up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from neuropipe.simulate.populations import poisson_spikes, rates_from_drive
from neuropipe.simulate.trains import SpikeTrains

Array = NDArray[np.float64]


def ornstein_uhlenbeck(
    n_samples: int, step: float, time_constant: float, rng: np.random.Generator
) -> Array:
    """Draw a stationary Ornstein-Uhlenbeck process of mean 0 and variance 1.

    Parameters
    ----------
    n_samples : int
    step : float
        Sampling step in s.
    time_constant : float
        Lag in s at which the autocorrelation has fallen to 1/e.
    rng : numpy.random.Generator

    Returns
    -------
    array of shape (n_samples,)
        Exact at the sampling times: ``x(t + h) = a x(t) + sqrt(1 - a^2) N(0, 1)`` with
        ``a = exp(-h / tau)``.
    """
    keep = np.exp(-step / time_constant)
    shocks = rng.standard_normal(n_samples)
    shocks[1:] *= np.sqrt(1 - keep**2)
    return np.asarray(lfilter([1.0], [1.0, -keep], shocks))


def speed_from_latent(latent: Array, *, mean: float = 0.1, spread: float = 0.6) -> Array:
    """Running speed in m/s, whose logarithm follows the latent linearly.

    Parameters
    ----------
    latent : array of shape (n_samples,)
        Of mean 0 and variance 1.
    mean : float
        Mean speed in m/s.
    spread : float
        Standard deviation of the log speed.
    """
    return np.asarray(mean * np.exp(spread * latent - spread**2 / 2))


def open_field_path(
    speed: Array, step: float, rng: np.random.Generator, *, arena: float = 1.0, turning: float = 0.6
) -> Array:
    """Walk through a square arena at a given speed, reflected at the walls.

    Parameters
    ----------
    speed : array of shape (n_samples,)
        In m/s.
    step : float
        Sampling step in s.
    rng : numpy.random.Generator
    arena : float
        Side of the square in m.
    turning : float
        Diffusion of the heading in rad per square root of s. A heading persists for
        ``2 / turning ** 2`` s: at the default and 0.15 m/s for 0.8 m, across most of an arena.

    Returns
    -------
    array of shape (n_samples, 2)
        x and y in m, in [0, arena].

    Notes
    -----
    The walk is drawn in the open plane and folded back, which is what mirrors at the walls do.
    """
    turns = turning * np.sqrt(step) * rng.standard_normal(len(speed))
    heading = rng.uniform(0, 2 * np.pi) + np.cumsum(turns)
    moves = speed[:, None] * step * np.stack([np.cos(heading), np.sin(heading)], axis=1)
    free = rng.uniform(0, arena, 2) + np.cumsum(moves, axis=0)
    return np.asarray(arena - np.abs(free % (2 * arena) - arena))


def place_drive(position: Array, centres: Array, *, width: float, peak: float) -> Array:
    """Log-rate contribution of Gaussian place fields.

    Parameters
    ----------
    position : array of shape (n_samples, 2)
        In m.
    centres : array of shape (n_units, 2)
        Of the fields, in m.
    width : float
        Standard deviation of the fields in m.
    peak : float
        Log of the rate at the centre over the rate far from it.

    Returns
    -------
    array of shape (n_samples, n_units)
    """
    squared = ((position[:, None, :] - centres) ** 2).sum(axis=-1)
    return np.asarray(peak * np.exp(-squared / (2 * width**2)))


@dataclass(frozen=True, kw_only=True)
class SpeedPopulation:
    """Spikes of units of which some follow a latent speed.

    Parameters
    ----------
    latent : array of shape (n_samples,)
        Ornstein-Uhlenbeck, mean 0, variance 1.
    speed : array of shape (n_samples,)
        In m/s.
    step : float
        Sampling step of both in s.
    weights : array of shape (n_units,)
        Log-rate change per standard deviation of the latent; 0 where a unit ignores it.
    rates : array of shape (n_samples, n_units), float32
        True rates in Hz.
    spikes : SpikeTrains
    """

    latent: Array
    speed: Array
    step: float
    weights: Array
    rates: NDArray[np.float32]
    spikes: SpikeTrains


def speed_weights(
    n_units: int, share: float, rng: np.random.Generator, *, strength: float = 0.6
) -> Array:
    """Draw which units follow the speed, and how.

    Parameters
    ----------
    n_units : int
    share : float
        Share of units that follow it (rounded).
    rng : numpy.random.Generator
    strength : float
        Mean absolute weight; one driven unit in four slows down with speed.

    Returns
    -------
    array of shape (n_units,)
    """
    weights = np.zeros(n_units)
    driven = rng.permutation(n_units)[: round(share * n_units)]
    sign = np.where(np.arange(len(driven)) % 4 == 3, -1.0, 1.0)
    weights[driven] = sign * strength * rng.uniform(0.7, 1.3, len(driven))
    return weights


def speed_population(
    n_units: int,
    rng: np.random.Generator,
    *,
    duration: float = 600.0,
    driven_share: float = 0.3,
    time_constant: float = 2.0,
    strength: float = 0.6,
    mean_rate: float = 8.0,
    step: float = 0.05,
) -> SpeedPopulation:
    """Simulate Poisson units of which a share is driven by a latent running speed.

    Parameters
    ----------
    n_units : int
    rng : numpy.random.Generator
    duration : float
        In s.
    driven_share : float
        Share of the units that follow the latent.
    time_constant : float
        Of the latent, in s.
    strength : float
        Mean absolute log-rate change per standard deviation of the latent.
    mean_rate : float
        In Hz; units are log-normal around it.
    step : float
        Sampling step of latent, speed and rates in s.
    """
    latent = ornstein_uhlenbeck(round(duration / step), step, time_constant, rng)
    weights = speed_weights(n_units, driven_share, rng, strength=strength)
    mean_rates = mean_rate * rng.lognormal(-0.045, 0.3, n_units)
    rates = rates_from_drive(np.outer(latent, weights), mean_rates)
    return SpeedPopulation(
        latent=latent,
        speed=speed_from_latent(latent),
        step=step,
        weights=weights,
        rates=rates.astype(np.float32),
        spikes=poisson_spikes(rates, step, rng),
    )
