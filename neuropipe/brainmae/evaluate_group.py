"""The numbers of a dataset: each beside a baseline, chance and an interval over subjects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neuropipe.brainmae.data import Runs
from neuropipe.brainmae.evaluate import share_words
from neuropipe.brainmae.group_fit import GroupFit, Plane
from neuropipe.brainmae.heldout import OURS
from neuropipe.brainmae.identification import Identification
from neuropipe.brainmae.settings import BrainmaeSettings
from neuropipe.brainmae.similarity import RoiSimilarity
from neuropipe.brainmae.summary import Pooled, score_difference
from neuropipe.prediction.arrays import prediction_arrays
from neuropipe.results import Metric, finite
from neuropipe.stats.permutation import permutation_p_value
from neuropipe.stats.resampling import Interval

__all__ = [
    "Difference",
    "best_other",
    "differences",
    "group_arrays",
    "group_facts",
    "group_metrics",
    "group_warnings",
    "split_words",
]

Difference = tuple[float, str, float, Interval | None]  # ratio, other predictor, value, interval


def best_other(pooled: list[Pooled], ratio: float) -> Pooled | None:
    """The simple predictor of the highest masked R2 at a ratio; None where none was scored."""
    others = [p for p in pooled if p.predictor != OURS and p.ratio == ratio]
    return max(others, key=lambda p: p.value, default=None)


def differences(fit: GroupFit, settings: BrainmaeSettings) -> list[Difference]:
    """How far the model is above the best simple predictor at every ratio.

    Parameters
    ----------
    fit : GroupFit
    settings : BrainmaeSettings

    Returns
    -------
    list of (float, str, float, (float, float) or None)
        Ratio, that predictor, difference of masked R2 and its 95 % interval over subjects.
    """
    found = []
    for ours in (p for p in fit.pooled if p.predictor == OURS):
        other = best_other(fit.pooled, ours.ratio)
        if other is None:
            continue
        value, interval = score_difference(
            fit.scores,
            ours.ratio,
            OURS,
            other.predictor,
            n_resamples=settings.n_resamples,
            seed=settings.seeds[0],
        )
        found.append((ours.ratio, other.predictor, value, interval))
    return found


def split_words(fit: GroupFit, settings: BrainmaeSettings) -> str:
    """Say the folds, as in ``"5 folds by subject, 3 seeds"``."""
    by = settings.group_column or ("subject" if len(fit.split.subjects) > 1 else "run")
    seeds = f"{len(settings.seeds)} seed{'s' if len(settings.seeds) > 1 else ''}"
    return f"{len(fit.split.partitions[0])} folds by {by}, {seeds}"


def group_metrics(fit: GroupFit, settings: BrainmaeSettings) -> list[Metric]:
    """Reconstruction, likeness of ROIs and identification; predictions come from elsewhere.

    Parameters
    ----------
    fit : GroupFit
    settings : BrainmaeSettings
    """
    metrics = _reconstruction(fit, settings)
    if fit.similarity is not None:
        metrics += _similarity(fit.similarity, settings.seeds[0])
    if fit.identification is not None:
        metrics.append(_identification(fit.identification, settings))
    return metrics


def _reconstruction(fit: GroupFit, settings: BrainmaeSettings) -> list[Metric]:
    split, seed = split_words(fit, settings), settings.seeds[0]
    metrics = []
    for ours in (p for p in fit.pooled if p.predictor == OURS):
        other = best_other(fit.pooled, ours.ratio)
        spread = (
            f" Standard deviation over seeds: {ours.seed_sd:.2g}."
            if np.isfinite(ours.seed_sd)
            else ""
        )
        metrics.append(
            Metric(
                name=f"masked R2, {share_words(ours.ratio)}",
                value=finite(ours.value),
                description="Share of the variance of hidden ROIs that is told by the visible "
                "ones, pooled over subjects that the models have not seen; higher is better. The "
                f"baseline is the best of the simple predictors.{spread}",
                better="higher",
                baseline=None if other is None else finite(other.value),
                baseline_name="" if other is None else other.predictor,
                chance=0.0,
                interval=ours.interval,
                n=ours.n,
                seed=seed,
                split=split,
            )
        )
    n = max((p.n for p in fit.pooled), default=0)
    for ratio, other_name, value, interval in differences(fit, settings):
        metrics.append(
            Metric(
                name=f"masked R2 above {other_name}, {share_words(ratio)}",
                value=finite(value),
                description=f"BrainMAE minus {other_name}, the best of the simple predictors, on "
                "the same subjects; above 0 the model has learnt what they cannot tell.",
                better="higher",
                baseline=0.0,
                baseline_name="no difference",
                interval=interval,
                n=n,
                seed=seed,
                split=split,
            )
        )
    return metrics


def _similarity(found: RoiSimilarity, seed: int) -> list[Metric]:
    metrics = []
    for test in found.tests:
        p = float(permutation_p_value(test.auc, test.null))
        metrics.append(
            Metric(
                name=f"likeness of ROIs: {test.name}",
                value=test.auc,
                description=f"Probability that two ROIs ({test.name}) have more similar "
                "embeddings than another pair; higher means that the model found them without "
                f"being told. p = {p:.2g} ({len(test.null)} permutations of ROIs).",
                better="higher",
                chance=float(test.null.mean()),
                n=test.n_pairs,
                seed=seed,
            )
        )
    if np.isfinite(found.agreement):
        metrics.append(
            Metric(
                name="likeness of ROIs: agreement of models",
                value=found.agreement,
                description="Mean correlation between the similarity matrices of two models "
                "trained on different folds; higher is more stable. With more than two folds "
                "their training subjects overlap.",
                better="higher",
                chance=0.0,
                seed=seed,
            )
        )
    metrics.append(
        Metric(
            name="likeness of ROIs: correlation with connectivity",
            value=finite(found.with_connectivity),
            description="Spearman correlation over pairs of ROIs between the similarity of their "
            "embeddings and their mean functional connectivity; near 1 the embeddings hold little "
            "else.",
            chance=0.0,
        )
    )
    return metrics


def _identification(found: Identification, settings: BrainmaeSettings) -> Metric:
    value, base = float(found.embedding.mean()), float(found.connectivity.mean())
    return Metric(
        name="halves identified",
        value=100 * value,
        unit="%",
        description="How often one half of a run finds the other among the halves of all "
        "subjects' runs by the model's features, the model not having seen the subject; higher "
        "is better.",
        better="higher",
        baseline=100 * base,
        baseline_name="static connectivity",
        chance=100 * found.chance,
        interval=_percent(found.interval(found.embedding, settings.n_resamples, settings.seeds[0])),
        n=len(found.embedding),
        seed=settings.seeds[0],
        split="first against second half of each run",
    )


def _percent(interval: Interval) -> Interval:
    return 100 * interval[0], 100 * interval[1]


def group_facts(
    runs: Runs, fit: GroupFit, card: Mapping[str, Any], n_models: int
) -> dict[str, str]:
    """Short facts for the overview.

    Parameters
    ----------
    runs : Runs
    fit : GroupFit
    card : mapping
        Of the final model.
    n_models : int
    """
    minutes = np.median([run.duration for run in runs.runs]) / 60
    facts = {
        "subjects": str(len(fit.split.subjects)),
        "recordings": str(len(runs.runs)),
        "ROIs": str(runs.n_rois),
        "data a recording": f"{minutes:.1f} min (median)",
        "models": f"{n_models}, of {card['steps']} steps ({card['seconds']:.0f} s, "
        f"{card['device']})",
    }
    if "taken_from" in card:
        facts["weights"] = f"of dataset {card['taken_from']}"
    return facts


def group_warnings(runs: Runs, fit: GroupFit, settings: BrainmaeSettings) -> list[str]:
    """What a reader must know before trusting the numbers.

    Parameters
    ----------
    runs : Runs
    fit : GroupFit
    settings : BrainmaeSettings
    """
    warnings = [*runs.warnings, *fit.notes]
    if not fit.pooled:
        warnings.append("No run was left out of training: nothing is scored on unseen data.")
    elif len(fit.split.subjects) == 1:
        warnings.append(
            "One subject: runs were left out instead of subjects, and the numbers say nothing "
            "about other subjects."
        )
    below = [
        f"{share_words(ratio)}: {value:+.3f} to {name}"
        for ratio, name, value, interval in differences(fit, settings)
        if (value if interval is None else interval[1]) < 0
    ]
    if below:
        warnings.append(
            f"BrainMAE fills in hidden ROIs worse than a simple predictor ({'; '.join(below)}): it "
            "has not learnt all that the covariance tells. Pretrain longer "
            "(pretraining.max_steps) or on more subjects."
        )
    return warnings


def group_arrays(runs: Runs, fit: GroupFit, settings: BrainmaeSettings) -> xr.DataTree:
    """Arrays of a dataset for ``result.nc``.

    Parameters
    ----------
    runs : Runs
    fit : GroupFit
    settings : BrainmaeSettings

    Returns
    -------
    xarray.DataTree
        Groups: ``reconstruction`` (pooled scores), ``scores`` (a table: the score of every
        left-out run by every model), ``runs`` (their plane), ``rois`` (likeness of embeddings),
        ``identification``, and one a target with out-of-fold predictions, folds and nulls of
        every model.
    """
    groups = {}
    if fit.pooled:
        groups["reconstruction"] = _pooled_arrays(fit.pooled)
        groups["scores"] = _score_table(fit.scores)
    if fit.plane is not None:
        groups["runs"] = _plane_arrays(fit.plane)
    if fit.similarity is not None:
        groups["rois"] = _similarity_arrays(runs, fit.similarity)
    if fit.identification is not None:
        groups["identification"] = _identification_arrays(fit.identification)
    groups |= prediction_arrays(fit.results, fit.split.subjects, settings, taken=groups)
    return xr.DataTree.from_dict({f"/{name}": data for name, data in groups.items()})


def _pooled_arrays(pooled: list[Pooled]) -> xr.Dataset:
    predictors = list(dict.fromkeys(p.predictor for p in pooled))
    ratios = sorted({p.ratio for p in pooled})
    values = np.full((len(predictors), len(ratios), 4), np.nan)
    for p in pooled:
        ends = p.interval or (np.nan, np.nan)
        values[predictors.index(p.predictor), ratios.index(p.ratio)] = (p.value, *ends, p.seed_sd)
    words = {
        "masked_r2": "masked R2, mean over seeds",
        "masked_r2_low": "lower end of its 95 % interval",
        "masked_r2_high": "upper end of its 95 % interval",
        "masked_r2_seed_sd": "standard deviation over seeds",
    }
    data = xr.Dataset(coords={"predictor": np.array(predictors, dtype=object), "ratio": ratios})
    for place, (name, text) in enumerate(words.items()):
        attrs = {"long_name": text, "units": "1"}
        data[name] = (("predictor", "ratio"), values[..., place], attrs)
    return data


def _plane_arrays(plane: Plane) -> xr.Dataset:
    data = xr.Dataset(coords={"recording": np.array(plane.recordings, dtype=object)})
    words = {"long_name": "principal components of features", "units": "1"}
    data["plane"] = (("recording", "component"), plane.position.astype(np.float32), words)
    words = {"long_name": "share of the variance", "units": "1"}
    data["explained"] = ("component", plane.explained, words)
    return data


def _similarity_arrays(runs: Runs, found: RoiSimilarity) -> xr.Dataset:
    units = np.array([str(name) for name in runs.units.index], dtype=object)
    data = xr.Dataset(coords={"unit": units, "other_unit": units})
    words = {"long_name": "cosine similarity of ROI embeddings", "units": "1"}
    data["similarity"] = (("unit", "other_unit"), found.matrix.astype(np.float32), words)
    for test in found.tests:
        name = test.name.replace(" ", "_")
        data[f"null_auc_{name}"] = ("permutation", test.null, {"units": "1"})
        data.attrs[f"auc_{name}"] = test.auc
    return data


def _identification_arrays(found: Identification) -> xr.Dataset:
    data = xr.Dataset(attrs={"chance": found.chance})
    words = {"long_name": "share of a subject's halves that find their other half", "units": "1"}
    for name in ("embedding", "connectivity"):
        data[name] = ("asked_subject", getattr(found, name), words)
    return data


def _score_table(scores: pd.DataFrame) -> xr.Dataset:
    """The rows of a table as variables."""
    texts = ("predictor", "segments", "recording", "subject", "model")
    columns: dict[str, Any] = {
        name: ("row", scores[name].astype(str).to_numpy(dtype=object)) for name in texts
    }
    numbers = ("ratio", "n_hidden", "sse", "sst", "r2")
    columns |= {name: ("row", scores[name].to_numpy(dtype=float)) for name in numbers}
    return xr.Dataset(columns)
