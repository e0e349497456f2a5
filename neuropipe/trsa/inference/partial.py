"""Partial comparison of RDMs: what a model explains beyond others."""

from __future__ import annotations

from typing import Literal

import numpy as np

from neuropipe.errors import UnfitRecordingError
from neuropipe.trsa.comparison.weighted import known_pairs, weighted_ranks

__all__ = ["partial_compare"]


def partial_compare(
    data: np.ndarray,
    model: np.ndarray,
    nuisances: np.ndarray,
    *,
    measure: Literal["corr", "spearman"] = "spearman",
) -> np.ndarray:
    """Correlate RDMs with models after nuisance RDMs are regressed out of both.

    Parameters
    ----------
    data : array of shape (n_rdms, n_pairs)
    model : array of shape (n_models, n_pairs) or (n_pairs,)
    nuisances : array of shape (n_nuisances, n_pairs) or (n_pairs,)
        Pairs that any RDM does not know (NaN) are left out of all.
    measure : {"corr", "spearman"}
        Partial correlation of values, or of ranks.

    Returns
    -------
    array of shape (n_models, n_rdms)
        0 where the nuisances leave nothing of a RDM.

    Raises
    ------
    UnfitRecordingError
        If there are no more pairs than nuisances and 2.

    Notes
    -----
    Cosine of the residuals of a least-squares fit with intercept.
    """
    y, x, z = (np.atleast_2d(np.asarray(v, dtype=np.float64)) for v in (data, model, nuisances))
    known = known_pairs(y, x, z)
    if known.sum() <= len(z) + 2:
        raise UnfitRecordingError(
            f"{int(known.sum())} pairs of conditions and {len(z)} nuisance RDMs",
            f"at least {len(z) + 3} pairs",
            "use more conditions or fewer nuisances",
        )
    parts = [values[:, known] for values in (y, x, z)]
    if measure == "spearman":
        once = np.ones((1, int(known.sum())))
        parts = [weighted_ranks(values, once)[0] for values in parts]
    y, x, z = parts
    basis = np.concatenate([np.ones((1, z.shape[1])), z])
    left = [_residual(values, basis) for values in (x, y)]
    return np.asarray(left[0] @ left[1].T)


def _residual(values: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Residuals of unit length; of what lies in the span of the basis, zeros."""
    fit = np.linalg.lstsq(basis.T, values.T, rcond=None)[0]
    rest = values - fit.T @ basis
    size = np.linalg.norm(rest, axis=1, keepdims=True)
    whole = np.linalg.norm(values, axis=1, keepdims=True)
    result: np.ndarray = np.divide(
        rest, size, out=np.zeros(rest.shape), where=size > 1e-10 * np.maximum(whole, 1e-300)
    )
    return result
