"""From traces to the tensor that is factorised, dense or matrix-free, whole or in part."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.sparse
import torch

from neuropipe.connectome.affinity import rates_of_change, rises_and_falls, time_filter
from neuropipe.connectome.operators import (
    AffinityTensor,
    DenseTensor,
    SeparableTensor,
    dense_affinities,
)
from neuropipe.connectome.settings import AffinitySettings, FactorizationSettings

__all__ = ["TensorSource", "tensor_source"]

_DENSE_BYTES = 1_000_000_000  # largest tensor that is formed where the path is left open


@dataclass(frozen=True)
class TensorSource:
    """Rates of change of all animals, and how their affinities become a tensor.

    Parameters
    ----------
    rates : array of shape (n_animals, n_units, n_frames)
        See `affinity.rates_of_change`.
    presence : array of bool of shape (n_animals, n_units)
    lengths : array of int of shape (n_animals,)
        Frames in use of each animal.
    filter_ : scipy.sparse.csr_array of shape (n_samples, n_frames)
        From frames to samples of the tensor.
    sampling_rate : float
        Of the frames, in Hz.
    affinity : AffinitySettings
    factorization : FactorizationSettings
    own_clocks : bool
        Whether each animal has its own time courses.
    """

    rates: np.ndarray
    presence: np.ndarray
    lengths: np.ndarray
    filter_: scipy.sparse.csr_array
    sampling_rate: float
    affinity: AffinitySettings
    factorization: FactorizationSettings
    own_clocks: bool = False

    @property
    def n_animals(self) -> int:
        """Number of animals."""
        return len(self.presence)

    @property
    def n_units(self) -> int:
        """Number of units."""
        return int(self.presence.shape[1])

    @property
    def n_samples(self) -> int:
        """Number of samples of the tensor."""
        return len(self.frames)

    @cached_property
    def frames(self) -> np.ndarray:
        """Frame about which each sample of the tensor lies, (n_samples,), not rounded."""
        return np.asarray(self.filter_ @ np.arange(self.filter_.shape[1]))

    @cached_property
    def tensor(self) -> AffinityTensor:
        """The tensor, built once; see `FactorizationSettings.path`.

        Animals that lack a unit have no entry of its pairs.
        """
        device = _device(self.factorization.device)
        signed = self.affinity.signed
        if self.is_dense:
            values, mask = dense_affinities(
                self.rates, self.presence, self.affinity.kind, signed=signed, filter_=self.filter_
            )
            return DenseTensor(values, mask, device=device)
        return SeparableTensor(
            *rises_and_falls(self.rates, self.affinity),
            self.presence,
            signed=signed,
            filter_=self.filter_,
            device=device,
        )

    @property
    def is_dense(self) -> bool:
        """Whether the whole tensor is formed."""
        path = self.factorization.path
        n_pairs = self.n_units * (self.n_units - 1) // 2
        size = 4 * n_pairs * self.n_animals * self.n_samples * (1 + self.affinity.signed)
        return (
            path == "dense"
            or self.affinity.kind == "min"
            or (path == "auto" and size <= _DENSE_BYTES)
        )

    def with_samples(self, samples: np.ndarray) -> TensorSource:
        """Keep some samples of the tensor (indices or bool), or draw them with repetition."""
        return replace(self, filter_=self.filter_[samples])

    def with_animals(self, animals: np.ndarray) -> TensorSource:
        """Keep some animals (indices or bool), or draw them with repetition."""
        return replace(
            self,
            rates=self.rates[animals],
            presence=self.presence[animals],
            lengths=self.lengths[animals],
        )

    def with_presence(self, presence: np.ndarray) -> TensorSource:
        """Hide units of animals."""
        return replace(self, presence=presence & self.presence)

    def shifted(self, rng: np.random.Generator, shortest: int = 1) -> TensorSource:
        """Shift every trace circularly by a lag of its own: no two units keep their coincidences.

        Parameters
        ----------
        rng : numpy.random.Generator
        shortest : int
            Least shift in frames, in either direction.
        """
        rates = self.rates.copy()
        for rate, length in zip(rates, self.lengths, strict=True):
            least = min(shortest, length // 4)
            lags = rng.integers(least, length - least + 1, size=len(rate))
            frames = (np.arange(length) - lags[:, None]) % length
            rate[:, :length] = np.take_along_axis(rate[:, :length], frames, axis=1)
        return replace(self, rates=rates)


def tensor_source(
    traces: np.ndarray,
    presence: np.ndarray,
    sampling_rate: float,
    affinity: AffinitySettings,
    factorization: FactorizationSettings,
    *,
    segments: np.ndarray | None = None,
    lengths: np.ndarray | None = None,
    own_clocks: bool = False,
) -> TensorSource:
    """Compute rates of change and lay out the tensor's samples.

    Parameters
    ----------
    traces : array of shape (n_animals, n_units, n_frames)
        NaN where the animal lacks the unit, and after a recording's end.
    presence : array of bool of shape (n_animals, n_units)
    sampling_rate : float
        In Hz.
    affinity : AffinitySettings
        Samples of the tensor lie one SD of `affinity_smoothing` apart.
    factorization : FactorizationSettings
    segments : array of int of shape (n_segments, 2), optional
        Stretches that are contiguous in time, in frames.
    lengths : array of int of shape (n_animals,), optional
        Frames in use of each animal; default: all.
    own_clocks : bool

    Returns
    -------
    TensorSource
    """
    n_frames = traces.shape[-1]
    sd = affinity.affinity_smoothing * sampling_rate
    filter_ = time_filter(n_frames, sd if sd >= 0.5 else 0.0, max(1, round(sd)), segments)
    return TensorSource(
        rates=rates_of_change(traces, sampling_rate, affinity, segments),
        presence=presence,
        lengths=np.full(len(traces), n_frames) if lengths is None else lengths,
        filter_=filter_,
        sampling_rate=sampling_rate,
        affinity=affinity,
        factorization=factorization,
        own_clocks=own_clocks,
    )


def _device(choice: str) -> torch.device:
    if choice == "auto":
        choice = "gpu" if torch.cuda.is_available() else "cpu"
    return torch.device("cuda" if choice == "gpu" else "cpu")
