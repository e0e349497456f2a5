"""Searchlights look at the right voxels, and estimate what those voxels alone would give."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.errors import InputError, SettingsError, UnfitRecordingError
from neuropipe.trsa.estimation import searchlight as module
from neuropipe.trsa.estimation.estimators import estimate
from neuropipe.trsa.estimation.neighbourhoods import mask_coordinates, neighbourhoods, sphere_size
from neuropipe.trsa.estimation.searchlight import searchlight, searchlight_parts, volume_searchlight
from neuropipe.trsa.noise import Noise
from neuropipe.trsa.patterns import Patterns

NAMES = ("a", "b", "c", "d")
OBLIQUE = np.array([[1.9, 0.3, 0.0, -20], [-0.3, 1.9, 0.2, 5], [0.1, -0.2, 2.4, 7], [0, 0, 0, 1]])
ISOTROPIC = np.diag([3.0, 3, 3, 1])


def brain(seed=0, shape=(6, 5, 4)):
    """A mask with a hole, patterns and residuals of its voxels."""
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) < 0.8
    n = int(mask.sum())
    values = rng.standard_normal((3, 4, n)) + 0.5 * rng.standard_normal((4, n))
    residuals = rng.standard_normal((25, n)) + 0.7 * rng.standard_normal((25, 1))
    return mask, values, residuals


def local_patterns(values, members, noise=None):
    present = np.isfinite(values).any(axis=2).astype(int)
    channels = tuple(map(str, members))
    folds = tuple(map(str, range(len(values))))
    return Patterns(values[:, :, members], NAMES, channels, folds, present, noise)


def around(places, centre, radius):
    return np.flatnonzero(np.linalg.norm(places - places[centre], axis=1) <= radius + 1e-9)


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("affine", [ISOTROPIC, OBLIQUE])
def test_every_centre_is_its_neighbourhood_alone(affine, n_jobs):
    mask, values, residuals = brain()
    places = mask_coordinates(mask, affine)
    found = searchlight(
        values, places, 4.5, NAMES, residuals=residuals, df=20, min_share=0.0, n_jobs=n_jobs
    )
    assert found.table["centre"].is_monotonic_increasing
    assert len(found) == sum(len(around(places, k, 4.5)) >= 2 for k in range(len(places)))
    for row, centre in enumerate(found.table["centre"]):
        members = around(places, centre, 4.5)
        noise = Noise.of_residuals(residuals[:, members], 20)
        expected = estimate(local_patterns(values, members, noise)).dissimilarities[0]
        np.testing.assert_allclose(found.dissimilarities[row], expected, rtol=1e-8, atol=1e-10)
        assert found.table["n_channels"][row] == len(members)


@pytest.mark.parametrize("measure", ["euclidean", "correlation", "crossnobis", "mahalanobis"])
def test_any_measure(measure):
    mask, values, residuals = brain(1)
    places = mask_coordinates(mask, ISOTROPIC)
    options = {"residuals": residuals} if measure == "mahalanobis" else {}
    found = searchlight(values, places, 5.0, NAMES, measure=measure, **options)
    assert (found.measure, found.conditions) == (measure, NAMES)
    centre = int(found.table["centre"][3])
    members = around(places, centre, 5.0)
    noise = Noise.of_residuals(residuals[:, members]) if options else None
    expected = estimate(local_patterns(values, members, noise), measure).dissimilarities[0]
    np.testing.assert_allclose(found.dissimilarities[3], expected, rtol=1e-9, atol=1e-11)


def test_batches_change_nothing(monkeypatch):
    mask, values, residuals = brain()
    places = mask_coordinates(mask, ISOTROPIC)
    whole = searchlight(values, places, 5.0, NAMES, residuals=residuals)
    monkeypatch.setattr(module, "_MOST", 1)
    parts = list(searchlight_parts(values, places, 5.0, NAMES, residuals=residuals))
    assert len(parts) == len(whole)
    assert all(len(part) == 1 for part in parts)
    again = searchlight(values, places, 5.0, NAMES, residuals=residuals)
    np.testing.assert_allclose(again.dissimilarities, whole.dissimilarities, atol=1e-12)
    assert again.table.equals(whole.table)


def test_nothing_outside_the_mask_leaks_in():
    mask, values, _ = brain()
    volume = np.full((*values.shape[:2], *mask.shape), 1e9)
    volume[:, :, mask] = values
    found = volume_searchlight(volume[:, :, mask], mask, ISOTROPIC, 5.0, NAMES, min_share=0.1)
    assert np.abs(found.dissimilarities).max() < 100
    assert mask[tuple(found.table[["i", "j", "k"]].to_numpy().T)].all()


def test_signal_is_found_where_it_is():
    mask = np.ones((7, 7, 7), bool)
    rng = np.random.default_rng(0)
    values = rng.standard_normal((4, 4, 343))
    inside = np.linalg.norm(np.argwhere(mask) - [2, 3, 4], axis=1) < 2
    values[:, :, inside] += 3 * rng.standard_normal((4, int(inside.sum())))
    found = volume_searchlight(values, mask, ISOTROPIC, 4.0, NAMES, min_share=0.0)
    best = found.dissimilarities.mean(axis=1).argmax()
    peak = found.table.loc[best, ["i", "j", "k"]].to_numpy(int)
    assert np.linalg.norm(peak - [2, 3, 4]) <= 1.5


def test_centres_name_their_voxel_and_place():
    mask, values, _ = brain()
    found = volume_searchlight(values, mask, OBLIQUE, 5.0, NAMES, min_share=0.2)
    table = found.table
    assert list(table) == ["centre", "x", "y", "z", "n_channels", "i", "j", "k"]
    voxels = np.argwhere(mask)[table["centre"]]
    np.testing.assert_array_equal(table[["i", "j", "k"]], voxels)
    np.testing.assert_allclose(table[["x", "y", "z"]], voxels @ OBLIQUE[:3, :3].T + OBLIQUE[:3, 3])


@pytest.mark.parametrize("affine", [ISOTROPIC, OBLIQUE])
@pytest.mark.parametrize("radius", [3.0, 6.0, 7.7])
def test_a_whole_sphere_has_as_many_voxels_as_one_deep_inside(affine, radius):
    full = np.ones((13, 13, 13), bool)
    sizes = neighbourhoods(mask_coordinates(full, affine), radius, min_share=0.0).sizes
    assert sphere_size(affine, radius) == sizes.max()


def test_spheres_that_are_mostly_outside_are_left_out():
    mask = np.ones((5, 5, 5), bool)
    values = np.random.default_rng(0).standard_normal((2, 4, 125))
    whole = sphere_size(ISOTROPIC, 3.0)
    assert whole == 7
    strict = volume_searchlight(values, mask, ISOTROPIC, 3.0, NAMES, min_share=1.0)
    assert len(strict) == 27  # the inner cube
    loose = volume_searchlight(values, mask, ISOTROPIC, 3.0, NAMES, min_share=6 / 7)
    assert len(loose) == 27 + 6 * 9  # and the middles of the faces


def test_incomplete_and_silent_voxels_are_no_neighbours():
    mask, values, residuals = brain()
    places = mask_coordinates(mask, ISOTROPIC)
    values[0, 1, 10] = np.nan
    residuals[:, 20] = 4.0
    found = searchlight(values, places, 5.0, NAMES, residuals=residuals, min_share=0.0)
    assert not {10, 20} & set(found.table["centre"])
    kept = np.delete(np.arange(len(places)), [10, 20])
    expected = searchlight(
        values[:, :, kept],
        places[kept],
        5.0,
        NAMES,
        residuals=residuals[:, kept],
        min_share=0.0,
    )
    np.testing.assert_allclose(found.dissimilarities, expected.dissimilarities, atol=1e-12)
    np.testing.assert_array_equal(found.table["centre"], kept[expected.table["centre"]])


def test_folds_may_lack_conditions():
    mask, values, _ = brain()
    places = mask_coordinates(mask, ISOTROPIC)
    values[2, 1] = np.nan
    found = searchlight(values, places, 5.0, NAMES)
    members = around(places, int(found.table["centre"][0]), 5.0)
    expected = estimate(local_patterns(values, members)).dissimilarities[0]
    np.testing.assert_allclose(found.dissimilarities[0], expected, atol=1e-12)


def test_what_does_not_fit_is_refused():
    mask, values, residuals = brain()
    places = mask_coordinates(mask, ISOTROPIC)
    with pytest.raises(InputError, match="order the axes"):
        searchlight(values, places[1:], 5.0, NAMES)
    with pytest.raises(InputError, match="a radius of -1 mm"):
        searchlight(values, places, -1.0, NAMES)
    with pytest.raises(InputError, match="no centre"):
        searchlight(values, places, 1.0, NAMES)
    with pytest.raises(InputError, match="residuals of shape"):
        searchlight(values, places, 5.0, NAMES, residuals=residuals[:, 1:])
    with pytest.raises(SettingsError, match="measure"):
        searchlight(values, places, 5.0, NAMES, measure="cityblock")
    with pytest.raises(UnfitRecordingError, match="without residuals"):
        searchlight(values, places, 5.0, NAMES, measure="mahalanobis")
    with pytest.raises(UnfitRecordingError, match="1 fold"):
        searchlight(values[:1], places, 5.0, NAMES)
    with pytest.raises(InputError, match="0 voxels"):
        mask_coordinates(np.zeros((2, 2, 2), bool), ISOTROPIC)
    with pytest.raises(InputError, match="affine"):
        mask_coordinates(mask, np.eye(3))
    with pytest.raises(InputError, match="finite positions"):
        neighbourhoods(places[:, :2], 5.0)
