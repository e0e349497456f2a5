"""Figures of where and when conditions are told apart."""

from __future__ import annotations

import numpy as np

from neuropipe.plotting import ACCENT, CYCLE, DIVERGING, INK, SEQUENTIAL, new_figure
from neuropipe.results import ResultFigure
from neuropipe.trsa.figures_parts import legend_below, short, zero_line
from neuropipe.trsa.maps import Course, Places

__all__ = ["course_figure", "places_figure"]

_MOST_MODELS = 3
_MOST_POINTS = 20_000


def places_figure(found: Places | None, measure: str, comparison: str) -> ResultFigure | None:
    """Mean dissimilarity and scores of models about every unit, seen along each axis.

    Parameters
    ----------
    found : Places or None
    measure, comparison : str
    """
    if found is None:
        return None
    centres = found.centres
    best = np.argsort(-np.nanmax(found.scores, axis=0, initial=-1))[:_MOST_MODELS]
    rows = [(f"{measure}\n(mean over pairs)", centres["dissimilarity"].to_numpy(float))]
    rows += [
        (f"{short(found.models[m])}\n({comparison})", found.scores[:, m]) for m in sorted(best)
    ]
    x, y, z = (1000 * centres[axis].to_numpy(float) for axis in "xyz")
    views = [("x", x, "y", y)]
    if np.ptp(z) > 0:
        views += [("x", x, "z", z), ("y", y, "z", z)]
    figure = new_figure(0.3 + 1.9 * len(rows), 7.2 if len(views) > 1 else 3.6)
    axes = figure.subplots(len(rows), len(views), squeeze=False)
    for row, (label, values) in enumerate(rows):
        limit = max(float(np.nanmax(np.abs(values))), 1e-12)
        signed = np.nanmin(values) < 0
        order = np.argsort(values)[-_MOST_POINTS:]  # the largest are drawn last, on top
        for column, (first, a, second, b) in enumerate(views):
            ax = axes[row, column]
            drawn = ax.scatter(
                a[order], b[order], c=values[order], s=8, linewidths=0,
                cmap=DIVERGING if signed else SEQUENTIAL, vmin=-limit if signed else 0, vmax=limit,
                rasterized=len(order) > 500,
            )  # fmt: skip
            ax.set_aspect("equal", adjustable="datalim")
            ax.set_xlabel(f"{first} (mm)")
            ax.set_ylabel(f"{second} (mm)")
        bar = figure.colorbar(drawn, ax=axes[row], pad=0.02, aspect=16)
        bar.set_label(label)
        bar.outline.set_visible(False)
    return ResultFigure(
        name="trsa-places",
        title="Where conditions are told apart",
        caption=(
            f"Every dot is a unit and stands for all within {1000 * found.radius:g} mm of it; "
            "where dots lie on each other the largest is seen. First row: mean "
            "dissimilarity over pairs of conditions, about 0 where nothing is told apart if it is "
            f"crossvalidated. Below, likeness of models to the RDM about the unit ({comparison}), "
            "best models first. Neighbours share units, so that blobs are at least two radii "
            "wide; nothing here is corrected for the number of places, and a map may not be used "
            "to choose a region that is then tested on the same data."
        ),
        figure=figure,
    )


def course_figure(found: Course | None, comparison: str) -> ResultFigure | None:
    """Dissimilarity and scores of models over time.

    Parameters
    ----------
    found : Course or None
    comparison : str
    """
    if found is None:
        return None
    times = found.rdms.table["time"].to_numpy(float)
    figure = new_figure(3.6)
    top, bottom = figure.subplots(2, 1, sharex=True)
    top.plot(
        times, np.nanmean(found.rdms.dissimilarities, axis=1), "o-", color=ACCENT, markersize=3
    )
    top.set_ylabel(f"mean\n{found.rdms.measure}")
    zero_line(top)
    bottom.plot(times, found.to_whole, color=INK, linewidth=1.2, label="whole window")
    for m, name in enumerate(found.models):
        bottom.plot(times, found.scores[:, m], color=CYCLE[m % len(CYCLE)], label=short(name))
    bottom.set_ylabel(f"likeness\n({comparison})")
    bottom.set_xlabel("time from onset (s)")
    zero_line(bottom)
    legend_below(figure)
    return ResultFigure(
        name="trsa-course",
        title="When conditions are told apart",
        caption=(
            f"RDMs of all units in windows of {found.step:g} s. Top: mean dissimilarity over pairs "
            "of conditions, about 0 before anything is told apart if it is crossvalidated. Bottom: "
            "likeness of models to the RDM of each window, and (black) of the RDM of the whole "
            "window, which holds each of them and is no test. Short windows are noisier than the "
            "whole: a low score early may be noise or absence."
        ),
        figure=figure,
    )
