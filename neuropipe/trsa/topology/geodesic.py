"""Geodesic RDMs: distances along the graph of near pairs.

Zero weights are edges like others (the nearest pairs have them), and graphs may fall apart. Axes: m
RDMs, n conditions, e pairs.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar, cast, overload

import numpy as np
from numba import config, njit

from neuropipe.errors import InputError, SettingsError
from neuropipe.trsa.rdms import square, vectors
from neuropipe.trsa.topology.transforms import geotopological, normalised_ranks

if TYPE_CHECKING:
    import torch

__all__ = ["EdgeRule", "Geodesics", "geodesic", "nearest_edges", "shortest_edges", "shortest_paths"]

EdgeRule = Literal["two-step", "p-shortest", "p-nearest", "k-nearest"]

_Function = TypeVar("_Function", bound=Callable[..., object])
_THREAD_WORTH = 4_000_000  # sums of two edges, a few ms, that are worth a thread


@dataclass(frozen=True, eq=False)
class Geodesics:
    """Distances along graphs.

    Parameters
    ----------
    distances : array of shape (m, n_pairs)
        Finite: see `geodesic` for pairs without a path.
    n_components : array of int of shape (m,)
        Parts that each graph falls into; 1 where every pair has a path.
    """

    distances: np.ndarray
    n_components: np.ndarray


def _compiled(function: _Function) -> _Function:
    """Compile on the first call, keep the machine code on disk, and run without the GIL."""
    return cast(_Function, njit(cache=True, nogil=True, error_model="numpy")(function))


@_compiled
def _relax(distances: np.ndarray) -> None:
    """Floyd-Warshall, in place, on graphs (m, n, n) with infinity where there is no edge."""
    n = distances.shape[1]
    for graph in distances:
        for k in range(n):
            via = graph[k].copy()  # a copy cannot overlap the row written to: vector code
            for i in range(n):
                first, row = graph[i, k], graph[i]
                if first < np.inf:
                    for j in range(n):
                        length = first + via[j]
                        row[j] = length if length < row[j] else row[j]


@overload
def shortest_paths(
    weights: np.ndarray, edges: np.ndarray, *, n_threads: int | None = None
) -> np.ndarray: ...
@overload
def shortest_paths(
    weights: torch.Tensor, edges: torch.Tensor, *, n_threads: int | None = None
) -> torch.Tensor: ...
def shortest_paths(
    weights: np.ndarray | torch.Tensor,
    edges: np.ndarray | torch.Tensor,
    *,
    n_threads: int | None = None,
) -> np.ndarray | torch.Tensor:
    """Lengths of the shortest paths between all nodes of many graphs.

    Parameters
    ----------
    weights : array or tensor of shape (..., n, n)
        Length of each edge, at least 0; symmetric for undirected graphs. Ignored where no edge is.
    edges : array or tensor of bool of shape (..., n, n)
        Which edges exist; an edge of length 0 is one. The diagonal plays no part.
    n_threads : int, optional
        Of the compiled code, for whole graphs; default: cores this process may use. Tensors take
        as many as torch does.

    Returns
    -------
    array or tensor of shape (..., n, n)
        Float64 from arrays, the type of the weights from tensors; infinity without a path.

    Raises
    ------
    InputError
        If an edge has a negative or unknown length.

    Notes
    -----
    Floyd 1962, Warshall 1962: O(n^3) for each graph whatever its density.
    """
    if isinstance(weights, np.ndarray):
        return _paths_of_arrays(weights, np.asarray(edges), n_threads)
    return _paths_of_tensors(weights, cast("torch.Tensor", edges))


def _paths_of_arrays(weights: np.ndarray, edges: np.ndarray, n_threads: int | None) -> np.ndarray:
    n = weights.shape[-1]
    paths = np.where(edges, weights, np.inf).astype(np.float64)
    paths[..., np.arange(n), np.arange(n)] = 0.0
    if not (paths >= 0).all():
        raise InputError("an edge of negative or unknown length", "0 or more", "clip the lengths")
    graphs = paths.reshape(-1, n, n)  # a view: np.where made a new contiguous array
    n_parts = min(n_threads or _cores(), len(graphs), 1 + len(graphs) * n**3 // _THREAD_WORTH)
    if n_parts < 2:
        _relax(graphs)
        return paths
    with ThreadPoolExecutor(n_parts) as pool:
        list(pool.map(_relax, np.array_split(graphs, n_parts)))
    return paths


def _cores() -> int:
    """Cores this process may use; workflow engines lower them by OMP_NUM_THREADS."""
    told, own = os.environ.get("OMP_NUM_THREADS", ""), int(config.NUMBA_NUM_THREADS)
    return min(own, max(1, int(told))) if told.isdigit() else own


def _paths_of_tensors(weights: torch.Tensor, edges: torch.Tensor) -> torch.Tensor:
    import torch

    paths = torch.where(edges, weights, torch.inf)
    paths.diagonal(dim1=-2, dim2=-1).zero_()
    if not bool((paths >= 0).all()):
        raise InputError("an edge of negative or unknown length", "0 or more", "clip the lengths")
    for k in range(paths.shape[-1]):
        torch.minimum(paths, paths[..., :, k : k + 1] + paths[..., k : k + 1, :], out=paths)
    return paths


def shortest_edges(dissimilarities: np.ndarray, share: float) -> np.ndarray:
    """Mark the nearest pairs of every RDM.

    Parameters
    ----------
    dissimilarities : array of shape (..., n_pairs)
        NaN where a pair is unknown: it is no edge.
    share : float
        Of the known pairs, in [0, 1]; their number is rounded down, and pairs tied with the last
        come in too, so that the order of conditions plays no part.

    Returns
    -------
    array of bool of shape (..., n_pairs)
    """
    _check_share(share)
    values = np.asarray(dissimilarities, dtype=np.float64)
    n_known = np.isfinite(values).sum(axis=-1, keepdims=True)
    n_kept = np.floor(share * n_known + 1e-9).astype(np.int64)
    last = np.take_along_axis(np.sort(values, axis=-1), np.maximum(n_kept - 1, 0), axis=-1)
    return np.asarray((values <= last) & (n_kept > 0))


def nearest_edges(
    dissimilarities: np.ndarray, n_neighbours: int, *, mutual: bool = False
) -> np.ndarray:
    """Join every condition to its nearest neighbours.

    Parameters
    ----------
    dissimilarities : array of shape (..., n_pairs)
        NaN where a pair is unknown: it is no edge.
    n_neighbours : int
        Of each condition; conditions tied with the last come in too.
    mutual : bool
        Whether both conditions must count each other as neighbours; by default one is enough.

    Returns
    -------
    array of bool of shape (..., n_pairs)
        Whatever the order of conditions.
    """
    if n_neighbours < 0:
        raise SettingsError(f"{n_neighbours} neighbours", "0 or more", "correct the number")
    matrices = square(np.asarray(dissimilarities, dtype=np.float64))
    n = matrices.shape[-1]
    matrices = np.where(np.isfinite(matrices), matrices, np.inf)
    matrices[..., np.arange(n), np.arange(n)] = np.inf
    if n_neighbours == 0:
        return np.zeros(np.shape(dissimilarities), dtype=bool)
    place = min(n_neighbours, n - 1) - 1
    last = np.sort(matrices, axis=-1)[..., place, None]
    near = (matrices <= last) & np.isfinite(matrices)
    both = near & near.swapaxes(-1, -2) if mutual else near | near.swapaxes(-1, -2)
    return vectors(both)


def geodesic(
    dissimilarities: np.ndarray,
    lower: float = 0.0,
    upper: float = 0.3,
    *,
    rule: EdgeRule = "two-step",
    amount: float | None = None,
    mutual: bool = False,
    unreachable: float = 1.0,
    ranked: bool = False,
    device: str = "cpu",
) -> Geodesics:
    """Turn RDMs into matrices of shortest paths (RGDM).

    Parameters
    ----------
    dissimilarities : array of shape (m, n_pairs) or (n_pairs,)
        NaN where a pair is unknown: it is no edge, but may have a path.
    lower, upper : float
        Quantiles of the two-step rule; other rules ignore them.
    rule : {"two-step", "p-shortest", "p-nearest", "k-nearest"}
        ``two-step``: transform by `geotopological`, keep the pairs below 1. Others weight edges by
        the dissimilarities, and keep a share of all pairs (`shortest_edges`), or neighbours of each
        condition (`nearest_edges`): a share of n, or a number. Negative dissimilarities, as
        crossvalidation gives, count as 0 then.
    amount : float, optional
        The share p or number k of neighbours; the two-step rule has none.
    mutual : bool
        See `nearest_edges`.
    unreachable : float
        Pairs without a path get this many times the longest path of their RDM.
    ranked : bool
        Whether to return normalised ranks of the paths.
    device : str
        Where torch shall find the paths; ``"cpu"`` is compiled code.

    Returns
    -------
    Geodesics

    Raises
    ------
    SettingsError
        If the rule lacks its amount.

    Notes
    -----
    Lin & Kriegeskorte 2024, geodesic representational matrices. The transform already spans [0, 1],
    so their rescaling between both steps changes nothing and is left out.
    """
    values = np.atleast_2d(np.asarray(dissimilarities, dtype=np.float64))
    weights, edges = _graphs(values, lower, upper, rule, amount, mutual)
    lengths, kept = square(np.where(edges, weights, 0.0)), square(edges)
    if device == "cpu":
        paths = shortest_paths(lengths, kept)
    else:
        import torch

        on_device = torch.as_tensor(lengths, device=device), torch.as_tensor(kept, device=device)
        paths = shortest_paths(*on_device).cpu().numpy()
    reached = np.isfinite(paths)
    # Every part is counted once, at its first condition.
    n_components = (reached.argmax(axis=-1) == np.arange(paths.shape[-1])).sum(axis=-1)
    longest = np.where(reached, paths, 0.0).max(axis=(-1, -2))
    distances = vectors(np.where(reached, paths, unreachable * longest[:, None, None]))
    return Geodesics(normalised_ranks(distances) if ranked else distances, n_components)


def _graphs(
    values: np.ndarray,
    lower: float,
    upper: float,
    rule: EdgeRule,
    amount: float | None,
    mutual: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Weights and edges of every RDM, each of shape (m, n_pairs)."""
    if rule == "two-step":
        near = geotopological(values, lower, upper)
        return near, near < 1  # unknown pairs compare as False
    if amount is None:
        raise SettingsError(f"the {rule} rule without an amount", "a share or a number", "add it")
    weights = np.maximum(values, 0.0)
    if rule == "p-shortest":
        return weights, shortest_edges(values, amount)
    if rule == "p-nearest":
        _check_share(amount)
        amount = int(amount * square(values[:1]).shape[-1] + 1e-9)
    return weights, nearest_edges(values, int(amount), mutual=mutual)


def _check_share(share: float) -> None:
    if not 0 <= share <= 1:
        raise SettingsError(f"a share of {share:g}", "0 to 1", "correct it")
