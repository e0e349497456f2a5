"""What autocorrelation leaves of the sample size, and intervals and nulls that respect it.

Axis legend: t frames, n units, b contiguous blocks of time, e edges.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from neuropipe.stats.connectivity_matrices import correlation, standardise, varying
from neuropipe.stats.permutation import draw_shifts, shift_columns

__all__ = [
    "autocorrelations",
    "effective_samples",
    "false_discoveries",
    "halves",
    "leave_block_out",
    "mean_edge_null",
    "n_blocks",
]

FEWEST_BLOCKS, MOST_BLOCKS = 5, 40


def autocorrelations(values: np.ndarray) -> np.ndarray:
    """Tapered autocorrelation of every unit.

    Parameters
    ----------
    values : array of shape (n_times, n_units)

    Returns
    -------
    array of shape (n_lags, n_units)
        Lags 1 to M = 2 sqrt(n_times), under a Tukey taper (Woolrich et al. 2001; Afyouni et al.
        2019), which keeps the noise of long lags out of sums.
    """
    n_times = len(values)
    size = 1 << (2 * n_times - 1).bit_length()
    spectrum = np.fft.rfft(standardise(values), size, axis=0)
    covariance = np.fft.irfft(np.abs(spectrum) ** 2, size, axis=0)
    n_lags = max(1, min(int(2 * np.sqrt(n_times)), n_times - 2))
    taper = 0.5 * (1 + np.cos(np.pi * np.arange(1, n_lags + 1) / (n_lags + 1)))
    lagged: np.ndarray = taper[:, None] * covariance[1 : n_lags + 1] / covariance[0]
    return lagged


def effective_samples(values: np.ndarray) -> np.ndarray:
    """Number of independent frames that a correlation between two units is worth.

    Parameters
    ----------
    values : array of shape (n_times, n_units)

    Returns
    -------
    array of shape (n_units, n_units)
        In [3, n_times].

    Notes
    -----
    ``N / (1 + 2 sum_k (1 - k/N) rho_i(k) rho_j(k))`` (Bartlett 1946; Bayley & Hammersley 1946):
    exact for the variance of r where two units are in truth uncorrelated, as under the null.
    Afyouni et al. 2019 add terms for correlated units, which this leaves out.
    """
    n_times = len(values)
    lagged = autocorrelations(values)
    weight = 1 - np.arange(1, len(lagged) + 1) / n_times
    inflation = 1 + 2 * (lagged * weight[:, None]).T @ lagged
    # Anticorrelated neighbours would claim more than the frames there are.
    effective: np.ndarray = np.clip(n_times / np.maximum(inflation, 1.0), 3.0, n_times)
    return effective


def false_discoveries(z: np.ndarray, samples: np.ndarray, alpha: float) -> np.ndarray:
    """Edges that differ from zero at a false discovery rate.

    Parameters
    ----------
    z : array of shape (n_edges,)
        Fisher's z of correlations.
    samples : array of shape (n_edges,)
        Effective samples of each; those with 3 or fewer never count.
    alpha : float
        False discovery rate (Benjamini & Hochberg 1995).

    Returns
    -------
    array of bool of shape (n_edges,)
    """
    from scipy.special import erfc

    p = erfc(np.abs(z) * np.sqrt(np.maximum(samples - 3, 0.0)) / np.sqrt(2))
    order = np.argsort(p)
    below = np.flatnonzero(p[order] <= alpha * np.arange(1, len(p) + 1) / len(p))
    found = np.zeros(len(p), dtype=bool)
    if len(below):
        found[order[: below[-1] + 1]] = True
    return found


def n_blocks(n_times: int, sampling_rate: float, block_length: float) -> int:
    """Number of time blocks: as many as fit, between 5 and 40.

    Parameters
    ----------
    n_times : int
    sampling_rate : float
        In Hz.
    block_length : float
        In s.
    """
    return min(max(int(n_times / sampling_rate / block_length), FEWEST_BLOCKS), MOST_BLOCKS)


def leave_block_out(
    values: np.ndarray, blocks: int, statistic: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Statistics of the correlation matrix with each block of time left out in turn.

    Parameters
    ----------
    values : array of shape (n_times, n_units)
    blocks : int
        Number of contiguous blocks.
    statistic : callable
        From a correlation matrix to an array of numbers.

    Returns
    -------
    array of shape (blocks, n_statistics)
        For `neuropipe.stats.resampling.jackknife_interval`.

    Notes
    -----
    A unit that is silent outside one block (a sparse neuron) is given correlations of 0 without it.
    """
    z = standardise(values)
    product, total = z.T @ z, z.sum(axis=0)
    draws = []
    for block in np.array_split(np.arange(len(z)), blocks):
        part = z[block[0] : block[-1] + 1]
        n = len(z) - len(part)
        mean = (total - part.sum(axis=0)) / n
        covariance = (product - part.T @ part) / n - np.outer(mean, mean)
        variance = np.diag(covariance)  # of standardised series: near 1
        scale = np.where(variance > 1e-10, 1 / np.sqrt(np.maximum(variance, 1e-10)), 0.0)
        draws.append(np.atleast_1d(statistic(covariance * np.outer(scale, scale))))
    return np.array(draws)


def mean_edge_null(
    values: np.ndarray, n_permutations: int, min_shift: int, rng: np.random.Generator
) -> np.ndarray:
    """Mean correlation over all pairs when every unit is shifted in time by its own amount.

    Parameters
    ----------
    values : array of shape (n_times, n_units)
    n_permutations : int
    min_shift : int
        In samples.
    rng : numpy.random.Generator

    Returns
    -------
    array of shape (n_permutations,)

    Notes
    -----
    The mean needs no matrix: the sum of all correlations is the squared length of the sum of the
    standardised series over n_times. Two units may be moved by nearly the same amount; what is left
    of their correlation then makes the test a little too careful, never too bold.
    """
    z = standardise(values)
    n_times, n_units = z.shape
    null = np.empty(n_permutations)
    for p in range(n_permutations):
        shifts = draw_shifts(n_times, n_units, min_shift, rng)
        summed = shift_columns(z, shifts).sum(axis=1)
        null[p] = (summed @ summed / n_times - n_units) / (n_units * (n_units - 1))
    return null


def halves(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Correlation matrices of the first and the second half of a run.

    Parameters
    ----------
    values : array of shape (n_times, n_units)

    Returns
    -------
    tuple of two arrays of shape (n_units, n_units)
        NaN for a unit that is constant throughout one half.
    """
    middle = len(values) // 2
    first, second = (
        # Rounding gives a constant unit a spread of about 1e-17, which is no zero.
        np.where(varying(half), half, np.nan)
        for half in (values[:middle], values[middle:])
    )
    return correlation(first), correlation(second)
