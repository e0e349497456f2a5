"""What figures of a subject and of a dataset share: RDMs in order, maps of conditions, intervals.

Axes: n conditions, e pairs, m items (RDMs).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from neuropipe.drawing import pooled
from neuropipe.plotting import ACCENT, CYCLE, FAINT, INK, MUTED, SEQUENTIAL, WIDTH
from neuropipe.trsa.inference.testing import TTest
from neuropipe.trsa.rdms import square
from neuropipe.trsa.topology.transforms import normalised_ranks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "Groups",
    "aligned_maps",
    "condition_groups",
    "condition_order",
    "draw_intervals",
    "draw_map",
    "draw_models",
    "draw_rdm",
    "legend_below",
    "name_places",
    "planar_map",
    "short",
    "zero_line",
]

_MOST_CELLS = 150
_MOST_GROUPS = 8
_MOST_NAMES = 24
_LEVELS = 24  # colours of a matrix; few enough for a small file
_MARKERS = "osD^vP*X"
_DOTS = {"linestyle": "none", "marker": "o", "markersize": 5, "markeredgewidth": 0}
_LONGEST = 18  # characters of a name; more push the drawing out of its figure


@dataclass(frozen=True, eq=False)
class Groups:
    """How conditions are told apart in a drawing.

    Parameters
    ----------
    column : str
        Of the table of conditions; ``""`` where nothing groups them.
    codes : array of int of shape (n,)
    names : tuple of str
        One a code.
    values : array of shape (n,), or None
        Numbers of a continuous column, which colour the conditions where there are no categories.
    within : str
        Name of a continuous column that orders the conditions of a category.
    order : array of shape (n,), or None
        Its numbers.
    """

    column: str
    codes: np.ndarray
    names: tuple[str, ...]
    values: np.ndarray | None = None
    within: str = ""
    order: np.ndarray | None = None


def short(name: object) -> str:
    """Shorten a name in its middle where it is too long to be drawn."""
    text = str(name)
    end = _LONGEST // 3
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - end - 1]}…{text[-end:]}"


def condition_groups(conditions: pd.DataFrame) -> Groups:
    """Choose what groups the conditions: the column of most categories that can be coloured.

    Parameters
    ----------
    conditions : pandas.DataFrame
        Indexed by condition.
    """
    none = Groups("", np.zeros(len(conditions), dtype=int), ("",))
    best: Groups | None = None
    numbers: Groups | None = None
    for name in conditions:
        values = conditions[name]
        if values.isna().any() or values.nunique() < 2:
            continue
        if pd.api.types.is_numeric_dtype(values) and values.nunique() > _MOST_GROUPS:
            numbers = numbers or Groups(str(name), none.codes, ("",), values.to_numpy(float))
            continue
        codes, names = pd.factorize(values.astype(str), sort=True)
        fits = len(names) <= min(_MOST_GROUPS, len(values) // 2)
        if fits and (best is None or len(names) > len(best.names)):
            best = Groups(str(name), codes, tuple(map(str, names)))
    if best is not None and numbers is not None:
        return replace(best, within=numbers.column, order=numbers.values)
    return best or numbers or none


def condition_order(dissimilarities: np.ndarray, groups: Groups) -> np.ndarray:
    """Order conditions by group (or value), and within it so that neighbours are alike.

    Parameters
    ----------
    dissimilarities : array of shape (e,)
    groups : Groups

    Returns
    -------
    array of int of shape (n,)
    """
    from scipy.cluster.hierarchy import leaves_list, linkage

    n = len(groups.codes)
    if groups.values is not None:
        return np.argsort(groups.values, kind="stable")
    if groups.order is not None:
        return np.lexsort([groups.order, groups.codes])
    ranks = normalised_ranks(np.nan_to_num(dissimilarities, nan=np.nanmax(dissimilarities)))
    alike = leaves_list(linkage(ranks, "average", optimal_ordering=n <= 200))
    return np.asarray(alike[np.argsort(groups.codes[alike], kind="stable")])


def draw_rdm(
    ax: Axes,
    dissimilarities: np.ndarray,
    order: np.ndarray,
    groups: Groups,
    names: Sequence[str],
    *,
    label: bool = True,
) -> None:
    """Draw an RDM as percentiles of its ranks.

    Parameters
    ----------
    ax : Axes
    dissimilarities : array of shape (e,)
    order : array of int of shape (n,)
    groups : Groups
        Whose borders are drawn.
    names : sequence of str of length n
    label : bool
        Whether to name groups or conditions on the left.
    """
    matrix = square(100 * normalised_ranks(dissimilarities))
    np.fill_diagonal(matrix, np.nan)
    n = len(matrix)
    shown = pooled(matrix[np.ix_(order, order)], _MOST_CELLS, _MOST_CELLS)
    steps = np.round(shown / 100 * _LEVELS) / _LEVELS * 100
    ax.imshow(steps, cmap=SEQUENTIAL, vmin=0, vmax=100, interpolation="none", extent=(0, n, n, 0))
    ax.set_facecolor(FAINT)
    ax.set_xticks([])
    ax.set_yticks([])
    sizes = np.bincount(groups.codes, minlength=len(groups.names))
    if groups.column and groups.values is None:
        edges = np.cumsum(sizes)
        for edge in edges[:-1]:
            ax.axhline(edge, color="white", linewidth=0.8)
            ax.axvline(edge, color="white", linewidth=0.8)
        if label:
            ax.set_yticks(edges - sizes / 2, [short(name) for name in groups.names])
    elif label and n <= _MOST_NAMES:
        ax.set_yticks(np.arange(n) + 0.5, [short(names[k]) for k in order])
    ax.tick_params(length=0, labelsize=7)


def planar_map(distances: np.ndarray, seed: int) -> np.ndarray:
    """Lay items out in a plane so that distances are kept as well as possible.

    Parameters
    ----------
    distances : array of shape (e,)
        At least 0.
    seed : int

    Returns
    -------
    array of shape (n, 2)
        Centred; stress minimised from the classical solution, so that nothing is left to chance.
    """
    from sklearn.manifold import smacof

    matrix = square(np.nan_to_num(np.maximum(distances, 0.0)))
    n = len(matrix)
    centring = np.eye(n) - 1 / n
    values, vectors = np.linalg.eigh(-0.5 * centring @ matrix**2 @ centring)
    start = vectors[:, ::-1][:, :2] * np.sqrt(np.maximum(values[::-1][:2], 1e-12))
    points = smacof(matrix, n_components=2, init=start, n_init=1, random_state=seed)[0]
    return np.asarray(points - points.mean(axis=0))


def aligned_maps(distances: Sequence[np.ndarray], seed: int) -> list[np.ndarray]:
    """Maps of the same items by several distances, turned onto the first.

    Parameters
    ----------
    distances : sequence of arrays of shape (e,)
    seed : int

    Returns
    -------
    list of arrays of shape (n, 2)
        Of unit size.
    """
    from scipy.linalg import orthogonal_procrustes

    maps = [planar_map(one, seed) for one in distances]
    maps = [one / max(float(np.sqrt((one**2).mean())), 1e-12) for one in maps]
    return [maps[0], *(one @ orthogonal_procrustes(one, maps[0])[0] for one in maps[1:])]


def draw_map(
    ax: Axes, points: np.ndarray, groups: Groups, names: Sequence[str], *, hulls: bool = False
) -> None:
    """Draw items in a plane, coloured by group.

    Parameters
    ----------
    ax : Axes
    points : array of shape (n, 2)
    groups : Groups
    names : sequence of str of length n
        Written beside the points where nothing groups them and there are few.
    hulls : bool
        Whether to shade the hull of each group.
    """
    look: dict[str, Any] = {"s": 26 if len(points) < 60 else 12, "linewidths": 0}
    x, y = points.T
    if groups.values is not None:
        ax.scatter(x, y, c=groups.values, cmap=SEQUENTIAL, **look)
    for code, name in enumerate(groups.names if groups.values is None else ()):
        chosen = points[groups.codes == code]
        color = CYCLE[code % len(CYCLE)] if groups.column else ACCENT
        marker = _MARKERS[code // len(CYCLE) % len(_MARKERS)]
        ax.scatter(*chosen.T, color=color, label=short(name), marker=marker, alpha=0.85, **look)
        if hulls:
            _draw_hull(ax, chosen, color)
    if not groups.column and len(points) <= _MOST_NAMES:
        for place, name in zip(points, names, strict=True):
            ax.annotate(short(name), tuple(place), xytext=(3, 3), textcoords="offset points",
                        fontsize=6.5)  # fmt: skip
    ax.set_aspect("equal", adjustable="datalim")
    ax.margins(0.08)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


def _draw_hull(ax: Axes, points: np.ndarray, color: str) -> None:
    from scipy.spatial import ConvexHull, QhullError

    if len(points) < 3:
        return
    try:
        corners = points[ConvexHull(points).vertices]
    except QhullError:
        return  # all on a line
    ax.fill(*corners.T, facecolor=color, alpha=0.12, linewidth=0)


def draw_intervals(
    ax: Axes,
    x: np.ndarray,
    value: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    color: str,
    **look: Any,
) -> None:
    """Draw values as dots with their intervals; what is not a number is left out."""
    known = np.isfinite(value)
    x, value = np.asarray(x, float)[known], np.asarray(value)[known]
    low, high = np.asarray(low)[known], np.asarray(high)[known]
    ax.vlines(x, np.where(np.isfinite(low), low, value), np.where(np.isfinite(high), high, value),
              color=color, linewidth=1.6)  # fmt: skip
    ax.plot(x, value, color=color, **{**_DOTS, **look})


def draw_models(ax: Axes, tests: Sequence[TTest], names: Sequence[str], measure: str) -> None:
    """Draw the scores of models in several regions, one colour a model, one place a region.

    Parameters
    ----------
    ax : Axes
    tests : sequence of TTest of shape (n_models,)
        One a region.
    names : sequence of str
        Of the models.
    measure : str
        How RDMs were compared.
    """
    width = 0.8 / len(names)
    for m, name in enumerate(names):
        places = np.arange(len(tests)) + (m - (len(names) - 1) / 2) * width
        value, low, high = (
            np.array([row[m] for row in rows])
            for rows in zip(*((t.value, t.low, t.high) for t in tests), strict=True)
        )
        draw_intervals(ax, places, value, low, high, CYCLE[m % len(CYCLE)], label=short(name),
                       marker=_MARKERS[m // len(CYCLE) % len(_MARKERS)])  # fmt: skip
    zero_line(ax)
    ax.set_ylabel(f"likeness ({measure})")


def name_places(ax: Axes, names: Sequence[str], most: int = 5) -> None:
    """Name what stands at 0, 1, 2... on the horizontal axis; tilted where there are many."""
    tilted = len(names) > most
    ax.set_xticks(
        range(len(names)), [short(name) for name in names], rotation=30 if tilted else 0,
        ha="right" if tilted else "center",
    )  # fmt: skip


def legend_below(figure: Figure, axes: Sequence[Axes] | None = None) -> None:
    """Name what `axes` (default: all) show, in as many columns as the names leave room for."""
    handles, labels = [], []
    for ax in figure.axes if axes is None else axes:
        own, names = ax.get_legend_handles_labels()
        handles += own
        labels += names
    if labels:
        room = int(WIDTH / (0.45 + 0.068 * max(map(len, labels))))  # inches: a marker, letters
        columns = max(1, min(6, room, len(labels)))
        figure.legend(handles, labels, loc="outside lower center", ncols=columns)


def zero_line(ax: Axes, value: float = 0.0, label: str = "") -> None:
    """Mark chance."""
    ax.axhline(value, color=MUTED, linewidth=0.8, linestyle="--", zorder=0)
    if label:
        ax.annotate(label, (0, value), xycoords=("axes fraction", "data"), ha="left", va="bottom",
                    fontsize=7, color=INK)  # fmt: skip
