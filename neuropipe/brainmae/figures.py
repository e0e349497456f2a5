"""Figures of one run: filled-in ROIs, its place among the runs, attention, likeness of ROIs.

Axis legend: k segments, n ROIs, l points.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from neuropipe.brainmae.curves import Curve, color_of, draw_curves, note, with_minus
from neuropipe.brainmae.data import Run, Runs, segment_seconds
from neuropipe.brainmae.evaluate import MaskedR2, masked_r2, share_words
from neuropipe.brainmae.group_fit import Plane
from neuropipe.brainmae.heldout import OURS
from neuropipe.brainmae.recording_fit import Example, RecordingFit
from neuropipe.brainmae.settings import BrainmaeSettings
from neuropipe.drawing import draw_matrix, matrix_order
from neuropipe.plotting import ACCENT, CYCLE, FAINT, INK, MUTED, WIDTH, new_figure, style
from neuropipe.recording import MISSING
from neuropipe.results import ResultFigure
from neuropipe.stats.connectivity_matrices import edges
from neuropipe.units import column

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["example_rois", "recording_figures", "similarity_limit"]

_MOST_ROIS, _MOST_SEGMENTS, _MOST_TYPES = 6, 24, 6


def recording_figures(
    runs: Runs, fit: RecordingFit, everyone: pd.DataFrame, settings: BrainmaeSettings
) -> list[ResultFigure]:
    """Draw what there is of a run.

    Parameters
    ----------
    runs : Runs
        One run.
    fit : RecordingFit
    everyone : pandas.DataFrame
        Scores of all left-out runs of the dataset by the first seed's models.
    settings : BrainmaeSettings
    """
    run = runs.runs[0]
    seconds = segment_seconds(settings.segments, run.step)
    figures = []
    with style():
        scored = masked_r2(fit.scores)
        if scored is not None:
            figures.append(_scores_figure(run, fit.left_out_by, scored, everyone))
        if fit.example is not None:
            figures.append(_example_figure(runs, fit, fit.example, seconds))
        if fit.plane is not None:
            figures.append(_plane_figure(run, fit.plane, settings))
        figures.append(_attention_figure(run, fit, seconds))
        if fit.similarity is not None:
            figures.append(_similarity_figure(runs, fit.similarity))
    return figures


def _scores_figure(
    run: Run, left_out_by: str, scored: MaskedR2, everyone: pd.DataFrame
) -> ResultFigure:
    middle = int(np.abs(np.array(scored.ratios) - 0.5).argmin())
    best = scored.best_other(middle)
    figure = new_figure(3.0, WIDTH if best else 0.6 * WIDTH)
    left, *right = figure.subplots(
        1, 2 if best else 1, width_ratios=[1.5, 1][: 2 if best else 1], squeeze=False
    )[0]
    curves = [Curve(*pair) for pair in zip(scored.predictors, scored.values, strict=True)]
    draw_curves(left, scored.ratios, curves)
    caption = (
        "Share of the variance of hidden ROIs that is told by the visible ones, by a model that "
        f"has not seen the subject ({left_out_by}) and by simple predictors fitted to the same "
        "training runs; in brackets the value at the right end. Wiener filter and ridge regression "
        "are linear: a model below them has learnt no more than the covariance. 0 is the training "
        "mean; a curve that leaves the axes is worse than it."
    )
    if best:
        _against(right[0], run, everyone, scored.ratios[middle], best[0])
        caption = (
            f"Left: {caption[0].lower()}{caption[1:]} Right: BrainMAE against {best[0]} at "
            f"{share_words(scored.ratios[middle])}, one point a run of the dataset, each by a "
            "model that has not seen it; this run is blue. Above the line BrainMAE is better; a "
            "run far to the lower left is noisy, or unlike the others."
        )
    return ResultFigure(
        name="brainmae-scores", title="Filling in hidden ROIs", caption=caption, figure=figure
    )


def _against(ax: Axes, run: Run, everyone: pd.DataFrame, ratio: float, best: str) -> None:
    scored = everyone[(everyone["segments"] == "all") & np.isclose(everyone["ratio"], ratio)]
    table = scored.pivot_table(index="recording", columns="predictor", values="r2")
    x, y = table[best], table[OURS]
    low, high = float(min(x.min(), y.min())), float(max(x.max(), y.max()))
    reach = max(high - low, 0.02) * 0.12
    ends = (low - reach, high + reach)
    ax.plot(ends, ends, color=MUTED, linestyle=":")
    ax.plot(x, y, "o", color=MUTED, markersize=4, alpha=0.6, markeredgewidth=0)
    ax.plot(x[run.recording], y[run.recording], "o", color=ACCENT, markersize=7)
    ax.set_xlim(ends)
    ax.set_ylim(ends)
    ax.set_aspect("equal")
    ax.set_xlabel(f"masked R2, {best}")
    ax.set_ylabel(f"masked R2, {OURS}")


def _hidden_r2(example: Example, predicted: np.ndarray) -> np.ndarray:
    """R2 of every ROI over the segments that hide it, against 0; NaN where none does."""
    hidden = example.hidden[..., None]
    error = np.where(hidden, (example.truth - predicted) ** 2, 0.0).sum(axis=(0, 2))
    power = np.where(hidden, example.truth**2, 0.0).sum(axis=(0, 2))
    r2: np.ndarray = 1 - error / np.where(power > 0, power, np.nan)
    return r2


def example_rois(example: Example, units: pd.DataFrame) -> list[tuple[int, str]]:
    """Choose ROIs that stand for the others, with the words for the choice.

    Parameters
    ----------
    example : Example
    units : pandas.DataFrame

    Returns
    -------
    list of (int, str)
        The ROI of the median R2 of every network (of the largest ones); without networks the
        best, the median and the worst ROI.
    """
    r2 = _hidden_r2(example, example.model)
    known = np.flatnonzero(np.isfinite(r2))
    networks = column(units, "network")
    if networks is None:
        ranked = known[np.argsort(-r2[known])]
        places = [(0, "best"), (len(ranked) // 2, "median"), (-1, "worst")]
        return [(int(ranked[place]), words) for place, words in places] if len(ranked) else []
    names, counts = np.unique(networks[known], return_counts=True)
    largest = [name for name in names[np.argsort(-counts, kind="stable")] if name != MISSING]
    chosen = []
    for name in sorted(largest[:_MOST_ROIS]):
        members = known[networks[known] == name]
        ranked = members[np.argsort(-r2[members])]
        chosen.append((int(ranked[len(ranked) // 2]), str(name)))
    return chosen


def _example_figure(
    runs: Runs, fit: RecordingFit, example: Example, seconds: float
) -> ResultFigure:
    rois = example_rois(example, runs.units)
    n_shown = min(len(example.truth), _MOST_SEGMENTS)
    n_points = example.truth.shape[2]
    times = fit.start[:n_shown, None] + (np.arange(n_points) + 0.5) * seconds / n_points
    r2 = {OURS: _hidden_r2(example, example.model), "Wiener": _hidden_r2(example, example.wiener)}
    figure = new_figure(0.75 + 0.78 * len(rois))
    axes = figure.subplots(len(rois), 1, sharex=True, squeeze=False)[:, 0]
    for ax, (roi, words) in zip(axes, rois, strict=True):
        _trace(ax, example, roi, times, seconds)
        name = str(runs.units.index[roi])
        found = ", ".join(f"{key} {values[roi]:.2f}" for key, values in r2.items())
        text = with_minus(f"{name} ({words}): R2 {found}")
        ax.set_title(text, fontsize=7.5, fontweight="normal", pad=2)
    axes[-1].set_xlabel("time (s)")
    axes[len(axes) // 2].set_ylabel("signal (z)")
    handles = axes[0].get_lines()
    named = {str(line.get_label()): line for line in handles}
    shown = {key: line for key, line in named.items() if not key.startswith("_")}
    figure.legend(shown.values(), shown.keys(), loc="outside upper right", ncols=3, fontsize=8)
    rest = "" if n_shown == len(example.truth) else f" The first {n_shown} segments are shown."
    which = (
        "the ROI of the median R2 of each network"
        if column(runs.units, "network") is not None
        else "the best, the median and the worst ROI"
    )
    return ResultFigure(
        name="brainmae-example",
        title="What is filled in",
        caption=(
            f"Measured signal (black) of {which}. In shaded segments the ROI was hidden and "
            f"filled in from the visible {100 * (1 - example.ratio):.0f} % of ROIs, by BrainMAE "
            f"(blue; model {fit.left_out_by}, which has not seen the subject) and by the Wiener "
            "filter (orange). R2 is over all hidden segments of that ROI. Slow swings should be "
            "followed; an amplitude that is too small is the honest answer to what the other ROIs "
            f"do not tell.{rest}"
        ),
        figure=figure,
    )


def _trace(ax: Axes, example: Example, roi: int, times: np.ndarray, seconds: float) -> None:
    n_shown = len(times)
    truth = example.truth[:n_shown, roi]
    hidden = example.hidden[:n_shown, roi]
    for k in np.flatnonzero(hidden):
        first = times[k, 0] - seconds / truth.shape[1] / 2
        ax.axvspan(first, first + seconds, color=FAINT, linewidth=0)
    ax.plot(times.ravel(), truth.ravel(), color=INK, linewidth=0.9, label="measured")
    for name, values in (("Wiener", example.wiener), (OURS, example.model)):
        shown = np.where(hidden[:, None], values[:n_shown, roi], np.nan)
        # A gap after each segment: neighbours were filled in apart.
        x = np.column_stack([times, np.full(n_shown, np.nan)]).ravel()
        y = np.column_stack([shown, np.full(n_shown, np.nan)]).ravel()
        ax.plot(x, y, color=color_of(name), linewidth=1.4, label=name)
    ax.set_xlim(0, times[-1, -1] + seconds / truth.shape[1] / 2)
    ax.margins(y=0.08)


def _plane_figure(run: Run, plane: Plane, settings: BrainmaeSettings) -> ResultFigure:
    figure = new_figure(3.1, 4.2)
    ax = figure.subplots()
    mine = f"sub-{run.subject}"
    same = [name == mine or name.startswith(f"{mine}_") for name in plane.recordings]
    here = np.array(plane.recordings) == run.recording
    kin = np.array(same) & ~here
    others = ~here & ~kin
    ax.plot(*plane.position[others].T, "o", color=MUTED, markersize=5, alpha=0.6, markeredgewidth=0)
    ax.plot(*plane.position[kin].T, "o", color=ACCENT, markersize=5, fillstyle="none")
    ax.plot(*plane.position[here].T, "o", color=ACCENT, markersize=8)
    for x, y in plane.position[here]:
        note(ax, "this run", (x, y), (8, 0), color=ACCENT)
    axes_words(ax, plane)
    other_runs = " Rings are the subject's other runs." if kin.any() else ""
    return ResultFigure(
        name="brainmae-plane",
        title="The run among the others",
        caption=(
            f"All {len(here)} runs of the dataset in the plane of the first two principal "
            f"components of their features ({' and '.join(settings.pool)}, by the final model); "
            f"this run is the large blue dot.{other_runs} A run far out is unlike the others: look "
            "at its quality page before believing that its subject is."
        ),
        figure=figure,
    )


def axes_words(ax: Axes, plane: Plane) -> None:
    """Name the axes of a plane, and keep its proportions."""
    ax.set_xlabel(f"component 1 ({100 * plane.explained[0]:.0f} % of variance)")
    ax.set_ylabel(f"component 2 ({100 * plane.explained[1]:.0f} %)")
    ax.set_aspect("equal", adjustable="datalim")
    ax.margins(0.12)


def _attention_figure(run: Run, fit: RecordingFit, seconds: float) -> ResultFigure:
    share = 100 * fit.embedding.attention
    uniform = 100 / len(share)
    types = _trial_types(run)
    figure = new_figure(2.3 + 0.2 * len(types))
    if types:
        ax, below = figure.subplots(2, 1, sharex=True, height_ratios=[2.0, 0.24 * len(types) + 0.1])
        _events(below, run, types)
        lowest = below
    else:
        ax = lowest = figure.subplots()
    look = {"color": ACCENT, "edgecolor": "white", "linewidth": 0.6}
    ax.bar(fit.start, share, width=seconds, align="edge", **look)
    ax.axhline(uniform, color=INK, linestyle=":")
    ax.set_ylabel("share of the\nrun's token (%)")
    ax.set_xlim(0, max(run.duration, fit.start[-1] + seconds))
    ax.set_ylim(0, max(float(share.max()), uniform) * 1.15)
    note(ax, "uniform", (ax.get_xlim()[1], uniform), (3, 0))
    lowest.set_xlabel("time (s)")
    events = " Below: the events of the run, by their type." if types else ""
    return ResultFigure(
        name="brainmae-attention",
        title="Attention over segments",
        caption=(
            "How much of the state of the run's token flows from each segment (attention rollout "
            f"through the final model, in % of all segments); dotted: an equal share.{events} "
            "Attention alone is no evidence that a segment matters: weights can be high where "
            "nothing would change without the segment. Take a peak as a question to ask of the "
            "data."
        ),
        figure=figure,
    )


def _trial_types(run: Run) -> list[str]:
    """Types of events, the most frequent ones."""
    if run.events is None or not len(run.events):
        return []
    if "trial_type" not in run.events:
        return ["event"]
    counts = run.events["trial_type"].astype(str).value_counts()
    return sorted(str(name) for name in counts.index[:_MOST_TYPES])


def _events(ax: Axes, run: Run, types: list[str]) -> None:
    assert run.events is not None
    table = run.events
    kind = table["trial_type"].astype(str) if "trial_type" in table else "event"
    for place, name in enumerate(types):
        chosen = table[kind == name] if "trial_type" in table else table
        spans = [
            (float(onset), max(float(length), 0.004 * run.duration))
            for onset, length in zip(chosen["onset"], chosen["duration"].fillna(0), strict=True)
            if np.isfinite(onset)
        ]
        ax.broken_barh(spans, (place - 0.35, 0.7), color=CYCLE[1:][place % (len(CYCLE) - 1)])
    ax.set_yticks(range(len(types)), types)
    ax.set_ylim(len(types) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)


def similarity_limit(matrix: np.ndarray) -> float:
    """End of the colours of a similarity matrix."""
    return float(max(np.quantile(np.abs(edges(matrix)), 0.99), 0.05))


def _similarity_figure(runs: Runs, similarity: np.ndarray) -> ResultFigure:
    order = matrix_order(runs.units, similarity)
    figure = new_figure(5.0, 6.2)
    limit = similarity_limit(similarity)
    draw_matrix(figure.subplots(), similarity, order, limit, "cosine similarity of embeddings")
    return ResultFigure(
        name="brainmae-similarity",
        title="Likeness of ROI embeddings",
        caption=(
            "Cosine similarity between the vectors that the final model has learnt for the ROIs. "
            f"Ordered {order.words}. The same for every run of the dataset: ROIs are alike (red) "
            "where the model fills one in from the other. Blocks along the diagonal mean that it "
            "found the networks without being told of them; the section of the dataset tests it."
        ),
        figure=figure,
    )
