"""Figures of one subject: RDMs, maps of conditions, models, shape, abstraction.

Axes: n conditions, e pairs, m RDMs (regions).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from neuropipe.plotting import ACCENT, CYCLE, FAINT, INK, MUTED, SEQUENTIAL, new_figure, style
from neuropipe.results import ResultFigure
from neuropipe.trsa.controls import N_DROPPED
from neuropipe.trsa.figures_geometry import geometry_figure
from neuropipe.trsa.figures_maps import course_figure, places_figure
from neuropipe.trsa.figures_parts import (
    Groups,
    aligned_maps,
    condition_groups,
    condition_order,
    draw_map,
    draw_models,
    draw_rdm,
    legend_below,
    name_places,
    short,
    zero_line,
)
from neuropipe.trsa.fit import Region, Representations
from neuropipe.trsa.settings import TrsaSettings
from neuropipe.trsa.topology.geodesic import geodesic
from neuropipe.trsa.topology.homology_null import HomologyTest
from neuropipe.trsa.topology.transforms import geotopological, normalised_ranks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["percentile_bar", "subject_figures"]

_MOST_RDMS = 6
_MOST_REGIONS = 10  # beside each other in the figure of models
_MOST_SHAPES = 4
_MOST_SETS = 4
_TOPOLOGY = (0.4, 0.6)  # the widest cell of the grid's topology-sensitive ones
_GEODESIC = (0.0, 0.3)


def subject_figures(found: Sequence[Representations], settings: TrsaSettings) -> list[ResultFigure]:
    """Draw what is known of a subject's representations.

    Parameters
    ----------
    found : sequence of Representations
        The first four sets are drawn.
    settings : TrsaSettings
    """
    figures = []
    with style():
        for k, one in enumerate(found[:_MOST_SETS]):
            several = len(found) > 1
            groups = condition_groups(one.responses.conditions)
            drawn = [
                _rdm_figure(one, groups),
                _map_figure(one, groups, settings.seed),
                _model_figure(one, settings),
                _control_figure(one, settings),
                places_figure(one.places, one.measure, settings.comparison),
                course_figure(one.course, settings.comparison),
                _shape_figure(one, settings),
                geometry_figure(one.geometry),
            ]
            for figure in drawn:
                if figure is not None:
                    figures.append(_of_set(figure, k, one.responses.name) if several else figure)
    return figures


def _of_set(figure: ResultFigure, place: int, name: str) -> ResultFigure:
    return ResultFigure(
        name=f"{figure.name}-{place + 1}",
        title=f"{figure.title} ({name})",
        caption=figure.caption,
        figure=figure.figure,
    )


def _chosen(found: Representations, most: int) -> list[int]:
    """All units first, then the regions whose RDMs repeat best, in the order of their names."""
    values = np.array([one.reliability.value for one in found.regions])
    rest = np.argsort(-np.nan_to_num(values[1:], nan=-np.inf), kind="stable")[: most - 1] + 1
    return [0, *sorted(int(k) for k in rest)]


def _grouped_words(groups: Groups) -> str:
    if groups.values is not None:
        return f"ordered by {groups.column}"
    if groups.within:
        return f"grouped by {groups.column} and ordered by {groups.within}"
    if groups.column:
        return f"grouped by {groups.column}, within it so that neighbours are alike"
    return "ordered so that neighbours are alike"


def _rdm_figure(found: Representations, groups: Groups) -> ResultFigure:
    chosen = _chosen(found, _MOST_RDMS)
    n_columns = min(3, len(chosen))
    n_rows = -(-len(chosen) // n_columns)
    figure = new_figure(2.5 * n_rows + 0.4, 7.2 if n_columns == 3 else 2.6 * n_columns + 0.9)
    axes = figure.subplots(n_rows, n_columns, squeeze=False)
    order = condition_order(found.rdms.dissimilarities[0], groups)
    for ax, k in zip(axes.flat, chosen, strict=False):
        draw_rdm(ax, found.rdms.dissimilarities[k], order, groups, found.rdms.conditions,
                 label=bool(ax in axes[:, 0]))  # fmt: skip
        one = found.regions[k]
        ax.set_title(f"{short(one.name)} ({one.n_units})")
        ax.set_xlabel(_halves_words(one), fontsize=7)
    for ax in axes.flat[len(chosen) :]:
        ax.set_visible(False)
    percentile_bar(figure, axes)
    left_out = len(found.regions) - len(chosen)
    more = f" {left_out} regions whose RDMs repeat less are not drawn." if left_out else ""
    return ResultFigure(
        name="trsa-rdms",
        title="Representational dissimilarity",
        caption=(
            f"How unlike the patterns of each two of the {found.rdms.n_conditions} conditions are "
            f"({found.measure}), as percentiles of its rank among all pairs: dark is alike, bright "
            f"is apart. Conditions are {_grouped_words(groups)}; one order, that of all units, in "
            "every panel. In brackets the number of units; below, how alike the RDMs of two halves "
            "of the data are. Dark blocks on the diagonal are conditions that belong together. "
            f"A panel whose halves do not agree shows noise.{more}"
        ),
        figure=figure,
    )


def _halves_words(region: Region) -> str:
    if not np.isfinite(region.reliability.value):
        return "no halves"
    return f"halves {region.reliability.value:.2f} (p {region.reliability.p:.2g})"


def percentile_bar(figure: Figure, axes: np.ndarray) -> None:
    """Draw the colour bar of RDMs."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    shown = ScalarMappable(Normalize(0, 100), SEQUENTIAL)
    bar = figure.colorbar(shown, ax=axes, shrink=0.6, pad=0.02, aspect=28)
    bar.set_label("percentile of dissimilarity")
    bar.outline.set_visible(False)


