"""Figures of a dataset: components, their number, communities over time, and chance.

Axis legend: n units, k windows, t samples, r components.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from neuropipe.connectome.data import Animals
from neuropipe.connectome.figures_motifs import motif_figures
from neuropipe.connectome.figures_parts import (
    MOST_COMPONENTS,
    draw_blocks,
    draw_course,
    draw_tracks,
    event_legend,
    event_spans,
    recording_labels,
    shade_events,
    track_order,
)
from neuropipe.connectome.figures_rank import rank_figure
from neuropipe.connectome.fit import ConnectomeFit
from neuropipe.connectome.motif_table import n_event_windows, unit_stability
from neuropipe.connectome.readings import component_graphs, window_graph
from neuropipe.connectome.tracks import held_together, tracked
from neuropipe.connectome.wiring import WiringComparison
from neuropipe.drawing import null_panel
from neuropipe.plotting import ACCENT, CYCLE, INK, MUTED, new_figure, style
from neuropipe.results import ResultFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["group_figures"]

_MOST_BARS = 16  # animals whose names fit below bars
_FRAME = CYCLE[1]


def group_figures(
    animals: Animals,
    fit: ConnectomeFit,
    *,
    alpha: float,
    atlas: pd.DataFrame | None = None,
    silencing: pd.DataFrame | None = None,
    wiring: WiringComparison | None = None,
) -> list[ResultFigure]:
    """Draw the connectome of a dataset.

    Parameters
    ----------
    animals : Animals
    fit : ConnectomeFit
    alpha : float
        Level of the tests.
    atlas : pandas.DataFrame, optional
        Of `atlas.event_atlas` or `atlas.behaviour_atlas`.
    silencing : pandas.DataFrame, optional
        Of `silencing.silencing_ranking`.
    wiring : WiringComparison, optional
    """
    with style():
        return [
            _components_figure(animals, fit, alpha),
            rank_figure(fit),
            _communities_figure(animals, fit),
            *motif_figures(animals, fit, alpha=alpha, atlas=atlas, silencing=silencing),
            _chance_figure(fit, wiring),
        ]


def _components_figure(animals: Animals, fit: ConnectomeFit, alpha: float) -> ResultFigure:
    n_shown = min(fit.factors.rank, MOST_COMPONENTS)
    graphs = component_graphs(fit.factors, fit.source.n_units)[:n_shown]
    spans = event_spans(None if fit.source.own_clocks else animals.events, animals.sampling_rate)
    figure = new_figure(0.75 + 1.2 * n_shown)
    axes = figure.subplots(n_shown, 3, squeeze=False, width_ratios=[1.0, 2.7, 1.2])
    levels = fit.factors.levels()
    labels = recording_labels(animals.recordings, animals.subjects)
    for place, (graph, (left, middle, right)) in enumerate(zip(graphs, axes, strict=True)):
        blocks = fit.component_blocks[place].labels
        mine = [motif for motif in fit.motifs if motif.component == place]
        marked = [int(blocks[motif.members[0]]) for motif in mine if fit.is_motif(motif, alpha)]
        draw_blocks(left, graph, blocks, marked, _FRAME)
        left.set_ylabel(f"component {place + 1}", fontweight="bold")
        shade_events(middle, spans)
        seconds = fit.source.frames / animals.sampling_rate
        draw_course(middle, seconds, _course(fit, place), ACCENT)
        _segment_borders(middle, animals)
        p = fit.component_p_values[place]
        words = f"{len(marked)} motif{'s' * (len(marked) != 1)}, p = {p:.2g}"
        middle.set_title(words, fontsize=7.5, fontweight="normal", pad=2)
        _bars(right, levels[:, place], labels if place == n_shown - 1 else [])
        if place < n_shown - 1:
            middle.set_xticklabels([])
    for ax, words in zip(axes[0], ("affinity", "", f"{len(labels)} recordings"), strict=True):
        if words:
            ax.set_title(words, fontsize=7.5, fontweight="normal", pad=2)
    joined = ", windows about events joined" if animals.clock == "events" else ""
    axes[-1, 1].set_xlabel(f"time (s{joined})")
    event_legend(figure, spans)
    return ResultFigure(
        name="connectome-components",
        title="Components",
        caption=_components_caption(animals, fit, n_shown),
        figure=figure,
    )


def _course(fit: ConnectomeFit, component: int) -> np.ndarray:
    """Course (t,), or (n_animals, t) with clocks of their own; NaN after a recording's end."""
    course = fit.factors.times[..., component]
    if not fit.source.own_clocks:
        return np.asarray(course)
    ended = fit.source.frames >= fit.source.lengths[:, None]
    return np.where(ended, np.nan, course)


