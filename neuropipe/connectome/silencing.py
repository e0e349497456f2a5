"""Which units to silence: those that hold a motif together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

__all__ = ["driver_rank", "motif_strength", "silencing_ranking"]


def motif_strength(affinity: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Affinity of each unit to the other members of its community.

    Parameters
    ----------
    affinity : array of shape (n_units, n_units)
        Symmetric; NaN for pairs of which nothing is known. Affinity above expectation
        (`windows.residual`): sums of raw affinities tell how large a community is.
    labels : array of int of shape (n_units,)
        Community of each unit; below 0 for none.

    Returns
    -------
    array of shape (n_units,)
        Sum over the other members, unknown ones counted as the mean of the known; 0 without a
        community or known members.

    Notes
    -----
    Affinity has no direction: a unit that only listens to a motif, but to all of it, scores as one
    that drives it. The ranking names candidates for an experiment.
    """
    together = (labels[:, None] == labels) & (labels >= 0)[:, None]
    np.fill_diagonal(together, False)
    known = together & np.isfinite(affinity)
    total = np.where(known, affinity, 0).sum(axis=1)
    share = together.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return np.asarray(total * share)


def silencing_ranking(
    affinity: np.ndarray,
    labels: np.ndarray,
    names: Sequence[str],
) -> pd.DataFrame:
    """Rank units by what silencing them should do to their motif.

    Parameters
    ----------
    affinity, labels
        See `motif_strength`.
    names : sequence of str of length n_units

    Returns
    -------
    pandas.DataFrame
        Of all units that are in a community: ``unit``, ``community``, ``strength``, ``share`` of
        its community's strength, ``rank`` among all units and ``rank_within`` its community, from
        1; the strongest first.
    """
    strength = motif_strength(affinity, labels)
    table = pd.DataFrame({"unit": list(names), "community": labels, "strength": strength})
    table = table[table["community"] >= 0]
    total = table.groupby("community")["strength"].transform("sum")
    table["share"] = (table["strength"] / total.where(total > 0)).fillna(0.0)
    table = table.sort_values("strength", ascending=False, kind="stable", ignore_index=True)
    table["rank"] = np.arange(1, len(table) + 1)
    table["rank_within"] = table.groupby("community").cumcount() + 1
    return table


def driver_rank(scores: np.ndarray, driver: int) -> int:
    """Rank of a driver among all units: 1 is first, ties count against it.

    Parameters
    ----------
    scores : array of shape (n_units,)
        NaN is a score below all others.
    driver : int
        Index of the unit.
    """
    filled = np.where(np.isnan(scores), -np.inf, scores)
    return int((filled >= filled[driver]).sum())
