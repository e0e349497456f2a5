"""Figures of a dataset: mean RDMs, map of regions, grid of thresholds, families, models.

Axes: m items (RDMs), s subjects, r regions, k cells of the grid.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import pdist

from neuropipe.plotting import ACCENT, FAINT, INK, MUTED, SEQUENTIAL, new_figure, style
from neuropipe.results import ResultFigure
from neuropipe.trsa.figures import percentile_bar
from neuropipe.trsa.figures_parts import (
    Groups,
    aligned_maps,
    condition_groups,
    condition_order,
    draw_intervals,
    draw_map,
    draw_models,
    draw_rdm,
    legend_below,
    name_places,
    short,
    zero_line,
)
from neuropipe.trsa.fit_group import GroupRepresentations, Identified
from neuropipe.trsa.rdms import RDMs
from neuropipe.trsa.settings import TrsaSettings
from neuropipe.trsa.topology.families import BEST, RANK
from neuropipe.trsa.topology.transforms import geotopological, normalised_ranks

__all__ = ["group_figures"]

_MOST_RDMS = 6
_MOST_REGIONS = 10
_TOPOLOGY = (0.4, 0.6)


def group_figures(group: GroupRepresentations, settings: TrsaSettings) -> list[ResultFigure]:
    """Draw what is known of a dataset's representations.

    Parameters
    ----------
    group : GroupRepresentations
    settings : TrsaSettings
    """
    with style():
        figures = [_mean_figure(group)]
        if group.identified is not None:
            figures += [
                _families_figure(group.identified),
                _grid_figure(group.identified),
                _regions_figure(group.rdms, group.identified, settings.seed),
            ]
        models = _models_figure(group, settings)
        if models is not None:
            figures.append(models)
    return figures


def _mean_figure(group: GroupRepresentations) -> ResultFigure:
    shown = group.regions[:_MOST_RDMS]
    n_columns = min(3, len(shown))
    n_rows = -(-len(shown) // n_columns)
    figure = new_figure(2.5 * n_rows + 0.4, 7.2 if n_columns == 3 else 2.6 * n_columns + 0.9)
    axes = figure.subplots(n_rows, n_columns, squeeze=False)
    groups = condition_groups(group.conditions)
    means = {region: _mean_rank(group.of_region(region)) for region in shown}
    order = condition_order(means[shown[0]], groups)
    for ax, region in zip(axes.flat, shown, strict=False):
        draw_rdm(ax, means[region], order, groups, group.rdms.conditions,
                 label=bool(ax in axes[:, 0]))  # fmt: skip
        ax.set_title(short(region))
        ax.set_xlabel(f"agreement {group.agreement[region].mean():.2f}", fontsize=7)
    for ax in axes.flat[len(shown) :]:
        ax.set_visible(False)
    percentile_bar(figure, axes)
    return ResultFigure(
        name="trsa-group-rdms",
        title="Mean dissimilarity over subjects",
        caption=(
            "Mean over subjects of the ranks of dissimilarity, as percentiles: dark is alike, "
            "bright is apart. Below, how alike each subject's RDM is to the mean of the others "
            "(mean over subjects). A pattern that no subject shares with others averages out."
        ),
        figure=figure,
    )


def _mean_rank(rdms: RDMs) -> np.ndarray:
    return np.asarray(np.nanmean(normalised_ranks(rdms.dissimilarities), axis=0))


def _families_figure(found: Identified) -> ResultFigure:
    table = found.accuracies.table
    figure = new_figure(2.9)
    ax = figure.subplots()
    value, low, high = (100 * table[name].to_numpy() for name in ("accuracy", "low", "high"))
    places = np.arange(len(table))
    optimistic = table["optimistic"].to_numpy(dtype=bool)
    baseline = (table["family"] == RANK).to_numpy()
    kinds = ((optimistic, MUTED), (baseline, INK), (~optimistic & ~baseline, ACCENT))
    for chosen, color in kinds:
        draw_intervals(ax, places[chosen], value[chosen], low[chosen], high[chosen], color)
    for place in np.flatnonzero(table["p_holm"].to_numpy() <= 0.05):
        ax.annotate("*", (place, high[place]), ha="center", va="bottom")
    ax.axhline(value[baseline][0], color=INK, linewidth=0.7, zorder=0)
    zero_line(ax, 100 * found.accuracies.chance, "chance")
    ax.set_xticks(range(len(table)), table["family"], rotation=35, ha="right")
    ax.set_ylabel(f"{found.what}s identified (%)")
    ax.set_ylim(0, 105)
    return ResultFigure(
        name="trsa-families",
        title=f"What tells {found.what}s apart",
        caption=(
            f"Share of RDMs of a left-out {found.across} that are nearest to the mean of their own "
            f"{found.what} in the others, by what of the RDM is looked at, with 95 % intervals "
            f"over {found.across}s. The black line is the rank RDM, the baseline of all: only what "
            "lies above it gains by topology. A star marks a difference to it (p at most .05 after "
            "Holm's correction). The raw RDM also sees how large dissimilarities are. The grey dot "
            f"({BEST}) chose its thresholds on the very data it is scored on; it is shown beside "
            "the nested choice and never tested."
        ),
        figure=figure,
    )


def _grid_figure(found: Identified) -> ResultFigure:
    accuracies = found.accuracies
    lower, upper = (np.round(accuracies.cells[:, k], 6) for k in (0, 1))
    marks = np.unique(np.concatenate([lower, upper]))
    image = np.full((len(marks), len(marks)), np.nan)
    rows, columns = np.searchsorted(marks, upper), np.searchsorted(marks, lower)
    image[rows, columns] = 100 * accuracies.grid.mean(axis=1)
    step = float(marks[1] - marks[0])
    figure = new_figure(3.6, 4.8)
    ax = figure.subplots()
    edges = (-step / 2, 1 + step / 2, -step / 2, 1 + step / 2)
    drawn = ax.imshow(image, origin="lower", cmap=SEQUENTIAL, extent=edges, interpolation="none")
    bar = figure.colorbar(drawn, ax=ax, shrink=0.8, pad=0.02)
    bar.set_label(f"{found.what}s identified (%)")
    bar.outline.set_visible(False)
    ax.plot(*accuracies.best_cell, "o", markerfacecolor="none", color="#c2372e", markersize=9,
            label="best (optimistic)")  # fmt: skip
    if accuracies.chosen_cells is not None:
        ax.plot(
            *accuracies.chosen_cells.T, "x", color="white", markersize=4, label="nested choices"
        )
    ax.plot(0, 1, "s", markerfacecolor="none", color=INK, markersize=8, label="rank RDM")
    ax.set_xlabel("lower quantile l")
    ax.set_ylabel("upper quantile u")
    ax.set_facecolor(FAINT)
    ax.legend(loc="lower right", fontsize=7)
    return ResultFigure(
        name="trsa-grid",
        title="Thresholds of the geo-topological transform",
        caption=(
            f"Accuracy of telling {found.what}s apart at every pair of thresholds: pairs of "
            "conditions below quantile l count as the same, pairs above u as equally far. The top "
            "left corner is the rank RDM (geometry), the diagonal is pure topology, the bottom "
            "left looks at near pairs alone, the top right at far ones. Crosses: what the nested "
            f"selection chose for each left-out {found.across}; where they scatter, the best cell "
            "is a matter of luck."
        ),
        figure=figure,
    )


def _regions_figure(rdms: RDMs, found: Identified, seed: int) -> ResultFigure:
    items = rdms.take(found.rows)
    labels = items.table[found.what].astype(str).to_numpy()
    names, codes = np.unique(labels, return_inverse=True)
    groups = Groups(found.what, codes, tuple(map(str, names)))
    known = np.isfinite(items.dissimilarities).all(axis=0)
    values = items.dissimilarities[:, known]
    forms = {
        "rank RDM": normalised_ranks(values),
        f"RGTM {_TOPOLOGY}": geotopological(values, *_TOPOLOGY),
    }
    maps = aligned_maps([pdist(one) for one in forms.values()], seed)
    figure = new_figure(3.4)
    axes = figure.subplots(1, 2)
    for ax, name, points in zip(axes, forms, maps, strict=True):
        draw_map(ax, points, groups, list(labels), hulls=True)
        ax.set_title(name)
    legend_below(figure, axes[:1])
    return ResultFigure(
        name="trsa-regions",
        title=f"Map of {found.what}s",
        caption=(
            f"Every dot is one RDM ({found.what} of one {found.across}), near to those that are "
            f"alike; hulls hold the dots of one {found.what}. Left by ranks of dissimilarity, "
            "right by topology alone, turned onto each other. Hulls that overlap in a plane may "
            "still be apart in more dimensions: the accuracy above says whether they are."
        ),
        figure=figure,
    )


def _models_figure(group: GroupRepresentations, settings: TrsaSettings) -> ResultFigure | None:
    shown = list(group.evaluations.items())[:_MOST_REGIONS]
    if not shown:
        return None
    figure = new_figure(2.8 + 0.05 * len(shown[0][1].models))
    ax = figure.subplots()
    for place, (_, evaluation) in enumerate(shown):
        if evaluation.ceiling is not None:
            low, high = evaluation.ceiling.value
            label = "noise ceiling" if place == 0 else "_"
            ax.fill_between([place - 0.42, place + 0.42], low, high, color=FAINT, linewidth=0,
                            label=label)  # fmt: skip
    tests = [evaluation.against_zero for _, evaluation in shown]
    draw_models(ax, tests, shown[0][1].models, settings.comparison)
    name_places(ax, [region for region, _ in shown])
    legend_below(figure)
    scope = {"both": "subjects and conditions"}.get(group.new, group.new)
    return ResultFigure(
        name="trsa-group-models",
        title="Models and noise ceiling",
        caption=(
            "Mean likeness of model RDMs to the subjects' RDMs with 95 % intervals for new "
            f"{scope}; chance is 0. Grey: the noise ceiling, from the likeness of each subject to "
            "the mean of the others (lower edge) and of all (upper edge). A model inside "
            "explains what subjects share; one below leaves something to be explained. Paired "
            "tests of the models' differences stand in result.nc (group differences)."
        ),
        figure=figure,
    )