def _components_caption(animals: Animals, fit: ConnectomeFit, n_shown: int) -> str:
    noun = animals.noun
    more = f"; the {n_shown} largest of {fit.factors.rank}" * (n_shown < fit.factors.rank)
    course = (
        "its mean course over recordings, each on its own clock (band: the middle 80 % of them), "
        "in which only slow trends common to all survive"
        if fit.source.own_clocks
        else "its course, with events shaded by type"
        if len(animals.events)
        else "its course"
    )
    return (
        f"One row a component{more}. Left: affinity between {noun}s above what their total "
        "strengths lead to expect (bright: they change together), sorted by block; orange frames "
        f"are motifs, white ones the other blocks. Middle: {course}. Right: how active each "
        "recording is, over the most active one. A motif is a bright square on a dark ground. "
        "Distrust a component that one recording owns, and one whose p value (its blocks beside "
        "circularly shifted traces) is large: its squares are what the method makes of noise."
    )


def _segment_borders(ax: Axes, animals: Animals) -> None:
    for _, stop in animals.segments[:-1]:
        ax.axvline(stop / animals.sampling_rate, color=MUTED, linewidth=0.5, linestyle=":")


def _bars(ax: Axes, values: np.ndarray, labels: list[str]) -> None:
    ax.bar(np.arange(len(values)), values, width=0.75, color=ACCENT)
    ax.set_ylim(0, 1.05)
    ax.set_yticks([0, 1])
    ax.set_xticks([])
    if labels and len(labels) <= _MOST_BARS:
        ax.set_xticks(np.arange(len(labels)), labels, rotation=90, fontsize=6.5)
    elif labels:
        ax.set_xlabel("recording")
    ax.tick_params(axis="x", length=0)


def _communities_figure(animals: Animals, fit: ConnectomeFit) -> ResultFigure:
    activity, n_units = fit.factors.coactivity(), fit.source.n_units
    graphs = [window_graph(fit.factors, activity, n_units, window) for window in fit.windows]
    found = [held_together(g, b.labels) for g, b in zip(graphs, fit.blocks, strict=True)]
    if len(graphs) == 1:
        return _one_window_figure(animals, fit, graphs[0], found[0])
    numbers = tracked(np.array(found))
    order, stability = track_order(numbers), unit_stability(fit)
    n_events = n_event_windows(animals, fit)
    parts = [part for part in (slice(0, n_events), slice(n_events, None)) if len(numbers[part])]
    figure = new_figure(float(np.clip(1.2 + 0.1 * n_units, 3.0, 7.2)))
    widths = [len(numbers[part]) for part in parts]
    axes = figure.subplots(1, len(parts), squeeze=False, width_ratios=widths)[0]
    for ax, part in zip(axes, parts, strict=True):
        windows = [window.name for window in fit.windows[part]]
        steady = None if stability is None else stability[part]
        draw_tracks(ax, numbers[part], order, windows, animals.names, stability=steady)
    if len(parts) == 2:
        axes[0].set_title("events", fontsize=8, fontweight="normal")
        axes[1].set_title("stretches of time", fontsize=8, fontweight="normal")
        axes[1].set_yticks([])
        axes[1].set_ylabel("")
    faded = (
        f" The paler a {animals.noun}, the less its companions stay the same when recordings are "
        "drawn with replacement: do not tell a story about a pale one."
        if stability is not None
        else ""
    )
    return ResultFigure(
        name="connectome-communities",
        title="Communities over time",
        caption=(
            f"Community of every {animals.noun} (row) "
            + ("during the events of each type and " if len(parts) == 2 else "")
            + "in equal stretches of time (columns), read from the factorised affinities of all "
            "recordings. One colour is one community, followed over windows by its members; at "
            "less than a third in common (Jaccard) it is a new one. Grey: blocks that do not hold "
            f"together, their members being less than twice as alike as they are to others. Rows "
            f"are sorted by the first column: colours that stay in place say that the network "
            f"keeps its communities, colours that scatter say that it regroups.{faded} Windows in "
            "which the same components are active are alike by construction."
        ),
        figure=figure,
    )


