"""Figures of region time series: the carpet, and the units."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuropipe.plotting import ACCENT, CYCLE, INK, MUTED, VERDICT_COLORS, new_figure, style
from neuropipe.quality import fmri
from neuropipe.quality.figures import despine, distribution, envelope, heat_map, log_scale, tag_rows
from neuropipe.quality.series import zscored
from neuropipe.quality.settings import FmriQualitySettings
from neuropipe.recording import MISSING, Recording
from neuropipe.results import ResultFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from neuropipe.quality.fmri import FmriNumbers

_GROUPINGS = ("network", "region", "hemisphere")
_MAX_GROUPS = 20


def carpet_order(
    signals: np.ndarray, global_z: np.ndarray, groups: np.ndarray | None
) -> tuple[np.ndarray, list[tuple[str, int]]]:
    """Order units by group, and within a group by their correlation with the global signal.

    Parameters
    ----------
    signals : array of shape (n_times, n_units)
        z-scored.
    global_z : array of shape (n_times,)
    groups : array of str of shape (n_units,), optional

    Returns
    -------
    order : array of int of shape (n_units,)
    sizes : list of (group, number of units)
        In the order of the rows; empty without groups.

    Notes
    -----
    Ordering by the global signal shows waves through the brain: Aquino et al. 2020, NeuroImage 212.
    """
    follows = np.nan_to_num(signals).T @ np.nan_to_num(global_z)
    if groups is None:
        return np.argsort(-follows, kind="stable"), []
    names, inverse, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.lexsort((-follows, inverse))
    return order, [(str(n), int(k)) for n, k in zip(names, sizes, strict=True)]


def unit_groups(recording: Recording) -> tuple[str, np.ndarray] | None:
    """Choose what a carpet's rows are grouped by: network, region or hemisphere.

    Returns
    -------
    name : str
    groups : array of str of shape (n_units,)
        None instead of both where no such column parts the units into 2 to 20 groups.
    """
    for name in _GROUPINGS:
        if name in recording.units:
            groups = recording.units[name].to_numpy(object).astype(str)
            known = groups != MISSING
            if known.any() and 2 <= len(set(groups[known])) <= _MAX_GROUPS:
                return name, np.where(known, groups, "not assigned")
    return None


def carpet_figure(
    recording: Recording, numbers: FmriNumbers, settings: FmriQualitySettings
) -> ResultFigure:
    """Draw the carpet under the traces of motion, DVARS and the global signal."""
    assert recording.signals is not None
    time = recording.signals["time"].values
    scaled = zscored(recording.signals.values)
    grouping = unit_groups(recording)
    order, sizes = carpet_order(scaled, numbers.global_z, grouping[1] if grouping else None)
    with_motion = numbers.displacement is not None
    heights = [0.5] * (3 if with_motion else 2) + [2.6]
    with style():
        figure = new_figure(sum(heights) + 0.45)
        axes = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
        if with_motion:
            assert numbers.displacement is not None
            _spiky_trace(axes[0], time, numbers.displacement, settings.fd_spike, "FD (mm)")
        _spiky_trace(axes[-3], time, numbers.dvars, settings.dvars_spike, "DVARS")
        percent = numbers.global_percent
        values = numbers.global_z if percent is None else percent
        line, at = envelope(values, time)
        axes[-2].plot(at, line, color=INK, lw=0.6)
        _trace_label(axes[-2], "global (sd)" if percent is None else "global (%)")
        step = 1 / float(recording.signals.attrs["sampling_rate"])
        extent = (time[0], time[-1] + step, len(order), 0)
        heat_map(axes[-1], scaled[:, order].T, extent, cmap="gray", vmin=-2, vmax=2)
        if sizes:
            tag_rows(axes[-1], sizes)
        else:
            axes[-1].set_yticks([])
            axes[-1].set_ylabel(f"{len(order)} regions", fontsize=8)
        axes[-1].set_xlabel("time (s)")
        axes[-1].set_xlim(extent[:2])
        for ax in axes[:-1]:
            despine(ax, bottom=False)
        despine(axes[-1])
        figure.align_ylabels(axes)
    return ResultFigure(
        name="carpet",
        title="Carpet plot",
        caption=_carpet_caption(with_motion, grouping[0] if grouping else None, settings),
        figure=figure,
    )


def _carpet_caption(with_motion: bool, grouping: str | None, settings: FmriQualitySettings) -> str:
    within = "one group" if grouping else "some rows alone"
    rows = f"grouped by {grouping} and then" if grouping else "sorted"
    above = (
        f"framewise displacement, standardised DVARS (amber lines: {settings.fd_spike:g} mm and "
        f"{settings.dvars_spike:g}; red marks lie above them)"
        if with_motion
        else f"standardised DVARS (amber line: {settings.dvars_spike:g}; red marks lie above it)"
    )
    return (
        f"Every row is a region, {rows} by how closely it follows the global signal; grey is its "
        f"signal in z-scores, black -2 to white 2. On the same time axis stand {above} and the "
        "global signal. Stripes that cross all rows at once are motion, breathing or the scanner, "
        f"above all where DVARS jumps with them; patches within {within} are what a brain does."
    )


def _spiky_trace(ax: Axes, time: np.ndarray, values: np.ndarray, bound: float, label: str) -> None:
    line, at = envelope(values, time)
    ax.plot(at, line, color=ACCENT, lw=0.6)
    ax.axhline(bound, color=VERDICT_COLORS["doubtful"], lw=0.7, ls=(0, (4, 2)))
    with np.errstate(invalid="ignore"):
        high = values > bound
    ax.plot(time[high], values[high], ".", color=VERDICT_COLORS["bad"], ms=2.5)
    finite = values[np.isfinite(values)]
    top = max(1.2 * bound, float(finite.max()) if len(finite) else 0)
    ax.set_ylim(0, 1.05 * top)
    _trace_label(ax, label)


def _trace_label(ax: Axes, label: str) -> None:
    ax.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=7.5)
    ax.locator_params(axis="y", nbins=3)


def units_figure(
    recording: Recording, numbers: FmriNumbers, settings: FmriQualitySettings
) -> ResultFigure:
    """Draw temporal SNR and coverage, where known, and the power spectra."""
    assert recording.signals is not None
    panels = [p for p in ("tsnr", "coverage") if getattr(numbers, p) is not None] + ["spectrum"]
    with style():
        figure = new_figure(2.2, width=7.2 if len(panels) > 1 else 4.2)
        axes = np.atleast_1d(figure.subplots(1, len(panels)))
        for ax, panel in zip(axes, panels, strict=True):
            if panel == "tsnr":
                assert numbers.tsnr is not None
                distribution(ax, numbers.tsnr, "temporal SNR", bounds=settings.tsnr, noun="regions")
            elif panel == "coverage":
                assert numbers.coverage is not None
                distribution(ax, numbers.coverage, "share of voxels covered", noun="regions")
                ax.axvline(settings.covered, color=VERDICT_COLORS["bad"], lw=0.9, ls=(0, (4, 2)))
            else:
                _spectrum(ax, recording)
    words = "Distributions over regions with their median (black). " if len(panels) > 1 else ""
    if "tsnr" in panels:
        words += "Lines at the temporal SNR are the bounds of its verdict (amber: good from there; "
        words += "red: bad below). "
    if "coverage" in panels:
        words += "Regions left of the red line at the coverage count as not covered. "
    return ResultFigure(
        name="units",
        title="Regions and frequencies" if len(panels) > 1 else "Frequencies",
        caption=words
        + "The spectrum shows the share of variance at each frequency (line: median region, band: "
        "middle half). Spontaneous BOLD falls off from about 0.01 to 0.1 Hz (grey); a flat "
        "spectrum is noise, a narrow peak at 0.2-0.4 Hz is breathing, sharp edges are filters.",
        figure=figure,
    )


def _spectrum(ax: Axes, recording: Recording) -> None:
    assert recording.signals is not None
    rate = float(recording.signals.attrs["sampling_rate"])
    frequencies, power = fmri.power_spectrum(recording.signals.values, rate)
    power = power[:, np.isfinite(power).all(axis=0)]
    ax.axvspan(0.01, 0.1, color=MUTED, alpha=0.13, lw=0)
    if power.shape[1]:
        low, middle, high = np.quantile(power, (0.25, 0.5, 0.75), axis=1)
        ax.fill_between(frequencies, low, high, color=CYCLE[0], alpha=0.25, lw=0)
        ax.plot(frequencies, middle, color=CYCLE[0], lw=1.2)
    log_scale(ax, "xy")
    ax.set_xlabel("frequency (Hz)")
    ax.set_ylabel("share of variance")
