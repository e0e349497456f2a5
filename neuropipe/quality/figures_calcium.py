"""Figures of fluorescence traces: the population, and examples with distributions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuropipe.drawing import pooled
from neuropipe.plotting import ACCENT, DIVERGING, INK, new_figure, style
from neuropipe.quality.figures import (
    despine,
    distribution,
    envelope,
    heat_map,
    similarity_order,
    ticks,
)
from neuropipe.quality.series import mean_over_units, zscored
from neuropipe.quality.settings import CalciumQualitySettings
from neuropipe.recording import Recording
from neuropipe.results import ResultFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from neuropipe.quality.calcium import CalciumNumbers

_N_EXAMPLES = 6
_TRACE_POINTS = 600  # more are not seen in a page's width


def population_figure(recording: Recording) -> ResultFigure:
    """Draw all traces as a heat map under their mean."""
    assert recording.signals is not None
    scaled = zscored(recording.signals.values)
    time = recording.signals["time"].values
    order = similarity_order(scaled)
    step = 1 / float(recording.signals.attrs["sampling_rate"])
    with style():
        figure = new_figure(3.6)
        top, main = figure.subplots(2, 1, sharex=True, height_ratios=[0.5, 2.7])
        mean = pooled(mean_over_units(scaled)[None], 1, _TRACE_POINTS)[0]
        top.plot(np.linspace(time[0], time[-1], len(mean)), mean, color=INK, lw=0.7)
        top.set_ylabel("mean (sd)", rotation=0, ha="right", va="center", fontsize=7.5)
        top.locator_params(axis="y", nbins=3)
        extent = (float(time[0]), float(time[-1] + step), float(len(order)), 0.0)
        image = heat_map(main, scaled[:, order].T, extent, cmap=DIVERGING, vmin=-3, vmax=3)
        main.set_yticks([])
        main.set_ylabel(f"{len(order)} units", fontsize=8)
        main.set_xlabel("time (s)")
        main.set_xlim(extent[:2])
        figure.colorbar(image, ax=main, shrink=0.6, pad=0.01, aspect=25, label="z-score")
        despine(top, bottom=False)
        despine(main)
    return ResultFigure(
        name="population",
        title="All traces",
        caption="Every row is a unit, its trace in z-scores; units with similar activity stand "
        "together. The line on top is the mean over units. Stripes through all units at once are "
        "motion, bleaching or light; a slow change of colour along a row is drift; blocks of a few "
        "rows are neurons that act together.",
        figure=figure,
    )


def examples_figure(
    recording: Recording, numbers: CalciumNumbers, settings: CalciumQualitySettings
) -> ResultFigure:
    """Draw traces from best to worst signal to noise, and the distributions over units."""
    assert recording.signals is not None
    with style():
        figure = new_figure(3.3)
        left, right = np.asarray(figure.subfigures(1, 2, width_ratios=[1.7, 1]))
        _examples(left.subplots(), recording, numbers)
        upper, lower = right.subplots(2, 1)
        distribution(upper, numbers.snr, "signal to noise", bounds=settings.snr)
        distribution(lower, numbers.event_rate, "events per min")
    return ResultFigure(
        name="examples",
        title="Example traces and distributions",
        caption="Left: traces of units from the best (top) to the worst (bottom) signal to noise, "
        "each scaled to its own range, with the onsets of detected transients (orange ticks). "
        "Right: signal to noise and event rate over units with their medians (black) and the "
        "bounds of the verdict (amber: good from there; red: bad below). White noise reaches 2.3.",
        figure=figure,
    )


def _examples(ax: Axes, recording: Recording, numbers: CalciumNumbers) -> None:
    assert recording.signals is not None
    traces, time = recording.signals.values, recording.signals["time"].values
    usable = np.flatnonzero(np.isfinite(numbers.snr))
    if not len(usable):  # all constant
        ax.text(0.5, 0.5, "no unit varies", ha="center", va="center", transform=ax.transAxes)
        ax.set_axis_off()
        return
    ranked = usable[np.argsort(-numbers.snr[usable], kind="stable")]
    chosen = ranked[np.unique(np.linspace(0, len(ranked) - 1, _N_EXAMPLES).round().astype(int))]
    for row, unit in enumerate(chosen):
        trace = traces[:, unit].astype(float)
        low, high = np.nanquantile(trace, (0.005, 0.999))
        shown = np.clip((trace - low) / max(high - low, 1e-12), -0.15, 1.15) * 0.8 - row
        line, at = envelope(shown, time, _TRACE_POINTS)
        ax.plot(at, line, color=ACCENT, lw=0.6)
        onsets = time[numbers.events[:, unit]]
        ticks(ax, onsets, -row - 0.18, 0.1)
    names = [str(recording.units.index[u])[:12] for u in chosen]
    labels = [f"{name}\n{numbers.snr[u]:.1f}" for name, u in zip(names, chosen, strict=True)]
    ax.set_yticks(0.35 - np.arange(len(chosen)), labels)
    ax.set_xlabel("time (s)")
    ax.set_xlim(time[0], time[-1])
    despine(ax)
    ax.tick_params(axis="y", length=0)
