"""Affinity tensors as what a factorization needs of them: products with factors.

`DenseTensor` holds every entry; `SeparableTensor` holds rises and falls only, n x t numbers an
animal in place of n x n x t / 2. Both give the same products. All random starts share a pass over
the data: starts and components are the last two axes of every factor, one long axis of a matrix
product.

Axis legend: p pairs, w animals, t samples, s slices (coactive, antagonist), k starts, r components.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Protocol

import numpy as np
import scipy.sparse
import torch

from neuropipe.connectome.affinity import pair_index, signed_parts

__all__ = ["AffinityTensor", "DenseTensor", "SeparableTensor", "dense_affinities"]

_CHUNK = 16_000_000  # numbers of a temporary array
_CACHED = 2_000_000  # numbers of one that is made and used up at once
_BANDS = 5  # into which the rows of a symmetric product are parted
_ROWS = 10  # of a band, at least
_PAIRS = 4096  # whose affinities are formed at once
_BAND = 256  # samples a block of the norm of a filtered tensor


#: Left and right factors whose products are summed.
Terms = tuple[tuple[torch.Tensor, torch.Tensor], ...]


class AffinityTensor(Protocol):
    """What a factorization needs of a tensor of affinities.

    Entries of pairs of which an animal lacks a unit are 0 and masked.
    """

    mask: torch.Tensor  # float (p, w): 1 where the animal has both units
    n_units: int
    n_samples: int
    n_slices: int
    squared_norms: np.ndarray  # (w,), of each animal's entries that count

    @property
    def squared_norm(self) -> float:
        """Sum of squares of all entries."""
        return float(self.squared_norms.sum())

    def over_samples(self, weights: torch.Tensor) -> torch.Tensor:
        """Sum over animals and samples: (s, w, t, k, r) to (p, k, r)."""
        ...

    def over_pairs(self, weights: torch.Tensor) -> torch.Tensor:
        """Sum over pairs: (p, k, r) to (s, w, t, k, r)."""
        ...


class DenseTensor(AffinityTensor):
    """A tensor of which every entry is in memory.

    Parameters
    ----------
    values : array of shape (p, w, t) or (s, p, w, t)
        Nonnegative; what is masked must be 0.
    mask : array of bool of shape (p, w)
        Which pairs each animal has.
    dtype : torch.dtype
    device : torch.device or str
    """

    def __init__(
        self,
        values: np.ndarray,
        mask: np.ndarray,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        slices = values if values.ndim == 4 else values[None]
        self.n_slices, n_pairs, self._n_animals, self.n_samples = slices.shape
        self.n_units = round((1 + np.sqrt(1 + 8 * n_pairs)) / 2)
        flat = torch.as_tensor(np.ascontiguousarray(slices)).to(device=device, dtype=dtype)
        self._values = flat.reshape(self.n_slices, n_pairs, -1)
        self.mask = torch.as_tensor(mask).to(device=device, dtype=dtype)
        self.squared_norms = np.zeros(self._n_animals)
        grid = flat.reshape(-1, self._n_animals, self.n_samples)
        step = max(1, _CHUNK // self._values.shape[-1])
        for start in range(0, len(grid), step):
            part = grid[start : start + step]
            self.squared_norms += part.double().square().sum(dim=(0, 2)).cpu().numpy()

    @property
    def values(self) -> torch.Tensor:
        """The entries, (s, p, w, t)."""
        return self._values.reshape(*self._values.shape[:2], self._n_animals, self.n_samples)

    def over_samples(self, weights: torch.Tensor) -> torch.Tensor:
        """Sum over animals and samples: (s, w, t, k, r) to (p, k, r)."""
        n_starts, rank = weights.shape[-2:]
        flat = weights.reshape(self.n_slices, -1, n_starts * rank)
        total = self._values[0] @ flat[0]
        for values, weight in zip(self._values[1:], flat[1:], strict=True):
            total.addmm_(values, weight)
        return total.reshape(-1, n_starts, rank)

    def over_pairs(self, weights: torch.Tensor) -> torch.Tensor:
        """Sum over pairs: (p, k, r) to (s, w, t, k, r)."""
        n_pairs, n_starts, rank = weights.shape
        flat = weights.reshape(n_pairs, -1)
        sums = torch.stack([values.T @ flat for values in self._values])
        return sums.reshape(self.n_slices, self._n_animals, self.n_samples, n_starts, rank)


class SeparableTensor(AffinityTensor):
    """A tensor ``u_i u_j + v_i v_j`` that is never formed.

    Parameters
    ----------
    rises, falls : array of shape (w, n, t)
        u and v: nonnegative, never both above 0; 0 where the animal lacks the unit.
    presence : array of bool of shape (w, n)
    signed : bool
        Add the slice ``u_i v_j + v_i u_j`` of opposite changes.
    filter_ : scipy.sparse.csr_array of shape (n_kept, t), optional
        Average over time of the affinities, see `affinity.time_filter`.
    dtype : torch.dtype
    device : torch.device or str

    Notes
    -----
    Dyballa et al. 2024 (arXiv:2402.14102) factorise the tensor itself, of n x n x t x w / 2
    numbers. Here a pass costs 2.4 n^2 t w operations a component (the upper
    triangles alone would be 2) and n t w numbers of memory.
    """

    def __init__(
        self,
        rises: np.ndarray,
        falls: np.ndarray,
        presence: np.ndarray,
        *,
        signed: bool = False,
        filter_: scipy.sparse.csr_array | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        n_animals, self.n_units, self._n_frames = rises.shape
        # Units first, so that one matrix product runs over all animals and frames.
        parts = [np.where(presence[..., None], part, 0).swapaxes(0, 1) for part in (rises, falls)]
        self._rises, self._falls = (
            torch.as_tensor(np.ascontiguousarray(part))
            .to(device=device, dtype=dtype)
            .reshape(self.n_units, -1)
            for part in parts
        )
        self._n_animals, self.n_slices = n_animals, 1 + signed
        first, second = pair_index(self.n_units)
        self._first, self._second = (torch.as_tensor(i, device=device) for i in (first, second))
        mask = (presence[:, first] & presence[:, second]).T
        self.mask = torch.as_tensor(mask).to(device=device, dtype=dtype)
        self._filter = None
        self.n_samples = self._n_frames
        if filter_ is not None:
            self.n_samples = filter_.shape[0]
            self._filter = _sparse(filter_, dtype=dtype, device=device)
            self._adjoint = _sparse(filter_.T, dtype=dtype, device=device)
        self.squared_norms = _squared_norms(parts[0], parts[1], filter_, signed)

    def over_samples(self, weights: torch.Tensor) -> torch.Tensor:
        """Sum over animals and samples: (s, w, t, k, r) to (p, k, r)."""
        n_starts, rank = weights.shape[-2:]
        n, kr = self.n_units, n_starts * rank
        total = torch.zeros(kr, n, n, dtype=weights.dtype, device=weights.device)
        for weight, terms in zip(weights, self._terms(), strict=False):
            # Components first: (k r, w t).
            rows = self._along_time(weight, adjoint=True).reshape(-1, kr).T.contiguous()
            for band, beyond in self._bands(terms):
                sums = torch.zeros(
                    kr * (band.stop - band.start),
                    n - beyond,
                    dtype=total.dtype,
                    device=total.device,
                )
                for left, right in terms:
                    for part in self._columns(kr):
                        scaled = rows[:, None, part] * left[None, band, part]
                        sums.addmm_(scaled.reshape(len(sums), -1), right[beyond:, part].T)
                found = sums.reshape(kr, -1, n - beyond)
                total[:, band, beyond:] += found
                if not _symmetric(terms):
                    total += found.transpose(1, 2)
        return total[:, self._first, self._second].T.reshape(-1, n_starts, rank)

    def over_pairs(self, weights: torch.Tensor) -> torch.Tensor:
        """Sum over pairs: (p, k, r) to (s, w, t, k, r)."""
        n_pairs, n_starts, rank = weights.shape
        n, kr = self.n_units, n_starts * rank
        square = torch.zeros(kr, n, n, dtype=weights.dtype, device=weights.device)
        square[:, self._first, self._second] = weights.reshape(n_pairs, kr).T
        slices = []
        for terms in self._terms()[: self.n_slices]:
            if not _symmetric(terms):
                square[:, self._second, self._first] = weights.reshape(n_pairs, kr).T
            sums = torch.zeros(kr, self._rises.shape[1], dtype=weights.dtype, device=weights.device)
            for band, beyond in self._bands(terms):
                flat = square[:, band, beyond:].reshape(-1, n - beyond)
                for left, right in terms:
                    for part in self._columns(kr):
                        through = (flat @ right[beyond:, part]).reshape(
                            kr, -1, sums[:, part].shape[1]
                        )
                        sums[:, part] += through.mul_(left[None, band, part]).sum(dim=1)
            grid = sums.T.reshape(self._n_animals, self._n_frames, n_starts, rank)
            slices.append(self._along_time(grid, adjoint=False))
        return torch.stack(slices)

    def _terms(self) -> tuple[Terms, ...]:
        """Left and right factors of each slice; the second slice has their mirror image, too."""
        u, v = self._rises, self._falls
        return ((u, u), (v, v)), ((u, v),)

    def _bands(self, terms: Terms) -> list[tuple[slice, int]]:
        """Rows of the matrix of pairs, and the first column that they need.

        A symmetric product is known by its upper triangle: bands of rows leave out most of the
        other half.
        """
        n = self.n_units
        n_bands = max(1, min(n // _ROWS, _BANDS)) if _symmetric(terms) else 1
        edges = np.linspace(0, n, n_bands + 1).astype(int).tolist()
        return [(slice(start, stop), start) for start, stop in pairwise(edges)]

    def _columns(self, n_components: int) -> list[slice]:
        """Chunks of animals and frames whose products fit a cache."""
        step = max(1, _CACHED // (n_components * self.n_units))
        return [slice(k, k + step) for k in range(0, self._rises.shape[1], step)]

    def _along_time(self, grid: torch.Tensor, *, adjoint: bool) -> torch.Tensor:
        """Average (w, t, k, r) over time, or spread averages to the samples they come from."""
        if self._filter is None:
            return grid
        matrix = self._adjoint if adjoint else self._filter
        n_animals, n_samples, n_starts, rank = grid.shape
        columns = grid.transpose(0, 1).reshape(n_samples, -1)
        moved = (matrix @ columns).reshape(-1, n_animals, n_starts, rank)
        return moved.transpose(0, 1)


def _symmetric(terms: Terms) -> bool:
    return all(left is right for left, right in terms)


def _sparse(
    matrix: scipy.sparse.csr_array, *, device: torch.device | str, dtype: torch.dtype
) -> torch.Tensor:
    found = matrix.tocoo()
    return torch.sparse_coo_tensor(
        torch.as_tensor(np.stack(found.coords)),
        torch.as_tensor(found.data),
        size=found.shape,
        device=device,
        dtype=dtype,
        check_invariants=False,
    ).coalesce()


def _squared_norms(
    rises: np.ndarray, falls: np.ndarray, filter_: scipy.sparse.csr_array | None, signed: bool
) -> np.ndarray:
    """Sum of squares of each animal's entries from rises and falls (n, w, t), by blocks of time.

    Notes
    -----
    The inner product of the affinities of all pairs at samples t and t' is half of
    (u.u')^2 + (v.v')^2 + (u.v')^2 + (v.u')^2 minus the same of single units (the diagonal).
    """
    n_frames = rises.shape[-1]
    if filter_ is None:
        filter_ = scipy.sparse.csr_array(scipy.sparse.eye_array(n_frames))
    both = (filter_.T @ filter_).tocsr()
    totals = np.zeros(rises.shape[1])
    for start in range(0, n_frames, _BAND):
        block = both[start : start + _BAND]
        near = np.unique(block.indices)
        kernel = block[:, near].toarray()
        for w in range(rises.shape[1]):
            here = [part[:, w, start : start + _BAND].astype(float) for part in (rises, falls)]
            there = [part[:, w, near].astype(float) for part in (rises, falls)]
            totals[w] += (kernel * _inner(here, there, signed)).sum()
    return totals


def _inner(here: list[np.ndarray], there: list[np.ndarray], signed: bool) -> np.ndarray:
    (u, v), (u2, v2) = here, there
    uu, vv, uv, vu = u.T @ u2, v.T @ v2, u.T @ v2, v.T @ u2
    alone = (u**2).T @ u2**2 + (v**2).T @ v2**2 + (u**2).T @ v2**2 + (v**2).T @ u2**2
    # Products of u and v of one unit at one sample vanish: so do further terms of the diagonal.
    coactive = (uu**2 + vv**2 + uv**2 + vu**2 - alone) / 2
    if not signed:
        return np.asarray(coactive)
    # u_i v_j + v_i u_j: its diagonal 2 u_i v_i is 0.
    return np.asarray(coactive + uu * vv + uv * vu)


def dense_affinities(
    rates: np.ndarray,
    presence: np.ndarray,
    kind: str,
    *,
    signed: bool = False,
    filter_: scipy.sparse.csr_array | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Form the tensor of affinities.

    Parameters
    ----------
    rates : array of shape (w, n, t)
        See `affinity.rates_of_change`.
    presence : array of bool of shape (w, n)
    kind : {"geo", "prod", "min"}
    signed : bool
        Add the slice of opposite changes.
    filter_ : scipy.sparse.csr_array of shape (n_kept, t), optional

    Returns
    -------
    values : array of shape (s, p, w, n_kept)
    mask : array of bool of shape (p, w)
    """
    first, second = pair_index(rates.shape[1])
    mask = (presence[:, first] & presence[:, second]).T
    n_kept = rates.shape[-1] if filter_ is None else filter_.shape[0]
    average = None if filter_ is None else filter_.astype(rates.dtype)
    values = np.zeros((1 + signed, *mask.shape, n_kept), dtype=rates.dtype)
    joined = np.minimum if kind == "min" else np.multiply
    for w in range(len(rates)):
        rises, falls = signed_parts(rates[w] * presence[w, :, None], root=kind == "geo")
        for s in range(1 + signed):
            others = (rises, falls) if s == 0 else (falls, rises)
            for start in range(0, len(first), _PAIRS):
                part = slice(start, start + _PAIRS)
                i, j = first[part], second[part]
                found = joined(rises[i], others[0][j])
                found += joined(falls[i], others[1][j])
                values[s, part, w] = found if average is None else (average @ found.T).T
    return values, mask
