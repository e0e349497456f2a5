"""Stretches of time of which communities are read: events by type, and equal parts of the run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuropipe.connectome.affinity import pair_index
from neuropipe.connectome.communities.choice import drop_small
from neuropipe.connectome.communities.search import Blocks, fit_blocks
from neuropipe.connectome.factorization import Factors
from neuropipe.connectome.windows import refold, residual, window_affinity, window_doubt

__all__ = [
    "Window",
    "component_graphs",
    "event_windows",
    "read_windows",
    "time_windows",
    "window_graph",
]

_MOST_TYPES = 24
_FEWEST_SAMPLES = 3


@dataclass(frozen=True)
class Window:
    """Samples of the tensor that are read together.

    Parameters
    ----------
    name : str
        Event type, or the stretch of time in s.
    samples : array of bool of shape (n_samples,)
    """

    name: str
    samples: np.ndarray


def event_windows(events: pd.DataFrame, frames: np.ndarray) -> list[Window]:
    """One window a type of event: all samples within events of that type.

    Parameters
    ----------
    events : pandas.DataFrame
        ``trial_type``, ``start``, ``stop`` in frames; see `data.Animals`.
    frames : array of shape (n_samples,)
        Frame of each sample of the tensor.

    Returns
    -------
    list of Window
        In the order of the types' first events; none for types of fewer than three samples, and
        none at all with more than 24 types (single trials are no epochs).
    """
    if events.empty or "recording" in events:
        return []
    types = list(dict.fromkeys(events.sort_values("start")["trial_type"]))
    if len(types) > _MOST_TYPES:
        return []
    windows = []
    for name in types:
        rows = events[events["trial_type"] == name]
        inside = np.zeros(len(frames), dtype=bool)
        for start, stop in zip(rows["start"], rows["stop"], strict=True):
            inside |= (frames >= start) & (frames < stop)
        if inside.sum() >= _FEWEST_SAMPLES:
            windows.append(Window(str(name), inside))
    return windows


def time_windows(frames: np.ndarray, sampling_rate: float, n_windows: int) -> list[Window]:
    """Equal stretches of the tensor's time axis, named by their bounds in s.

    Parameters
    ----------
    frames : array of shape (n_samples,)
    sampling_rate : float
        Of the frames, in Hz.
    n_windows : int
        At most; none is shorter than three samples.
    """
    n_windows = max(1, min(n_windows, len(frames) // _FEWEST_SAMPLES))
    part = np.arange(len(frames)) * n_windows // len(frames)
    windows = []
    for k in range(n_windows):
        seconds = frames[part == k] / sampling_rate
        windows.append(Window(f"{seconds.min():.0f}-{seconds.max():.0f} s", part == k))
    return windows


def window_graph(
    factors: Factors, activity: np.ndarray, n_units: int, window: Window
) -> np.ndarray:
    """Weighted graph of a window: affinity above the units' strengths; see `windows.residual`.

    Parameters
    ----------
    factors : Factors
    activity : array of shape (n_animals, n_samples, rank)
        Of all animals, or of one.
    n_units : int
    window : Window
    """
    affinity = window_affinity(factors.pairs, activity, n_units, window.samples)
    return residual(affinity, window_doubt(factors.evidence, activity, n_units, window.samples))


def graph_cosines(a: list[np.ndarray], b: list[np.ndarray]) -> np.ndarray:
    """Cosines between the graphs of the components of two factorizations.

    Parameters
    ----------
    a, b : list of array of shape (n_units, n_units)
        See `component_graphs`.

    Returns
    -------
    array of shape (len(a), len(b))
        Of what stands above the units' strengths: the affinities themselves are alike everywhere.
    """
    first, second = pair_index(len(a[0]))
    rows = [np.nan_to_num([graph[first, second] for graph in graphs]) for graphs in (a, b)]
    norms = np.outer(*(np.linalg.norm(part, axis=1) for part in rows))
    cosines: np.ndarray = np.divide(
        rows[0] @ rows[1].T, norms, out=np.zeros(norms.shape), where=norms > 0
    )
    return cosines


def component_graphs(factors: Factors, n_units: int) -> list[np.ndarray]:
    """Graph of every component: affinity above the units' strengths."""
    doubt = 1 / np.sqrt(np.maximum(factors.evidence, 1e-12))
    folded = refold(factors.pairs, n_units), refold(doubt, n_units)
    return [residual(matrix, error) for matrix, error in zip(*folded, strict=True)]


def read_windows(
    factors: Factors,
    activity: np.ndarray,
    n_units: int,
    windows: list[Window],
    *,
    degree_corrected: bool = False,
    n_runs: int,
    min_weight: float,
    seed: int = 0,
) -> list[Blocks]:
    """Communities of every window by the block model.

    Parameters
    ----------
    factors : Factors
    activity : array of shape (n_animals, n_samples, rank)
        Of all animals, or of one.
    n_units : int
    windows : list of Window
    degree_corrected : bool
    n_runs : int
        Agglomerative runs a window.
    min_weight : float
        Share of the largest weight below which an edge is dropped.
    seed : int
    """
    return [
        fit_blocks(
            drop_small(window_graph(factors, activity, n_units, window), min_weight),
            degree_corrected=degree_corrected,
            n_runs=n_runs,
            seed=seed + number,
        )
        for number, window in enumerate(windows)
    ]
