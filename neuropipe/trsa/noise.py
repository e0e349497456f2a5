"""Noise covariance of channels, shrunk and kept in factors.

A brain has 100,000 voxels and a few hundred residuals. Their covariance has 10^10 entries but no
more rank than there are residuals, so scale, residuals and shrinkage say it all: O(T P) memory.

Axes: t residuals, p channels; ``R`` is the shrunk covariance of the scaled residuals.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray

from neuropipe.errors import InputError, SettingsError, UnfitRecordingError

__all__ = ["Noise", "shrinkage_share", "standardised"]

Array: TypeAlias = NDArray[np.float64]

_DENSE = 20_000  # channels; a square matrix of more takes over 3 GB
_BLOCK = 4096  # channels that are whitened at once
_SILENT = 1e-12  # spread of a channel, relative to its values, that is rounding alone
_TARGETS = ("diagonal", "identity")


@dataclass(frozen=True, eq=False)
class Noise:
    """Covariance ``diag(scale) R diag(scale)``, ``R = share I + (1 - share) Z^T Z / df``.

    Parameters
    ----------
    scale : array of shape (n_channels,)
        Standard deviation of every channel, or one for all (identity target); 0 where a channel
        is silent, that is without any variance.
    residuals : array of shape (n_residuals, n_channels)
        Z: residuals without their mean, divided by `scale`; 0 in silent channels.
    share : float
        Weight of the target, 0 to 1.
    df : float
        Degrees of freedom of the residuals.

    Notes
    -----
    Silent channels tell nothing of their noise. They take no part in the shrinkage; whitening
    refuses them by position, and `neuropipe.trsa.estimators.estimate` leaves them out.
    """

    scale: Array
    residuals: Array
    share: float
    df: float

    @classmethod
    def of_residuals(
        cls,
        residuals: np.ndarray,
        df: float | None = None,
        shrinkage: str | float = "diagonal",
    ) -> Noise:
        """Estimate the covariance of residuals.

        Parameters
        ----------
        residuals : array of shape (n_residuals, n_channels)
            Responses minus what the model of the conditions explains; means are taken off.
        df : float, optional
            Degrees of freedom; default: ``n_residuals - 1``. Fewer where a GLM used some up.
        shrinkage : {"diagonal", "identity"} or float
            ``"diagonal"``: variances stay, covariances shrink; ``"identity"``: towards the mean
            variance; the weight of the target is estimated. A number in [0, 1] is the weight of
            the diagonal.

        Returns
        -------
        Noise

        Raises
        ------
        InputError
            If the residuals are no finite matrix of two rows or `df` is not positive.
        SettingsError
            If `shrinkage` is none of these.
        UnfitRecordingError
            If no channel varies.

        Notes
        -----
        Diagonal: Schaefer & Strimmer 2005, table 2, target D. Identity: Ledoit & Wolf 2004,
        section 3.2. Memory: one copy of the residuals.
        """
        values = np.asarray(residuals, dtype=np.float64)
        n_gaps = int((~np.isfinite(values)).sum())
        if values.ndim != 2 or len(values) < 2 or n_gaps:
            raise InputError(
                f"residuals of shape {values.shape}, {n_gaps} not finite",
                "a finite matrix of two or more residuals by channels",
                "leave out incomplete trials or channels",
            )
        freedom = float(len(values) - 1 if df is None else df)
        if not freedom > 0:
            raise InputError(f"{freedom:g} degrees of freedom", "more than 0", "add trials")
        scale, scaled = standardised(values, freedom, shrinkage)
        if not scale.any():
            raise UnfitRecordingError(
                f"residuals of {len(scale)} channels, none of which varies",
                "noise",
                "choose a dissimilarity that needs no noise covariance",
            )
        return cls(scale, scaled, float(shrinkage_share(scaled, freedom, shrinkage)), freedom)

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return len(self.scale)

    @property
    def silent(self) -> np.ndarray:
        """Which channels have no variance, shape (n_channels,)."""
        return np.asarray(self.scale == 0)

    def of_channels(self, channels: np.ndarray) -> Noise:
        """Pick channels by position or mask: the same part of the covariance, not shrunk anew."""
        chosen = np.arange(self.n_channels)[np.asarray(channels)]
        return replace(self, scale=self.scale[chosen], residuals=self.residuals[:, chosen])

    def covariance(self) -> Array:
        """Form the covariance, shape (n_channels, n_channels).

        Raises
        ------
        InputError
            Above 20,000 channels.
        """
        self._refuse_large()
        correlation = _shrunk(self.residuals, self.share, self.df)
        return np.asarray(self.scale[:, None] * correlation * self.scale)

    def precision(self) -> Array:
        """Form the inverse of the covariance, shape (n_channels, n_channels).

        Raises
        ------
        InputError
            Above 20,000 channels.
        UnfitRecordingError
            If the covariance is singular.
        """
        self._refuse_large()
        root = self.whiten(np.eye(self.n_channels))
        return np.asarray(root @ root.T)

    def whiten(self, values: np.ndarray) -> Array:
        """Multiply patterns with ``diag(1 / scale) R^(-1/2)``, a square root of the precision.

        Parameters
        ----------
        values : array of shape (..., n_channels)
            A pattern that misses a value becomes NaN throughout.

        Returns
        -------
        array of shape (..., n_channels)
            Inner products are those of the precision matrix: ``x Sigma^-1 y``. R^(-1/2) is the
            symmetric root; the whole is not symmetric unless all scales are equal.

        Raises
        ------
        UnfitRecordingError
            If a channel is silent, or the covariance is singular.
        """
        result = np.empty(np.shape(values))
        start = 0
        for block in self.blocks(values):
            stop = start + block.shape[-1]
            result[..., start:stop] = block
            start = stop
        return result

    def blocks(self, values: np.ndarray, size: int = _BLOCK) -> Iterator[Array]:
        """Whiten patterns a block of channels after the other, see `whiten`.

        Yields
        ------
        array of shape (..., at most `size`)
            So that sums over channels never need all whitened channels at once.
        """
        if np.shape(values)[-1:] != (self.n_channels,):
            raise InputError(
                f"patterns of shape {np.shape(values)}",
                f"{self.n_channels} channels on the last axis, as the noise has",
                "pick the same channels of both",
            )
        if self.silent.any():
            where = np.flatnonzero(self.silent)
            shown = ", ".join(map(str, where[:10])) + (", ..." if len(where) > 10 else "")
            raise UnfitRecordingError(
                f"channels without noise variance at positions {shown}",
                "residuals that vary",
                "leave these channels out (Noise.silent)",
            )
        root = self._root
        bounds = [slice(k, k + size) for k in range(0, self.n_channels, size)]
        if self._is_dense:
            scaled = values / self.scale
            for part in bounds:
                yield scaled @ root[:, part]
            return
        seen = np.zeros((*np.shape(values)[:-1], len(self.residuals)))
        for part in bounds:
            seen += (values[..., part] / self.scale[part]) @ self.residuals[:, part].T
        seen = seen @ root
        for part in bounds:
            own = values[..., part] / (self.scale[part] * np.sqrt(self.share))
            own += seen @ self.residuals[:, part]
            yield own

    @property
    def _is_dense(self) -> bool:
        return self.n_channels <= len(self.residuals)

    @cached_property
    def _root(self) -> Array:
        """R^(-1/2), or K where R^(-1/2) = I / sqrt(share) + Z^T K Z: whichever is smaller."""
        if self._is_dense:
            eigenvalues, axes = np.linalg.eigh(_shrunk(self.residuals, self.share, self.df))
            if eigenvalues[0] <= 1e-13 * len(eigenvalues) * eigenvalues[-1]:
                self._refuse_singular()
            return np.asarray((axes / np.sqrt(eigenvalues)) @ axes.T)
        if self.share <= 0:
            self._refuse_singular()
        eigenvalues, axes = np.linalg.eigh(self.residuals @ self.residuals.T / self.df)
        shrunk = self.share + (1 - self.share) * np.maximum(eigenvalues, 0)
        # (shrunk^-1/2 - share^-1/2) / eigenvalue, written so that small eigenvalues are harmless.
        both = np.sqrt(shrunk) * np.sqrt(self.share) * (np.sqrt(shrunk) + np.sqrt(self.share))
        return np.asarray((axes * (-(1 - self.share) / both / self.df)) @ axes.T)

    def _refuse_singular(self) -> NoReturn:
        raise UnfitRecordingError(
            f"a singular noise covariance: {self.n_channels} channels, {len(self.residuals)} "
            f"residuals, shrinkage {self.share:g}",
            "one that can be inverted",
            "shrink it (shrinkage: diagonal)",
        )

    def _refuse_large(self) -> None:
        if self.n_channels > _DENSE:
            raise InputError(
                f"a covariance of {self.n_channels} channels",
                f"at most {_DENSE}: it is a square matrix",
                "use Noise.whiten, which never forms it",
            )


def standardised(
    residuals: np.ndarray, df: float, shrinkage: str | float = "diagonal"
) -> tuple[Array, Array]:
    """Take means off and divide by the standard deviation of the shrinkage target.

    Parameters
    ----------
    residuals : array of shape (..., n_residuals, n_channels)
    df : float
    shrinkage : {"diagonal", "identity"} or float

    Returns
    -------
    scale : array of shape (..., n_channels)
        0 where a channel is silent.
    scaled : array of shape (..., n_residuals, n_channels)
        0 where a channel is silent.

    Raises
    ------
    SettingsError
        If `shrinkage` is none of these.
    """
    _check_shrinkage(shrinkage)
    largest = np.maximum(residuals.max(axis=-2), -residuals.min(axis=-2))
    scaled = residuals - residuals.mean(axis=-2, keepdims=True)
    scale = np.sqrt(np.einsum("...tp,...tp->...p", scaled, scaled) / df)
    scale[scale <= _SILENT * largest] = 0
    if shrinkage == "identity":
        varying = np.maximum((scale > 0).sum(axis=-1, keepdims=True), 1)
        common = np.sqrt((scale**2).sum(axis=-1, keepdims=True) / varying)
        scale = np.where(scale > 0, common, 0.0)
    scaled *= np.divide(1, scale, out=np.zeros_like(scale), where=scale > 0)[..., None, :]
    return scale, scaled


def shrinkage_share(
    scaled: np.ndarray, df: float, shrinkage: str | float = "diagonal"
) -> np.ndarray:
    """Estimate the weight of the target from standardised residuals.

    Parameters
    ----------
    scaled : array of shape (..., n_residuals, n_channels)
        See `standardised`.
    df : float
    shrinkage : {"diagonal", "identity"} or float

    Returns
    -------
    array of shape (...)
        In [0, 1]; 1 where there is nothing to shrink.

    Notes
    -----
    All sums over pairs of channels j, k are sums over residuals: ``sum_jk (sum_t z_tj z_tk)^2`` is
    the squared norm of the smaller Gram matrix, ``sum_jk sum_t z_tj^2 z_tk^2`` that of the row
    sums of squares.
    """
    _check_shrinkage(shrinkage)
    lead = scaled.shape[:-2]
    if not isinstance(shrinkage, str):
        return np.full(lead, float(shrinkage))
    n_residuals, n_channels = scaled.shape[-2:]
    gram = _gram(scaled if n_channels <= n_residuals else np.swapaxes(scaled, -1, -2))
    products = np.einsum("...ij,...ij->...", gram, gram)
    rows, fourth = np.zeros(lead), np.zeros(lead)
    for t in range(n_residuals):  # a row at a time: no second copy of the residuals
        square = scaled[..., t, :] ** 2
        rows += square.sum(axis=-1) ** 2
        fourth += (square**2).sum(axis=-1)
    # Mean scaled variance is 1, so that this is df times the number of channels that vary.
    trace = np.trace(gram, axis1=-2, axis2=-1)
    if shrinkage == "diagonal":
        # Correlations with n - 1 although the variances have df: rsatoolbox's convention.
        strength = (products - trace * df) / (n_residuals - 1) ** 2
        error = n_residuals / df**2 * ((rows - fourth) / (n_residuals - 1) - strength)
    else:
        strength = (products - trace * df) / n_residuals**2
        error = (rows / n_residuals - products / n_residuals**2) / n_residuals
    share = np.divide(error, strength, out=np.ones(lead), where=strength > 0)
    return np.asarray(np.clip(share, 0, 1))


def _gram(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.swapaxes(values, -1, -2) @ values)


def _shrunk(scaled: np.ndarray, share: float, df: float) -> np.ndarray:
    correlation = (1 - share) / df * _gram(scaled)
    correlation[np.diag_indices_from(correlation)] += share
    return correlation


def _check_shrinkage(shrinkage: str | float) -> None:
    known = shrinkage in _TARGETS if isinstance(shrinkage, str) else 0 <= shrinkage <= 1
    if not known:
        raise SettingsError(
            f"shrinkage: {shrinkage}", f"{', '.join(_TARGETS)} or a number in [0, 1]", "choose one"
        )