def _map_figure(found: Representations, groups: Groups, seed: int) -> ResultFigure | None:
    values = found.rdms.dissimilarities[0]
    if not np.isfinite(values).all():
        return None
    forms = {
        "rank RDM": normalised_ranks(values),
        f"RGTM {_TOPOLOGY}": geotopological(values, *_TOPOLOGY),
        f"RGDM {_GEODESIC}": geodesic(values, *_GEODESIC).distances[0],
    }
    maps = aligned_maps(list(forms.values()), seed)
    figure = new_figure(2.9)
    axes = figure.subplots(1, len(forms))
    for ax, name, points in zip(axes, forms, maps, strict=True):
        draw_map(ax, points, groups, found.rdms.conditions)
        ax.set_title(name)
    if groups.column and groups.values is None:
        legend_below(figure, axes[:1])
    coloured = f" Colour: {groups.column}." if groups.column else ""
    return ResultFigure(
        name="trsa-map",
        title="Conditions by geometry and by topology",
        caption=(
            "Conditions in a plane, near where their patterns (all units) are alike: by ranks of "
            "dissimilarity (geometry), by who is near and who is far alone (RGTM: pairs below the "
            "first quantile are glued together, pairs above the second are equally far), and by "
            "the shortest way along near pairs (RGDM). Multidimensional scaling, turned onto the "
            f"first map.{coloured} Groups that hold in all three do not hang on the exact "
            "distances; a plane shows two dimensions of many, so look at the RDM before "
            "believing a distance."
        ),
        figure=figure,
    )


def _model_figure(found: Representations, settings: TrsaSettings) -> ResultFigure | None:
    able, tests = [], []
    for k in _chosen(found, _MOST_REGIONS):
        evaluation = found.regions[k].evaluation
        if evaluation is not None:
            able.append(found.regions[k])
            tests.append(evaluation.against_zero)
    if not able or found.models is None:
        return None
    figure = new_figure(2.7 + 0.05 * len(found.models))
    ax = figure.subplots()
    draw_models(ax, tests, list(found.models.table["name"].astype(str)), settings.comparison)
    for place, region in enumerate(able):
        halves = region.reliability.value
        if np.isfinite(halves):
            label = "halves of the data" if place == 0 else "_"
            ax.hlines(halves, place - 0.42, place + 0.42, color=INK, linewidth=1.2, label=label)
    name_places(ax, [region.name for region in able])
    legend_below(figure)
    return ResultFigure(
        name="trsa-models",
        title="Models of the representation",
        caption=(
            "Likeness of model RDMs to the RDM of each region, with 95 % intervals for new "
            "conditions of this subject. Chance is 0. The black line is the likeness of two halves "
            "of the data, each with half the trials: a model near it explains about all that half "
            "of the data tells. Models that share an interval cannot be told apart here; the "
            "section of the dataset tests their differences over subjects."
        ),
        figure=figure,
    )


