"""Connectivity of a run in the subspace of its third-order structure.

Masked autoencoders of fMRI keep covariances and lose co-skewness; connectivity computed in the
subspace that keeps co-skewness predicts cognition better than raw connectivity and than three
pretrained models (arXiv 2606.04010). Their pipeline is known to us from its abstract: how the
subspace is found here (leading singular vectors of the unfolded tensor) is our reading.

Axis legend: t samples, n ROIs, c components.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import Literal, Self

import numpy as np

from neuropipe.brainmae.run_series import Run, oriented, principal_axes, standardised
from neuropipe.stats.connectivity_matrices import edges, fisher_z

__all__ = ["CoskewnessConnectivity", "coskewness_gram", "third_moments"]


class CoskewnessConnectivity:
    """Connectivity and third moments of a run in a subspace learnt from training runs.

    Parameters
    ----------
    n_components : int
        Of the subspace.
    subspace : {"coskewness", "pca"}
        Directions that hold most of the training runs' co-skewness, or most of their variance.
    features : {"fc", "third", "both"}
        Fisher-z correlations of the projected series, their third moments, or both.
    """

    axes_: np.ndarray

    def __init__(
        self,
        n_components: int = 15,
        *,
        subspace: Literal["coskewness", "pca"] = "coskewness",
        features: Literal["fc", "third", "both"] = "both",
    ) -> None:
        self.n_components = n_components
        self.subspace = subspace
        self.features = features

    def fit(self, runs: Sequence[Run], y: object = None) -> Self:  # noqa: ARG002
        """Learn the subspace from training runs; `y` is not looked at."""
        series = [standardised(run.values) for run in runs]
        if self.subspace == "pca":
            self.axes_ = principal_axes(series, self.n_components)
            return self
        gram = np.sum([coskewness_gram(part) for part in series], axis=0)
        _, axes = oriented(gram, self.n_components)
        power = np.mean([np.mean((part @ axes) ** 2, axis=0) for part in series], axis=0)
        self.axes_ = axes / np.sqrt(power)
        return self

    def fit_transform(self, runs: Sequence[Run], y: object = None) -> np.ndarray:
        """Learn from training runs and describe them."""
        return self.fit(runs, y).transform(runs)

    def transform(self, runs: Sequence[Run]) -> np.ndarray:
        """Describe runs by connectivity and third moments in the subspace.

        Parameters
        ----------
        runs : sequence of Run
            Of any length and sampling rate; a run's features do not depend on the other runs.

        Returns
        -------
        array of shape (n_runs, n_features)
            ``c (c - 1) / 2`` correlations (`edges` order), then ``c (c + 1) (c + 2) / 6`` third
            moments (see `third_moments`).
        """
        rows = []
        for run in runs:
            z = standardised(run.values) @ self.axes_
            parts = []
            if self.features != "third":
                own = standardised(z)
                parts.append(fisher_z(edges(own.T @ own / len(own))))
            if self.features != "fc":
                parts.append(third_moments(z))
            rows.append(np.concatenate(parts))
        return np.stack(rows)


def coskewness_gram(x: np.ndarray) -> np.ndarray:
    """Gram matrix of the unfolded co-skewness tensor of one run.

    Parameters
    ----------
    x : array of shape (n_times, n_rois)
        Centred.

    Returns
    -------
    array of shape (n_rois, n_rois)
        ``sum_jk S_ijk S_ljk`` with ``S_ijk = E[x_i x_j x_k]``, without forming the tensor:
        ``X' (K * K) X / n_times^2`` with K = X X' and the product element by element.
    """
    inner = x @ x.T
    return np.asarray(x.T @ (inner**2 @ x) / len(x) ** 2)


def third_moments(z: np.ndarray) -> np.ndarray:
    """Third moments of all triples of columns.

    Parameters
    ----------
    z : array of shape (n_times, n_components)
        Centred.

    Returns
    -------
    array of shape (c (c + 1) (c + 2) / 6,)
        ``E[z_a z_b z_c]`` for a <= b <= c in lexicographic order: skewness (a = b = c),
        ``E[z_a^2 z_b]`` and the co-skewness of three.
    """
    tensor = np.einsum("ta,tb,tc->abc", z, z, z, optimize=True) / len(z)
    index = np.array(list(combinations_with_replacement(range(z.shape[1]), 3)))
    return np.asarray(tensor[index[:, 0], index[:, 1], index[:, 2]])
