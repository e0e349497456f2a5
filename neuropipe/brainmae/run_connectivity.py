"""Static connectivity of runs, for the baselines that stand beside the model.

Axis legend: r runs, t samples, n ROIs, e edges.
"""

from __future__ import annotations

import numpy as np

from neuropipe.brainmae.data import Runs
from neuropipe.brainmae.run_series import standardised
from neuropipe.stats.connectivity_matrices import edges, fisher_z, ledoit_wolf

__all__ = ["half_correlations", "run_correlations", "run_covariances"]


def _edges_of(values: np.ndarray) -> np.ndarray:
    z = standardised(values.astype(np.float64))
    return fisher_z(edges(z.T @ z / len(z)))


def run_correlations(runs: Runs) -> np.ndarray:
    """Fisher's z of the correlations of every run.

    Parameters
    ----------
    runs : Runs

    Returns
    -------
    array of shape (n_runs, n_edges)
        0 where a ROI is absent.
    """
    return np.stack([_edges_of(runs.values(i)) for i in range(len(runs.runs))])


def half_correlations(runs: Runs) -> tuple[np.ndarray, np.ndarray]:
    """The same of the first and of the second half of every run."""
    found = []
    for i in range(len(runs.runs)):
        values = runs.values(i)
        middle = len(values) // 2
        found.append((_edges_of(values[:middle]), _edges_of(values[middle:])))
    first, second = zip(*found, strict=True)
    return np.stack(first), np.stack(second)


def run_covariances(runs: Runs) -> np.ndarray:
    """Regularised covariance (Ledoit & Wolf 2004) of the standardised series of every run.

    Parameters
    ----------
    runs : Runs

    Returns
    -------
    array of shape (n_runs, n_rois, n_rois)
        Positive definite.
    """
    series = (runs.values(i).astype(np.float64) for i in range(len(runs.runs)))
    return np.stack([ledoit_wolf(standardised(values))[0] for values in series])
