"""Figures show the numbers that they are drawn from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuropipe.brainmae.curves import Curve, draw_curves, spread, with_minus
from neuropipe.brainmae.evaluate import masked_r2
from neuropipe.brainmae.figures import example_rois, recording_figures
from neuropipe.brainmae.figures_group import group_figures
from neuropipe.brainmae.group_fit import fit_group
from neuropipe.brainmae.heldout import OURS
from neuropipe.brainmae.recording_fit import Example, fit_recording
from neuropipe.brainmae.similarity import cosine_similarity
from neuropipe.plotting import new_figure


@given(
    st.lists(st.floats(-2, 2), min_size=1, max_size=9),
    st.floats(0.01, 0.2),
)
def test_labels_stand_apart_in_their_order(places, gap):
    values = np.array(places)
    found = spread(values, gap, -1.0, 1.0)
    order = np.argsort(values, kind="stable")
    assert (np.diff(found[order]) >= gap - 1e-9).all()
    assert found.min() >= -1 - 1e-9
    assert found.max() <= 1 + 1e-9


@given(st.floats(-0.9, 0.9), st.floats(0.01, 0.1))
def test_labels_that_do_not_touch_stay(middle, gap):
    values = np.array([middle, middle + 2 * gap, middle - 2 * gap])
    if abs(values).max() < 1:
        assert spread(values, gap, -1.0, 1.0) == pytest.approx(values)


def test_every_curve_is_drawn_and_named_at_its_end():
    figure = new_figure(3)
    ax = figure.subplots()
    curves = [
        Curve(OURS, np.array([0.4, 0.3])), Curve("Wiener", np.array([0.41, 0.3])),
        Curve("interpolation", np.array([-0.2, -3.0])),
    ]  # fmt: skip
    draw_curves(ax, [0.2, 0.8], curves)
    drawn = {tuple(np.round(line.get_ydata(), 3)) for line in ax.get_lines()}
    assert {(0.4, 0.3), (0.41, 0.3), (-0.2, -3.0)} <= drawn
    words = [text.get_text() for text in ax.texts]
    assert sorted(words) == [
        "BrainMAE (0.30)",
        "Wiener (0.30)",
        "interpolation (\N{MINUS SIGN}3.00)",
    ]
    assert ax.get_ylim()[0] > -1  # one bad predictor does not flatten the others


@pytest.fixture(scope="module")
def of_run(study, tmp_path_factory):
    runs = study.one(0, tmp_path_factory.mktemp("figures"))
    fit = fit_recording(runs, study.final, study.stores, study.settings)
    everyone = pd.concat([s.scores for s in study.stores], ignore_index=True)
    figures = recording_figures(runs, fit, everyone, study.settings)
    return runs, fit, {figure.name.removeprefix("brainmae-"): figure for figure in figures}


def axes_of(figures, name):
    return figures[name].figure.axes


def test_scores_of_the_run_are_its_curves(of_run):
    _, fit, figures = of_run
    left, right = axes_of(figures, "scores")
    scored = masked_r2(fit.scores)
    assert scored.predictors[0] == OURS
    thickest = max(left.get_lines(), key=lambda line: line.get_linewidth())
    assert thickest.get_ydata() == pytest.approx(scored.values[0])
    assert thickest.get_xdata() == pytest.approx([25, 50])
    best = scored.best_other(1)
    assert best[1] == scored.values[1:, 1].max()
    assert right.get_xlabel() == f"masked R2, {best[0]}"
    this = right.get_lines()[-1]
    assert (this.get_xdata()[0], this.get_ydata()[0]) == pytest.approx(
        (best[1], scored.values[0, 1])
    )
    assert len(right.get_lines()[1].get_xdata()) == 11
    caption = figures["scores"].caption
    assert "has not seen the subject" in caption
    assert fit.left_out_by in caption


def test_the_example_shades_what_was_hidden(of_run):
    _, fit, figures = of_run
    example = fit.example
    axes = axes_of(figures, "example")
    rois = example_rois(example, of_run[0].units)
    assert len(axes) == len(rois) == 2
    for ax, (roi, network) in zip(axes, rois, strict=True):
        assert network in ax.get_title(loc="left")
        shaded = sorted(patch.get_x() for patch in ax.patches)
        assert shaded == pytest.approx(fit.start[example.hidden[:, roi]])
        measured, wiener, ours = ax.get_lines()
        assert measured.get_ydata() == pytest.approx(example.truth[:, roi].ravel())
        for line, values in ((wiener, example.wiener), (ours, example.model)):
            shown = line.get_ydata()[np.isfinite(line.get_ydata())]
            assert shown == pytest.approx(values[example.hidden[:, roi], roi].ravel())
    assert np.diff(axes[0].get_lines()[0].get_xdata()) == pytest.approx(15 / 8)


def test_example_rois_are_best_median_and_worst_without_networks():
    rng = np.random.default_rng(0)
    truth = rng.standard_normal((6, 5, 4))
    noise = np.array([2.0, 0.1, 1.0, 0.5, 0.2])[:, None] * rng.standard_normal((6, 5, 4))
    hidden = np.ones((6, 5), dtype=bool)
    example = Example(truth, truth + noise, truth, hidden, 0.5)
    units = pd.DataFrame(index=[f"roi{k}" for k in range(5)])
    assert example_rois(example, units) == [(1, "best"), (3, "median"), (0, "worst")]
    hidden[:, 0] = False
    assert example_rois(replace(example, hidden=hidden), units)[-1] == (2, "worst")


def test_the_run_stands_out_in_the_plane(of_run):
    runs, fit, figures = of_run
    (ax,) = axes_of(figures, "plane")
    largest = max(ax.get_lines(), key=lambda line: line.get_markersize())
    here = fit.plane.recordings.index(runs.runs[0].recording)
    assert largest.get_xydata()[0] == pytest.approx(fit.plane.position[here])
    drawn = sum(len(line.get_xdata()) for line in ax.get_lines())
    assert drawn == 11
    assert "Rings are the subject's other runs" in figures["plane"].caption


def test_attention_is_drawn_over_its_segments_above_the_events(of_run):
    _, fit, figures = of_run
    above, below = axes_of(figures, "attention")
    heights = [bar.get_height() for bar in above.patches]
    assert heights == pytest.approx(100 * fit.embedding.attention)
    assert [bar.get_x() for bar in above.patches] == pytest.approx(fit.start)
    assert [label.get_text() for label in below.get_yticklabels()] == ["face", "house"]
    spans = [path.get_extents() for path in below.collections[0].get_paths()]
    assert [span.x0 for span in spans] == [15, 75]
    assert "no evidence" in figures["attention"].caption


def test_a_run_without_events_has_one_panel(study, tmp_path):
    runs = study.one(3, tmp_path)
    assert runs.runs[0].events is None
    fit = fit_recording(runs, study.final, study.stores, study.settings)
    figures = recording_figures(runs, fit, fit.scores, study.settings)
    attention = next(f for f in figures if f.name == "brainmae-attention")
    assert len(attention.figure.axes) == 1
    assert "events" not in attention.caption


def test_likeness_is_ordered_by_network(of_run, study):
    runs, fit, figures = of_run
    ax = axes_of(figures, "similarity")[0]
    image = np.asarray(ax.images[0].get_array())
    order = sorted(
        range(8), key=lambda i: (runs.units["network"].iloc[i], runs.units["hemisphere"].iloc[i])
    )
    limit = ax.images[0].get_clim()[1]
    off = ~np.eye(8, dtype=bool)
    expected = np.clip(fit.similarity[np.ix_(order, order)], -limit, limit)
    assert image[off] == pytest.approx(expected[off], abs=limit / 16)
    model, _ = study.final.model()
    assert fit.similarity == pytest.approx(cosine_similarity(model.embedding.detach().numpy()))


@pytest.fixture(scope="module")
def of_group(study):
    fit = fit_group(study.runs, "toy", study.stores, study.predictions, study.settings)
    figures = group_figures(study.runs, fit, study.settings)
    return fit, {figure.name.removeprefix("brainmae-"): figure for figure in figures}


def test_pooled_scores_have_bars_and_differences(of_group):
    fit, figures = of_group
    left, right = axes_of(figures, "scores")
    ours = [p for p in fit.pooled if p.predictor == OURS]
    thickest = max(left.get_lines(), key=lambda line: line.get_linewidth())
    assert thickest.get_ydata() == pytest.approx([p.value for p in ours])
    ends = {tuple(np.round(seg[:, 1], 6)) for c in left.collections for seg in c.get_segments()}
    assert {tuple(np.round(p.interval, 6)) for p in fit.pooled} <= ends
    dots = [line for line in right.get_lines() if line.get_marker() == "o"]
    for dot, p in zip(dots, ours, strict=True):
        others = [q.value for q in fit.pooled if q.predictor != OURS and q.ratio == p.ratio]
        assert dot.get_ydata()[0] == pytest.approx(p.value - max(others))


def test_runs_are_coloured_by_their_class(of_group):
    fit, figures = of_group
    left, right = axes_of(figures, "runs")
    legend = left.get_legend()
    assert legend.get_title().get_text() == "group"
    sizes = {line.get_label(): len(line.get_xdata()) for line in left.get_lines()}
    assert sizes == {"a": 6, "b": 5}  # subject 00 of class a has two runs
    dots = [line for line in right.get_lines() if line.get_marker() == "o"]
    found = [fit.identification.embedding.mean(), fit.identification.connectivity.mean()]
    assert [dot.get_xdata()[0] for dot in dots] == pytest.approx([100 * value for value in found])


def test_tests_of_likeness_stand_below_the_matrix(of_group):
    fit, figures = of_group
    below = next(ax for ax in axes_of(figures, "similarity") if "AUC" in ax.get_xlabel())
    labels = [label.get_text() for label in below.get_yticklabels()]
    assert labels == ["same network", "homologues"]
    dots = [line.get_xdata()[0] for line in below.get_lines() if line.get_marker() == "o"]
    assert dots == pytest.approx([test.auc for test in fit.similarity.tests])


def test_what_is_not_there_is_not_drawn(study, of_group):
    fit, _ = of_group
    bare = replace(fit, pooled=[], similarity=None, identification=None)
    names = [figure.name for figure in group_figures(study.runs, bare, study.settings)]
    assert names == ["brainmae-runs"]
    assert group_figures(study.runs, replace(bare, plane=None), study.settings) == []


def test_numbers_have_minus_signs_and_names_hyphens():
    assert with_minus("AAL2-61 (worst): R2 -0.12") == "AAL2-61 (worst): R2 \N{MINUS SIGN}0.12"
