"""Pictures of the balanced design: what they show, and that nothing else gives it away."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropipe.errors import SettingsError
from neuropipe.simulate.pictures import (
    CATEGORIES,
    SIDE,
    draw_pictures,
    hues,
    render_pictures,
)

LUMA = np.array([0.299, 0.587, 0.114])
EVEN = st.integers(2, 20).map(lambda half: 2 * half)


@pytest.fixture(scope="module")
def pictures():
    return draw_pictures(6, np.random.default_rng(3))


@pytest.fixture(scope="module")
def pixels(pictures):
    return render_pictures(pictures)


@given(n=EVEN, seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_hues_sizes_and_categories_are_crossed(n, seed):
    made = draw_pictures(n, np.random.default_rng(seed))
    assert np.bincount(made.category).tolist() == [n] * len(CATEGORIES)
    turn = np.exp(1j * np.deg2rad(made.angle))
    for category in range(4):
        for size in range(2):
            cell = (made.category == category) & (made.size == size)
            assert cell.sum() == n / 2
            assert abs(turn[cell].sum()) < 1e-9
    assert made.animate.tolist() == [category < 2 for category in made.category]


def test_every_hue_is_shown_by_an_animal_and_a_thing_of_two_sizes(pictures):
    found = np.unique(pictures.angle)
    np.testing.assert_allclose(found, np.arange(0, 360, 30))
    for angle in found:
        shown = pictures.angle == angle
        assert sorted(pictures.animate[shown]) == [False, True]
        assert sorted(pictures.size[shown]) == [0, 1]


def test_backgrounds_are_drawn_evenly_and_anew(pictures):
    kinds = np.stack([pictures.orientation, pictures.period], axis=1)
    assert np.unique(kinds, axis=0, return_counts=True)[1].tolist() == [3] * 8
    other = draw_pictures(6, np.random.default_rng(4))
    assert not np.array_equal(other.place, pictures.place)
    np.testing.assert_array_equal(other.category, pictures.category)


@pytest.mark.parametrize("n", [2, 5, 0, -4])
def test_a_design_that_is_not_balanced_is_refused(n):
    with pytest.raises(SettingsError, match="even number"):
        draw_pictures(n, np.random.default_rng(0))


@given(st.lists(st.floats(0, 360), min_size=1, max_size=20))
def test_all_hues_are_equally_bright_and_no_grey(angles):
    colours = hues(np.array(angles))
    np.testing.assert_allclose(colours @ LUMA, 150, atol=1e-9)
    assert ((colours > 0) & (colours < 255)).all()
    assert (np.ptp(colours, axis=1) > 80).all()


def test_hue_is_read_back_from_the_pixels_and_absent_from_grey(pictures, pixels):
    assert pixels.shape == (24, SIDE, SIDE, 3)
    assert pixels.dtype == np.uint8
    values = pixels.astype(float)
    for image, angle in zip(values, pictures.angle, strict=True):
        thing = np.ptp(image, axis=2) > 80
        red, _, blue = image[thing].mean(axis=0) - 150
        read = np.rad2deg(np.arctan2(red / 1.402, blue / 1.772)) % 360
        assert abs((read - angle + 180) % 360 - 180) < 5
        inside = np.ptp(image, axis=2) > 0.98 * np.ptp(image, axis=2).max()
        assert (image[inside] @ LUMA) == pytest.approx(150, abs=1)


def test_things_lie_where_they_were_drawn_and_large_ones_are_larger(pictures, pixels):
    areas = np.empty(24)
    for k, image in enumerate(pixels.astype(float)):
        y, x = np.nonzero(np.ptp(image, axis=2) > 60)
        areas[k] = len(x)
        middle = np.array([x.max() + x.min(), y.max() + y.min()]) / 2 - (SIDE - 1) / 2
        assert np.abs(middle - pictures.place[k]).max() < 5
        assert min(x.min(), y.min()) > 0
        assert max(x.max(), y.max()) < SIDE - 1
    for category in range(4):
        own = pictures.category == category
        large, small = (areas[own & (pictures.size == size)].mean() for size in (1, 0))
        assert large / small == pytest.approx((25 / 15) ** 2, rel=0.05)


def test_categories_differ_in_shape(pictures, pixels):
    """Outlines brought to one place and size overlap more within a category than between."""
    outlines = []
    for k, image in enumerate(pixels.astype(float)):
        reach = (15, 25)[pictures.size[k]] * np.linspace(-1.1, 1.1, 40)
        x, y = (np.rint(reach + place + (SIDE - 1) / 2).astype(int) for place in pictures.place[k])
        outlines.append((np.ptp(image, axis=2) > 60)[np.ix_(y.clip(0, 95), x.clip(0, 95))].ravel())
    both = np.array(outlines, dtype=float)
    joint = both @ both.T
    overlap = joint / (both.sum(axis=1) + both.sum(axis=1)[:, None] - joint)
    same = pictures.category[:, None] == pictures.category
    assert overlap[same].min() > overlap[~same].max()
