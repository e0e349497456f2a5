"""Choice between block models with and without degree correction by left-out pairs."""

from __future__ import annotations

import numpy as np

from neuropipe.connectome.communities.blockmodel import (
    BlockModel,
    block_model,
    block_sums,
    checked_graph,
    edge_probability,
)
from neuropipe.connectome.communities.search import fit_blocks

_FOLDS = 10  # share of the pairs that is left out at once: one in ten
_DRAWS = 3  # of the folds are scored


def choose_form(graphs: list[np.ndarray], choice: str, *, n_runs: int, seed: int) -> bool:
    """Whether block models of some graphs are to allow for units of unequal degree.

    Parameters
    ----------
    graphs : list of array of shape (n_units, n_units)
        Symmetric; an entry above 0 is an edge, NaN a pair of which nothing is known.
    choice : {"held-out", "on", "off"}
        See `CommunitySettings`.
    n_runs : int
        Runs of the search in a fold.
    seed : int

    Notes
    -----
    Description lengths of the two forms are not compared: what the corrected form takes from the
    graph, odds and scales of units, is not in them. Both forms predict the same pairs, edge or not
    and its weight, from partitions that were fitted without them; a tie goes to the plain form.
    """
    if choice != "held-out":
        return choice == "on"
    scores = [held_out_scores(one, n_runs=n_runs, seed=seed) for one in graphs]
    plain, corrected = np.mean(np.concatenate(scores), axis=0)
    return bool(corrected > plain)


def drop_small(weights: np.ndarray, min_weight: float) -> np.ndarray:
    """Remove edges below a share of the largest weight; unknown pairs (NaN) stay unknown.

    Parameters
    ----------
    weights : array of shape (n_units, n_units)
    min_weight : float
        Share in [0, 1).

    Returns
    -------
    array of shape (n_units, n_units)
    """
    weights = checked_graph(weights)
    least = min_weight * np.nan_to_num(weights).max()
    return np.asarray(np.where(weights < least, 0.0, weights))


def held_out_scores(weights: np.ndarray, *, n_runs: int, seed: int) -> np.ndarray:
    """Log-likelihood of left-out pairs under both forms.

    Parameters
    ----------
    weights : array of shape (n_units, n_units)
    n_runs : int
        Runs of the search.
    seed : int

    Returns
    -------
    array of shape (n_draws, 2)
        Nats a pair, without and with degree correction.
    """
    rows, columns = np.nonzero(np.triu(np.isfinite(weights), k=1))
    fold = np.random.default_rng(seed).permutation(len(rows)) % _FOLDS
    scores = np.zeros((_DRAWS, 2))
    for draw in range(_DRAWS):
        out = rows[fold == draw], columns[fold == draw]
        kept = weights.copy()
        kept[out] = kept[out[::-1]] = np.nan
        for corrected in (False, True):
            model = block_model(kept, degree_corrected=corrected)
            found = fit_blocks(kept, degree_corrected=corrected, n_runs=n_runs, seed=seed)
            logs = pair_log_likelihood(model, found.labels, weights)[out]
            scores[draw, int(corrected)] = logs.mean() if len(logs) else 0.0
    return scores


def pair_log_likelihood(model: BlockModel, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Predictive log-likelihood of every pair, were it left out of the model.

    Parameters
    ----------
    model : BlockModel
        Of the graph without the pairs in question.
    labels : array of int of shape (n_units,)
    weights : array of shape (n_units, n_units)
        What is to be predicted.

    Returns
    -------
    array of shape (n_units, n_units)
        Nats; a density for the weight of an edge.

    Notes
    -----
    An edge: the expected number of edges between two blocks is N times the posterior mean of their
    probability; the baseline's odds times one factor per two blocks deal it out to the
    pairs. A weight: Lomax, the exponential with its rate integrated out.
    """
    sums = block_sums(model, labels)
    pair = np.ix_(labels, labels)
    probability = _dealt_out(model, labels)
    edges, total = sums[..., 0][pair], sums[..., 4][pair] + model.mean_weight
    scale = np.outer(model.scales, model.scales)
    value = np.nan_to_num(weights) / scale
    density = (
        np.log(edges + 1) + (edges + 1) * np.log(total)
        - (edges + 2) * np.log(total + np.maximum(value, 0)) - np.log(scale)
    )  # fmt: skip
    return np.asarray(np.where(value > 0, np.log(probability) + density, np.log1p(-probability)))


def _dealt_out(model: BlockModel, labels: np.ndarray) -> np.ndarray:
    """Probability of an edge of every pair; shape (n_units, n_units)."""
    n_blocks = int(labels.max()) + 1
    known = model.pairs[..., 1] > 0
    cell = labels[:, None] * n_blocks + labels
    possible = np.bincount(cell[known], minlength=n_blocks**2)
    edges = np.bincount(cell[known], model.pairs[..., 0][known], minlength=n_blocks**2)
    # Ordered pairs: each pair inside a block is counted twice, which halves its prior.
    twice = 1 + np.eye(n_blocks).ravel()
    prior = (1 + model.prior_missing) * twice
    wanted = possible * (edges + twice) / (possible + prior)
    logit = np.log(edge_probability(model.odds)) - np.log1p(-edge_probability(model.odds))
    low, high = np.full(n_blocks**2, -40.0), np.full(n_blocks**2, 40.0)
    for _ in range(50):  # expected edges grow with the factor: bisection
        factor = (low + high) / 2
        found = 1 / (1 + np.exp(-logit - factor[cell]))
        expected = np.bincount(cell[known], found[known], minlength=n_blocks**2)
        low, high = (
            np.where(expected < wanted, factor, low),
            np.where(expected < wanted, high, factor),
        )
    return np.asarray(np.clip(1 / (1 + np.exp(-logit - factor[cell])), 1e-12, 1 - 1e-12))
