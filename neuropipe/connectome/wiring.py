"""Compare affinities and communities with anatomical wiring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuropipe.connectome.rewiring import rewired
from neuropipe.connectome.wiring_files import read_wiring
from neuropipe.errors import UnfitRecordingError
from neuropipe.stats.permutation import permutation_p_value

__all__ = ["WiringComparison", "compare_with_wiring", "merge_wiring", "read_wiring", "undirected"]

_FEWEST_UNITS = 5


@dataclass(frozen=True)
class WiringComparison:
    """Agreement with a wiring diagram, beside wirings with the same degrees.

    Parameters
    ----------
    rho : float
        Spearman correlation, over pairs, of affinity and undirected synapse weight.
    rho_null : array of shape (n_shuffles,)
        The same for rewired diagrams.
    p_value : float
        That rewired diagrams agree as well (one-sided).
    share : float
        Share of the synapse weight that lies within communities; NaN without communities.
    share_null : array of shape (n_shuffles,)
    share_p_value : float
        One-sided.
    n_pairs : int
        Pairs of units that both know.
    n_units : int
        Units that both know.
    n_connections : int
        Connected pairs of those units.
    """

    rho: float
    rho_null: np.ndarray
    p_value: float
    share: float
    share_null: np.ndarray
    share_p_value: float
    n_pairs: int
    n_units: int
    n_connections: int


def merge_wiring(wiring: pd.DataFrame, mapping: Mapping[str, str]) -> pd.DataFrame:
    """Sum the wiring of units that were merged.

    Parameters
    ----------
    wiring : pandas.DataFrame
        Square; names on both axes.
    mapping : mapping of str to str
        Merged name of a unit (`Animals.merged`); units that are not in it keep theirs.

    Returns
    -------
    pandas.DataFrame
        Square. Wiring between merged units stands on the diagonal.
    """
    names = [mapping.get(str(name), str(name)) for name in wiring.index]
    order = list(dict.fromkeys(names))
    member = (np.array(names)[None, :] == np.array(order)[:, None]).astype(float)
    index = pd.Index(order, dtype=object, name=wiring.index.name)
    return pd.DataFrame(member @ wiring.to_numpy(float) @ member.T, index=index, columns=index)


def undirected(wiring: pd.DataFrame) -> pd.DataFrame:
    """Weight of each pair in both directions, ``w_ij + w_ji``, without self-connections."""
    weight = wiring.to_numpy(float)
    both = weight + weight.T
    np.fill_diagonal(both, 0.0)
    return pd.DataFrame(both, index=wiring.index, columns=wiring.columns)


def compare_with_wiring(
    affinity: np.ndarray,
    names: Sequence[str],
    wiring: pd.DataFrame,
    *,
    n_shuffles: int,
    seed: int,
    communities: np.ndarray | None = None,
) -> WiringComparison:
    """Compare the affinities of units, and their communities, with the wiring between them.

    Parameters
    ----------
    affinity : array of shape (n_units, n_units)
        Symmetric; NaN for pairs that are not known.
    names : sequence of str of length n_units
        A unit that the wiring does not name is left out.
    wiring : pandas.DataFrame
        Square, weights from 0 on, from row to column. Between two units it names, 0 means that they
        are not connected.
    n_shuffles : int
    seed : int
    communities : array of int of shape (n_units,), optional
        Community of each unit; below 0 for none.

    Returns
    -------
    WiringComparison

    Raises
    ------
    UnfitRecordingError
        If fewer than five units are shared, or none of them are connected.

    Notes
    -----
    The null keeps how many partners every unit has and which weights occur: connections between the
    shared units swap their ends (Maslov & Sneppen 2002) and draw their weights anew without
    replacement. It does not keep the sum of a unit's weights.
    """
    place = wiring.index.get_indexer(pd.Index(list(names), dtype=object))
    shared = np.flatnonzero(place >= 0)
    n = len(shared)
    weight = undirected(wiring).to_numpy()[np.ix_(place[shared], place[shared])]
    _check_shared(n, len(names), weight)
    rows, columns = np.triu_indices(n, k=1)
    known = np.isfinite(affinity[np.ix_(shared, shared)][rows, columns])
    similar = affinity[np.ix_(shared, shared)][rows, columns][known]
    group = np.full(n, -1) if communities is None else np.asarray(communities)[shared]
    within = (group[rows] == group[columns]) & (group[rows] >= 0)

    def statistics(matrix: np.ndarray) -> tuple[float, float]:
        pairs = matrix[rows, columns]
        return _spearman(similar, pairs[known]), float(pairs[within].sum() / pairs.sum())

    rho, share = statistics(weight)
    draws = rewired(weight, n_shuffles, np.random.default_rng(seed))
    null = np.array([statistics(matrix) for matrix in draws])
    if communities is None:
        share, null[:, 1] = np.nan, np.nan
    p_values = permutation_p_value(np.array([rho, share]), null)
    return WiringComparison(
        rho=rho,
        rho_null=null[:, 0],
        p_value=float(p_values[0]),
        share=share,
        share_null=null[:, 1],
        share_p_value=float(p_values[1]),
        n_pairs=int(known.sum()),
        n_units=n,
        n_connections=int(np.count_nonzero(weight[rows, columns])),
    )


def _check_shared(n_shared: int, n_units: int, weight: np.ndarray) -> None:
    if n_shared < _FEWEST_UNITS or not weight.any():
        given = f"the wiring names {n_shared} of {n_units} units"
        raise UnfitRecordingError(
            given if n_shared < _FEWEST_UNITS else given + " and connects none of them",
            f"at least {_FEWEST_UNITS} units and a connection between them",
            "check that both use the same names, or leave out the setting wiring",
        )


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Rank correlation; NaN where one is constant."""
    from scipy.stats import rankdata

    x, y = (ranks - ranks.mean() for ranks in (rankdata(a), rankdata(b)))
    norm = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / norm) if norm > 0 else float("nan")
