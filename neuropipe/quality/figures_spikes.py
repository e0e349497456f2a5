"""Figures of sorted spikes: activity in time, units, rate maps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from neuropipe.plotting import ACCENT, INK, SEQUENTIAL, VERDICT_COLORS, new_figure, style
from neuropipe.quality.figures import despine, distribution, heat_map, log_scale
from neuropipe.quality.settings import SpatialSettings, SpikesQualitySettings
from neuropipe.quality.spatial import SpatialTuning
from neuropipe.quality.spikes import binned_counts
from neuropipe.results import ResultFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from neuropipe.quality.spikes import SpikeNumbers

_N_BINS = 120
_RASTER_SPIKES = 6000  # more make a raster black


def raster_window(
    trains: list[np.ndarray], start: float, stop: float, n_spikes: int = _RASTER_SPIKES
) -> tuple[float, float]:
    """Choose an excerpt in the middle of a recording with about a given number of spikes."""
    total = sum(len(train) for train in trains)
    length = (stop - start) * min(1.0, n_spikes / max(total, 1))
    middle = (start + stop) / 2
    return middle - length / 2, middle + length / 2


def activity_figure(trains: list[np.ndarray], numbers: SpikeNumbers) -> ResultFigure:
    """Draw the rate of every unit over the recording, and a raster of an excerpt."""
    start, stop = numbers.start, numbers.stop
    order = np.argsort(-numbers.rate, kind="stable")
    counts = binned_counts(trains, start, stop, _N_BINS)[:, order].astype(float)
    mean = counts.mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = np.where(mean > 0, counts / mean, np.nan)
    population = counts.sum(axis=1) * _N_BINS / (stop - start) / len(trains)
    first, last = raster_window(trains, start, stop)
    with style():
        figure = new_figure(4.6)
        top, drift, raster = figure.subplots(3, 1, height_ratios=[0.5, 1.8, 1.8])
        top.plot(np.linspace(start, stop, _N_BINS), population, color=INK, lw=0.7)
        top.set_ylabel("mean (Hz)", rotation=0, ha="right", va="center", fontsize=7.5)
        top.set_ylim(0)
        top.locator_params(axis="y", nbins=3)
        top.sharex(drift)
        extent = (start, stop, float(len(order)), 0.0)
        image = heat_map(drift, np.sqrt(relative).T, extent, cmap=SEQUENTIAL, vmin=0, vmax=2.5)
        bar = figure.colorbar(image, ax=drift, pad=0.01, aspect=18, label="rate over its mean")
        bar.set_ticks([0, 1, 2], labels=["0", "1", "4"])
        excerpt = [t[np.searchsorted(t, first) : np.searchsorted(t, last)] for t in trains]
        shown = [excerpt[unit] for unit in order]
        rows = np.repeat(np.arange(len(order)) + 0.5, [len(t) for t in shown])
        raster.plot(np.concatenate(shown), rows, "|", color=INK, ms=2.2, mew=0.4, rasterized=True)
        raster.set_xlim(first, last)
        raster.set_ylim(len(order), 0)
        raster.set_xlabel("time (s)")
        for ax in (drift, raster):
            ax.set_yticks([])
            ax.set_ylabel(f"{len(order)} units", fontsize=8)
            despine(ax)
        drift.set_xlim(start, stop)
        for edge in (first, last):
            drift.axvline(edge, color="white", lw=0.8, ls=(0, (3, 2)))
        despine(top, bottom=False)
    return ResultFigure(
        name="activity",
        title="Activity in time",
        caption="Units are sorted by rate, the fastest on top. Top: mean rate over units. Middle: "
        "each unit's rate relative to its own mean over the whole recording (square-root scale); a "
        "row that turns dark for good is a unit that was lost, a column of one colour a change of "
        "the whole population. Bottom: the spikes of the excerpt between the dashed lines.",
        figure=figure,
    )


def units_figure(numbers: SpikeNumbers, settings: SpikesQualitySettings) -> ResultFigure:
    """Draw rates, refractory violations and Fano factors over units."""
    with style():
        figure = new_figure(2.3)
        rates, isi, fano = figure.subplots(1, 3)
        distribution(rates, numbers.rate, "firing rate (Hz)", log=True)
        rates.axvline(
            settings.silent_rate, color=VERDICT_COLORS["doubtful"], lw=0.9, ls=(0, (4, 2))
        )
        known = np.isfinite(numbers.violation_share) & (numbers.rate > 0)
        percent = 100 * numbers.violation_share[known]
        contaminated = percent > 100 * settings.violating_share
        for chosen, color in ((~contaminated, ACCENT), (contaminated, VERDICT_COLORS["bad"])):
            if not chosen.any():
                continue  # an empty unclipped line lies at the figure's corner for the layout
            isi.plot(
                numbers.rate[known][chosen], percent[chosen], "o", color=color, ms=3.5, alpha=0.7,
                mew=0, clip_on=False,
            )  # fmt: skip
        isi.axhline(
            100 * settings.violating_share, color=VERDICT_COLORS["bad"], lw=0.9, ls=(0, (4, 2))
        )
        log_scale(isi)
        isi.set_ylim(0)
        isi.set_xlabel("firing rate (Hz)")
        isi.set_ylabel(f"intervals < {1000 * settings.refractory:g} ms (%)")
        distribution(fano, numbers.fano, "Fano factor")
        fano.axvline(1, color=INK, lw=0.9, ls=":")
    return ResultFigure(
        name="units",
        title="Units",
        caption="Left: firing rates; units left of the amber line count as silent. Middle: every "
        "point is a unit, its share of interspike intervals that are too short for one neuron; "
        "points above the red line mix several neurons. Right: Fano factors of spike counts; a "
        "Poisson process has 1 (dotted). Black lines are medians.",
        figure=figure,
    )


def maps_figure(tuning: SpatialTuning, names: list[str], settings: SpatialSettings) -> ResultFigure:
    """Draw the rate maps of the most informative units."""
    enough = np.isfinite(tuning.information) & (tuning.n_spikes >= settings.minimum_spikes)
    if not enough.any():
        enough = np.isfinite(tuning.information)
    candidates = np.flatnonzero(enough)
    best = candidates[np.argsort(-tuning.information[candidates], kind="stable")]
    best = best[: settings.map_count]
    n_columns = min(6, len(best) + 1)
    n_rows = math.ceil((len(best) + 1) / n_columns)
    with style():
        figure = new_figure(1.45 * n_rows, width=1.2 * n_columns)
        axes = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
        _map(axes[0], tuning, tuning.occupancy, "time spent", "magma")
        for ax, unit in zip(axes[1:], best, strict=False):
            rates = tuning.rates[unit]
            title = f"{names[unit][:12]}\n{tuning.information[unit]:.2f} bits, "
            _map(ax, tuning, rates, f"{title}{np.nanmax(rates):.1f} Hz", SEQUENTIAL)
        for ax in axes[len(best) + 1 :]:
            ax.set_axis_off()
    return ResultFigure(
        name="rate-maps",
        title="Rate maps",
        caption=f"First: time spent in each place (bright: long). Then the smoothed rate maps of "
        f"the {len(best)} units with the highest spatial information (bits per spike; peak rate), "
        "each scaled from 0 to its own peak; white was hardly visited. One compact bright field is "
        "a place cell; speckles are a unit with too few spikes.",
        figure=figure,
    )


def _map(ax: Axes, tuning: SpatialTuning, values: np.ndarray, title: str, cmap: str) -> None:
    shown = np.where(tuning.occupancy > 0, values, np.nan)
    top = np.nanmax(shown) if np.isfinite(shown).any() else 1.0
    extent = (tuning.x_edges[0], tuning.x_edges[-1], tuning.y_edges[0], tuning.y_edges[-1])
    ax.imshow(
        shown.T, origin="lower", extent=extent, cmap=cmap, vmin=0, vmax=top or 1.0,
        interpolation="none",
    )  # fmt: skip
    ax.set_title(title, fontsize=6.5, fontweight="normal", loc="center")
    ax.set_xticks([])
    ax.set_yticks([])
    for side in ax.spines.values():
        side.set_visible(False)
