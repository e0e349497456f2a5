"""The numbers of a dataset: each beside a baseline, chance and an interval over subjects."""

from __future__ import annotations

import re

import numpy as np
import xarray as xr

from neuropipe.connectivity.cohort import Cohort
from neuropipe.connectivity.evaluate import finite, in_words
from neuropipe.connectivity.group import GroupFit
from neuropipe.connectivity.predict import Row, TargetResult
from neuropipe.connectivity.settings import ConnectivitySettings
from neuropipe.connectivity.targets import Target, split_groups
from neuropipe.results import Metric
from neuropipe.stats.permutation import permutation_p_value
from neuropipe.stats.prediction import Classification, Regression, Score
from neuropipe.stats.resampling import (
    bootstrap_interval,
    bootstrap_weights,
    jackknife_interval,
    percentile_interval,
)

__all__ = ["group_arrays", "group_facts", "group_metrics", "prediction_metrics", "untypical"]


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


def prediction_metrics(results: list[TargetResult], settings: ConnectivitySettings) -> list[Metric]:
    """Scores of every model of every target.

    Parameters
    ----------
    results : list of TargetResult
    settings : ConnectivitySettings
    """
    metrics = []
    for result in results:
        alone = next((row for row in result.rows if row.name == "confounds alone"), None)
        for row in result.rows:
            metrics += _row_metrics(result.target, row, None if row is alone else alone, settings)
    return metrics


def _row_metrics(
    target: Target, row: Row, alone: Row | None, settings: ConnectivitySettings
) -> list[Metric]:
    common = {
        "n": _n_tested(row.scores),
        "seed": settings.seeds[0],
        "split": f"{settings.n_splits} folds by {settings.group_column or 'subject'}, "
        f"{len(settings.seeds)} seeds",
    }

    def metric(
        name: str,
        score: Score,
        what: str,
        baseline: float | None,
        baseline_name: str,
        unit: str = "",
    ) -> Metric:
        return Metric(
            name=f"{target.name}: {name} ({row.name})",
            value=finite(score.value),
            unit=unit,
            description=what + _p_words(score),
            better="lower" if "error" in name else "higher",
            baseline=baseline,
            baseline_name=baseline_name if baseline is not None else "",
            chance=finite(score.chance),
            interval=score.interval if np.isfinite(score.interval).all() else None,
            **common,  # type: ignore[arg-type]
        )

    scores = row.scores
    if isinstance(scores, Classification):
        reference = alone.scores if alone is not None else None
        base = reference.auroc.value if isinstance(reference, Classification) else 0.5
        named = "confounds alone" if reference is not None else "majority class"
        return _class_metrics(target, scores, metric, base, named)
    other = alone.scores if alone is not None else None
    base = max(other.r2.value, 0.0) if isinstance(other, Regression) else 0.0
    named = "confounds alone" if isinstance(other, Regression) and base > 0 else "training mean"
    return [
        metric("R2", scores.r2, "Variance explained out of sample; 1 is perfect, below 0 worse "
               "than the training mean.", base, named),
        metric("r", scores.correlation, "Correlation with the truth within folds; higher is "
               "better.", None, ""),
        metric("mean absolute error", scores.error, "In the column's unit; lower is better.",
               scores.mean_error, "training mean"),
    ]  # fmt: skip


def _n_tested(scores: Classification | Regression) -> int:
    """Subjects with an out-of-fold prediction; those without a confound have none in its rows."""
    given = scores.decision[0, :, 0] if isinstance(scores, Classification) else scores.predicted[0]
    return int(np.isfinite(given).sum())


def _p_words(score: Score) -> str:
    if not np.isfinite(score.p_value):
        return " Undefined here: the predictions do not vary."
    return f" p = {score.p_value:.2g} ({len(score.null)} label permutations)."


def _class_metrics(
    target: Target, scores: Classification, metric: object, base: float, named: str
) -> list[Metric]:
    assert callable(metric)
    classes = target.classes
    what = (
        f"Probability that a subject of class {classes[1]} scores above one of class {classes[0]}"
        if len(classes) == 2
        else "Mean over classes of the area under the ROC curve of each against the rest"
    )
    found = [
        metric("AUROC", scores.auroc, f"{what}; higher is better.", base, named),
        metric(
            "balanced accuracy",
            scores.balanced_accuracy,
            "Mean over classes of the share of subjects named rightly; higher is better.",
            1 / len(classes),
            "majority class",
        ),
    ]
    if len(classes) == 2:
        words = [(classes[1], "sensitivity"), (classes[0], "specificity")]
    else:
        words = [(name, f"recall of {name}") for name in classes]
    for name, word in words:
        found.append(
            metric(
                word,
                scores.recall[name],
                f"Share of subjects of class {name} named rightly; higher is better.",
                None,
                "",
            )
        )
    return found


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
    groups = {"/": root}
    taken = {*map(str, root.variables)}
    for result in results:
        name = _safe(result.target.name)
        while name in taken:  # a column named like an array, or two that differ in signs only
            name += "_target"
        taken.add(name)
        groups[f"/{name}"] = _target_arrays(result, subjects, settings)
    return xr.DataTree.from_dict(groups)


def _safe(name: str) -> str:
    return re.sub(r"\W+", "_", name).strip("_") or "target"


def _target_arrays(
    result: TargetResult, subjects: np.ndarray, settings: ConnectivitySettings
) -> xr.Dataset:
    target = result.target
    data = xr.Dataset(
        coords={"seed": np.array(settings.seeds), "subject": subjects},
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
