"""Weighted stochastic block models: what a partition of a graph costs, in nats.

A partition `b` of the n units is as good as the graph `A` with weights `x` can be described with
it (Peixoto 2012, Phys. Rev. E 85, 056122; weights: Peixoto 2018, Phys. Rev. E 97, 012306)::

    DL(b) = -log P(A | b) - log P(x | A, b) - log P(b)

Between blocks r and s there are N_rs known pairs of units (inside a block: each pair once), of
which m_rs are edges with the total weight w_rs. With all rates integrated out:

- edges: Bernoulli, its probability uniform a priori::

    log P(A | b) = sum_{r<=s} log Beta(m_rs + 1, N_rs - m_rs + 1)

- weights: exponential with a rate that is Gamma(1, c) a priori, c = mean weight of all edges::

    log P(x | A, b) = sum_{r<=s} [log c + log m_rs! - (m_rs + 1) log(w_rs + c)]

- partition of n units into B blocks of n_r units::

    -log P(b) = log n + log C(n - 1, B - 1) + log n! - sum_r log n_r!

With ``degree_corrected=True`` units of one block may differ in number and weight of their edges
(in the spirit of Karrer & Newman 2011, Phys. Rev. E 83, 016107, for graphs that may be dense):

- edges: the odds of an edge are those of a graph without blocks that has the same expected degrees
  (`baseline`), times one factor f per two blocks. q_ij is the baseline's probability; over the N_rs
  pairs it has the mean u and the sum of squared deviations V. To second order in q_ij - u the
  factor's likelihood is that of one probability p at the mean, a priori Beta(1, d) with the
  graph's density, at most 1/2, as its mean; p in the last term is its posterior mean::

    log P(A | b) = sum_pairs [A_ij log q_ij + (1 - A_ij) log(1 - q_ij)] + sum_{r<=s} [
        log d + log Gamma(m_rs + 1) + log Gamma(N_rs - m_rs + d) - log Gamma(N_rs + 1 + d)
        - m_rs log u - (N_rs - m_rs) log(1 - u) + V / 2 ((p - u) / (u (1 - u)))^2]

  Where all units of two blocks are alike (V = 0) this is exact, and the plain form but for d. The
  Poisson form of Karrer and Newman is its limit for sparse graphs; in a dense one it finds too few
  blocks, because there an edge is no rare event.

- weights: as above, of y_ij = x_ij / (phi_i phi_j); phi makes the mean of y over every unit's edges
  1. This adds log(phi_i phi_j) per edge.

q and phi are estimates that are not paid for: description lengths are compared within a form, never
across (see `choice.choose_form`).

A pair of which nothing is known (NaN) is neither an edge nor a missing edge: it adds to no m, N, V
or w. The third form, "counts", is for the graph of blocks of `nested`: numbers of edges m_rs
between groups of blocks, all multigraphs alike (Peixoto 2014, Phys. Rev. X 4, 011047, eq. 6)::

    log P(m | b) = -sum_{r<=s} log C(N_rs + m_rs - 1, m_rs),   N_rr = n_r (n_r + 1) / 2

Blocks of blocks are worth having only if their own numbers of edges are cheap to tell: the
B (B + 1) / 2 of them are coded as any that have the same sum E, log C(B (B + 1) / 2 + E - 1, E).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import gammaln, xlog1py, xlogy

from neuropipe.errors import InputError

_ITERATIONS = 500  # of `baseline` and `unit_scales`
_CONVERGED = 1e-9

Form = Literal["plain", "corrected", "counts"]


@dataclass(frozen=True)
class BlockModel:
    """A graph, prepared for one form of the block model.

    Parameters
    ----------
    form : {"plain", "corrected", "counts"}
        Plain, degree-corrected, or numbers of edges between blocks.
    pairs : array of shape (n_units, n_units, 5)
        Of each pair: edges, 1 where it is known, q, q squared, and weight (x or y); 0 where it is
        unknown. The diagonal is 0 except in "counts".
    prior_missing : float
        d of the Beta(1, d) prior of edge probabilities; 1 in the plain form.
    mean_weight : float
        c: weight per edge in the whole graph; 1 without edges.
    odds : array of shape (n_units,)
        Of an edge without blocks: q_ij / (1 - q_ij) = odds_i odds_j; 1 in other forms.
    scales : array of shape (n_units,)
        phi; 1 in other forms.
    constant : float
        Part of the description length that is the same for every partition.
    """

    form: Form
    pairs: np.ndarray
    prior_missing: float
    mean_weight: float
    odds: np.ndarray
    scales: np.ndarray
    constant: float

    @property
    def n_units(self) -> int:
        """Number of units."""
        return len(self.pairs)


def block_model(weights: np.ndarray, *, degree_corrected: bool) -> BlockModel:
    """Prepare a weighted graph.

    Parameters
    ----------
    weights : array of shape (n_units, n_units)
        Symmetric; an entry above 0 is an edge, NaN a pair of which nothing is known. The diagonal
        is not looked at.
    degree_corrected : bool

    Returns
    -------
    BlockModel

    Raises
    ------
    InputError
        If the matrix is not square, symmetric and free of infinite values.
    """
    weights = checked_graph(weights)
    known = np.isfinite(weights)
    np.fill_diagonal(known, False)
    edges = known & (np.nan_to_num(weights) > 0)
    weight = np.where(edges, weights, 0.0)
    odds = scales = np.ones(len(weights))
    q, constant, missing = known / 2, 0.0, 1.0
    n_edges = max(edges.sum(), 1)
    if degree_corrected:
        odds, scales = baseline(edges, known), unit_scales(weight)
        q = known * edge_probability(odds)
        weight /= np.outer(scales, scales)
        chance = np.where(edges, q, 1 - q)[known]
        missing = max(known.sum() / max(edges.sum(), 2) - 1, 1.0)  # each pair is there twice
        constant = float(edges.sum(axis=1) @ np.log(scales) - np.log(chance).sum() / 2)
    return BlockModel(
        "corrected" if degree_corrected else "plain",
        np.stack([edges, known, q, q**2, weight], axis=-1),
        float(missing),
        float(weight.sum() / n_edges) or 1.0,
        odds,
        scales,
        constant,
    )


def baseline(edges: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Odds of each unit in the graph without blocks that has the same expected degrees.

    Parameters
    ----------
    edges, known : array of bool of shape (n_units, n_units)

    Returns
    -------
    array of shape (n_units,)
        theta, where an edge has the probability theta_i theta_j / (1 + theta_i theta_j).

    Notes
    -----
    The random graph of most entropy with given expected degrees (Park & Newman 2004, Phys. Rev. E
    70, 066117). The expected degree is p (k + 1) / (p + 2) of k edges among p known pairs, which
    keeps the odds of units finite that have no edge or all.
    """
    n_known = known.sum(axis=1)
    target = n_known * (edges.sum(axis=1) + 1) / (n_known + 2)
    theta = target / np.sqrt(max(target.sum(), 1))
    for _ in range(_ITERATIONS):
        found = theta * (known * theta / (1 + np.outer(theta, theta))).sum(axis=1)
        ratio = np.divide(target, found, out=np.ones(len(target)), where=found > 0)
        theta *= np.sqrt(ratio)  # the full step can overshoot for ever
        if np.abs(ratio - 1).max() < _CONVERGED:
            break
    return np.asarray(theta)


