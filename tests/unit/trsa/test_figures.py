"""Figures show the numbers that they are drawn from, in any size, and say how to read them."""

from __future__ import annotations

from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
from scipy.stats import rankdata

from neuropipe.results import Result
from neuropipe.simulate.pictures import CATEGORIES
from neuropipe.trsa.controls import N_DROPPED
from neuropipe.trsa.figures import subject_figures
from neuropipe.trsa.figures_parts import condition_groups, short
from neuropipe.trsa.fit import fit_subject
from tests.unit.trsa.drawn import NAN, conditions, made_up
from tests.unit.trsa.subjects import settings, spikes

CHOSEN = settings()
LONG = "a name that goes on and on, "


def by_name(figures):
    return {figure.name.removeprefix("trsa-"): figure for figure in figures}


def axes_of(figure):
    return [ax for ax in figure.figure.axes if ax.get_visible()]


def ticks(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def legend(figure):
    return [text.get_text() for text in figure.figure.legends[0].get_texts()]


def written(figures, folder):
    """Write figures as a result does; a layout that does not fit is an error."""
    Result(
        analysis="trsa", dataset="d", recording="sub-1", subject="1", figures=figures
    ).write(folder)  # fmt: skip
    found = {path.stem: path for path in (folder / "figures").iterdir()}
    assert set(found) == {figure.name for figure in figures}
    for path in found.values():
        start = path.read_bytes()[:200]
        assert start.startswith(b"\x89PNG") if path.suffix == ".png" else b"<?xml" in start
        assert path.stat().st_size < 200_000
    return found


@pytest.fixture(scope="module")
def figures(fits):
    return by_name(subject_figures(fits[:1], CHOSEN))


def test_every_figure_is_captioned(figures):
    assert list(figures) == ["rdms", "map", "models", "controls", "shape", "geometry"]
    for figure in figures.values():
        assert len(figure.caption) > 200
        assert "  " not in figure.caption
        assert figure.title


def test_rdms_are_percentiles_in_the_order_of_the_groups(figures, fits):
    found = fits[0]
    *panels, bar = axes_of(figures["rdms"])
    assert [ax.get_title(loc="left") for ax in panels] == [
        "all units (80)", "category (20)", "early (20)", "mixed (20)", "ring (20)",
    ]  # fmt: skip
    assert bar.get_ylabel() == "percentile of dissimilarity"
    halves = found.regions[1].reliability
    assert panels[1].get_xlabel() == f"halves {halves.value:.2f} (p {halves.p:.2g})"
    table = found.responses.conditions
    assert ticks(panels[0].yaxis) == sorted(set(table["category"]))
    assert ticks(panels[1].yaxis) == []
    order = [found.rdms.conditions.index(name)
             for name in table.sort_values(["category", "angle"]).index]  # fmt: skip
    ranks = rankdata(found.rdms.dissimilarities[4])
    matrix = np.zeros((24, 24))
    matrix[np.triu_indices(24, 1)] = 100 * (ranks - 1) / (len(ranks) - 1)
    expected = (matrix + matrix.T)[np.ix_(order, order)]
    shown = np.ma.filled(np.ma.masked_invalid(panels[4].images[0].get_array()), np.nan)
    apart = ~np.eye(24, dtype=bool)
    assert np.isnan(shown[~apart]).all()
    np.testing.assert_allclose(shown[apart], expected[apart], atol=100 / 48 + 1e-9)
    caption = figures["rdms"].caption
    for words in ("each two of the 24 conditions", "(crossnobis)",
                  "grouped by category and ordered by angle", "number of units"):  # fmt: skip
        assert words in caption
    assert "not drawn" not in caption


def test_maps_show_every_condition_three_times(figures):
    panels = axes_of(figures["map"])
    assert [ax.get_title(loc="left") for ax in panels] == [
        "rank RDM", "RGTM (0.4, 0.6)", "RGDM (0.0, 0.3)",
    ]  # fmt: skip
    for ax in panels:
        assert [len(group.get_offsets()) for group in ax.collections] == [6] * 4
    assert legend(figures["map"]) == sorted(CATEGORIES)
    assert "Colour: category." in figures["map"].caption


def test_models_stand_at_their_scores_beside_halves(figures, fits):
    (ax,) = axes_of(figures["models"])
    assert ticks(ax.xaxis) == ["all units", "category", "early", "mixed", "ring"]
    assert ax.get_ylabel() == "likeness (rho-a)"
    names = fits[0].models.table["name"].tolist()
    lines = {line.get_label(): line.get_ydata() for line in ax.get_lines()}
    for m, name in enumerate(names):
        scores = [region.evaluation.mean[m] for region in fits[0].regions]
        assert lines[name] == pytest.approx(scores)
    assert legend(figures["models"]) == [*names, "halves of the data"]
    halves = [path.vertices[0, 1] for drawn in ax.collections for path in drawn.get_paths()
              if np.ptp(path.vertices[:, 1]) == 0]  # fmt: skip
    assert halves == pytest.approx([region.reliability.value for region in fits[0].regions])
    assert "95 % intervals for new conditions" in figures["models"].caption


def test_controls_show_what_is_left(figures, fits):
    left, right = axes_of(figures["controls"])
    controls = fits[0].controls
    drawn = [line for line in left.get_lines() if len(line.get_xdata()) == len(N_DROPPED)]
    for line, scores in zip(drawn, controls.dropped.T, strict=True):
        assert line.get_ydata() == pytest.approx(scores)
    whole, partial = (np.asarray(group.get_offsets())[:, 1] for group in right.collections)
    assert whole == pytest.approx(controls.dropped[0])
    assert partial == pytest.approx(controls.partial)
    assert "once pixels, colour, Gabor energy are regressed out" in figures["controls"].caption


def test_betti_curves_stand_beside_gaussian_clouds(figures, fits):
    panels = axes_of(figures["shape"])
    curves, diagrams = panels[:4], panels[4:]
    assert curves[0].get_ylabel() == "number of loops"
    drawn = [ax.get_title(loc="left") for ax in curves]
    regions = {region.name: region for region in fits[0].regions}
    for ax, below, name in zip(curves, diagrams, drawn, strict=True):
        (test,) = regions[name].homology
        (line,) = ax.get_lines()
        assert line.get_ydata() == pytest.approx(test.betti)
        assert ax.texts[0].get_text() == f"longest:\np {test.p_largest:.2g}"
        assert len(ax.collections) == 1
        dots, chance = below.get_lines()
        assert dots.get_ydata().max(initial=0) == pytest.approx(test.largest)
        assert chance.get_ydata()[0] == pytest.approx(np.quantile(test.null_largest, 0.95))
    assert "(19 drawn)" in figures["shape"].caption


def test_factors_are_laid_out_with_their_chance():
    (found,) = fit_subject([spikes(kind=True)], CHOSEN)
    figure = by_name(subject_figures([found], CHOSEN))["geometry"]
    abstract, features = axes_of(figure)
    (factor,) = found.geometry.factors
    assert ticks(abstract.yaxis) == [
        "kind: decoding", "kind: CCGP", "kind: parallelism", "all dichotomies: SD",
    ]  # fmt: skip
    values = [line.get_xdata()[0] for line in abstract.get_lines()]
    assert values == pytest.approx(
        [
            factor.decodability.value, factor.generalisation.value, factor.parallelism.value,
            found.geometry.shattering.value,
        ]
    )  # fmt: skip
    assert ticks(features.xaxis) == list(found.geometry.features.names) == ["length", "kind"]
    heights = [bar.get_height() for bar in features.patches]
    assert heights == pytest.approx(np.maximum(found.geometry.features.shares, 0))
    for words in ("CCGP", "turned at random", "variance is no measure of importance"):
        assert words in figure.caption


def test_several_sets_are_told_apart_and_the_first_four_drawn():
    found = [made_up(conditions(5), name=name) for name in ("a", "b", "c", "d", "e")]
    names = {figure.name: figure.title for figure in subject_figures(found, CHOSEN)}
    assert names["trsa-rdms-1"] == "Representational dissimilarity (a)"
    assert names["trsa-map-4"] == "Conditions by geometry and by topology (d)"
    assert len(names) == 8


# ---------------------------------------------------------------- extremes


@pytest.fixture(autouse=True)
def layouts_fit(recwarn):
    yield
    assert [str(w.message) for w in recwarn if "layout" in str(w.message)] == []


def test_one_region_and_no_groups(tmp_path):
    drawn = subject_figures([made_up(conditions(5))], CHOSEN)
    figures = by_name(drawn)
    assert list(figures) == ["rdms", "map"]
    panel, _ = axes_of(figures["rdms"])
    assert panel.get_xlabel() == "no halves"
    assert sorted(ticks(panel.yaxis)) == ["c000", "c001", "c002", "c003", "c004"]
    for ax in axes_of(figures["map"]):
        assert sorted(text.get_text() for text in ax.texts) == sorted(ticks(panel.yaxis))
    assert figures["map"].figure.legends == []
    assert "Colour" not in figures["map"].caption
    assert "ordered so that neighbours are alike" in figures["rdms"].caption
    written(drawn, tmp_path / "r")


def test_four_hundred_conditions_stay_small(tmp_path):
    table = conditions(400, depth=[float(k % 100) for k in range(400)])
    drawn = subject_figures([made_up(table)], CHOSEN)
    figures = by_name(drawn)
    panel, _ = axes_of(figures["rdms"])
    assert max(panel.images[0].get_array().shape) <= 150
    assert ticks(panel.yaxis) == []
    assert [len(g.get_offsets()) for g in axes_of(figures["map"])[0].collections] == [400]
    assert "ordered by depth" in figures["rdms"].caption
    written(drawn, tmp_path / "r")


def test_long_names_and_many_regions_leave_room_for_the_drawing(tmp_path):
    table = conditions(20, kind=[f"{LONG}{k % 4}" for k in range(20)])
    regions = [f"{LONG}{k:02d}" for k in range(12)]
    reliability = [0.5, *np.linspace(0, 1, 12)]
    found = made_up(table, regions, [f"{LONG}{k}" for k in range(10)], reliability=reliability)
    drawn = subject_figures([found], CHOSEN)
    figures = by_name(drawn)
    *panels, _ = axes_of(figures["rdms"])
    titles = [ax.get_title(loc="left") for ax in panels]
    assert titles == ["all units (2)", *(f"{short(name)} (2)" for name in regions[-5:])]
    assert "7 regions whose RDMs repeat less are not drawn." in figures["rdms"].caption
    (ax,) = axes_of(figures["models"])
    assert ticks(ax.xaxis) == ["all units", *map(short, regions[-9:])]
    assert len({*legend(figures["models"])}) == 11
    looks = {(line.get_color(), line.get_marker()) for line in ax.get_lines()[:10]}
    assert len(looks) == 10
    with mpl.rc_context({"savefig.bbox": None}):
        figures["models"].figure.draw_without_rendering()
        assert ax.get_position().height > 0.25
        figures["rdms"].figure.draw_without_rendering()
        assert all(panel.get_position().width > 0.15 for panel in panels)
    written(drawn, tmp_path / "r")


def test_pairs_that_are_unknown_leave_the_map_out(tmp_path):
    found = made_up(conditions(6, kind=list("aabbcc")))
    values = found.rdms.dissimilarities.copy()
    values[0, 3] = np.nan
    drawn = subject_figures([replace(found, rdms=replace(found.rdms, dissimilarities=values))],
                            CHOSEN)  # fmt: skip
    assert [figure.name for figure in drawn] == ["trsa-rdms"]
    image = np.ma.filled(np.ma.masked_invalid(axes_of(drawn[0])[0].images[0].get_array()), np.nan)
    assert np.isnan(image).sum() == 6 + 2
    written(drawn, tmp_path / "r")


def test_names_are_shortened_in_their_middle():
    assert short("eighteen letters o") == "eighteen letters o"
    assert short("left superior frontal gyrus 12") == "left superi…rus 12"
    assert len(short(LONG * 9)) == 18


def test_groups_are_the_column_of_most_categories_that_can_be_coloured():
    n = 18
    table = conditions(
        n, two=list("ab") * 9, three=list("xyz") * 6, many=[f"{k // 2}" for k in range(n)],
        unknown=[NAN] * n, depth=np.arange(n) / 7,
    )  # fmt: skip
    found = condition_groups(table)
    assert (found.column, found.names, found.within) == ("three", ("x", "y", "z"), "depth")
    assert condition_groups(table[["depth"]]).values.tolist() == (np.arange(n) / 7).tolist()
    assert condition_groups(table[["many", "unknown"]]).column == ""
