"""What figures of a recording and of a dataset share: events, courses, communities over windows.

Axis legend: n units, k windows, t samples, r components.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch, Rectangle

from neuropipe.drawing import pooled
from neuropipe.plotting import CYCLE, FAINT, MUTED, SEQUENTIAL

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "MOST_COMPONENTS",
    "Spans",
    "community_color",
    "draw_blocks",
    "draw_course",
    "draw_tracks",
    "event_legend",
    "event_spans",
    "recording_labels",
    "shade_events",
    "track_order",
]

MOST_COMPONENTS = 6
_MOST_TYPES = 6
_MOST_POINTS = 400  # of a course
_MOST_CELLS = 150  # rows and columns of a graph
_MOST_NAMES = 80  # units whose names fit beside each other
_HUES = CYCLE[:7]

Spans = Mapping[str, Sequence[tuple[float, float]]]


def recording_labels(recordings: Sequence[str], subjects: Sequence[str]) -> list[str]:
    """Shortest names that tell recordings apart: of their subjects where those differ."""
    return list(subjects) if len(set(subjects)) == len(subjects) else list(recordings)


def event_spans(events: pd.DataFrame | None, sampling_rate: float = 1.0) -> Spans:
    """Onset and length in s of the events of every type.

    Parameters
    ----------
    events : pandas.DataFrame or None
        ``trial_type``, ``start`` and ``stop`` in samples of `sampling_rate`.
    sampling_rate : float

    Returns
    -------
    dict of str to list of (float, float)
        In the order of their first events; more than six types are one, ``event``.
    """
    if events is None or events.empty:
        return {}
    ordered = events.sort_values("start")
    types = list(dict.fromkeys(ordered["trial_type"].astype(str)))
    spans: dict[str, list[tuple[float, float]]] = {}
    rows = zip(ordered["trial_type"].astype(str), ordered["start"], ordered["stop"], strict=True)
    for name, start, stop in rows:
        key = name if len(types) <= _MOST_TYPES else "event"
        onset, end = float(start) / sampling_rate, float(stop) / sampling_rate
        spans.setdefault(key, []).append((onset, end - onset))
    return spans


def shade_events(ax: Axes, spans: Spans) -> None:
    """Shade events behind a course, a colour a type."""
    for (_, found), color in zip(spans.items(), _tints(), strict=False):
        ax.broken_barh(
            list(found), (0, 1), transform=ax.get_xaxis_transform(), color=color, linewidth=0,
            zorder=0,
        )  # fmt: skip


def event_legend(figure: Figure, spans: Spans) -> None:
    """Name the colours of `shade_events` above all axes."""
    if not spans:
        return
    patches = [Patch(color=color) for _, color in zip(spans, _tints(), strict=False)]
    figure.legend(patches, list(spans), loc="outside upper right", ncols=len(spans), fontsize=7.5)


def _tints() -> list[tuple[float, float, float]]:
    hues = [to_rgb(color) for color in (*CYCLE[1:6], MUTED)]
    return [(0.3 * r + 0.7, 0.3 * g + 0.7, 0.3 * b + 0.7) for r, g, b in hues]


def draw_course(ax: Axes, seconds: np.ndarray, course: np.ndarray, color: str) -> None:
    """Draw one component's course; of several, their mean and the range of the middle 80 %.

    Parameters
    ----------
    ax : Axes
    seconds : array of shape (t,)
    course : array of shape (t,) or (n_animals, t)
        NaN after an animal's end.
    color : str
    """
    x = pooled(seconds[None], 1, _MOST_POINTS)[0]
    courses = np.atleast_2d(course)
    rows = pooled(courses, len(courses), _MOST_POINTS)
    mean = np.nanmean(rows, axis=0)
    if len(rows) > 1:
        low, high = np.nanquantile(rows, [0.1, 0.9], axis=0)
        ax.fill_between(x, low, high, color=color, alpha=0.25, linewidth=0)
    ax.plot(x, mean, color=color, linewidth=1.1)
    ax.set_xlim(float(seconds[0]), float(seconds[-1]))
    ax.set_ylim(0, None)
    ax.set_yticks([])


def draw_blocks(
    ax: Axes, graph: np.ndarray, labels: np.ndarray, marked: Sequence[int], color: str
) -> np.ndarray:
    """Draw a graph with its units sorted by block, and frame some blocks.

    Parameters
    ----------
    ax : Axes
    graph : array of shape (n, n)
        NaN where nothing is known.
    labels : array of int of shape (n,)
    marked : sequence of int
        Blocks to be framed.
    color : str
        Of the frames; the other blocks get thin white ones.

    Returns
    -------
    array of int of shape (n,)
        The units from top to bottom: framed blocks first.
    """
    last = np.array([label not in marked for label in labels])
    order = np.lexsort((np.arange(len(labels)), labels, last))
    n = len(order)
    shown = graph[np.ix_(order, order)].astype(float)
    np.fill_diagonal(shown, np.nan)
    limit = float(np.nanquantile(shown, 0.99)) or 1.0
    steps = np.round(np.clip(pooled(shown, _MOST_CELLS, _MOST_CELLS) / limit, 0, 1) * 24) / 24
    ax.imshow(steps, cmap=SEQUENTIAL, vmin=0, vmax=1, interpolation="none", extent=(0, n, n, 0))
    ax.set_facecolor(FAINT)
    ordered = labels[order]
    for label in np.unique(ordered):
        inside = np.flatnonzero(ordered == label)
        framed = label in marked
        look: dict[str, Any] = {
            "edgecolor": color if framed else "white",
            "linewidth": 1.3 if framed else 0.5,
            "zorder": 3 if framed else 2,
        }
        start, size = int(inside[0]), len(inside)
        ax.add_patch(Rectangle((start, start), size, size, fill=False, **look))
    ax.set_xticks([])
    ax.set_yticks([])
    return np.asarray(order)


def community_color(number: int) -> tuple[float, float, float]:
    """Colour of the community of a number; every fourteenth is the same."""
    r, g, b = to_rgb(_HUES[number % len(_HUES)])
    if number // len(_HUES) % 2:
        return 0.55 * r, 0.55 * g, 0.55 * b
    return r, g, b


def draw_tracks(
    ax: Axes,
    numbers: np.ndarray,
    order: np.ndarray,
    windows: Sequence[str],
    names: Sequence[str],
    *,
    stability: np.ndarray | None = None,
    absent: np.ndarray | None = None,
) -> None:
    """Draw communities of units (rows) over windows (columns).

    Parameters
    ----------
    ax : Axes
    numbers : array of int of shape (k, n)
        See `tracks.tracked`; -1 is drawn grey.
    order : array of int of shape (n,)
        The units from top to bottom.
    windows, names : sequence of str
        Of the windows and of the units, not ordered; many units are not named.
    stability : array of shape (k, n), optional
        From 0, drawn nearly white, to 1.
    absent : array of bool of shape (n,), optional
        Units whose rows are left blank and hatched.
    """
    k, n = numbers.shape
    image = np.array([[_cell(number) for number in row] for row in numbers[:, order]])
    if stability is not None:
        strength = np.where(numbers >= 0, 0.2 + 0.8 * np.clip(stability, 0, 1), 1.0)
        image = 1 - strength[:, order, None] * (1 - image)
    if absent is not None:
        image[:, absent[order]] = 1.0
        for place in np.flatnonzero(absent[order]):
            look: dict[str, Any] = {
                "fill": False,
                "hatch": "/////",
                "edgecolor": FAINT,
                "linewidth": 0,
            }
            ax.add_patch(Rectangle((0, int(place)), k, 1, **look))
    ax.imshow(image.transpose(1, 0, 2), aspect="auto", interpolation="none", extent=(0, k, n, 0))
    for edge in range(1, k):
        ax.axvline(edge, color="white", linewidth=1.2)
    ax.set_xticks(np.arange(k) + 0.5, windows, rotation=90, fontsize=7)
    if n <= _MOST_NAMES:
        size = float(np.clip(380 / n, 4.2, 7))
        ax.set_yticks(np.arange(n) + 0.5, [names[i] for i in order], fontsize=size)
    else:
        ax.set_yticks([])
        ax.set_ylabel(f"{n} units")
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)


def _cell(number: int) -> tuple[float, float, float]:
    return community_color(number) if number >= 0 else to_rgb(FAINT)


def track_order(numbers: np.ndarray) -> np.ndarray:
    """Order units by their community in the first window, then in the next ones.

    Parameters
    ----------
    numbers : array of int of shape (k, n)

    Returns
    -------
    array of int of shape (n,)
        Units without a community come last.
    """
    placed = np.where(numbers < 0, numbers.max() + 1, numbers)
    return np.asarray(np.lexsort(placed[::-1]))
