"""What the figures of all modalities share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from neuropipe.drawing import angle_order, pooled
from neuropipe.plotting import ACCENT, CYCLE, INK, MUTED, VERDICT_COLORS
from neuropipe.quality.verdicts import Bounds

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS, _ROWS = 500, 240  # pixels of an embedded image: what a page column can show


def heat_map(
    ax: Axes, values: np.ndarray, extent: tuple[float, float, float, float], **more: Any
) -> Any:
    """Draw an image of few grey or colour levels, so that it stays small.

    Parameters
    ----------
    ax : Axes
    values : array of shape (n_rows, n_columns)
        First row on top; NaN shows the axes' background.
    extent : tuple
        Left, right, bottom, top in data coordinates.
    **more
        Passed to ``imshow``; needs vmin and vmax.
    """
    low, high = more["vmin"], more["vmax"]
    shown = np.clip(pooled(values, _ROWS, _COLUMNS), low, high)
    levels = np.round((shown - low) / (high - low) * 15)
    image = ax.imshow(
        levels / 15 * (high - low) + low,
        aspect="auto",
        interpolation="none",
        extent=extent,
        **more,
    )
    ax.set_facecolor("#f3d9d6")  # missing samples
    return image


def similarity_order(scaled: np.ndarray) -> np.ndarray:
    """Order columns so that similar ones stand together.

    Parameters
    ----------
    scaled : array of shape (n_samples, n_columns)
        z-scored; NaN counts as the mean.

    Returns
    -------
    array of int of shape (n_columns,)
        By angle in the plane of the first two principal components, see `angle_order`.
    """
    filled = np.nan_to_num(scaled)
    n_samples, n_columns = filled.shape
    if min(n_samples, n_columns) < 2:
        return np.arange(n_columns)
    # Right singular vectors, by the smaller of the two Gram matrices.
    if n_columns <= n_samples:
        plane = np.linalg.eigh(filled.T @ filled)[1][:, -2:]
    else:
        plane = filled.T @ np.linalg.eigh(filled @ filled.T)[1][:, -2:]
        plane /= np.maximum(np.linalg.norm(plane, axis=0), 1e-12)
    return angle_order(plane)


def bound_lines(ax: Axes, bounds: Bounds, *, vertical: bool = True) -> None:
    """Mark where a number turns doubtful (amber) and bad (red)."""
    draw = ax.axvline if vertical else ax.axhline
    draw(bounds.good, color=VERDICT_COLORS["doubtful"], lw=0.9, ls=(0, (4, 2)), zorder=0)
    draw(bounds.bad, color=VERDICT_COLORS["bad"], lw=0.9, ls=(0, (4, 2)), zorder=0)


def distribution(
    ax: Axes,
    values: np.ndarray,
    label: str,
    *,
    bounds: Bounds | None = None,
    log: bool = False,
    noun: str = "units",
) -> None:
    """Draw a histogram with its median and, where given, the bounds of its verdict."""
    finite = values[np.isfinite(values)]
    if log:
        finite = finite[finite > 0]
    if len(finite):
        low, high = float(finite.min()), float(finite.max())
        n_bins = int(np.clip(math.ceil(2 * math.sqrt(len(finite))), 6, 30))
        if log:
            high = high if high > low else low * 1.1
            edges = np.geomspace(low, high, n_bins + 1)
            log_scale(ax)
        else:
            edges = np.linspace(
                low, high if high > low else low + 1e-6 + abs(low) * 0.01, n_bins + 1
            )
        ax.hist(finite, edges.tolist(), color=ACCENT, alpha=0.85, edgecolor="white", linewidth=0.4)
        middle = float(np.median(finite))
        ax.axvline(middle, color=INK, lw=1.2)
        left = middle < (math.sqrt(low * high) if log else (low + high) / 2)
        ax.annotate(
            f"median {middle:.3g}",
            (middle, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(3 if left else -3, -1),
            textcoords="offset points",
            va="top",
            ha="left" if left else "right",
            fontsize=7.5,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},  # over a bound's line
        )
        ax.margins(y=0.18)  # room for the label over the bars
    if bounds is not None:
        bound_lines(ax, bounds)
    ax.set_xlabel(label)
    ax.set_ylabel(noun)
    ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))


def tag_rows(ax: Axes, groups: list[tuple[str, int]]) -> None:
    """Name consecutive groups of rows at the left of a heat map and part them by lines.

    Parameters
    ----------
    ax : Axes
        With rows 0 to n from top to bottom.
    groups : list of (name, number of rows)
    """
    edge, total = 0, sum(n for _, n in groups)
    ticks, names = [], []
    for name, n in groups:
        if edge:
            ax.axhline(edge, color="white", lw=1.2)
        if n >= total / 40:  # smaller groups have no room for a name
            ticks.append(edge + n / 2)
            names.append(name if len(name) <= 16 else name[:15] + "…")
        edge += n
    ax.set_yticks(ticks, names)
    ax.tick_params(axis="y", length=0, labelsize=7)


def envelope(
    values: np.ndarray, time: np.ndarray, n_points: int = 800
) -> tuple[np.ndarray, np.ndarray]:
    """Thin a trace to the extremes of neighbouring samples, so that no peak is hidden.

    Parameters
    ----------
    values, time : arrays of shape (n_times,)
    n_points : int
        Points of the line that is left.
    """
    if len(values) <= n_points:
        return values, time
    starts = np.linspace(0, len(values), n_points // 2, endpoint=False).astype(int)
    pairs = np.stack([np.fmin.reduceat(values, starts), np.fmax.reduceat(values, starts)], axis=1)
    return pairs.ravel(), np.repeat(time[starts], 2)


def ticks(ax: Axes, times: np.ndarray, bottom: float, height: float) -> None:
    """Mark times by short upright lines, drawn as one path to keep the file small."""
    x = np.repeat(times, 3)
    y = np.tile([bottom, bottom + height, np.nan], len(times))
    ax.plot(x, y, color=CYCLE[1], lw=0.7)


def log_scale(ax: Axes, axes: str = "x") -> None:
    """Make axes logarithmic with plain labels: 0.1 reads better than a power and is drawn faster.

    Parameters
    ----------
    ax : Axes
    axes : str
        ``"x"``, ``"y"`` or ``"xy"``.
    """
    for name in axes:
        getattr(ax, f"set_{name}scale")("log")
        axis = getattr(ax, f"{name}axis")
        axis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.set_minor_formatter(lambda *_: "")


def despine(ax: Axes, *, bottom: bool = True) -> None:
    """Remove an axis' frame, and its time axis where the axes below share it."""
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    if not bottom:
        ax.spines["bottom"].set_visible(False)
        ax.tick_params(axis="x", length=0, labelbottom=False)
    ax.tick_params(axis="y", color=MUTED, labelsize=7)
