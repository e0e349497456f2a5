"""Simulated vision: content where it belongs, at the strength that was asked for, in real files."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from neuropipe.errors import SettingsError
from neuropipe.ingest.read import discover, read_recording
from neuropipe.ingest.settings import ImagesReadSettings
from neuropipe.ingest.source import SourceFiles
from neuropipe.simulate.rendering import content_axes, patterns, read_content, render
from neuropipe.simulate.settings_stimuli import VisionSimulation
from neuropipe.simulate.truth import read_summary, read_truth
from neuropipe.simulate.vision import (
    CONTENT,
    GRID,
    STATIC,
    draw_scenes,
    receptive_field,
    simulate_vision,
    token_code,
)
from neuropipe.simulate.vision_files import recordings, write
from neuropipe.stats.noise_ceiling import noise_ceiling


@pytest.fixture(scope="module")
def data():
    return simulate_vision(1500, np.random.default_rng(0))


def test_code_has_orthogonal_categories_of_norm_3_and_a_shared_subspace():
    code = token_code(np.random.default_rng(1))
    np.testing.assert_allclose(code.categories @ code.categories.T, 9 * np.eye(4), atol=1e-12)
    np.testing.assert_allclose(code.exemplars @ code.exemplars.T, np.eye(8), atol=1e-12)
    np.testing.assert_allclose(code.categories @ code.exemplars.T, 0, atol=1e-12)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=10, deadline=None)
def test_every_image_shows_three_categories_at_distinct_cells(seed):
    rng = np.random.default_rng(seed)
    scenes = draw_scenes(30, token_code(rng), rng)
    shown = scenes.cells >= 0
    assert (shown.sum(axis=1) == 3).all()
    assert all(len(set(row[row >= 0])) == 3 for row in scenes.cells)
    assert scenes.cells.max() < GRID**2
    assert (np.abs(scenes.content).sum(axis=2) > 0).tolist() == shown.tolist()


def test_categories_and_cells_are_drawn_evenly(data):
    cells = data.scenes.cells
    np.testing.assert_allclose((cells >= 0).mean(axis=0), 0.75, atol=0.05)
    used = np.bincount(cells[cells >= 0], minlength=GRID**2)
    assert used.min() > 0
    # Chi-square of 144 cells: mean 143, sd 17.
    expected = used.mean()
    assert ((used - expected) ** 2 / expected).sum() < 143 + 4 * 17


def test_tokens_hold_object_background_and_noise(data):
    scenes, code = data.scenes, data.code
    image, category = np.nonzero(scenes.cells >= 0)
    at = scenes.features[image, scenes.cells[image, category]]
    coordinates = at @ content_axes(code).T
    own = coordinates[np.arange(len(at)), category]
    assert own.mean() == pytest.approx(3.0, abs=0.03)
    assert own.std() == pytest.approx(0.3, abs=0.02)
    left = coordinates[:, 4:] - scenes.content[image, category]
    assert left.var() == pytest.approx(0.3 + 0.09, abs=0.02)
    empty = np.ones(scenes.features.shape[:2], dtype=bool)
    empty[image, scenes.cells[image, category]] = False
    rest = scenes.features[empty] @ np.linalg.svd(content_axes(code))[2][12:].T
    assert rest.var() == pytest.approx(0.09, abs=0.002)


def test_content_areas_read_their_category_wherever_it_is(data):
    for category, roi in enumerate(CONTENT):
        own = data.voxels.rois == roi
        absent = data.scenes.cells[:, category] < 0
        assert (data.signal[absent][:, own] == 0).all()
        predicted = data.scenes.content[:, category] @ data.voxels.weights[own].T
        np.testing.assert_allclose(data.signal[:, own], predicted)
        # Nothing of any other category's content.
        for other in set(range(4)) - {category}:
            both = ~absent & (data.scenes.cells[:, other] >= 0)
            r = np.corrcoef(data.signal[both][:, own].T, data.scenes.content[both, other].T)
            n = own.sum()
            assert np.abs(r[:n, n:]).max() < 5 / np.sqrt(both.sum())


def test_static_area_reads_one_place_whatever_is_there(data):
    static = data.voxels.rois == STATIC
    field = receptive_field()
    assert field.sum() == pytest.approx(1)
    assert np.unravel_index(field.argmax(), (GRID, GRID)) == (3, 8)
    moved = data.scenes.features @ data.code.exemplars.T  # (i, p, z)
    predicted = np.einsum("p,ipz->iz", field, moved) @ data.voxels.weights[static].T
    np.testing.assert_allclose(data.signal[:, static], predicted, rtol=1e-4, atol=1e-5)


def test_signals_have_unit_variance_and_the_ceiling_is_met(data):
    static = data.voxels.rois == STATIC
    for area in (static, ~static):
        assert data.signal[:, area].var(axis=0).mean() == pytest.approx(1.0, abs=0.06)
    ceiling = noise_ceiling(data.responses)
    assert ceiling.mean() == pytest.approx(0.6, abs=0.03)
    truth = data.signal.var(axis=0) / (data.signal.var(axis=0) + data.noise_sd**2 / 3)
    assert np.abs(ceiling - truth).max() < 0.1


@given(ceiling=st.floats(0.1, 0.95), n_repeats=st.integers(2, 6))
@settings(max_examples=8, deadline=None)
def test_any_ceiling_is_met(ceiling, n_repeats):
    found = simulate_vision(
        1500, np.random.default_rng(3), n_repeats=n_repeats, units_per_roi=10, ceiling=ceiling
    )
    assert noise_ceiling(found.responses).mean() == pytest.approx(ceiling, abs=0.05)


def test_impossible_ceiling_is_refused():
    with pytest.raises(SettingsError, match="ceiling"):
        simulate_vision(10, np.random.default_rng(0), ceiling=1.0)


def test_same_seed_same_data():
    a, b, c = (simulate_vision(5, np.random.default_rng(s), units_per_roi=2) for s in (7, 7, 8))
    np.testing.assert_array_equal(a.responses, b.responses)
    np.testing.assert_array_equal(a.scenes.features, b.scenes.features)
    assert not np.array_equal(a.responses, c.responses)


def test_pictures_carry_the_content_and_show_the_category(data):
    features = data.scenes.features[:40]
    pixels = render(features, data.code)
    assert pixels.shape == (40, 96, 96, 3)
    content = features @ content_axes(data.code).T
    read = read_content(pixels)
    r = [np.corrcoef(content[..., k].ravel(), read[..., k].ravel())[0, 1] for k in range(12)]
    assert min(r) > 0.98
    assert np.linalg.cond(patterns().reshape(12, -1)) < 10
    # The category of a cell with an object is that of the brightest shape in it.
    image, category = np.nonzero(data.scenes.cells[:40] >= 0)
    cell = data.scenes.cells[image, category]
    assert (read[image, cell, :4].argmax(axis=1) == category).mean() > 0.99


def test_energy_of_gratings_rises_with_content(data):
    """Oriented energy, which ignores the sign of a pattern, still tells the exemplar."""
    features = data.scenes.features[:30]
    pixels = render(features, data.code).astype(float)
    grid = pixels.reshape(30, GRID, 8, GRID, 8, 3).swapaxes(2, 3).reshape(30, GRID**2, -1) - 128
    gratings = patterns()[4:].reshape(8, -1)
    energy = (grid @ gratings.T) ** 2
    content = features @ data.code.exemplars.T
    r = [np.corrcoef(energy[..., k].ravel(), content[..., k].ravel())[0, 1] for k in range(8)]
    assert min(r) > 0.6


@pytest.mark.parametrize(
    "wrong",
    [{"n_images": 3}, {"ceiling": 1.0}, {"seed": -1}, {"noise": -0.1}, {"n_repeats": 0}, {"x": 1}],
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValidationError):
        VisionSimulation(**wrong)


def test_files_are_read_back_with_their_truth(tmp_path):
    made = VisionSimulation(seed=5, n_sessions=2, n_images=20, units_per_roi=3)
    write(made, tmp_path)
    paths = [p.relative_to(tmp_path).as_posix() for p in sorted(tmp_path.rglob("*")) if p.is_file()]
    found = discover(paths, "images", ImagesReadSettings())
    assert [one.recording for one in found] == recordings(made) == ["session-01", "session-02"]
    for locked in found:
        recording = read_recording(
            SourceFiles("demo", tmp_path, locked), "images", ImagesReadSettings()
        ).check()
        truth = read_truth(tmp_path, locked.recording)
        assert recording.responses.shape == (3, 20, 15)
        assert recording.units["region"].tolist() == truth["region"].values.tolist()
        assert recording.stimuli.index[0] == "image0001"
        raw = np.load(tmp_path / locked.recording / "responses_trials.npy")
        assert raw.shape == (15, 20, 3)
        np.testing.assert_array_equal(recording.responses.values, raw.transpose(2, 1, 0))
        noise = raw.mean(axis=2).T - truth["signal"].values
        assert noise.std() == pytest.approx(truth.attrs["noise_sd"] / np.sqrt(3), rel=0.2)
    summary = read_summary(tmp_path)
    assert summary["settings"] == made.model_dump()
    assert summary["facts"]["ceiling"] == 0.6


def test_pictures_on_disk_show_what_the_truth_says(tmp_path):
    write(VisionSimulation(seed=6, n_images=12, units_per_roi=2), tmp_path)
    images = sorted((tmp_path / "session-01" / "images").iterdir())
    pixels = np.stack([np.asarray(Image.open(path)) for path in images])
    assert pixels.dtype == np.uint8
    truth = read_truth(tmp_path, "session-01")
    read = read_content(pixels)
    cells = truth["cells"].values
    for index, row in enumerate(cells):
        for category in np.flatnonzero(row >= 0):
            assert read[index, :, category].argmax() == row[category]
    features = np.load(tmp_path / "truth" / "session-01_features.npy").astype(float)
    known = np.vstack([truth["category_code"].values / 3, truth["exemplar_code"].values])
    assert np.corrcoef((features @ known.T).ravel(), read.ravel())[0, 1] > 0.99
    table = pd.read_csv(tmp_path / "session-01" / "units.tsv", sep="\t")
    assert table.columns.tolist() == ["unit", "region"]
    assert table["region"].value_counts().to_dict() == dict.fromkeys([*CONTENT, STATIC], 2)


def test_demo_is_small(tmp_path):
    write(VisionSimulation(seed=4), tmp_path)
    assert sum(p.stat().st_size for p in tmp_path.rglob("*") if p.is_file()) < 5_000_000
