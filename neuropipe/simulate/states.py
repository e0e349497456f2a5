"""Hidden states that follow each other: dwell times, order, and what labels change about them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np


def state_path(
    n_states: int,
    duration: float,
    step: float,
    dwell: tuple[float, float],
    rng: np.random.Generator,
    *,
    order: int = 0,
) -> np.ndarray:
    """Draw a semi-Markov path: each visit lasts a uniform time, then the state changes.

    Parameters
    ----------
    n_states : int
    duration, step : float
        Length and sampling step in s.
    dwell : tuple of float
        Shortest and longest visit in s.
    rng : numpy.random.Generator
    order : {0, 1, -1}
        0: each other state is as likely to be next; 1: the next in the cycle; -1: the one before.
        Whatever the order, all states have the same share of time in expectation.

    Returns
    -------
    array of shape (n_samples,), int8
        State at times 0, step, 2 step, ... The path is stationary: it starts inside a visit.
    """
    n_samples = round(duration / step)
    n_visits = int(duration / dwell[0]) + 3
    lengths = rng.uniform(*dwell, size=n_visits)
    # The visit found at a random moment is a longer one (its length counts twice), and the
    # moment lies anywhere in it.
    longest = dwell[1]
    while rng.uniform(0, longest) > lengths[0]:
        lengths[0] = rng.uniform(*dwell)
    lengths[0] *= rng.uniform()
    steps = rng.integers(1, n_states, size=n_visits) if order == 0 else np.full(n_visits, order)
    steps[0] = rng.integers(n_states)
    states = np.cumsum(steps) % n_states
    visit = np.searchsorted(np.cumsum(lengths), np.arange(n_samples) * step, side="right")
    return states[visit].astype(np.int8)


def dynamics_of(
    label: int, effect: str, dwell: tuple[float, float]
) -> tuple[tuple[float, float], int]:
    """Dwell range and order of the states of a subject with a given label ``y_dyn``.

    Parameters
    ----------
    label : {0, 1}
    effect : {"none", "rate", "order"}
        ``rate``: the shortest third of the dwell range for 0, the longest third for 1;
        ``order``: the cycle for 0, its reverse for 1. Neither touches the share of time that a
        state has, so the covariance averaged over time is the same for both labels. In runs of
        some minutes, rare changes make static FC itself vary more from run to run: its linear
        readout stays at chance, its mean magnitude does not quite (AUROC about 0.6 for 400 s).
        ``order`` is a time reversal and leaves that alone, too.
    dwell : tuple of float
        Range of dwell times in s.

    Returns
    -------
    dwell : tuple of float
    order : int
        As `state_path` takes them.
    """
    low, high = dwell
    third = (high - low) / 3
    if effect == "rate":
        return ((low, low + third), 0) if label == 0 else ((high - third, high), 0)
    if effect == "order":
        return dwell, 1 if label == 0 else -1
    return dwell, 0


def dwell_times(path: np.ndarray, step: float) -> np.ndarray:
    """Lengths in s of the visits that a path shows whole (not cut by its start or end).

    Parameters
    ----------
    path : array of shape (n_samples,)
    step : float
        Sampling step in s.

    Returns
    -------
    array of shape (n_visits,)
    """
    changes = np.flatnonzero(np.diff(path)) + 1
    return np.diff(changes) * step


def segment_states(path: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """State of each segment that stays in one state; -1 where it changes within the segment.

    Parameters
    ----------
    path : array of shape (n_samples,)
    edges : array of int of shape (n_segments + 1,)
        Sample at which each segment starts; the last entry ends the last segment.

    Returns
    -------
    array of shape (n_segments,), int
    """
    parts = [path[a:b] for a, b in pairwise(edges)]
    return np.array([part[0] if len(part) and (part == part[0]).all() else -1 for part in parts])
