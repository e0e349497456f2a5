"""Circular shifts: what fit and communities a method finds where units share no moment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuropipe.connectome.communities.choice import drop_small
from neuropipe.connectome.communities.search import fit_blocks
from neuropipe.connectome.factorization import Factors
from neuropipe.connectome.readings import Window, component_graphs, graph_cosines, read_windows
from neuropipe.connectome.restarts import fit_starts, matched
from neuropipe.connectome.tensor import TensorSource
from neuropipe.stats.permutation import permutation_p_value

__all__ = ["ShiftTest", "Statistics", "shift_test", "statistics"]

_STARTS, _ITERATIONS, _RUNS = 2, 60, 2  # of a refit: the same for the data and for every shift


@dataclass(frozen=True)
class Statistics:
    """What is compared with shifts.

    Parameters
    ----------
    fit : float
        Share of the tensor's squared norm that is explained.
    window_gains : array of shape (n_windows,)
        Nats that blocks save in each window.
    component_gains : array of shape (rank,)
        The same of single components.
    factors : Factors
        Of the short fit.
    """

    fit: float
    window_gains: np.ndarray
    component_gains: np.ndarray
    factors: Factors


@dataclass(frozen=True)
class ShiftTest:
    """Data beside circular shifts.

    Parameters
    ----------
    data : Statistics
        Of the same short fits as the shifts'.
    shifts : list of Statistics
    """

    data: Statistics
    shifts: list[Statistics]

    @property
    def fit_p_value(self) -> float:
        """Of the explained share."""
        return float(permutation_p_value(self.data.fit, np.array([s.fit for s in self.shifts])))

    @property
    def largest_window_gains(self) -> np.ndarray:
        """Of each shift, (n_shifts,)."""
        return np.array([s.window_gains.max() for s in self.shifts])

    @property
    def largest_component_gains(self) -> np.ndarray:
        """Of each shift, (n_shifts,)."""
        return np.array([s.component_gains.max() for s in self.shifts])

    @property
    def gain_p_value(self) -> float:
        """Of the largest gain of a window."""
        return float(permutation_p_value(self.data.window_gains.max(), self.largest_window_gains))

    def component_p_values(self, factors: Factors, n_units: int) -> np.ndarray:
        """Of components, by their matches in the short fit, each beside the largest of every shift.

        Parameters
        ----------
        factors : Factors
            Of the data; of the rank of the short fits.
        n_units : int

        Returns
        -------
        array of shape (rank,)
            Family-wise.
        """
        graphs = [component_graphs(one, n_units) for one in (factors, self.data.factors)]
        partner, _ = matched(graph_cosines(*graphs))
        gains = self.data.component_gains[partner]
        return np.array([permutation_p_value(g, self.largest_component_gains) for g in gains])

    def window_p_values(self) -> np.ndarray:
        """Of windows, each beside the largest of every shift: family-wise."""
        return np.array(
            [permutation_p_value(g, self.largest_window_gains) for g in self.data.window_gains]
        )


def statistics(
    source: TensorSource, rank: int, windows: list[Window], min_weight: float, seed: int
) -> Statistics:
    """Fit briefly and read the windows' and the components' communities.

    Parameters
    ----------
    source : TensorSource
    rank : int
    windows : list of Window
    min_weight : float
        See `CommunitySettings`.
    seed : int
    """
    found = fit_starts(source, rank, _STARTS, max_iterations=_ITERATIONS, seed=seed)[0]
    read = read_windows(
        found,
        found.coactivity(),
        source.n_units,
        windows,
        n_runs=_RUNS,
        min_weight=min_weight,
        seed=seed,
    )
    graphs = component_graphs(found, source.n_units)
    single = [
        fit_blocks(drop_small(graph, min_weight), degree_corrected=False, n_runs=_RUNS, seed=seed)
        for graph in graphs
    ]
    return Statistics(
        fit=1 - found.error,
        window_gains=np.array([blocks.gain for blocks in read]),
        component_gains=np.array([blocks.gain for blocks in single]),
        factors=found,
    )


def shift_test(
    source: TensorSource,
    rank: int,
    windows: list[Window],
    *,
    n_shifts: int,
    min_weight: float,
    shortest: float = 10.0,
    seed: int = 0,
) -> ShiftTest:
    """Refit on traces that are circularly shifted, independently per unit and animal.

    Parameters
    ----------
    source : TensorSource
    rank : int
    windows : list of Window
    n_shifts : int
    min_weight : float
    shortest : float
        Least shift in s; a quarter of the run at most.
    seed : int
    """
    rng = np.random.default_rng(seed)
    least = max(1, round(shortest * source.sampling_rate))
    data = statistics(source, rank, windows, min_weight, seed)
    shifts = [
        statistics(source.shifted(rng, least), rank, windows, min_weight, seed)
        for _ in range(n_shifts)
    ]
    return ShiftTest(data, shifts)
