from __future__ import annotations

import numpy as np
import pytest

from neuropipe.plotting import new_figure
from neuropipe.quality.commands import assess
from neuropipe.quality.figures import (
    distribution,
    envelope,
    heat_map,
    similarity_order,
    tag_rows,
    ticks,
)
from neuropipe.quality.figures_fmri import carpet_order, unit_groups
from neuropipe.quality.figures_spikes import raster_window
from neuropipe.quality.series import zscored
from neuropipe.quality.settings import QualitySettings
from neuropipe.quality.verdicts import Bounds
from tests.unit.quality import builders
from tests.unit.quality.builders import fmri_recording


def axes():
    return new_figure(2.0).subplots()


def test_an_envelope_keeps_every_peak():
    values = np.zeros(10_000)
    values[[1234, 7777]] = [5, -3]
    line, at = envelope(values, np.arange(10_000.0), 200)
    assert len(line) == len(at) == 200
    assert (line.max(), line.min()) == (5, -3)
    assert abs(at[line.argmax()] - 1234) < 100
    short, _ = envelope(values[:50], np.arange(50.0))
    np.testing.assert_array_equal(short, values[:50])


@pytest.mark.parametrize("n_samples", [400, 10])
def test_similar_columns_stand_together(n_samples):
    rng = np.random.default_rng(0)
    sources = rng.standard_normal((n_samples, 2))
    kind = rng.integers(0, 2, 30)
    order = similarity_order(zscored(sources[:, kind] + 0.1 * rng.standard_normal((n_samples, 30))))
    assert sorted(order) == list(range(30))
    assert (np.diff(kind[order]) != 0).sum() == 1


def test_order_of_a_single_column():
    assert similarity_order(np.ones((5, 1))).tolist() == [0]
    assert similarity_order(np.ones((1, 4))).tolist() == [0, 1, 2, 3]


def test_carpet_rows_are_grouped_and_sorted_by_the_global_signal():
    rng = np.random.default_rng(0)
    wave = rng.standard_normal(300)
    weight = np.array([0.1, 2.0, 0.5, 3.0, 1.0, 0.2])
    scaled = zscored(wave[:, None] * weight + rng.standard_normal((300, 6)))
    groups = np.array(["b", "a", "b", "a", "a", "b"])
    order, sizes = carpet_order(scaled, wave, groups)
    assert order.tolist() == [3, 1, 4, 2, 5, 0]
    assert sizes == [("a", 3), ("b", 3)]
    order, sizes = carpet_order(scaled, wave, None)
    assert (order.tolist(), sizes) == ([3, 1, 4, 2, 5, 0], [])


def test_groups_are_networks_before_hemispheres():
    recording = fmri_recording(n_units=10)
    assert unit_groups(recording)[0] == "hemisphere"
    recording.units["region"] = [f"r{i}" for i in range(10)]
    recording.units["network"] = ["Default"] * 4 + ["Visual"] * 5 + ["n/a"]
    name, groups = unit_groups(recording)
    assert name == "network"
    assert groups[-1] == "not assigned"
    recording.units["network"] = "n/a"
    recording.units["hemisphere"] = "L"
    assert unit_groups(recording)[0] == "region"
    recording.units["region"] = "one"
    assert unit_groups(recording) is None


def test_a_raster_shows_about_as_many_spikes_as_wanted():
    trains = [np.sort(np.random.default_rng(i).uniform(0, 1000, 5000)) for i in range(4)]
    first, last = raster_window(trains, 0, 1000, 2000)
    assert last - first == pytest.approx(100)
    assert sum(((t > first) & (t < last)).sum() for t in trains) == pytest.approx(2000, rel=0.1)
    assert raster_window([np.array([1.0])], 0, 10) == (0, 10)


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("values", [[1.0, 2, 3, np.nan], [2.0], [np.nan], [0.0, 0.0], []])
def test_distributions_of_odd_values(values, log):
    ax = axes()
    distribution(ax, np.array(values, dtype=float), "x", bounds=Bounds(good=1, bad=2), log=log)
    known = [v for v in values if np.isfinite(v) and (v > 0 or not log)]
    assert sum(patch.get_height() for patch in ax.patches) == len(known)
    label = [text.get_text() for text in ax.texts]
    assert label == ([f"median {np.median(known):.3g}"] if known else [])


def test_images_have_few_levels_and_keep_gaps():
    ax = axes()
    values = np.linspace(-5, 5, 1000).reshape(10, 100)
    values[0, 0] = np.nan
    image = heat_map(ax, values, (0, 1, 1, 0), vmin=-2, vmax=2).get_array()
    assert len(np.unique(image.compressed())) == 16
    assert image.min() == -2
    assert image.mask.sum() == 1


def test_small_groups_get_no_label():
    ax = axes()
    ax.set_ylim(100, 0)
    tag_rows(ax, [("Visual", 60), ("tiny", 1), ("A very long network name", 39)])
    labels = [text.get_text() for text in ax.get_yticklabels()]
    assert labels == ["Visual", "A very long net…"]


def test_ticks_are_one_line():
    ax = axes()
    ticks(ax, np.array([1.0, 2.0, 3.0]), 0.0, 0.5)
    assert len(ax.lines) == 1
    assert np.isnan(ax.lines[0].get_ydata()).sum() == 3


def test_axes_share_the_width_of_their_figure():
    """No artist at the figure's edge makes the layout shrink the axes."""
    recording = builders.spikes_recording(position=False)
    # Regular trains, so that no unit is contaminated and one of the series is empty.
    trains = [np.arange(0, 100, 1 / rate) for rate in np.linspace(4, 11, recording.n_units)]
    recording.spikes = builders.spike_dataset(trains)
    (figure,) = [
        f.figure for f in assess(recording, QualitySettings()).figures if f.name == "units"
    ]
    figure.draw_without_rendering()
    assert min(ax.get_position().width for ax in figure.axes) > 0.2
