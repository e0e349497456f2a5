"""Noise ceilings: how well the true model would do, given how much subjects differ.

Lower: each subject's RDM against the pool of all others, which knows less than the truth. Upper:
against the pool of all, which has seen it. The pool is the RDM that does best by the measure on
what is pooled. Axes: d draws, k RDMs, p pairs.
"""

from __future__ import annotations

import numpy as np

from neuropipe.errors import UnfitRecordingError
from neuropipe.trsa.comparison.compare import compare
from neuropipe.trsa.comparison.weighted import (
    RANKED,
    in_chunks,
    known_pairs,
    pair_weights,
    resampled,
    sort_orders,
    weighted_compare,
    weighted_ranks,
)
from neuropipe.trsa.inference.resample import members

__all__ = ["ceiling_draws", "noise_ceiling", "pooled"]


def pooled(
    values: np.ndarray,
    measure: str,
    *,
    weights: np.ndarray | None = None,
    counts: np.ndarray | None = None,
) -> np.ndarray:
    """Pool RDMs to the one that is most alike them all.

    Parameters
    ----------
    values : array of shape (n_rdms, n_pairs)
        Pairs that any RDM does not know are left out.
    measure : str
        Cosines: mean of RDMs of unit mean square. Correlations: mean of z-scored ones. Rank
        measures: mean of ranks (best for Spearman's rho and rho-a, a good guess for Kendall's
        tau). Any other: mean.
    weights : array of shape (n_pairs,), optional
        How often each pair stands in the resample.
    counts : array of shape (n_rdms,), optional
        How often each RDM does.

    Returns
    -------
    array of shape (n_pairs,)
        NaN where a pair is unknown; for rank measures also where its weight is 0.
    """
    known = known_pairs(values)
    x = values[:, known]
    w = np.ones(x.shape[1]) if weights is None else np.asarray(weights, float)[known]
    share = np.ones(len(x)) if counts is None else np.asarray(counts, float)
    if measure in RANKED:
        x = weighted_ranks(x, w[None])[0]
    elif measure in ("cosine", "cosine_cov", "corr", "corr_cov"):
        if measure.startswith("corr"):
            x = x - (x @ w / w.sum())[:, None]
        size = np.sqrt(x**2 @ w / w.sum())[:, None]
        x = np.divide(x, size, out=np.zeros(x.shape), where=size > 0)
    pool = np.full(values.shape[1], np.nan)
    pool[known] = share @ x / share.sum()
    return pool


def noise_ceiling(
    values: np.ndarray, measure: str, subjects: np.ndarray | None = None
) -> tuple[float, float]:
    """Bound from below and above what the true model would reach.

    Parameters
    ----------
    values : array of shape (n_rdms, n_pairs)
    measure : str
    subjects : array of shape (n_rdms,), optional
        Whose RDM each is; default: all of different subjects.

    Returns
    -------
    lower, upper : float
        Mean over subjects of their similarity with the pool of the others, and of all.

    Raises
    ------
    UnfitRecordingError
        If there are fewer than two subjects.

    Notes
    -----
    Nili et al. 2014, PLoS Comput Biol 10, e1003553.
    """
    names, member = members(np.arange(len(values)) if subjects is None else subjects)
    n_conditions = round((1 + np.sqrt(1 + 8 * values.shape[1])) / 2)
    once = np.ones((1, n_conditions), dtype=np.int64)
    counts = np.ones((1, len(names)), dtype=np.int64)
    lower, upper = ceiling_draws(values, member, counts, once, measure)[0]
    return float(lower), float(upper)


def ceiling_draws(
    values: np.ndarray,
    member: np.ndarray,
    subjects: np.ndarray,
    conditions: np.ndarray,
    measure: str,
) -> np.ndarray:
    """Noise ceilings of resamples.

    Parameters
    ----------
    values : array of shape (n_rdms, n_pairs)
        Pairs that any RDM does not know (NaN) are left out.
    member : array of int of shape (n_rdms,)
        Subject of each RDM, from 0.
    subjects : array of shape (n_draws, n_subjects), or (n_ways, n_draws, n_subjects)
        How often each subject is drawn; several ways share the draws of conditions.
    conditions : array of shape (n_draws or 1, n_conditions)
        How often each condition is; one row serves all draws.
    measure : str

    Returns
    -------
    array of shape (n_draws, 2), or (n_ways, n_draws, 2)
        Lower and upper. A subject drawn twice has its weight in the pool, is left out of it with
        all its copies, and counts once in the mean.

    Raises
    ------
    UnfitRecordingError
        If a draw has fewer than two distinct subjects.
    """
    counts = np.asarray(subjects, dtype=np.float64)
    if ((counts > 0).sum(axis=-1) < 2).any():
        raise UnfitRecordingError(
            "a noise ceiling of one subject", "at least two subjects", "leave it out"
        )
    ways = counts if counts.ndim == 3 else counts[None]
    if measure in ("cosine", "corr"):
        alike = weighted_compare(values, values, pair_weights(conditions), measure)
        found = [_from_products(alike, member, way) for way in ways]
    elif measure in RANKED:
        found = list(_from_ranks(values, member, ways, conditions, measure))
    else:
        blanked = np.where(known_pairs(values), values, np.nan)
        found = []
        for way in ways:
            own = np.broadcast_to(conditions, (len(way), np.shape(conditions)[1]))
            rows = zip(own, way, strict=True)
            drawn = [_spelt_out(resampled(blanked, c), member, s, measure) for c, s in rows]
            found.append(np.stack(drawn))
    return np.stack(found) if counts.ndim == 3 else found[0]


