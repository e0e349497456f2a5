"""Figures of one recording: its matrix, its edges, and known structure beside its null."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuropipe.connectivity.data import Series
from neuropipe.connectivity.fit import RecordingFit
from neuropipe.drawing import Order, draw_matrix, matrix_order, null_panel
from neuropipe.plotting import ACCENT, CYCLE, MUTED, new_figure, style
from neuropipe.results import ResultFigure
from neuropipe.stats.connectivity_matrices import edges

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["recording_figures"]


def recording_figures(series: Series, fit: RecordingFit, noun: str) -> list[ResultFigure]:
    """Draw the matrix of a recording and how its edges are distributed.

    Parameters
    ----------
    series : Series
    fit : RecordingFit
    noun : str
        What a unit is: ``"ROI"``, ``"neuron"``.
    """
    order = matrix_order(series.units, fit.correlation)
    with style():
        return [_matrix_figure(fit, order, noun), _edge_figure(fit, noun)]


def _both(fit: RecordingFit, order: Order) -> np.ndarray:
    """Correlation below, partial correlation above the drawn diagonal."""
    n = len(order.units)
    place = np.empty(n, dtype=int)
    place[order.units] = np.arange(n)
    above = place[:, None] < place[None, :]
    return np.where(above, fit.partial / _scale(fit), fit.correlation)


def _scale(fit: RecordingFit) -> float:
    """Factor that gives partial correlations the colour range of correlations."""
    ends = [float(np.quantile(np.abs(edges(m)), 0.99)) for m in (fit.partial, fit.correlation)]
    return max(ends[0] / ends[1], 1e-6)


def _matrix_figure(fit: RecordingFit, order: Order, noun: str) -> ResultFigure:
    limit = float(max(np.quantile(np.abs(edges(fit.correlation)), 0.99), 0.05))
    figure = new_figure(5.0, 6.2)
    ax = figure.subplots()
    draw_matrix(ax, _both(fit, order), order, limit, "correlation (lower triangle)")
    factor = _scale(fit)
    return ResultFigure(
        name="connectivity-matrix",
        title="Connectivity matrix",
        caption=(
            f"Correlation between {noun}s below the diagonal, partial correlation above it (given "
            f"all other {noun}s; its colours end at {limit * factor:.2f} instead of {limit:.2f}). "
            f"Ordered {order.words}. Red pairs rise and fall together, blue pairs run against each "
            "other. Look for blocks along the diagonal; a matrix that is red throughout "
            "points to a global artefact such as head movement, single dark rows to a bad "
            f"{noun}."
        ),
        figure=figure,
    )


def _edge_figure(fit: RecordingFit, noun: str) -> ResultFigure:
    all_edges = edges(fit.correlation)
    shown: list[tuple[str, np.ndarray, str]] = []
    if fit.membership is not None:
        within = edges(fit.membership @ fit.membership.T) > 0
        shown.append(("within networks", all_edges[within], CYCLE[1]))
    if len(fit.pairs):
        homologous = fit.correlation[fit.pairs[:, 0], fit.pairs[:, 1]]
        shown.append(("homologous pairs", homologous, ACCENT))
    tests = [name for name in ("homologous", "contrast") if name in fit.nulls]
    figure = new_figure(2.6)
    widths = [1.7] + [1.0] * len(tests)
    axes = figure.subplots(1, len(widths), width_ratios=widths, squeeze=False)[0]
    _densities(axes[0], all_edges, shown)
    titles = {"homologous": "homologous mean r", "contrast": "within minus between"}
    for ax, name in zip(axes[1:], tests, strict=True):
        null_panel(ax, fit.nulls[name], fit.summary[name], titles[name])
    if tests:
        axes[-1].legend(loc="upper center", fontsize=7, handlelength=1.2)
    caption = (
        f"Left: distribution of correlations over all pairs of {noun}s (grey) and over groups of "
        "pairs that are known to belong together; dashes mark means. "
    )
    if tests:
        caption += (
            "Right: the mean of those groups (blue line) against the same mean when partners or "
            "networks are dealt out at random (grey). A line inside the grey says that the known "
            "anatomy cannot be seen in this recording: suspect its labels, its length or its noise."
        )
    else:
        caption += (
            "The units name neither homologues nor networks, so that no known structure can be "
            f"tested. {100 * fit.significant.mean():.0f} % of pairs differ from zero."
        )
    return ResultFigure(name="connectivity-edges", title="Edges", caption=caption, figure=figure)


def _densities(ax: Axes, all_edges: np.ndarray, shown: list[tuple[str, np.ndarray, str]]) -> None:
    low, high = np.quantile(all_edges, [0.001, 0.999])
    for _, values, _ in shown:
        low, high = min(low, values.min()), max(high, values.max())
    bins = np.linspace(low, high, 41).tolist()
    name = f"all pairs (mean {all_edges.mean():.2f})"
    ax.hist(
        all_edges, bins, density=True, color=MUTED, alpha=0.4, label=name, histtype="stepfilled"
    )
    ax.axvline(all_edges.mean(), color=MUTED, linestyle="--")
    for text, values, color in shown:
        # Few pairs in fine bins would be a comb.
        coarse = bins if len(values) > 400 else np.linspace(low, high, 15).tolist()
        name = f"{text} (mean {values.mean():.2f})"
        ax.hist(
            values, coarse, density=True, color=color, label=name, histtype="step", linewidth=1.3
        )
        ax.axvline(values.mean(), color=color, linestyle="--")
    ax.set_xlabel("correlation")
    ax.set_ylabel("density of pairs")
    ax.set_yticks([])
    ax.set_ylim(0, ax.get_ylim()[1] * 1.35)  # room for the legend
    ax.legend(loc="upper left", fontsize=7, handlelength=1.2)
