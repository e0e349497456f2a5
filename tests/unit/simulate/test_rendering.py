"""Pictures of tokens: what is drawn where, and what is left out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropipe.simulate.rendering import PATCH, content_axes, patterns, read_content, render
from neuropipe.simulate.vision import GRID, N_CATEGORIES, N_EXEMPLAR, N_FEATURES, token_code

CODE = token_code(np.random.default_rng(0))


def empty(n_images: int = 1) -> np.ndarray:
    return np.zeros((n_images, GRID**2, N_FEATURES))


@given(cell=st.integers(0, GRID**2 - 1), category=st.integers(0, N_CATEGORIES - 1))
@settings(max_examples=30, deadline=None)
def test_a_token_is_drawn_in_its_cell_only(cell, category):
    features = empty(2)
    features[1, cell] = CODE.categories[category]
    blank, shown = render(features, CODE).astype(int)
    row, column = divmod(cell, GRID)
    changed = np.argwhere((blank != shown).any(axis=-1))
    assert len(changed) > 0
    assert (changed // PATCH == [row, column]).all()


def test_dimensions_without_content_are_not_drawn():
    rest = np.linalg.svd(content_axes(CODE))[2][N_CATEGORIES + N_EXEMPLAR :]
    features = empty(2)
    features[1] = 5 * np.random.default_rng(1).standard_normal((GRID**2, len(rest))) @ rest
    blank, noisy = render(features, CODE)
    np.testing.assert_array_equal(blank, noisy)


def test_axes_are_orthonormal_and_give_an_object_the_coordinate_3():
    axes = content_axes(CODE)
    np.testing.assert_allclose(axes @ axes.T, np.eye(12), atol=1e-12)
    np.testing.assert_allclose(CODE.categories @ axes.T, 3 * np.eye(4, 12), atol=1e-12)


def test_patterns_have_their_level_and_no_mean_colour_of_their_own():
    drawn = patterns()
    level = np.sqrt((drawn**2).mean(axis=(1, 2, 3)))
    np.testing.assert_allclose(level, [22.0] * 4 + [8.0] * 8)
    # Gratings are grey, shapes are coloured: the two never mix.
    grey = drawn.mean(axis=-1)
    np.testing.assert_allclose(grey[:4], 0, atol=1e-9)
    np.testing.assert_allclose(drawn[4:], np.repeat(grey[4:, ..., None], 3, axis=-1))
    np.testing.assert_allclose(drawn[4:].mean(axis=(1, 2, 3)), 0, atol=1e-9)


def test_categories_differ_in_shape_or_colour():
    flat = patterns()[:N_CATEGORIES].reshape(N_CATEGORIES, -1)
    r = np.corrcoef(flat)[np.triu_indices(N_CATEGORIES, 1)]
    assert np.abs(r).max() < 0.35


@given(seed=st.integers(0, 999))
@settings(max_examples=15, deadline=None)
def test_content_is_read_back_up_to_rounding(seed):
    rng = np.random.default_rng(seed)
    coordinates = np.zeros((1, GRID**2, 12))
    coordinates[..., 4:] = rng.uniform(-1, 1, (1, GRID**2, N_EXEMPLAR))
    read = read_content(render(coordinates @ content_axes(CODE), CODE))
    # Rounding to multiples of 16 is noise of sd 4.6 in each of 192 pixels.
    error = read - coordinates
    assert error.std() < 0.15
    assert abs(error.mean()) < 0.05


def test_contrast_of_a_grating_rises_with_its_coordinate():
    axis = content_axes(CODE)[N_CATEGORIES]
    features = empty(4)
    for image, level in enumerate((-1.5, 0.0, 1.5, 3.0)):
        features[image] = level * axis
    pixels = render(features, CODE).astype(float) - 128
    template = patterns()[N_CATEGORIES]
    grid = pixels.reshape(4, GRID, PATCH, GRID, PATCH, 3).swapaxes(2, 3)
    contrast = (grid * template).sum(axis=(-3, -2, -1)).mean(axis=(1, 2))
    assert (np.diff(contrast) > 0).all()
    assert contrast[0] == pytest.approx(0, abs=0.1 * contrast[-1])


def test_pictures_are_coarse_in_grey_levels_and_stay_in_range():
    features = empty()
    features[0] = 4 * np.random.default_rng(2).standard_normal((GRID**2, N_FEATURES))
    pixels = render(features, CODE)
    assert pixels.dtype == np.uint8
    assert pixels.shape == (1, GRID * PATCH, GRID * PATCH, 3)
    inner = pixels[(pixels > 0) & (pixels < 255)]
    assert (inner % 16 == 0).all()
