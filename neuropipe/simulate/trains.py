"""Spike trains of a population as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class SpikeTrains:
    """Spikes of a population, sorted by time.

    Parameters
    ----------
    times : array of shape (n_spikes,), float64
        In s from 0.
    units : array of shape (n_spikes,), int32
        Index of the unit of each spike.
    n_units : int
    duration : float
        Length of the observation in s.
    """

    times: NDArray[np.float64]
    units: NDArray[np.int32]
    n_units: int
    duration: float

    def rates(self) -> NDArray[np.float64]:
        """Mean rate of every unit in Hz, shape (n_units,)."""
        return np.bincount(self.units, minlength=self.n_units) / self.duration

    def trains(self) -> list[NDArray[np.float64]]:
        """Spike times in s, one array a unit."""
        order = np.argsort(self.units, kind="stable")
        bounds = np.searchsorted(self.units[order], np.arange(self.n_units + 1))
        ordered = self.times[order]
        return [ordered[a:b] for a, b in pairwise(bounds)]

    def counts(self, bin_width: float) -> NDArray[np.int32]:
        """Spike counts, shape (n_bins, n_units); an incomplete last bin is left out.

        Parameters
        ----------
        bin_width : float
            In s.
        """
        n_bins = int(self.duration / bin_width + 1e-9)
        index = (self.times / bin_width).astype(np.int64)
        kept = index < n_bins
        flat = index[kept] * self.n_units + self.units[kept]
        counts = np.bincount(flat, minlength=n_bins * self.n_units)
        return counts.reshape(n_bins, self.n_units).astype(np.int32)
