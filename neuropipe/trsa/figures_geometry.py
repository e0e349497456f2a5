"""Figures of the geometry: how factors are laid out, and what share of the variance they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuropipe.plotting import ACCENT, CYCLE, FAINT, new_figure
from neuropipe.results import ResultFigure
from neuropipe.trsa.figures_parts import draw_intervals, name_places, short
from neuropipe.trsa.geometry.features import FeatureShares
from neuropipe.trsa.geometry.measures import GeometrySummary, Measure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["geometry_figure"]

_MOST_FACTORS = 4


def geometry_figure(geometry: GeometrySummary | None) -> ResultFigure | None:
    """Abstraction of binary factors, and variance beside decodability of features.

    Parameters
    ----------
    geometry : GeometrySummary or None

    Returns
    -------
    ResultFigure or None
        None where there is neither.
    """
    if geometry is None:
        return None
    abstract = bool(geometry.factors) or geometry.shattering is not None
    panels = [*(["abstraction"] if abstract else []), *(["features"] if geometry.features else [])]
    if not panels:
        return None
    n_rows = 3 * min(len(geometry.factors), _MOST_FACTORS) + (geometry.shattering is not None)
    height = 2.8 if geometry.features else 0.9 + 0.26 * n_rows
    figure = new_figure(height, 7.2 if len(panels) == 2 else 5.0)
    axes = dict(zip(panels, np.atleast_1d(figure.subplots(1, len(panels))), strict=True))
    words = []
    if "abstraction" in axes:
        _abstraction(axes["abstraction"], geometry)
        words.append(
            "Readouts of left-out repeats: each factor decoded from all conditions (decoding), "
            "from conditions that the readout was not trained on (CCGP), its parallelism (mean "
            "cosine of coding directions), and the mean over all balanced dichotomies (SD). Grey: "
            "central 95 % by chance (shuffled, or turned at random); dots with 95 % intervals over "
            "repeats. Decoding without CCGP is a factor that is there but not abstract."
        )
    if geometry.features is not None:
        _features(axes["features"], geometry.features)
        words.append(
            "Crossvalidated share of the units' variance that each feature explains by itself, "
            "beside how well it can be read out (both 0 at chance, 1 at most). A feature with "
            "little variance can be read out as well as one with much: variance is no measure of "
            "importance, and RSA sees mostly variance."
        )
    return ResultFigure(
        name="trsa-geometry",
        title="Geometry of factors and features",
        caption=" ".join(words),
        figure=figure,
    )


def _abstraction(ax: Axes, geometry: GeometrySummary) -> None:
    rows: list[tuple[str, Measure]] = []
    for factor in geometry.factors[:_MOST_FACTORS]:
        rows += [
            (f"{short(factor.name)}: decoding", factor.decodability),
            (f"{short(factor.name)}: CCGP", factor.generalisation),
            (f"{short(factor.name)}: parallelism", factor.parallelism),
        ]
    if geometry.shattering is not None:
        rows.append(("all dichotomies: SD", geometry.shattering))
    for y, (_, measure) in enumerate(rows):
        low, high = measure.null_interval
        if np.isfinite([low, high]).all():
            ax.fill_betweenx([y - 0.3, y + 0.3], low, high, color=FAINT, linewidth=0)
        if np.isfinite(measure.interval).all():
            ax.hlines(y, *measure.interval, color=ACCENT, linewidth=1.6)
        ax.plot(measure.value, y, "o", color=ACCENT, markersize=5, markeredgewidth=0)
    ax.set_yticks(range(len(rows)), [name for name, _ in rows])
    ax.invert_yaxis()
    ax.set_xlabel("accuracy, or cosine")


def _features(ax: Axes, features: FeatureShares) -> None:
    x = np.arange(len(features.names))
    ax.bar(x - 0.2, np.maximum(features.shares, 0), 0.36, color=ACCENT, label="variance share")
    above = (features.decodability - features.chance) / (1 - features.chance)
    folds = (features.by_fold - features.chance) / (1 - features.chance)
    error = folds.std(axis=0) / np.sqrt(max(len(folds), 1))
    draw_intervals(ax, x + 0.2, above, above - 2 * error, above + 2 * error, CYCLE[1],
                   label="readout above chance")  # fmt: skip
    name_places(ax, features.names, most=3)
    ax.set_ylim(min(0, float(np.nanmin(above)) - 0.05), 1.05)
    ax.legend(loc="upper right", fontsize=7)