def edge_probability(odds: np.ndarray) -> np.ndarray:
    """Probability of an edge of every pair, from the odds of its units."""
    pair = np.outer(odds, odds)
    return np.asarray(pair / (1 + pair))


def unit_scales(weight: np.ndarray) -> np.ndarray:
    """Scale of each unit's weights, such that weight / (scale_i scale_j) has mean 1 in every unit.

    It is the most likely one where weights are exponential with mean scale_i scale_j.

    Parameters
    ----------
    weight : array of shape (n_units, n_units)
        0 where there is no edge.

    Returns
    -------
    array of shape (n_units,)
        1 for a unit without edges.
    """
    degrees = (weight > 0).sum(axis=1)
    linked = degrees > 0
    scales = np.ones(len(weight))
    scales[linked] = np.sqrt(weight.sum(axis=1)[linked] / degrees[linked])
    for _ in range(_ITERATIONS):
        ratio = (weight / scales).sum(axis=1)[linked] / (degrees * scales)[linked]
        scales[linked] *= np.sqrt(ratio)
        if np.abs(ratio - 1).max(initial=0.0) < _CONVERGED:
            break
    return scales


def count_model(counts: np.ndarray) -> BlockModel:
    """Prepare a graph of edge counts between blocks.

    Parameters
    ----------
    counts : array of shape (n_blocks, n_blocks)
        Symmetric whole numbers, on the diagonal the edges within a block.

    Returns
    -------
    BlockModel
    """
    pairs = np.zeros((*counts.shape, 5))
    pairs[..., 0], pairs[..., 1] = counts, 1
    ones = np.ones(len(counts))
    return BlockModel("counts", pairs, 1.0, 1.0, ones, ones, 0.0)