def _control_figure(found: Representations, settings: TrsaSettings) -> ResultFigure | None:
    controls = found.controls
    if controls is None:
        return None
    partial = np.isfinite(controls.partial).any()
    figure = new_figure(2.6)
    axes = np.atleast_1d(figure.subplots(1, 1 + partial, sharey=True))
    for m, name in enumerate(controls.models):
        color = CYCLE[m % len(CYCLE)]
        axes[0].plot(
            N_DROPPED, controls.dropped[:, m], "o-", color=color, markersize=4, label=short(name)
        )
    axes[0].set_xticks(N_DROPPED)
    axes[0].set_xlabel("leading components left out")
    axes[0].set_ylabel(f"likeness ({settings.comparison})")
    zero_line(axes[0])
    if partial:
        x = np.arange(len(controls.models))
        colors = [CYCLE[m % len(CYCLE)] for m in x]
        axes[1].scatter(x, controls.dropped[0], color=colors, s=16, alpha=0.35)
        axes[1].scatter(x, controls.partial, color=colors, s=26, marker="D")
        name_places(axes[1], controls.models, most=3)
        zero_line(axes[1])
    legend_below(figure)
    beyond = (
        f" Right: pale dots are the scores, diamonds what is left (partial rank correlation) once "
        f"{', '.join(controls.nuisances)} are regressed out of both sides (each of them beyond the "
        "other ones). A diamond near 0 says that the model's likeness is that of the low-level "
        "models."
        if partial
        else ""
    )
    return ResultFigure(
        name="trsa-controls",
        title="What the models' scores rest on",
        caption=(
            "Left: scores over all units after the leading principal components of the patterns "
            "were left out. A score that falls to 0 without one or two of them rests on these "
            f"alone; dissimilarities see mostly the directions of largest variance.{beyond}"
        ),
        figure=figure,
    )


def _shape_figure(found: Representations, settings: TrsaSettings) -> ResultFigure | None:
    able = [k for k in _chosen(found, _MOST_SHAPES) if found.regions[k].homology]
    if not able:
        return None
    words = {0: "parts", 1: "loops", 2: "voids"}
    n_dimensions = len(found.regions[able[0]].homology)
    figure = new_figure(0.6 + 2.9 * n_dimensions)
    axes = figure.subplots(2 * n_dimensions, len(able), squeeze=False,
                           height_ratios=[1.0, 0.6] * n_dimensions)  # fmt: skip
    for column, k in enumerate(able):
        one = found.regions[k]
        axes[0, column].set_title(short(one.name))
        for test, curve, diagram in zip(
            one.homology, axes[::2, column], axes[1::2, column], strict=True
        ):
            _draw_betti(curve, test, settings.alpha)
            _draw_diagram(diagram, test)
            if column == 0:
                curve.set_ylabel(f"number of {words[test.dimension]}")
                diagram.set_ylabel("lives for")
    legend_below(figure, [axes[0, 0], axes[1, 0]])
    return ResultFigure(
        name="trsa-shape",
        title="Shape: Betti curves and persistence",
        caption=(
            "Balls of growing size about the mean patterns merge; the curve counts the loops (or "
            "voids, or parts) among them, against the distance in units of the root mean square "
            "one. Grey: the central 95 % of Gaussian clouds of the same covariance, which have "
            f"loops too ({settings.topology.n_null} drawn). Only what leaves the grey is a shape "
            "of its own; p is that of the longest-lived one. Noise of the patterns is part of the "
            "cloud and of its null: it hides shapes, it makes none. Below: the persistence "
            "diagram, each one by the distance at which it is born and for how much longer it "
            "lives; 95 % of the clouds have none above the dashed line."
        ),
        figure=figure,
    )


def _draw_betti(ax: Axes, test: HomologyTest, alpha: float) -> None:
    low, high = test.band
    ax.fill_between(test.thresholds, low, high, color=FAINT, step="mid", linewidth=0,
                    label="Gaussian clouds")  # fmt: skip
    ax.step(test.thresholds, test.betti, where="mid", color=ACCENT, label="data")
    ax.annotate(f"longest:\np {test.p_largest:.2g}", (0.03, 1), xycoords="axes fraction",
                ha="left", va="top", fontsize=7,
                color=INK if test.p_largest <= alpha else MUTED)  # fmt: skip
    ax.set_xlim(0, test.thresholds[-1])
    ax.tick_params(labelbottom=False)


def _draw_diagram(ax: Axes, test: HomologyTest) -> None:
    born, died = test.bars.T
    ax.plot(born, died - born, "o", color=ACCENT, markersize=3, markeredgewidth=0, alpha=0.8)
    longest = float(np.quantile(test.null_largest, 0.95))
    ax.axhline(
        longest, color=MUTED, linewidth=0.8, linestyle="--", label="longest by chance (95 %)"
    )
    ax.set_xlim(0, test.thresholds[-1])
    ax.set_ylim(0, 1.15 * max(longest, test.largest) or 1.0)
    ax.set_xlabel("distance")
