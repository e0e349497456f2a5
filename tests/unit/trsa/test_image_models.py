"""Low-level models of images: they see what they are named after."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from neuropipe.errors import InputError
from neuropipe.trsa.image_models import (
    LOW_LEVEL,
    UNTRAINED,
    colour_patches,
    gabor_energy,
    image_rdms,
    luminance,
    read_images,
)


def grating(cycles, degrees, phase=0.0, side=64):
    """Brightness that changes along the direction `degrees`, in [0, 1]."""
    y, x = np.mgrid[:side, :side] / side
    along = x * np.cos(np.radians(degrees)) + y * np.sin(np.radians(degrees))
    return 0.5 + 0.5 * np.cos(2 * np.pi * cycles * along + phase)


def features(images):
    """Energy by (image, frequency, orientation, patch)."""
    return gabor_energy(np.stack(images)).reshape(len(images), 4, 8, 16)


@pytest.mark.parametrize(("band", "cycles"), enumerate((2, 4, 8, 16)))
@pytest.mark.parametrize("direction", [0, 2, 4, 7])
def test_a_grating_drives_its_own_filter_most(band, cycles, direction):
    energy = features([grating(cycles, 22.5 * direction)])[0].mean(axis=-1)
    assert np.unravel_index(energy.argmax(), energy.shape) == (band, direction)


def test_energy_ignores_phase_and_mean_brightness():
    one, other, darker = features(
        [grating(8, 45), grating(8, 45, phase=2.0), 0.5 * grating(8, 45) + 0.1]
    )
    np.testing.assert_allclose(other, one, atol=0.05 * one.max())
    np.testing.assert_allclose(darker, 0.5 * one, atol=0.03 * one.max())


def test_energy_stays_in_its_patch():
    image = np.full((64, 64), 0.5)
    image[16:32, 32:48] = grating(8, 90)[16:32, 32:48]
    energy = features([image])[0, 2, 4].reshape(4, 4)
    assert np.unravel_index(energy.argmax(), (4, 4)) == (1, 2)


def test_a_quarter_turn_moves_orientations_by_four():
    image = np.random.default_rng(0).random((64, 64))
    one, turned = features([image, np.rot90(image)]).mean(axis=-1)
    np.testing.assert_allclose(turned, np.roll(one, 4, axis=1), rtol=0.05)


def test_colours_are_opponent():
    pure = np.zeros((4, 64, 64, 3))
    pure[0, ..., 0] = 1  # red
    pure[1, ..., 2] = 1  # blue
    pure[2] = 0.7  # grey
    pure[3, :16, :16, 1] = 1  # green in one corner
    found = colour_patches(pure).reshape(4, 2, 16)
    np.testing.assert_allclose(found[0, 0], 1)
    np.testing.assert_allclose(found[0, 1], -0.5)
    np.testing.assert_allclose(found[1], [[0] * 16, [1] * 16])
    np.testing.assert_allclose(found[2], 0, atol=1e-12)
    np.testing.assert_allclose(found[3, 0], [-1] + [0] * 15)
    np.testing.assert_allclose(luminance(pure)[:3, 0, 0], [0.299, 0.114, 0.7])


def test_models_group_images_by_what_they_hold():
    """Two orientations, in two colours: each model sees its own grouping."""
    rng = np.random.default_rng(1)
    images, kinds = [], []
    for degrees in (0, 90):
        for tint in ((1.0, 0.4, 0.4), (0.4, 0.4, 1.0)):
            for _ in range(3):
                grey = grating(8, degrees, rng.uniform(0, 6))
                images.append(grey[..., None] * np.array(tint))
                kinds.append((degrees, tint))
    rdms = image_rdms(np.stack(images), [f"i{k}" for k in range(12)])
    assert list(rdms.table["name"]) == [*LOW_LEVEL, UNTRAINED]
    orientation = np.array([a != b for k, (a, _) in enumerate(kinds) for b, _ in kinds[k + 1 :]])
    tint = np.array([a != b for k, (_, a) in enumerate(kinds) for _, b in kinds[k + 1 :]])
    colour, energy, untrained = rdms.dissimilarities[1:]
    assert colour[tint].min() > 3 * colour[~tint].max()
    assert energy[orientation].min() > energy[~orientation].max()
    # Random filters see both, so that images of neither difference are the most alike.
    assert untrained[~orientation & ~tint].max() < untrained[orientation & tint].min()


def test_uniform_images_have_no_pixel_correlation():
    images = np.random.default_rng(2).random((4, 64, 64, 3))
    images[1] = 0.5
    rdms = image_rdms(images, "abcd")
    unknown = np.isnan(rdms.matrices)
    assert unknown[0, 1, [0, 2, 3]].all()
    assert not unknown[1].any()


def test_images_from_files(tmp_path):
    red = Image.new("RGB", (112, 80), (255, 0, 0))
    red.save(tmp_path / "red.png")
    Image.new("L", (32, 32), 128).save(tmp_path / "grey.png")
    found = read_images([tmp_path / "red.png", tmp_path / "grey.png"])
    assert found.shape == (2, 64, 64, 3)
    np.testing.assert_allclose(found[0, 5, 5], [1, 0, 0])
    np.testing.assert_allclose(found[1], 128 / 255)
    (tmp_path / "no.png").write_text("no image")
    for name in ("no.png", "absent.png"):
        with pytest.raises(InputError, match=f"{name}.*expected an image"):
            read_images([tmp_path / name])


def test_odd_sizes_are_refused():
    with pytest.raises(InputError, match="64 x 48"):
        gabor_energy(np.ones((2, 64, 48)))
    with pytest.raises(InputError, match="multiple of 4"):
        colour_patches(np.ones((2, 30, 30, 3)))
