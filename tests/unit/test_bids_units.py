from __future__ import annotations

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nilearn.image import resample_img
from nilearn.maskers import NiftiLabelsMasker, NiftiMapsMasker, NiftiMasker

from neuropipe.errors import InputError
from neuropipe.ingest import bids_units
from neuropipe.ingest.bids_units import check_run, extract, volumes
from neuropipe.ingest.grids import Grid, read_mask
from neuropipe.ingest.label_tables import read_labels
from neuropipe.ingest.unit_maps import grid_map, mask_map, parcellation_map
from tests.bids_files import AFFINE, block_labels, brain_series, save_image, write_text

OPTIONS = {"standardize": None, "resampling_target": "data", "keep_masked_labels": False}


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """A few volumes at a time, so that chunks meet within these short runs."""
    monkeypatch.setattr(bids_units, "_CHUNK", 7 * 8 * 9 * 6 * 4)


def run(path, values, **options):
    save_image(path, values, **options)
    image = nibabel.load(path)
    return image, check_run(image, path)


def test_regions_equal_nilearns_and_keep_their_names(tmp_path):
    """Labels above 127, out of order and with gaps: each series must carry its own name."""
    values = brain_series(np.random.default_rng(0))
    levels = {3: 100, 130: 200, 300: 300, 1001: 400}
    labels = block_labels()
    for label, level in levels.items():
        values[labels == label] += level
    image, grid = run(tmp_path / "a.nii.gz", values)
    save_image(tmp_path / "l.nii.gz", labels)
    write_text(
        tmp_path / "l.tsv",
        "index\tname\n1001\tfourth\n300\tthird\n77\tlost\n0\tBackground\n3\tfirst\n130\tsecond\n",
    )
    units = parcellation_map(tmp_path / "l.nii.gz", read_labels(tmp_path / "l.tsv"), grid, None)
    found = extract(image, tmp_path / "a.nii.gz", units, grid)
    assert list(units.table.index) == ["first", "second", "third", "fourth"]
    assert units.history == ["absent from the image: lost"]
    np.testing.assert_allclose(found.series.mean(axis=0), [1100, 1200, 1300, 1400], atol=5)
    ours = nibabel.Nifti1Image(labels, AFFINE)
    oracle = NiftiLabelsMasker(ours, **OPTIONS).fit_transform(image)
    np.testing.assert_allclose(found.series, oracle, rtol=1e-5)


@pytest.mark.parametrize("name", ["r.nii", "r.nii.gz"])
@pytest.mark.parametrize("slope", [None, (0.5, 3.0)])
def test_scaling_and_compression_do_not_matter(tmp_path, name, slope):
    values = np.rint(brain_series(np.random.default_rng(1))).astype(np.int16)
    image, grid = run(tmp_path / name, values, slope=slope)
    save_image(tmp_path / "l.nii", block_labels())
    units = parcellation_map(tmp_path / "l.nii", None, grid, None)
    found = extract(image, tmp_path / name, units, grid)
    oracle = NiftiLabelsMasker(str(tmp_path / "l.nii"), **OPTIONS).fit_transform(image)
    np.testing.assert_allclose(found.series, oracle, rtol=1e-5)


def test_atlas_on_another_grid_is_resampled_as_nilearn_does(tmp_path):
    values = brain_series(np.random.default_rng(2))
    image, grid = run(tmp_path / "a.nii", values)
    fine = resample_img(
        nibabel.Nifti1Image(block_labels(), AFFINE),
        target_affine=np.diag([1.5, 1.5, 2.0, 1]),
        interpolation="nearest", force_resample=True, copy_header=True,
    )  # fmt: skip
    nibabel.save(fine, tmp_path / "l.nii.gz")
    units = parcellation_map(tmp_path / "l.nii.gz", None, grid, None)
    found = extract(image, tmp_path / "a.nii", units, grid)
    masker = NiftiLabelsMasker(fine, mask_img=_alive(values), **OPTIONS)
    np.testing.assert_allclose(found.series, masker.fit_transform(image), rtol=1e-5)
    assert "resampled (nearest)" in units.history[0]


def _alive(values):
    return nibabel.Nifti1Image(values.any(axis=3).astype(np.uint8), AFFINE)


def test_weighted_maps_equal_nilearns(tmp_path):
    rng = np.random.default_rng(3)
    values = brain_series(rng)
    image, grid = run(tmp_path / "a.nii", values)
    maps = np.maximum(rng.standard_normal((8, 9, 6, 5)), 0).astype(np.float32)
    save_image(tmp_path / "maps.nii.gz", maps)
    units = parcellation_map(tmp_path / "maps.nii.gz", None, grid, None)
    found = extract(image, tmp_path / "a.nii", units, grid)
    oracle = NiftiMapsMasker(
        nibabel.Nifti1Image(maps, AFFINE), standardize=None, resampling_target="data"
    ).fit_transform(image)
    np.testing.assert_allclose(found.series, oracle, rtol=1e-3)
    assert found.coverage.max() < 1  # the rim of the image is dark


