"""The numbers of a dataset: each beside a baseline, chance and an interval over subjects."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neuropipe.connectivity.cohort import Cohort
from neuropipe.connectivity.evaluate import in_words
from neuropipe.connectivity.group import GroupFit
from neuropipe.connectivity.settings import ConnectivitySettings
from neuropipe.prediction.arrays import prediction_arrays
from neuropipe.prediction.rows import TargetResult
from neuropipe.prediction.targets import split_groups
from neuropipe.results import Metric, finite
from neuropipe.stats.permutation import permutation_p_value
from neuropipe.stats.resampling import (
    bootstrap_interval,
    bootstrap_weights,
    jackknife_interval,
    percentile_interval,
)

__all__ = ["group_arrays", "group_facts", "group_metrics", "untypical"]


def group_metrics(cohort: Cohort, fit: GroupFit, settings: ConnectivitySettings) -> list[Metric]:
    """Mean connectivity, its known structure, and the likeness of subjects.

    Parameters
    ----------
    cohort : Cohort
    fit : GroupFit
    settings : ConnectivitySettings

    Raises
    ------
    UnfitRecordingError
        If `group_column` is unknown.
    """
    seed = settings.seeds[0]
    values = cohort.summary
    families = np.array(split_groups(cohort.participants, settings))
    metrics = [
        Metric(
            name="mean connectivity",
            value=float(values["mean"].mean()),
            description="Mean over subjects of the mean correlation over all pairs of units; near "
            "0 after global signal regression.",
            chance=0.0,
            interval=_over_subjects(values["mean"].to_numpy(), families, settings),
            n=cohort.n_subjects,
            seed=seed,
        )
    ]
    words = {
        "homologous": ("homologous connectivity", "left/right homologous pairs", "all pairs"),
        "contrast": ("network contrast", "pairs within minus between networks", "no networks"),
    }
    for key, (name, what, baseline) in words.items():
        if key not in values:
            continue
        found = values[key].to_numpy(float)
        null = fit.structure_nulls.get(key)
        metrics.append(
            Metric(
                name=name,
                value=finite(np.nanmean(found)),
                description=f"Mean over subjects of the mean correlation of {what}."
                + ("" if null is None else f" {_of_mean(key, fit, null)}"),
                better="higher",
                baseline=float(values["mean"].mean()) if key == "homologous" else 0.0,
                baseline_name=baseline,
                chance=None if null is None else float(null.mean()),
                interval=_over_subjects(found, families, settings),
                n=int(np.isfinite(found).sum()),
                seed=seed,
            )
        )
    if fit.similarity is not None:
        metrics.append(_similarity(fit, families, seed))
    if np.isfinite(fit.within).any():
        metrics.append(_within(fit, families, settings))
    return metrics


def _over_subjects(
    values: np.ndarray, families: np.ndarray, settings: ConnectivitySettings
) -> tuple[float, float] | None:
    """Interval of the mean; families are drawn whole where there are any."""
    known = np.isfinite(values)
    values, families = values[known], families[known]
    n_families = len(np.unique(families))
    if n_families < 2:
        return None
    seed, n_resamples = settings.seeds[0], settings.n_resamples
    if n_families == len(values):
        return bootstrap_interval(values, n_resamples=n_resamples, seed=seed)
    rng = np.random.default_rng(seed)
    weights = bootstrap_weights(len(values), n_resamples, rng, groups=families)
    return percentile_interval(weights @ values / weights.sum(axis=1))


def _of_mean(key: str, fit: GroupFit, null: np.ndarray) -> str:
    p = float(permutation_p_value(fit.structure[key], null))
    shuffled = "partners" if key == "homologous" else "networks"
    return (
        f"p = {p:.2g} ({len(null)} permutations) for the mean matrix against {shuffled} dealt out "
        "at random."
    )


def _similarity(fit: GroupFit, families: np.ndarray, seed: int) -> Metric:
    assert fit.similarity is not None

    def mean_pair(kept: np.ndarray) -> float:
        n = int(kept.sum())
        return float((kept @ fit.similarity @ kept - n) / (n * (n - 1))) if n > 1 else float("nan")

    value = mean_pair(np.ones(len(families)))
    without = np.array([mean_pair(families != family) for family in np.unique(families)])
    interval = None
    if len(without) > 3 and np.isfinite(without).all():
        low, high = jackknife_interval(value, without)
        interval = (max(low, -1.0), min(high, 1.0))
    return Metric(
        name="similarity between subjects",
        value=value,
        description="Mean over pairs of subjects of the correlation between their edges; higher "
        f"means more in common. {in_words(value, fit.similarity_null)} against shuffled units.",
        better="higher",
        chance=float(fit.similarity_null.mean()),
        interval=interval,
        n=len(families),
        seed=seed,
    )


def _within(fit: GroupFit, families: np.ndarray, settings: ConnectivitySettings) -> Metric:
    between = finite(fit.between)
    return Metric(
        name="similarity between runs",
        value=float(np.nanmean(fit.within)),
        description="Mean correlation between the edges of two runs of one subject; above that of "
        "two runs of different subjects where matrices are individual.",
        better="higher",
        baseline=between,
        baseline_name="" if between is None else "runs of different subjects",
        interval=_over_subjects(fit.within, families, settings),
        n=int(np.isfinite(fit.within).sum()),
        seed=settings.seeds[0],
    )


def untypical(cohort: Cohort, fit: GroupFit) -> list[str]:
    """Subjects whose matrix is unlike all others': more than three robust deviations below.

    Parameters
    ----------
    cohort : Cohort
    fit : GroupFit
    """
    if len(fit.typicality) < 5:
        return []
    values = np.arctanh(np.clip(fit.typicality, -0.999999, 0.999999))
    middle = np.median(values)
    spread = 1.4826 * np.median(np.abs(values - middle))
    low = np.flatnonzero(values < middle - 3 * spread)
    return [cohort.subjects[i] for i in low[np.argsort(values[low])]]


def group_facts(cohort: Cohort, fit: GroupFit) -> dict[str, str]:
    """Short facts for the overview."""
    facts = {
        "subjects": str(cohort.n_subjects),
        "recordings": str(int(cohort.summary["runs"].sum())),
        "units shared": str(len(cohort.units)) if cohort.shares_units else "none",
        "data a subject": f"{cohort.summary['duration'].median() / 60:.1f} min (median)",
    }
    if fit.similarity is not None and len(fit.typicality) > 2:
        facts["most typical subject"] = cohort.subjects[int(np.argmax(fit.typicality))]
    return facts


def group_arrays(
    cohort: Cohort, fit: GroupFit, results: list[TargetResult], settings: ConnectivitySettings
) -> xr.DataTree:
    """Arrays of a dataset for ``result.nc``.

    Parameters
    ----------
    cohort : Cohort
    fit : GroupFit
    results : list of TargetResult
    settings : ConnectivitySettings

    Returns
    -------
    xarray.DataTree
        The root holds matrices and a summary of every subject; each target has a group with
        out-of-fold predictions, folds and nulls of every model.
    """
    subjects = np.array(cohort.subjects, dtype=object)
    root = xr.Dataset(coords={"subject": subjects})
    for name in cohort.summary:
        values = cohort.summary[name].to_numpy(float)
        root[str(name)] = ("subject", values, {"units": "s" if name == "duration" else "1"})
    if fit.mean is not None:
        names = np.array(cohort.units.index, dtype=object)
        root = root.assign_coords(unit=names, other_unit=names)
        root["mean_correlation"] = (("unit", "other_unit"), fit.mean.astype(np.float32))
    if fit.similarity is not None:
        root = root.assign_coords(other_subject=subjects)
        dims = ("subject", "other_subject")
        root["similarity"] = (dims, fit.similarity.astype(np.float32))
        root["typicality"] = ("subject", fit.typicality)
    targets = prediction_arrays(results, cohort.subjects, settings, taken=map(str, root.variables))
    return xr.DataTree.from_dict({"/": root} | {f"/{name}": t for name, t in targets.items()})
