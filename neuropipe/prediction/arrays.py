"""Arrays of predictions for ``result.nc``: truth, folds, out-of-fold predictions and nulls."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
import xarray as xr

from neuropipe.prediction.rows import TargetResult
from neuropipe.prediction.settings import PredictionSettings
from neuropipe.stats.prediction_scores import Classification

__all__ = ["prediction_arrays"]


def prediction_arrays(
    results: Sequence[TargetResult],
    subjects: Sequence[str],
    settings: PredictionSettings,
    taken: Iterable[str] = (),
) -> dict[str, xr.Dataset]:
    """One group of arrays a target.

    Parameters
    ----------
    results : sequence of TargetResult
    subjects : sequence of str of length n_subjects
    settings : PredictionSettings
    taken : iterable of str
        Names that a group must not have: variables of the tree's root.

    Returns
    -------
    dict of str to xarray.Dataset
        By a name made of the target's: truth and folds, and of every model out-of-fold predictions
        and null.
    """
    used = set(taken)
    groups = {}
    for result in results:
        name = _safe(result.target.name)
        while name in used:  # a column named like an array, or two that differ in signs only
            name += "_target"
        used.add(name)
        groups[name] = _target_arrays(result, subjects, settings)
    return groups


def _safe(name: str) -> str:
    return re.sub(r"\W+", "_", name).strip("_") or "target"


def _target_arrays(
    result: TargetResult, subjects: Sequence[str], settings: PredictionSettings
) -> xr.Dataset:
    target = result.target
    data = xr.Dataset(
        coords={"seed": np.array(settings.seeds), "subject": np.array(subjects, dtype=object)},
        attrs={"target": target.name, "classes": list(target.classes) or ["(numbers)"]},
    )
    data["truth"] = ("subject", target.values.astype(float))
    data["fold"] = (("seed", "subject"), result.folds)
    for row in result.rows:
        name, scores = _safe(row.name), row.scores
        if isinstance(scores, Classification):
            outputs = f"output_{scores.decision.shape[2]}"
            data[f"decision_{name}"] = (("seed", "subject", outputs), scores.decision)
            data[f"null_auroc_{name}"] = ("permutation", scores.auroc.null)
        else:
            data[f"predicted_{name}"] = (("seed", "subject"), scores.predicted)
            data[f"null_r2_{name}"] = ("permutation", scores.r2.null)
    return data