def _one_window_figure(
    animals: Animals, fit: ConnectomeFit, graph: np.ndarray, labels: np.ndarray
) -> ResultFigure:
    """One window for all, where each recording has a clock of its own."""
    marked = [int(label) for label in np.unique(labels[labels >= 0])]
    stability = unit_stability(fit)
    figure = new_figure(4.2, 6.6 if stability is not None else 4.2)
    panels = 1 if stability is None else 2
    axes = figure.subplots(1, panels, squeeze=False, width_ratios=[4.0, 1.3][:panels])[0]
    order = draw_blocks(axes[0], graph, fit.blocks[0].labels, marked, _FRAME)
    axes[0].set_xlabel(f"{animals.noun}s, by community")
    caption = (
        f"Affinity between {animals.noun}s above what their total strengths lead to expect, over "
        "all components and recordings, sorted by block. Orange frames: communities; white ones: "
        "blocks that do not hold together, their members being less than twice as alike as they "
        "are to others. Recordings keep their own clocks, so that there are no common windows of "
        "time: the page of a recording shows its communities over time."
    )
    if stability is not None:
        n = len(order)
        axes[1].barh(np.arange(n) + 0.5, stability[0, order], height=1.0, color=ACCENT)
        axes[1].set_ylim(n, 0)
        axes[1].set_xlim(0, 1)
        axes[1].set_yticks([])
        axes[1].set_xlabel("stability")
        caption += (
            f" Right: of each {animals.noun} in the same order, how much its companions stay the "
            "same when recordings are drawn with replacement (mean Jaccard index; 1: always)."
        )
    return ResultFigure(
        name="connectome-communities", title="Communities", caption=caption, figure=figure
    )


def _chance_figure(fit: ConnectomeFit, wiring: WiringComparison | None) -> ResultFigure:
    shifts, halves = fit.shifts, fit.halves
    halved = "recordings" if halves.what == "animals" else halves.what
    figure = new_figure(1.9 if wiring is None else 3.7)
    axes = figure.subplots(1 if wiring is None else 2, 4, squeeze=False)
    gains = shifts.data.component_gains
    fits = np.array([one.fit for one in shifts.shifts])
    top = axes[0]
    null_panel(top[0], fits, shifts.data.fit, "explained share", drawn="shifted")
    largest = float(shifts.data.window_gains.max())
    null_panel(top[1], shifts.largest_window_gains, largest, "largest gain\nof a window (nats)",
               drawn="shifted")  # fmt: skip
    null_panel(top[2], shifts.largest_component_gains, float(gains.max()),
               "largest gain\nof a component (nats)", drawn="shifted")  # fmt: skip
    top[2].plot(gains, np.full(len(gains), 0.5), "|", color=INK, markersize=9, markeredgewidth=1.2)
    null_panel(top[3], halves.null, halves.value, f"likeness of halves\nof the {halved}",
               drawn="units shuffled")  # fmt: skip
    p_values = [shifts.fit_p_value, shifts.gain_p_value, fit.component_p_values.min()]
    for ax, p in zip(top, p_values, strict=False):
        ax.set_title(f"p = {p:.2g}", fontsize=7.5, fontweight="normal")
    caption = (
        f"The data (blue line) beside the same analysis of {len(shifts.shifts)} data sets (grey) "
        "in which every trace was shifted circularly by a lag of its own: units keep their "
        "dynamics and share no moment. From the left: share of the affinities that the components "
        "explain; what blocks save of the description of a window, and of a component (ticks: "
        "every component), each beside the largest of every shift; likeness of the components of "
        "two halves, beside shuffled units. A line inside the grey is no finding. An explained "
        "share that is high in the shifts too is no fault: affinities are positive, and their mean "
        "level alone explains much."
    )
    if wiring is not None:
        caption += _draw_wiring(axes[1], wiring)
    return ResultFigure(
        name="connectome-chance", title="Beside chance", caption=caption, figure=figure
    )


def _draw_wiring(axes: np.ndarray, wiring: WiringComparison) -> str:
    null_panel(axes[0], wiring.rho_null, wiring.rho, "correlation with wiring", drawn="rewired")
    axes[0].set_title(f"p = {wiring.p_value:.2g}", fontsize=7.5, fontweight="normal")
    drawn = 1
    if np.isfinite(wiring.share):
        label = "share of synapses\nwithin communities"
        null_panel(axes[1], wiring.share_null, wiring.share, label, drawn="rewired")
        axes[1].set_title(f"p = {wiring.share_p_value:.2g}", fontsize=7.5, fontweight="normal")
        drawn = 2
    for ax in axes[drawn:]:
        ax.set_visible(False)
    return (
        f" Below: agreement with the wiring diagram on {wiring.n_units} units "
        f"({wiring.n_connections} connected pairs): rank correlation of affinity and synapse "
        "weight over pairs, and the share of synapses within communities, beside wirings in which "
        "every unit keeps its number of partners."
    )
