"""Figures of a prediction: what predicts what, beside chance."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from neuropipe.plotting import ACCENT, CYCLE, INK, MUTED, new_figure, style
from neuropipe.prediction.rows import Row, TargetResult
from neuropipe.results import ResultFigure
from neuropipe.stats.prediction_scores import Classification, Regression, Score
from neuropipe.stats.scores import roc_curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["prediction_figures"]

_GRID = np.linspace(0, 1, 101)
_MOST_CURVES = 4


def prediction_figures(results: Sequence[TargetResult]) -> list[ResultFigure]:
    """Draw one figure a target: how well each model predicts, beside its null.

    Parameters
    ----------
    results : sequence of TargetResult
    """
    with style():
        return [_target_figure(number, result) for number, result in enumerate(results, start=1)]


def _target_figure(number: int, result: TargetResult) -> ResultFigure:
    target = result.target
    n_rows = len(result.rows)
    figure = new_figure(max(2.8, 0.9 + 0.42 * n_rows))
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.35])
    if target.is_classification:
        measure, floor = "AUROC", 0.5
        scores = [_class_scores(row).auroc for row in result.rows]
        read = _draw_classes(left, result)
    else:
        measure, floor = "R2 out of sample", 0.0
        scores = [_number_scores(row).r2 for row in result.rows]
        read = _draw_numbers(left, result)
    _forest(right, result.rows, scores, measure, floor)
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", target.name).strip("-") or "target"
    return ResultFigure(
        name=f"prediction-{number}-{name}"[:80],
        title=f"Prediction of {target.name}",
        caption=(
            f"{read} Right: {measure} of every model (dot) with its 95 % interval over subjects; "
            "the grey band holds 95 % of the same number under shuffled labels, the dotted line "
            "is what a model without features reaches. Believe a model only where its dot leaves "
            "the band; models whose intervals overlap cannot be ranked. P values are not "
            "corrected for the number of models and targets."
        ),
        figure=figure,
    )


def _class_scores(row: Row) -> Classification:
    assert isinstance(row.scores, Classification)
    return row.scores


def _number_scores(row: Row) -> Regression:
    assert isinstance(row.scores, Regression)
    return row.scores


def _draw_classes(ax: Axes, result: TargetResult) -> str:
    target = result.target
    if len(target.classes) > 2:
        return _draw_recall(ax, result)
    known = np.flatnonzero(target.known)
    positive = target.values[known] == 1
    for row, color in zip(result.rows[:_MOST_CURVES], CYCLE, strict=False):
        decision = _class_scores(row).decision[:, known, 0]
        curves = []
        for values, folds in zip(decision, result.folds[:, known], strict=True):
            tested = np.isfinite(values)
            curves.append(roc_curve(positive[tested], values[tested], folds[tested], _GRID))
        ax.plot(_GRID, np.nanmean(curves, axis=0), color=color, linewidth=1.4)
    ax.plot([0, 1], [0, 1], color=MUTED, linestyle=":")
    ax.set_xlabel(f"share of {target.classes[0]} called {target.classes[1]}")
    ax.set_ylabel(f"share of {target.classes[1]} found")
    ax.set_aspect("equal")
    ax.set_xticks([0, 0.5, 1])
    ax.set_yticks([0, 0.5, 1])
    n_positive = int(positive.sum())
    which = f"of the first {_MOST_CURVES} models " if len(result.rows) > _MOST_CURVES else ""
    return (
        f"Left: ROC curves {which}in the colours of the right side, averaged over folds and seeds "
        f"({n_positive} {target.classes[1]}, "
        f"{len(known) - n_positive} {target.classes[0]}); the diagonal is guessing."
    )


def _draw_recall(ax: Axes, result: TargetResult) -> str:
    target = result.target
    scores = _class_scores(result.rows[0])
    places = np.arange(len(target.classes))
    values = [scores.recall[name].value for name in target.classes]
    chances = [scores.recall[name].chance for name in target.classes]
    ax.barh(places, values, color=ACCENT, height=0.6)
    ax.plot(chances, places, "|", color=INK, markersize=12, label="shuffled labels")
    ax.set_yticks(places, [str(name) for name in target.classes])
    ax.invert_yaxis()
    ax.set_xlim(0, 1)
    ax.set_xlabel("share named rightly")
    ax.legend(loc="lower right", fontsize=6.5)
    return (
        f"Left: share of each class named rightly by the first model ({result.rows[0].name}); "
        "bars mark shuffled labels."
    )


def _draw_numbers(ax: Axes, result: TargetResult) -> str:
    target = result.target
    best = max(result.rows, key=lambda row: _number_scores(row).r2.value)
    predicted = _number_scores(best).predicted.mean(axis=0)
    known = target.known & np.isfinite(predicted)
    truth, guess = target.values[known], predicted[known]
    ax.scatter(truth, guess, s=11, color=ACCENT, alpha=0.65, linewidths=0)
    low, high = min(truth.min(), guess.min()), max(truth.max(), guess.max())
    ax.plot([low, high], [low, high], color=MUTED, linestyle=":")
    ax.set_xlabel(f"true {target.name}")
    ax.set_ylabel(f"predicted {target.name}")
    return (
        f"Left: out-of-fold predictions of {target.name} (mean over seeds) of the model with the "
        f"highest R2, {best.name}, against the truth; perfect predictions lie on the dotted line, "
        "a flat cloud says little more than the mean."
    )


def _forest(ax: Axes, rows: list[Row], scores: list[Score], measure: str, floor: float) -> None:
    low = high = floor
    for place, score in enumerate(scores):
        shown = score.null[np.isfinite(score.null)]
        if len(shown):
            band = np.quantile(shown, [0.025, 0.975])
            ax.barh(place, band[1] - band[0], left=band[0], color=MUTED, alpha=0.3, height=0.62)
            low, high = min(low, band[0]), max(high, band[1])
        color = CYCLE[place % len(CYCLE)]
        ax.plot(score.interval, [place, place], color=color, linewidth=1.6)
        ax.plot(score.value, place, "o", color=color, markersize=5)
        low, high = min(low, *score.interval), max(high, *score.interval)
    reach = high - low
    for place, score in enumerate(scores):
        text = f"{score.value:.2f}" + (f", p = {score.p_value:.2g}" if len(score.null) else "")
        ax.text(high + 0.04 * reach, place, text, va="center", fontsize=7.5)
    ax.axvline(floor, color=INK, linestyle=":")
    ax.set_yticks(range(len(rows)), [row.name.replace(", ", ",\n") for row in rows])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xlim(low - 0.05 * reach, high + 0.42 * reach)
    ax.set_xlabel(measure)
    ax.tick_params(axis="y", length=0)