def test_dependent_maps_are_refused(tmp_path):
    image, grid = run(tmp_path / "a.nii", brain_series(np.random.default_rng(4)))
    save_image(tmp_path / "maps.nii", np.ones((8, 9, 6, 2), np.float32))
    units = parcellation_map(tmp_path / "maps.nii", None, grid, None)
    with pytest.raises(InputError, match="linearly dependent"):
        extract(image, tmp_path / "a.nii", units, grid)


def test_voxels_equal_nilearns(tmp_path):
    values = brain_series(np.random.default_rng(5))
    image, grid = run(tmp_path / "a.nii", values)
    mask = np.zeros((8, 9, 6), np.uint8)
    mask[2:5, 3:6, 1:3] = 1
    save_image(tmp_path / "m.nii", mask)
    units = mask_map(read_mask(tmp_path / "m.nii", grid)[0], grid, [])
    found = extract(image, tmp_path / "a.nii", units, grid)
    masker = NiftiMasker(nibabel.Nifti1Image(mask, AFFINE), standardize=None).fit()
    oracle = masker.transform(image)
    # nilearn runs through voxels with z fastest; names say where each series comes from.
    place = {tuple(v): k for k, v in enumerate(np.argwhere(mask))}
    order = [place[tuple(int(i) for i in n[1:].replace("y", " ").replace("z", " ").split())]
             for n in units.table.index]  # fmt: skip
    np.testing.assert_allclose(found.series, oracle[:, order], rtol=1e-6)
    x, y, z = units.table.loc["x2y3z1", ["x", "y", "z"]].astype(float)
    np.testing.assert_allclose(np.array([x, y, z]) * 1000, (AFFINE @ [2, 3, 1, 1])[:3])


def test_global_signal_and_dvars_are_over_the_brain(tmp_path):
    values = brain_series(np.random.default_rng(6))
    mask = np.zeros((8, 9, 6), np.uint8)
    mask[0:5, 1:8, 1:5] = 1  # reaches into the dark, which has no signal
    image, grid = run(tmp_path / "a.nii", values)
    save_image(tmp_path / "m.nii", mask)
    save_image(tmp_path / "l.nii", block_labels())
    brain, _ = read_mask(tmp_path / "m.nii", grid)
    units = parcellation_map(tmp_path / "l.nii", None, grid, brain)
    found = extract(image, tmp_path / "a.nii", units, grid)
    inside = values[(mask > 0) & values.any(axis=3)]
    np.testing.assert_allclose(found.global_signal, inside.mean(axis=0), rtol=1e-5)
    steps = np.sqrt((np.diff(inside.astype(float), axis=1) ** 2).mean(axis=0))
    assert np.isnan(found.dvars[0])
    np.testing.assert_allclose(found.dvars[1:], steps, rtol=1e-5)


def test_coverage_and_dead_voxels(tmp_path):
    """A region half outside the field of view: half covered, its mean over living voxels only."""
    values = brain_series(np.random.default_rng(7), sd=0.0)
    values += values * 0.01 * np.random.default_rng(8).standard_normal(40).astype(np.float32)
    values[:, :, 3:] = 0
    values[1, 1, 1, 5] = np.nan
    image, grid = run(tmp_path / "a.nii", values)
    save_image(tmp_path / "l.nii", block_labels())
    units = parcellation_map(tmp_path / "l.nii", None, grid, None)
    found = extract(image, tmp_path / "a.nii", units, grid)
    np.testing.assert_allclose(found.coverage, 0.5)
    sizes = np.bincount(np.searchsorted([3, 130, 300, 1001], block_labels()[block_labels() > 0]))
    np.testing.assert_array_equal(found.n_voxels * 2, sizes)
    expected = values[3, 3, 1]
    np.testing.assert_allclose(found.series[:, 3], values[5, 6, 1], rtol=1e-5)
    np.testing.assert_allclose(np.delete(found.series[:, 0], 5), np.delete(expected, 5), rtol=1e-5)
    assert np.isfinite(found.series).all()


