"""Comparisons that do not favour the feature with the most variance.

Axes: t trials or conditions, p units.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from neuropipe.errors import InputError
from neuropipe.trsa.geometry.features import design_of

__all__ = [
    "variance_matched",
    "whiten_patterns",
]


def whiten_patterns(patterns: np.ndarray, *, shrinkage: float = 0.05) -> np.ndarray:
    """Give all directions of a representation the same variance (ZCA).

    Parameters
    ----------
    patterns : array of shape (n, n_units)
    shrinkage : float
        0 to 1: share of the mean eigenvalue that is added, so that directions of noise are not
        blown up; 1 nearly leaves the geometry as it is.

    Returns
    -------
    array of shape (n, n_units)
        Centred, in the axes of the units.
    """
    centred = patterns - patterns.mean(axis=0)
    left, sizes, right = np.linalg.svd(centred, full_matrices=False)
    floor = shrinkage * np.mean(sizes**2)
    scaled = np.divide(
        sizes, np.sqrt(sizes**2 + floor), out=np.zeros_like(sizes), where=sizes > 1e-10 * sizes[0]
    )
    return np.asarray((left * scaled) @ right * np.sqrt(len(patterns)))


def variance_matched(
    values: np.ndarray, features: pd.DataFrame, *, noise: float = 0.0, seed: int = 0
) -> np.ndarray:
    """Rescale what each feature explains to the same variance.

    Decodability after this, with the same noise for all, compares features at equal strength.

    Parameters
    ----------
    values : array of shape (n_trials, n_units)
    features : pandas.DataFrame of length n_trials
        Best nearly independent of each other: the parts come from one joint regression.
    noise : float
        Standard deviation of noise to add, in units of the square root of the matched variance
        per unit.
    seed : int

    Returns
    -------
    array of shape (n_trials, n_units)
        The feature parts at their mean variance, and the rest unchanged.

    Raises
    ------
    InputError
        If a feature explains nothing: there is nothing to rescale.
    """
    designs = [design_of(features[name])[0] for name in features.columns]
    designs = [d - d.mean(axis=0) for d in designs]
    mean = values.mean(axis=0)
    weights = np.linalg.lstsq(np.hstack(designs), values - mean, rcond=None)[0]
    ends = np.cumsum([d.shape[1] for d in designs])[:-1]
    parts = [d @ w for d, w in zip(designs, np.split(weights, ends), strict=True)]
    variances = np.array([(part**2).mean() for part in parts])
    if (variances <= 1e-12 * values.var()).any():
        lacking = features.columns[int(np.argmin(variances))]
        raise InputError(
            f"feature {lacking!r} that explains nothing", "some variance", "leave it out"
        )
    matched = variances.mean()
    rest = values - mean - sum(parts)
    scaled = sum(p * np.sqrt(matched / v) for p, v in zip(parts, variances, strict=True))
    added = noise * np.sqrt(matched) * np.random.default_rng(seed).standard_normal(values.shape)
    return np.asarray(mean + scaled + rest + added)
