"""The numbers of a prediction: each model beside a baseline, chance and an interval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neuropipe.prediction.rows import ALONE, Row, TargetResult
from neuropipe.prediction.settings import PredictionSettings
from neuropipe.prediction.targets import Target
from neuropipe.results import Metric, finite
from neuropipe.stats.prediction_scores import Classification, Regression, Score

__all__ = ["prediction_metrics"]


def prediction_metrics(
    results: Sequence[TargetResult], settings: PredictionSettings, baseline: str = ALONE
) -> list[Metric]:
    """Scores of every model of every target.

    Parameters
    ----------
    results : sequence of TargetResult
    settings : PredictionSettings
    baseline : str
        Name of the row beside which AUROC and R2 of the others stand, where a target has it; else
        they stand beside guessing.
    """
    metrics = []
    for result in results:
        beside = next((row for row in result.rows if row.name == baseline), None)
        for row in result.rows:
            metrics += _row_metrics(result.target, row, None if row is beside else beside, settings)
    return metrics


def _row_metrics(
    target: Target, row: Row, beside: Row | None, settings: PredictionSettings
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
            description=what + _p_words(score, row.refitted),
            better="lower" if "error" in name else "higher",
            baseline=baseline,
            baseline_name=baseline_name if baseline is not None else "",
            chance=finite(score.chance),
            interval=score.interval if np.isfinite(score.interval).all() else None,
            **common,  # type: ignore[arg-type]
        )

    scores = row.scores
    other = None if beside is None else beside.scores
    given = "" if beside is None else beside.name
    if isinstance(scores, Classification):
        if isinstance(other, Classification):
            return _class_metrics(target, scores, metric, other.auroc.value, given)
        return _class_metrics(target, scores, metric, 0.5, "majority class")
    base = max(other.r2.value, 0.0) if isinstance(other, Regression) else 0.0
    named = given if base > 0 else "training mean"
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


def _p_words(score: Score, refitted: bool) -> str:
    if not np.isfinite(score.p_value):
        return " Undefined here: the predictions do not vary."
    how = "" if refitted else ", the model not refitted"
    return f" p = {score.p_value:.2g} ({len(score.null)} label permutations{how})."


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