def _from_products(alike: np.ndarray, member: np.ndarray, subjects: np.ndarray) -> np.ndarray:
    """Ceilings of cosines and correlations, from those between all RDMs, shape (d or 1, k, k).

    With unit vectors z and the similarities C between them, the pool is ``sum_t q_t z_t``, its
    cosine with z_r is ``(C q)_r / sqrt(q C q)``, and what a subject adds to either is a sum over
    its own RDMs.
    """
    rdms = subjects[:, member]
    drawn = subjects > 0
    own = member[:, None] == np.arange(subjects.shape[1])  # RDMs by subjects
    together = _applied(alike, rdms)
    from_own = _applied(alike * (member[:, None] == member), rdms)
    size = (rdms * together).sum(axis=1, keepdims=True)
    size_left = size + (rdms * (from_own - 2 * together)) @ own
    upper = _divided(together, np.broadcast_to(size, together.shape))
    lower = _divided(together - from_own, size_left[:, member])
    share = drawn @ (own / own.sum(axis=0)).T / drawn.sum(axis=1, keepdims=True)
    return np.stack([(lower * share).sum(axis=1), (upper * share).sum(axis=1)], axis=1)


def _applied(alike: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Product of each draw's matrix (d or 1, k, k) with its vector (d, k)."""
    if len(alike) == 1:
        return np.asarray(share @ alike[0])
    return np.asarray(np.matmul(share[:, None, :], alike)[:, 0])


def _divided(products: np.ndarray, squares: np.ndarray) -> np.ndarray:
    size = np.sqrt(np.maximum(squares, 0.0))
    nothing = np.where(np.isnan(size), np.nan, 0.0)  # a draw without pairs is unknown
    ratio: np.ndarray = np.divide(products, size, out=nothing, where=size > 0)
    return ratio


def _from_ranks(
    values: np.ndarray, member: np.ndarray, ways: np.ndarray, conditions: np.ndarray, measure: str
) -> np.ndarray:
    """Ceilings of rank measures, (w, d, 2), for ways (w, d, s) that share draws (d or 1, n)."""
    from neuropipe.trsa.comparison import rank_kernels as kernels

    kind = {
        "spearman": kernels.SPEARMAN,
        "rho-a": kernels.RHO_A,
        "tau-a": kernels.TAU_A,
        "tau-b": kernels.TAU_B,
    }[measure]
    known = known_pairs(values)
    order, starts, _ = sort_orders(values[:, known])
    ceilings = np.empty((*ways.shape[:2], 2))

    def fill(part: slice) -> None:
        rows = conditions if len(conditions) == 1 else conditions[part]
        weights = np.ascontiguousarray(pair_weights(rows)[:, known])
        found = np.empty((len(ways), len(ways[0, part]), 2))
        kernels.ceiling_draws(
            order, starts, member, weights, np.ascontiguousarray(ways[:, part]), kind, found
        )
        ceilings[:, part] = found

    in_chunks(fill, ways.shape[1], 16.0 * len(known))
    return ceilings


def _spelt_out(
    values: np.ndarray, member: np.ndarray, counts: np.ndarray, measure: str
) -> np.ndarray:
    """Ceilings of one resample by any measure, shape (2,)."""
    share = np.asarray(counts)[member]
    everyone = pooled(values[share > 0], measure, counts=share[share > 0])
    found = []
    for s in np.flatnonzero(counts):
        own, left = member == s, (share > 0) & (member != s)
        others = pooled(values[left], measure, counts=share[left])
        alike = compare(np.stack([others, everyone]), values[own], measure)
        found.append(np.asarray(alike).mean(axis=1))
    return np.asarray(np.mean(found, axis=0))
