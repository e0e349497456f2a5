"""What BrainMAE says of a dataset: from its models and runs to numbers.

Axis legend: s subjects, r runs, n ROIs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from neuropipe.brainmae.data import Runs
from neuropipe.brainmae.features import BlockScale
from neuropipe.brainmae.folds import Split, split_dataset
from neuropipe.brainmae.identification import Identification, identify_halves
from neuropipe.brainmae.label_features import label_grams
from neuropipe.brainmae.names import FINAL, LABEL_MODELS
from neuropipe.brainmae.run_connectivity import run_correlations
from neuropipe.brainmae.settings import BrainmaeSettings
from neuropipe.brainmae.similarity import RoiSimilarity, roi_similarity
from neuropipe.brainmae.store import Stored
from neuropipe.brainmae.summary import Pooled, pooled_scores
from neuropipe.prediction.rows import TargetResult, decision_row, score_features

__all__ = ["GroupFit", "Plane", "feature_plane", "fit_group"]


@dataclass(frozen=True)
class Plane:
    """Runs in the plane of the first two principal components of their features.

    Parameters
    ----------
    recordings : list of str
    position : array of shape (n_runs, 2)
    explained : array of shape (2,)
        Share of the variance.
    """

    recordings: list[str]
    position: np.ndarray
    explained: np.ndarray


@dataclass(frozen=True)
class GroupFit:
    """What the models of a dataset say.

    Parameters
    ----------
    split : Split
    scores : pandas.DataFrame
        Reconstruction of left-out runs by all models; empty where there is one run.
    pooled : list of Pooled
    similarity : RoiSimilarity or None
    identification : Identification or None
    plane : Plane or None
        Of the final model; None with fewer than three runs.
    results : list of TargetResult
    notes : list of str
    """

    split: Split
    scores: pd.DataFrame
    pooled: list[Pooled]
    similarity: RoiSimilarity | None
    identification: Identification | None
    plane: Plane | None
    results: list[TargetResult]
    notes: list[str]


def feature_plane(store: Stored, settings: BrainmaeSettings) -> Plane | None:
    """Principal components of the features of all runs, whole; None of fewer than three."""
    recordings = [str(name) for name in store.arrays["recording"].values]
    if len(recordings) < 3:
        return None
    blocks = store.blocks(recordings)
    x = BlockScale(blocks, settings.pool)(blocks)
    u, s, _ = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    share = s**2 / max(float((s**2).sum()), 1e-12)
    return Plane(recordings, u[:, :2] * s[:2], share[:2])


def fit_group(
    runs: Runs,
    dataset: str,
    stores: Sequence[Stored],
    predictions: Sequence[Path],
    settings: BrainmaeSettings,
) -> GroupFit:
    """Put together what the models of a dataset say.

    Parameters
    ----------
    runs : Runs
        Of the dataset.
    dataset : str
    stores : sequence of Stored
        All its models.
    predictions : sequence of Path
        Files of `neuropipe.brainmae.label_models.predict_target`.
    settings : BrainmaeSettings
    """
    by_name = {store.name: store for store in stores}
    split = split_dataset(runs, dataset, settings)
    scores = pd.concat([store.scores for store in stores], ignore_index=True)
    amount = {"n_resamples": settings.n_resamples, "seed": settings.seeds[0]}
    first = [s for s in stores if s.name.startswith(f"seed-{settings.seeds[0]}_")]
    models = [by_name[FINAL].model()[0], *(store.model()[0] for store in first)]
    mean_z = run_correlations(runs).mean(axis=0)
    results, notes = _predicted(runs, split, by_name, predictions, settings)
    return GroupFit(
        split=split,
        scores=scores,
        pooled=pooled_scores(scores, **amount),
        similarity=roi_similarity(models, runs.units, mean_z, settings.seeds[0]),
        identification=identify_halves(runs, first, settings),
        plane=feature_plane(by_name[FINAL], settings),
        results=results,
        notes=[*split.notes, *notes],
    )


def _predicted(
    runs: Runs,
    split: Split,
    stores: dict[str, Stored],
    predictions: Sequence[Path],
    settings: BrainmaeSettings,
) -> tuple[list[TargetResult], list[str]]:
    if split.design is None:
        return [], []
    results, notes = score_features(split.design, label_grams(runs, split, stores, settings))
    trained = {}
    for path in predictions:
        with xr.open_dataset(path, engine="h5netcdf") as found:
            trained[str(found.attrs["target"])] = found.load()
    complete = []
    for result in results:
        found = trained.get(result.target.name, xr.Dataset())
        rows = [
            decision_row(split.design, LABEL_MODELS[str(key)], result.target, found[key].values)
            for key in found.data_vars
        ]
        complete.append(replace(result, rows=[*result.rows, *rows]))
    return complete, notes
