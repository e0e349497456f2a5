"""The numbers of a subject's representations: each beside a baseline, chance and an interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from neuropipe.results import Metric, Verdict, finite
from neuropipe.stats.multiple import holm
from neuropipe.stats.resampling import Interval, bootstrap_interval
from neuropipe.trsa.controls import ModelControls
from neuropipe.trsa.fit import Representations
from neuropipe.trsa.geometry.measures import GeometrySummary, Measure
from neuropipe.trsa.settings import TrsaSettings

__all__ = ["subject_facts", "subject_metrics", "subject_warnings"]

_MOST_MODELS = 4
_FEWEST_FOLDS = 3  # for an interval over folds
_FOLDS = {"runs": "runs", "trials": "parts of one run", "repeats": "sets of repeats"}


def subject_metrics(found: Sequence[Representations], settings: TrsaSettings) -> list[Metric]:
    """Reliability, discrimination, models, dimension, topology and abstraction of every set.

    Parameters
    ----------
    found : sequence of Representations
    settings : TrsaSettings
    """
    metrics = []
    for one in found:
        suffix = f" ({one.responses.name})" if len(found) > 1 else ""
        parts = [
            *_reliability(one, settings),
            *_models(one, settings),
            *_topology(one, settings),
            *_geometry(one.geometry, settings),
        ]
        metrics += [_renamed(metric, suffix) for metric in parts]
    return metrics


def _renamed(metric: Metric, suffix: str) -> Metric:
    return replace(metric, name=metric.name + suffix) if suffix else metric


def _verdict(p: float, alpha: float) -> Verdict | None:
    if not np.isfinite(p):
        return None
    return "good" if p <= alpha else "doubtful"


def _interval(interval: Interval) -> Interval | None:
    return interval if np.isfinite(interval).all() else None


def _reliability(found: Representations, settings: TrsaSettings) -> list[Metric]:
    whole = found.regions[0]
    told, halves = whole.discrimination, whole.reliability
    folds = _FOLDS[found.responses.folds]
    known = told.by_fold[np.isfinite(told.by_fold)]
    bounds = f"good when p is at most {settings.alpha:g}, else doubtful"
    metrics = []
    if np.isfinite(told.accuracy):
        interval = bootstrap_interval(100 * known) if len(known) >= _FEWEST_FOLDS else None
        metrics.append(
            Metric(
                name="conditions told apart",
                value=100 * told.accuracy,
                unit="%",
                description=f"Patterns of left-out {folds} that are nearest to the mean of their "
                "own condition in the others, over all units; higher is better. p "
                f"{told.p:.2g} by shuffled conditions, interval over {folds}.",
                chance=100 * told.chance,
                interval=interval,
                n=len(known),
                seed=settings.seed,
                split=f"one of {len(found.responses.patterns.folds)} {folds} left out at a time",
                verdict=_verdict(told.p, settings.alpha),
                bounds=bounds,
                better="higher",
            )
        )
    if np.isfinite(halves.value):
        metrics.append(
            Metric(
                name="RDM repeats in halves",
                value=halves.value,
                description=f"Likeness ({settings.comparison}) of the RDMs of two halves of the "
                f"{folds}, mean over {halves.n_splits} ways to halve them; higher is better. p "
                f"{halves.p:.2g} by relabelled conditions, interval over conditions.",
                chance=float(np.mean(halves.null)) if len(halves.null) else None,
                interval=_interval(halves.interval),
                n=found.rdms.n_conditions,
                seed=settings.seed,
                split=f"halves of the {folds}",
                verdict=_verdict(halves.p, settings.alpha),
                bounds=bounds,
                better="higher",
            )
        )
    regions = found.regions[1:]
    p_values = np.array([one.reliability.p for one in regions])
    if np.isfinite(p_values).any():
        metrics.append(
            Metric(
                name="regions whose RDM repeats",
                value=float((holm(p_values) <= settings.alpha).sum()),
                description=f"Regions, of {len(regions)}, with likeness of halves above that of "
                "relabelled conditions (Holm-corrected); higher is better.",
                chance=settings.alpha,
                n=len(regions),
                seed=settings.seed,
                better="higher",
            )
        )
    return metrics


def _models(found: Representations, settings: TrsaSettings) -> list[Metric]:
    """Scores of the models over all units, best first; the first says what they are."""
    whole = found.regions[0]
    if whole.evaluation is None:
        return []
    table = whole.evaluation.table().sort_values("score", ascending=False, kind="stable")
    halves = whole.reliability.value
    words = (
        f"Likeness ({settings.comparison}) of the model's RDM to that of all units; higher is "
        "better. Halves of the data have half the trials each: a good model of the whole may lie "
        "above them. The interval is for new conditions of this subject, p by relabelled "
        "conditions. "
    )
    return [
        Metric(
            name=f"model {row['model']}",
            value=float(row["score"]),
            description=(words if k == 0 else "")
            + f"p {row['p_permutation']:.2g} ({row['p_permutation_any']:.2g} for any of "
            f"{len(table)}).{_beyond(found.controls, str(row['model']))}",
            baseline=finite(halves),
            baseline_name="halves of the data",
            chance=0.0,
            interval=(float(row["low"]), float(row["high"])),
            n=found.rdms.n_conditions,
            seed=settings.seed,
            better="higher",
        )
        for k, (_, row) in enumerate(table.head(_MOST_MODELS).iterrows())
    ]


def _beyond(controls: ModelControls | None, model: str) -> str:
    """Score beyond the nuisance models, in words."""
    if controls is None:
        return ""
    value = controls.partial[controls.models.index(model)]
    others = [name for name in controls.nuisances if name != model]
    return f" Beyond {', '.join(others)}: {value:.2f}." if np.isfinite(value) else ""


def _topology(found: Representations, settings: TrsaSettings) -> list[Metric]:
    words = {0: "gaps between parts", 1: "loops", 2: "voids"}
    return [
        Metric(
            name=f"longest-lived of the {words[test.dimension]}",
            value=test.largest,
            description="Longest persistence in the Rips complex of all units' mean patterns, in "
            "units of their root mean square distance. Chance is the median of Gaussian clouds of "
            f"the same covariance (p {test.p_largest:.2g}, one-sided); what lies below is no "
            "shape of its own. Neither way is better.",
            chance=float(np.median(test.null_largest)),
            n=min(found.rdms.n_conditions, settings.topology.max_points),
            seed=settings.seed,
        )
        for test in found.regions[0].homology
    ]


def _geometry(geometry: GeometrySummary | None, settings: TrsaSettings) -> list[Metric]:
    if geometry is None:
        return []
    metrics = []
    corrected = geometry.participation_ratio_corrected
    if np.isfinite(corrected.value):
        metrics.append(
            Metric(
                name="participation ratio",
                value=corrected.value,
                description="Dimensions that the condition means spread over, corrected for the "
                "noise of single trials; the baseline is the plain ratio, which noise raises. "
                "Neither way is better.",
                baseline=finite(geometry.participation_ratio.value),
                baseline_name="not corrected",
                interval=_interval(corrected.interval),
                n=geometry.n_conditions,
                seed=settings.seed,
            )
        )
    if geometry.shattering is not None:
        metrics.append(
            _beside_null(
                "shattering dimensionality",
                geometry.shattering,
                100,
                "Mean accuracy of linear readouts of all balanced dichotomies of the conditions, "
                "on left-out repeats; higher means more can be read out.",
                geometry.n_conditions,
                settings.seed,
            )
        )
    for factor in geometry.factors:
        metrics += [
            _beside_null(
                f"generalisation of {factor.name}",
                factor.generalisation,
                100,
                "Accuracy of a linear readout of the factor on conditions that it was not trained "
                "on (CCGP); higher is more abstract. Chance: condition means turned at random.",
                geometry.n_conditions,
                settings.seed,
            ),
            _beside_null(
                f"parallelism of {factor.name}",
                factor.parallelism,
                1,
                "Mean cosine between the factor's coding directions in pairs of conditions; "
                "higher is more abstract, 1 is a factorised code. Chance: condition means turned "
                "at random.",
                geometry.n_conditions,
                settings.seed,
            ),
        ]
    return metrics


def _beside_null(
    name: str, measure: Measure, scale: float, words: str, n: int, seed: int
) -> Metric:
    known = measure.null[np.isfinite(measure.null)]
    low, high = (scale * end for end in measure.interval)
    return Metric(
        name=name,
        value=finite(scale * measure.value),
        unit="%" if scale == 100 else "",
        description=words + (f" p {measure.p_value:.2g}." if len(known) else ""),
        chance=scale * float(known.mean()) if len(known) else None,
        interval=_interval((low, high)),
        n=n,
        seed=seed,
        better="higher",
    )


def _count(n: int, noun: str) -> str:
    first, *rest = noun.split(" ", 1)
    return " ".join([str(n), first.removesuffix("s") if n == 1 else first, *rest])


def subject_facts(found: Sequence[Representations]) -> dict[str, str]:
    """Short facts for the overview.

    Parameters
    ----------
    found : sequence of Representations
    """
    facts = {}
    for one in found:
        suffix = f" ({one.responses.name})" if len(found) > 1 else ""
        patterns = one.responses.patterns
        n_regions = len(one.regions) - 1
        facts[f"patterns{suffix}"] = (
            f"{len(patterns.conditions)} conditions x {len(patterns.channels)} units"
            + (f" in {n_regions} regions" if n_regions else "")
        )
        facts[f"folds{suffix}"] = _count(len(patterns.folds), _FOLDS[one.responses.folds])
        facts[f"dissimilarity{suffix}"] = one.measure
    return facts


def subject_warnings(found: Sequence[Representations], settings: TrsaSettings) -> list[str]:
    """What a reader must know before trusting the numbers.

    Parameters
    ----------
    found : sequence of Representations
    settings : TrsaSettings
    """
    warnings = []
    for one in found:
        start = f"{one.responses.name}: " if len(found) > 1 else ""
        said = list(one.warnings)
        halves = one.regions[0].reliability
        if np.isnan(halves.value):
            said.append("There is one fold: nothing tells whether the RDM would come out again.")
        elif halves.p > settings.alpha:
            said.append(
                f"The RDM of all units does not repeat in halves of the data beyond chance (p "
                f"{halves.p:.2g}): trust neither models nor its shape."
            )
        if one.geometry is not None and one.geometry.features is not None:
            said += [one.geometry.features.caution] * bool(one.geometry.features.caution)
        warnings += [start + words for words in said]
    return warnings
