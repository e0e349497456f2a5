"""Figures of a dataset show the numbers that they are drawn from."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.trsa.figures_group import group_figures
from neuropipe.trsa.figures_parts import short
from neuropipe.trsa.fit import ALL
from neuropipe.trsa.fit_group import fit_group
from neuropipe.trsa.topology.families import BEST, RANK
from tests.unit.trsa.subjects import settings
from tests.unit.trsa.test_figures import LONG, axes_of, by_name, legend, ticks, written
from tests.unit.trsa.test_fit_group import model_of, table_of, toy

CHOSEN = settings()


@pytest.fixture(scope="module")
def figures(group):
    return by_name(group_figures(group, CHOSEN))


def test_every_figure_is_captioned(figures):
    assert list(figures) == ["group-rdms", "families", "grid", "regions", "group-models"]
    for figure in figures.values():
        assert len(figure.caption) > 200
        assert "  " not in figure.caption


def test_mean_rdms_name_their_region_and_agreement(figures, group):
    *panels, _ = axes_of(figures["group-rdms"])
    assert [ax.get_title(loc="left") for ax in panels] == list(group.regions)
    assert [ax.get_xlabel() for ax in panels] == [
        f"agreement {group.agreement[region].mean():.2f}" for region in group.regions
    ]


def test_families_stand_beside_the_rank_rdm_and_chance(figures, group):
    (ax,) = axes_of(figures["families"])
    table = group.identified.accuracies.table
    assert ticks(ax.xaxis) == table["family"].tolist()
    assert ax.get_ylabel() == "regions identified (%)"
    dots = {}
    for line in ax.get_lines():
        if line.get_marker() == "o":
            dots |= dict(zip(line.get_xdata(), line.get_ydata(), strict=True))
    assert [dots[k] for k in range(len(table))] == pytest.approx(100 * table["accuracy"])
    levels = [line.get_ydata()[0] for line in ax.get_lines() if line.get_marker() in ("", "None")]
    rank = 100 * table.set_index("family").loc[RANK, "accuracy"]
    assert {rank, 25.0} <= set(levels)
    assert "chance" in [text.get_text() for text in ax.texts]
    caption = figures["families"].caption
    assert "RDMs of a left-out subject" in caption
    assert BEST in caption


def test_the_grid_shows_every_cell(figures, group):
    ax, bar = axes_of(figures["grid"])
    found = group.identified.accuracies
    image = np.asarray(ax.images[0].get_array(), float)
    shown = image[np.isfinite(image)]
    assert len(shown) == len(found.cells)
    assert shown.mean() == pytest.approx(100 * found.grid.mean())
    lines = {line.get_label(): np.c_[line.get_data()] for line in ax.get_lines()}
    assert lines["best (optimistic)"].tolist() == [list(found.best_cell)]
    np.testing.assert_array_equal(lines["nested choices"], found.chosen_cells)
    assert bar.get_ylabel() == "regions identified (%)"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("lower quantile l", "upper quantile u")


def test_the_map_of_regions_has_a_dot_an_rdm(figures):
    panels = axes_of(figures["regions"])
    assert [ax.get_title(loc="left") for ax in panels] == ["rank RDM", "RGTM (0.4, 0.6)"]
    for ax in panels:
        assert [len(dots.get_offsets()) for dots in ax.collections] == [3] * 4
    assert legend(figures["regions"]) == ["category", "early", "mixed", "ring"]
    assert figures["regions"].title == "Map of regions"


def test_models_stand_beside_the_noise_ceiling(figures, group):
    (ax,) = axes_of(figures["group-models"])
    assert ticks(ax.xaxis) == list(group.regions)
    names = group.models.table["name"].tolist()
    lines = {line.get_label(): line.get_ydata() for line in ax.get_lines()}
    for m, name in enumerate(names):
        assert lines[name] == pytest.approx(
            [evaluation.mean[m] for evaluation in group.evaluations.values()]
        )
    assert {*legend(figures["group-models"])} == {*names, "noise ceiling"}
    assert "intervals for new subjects and conditions" in figures["group-models"].caption


def test_one_region_without_groups_or_models(tmp_path):
    drawn = group_figures(fit_group(toy("abc"), table_of(), None, CHOSEN), CHOSEN)
    assert [figure.name for figure in drawn] == ["trsa-group-rdms"]
    assert len(axes_of(drawn[0])) == 2
    written(drawn, tmp_path / "r")


def test_many_regions_of_long_names(tmp_path, recwarn):
    regions = [ALL, *(f"{LONG}{k:02d}" for k in range(12))]
    rdms = toy("ab", regions)
    models = model_of(**{f"{LONG}{k}": np.arange(10.0) * (k - 1) ** k for k in (2, 3)})
    drawn = group_figures(fit_group(rdms, table_of(), models, CHOSEN), CHOSEN)
    figures = by_name(drawn)
    *panels, _ = axes_of(figures["group-rdms"])
    assert [ax.get_title(loc="left") for ax in panels] == list(map(short, regions[:6]))
    assert ticks(axes_of(figures["group-models"])[0].xaxis) == list(map(short, regions[:10]))
    assert len(legend(figures["regions"])) == 12
    assert "nested choices" not in [
        line.get_label() for line in axes_of(figures["grid"])[0].get_lines()
    ]  # two subjects leave nothing to choose on
    written(drawn, tmp_path / "r")
    assert [str(w.message) for w in recwarn if "layout" in str(w.message)] == []