def test_volumes_without_values_are_missing_not_zero(tmp_path):
    values = brain_series(np.random.default_rng(7))
    labels = block_labels()
    save_image(tmp_path / "l.nii", labels)
    units = parcellation_map(tmp_path / "l.nii", None, Grid(labels.shape, AFFINE), None)
    members = values[labels == 3]
    gone = values.copy()
    gone[..., 10] = np.nan  # a lost volume
    gone[labels == 3, 20] = np.where(np.arange(len(members)) < 3, np.inf, members[:, 20])
    few = np.flatnonzero(labels.ravel() == 3)[: len(members) * 2 // 3]
    gone.reshape(-1, 40)[few, 30] = np.nan
    gone[0] = np.nan  # outside the head, throughout: no loss
    image, grid = run(tmp_path / "a.nii", gone)
    found = extract(image, tmp_path / "a.nii", units, grid, fwhm=5.0)
    assert np.isnan(found.series[10]).all()
    np.testing.assert_allclose(found.series[20, 0], members[3:, 20].mean(), rtol=1e-6)
    assert np.isnan(found.series[30, 0])
    assert np.isnan(found.series).sum() == found.series.shape[1] + 1
    assert np.isnan(found.smoothed[[10, 20, 30], 0]).all()
    assert np.isnan(found.smoothed).sum() == found.series.shape[1] + 2
    assert np.flatnonzero(np.isnan(found.global_signal)).tolist() == [10]
    assert np.flatnonzero(np.isnan(found.dvars)).tolist() == [0, 10, 11, 20, 21, 30, 31]
    voxels = values[labels > 0]
    np.testing.assert_allclose(found.global_signal[0], voxels[:, 0].mean(), rtol=1e-6)


def test_smoothing_is_nilearns(tmp_path):
    image, grid = run(tmp_path / "a.nii", brain_series(np.random.default_rng(9)))
    save_image(tmp_path / "l.nii", block_labels())
    units = parcellation_map(tmp_path / "l.nii", None, grid, None)
    found = extract(image, tmp_path / "a.nii", units, grid, fwhm=6.0)
    masker = NiftiLabelsMasker(str(tmp_path / "l.nii"), smoothing_fwhm=6.0, **OPTIONS)
    np.testing.assert_allclose(found.smoothed, masker.fit_transform(image), rtol=1e-4)
    assert not np.allclose(found.series, found.smoothed, rtol=1e-3)


def test_grid_cubes_partition_the_mask(tmp_path):
    values = brain_series(np.random.default_rng(10))
    image, grid = run(tmp_path / "a.nii", values)
    mask = values.any(axis=3).ravel(order="F")
    units = grid_map(mask, grid, 3)
    found = extract(image, tmp_path / "a.nii", units, grid)
    assert found.n_voxels.sum() == mask.sum()
    cube = values[3:6, 3:6, 3:6].reshape(-1, 40)
    cube = cube[cube.any(axis=1)]
    where = list(units.table.index).index("x1y1z1")
    np.testing.assert_allclose(found.series[:, where], cube.mean(axis=0), rtol=1e-5)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 30), st.integers(1, 40))
def test_volumes_come_in_order_whatever_the_chunk(skip, at_once):
    import tempfile
    from pathlib import Path

    values = np.arange(2 * 3 * 1 * 33, dtype=np.int16).reshape((2, 3, 1, 33), order="F")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.nii.gz"
        save_image(path, values)
        image = nibabel.load(path)
        bids_units._CHUNK = at_once * 24
        read = np.concatenate(list(volumes(image, path, skip)))
    np.testing.assert_array_equal(read, values.reshape((6, 33), order="F").T[skip:])


def test_images_that_are_no_runs_are_refused(tmp_path):
    for shape in ((4, 4, 4), (4, 4, 4, 1), (4, 4, 4, 2, 5)):
        save_image(tmp_path / "a.nii", np.ones(shape, np.float32))
        with pytest.raises(InputError, match="shape"):
            check_run(nibabel.load(tmp_path / "a.nii"), tmp_path / "a.nii")
    save_image(tmp_path / "a.nii", np.ones((4, 4, 4, 9), np.float32))
    whole = (tmp_path / "a.nii").read_bytes()
    (tmp_path / "a.nii").write_bytes(whole[:900])
    with pytest.raises(InputError, match="too small"):
        check_run(nibabel.load(tmp_path / "a.nii"), tmp_path / "a.nii")


def test_dark_image_is_refused(tmp_path):
    image, grid = run(tmp_path / "a.nii", np.zeros((8, 9, 6, 5), np.float32))
    save_image(tmp_path / "l.nii", block_labels())
    units = parcellation_map(tmp_path / "l.nii", None, grid, None)
    with pytest.raises(InputError, match="no signal"):
        extract(image, tmp_path / "a.nii", units, grid)
    image, grid = run(tmp_path / "a.nii", np.full((8, 9, 6, 5), np.nan, np.float32))
    with pytest.raises(InputError, match="no signal"):
        extract(image, tmp_path / "a.nii", units, grid)
