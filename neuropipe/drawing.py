"""What figures of several parts share: matrices of units, their order, images that stay small."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from neuropipe.plotting import ACCENT, DIVERGING, FAINT, INK, MUTED
from neuropipe.recording import MISSING
from neuropipe.units import column

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Order", "angle_order", "draw_matrix", "matrix_order", "null_panel", "pooled"]

_LEVELS = 33  # colours of a matrix image: enough for the eye, few enough for a small file
_MOST_CELLS = 200  # rows and columns that a report's column can show
_MOST_LABELS = 24  # group names that fit along an axis


def pooled(values: np.ndarray, n_rows: int, n_columns: int) -> np.ndarray:
    """Average neighbouring entries until an image is small enough to embed.

    Parameters
    ----------
    values : array of shape (n_rows, n_columns)
        NaN is left out of the averages.
    n_rows, n_columns : int
        Largest size.

    Returns
    -------
    array
        NaN where nothing is known.
    """
    if values.shape[0] <= n_rows and values.shape[1] <= n_columns:
        return values
    known = np.isfinite(values)
    total, count = np.where(known, values, 0.0), known.astype(float)
    for axis, limit in ((0, n_rows), (1, n_columns)):
        size = values.shape[axis]
        if size > limit:
            starts = np.linspace(0, size, limit, endpoint=False).astype(int)
            total, count = (np.add.reduceat(part, starts, axis=axis) for part in (total, count))
    mean: np.ndarray = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean


def angle_order(plane: np.ndarray) -> np.ndarray:
    """Order points around the origin of a plane, starting at the widest gap.

    Parameters
    ----------
    plane : array of shape (n_points, 2)
        Such as the loadings of units on two principal components: units that are alike stand
        together then, opposite ones end up apart, and no two neighbours are strangers.

    Returns
    -------
    array of int of shape (n_points,)
    """
    angle = np.arctan2(plane[:, 0], plane[:, 1])
    order = np.argsort(angle, kind="stable")
    gaps = np.diff(angle[order], append=angle[order[0]] + 2 * np.pi)
    return np.roll(order, -int(np.argmax(gaps)) - 1)


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
    order = angle_order(np.linalg.eigh(matrix)[1][:, -2:])
    return Order(order, [], "by their angle in the plane of the first two principal components")


def _runs(names: np.ndarray) -> list[tuple[str, int]]:
    starts = np.flatnonzero(np.append(True, names[1:] != names[:-1]))
    sizes = np.diff(np.append(starts, len(names)))
    return [(str(names[start]), int(size)) for start, size in zip(starts, sizes, strict=True)]


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
    scaled = np.clip(pooled(shown, _MOST_CELLS, _MOST_CELLS) / limit, -1, 1)
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


def null_panel(
    ax: Axes, null: np.ndarray, value: float, label: str, *, drawn: str = "shuffled"
) -> None:
    """Draw a null distribution and the value of the data.

    Parameters
    ----------
    ax : Axes
    null : array of shape (n_permutations,)
    value : float
    label : str
        Of the horizontal axis.
    drawn : str
        How the null was drawn, for the legend.
    """
    shown = null[np.isfinite(null)]
    low, high = float(shown.min()), float(shown.max())
    # A null that is narrow beside its distance from the data would be too thin to see.
    reach = max(high, value) - min(low, value)
    width = max((high - low) / np.clip(len(shown) // 4, 8, 24), reach / 60) or 1.0
    bins = np.arange(low, high + 1.01 * width, width).tolist()
    ax.hist(shown, bins=bins, color=MUTED, alpha=0.55, label=drawn, histtype="stepfilled")
    ax.axvline(value, color=ACCENT, linewidth=1.8, label="data")
    ax.set_xlabel(label)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.margins(x=0.08)
