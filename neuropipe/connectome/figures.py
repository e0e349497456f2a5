"""Figures of one recording: its components' courses, its share of them, its communities over time.

Axis legend: n units, k windows, t samples, r components.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from neuropipe.connectome.figures_parts import (
    MOST_COMPONENTS,
    Spans,
    draw_course,
    draw_tracks,
    event_legend,
    event_spans,
    shade_events,
    track_order,
)
from neuropipe.connectome.readings import window_graph
from neuropipe.connectome.recording import RecordingConnectome
from neuropipe.connectome.tracks import held_together, tracked
from neuropipe.plotting import ACCENT, MUTED, new_figure, style
from neuropipe.results import ResultFigure

__all__ = ["recording_figures"]


def recording_figures(
    names: Sequence[str],
    found: RecordingConnectome,
    subjects: Sequence[str],
    noun: str,
    events: pd.DataFrame | None = None,
) -> list[ResultFigure]:
    """Draw what a dataset's connectome says of one recording.

    Parameters
    ----------
    names : sequence of str of length n
        Of the units of the dataset.
    found : RecordingConnectome
    subjects : sequence of str
        Of all recordings of the dataset, in the order of `found.share`.
    noun : str
        What a unit is: ``"ROI"``, ``"neuron"``.
    events : pandas.DataFrame, optional
        ``trial_type``, ``start`` and ``stop`` in s, on the axis of `found.seconds`.
    """
    with style():
        figures = [_courses_figure(found, event_spans(events))]
        if len(found.share) > 1:
            figures.append(_share_figure(found, subjects))
        figures.append(_communities_figure(names, found, noun))
    return figures


def _courses_figure(found: RecordingConnectome, spans: Spans) -> ResultFigure:
    rank = found.factors.rank
    n_shown = min(rank, MOST_COMPONENTS)
    figure = new_figure(0.8 + 0.72 * n_shown)
    axes = figure.subplots(n_shown, 1, sharex=True, squeeze=False)[:, 0]
    highest = float(found.activity[:, :n_shown].max()) or 1.0
    for place, ax in enumerate(axes):
        shade_events(ax, spans)
        draw_course(ax, found.seconds, found.activity[:, place], ACCENT)
        ax.set_ylim(0, 1.05 * highest)
        ax.set_ylabel(f"{place + 1}", rotation=0, fontweight="bold", va="center")
    axes[-1].set_xlabel("time (s)")
    figure.supylabel("activity of component", fontsize=8.5)
    event_legend(figure, spans)
    more = f" The {n_shown} largest of {rank} are shown." if n_shown < rank else ""
    shaded = " Events are shaded by type." if spans else ""
    shape = (
        "Each recording has courses of its own: the network's patterns are the dataset's, their "
        "times this recording's."
        if found.factors.own_clocks
        else "On a shared clock the shape of a course is the dataset's; only its height is this "
        "recording's."
    )
    return ResultFigure(
        name="connectome-courses",
        title="Components over time",
        caption=(
            "How much of each of the dataset's components this recording shows over time, on one "
            f"scale.{more}{shaded} {shape} A component is as good as its blocks: look in the "
            "section of the dataset whether it holds motifs before reading its course."
        ),
        figure=figure,
    )


def _share_figure(found: RecordingConnectome, subjects: Sequence[str]) -> ResultFigure:
    rank = found.factors.rank
    figure = new_figure(2.4, float(np.clip(1.4 + 0.55 * rank, 3.4, 7.2)))
    ax = figure.subplots()
    mine = np.array([subject == subjects[found.place] for subject in subjects])
    kin = mine & (np.arange(len(mine)) != found.place)
    others = found.share[~mine]
    jitter = np.linspace(-0.18, 0.18, max(len(others), 1))[:, None]
    x = np.arange(1, rank + 1)
    look: dict[str, Any] = {"linestyle": "none", "markeredgewidth": 0}
    ax.plot((x + jitter[: len(others)]).T, others.T, marker="o", color=MUTED, markersize=4,
            alpha=0.6, **look)  # fmt: skip
    if kin.any():
        ax.plot(x, found.share[kin].T, "o", color=ACCENT, markersize=5, fillstyle="none")
    ax.plot(x, found.share[found.place], marker="o", color=ACCENT, markersize=8, **look)
    ax.set_xticks(x)
    ax.set_ylim(-0.04, 1.06)
    ax.set_xlabel("component")
    ax.set_ylabel("activity\nover the largest")
    rings = " Rings are the subject's other recordings." if kin.any() else ""
    return ResultFigure(
        name="connectome-share",
        title="The recording among the others",
        caption=(
            f"Mean activity of each component in all {len(subjects)} recordings of the dataset, "
            f"over the largest; this recording is the large blue dot.{rings} A recording at the "
            "bottom of one column lacks that component; one at the bottom of all is quiet or "
            "noisy: look at its quality page. Units that it lacks are not held against it."
        ),
        figure=figure,
    )


def _communities_figure(
    names: Sequence[str], found: RecordingConnectome, noun: str
) -> ResultFigure:
    activity = (found.activity * found.factors.slices[0])[None]
    n_units = len(names)
    kept = [
        held_together(window_graph(found.factors, activity, n_units, window), blocks.labels)
        for window, blocks in zip(found.windows, found.blocks, strict=True)
    ]
    numbers = tracked(np.array(kept))
    numbers[:, ~found.presence] = -1
    order = track_order(numbers)
    order = np.concatenate([order[found.presence[order]], order[~found.presence[order]]])
    figure = new_figure(
        float(np.clip(1.0 + 0.1 * n_units, 2.6, 6.6)),
        float(np.clip(1.6 + 0.75 * len(numbers), 3.2, 7.2)),
    )
    ax = figure.subplots()
    windows = [window.name for window in found.windows]
    draw_tracks(ax, numbers, order, windows, names, absent=~found.presence)
    missing = int((~found.presence).sum())
    hatched = f" Hatched: the {missing} {noun}s that it lacks." if missing else ""
    return ResultFigure(
        name="connectome-communities",
        title="Communities over time",
        caption=(
            f"Community of every {noun} (row) in equal stretches of this recording (columns), read "
            "from the dataset's components as active as they are here. One colour is one "
            "community, followed over columns by its members (at least a third in common, "
            "Jaccard). Grey: blocks that do not hold together, their members being less than twice "
            f"as alike as they are to others.{hatched} Which {noun}s are alike is known from all "
            "recordings that have them; that they regroup is this recording's only as far as its "
            "courses change. No interval is drawn here: the section of the dataset says how "
            "stable communities are."
        ),
        figure=figure,
    )
