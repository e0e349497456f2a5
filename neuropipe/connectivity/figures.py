"""Figures of one recording, and the matrix drawing that group figures share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from neuropipe.connectivity.data import Series, column
from neuropipe.connectivity.fit import RecordingFit
from neuropipe.connectivity.model import edges
from neuropipe.plotting import ACCENT, CYCLE, DIVERGING, FAINT, INK, MUTED, new_figure, style
from neuropipe.recording import MISSING
from neuropipe.results import ResultFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Order", "draw_matrix", "matrix_order", "null_panel", "pooled", "recording_figures"]

_LEVELS = 33  # colours of a matrix image: enough for the eye, few enough for a small file
_MOST_CELLS = 200  # rows and columns that a report's column can show
_MOST_LABELS = 24  # group names that fit along an axis


@dataclass(frozen=True)
class Order:
    """Order of units in a drawn matrix.

    Parameters
    ----------
    units : array of int of shape (n_units,)
        Positions of the units from top to bottom.
    groups : list of (str, int)
        Name and size of each run of units that belong together; empty for none.
    words : str
        The order, said in words for a caption.
    """

    units: np.ndarray
    groups: list[tuple[str, int]]
    words: str


def matrix_order(units: pd.DataFrame, matrix: np.ndarray) -> Order:
    """Order units by network and hemisphere where the table tells them, else by likeness.

    Parameters
    ----------
    units : pandas.DataFrame
    matrix : array of shape (n_units, n_units)
        Correlations.
    """
    networks, sides = column(units, "network"), column(units, "hemisphere")
    if networks is not None:
        second = np.zeros(len(units)) if sides is None else sides
        order = np.array(
            sorted(
                range(len(units)),
                key=lambda i: (networks[i] == MISSING, networks[i], str(second[i]), i),
            )
        )
        words = "by network" + ("" if sides is None else ", left before right hemisphere")
        return Order(order, _runs(networks[order]), words)
    if sides is not None:
        order = np.array(sorted(range(len(units)), key=lambda i: (sides[i], i)))
        words = "left before right hemisphere"
        if "homologue" in units:
            words += "; homologous pairs stand on the diagonal of the off-diagonal blocks"
        return Order(order, _runs(sides[order]), words)
    _, vectors = np.linalg.eigh(matrix)
    angle = np.arctan2(vectors[:, -2], vectors[:, -1])
    order = np.argsort(angle)
    gaps = np.diff(angle[order], append=angle[order[0]] + 2 * np.pi)
    order = np.roll(order, -(int(np.argmax(gaps)) + 1))
    return Order(order, [], "by their angle in the plane of the first two principal components")


def _runs(names: np.ndarray) -> list[tuple[str, int]]:
    starts = np.flatnonzero(np.append(True, names[1:] != names[:-1]))
    sizes = np.diff(np.append(starts, len(names)))
    return [(str(names[start]), int(size)) for start, size in zip(starts, sizes, strict=True)]


def pooled(matrix: np.ndarray, size: int) -> np.ndarray:
    """Average neighbouring rows and columns until a square matrix is small enough to draw.

    Parameters
    ----------
    matrix : array of shape (n_units, n_units)
        NaN is left out of the averages.
    size : int
        Largest number of rows.

    Returns
    -------
    array of shape (min(n_units, size), min(n_units, size))
    """
    n = len(matrix)
    if n <= size:
        return matrix
    starts = np.linspace(0, n, size, endpoint=False).astype(int)
    known = np.isfinite(matrix)
    sums = [
        np.add.reduceat(np.add.reduceat(values, starts, axis=0), starts, axis=1)
        for values in (np.where(known, matrix, 0.0), known.astype(float))
    ]
    return np.divide(sums[0], sums[1], out=np.full_like(sums[0], np.nan), where=sums[1] > 0)


def draw_matrix(ax: Axes, matrix: np.ndarray, order: Order, limit: float, label: str) -> None:
    """Draw an ordered matrix with its groups and a colour bar.

    Parameters
    ----------
    ax : Axes
    matrix : array of shape (n_units, n_units)
        In the order of the unit table; the diagonal is left blank.
    order : Order
    limit : float
        Colours run from minus to plus this value.
    label : str
        Of the colour bar.
    """
    shown = matrix[np.ix_(order.units, order.units)].astype(float)
    np.fill_diagonal(shown, np.nan)
    n = len(shown)
    scaled = np.clip(pooled(shown, _MOST_CELLS) / limit, -1, 1)
    steps = np.round(scaled * (_LEVELS // 2)) / (_LEVELS // 2) * limit
    image = ax.imshow(
        steps, cmap=DIVERGING, vmin=-limit, vmax=limit, interpolation="none", extent=(0, n, n, 0)
    )
    ax.set_facecolor(FAINT)
    edge, ticks, names = 0, [], []
    for name, size in order.groups:
        ticks.append(edge + size / 2)
        names.append("no network" if name == MISSING else name)
        edge += size
        if edge < n:
            ax.axhline(edge, color=INK, linewidth=0.5)
            ax.axvline(edge, color=INK, linewidth=0.5)
    if 0 < len(names) <= _MOST_LABELS:
        ax.set_yticks(ticks, names)
        ax.set_xticks(ticks, names, rotation=90 if len(names) > 2 else 0)
        ax.tick_params(length=0)
    else:
        ax.set_xlabel("unit")
        ax.set_ylabel("unit")
    assert ax.figure is not None
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.72, pad=0.02, aspect=28)
    bar.set_label(label)
    bar.outline.set_visible(False)


def null_panel(ax: Axes, null: np.ndarray, value: float, label: str) -> None:
    """Draw a null distribution and the value of the data.

    Parameters
    ----------
    ax : Axes
    null : array of shape (n_permutations,)
    value : float
    label : str
        Of the horizontal axis.
    """
    shown = null[np.isfinite(null)]
    ax.hist(shown, bins=24, color=MUTED, alpha=0.55, label="shuffled", histtype="stepfilled")
    ax.axvline(value, color=ACCENT, linewidth=1.8, label="data")
    ax.set_xlabel(label)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.margins(x=0.08)


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