def checked_graph(weights: np.ndarray) -> np.ndarray:
    """Copy a weight matrix as float64, or refuse it.

    Raises
    ------
    InputError
        See `block_model`.
    """
    weights = np.array(weights, dtype=float)
    if weights.ndim != 2 or weights.shape[0] != weights.shape[1] or not len(weights):
        raise InputError(
            f"weights of shape {weights.shape}", "a square matrix", "give one row and column a unit"
        )
    if np.isinf(weights).any() or not np.allclose(weights, weights.T, equal_nan=True):
        raise InputError(
            "weights that are infinite or differ across the diagonal",
            "a symmetric matrix of finite weights, NaN where nothing is known",
            "average the matrix with its transpose",
        )
    np.fill_diagonal(weights, 0)
    return weights


def block_sums(model: BlockModel, labels: np.ndarray) -> np.ndarray:
    """Sum what `BlockModel.pairs` holds between each two blocks.

    Parameters
    ----------
    model : BlockModel
    labels : array of int of shape (n_units,)
        0 to n_blocks - 1.

    Returns
    -------
    array of shape (n_blocks, n_blocks, 5)
        Symmetric; on the diagonal each pair of units is counted once.
    """
    member = (labels[:, None] == np.arange(labels.max() + 1)).astype(float)
    sums = np.einsum("ir,ijc,js->rsc", member, model.pairs, member, optimize=True)
    own = np.einsum("iic,ir->rc", model.pairs, member)
    diagonal = np.arange(sums.shape[0])
    sums[diagonal, diagonal] = (sums[diagonal, diagonal] + own) / 2
    return np.asarray(sums)


def description_length(model: BlockModel, labels: np.ndarray) -> float:
    """Description length of a partition, nats.

    Parameters
    ----------
    model : BlockModel
    labels : array of int of shape (n_units,)
        0 to n_blocks - 1, none of them empty.

    Returns
    -------
    float
        Can be negative: weights are densities.
    """
    sums = block_sums(model, labels)
    upper = np.triu_indices(len(sums))
    edges = edge_cost(model, sums)[upper].sum() + weight_cost(model, sums)[upper].sum()
    found = float(edges + partition_cost(labels) + model.constant)
    return found + (flat_cost(len(sums), sums[upper][:, 0].sum()) if model.form == "counts" else 0)


def flat_cost(n_blocks: int, n_edges: float) -> float:
    """Cost of the numbers of edges of all pairs of blocks, all that have the same sum alike."""
    cells = n_blocks * (n_blocks + 1) // 2
    return float(gammaln(cells + n_edges) - gammaln(n_edges + 1) - gammaln(cells))


def edge_cost(model: BlockModel, sums: np.ndarray) -> np.ndarray:
    """-log P(A | b) of each two blocks without the constant; shape (n_blocks, n_blocks)."""
    m, n, q, square = np.moveaxis(sums[..., :4], -1, 0)
    if model.form == "counts":
        n = np.maximum(n, 1)
        return np.asarray(gammaln(n + m) - gammaln(m + 1) - gammaln(n))
    d = model.prior_missing
    cost = gammaln(n + 1 + d) - gammaln(m + 1) - gammaln(n - m + d) - np.log(d)
    if model.form == "corrected":
        mean = np.divide(q, n, out=np.full(q.shape, 0.5), where=n > 0)
        shift = ((m + 1) / (n + 1 + d) - mean) / (mean * (1 - mean))
        cost += xlogy(m, mean) + xlog1py(n - m, -mean)
        cost -= np.maximum(square - q * mean, 0) * shift**2 / 2
    return np.asarray(cost)


def count_cost(model: BlockModel, sums: np.ndarray) -> np.ndarray:
    """Part of `edge_cost` that codes how many edges two blocks have, not which ones.

    In the corrected form: how many they would have if all their units were alike.
    """
    if model.form == "counts":
        return edge_cost(model, sums)
    m, n, d = sums[..., 0], sums[..., 1], model.prior_missing
    ways = gammaln(n + 1) - gammaln(m + 1) - gammaln(n - m + 1)
    some = gammaln(n + 1 + d) - gammaln(m + 1) - gammaln(n - m + d) - np.log(d)
    return np.asarray(some - ways)


def weight_cost(model: BlockModel, sums: np.ndarray) -> np.ndarray:
    """-log P(x | A, b) of each two blocks; shape (n_blocks, n_blocks)."""
    edges, weight = sums[..., 0], sums[..., 4]
    if model.form == "counts":
        return np.zeros(edges.shape)
    c = model.mean_weight
    return np.asarray((edges + 1) * np.log(weight + c) - np.log(c) - gammaln(edges + 1))


def partition_cost(labels: np.ndarray) -> float:
    """-log P(b) of a partition into blocks none of which is empty."""
    sizes = np.bincount(labels)
    n, b = len(labels), len(sizes)
    choose = gammaln(n) - gammaln(b) - gammaln(n - b + 1)
    return float(np.log(n) + choose + gammaln(n + 1) - gammaln(sizes + 1).sum())
