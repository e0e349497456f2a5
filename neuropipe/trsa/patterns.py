"""Response patterns: what RDMs are estimated from.

Axes: f folds (runs, sessions or repeats), n conditions, p channels (voxels, ROIs, neurons).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from neuropipe.errors import InputError, UnfitRecordingError
from neuropipe.trsa.noise import Noise

__all__ = ["Patterns"]


@dataclass(frozen=True, eq=False)
class Patterns:
    """Mean response of every channel to every condition, in every fold.

    Parameters
    ----------
    values : array of shape (n_folds, n_conditions, n_channels), float64
        NaN where a fold lacks a condition, or a channel was not recorded.
    conditions, channels, folds : tuple of str
        Names along the axes.
    n_trials : array of int of shape (n_folds, n_conditions)
        Trials behind each pattern; 0 where there is none.
    noise : Noise, optional
        Covariance of the channels within conditions; None where nothing tells it.
    unit : str
        What the values are measured in.

    Notes
    -----
    Missing values, one policy everywhere. A channel that is missing in any pattern of a recording
    that is there is left out of all of them (`complete`), so that all dissimilarities rest on the
    same channels. A condition that is in no fold is left out by name. A pair of conditions that
    never share two folds has no crossvalidated dissimilarity: it is NaN, and comparisons leave
    pairs out that either side does not know.
    """

    values: np.ndarray
    conditions: tuple[str, ...]
    channels: tuple[str, ...]
    folds: tuple[str, ...]
    n_trials: np.ndarray
    noise: Noise | None = None
    unit: str = ""

    def __post_init__(self) -> None:
        shape = (len(self.folds), len(self.conditions), len(self.channels))
        if self.values.shape != shape or self.n_trials.shape != shape[:2]:
            raise InputError(
                f"patterns of shape {self.values.shape}, trials of {self.n_trials.shape}",
                f"{shape} by their names",
                "name every axis",
            )

    @property
    def present(self) -> np.ndarray:
        """Which fold has which condition, shape (n_folds, n_conditions)."""
        return np.asarray(np.isfinite(self.values).any(axis=2))

    def complete(self) -> Patterns:
        """Leave out channels that miss a value where a pattern is, and conditions without any.

        Raises
        ------
        UnfitRecordingError
            If fewer than two channels or three conditions remain.
        """
        present = self.present
        known = (np.isfinite(self.values) | ~present[:, :, None]).all(axis=(0, 1))
        there = present.any(axis=0)
        if known.sum() < 2 or there.sum() < 3:
            raise UnfitRecordingError(
                f"patterns of {int(there.sum())} conditions over {int(known.sum())} complete "
                "channels",
                "at least 3 conditions and 2 channels",
                "leave out what is rarely recorded",
            )
        return self._take(np.flatnonzero(there), np.flatnonzero(known))

    def of(self, conditions: Sequence[str]) -> Patterns:
        """Pick and order conditions by name."""
        places = [self.conditions.index(name) for name in conditions]
        return self._take(np.array(places, dtype=int), np.arange(len(self.channels)))

    def of_channels(self, channels: np.ndarray) -> Patterns:
        """Pick channels by position or mask."""
        return self._take(
            np.arange(len(self.conditions)), np.arange(len(self.channels))[np.asarray(channels)]
        )

    def _take(self, conditions: np.ndarray, channels: np.ndarray) -> Patterns:
        return replace(
            self,
            values=self.values[:, conditions[:, None], channels[None, :]],
            conditions=tuple(self.conditions[k] for k in conditions),
            channels=tuple(self.channels[k] for k in channels),
            n_trials=self.n_trials[:, conditions],
            noise=None if self.noise is None else self.noise.of_channels(channels),
        )

    def mean(self) -> np.ndarray:
        """Mean over folds, weighted by trials, shape (n_conditions, n_channels)."""
        weights = np.where(self.present, self.n_trials, 0)[:, :, None]
        total = (np.where(np.isfinite(self.values), self.values, 0.0) * weights).sum(axis=0)
        count = weights.sum(axis=0)
        mean: np.ndarray = np.divide(
            total, count, out=np.full(total.shape, np.nan), where=count > 0
        )
        return mean

    def whitened(self) -> Patterns:
        """Divide the patterns by the square root of the noise covariance.

        Raises
        ------
        UnfitRecordingError
            If the noise is not known.
        """
        if self.noise is None:
            raise UnfitRecordingError(
                "patterns without residuals",
                "two trials of a condition, or residuals of a model",
                "choose a dissimilarity that needs no noise covariance",
            )
        return replace(self, values=self.noise.whiten(self.values), noise=None)
