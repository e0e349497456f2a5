"""Figures of responses to images: reliability, and the response matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuropipe.plotting import ACCENT, DIVERGING, INK, MUTED, new_figure, style
from neuropipe.quality.figures import despine, distribution, heat_map, log_scale, similarity_order
from neuropipe.quality.series import zscored
from neuropipe.quality.settings import ImagesQualitySettings
from neuropipe.recording import Recording
from neuropipe.results import ResultFigure
from neuropipe.stats.noise_ceiling import ceiling_of_mean

if TYPE_CHECKING:
    from neuropipe.quality.images import ImageNumbers


def reliability_figure(numbers: ImageNumbers, settings: ImagesQualitySettings) -> ResultFigure:
    """Draw reliability and ceilings over units, and the ceiling by number of repeats."""
    assert numbers.reliability is not None
    assert numbers.parts is not None
    assert numbers.ceiling is not None
    with style():
        figure = new_figure(2.3)
        left, middle, right = figure.subplots(1, 3)
        distribution(left, numbers.reliability, "reliability", bounds=settings.reliability)
        distribution(middle, numbers.ceiling, "noise ceiling")
        present = float(np.nanmedian(numbers.parts.repeats))
        n = np.unique(np.round(np.geomspace(1, max(40, 4 * present), 30)))
        curves = np.stack([ceiling_of_mean(numbers.parts, k) for k in n])
        curves = curves[:, np.isfinite(curves).all(axis=0)]
        if curves.size:
            low, center, high = np.quantile(curves, (0.25, 0.5, 0.75), axis=1)
            right.fill_between(n, low, high, color=ACCENT, alpha=0.2, lw=0)
            right.plot(n, center, color=ACCENT, lw=1.4)
        right.axvline(present, color=INK, lw=0.9, ls=":")
        right.annotate(
            f"{present:.2g} repeats",
            (present, 0.02),
            xytext=(3, 0),
            textcoords="offset points",
            fontsize=7.5,
        )
        log_scale(right)
        right.set_ylim(0, 1)
        right.set_xlabel("repeats averaged")
        right.set_ylabel("noise ceiling")
    return ResultFigure(
        name="reliability",
        title="Reliability",
        caption="Left: split-half reliability over units, with its median (black) and the bounds "
        "of the verdict (amber: good from there; red: bad below). Middle: share of the variance of "
        "the mean response that a perfect model could explain. Right: that ceiling for other "
        "numbers of repeats (line: median unit, band: middle half); where the curve is still steep "
        "at the dotted line, more repeats would help more than more images.",
        figure=figure,
    )


def responses_figure(recording: Recording, numbers: ImageNumbers) -> ResultFigure:
    """Draw the matrix of mean responses, and how strongly images and units respond."""
    scaled = zscored(numbers.means)  # images stand on the first axis, as times do elsewhere
    population = np.nan_to_num(scaled).mean(axis=1)
    rows, columns = similarity_order(scaled), similarity_order(scaled.T)
    with style():
        figure = new_figure(3.4)
        grid = figure.add_gridspec(2, 2, width_ratios=[3, 1], height_ratios=[0.5, 2.5])
        top, main, side = (figure.add_subplot(grid[at]) for at in ((0, 0), (1, 0), (1, 1)))
        top.plot(np.arange(len(columns)), population[columns], color=INK, lw=0.8)
        top.axhline(0, color=MUTED, lw=0.6, ls=":")
        top.set_ylabel("mean (sd)", rotation=0, ha="right", va="center", fontsize=7.5)
        top.set_xlim(0, len(columns))
        extent = (0.0, float(len(columns)), float(len(rows)), 0.0)
        matrix = scaled[np.ix_(columns, rows)].T
        image = heat_map(main, matrix, extent, cmap=DIVERGING, vmin=-2.5, vmax=2.5)
        main.set_yticks([])
        main.set_ylabel(f"{len(rows)} units", fontsize=8)
        main.set_xlabel(f"{len(columns)} images")
        figure.colorbar(image, ax=main, pad=0.01, aspect=25, shrink=0.7, label="z-score")
        assert recording.responses is not None
        unit = str(recording.responses.attrs.get("unit", ""))
        known = np.isfinite(numbers.means).any(axis=0)
        level = np.nanmean(numbers.means[:, known], axis=0)
        distribution(side, level, f"mean response\n({unit})" if unit else "mean response")
        despine(top, bottom=False)
        despine(main)
    return ResultFigure(
        name="responses",
        title="Responses",
        caption="Every row is a unit, every column an image; units and images with similar "
        "patterns stand together. Colour is the mean over repeats in z-scores per unit, the line "
        "on top the mean over units. Blocks are groups of units that prefer the same images; a "
        "matrix without blocks is noise, or units with tastes all of their own. Right: mean "
        "response of every unit.",
        figure=figure,
    )
