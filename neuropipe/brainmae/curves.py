"""What figures of a run and of a dataset share: masked R2 by share of hidden ROIs, and notes.

Axis legend: q mask ratios.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neuropipe.brainmae.heldout import OURS
from neuropipe.plotting import ACCENT, CYCLE, INK, MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Curve", "color_of", "draw_curves", "note", "spread", "with_minus"]

_COLORS = {
    OURS: ACCENT, "Wiener": CYCLE[1], "ridge": CYCLE[2], "PCA": CYCLE[3], "AR": CYCLE[5],
    "interpolation": CYCLE[4], "spatio-temporal Wiener": CYCLE[6],
}  # fmt: skip
_DEEPEST = 0.3  # how far below 0 a curve is followed, over the highest one
_LINE = 0.075  # height of a label over that of the axes


@dataclass(frozen=True)
class Curve:
    """Masked R2 of one predictor.

    Parameters
    ----------
    name : str
    values : array of shape (q,)
    intervals : array of shape (q, 2) or None
        Ends of the 95 % intervals.
    """

    name: str
    values: np.ndarray
    intervals: np.ndarray | None = None


def color_of(predictor: str) -> str:
    """Colour of a predictor in every figure."""
    return _COLORS.get(predictor, MUTED)


def note(
    ax: Axes,
    text: str,
    place: tuple[float, float],
    offset: tuple[float, float] = (7, 0),
    **more: Any,
) -> None:
    """Write a small number beside a point; `offset` is in points."""
    look: dict[str, Any] = {"va": "center", "fontsize": 7.5, "annotation_clip": False} | more
    ax.annotate(with_minus(text), place, offset, textcoords="offset points", **look)


def with_minus(text: str) -> str:
    """Minus signs as wide as those of the axes; hyphens of names stay."""
    return re.sub(r"(?<!\w)-(?=\d)", "\N{MINUS SIGN}", text)


def spread(places: np.ndarray, gap: float, low: float, high: float) -> np.ndarray:
    """Move labels apart, no further than needed.

    Parameters
    ----------
    places : array of shape (n,)
        Where they should be.
    gap : float
        Least distance between two.
    low, high : float
        Where the lowest and the highest may be.

    Returns
    -------
    array of shape (n,)
        In the same order; neighbours at least `gap` apart where they fit between the ends.
    """
    order = np.argsort(places, kind="stable")
    room = np.arange(len(places)) * gap
    wanted = np.clip(places[order], low, high) - room
    # Isotonic regression of what is left over keeps the order at the least total movement.
    blocks: list[list[float]] = []
    for value in wanted:
        blocks.append([float(value), 1.0])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            last, n = blocks.pop()
            before, m = blocks.pop()
            blocks.append([(last * n + before * m) / (n + m), n + m])
    level = np.concatenate([np.full(int(n), value) for value, n in blocks])
    top = max(low, high - room[-1])
    found = np.empty(len(places))
    found[order] = np.clip(level, low, top) + room
    return found


def draw_curves(ax: Axes, ratios: Sequence[float], curves: Sequence[Curve]) -> None:
    """Draw masked R2 over the share of hidden ROIs; every curve is named at its end.

    Parameters
    ----------
    ax : Axes
    ratios : sequence of float of length q
        Rising.
    curves : sequence of Curve
        The most important first; it is drawn last.
    """
    x = 100 * np.asarray(ratios, dtype=float)
    highest = max(float(np.nanmax(curve.values)) for curve in curves)
    lowest = min(float(np.nanmin(curve.values)) for curve in curves)
    top = max(highest, 0.05) * 1.12
    floor = max(min(lowest, 0.0), -_DEEPEST * top) - 0.05 * top
    width = 4.0 if len(x) == 1 else float(np.diff(x).min())
    dodged = any(curve.intervals is not None for curve in curves)
    step = 0.025 * width if dodged else 0.0
    shifts = step * (np.arange(len(curves)) - (len(curves) - 1) / 2)
    for curve, shift in reversed(list(zip(curves, shifts, strict=True))):
        color, ours = color_of(curve.name), curve.name == OURS
        line: dict[str, Any] = {"color": color, "linewidth": 2.2 if ours else 1.1}
        ax.plot(x + shift, curve.values, "o-", markersize=4.5 if ours else 3, **line)
        if curve.intervals is not None:
            ax.vlines(x + shift, *curve.intervals.T, color=color, linewidth=2 if ours else 1.2)
    ax.axhline(0, color=INK, linestyle=":", linewidth=0.7)
    ax.set_ylim(floor, top)
    ax.set_xticks(x, [f"{value:.3g}" for value in x])
    ax.set_xlim(x[0] - 0.12 * width, x[-1] + 0.12 * width)
    ax.set_xlabel("hidden ROIs (%)")
    ax.set_ylabel("masked R2")
    _name(ax, curves, x[-1] + shifts, float(x[-1] + 0.2 * width))


def _name(ax: Axes, curves: Sequence[Curve], ends: np.ndarray, column: float) -> None:
    """Write names in a column beside the ends of the curves."""
    floor, top = ax.get_ylim()
    last = np.array([curve.values[-1] for curve in curves])
    gap = _LINE * (top - floor)
    places = spread(last, gap, floor + gap / 2, top - gap / 2)
    for curve, end, value, place in zip(curves, ends, last, places, strict=True):
        color = color_of(curve.name)
        leader = {"arrowstyle": "-", "color": color, "linewidth": 0.4, "shrinkA": 0, "shrinkB": 3}
        ax.annotate(
            f"{curve.name} ({with_minus(f'{round(float(value), 2) + 0.0:.2f}')})",
            (end, np.clip(value, floor, top)),
            (column, place),
            color=color,
            fontsize=8,
            fontweight="bold" if curve.name == OURS else "normal",
            va="center",
            annotation_clip=False,
            arrowprops=leader,
        )
