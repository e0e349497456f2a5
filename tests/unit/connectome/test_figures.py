"""Figures show the numbers that they are drawn from, and say when to distrust them."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Rectangle

from neuropipe.connectome.atlas import event_atlas
from neuropipe.connectome.figures import recording_figures
from neuropipe.connectome.figures_group import group_figures
from neuropipe.connectome.figures_parts import event_spans
from neuropipe.connectome.figures_rank import rank_figure
from neuropipe.connectome.motif_table import component_window, motif_table
from neuropipe.connectome.rank import RankTable
from neuropipe.connectome.readings import window_graph
from neuropipe.connectome.silencing import silencing_ranking
from neuropipe.connectome.stability import Bootstrap
from neuropipe.connectome.tracks import held_together
from neuropipe.connectome.wiring import WiringComparison
from tests.unit.connectome.fitted import animals, fitted, of_one

_WIRING = WiringComparison(
    rho=0.3, rho_null=np.linspace(-0.1, 0.1, 99), p_value=0.01, share=0.4,
    share_null=np.linspace(0.1, 0.3, 99), share_p_value=0.01, n_pairs=190, n_units=20,
    n_connections=30,
)  # fmt: skip


def by_name(figures):
    return {figure.name.removeprefix("connectome-"): figure for figure in figures}


def words_of(figure):
    return [text.get_text() for ax in figure.figure.axes for text in ax.texts if text.get_text()]


def frames(ax):
    return [
        (round(patch.get_x()), round(patch.get_width()))
        for patch in ax.patches
        if isinstance(patch, Rectangle) and patch.get_linewidth() > 1
    ]


@pytest.fixture(scope="module")
def tables():
    known, fit = animals(), fitted()
    events = known.events.assign(start=known.events["start"] // 4, stop=known.events["stop"] // 4)
    affinity = np.ones((24, 24))
    return {
        "atlas": event_atlas(fit.factors.times, events),
        "silencing": silencing_ranking(affinity, fit.blocks[0].labels, known.names),
        "wiring": _WIRING,
    }


@pytest.fixture(scope="module")
def figures(tables):
    return by_name(group_figures(animals(), fitted(), alpha=0.05, **tables))


def test_every_figure_says_how_to_read_it_and_stays_small(figures):
    assert list(figures) == [
        "components", "rank", "communities", "motifs", "atlas", "silencing", "chance",
    ]  # fmt: skip
    for figure in figures.values():
        assert len(figure.caption) > 200
        assert "  " not in figure.caption
        file = io.BytesIO()
        figure.figure.savefig(file, format="svg")
        assert len(file.getvalue()) < 150_000


def test_strips_show_sorted_graphs_courses_and_recordings(figures):
    fit = fitted()
    axes = figures["components"].figure.axes
    assert len(axes) == 3 * fit.factors.rank
    for component in range(fit.factors.rank):
        graph, course, bars = axes[3 * component : 3 * component + 3]
        sizes = np.bincount(fit.component_blocks[component].labels)
        mine = [len(m.members) for m in fit.motifs if m.component == component]
        assert mine
        assert sorted(size for _, size in frames(graph)) == sorted(mine)
        assert sum(size for _, size in frames(graph)) < sizes.sum()
        drawn = course.get_lines()[0].get_ydata()
        assert drawn == pytest.approx(fit.factors.times[:, component])
        heights = [bar.get_height() for bar in bars.patches]
        weights = fit.factors.animals[:, component]
        assert heights == pytest.approx(weights / weights.max())
    image = np.asarray(axes[0].images[0].get_array())
    (start, size), *_ = frames(axes[0])
    inside = image[start : start + size, start : start + size]
    assert np.nanmean(inside) > 2 * np.nanmean(image[start : start + size, start + size :])


def test_a_block_that_is_no_motif_is_not_framed():
    fit = replace(fitted(), component_p_values=np.array([0.5, 0.05]))
    drawn = by_name(group_figures(animals(), fit, alpha=0.05))
    axes = drawn["components"].figure.axes
    assert not frames(axes[0])
    assert frames(axes[3])
    words = words_of(drawn["motifs"])
    assert "(1a)" in words
    assert "2a" in words
    assert "(2a)" not in words


def test_events_are_shaded_by_type(figures):
    course = figures["components"].figure.axes[1]
    spans = [[path.get_extents().x0, path.get_extents().x1] for shade in course.collections
             for path in shade.get_paths()]  # fmt: skip
    assert spans == [[0, 45], [45, 90]]
    table = pd.DataFrame({"trial_type": list("abcdefg"), "start": range(7), "stop": range(1, 8)})
    assert list(event_spans(table)) == ["event"]
    assert event_spans(table.iloc[:2], 2.0) == {"a": [(0.0, 0.5)], "b": [(0.5, 0.5)]}
    assert event_spans(None) == {}


def test_communities_keep_their_colour_while_their_members_stay(figures):
    known, fit = animals(), fitted()
    events, time = figures["communities"].figure.axes
    assert [label.get_text() for label in events.get_xticklabels()] == ["odour0", "odour1"]
    assert len(time.get_xticklabels()) == 3
    names = [label.get_text() for label in events.get_yticklabels()]
    assert sorted(names) == sorted(known.names)
    image = np.asarray(events.images[0].get_array())
    graph = window_graph(fit.factors, fit.factors.coactivity(), 24, fit.windows[0])
    held = held_together(graph, fit.blocks[0].labels)
    labels = held[[known.names.index(name) for name in names]]
    assert labels.max() > 1
    # Communities of the first window stand together, and what is left over comes last.
    assert (np.diff(labels) != 0).sum() == len(np.unique(labels)) - 1
    assert labels[-1] == -1
    grey = np.ptp(image[:, 0], axis=1) < 0.1
    assert (grey == (labels < 0)).all()
    # The first stretch of time is the first odour: most units keep their hue.
    hue = [np.argsort(np.asarray(ax.images[0].get_array())[:, 0], axis=1) for ax in (events, time)]
    assert (hue[0] == hue[1]).all(axis=1).mean() > 0.6


def test_unstable_units_are_pale(figures):
    drawn = np.asarray(figures["communities"].figure.axes[0].images[0].get_array())
    nothing = Bootstrap(np.empty((0, 2)), np.empty((0, 5, 24)), np.empty((0, 2, 24)))
    bare = by_name(group_figures(animals(), replace(fitted(), bootstrap=nothing), alpha=0.05))
    full = np.asarray(bare["communities"].figure.axes[0].images[0].get_array())
    assert (drawn >= full - 1e-9).all()
    assert drawn.mean() > full.mean() + 0.02
    assert "paler" in figures["communities"].caption
    assert "paler" not in bare["communities"].caption


def test_the_motif_table_names_members_with_their_stability(figures):
    known, fit = animals(), fitted()
    table = motif_table(known, fit, 0.05)
    first = table.iloc[0]
    assert first["motif"] == "1a"
    assert first["members"] == [known.names[unit] for unit in fit.motifs[0].members]
    window = component_window(fit, 0, 2)
    assert fit.windows[window].name == first["window"]
    steady = fit.bootstrap.members[:, 0, fit.motifs[0].members].mean(axis=0)
    assert first["stability"] == pytest.approx(steady)
    assert first["cosine"] == pytest.approx(fit.bootstrap.components[:, 0].mean())
    words = words_of(figures["motifs"])
    assert f"{first['members'][0]} {100 * steady[0]:.0f}" in words
    assert {"1a", "2a", "4/4", "0.05"} <= set(words)
    # The epochs are what the components are active in.
    assert set(table["window"]) == {"odour0", "odour1"}


def test_without_motifs_the_table_says_so():
    drawn = by_name(group_figures(animals(), replace(fitted(), motifs=[]), alpha=0.05))
    assert "no block holds together" in words_of(drawn["motifs"])


def test_data_stand_beside_shifts_and_wiring(figures):
    fit = fitted()
    axes = [ax for ax in figures["chance"].figure.axes if ax.get_visible()]
    values = [ax.get_lines()[0].get_xdata()[0] for ax in axes]
    largest = fit.shifts.data.component_gains.max()
    assert values == pytest.approx(
        [
            fit.shifts.data.fit, fit.shifts.data.window_gains.max(), largest, fit.halves.value,
            0.3, 0.4,
        ]
    )  # fmt: skip
    ticks = axes[2].get_lines()[1].get_xdata()
    assert ticks == pytest.approx(fit.shifts.data.component_gains)
    assert "30 connected pairs" in figures["chance"].caption


def test_the_atlas_marks_what_survives_correction(figures, tables):
    ax = figures["atlas"].figure.axes[0]
    shown = np.asarray(ax.images[0].get_array())
    table = tables["atlas"].set_index(["component", "trial_type"])
    assert shown[1, 0] == pytest.approx(table.loc[(1, "odour0"), "z"])
    assert len(ax.get_lines()) == (tables["atlas"]["p_family"] <= 0.05).sum()


def test_candidates_are_ranked_by_name(figures, tables):
    ax = figures["silencing"].figure.axes[0]
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == list(tables["silencing"]["unit"][:10])
    assert "no direction" in figures["silencing"].caption


def test_the_rank_figure_marks_knee_and_choice():
    table = RankTable(
        ranks=np.array([2, 3, 4]), errors=np.array([[0.4, 0.41], [0.3, 0.33], [0.29, 0.3]]),
        variance=np.array([1.0, 1.9, 2.0]), similarity=np.array([0.9, 0.8, 0.4]),
        held_out=np.array([[0.5, 0.52], [0.4, 0.44], [0.42, 0.46]]), knee=4, chosen=3,
        reason="held-out error is least",
    )  # fmt: skip
    figure = rank_figure(replace(fitted(), ranks=table))
    errors, variance, similarity = figure.figure.axes
    assert [list(line.get_ydata()) for line in errors.get_lines()][2:4] == [
        pytest.approx([0.51, 0.42, 0.44]), pytest.approx([0.4, 0.3, 0.29]),
    ]  # fmt: skip
    assert variance.get_lines()[1].get_xdata() == 4
    for ax in (errors, variance, similarity):
        assert list(ax.get_lines()[-1].get_xdata()) == [3, 3]
    assert "held-out error is least" in figure.caption
    given = rank_figure(fitted())
    assert list(given.figure.axes[0].get_lines()[0].get_ydata()) == list(fitted().errors)


def test_with_clocks_of_their_own_there_is_one_window():
    known, fit = animals("own"), fitted("own")
    drawn = by_name(group_figures(known, fit, alpha=0.05))
    course = drawn["components"].figure.axes[1]
    mean = fit.factors.times[..., 0].mean(axis=0)
    assert course.get_lines()[0].get_ydata() == pytest.approx(mean)
    assert "own clock" in drawn["components"].caption
    matrix, stability = drawn["communities"].figure.axes
    assert np.asarray(matrix.images[0].get_array()).shape == (24, 24)
    widths = sorted(bar.get_width() for bar in stability.patches)
    assert widths == pytest.approx(np.sort(fit.bootstrap.units.mean(axis=0)[0]))
    steady = [v for row in motif_table(known, fit, 0.05)["stability"] for v in row]
    assert np.isfinite(steady).all()


@pytest.mark.parametrize("clock", ["shared", "own"])
def test_a_recording_shows_its_share_and_its_courses(clock):
    found, events = of_one(2, clock)
    known = animals(clock)
    if "recording" in events:
        events = events[events["recording"] == known.recordings[2]]
    drawn = by_name(recording_figures(known.names, found, known.subjects, "neuron", events))
    courses = drawn["courses"].figure.axes
    assert len(courses) == 2
    for component, ax in enumerate(courses):
        assert ax.get_lines()[0].get_ydata() == pytest.approx(found.activity[:, component])
        assert len(ax.collections) == 2
    mine = drawn["share"].figure.axes[0].get_lines()[-1]
    assert mine.get_ydata() == pytest.approx(found.share[2])
    assert mine.get_markersize() > 6


def test_units_that_a_recording_lacks_are_blank_and_last():
    found, _ = of_one(1)
    known = animals()
    absent = [n for n, here in zip(known.names, known.presence[1], strict=True) if not here]
    assert absent
    figure = by_name(recording_figures(known.names, found, known.subjects, "neuron"))["communities"]
    ax = figure.figure.axes[0]
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert sorted(names[-len(absent) :]) == sorted(absent)
    image = np.asarray(ax.images[0].get_array())
    assert (image[-len(absent) :] == 1).all()
    assert not (image[: -len(absent)] == 1).all(axis=(1, 2)).any()
    assert f"the {len(absent)} neurons that it lacks" in figure.caption


def test_a_recording_alone_is_compared_with_none():
    found, _ = of_one(0)
    alone = replace(found, share=found.share[:1])
    assert "share" not in by_name(recording_figures(animals().names, alone, ["a"], "neuron"))
