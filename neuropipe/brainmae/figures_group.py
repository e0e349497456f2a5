"""Figures of a dataset: filled-in ROIs, likeness of ROIs, identification, and the plane of runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from neuropipe.brainmae.curves import Curve, draw_curves, note
from neuropipe.brainmae.data import Runs
from neuropipe.brainmae.evaluate_group import Difference, differences
from neuropipe.brainmae.figures import axes_words, similarity_limit
from neuropipe.brainmae.group_fit import GroupFit, Plane
from neuropipe.brainmae.heldout import OURS
from neuropipe.brainmae.identification import Identification
from neuropipe.brainmae.settings import BrainmaeSettings
from neuropipe.brainmae.similarity import PairTest, RoiSimilarity
from neuropipe.brainmae.summary import Pooled
from neuropipe.drawing import draw_matrix, matrix_order
from neuropipe.plotting import ACCENT, CYCLE, INK, MUTED, new_figure, style
from neuropipe.results import ResultFigure
from neuropipe.stats.permutation import permutation_p_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["group_figures"]

_MOST_CLASSES = 6


def group_figures(runs: Runs, fit: GroupFit, settings: BrainmaeSettings) -> list[ResultFigure]:
    """Draw what there is of a dataset.

    Parameters
    ----------
    runs : Runs
    fit : GroupFit
    settings : BrainmaeSettings
    """
    figures = []
    with style():
        if fit.pooled:
            figures.append(_scores_figure(fit.pooled, differences(fit, settings)))
        if fit.similarity is not None:
            figures.append(_similarity_figure(runs, fit.similarity))
        if fit.plane is not None:
            figures.append(_plane_figure(runs, fit, fit.plane, settings))
    return figures


def _scores_figure(pooled: Sequence[Pooled], above: Sequence[Difference]) -> ResultFigure:
    ratios = sorted({p.ratio for p in pooled})
    names = list(dict.fromkeys(p.predictor for p in pooled))
    curves = []
    for name in [OURS, *(name for name in names if name != OURS)]:
        found = sorted((p for p in pooled if p.predictor == name), key=lambda p: p.ratio)
        ends = np.array([p.interval or (np.nan, np.nan) for p in found])
        curves.append(Curve(name, np.array([p.value for p in found]), ends))
    figure = new_figure(3.0)
    left, right = figure.subplots(1, 2, width_ratios=[1.5, 1])
    draw_curves(left, ratios, curves)
    _draw_differences(right, above)
    n = max(p.n for p in pooled)
    return ResultFigure(
        name="brainmae-scores",
        title="Filling in hidden ROIs",
        caption=(
            "Left: share of the variance of hidden ROIs that is told by the visible ones, pooled "
            f"over {n} subject{'s' if n > 1 else ''} by models that have not seen them; bars are "
            "95 % bootstrap intervals over subjects. Right: how far BrainMAE is above the best of "
            "the simple predictors, on the same subjects (paired). Only above the dotted line has "
            "the network learnt more than the covariance of the ROIs tells; the wide intervals on "
            "the left do not matter for that, because subjects who are hard to fill in are hard "
            "for every predictor."
        ),
        figure=figure,
    )


def _draw_differences(ax: Axes, above: Sequence[Difference]) -> None:
    for place, (_, _, value, interval) in enumerate(above):
        if interval is not None:
            ax.plot([place, place], interval, color=ACCENT, linewidth=1.8)
        ax.plot(place, value, "o", color=ACCENT, markersize=6)
        note(ax, f"{value:+.3f}", (place, value), (7, 0))
    ax.axhline(0, color=INK, linestyle=":")
    texts = [f"{100 * ratio:.3g}\n{name}" for ratio, name, _, _ in above]
    ax.set_xticks(range(len(above)), texts)
    ax.set_xlim(-0.5, len(above) - 0.25)
    ax.margins(y=0.15)
    ax.set_xlabel("hidden ROIs (%)\nbest simple predictor")
    ax.set_ylabel(f"masked R2: {OURS}\nminus best simple predictor")


def _similarity_figure(runs: Runs, found: RoiSimilarity) -> ResultFigure:
    order = matrix_order(runs.units, found.matrix)
    tests = found.tests
    figure = new_figure(4.6 + 0.45 * len(tests), 6.2)
    limit = similarity_limit(found.matrix)
    if tests:
        top, below = figure.subplots(2, 1, height_ratios=[4.4, 0.3 + 0.4 * len(tests)])
        _draw_tests(below, tests)
    else:
        top = figure.subplots()
    draw_matrix(top, found.matrix, order, limit, "cosine similarity of embeddings")
    agreement = (
        f" Matrices of models trained on different folds correlate with {found.agreement:.2f}."
        if np.isfinite(found.agreement)
        else ""
    )
    tested = (
        " Below: probability that two ROIs of the same network, or left and right partners "
        "(homologues), are more alike than another pair; the grey band holds 95 % of what ROIs "
        "dealt out at random give."
        if tests
        else ""
    )
    return ResultFigure(
        name="brainmae-similarity",
        title="Likeness of ROI embeddings",
        caption=(
            "Cosine similarity between the vectors that the model has learnt for the ROIs. "
            f"Ordered {order.words}. The model was told neither networks nor hemispheres nor "
            "coordinates; blocks along the diagonal are what it found. With mean connectivity the "
            f"matrix correlates with {found.with_connectivity:.2f} (Spearman).{agreement}{tested}"
        ),
        figure=figure,
    )


def _draw_tests(ax: Axes, tests: Sequence[PairTest]) -> None:
    for place, test in enumerate(tests):
        low, high = np.quantile(test.null, [0.025, 0.975])
        ax.barh(place, high - low, left=low, color=MUTED, alpha=0.35, height=0.6)
        ax.plot(test.auc, place, "o", color=ACCENT, markersize=6)
        p = float(permutation_p_value(test.auc, test.null))
        note(ax, f"{test.auc:.2f}, p = {p:.2g}", (test.auc, place), (7, 0))
    ax.axvline(0.5, color=INK, linestyle=":")
    ax.set_yticks(range(len(tests)), [test.name for test in tests])
    ax.set_ylim(len(tests) - 0.5, -0.5)
    ax.set_xlim(min(0.35, *(test.auc - 0.05 for test in tests)), 1.25)
    ax.set_xticks([0.5, 0.75, 1.0])
    ax.spines["bottom"].set_bounds(ax.get_xlim()[0], 1.0)
    ax.set_xlabel("probability of being more alike (AUC)")
    ax.tick_params(axis="y", length=0)


def _plane_figure(
    runs: Runs, fit: GroupFit, plane: Plane, settings: BrainmaeSettings
) -> ResultFigure:
    figure = new_figure(3.2)
    left, right = figure.subplots(1, 2, width_ratios=[1.35, 1])
    words = _draw_plane(left, runs, fit, plane)
    axes_words(left, plane)
    caption = (
        f"{'Left: all' if fit.identification else 'All'} {len(plane.recordings)} runs in the plane "
        "of the first two principal components of their features "
        f"({' and '.join(settings.pool)}, by the final model){words}. Two components rarely tell "
        "labels apart: the predictions say whether all features do."
    )
    if fit.identification is None:
        right.set_visible(False)
    else:
        _draw_identification(right, fit.identification, settings)
        caption += (
            " Right: how often one half of a run finds its other half among the "
            f"{round(1 / fit.identification.chance)} subjects, by the features of a model that has "
            "not seen the subject and by static connectivity, with 95 % intervals over subjects; "
            "dotted: chance. Features that cannot tell subjects apart hold little that is "
            "individual."
        )
    return ResultFigure(
        name="brainmae-runs", title="Runs and subjects", caption=caption, figure=figure
    )


def _draw_plane(ax: Axes, runs: Runs, fit: GroupFit, plane: Plane) -> str:
    result = next((r for r in fit.results if r.target.is_classification), None)
    if result is None:
        ax.plot(*plane.position.T, "o", color=ACCENT, markersize=5, alpha=0.7, markeredgewidth=0)
        return ""
    target = result.target
    place = {name: k for k, name in enumerate(fit.split.subjects)}
    owner = {run.recording: place[run.subject] for run in runs.runs}
    subject = np.array([owner[name] for name in plane.recordings])
    value = np.where(target.known, target.values, -1)[subject]
    for number, name in enumerate(target.classes[:_MOST_CLASSES]):
        chosen = value == number
        ax.plot(*plane.position[chosen].T, "o", color=CYCLE[number], markersize=5, alpha=0.75,
                markeredgewidth=0, label=str(name))  # fmt: skip
    rest = (value < 0) | (value >= _MOST_CLASSES)
    if rest.any():
        ax.plot(*plane.position[rest].T, "o", color=MUTED, markersize=4, fillstyle="none",
                label="others")  # fmt: skip
    ax.legend(title=target.name, fontsize=7.5, title_fontsize=7.5, loc="best", handletextpad=0.2)
    return f", coloured by {target.name}"


def _draw_identification(ax: Axes, found: Identification, settings: BrainmaeSettings) -> None:
    rows = [
        (OURS, found.embedding, ACCENT),
        ("static\nconnectivity", found.connectivity, CYCLE[1]),
    ]
    for place, (_, values, color) in enumerate(rows):
        low, high = found.interval(values, settings.n_resamples, settings.seeds[0])
        ax.plot([100 * low, 100 * high], [place, place], color=color, linewidth=1.8)
        ax.plot(100 * values.mean(), place, "o", color=color, markersize=6)
        note(ax, f"{100 * values.mean():.0f} %", (100 * values.mean(), place), (0, 8), ha="center")
    ax.axvline(100 * found.chance, color=INK, linestyle=":")
    ax.set_yticks(range(len(rows)), [name for name, _, _ in rows])
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_xlim(-3, 108)
    ax.set_xlabel("halves identified (%)")
    ax.tick_params(axis="y", length=0)
