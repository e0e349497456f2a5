from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from neuropipe.errors import InputError
from neuropipe.ingest.grids import Grid, read_image, read_mask
from neuropipe.ingest.label_tables import read_labels
from neuropipe.ingest.unit_maps import grid_map, labelled_map, parcellation_map
from tests.bids_files import AFFINE, block_labels, save_image, write_text

GRID = Grid((8, 9, 6), AFFINE)


def test_label_table_columns_and_sides(tmp_path):
    write_text(
        tmp_path / "l.tsv",
        "Index\tLabel\tHemisphere\tnetwork\n0\tBackground\tn/a\tn/a\n2\tV1\tleft\tVis\n"
        "1\tV1\tRH\tVis\n9\tStem\tn/a\tn/a\n",
    )
    table = read_labels(tmp_path / "l.tsv")
    assert list(table.index) == [2, 1, 9]
    assert list(table["name"]) == ["V1_L", "V1_R", "Stem"]
    assert list(table["hemisphere"]) == ["L", "R", "n/a"]
    assert list(table["region"]) == ["n/a"] * 3
    assert read_labels(None) is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("index\tname\n1\tA\n2\tA\n", "names 'A' twice"),
        ("index\tname\n1\tA\n1\tB\n", "no label table"),
        ("index\tname\n1.5\tA\n", "no label table"),
        ("index\tname\n1\tn/a\n", "no label table"),
        ("index\tname\nx\tA\n", "row 1 has index 'x'"),
        ("name\tnetwork\nA\tB\n", "no column index"),
        ("index\tcolour\n1\tred\n", "no label table"),
    ],
)
def test_malformed_label_tables_are_refused(tmp_path, text, complaint):
    write_text(tmp_path / "l.tsv", text)
    with pytest.raises(InputError, match=complaint):
        read_labels(tmp_path / "l.tsv")


def test_labels_without_a_name_get_one(tmp_path):
    save_image(tmp_path / "l.nii", block_labels())
    write_text(tmp_path / "l.tsv", "index\tname\n3\tA\n1001\tD\n")
    units = parcellation_map(tmp_path / "l.nii", read_labels(tmp_path / "l.tsv"), GRID, None)
    assert list(units.table.index) == ["A", "roi-130", "roi-300", "D"]
    assert units.history == ["labels without a name in the table: 130, 300"]


def test_units_outside_the_mask_are_absent(tmp_path):
    save_image(tmp_path / "l.nii", block_labels())
    brain = (block_labels() != 300).ravel(order="F")
    units = parcellation_map(tmp_path / "l.nii", None, GRID, brain)
    assert list(units.table.index) == ["roi-3", "roi-130", "roi-1001"]
    assert units.history == ["outside the brain mask: roi-300"]
    assert len(units.voxels) == brain.sum()
    assert units.n_in_units == ((block_labels() > 0) & (block_labels() != 300)).sum()


@pytest.mark.parametrize(
    ("image", "complaint"),
    [
        (np.zeros((8, 9, 6), np.int16), "no label on the image's grid"),
        (block_labels() + 0.4 * (block_labels() > 0), "whole labels"),
        (np.ones((8, 9, 6, 2, 2), np.int16), "3-D or 4-D"),
        (np.zeros((8, 9, 6, 3), np.float32), "is empty on"),
    ],
)
def test_images_that_are_no_parcellation_are_refused(tmp_path, image, complaint):
    save_image(tmp_path / "l.nii", image.astype(np.float32))
    with pytest.raises(InputError, match=complaint):
        parcellation_map(tmp_path / "l.nii", None, GRID, None)


def test_parcellation_elsewhere_is_refused(tmp_path):
    far = AFFINE.copy()
    far[:3, 3] += 1000
    save_image(tmp_path / "l.nii", block_labels(), affine=far)
    with pytest.raises(InputError, match="outside the image"):
        parcellation_map(tmp_path / "l.nii", None, GRID, None)


def test_map_count_must_equal_the_table(tmp_path):
    save_image(tmp_path / "l.nii", np.ones((8, 9, 6, 3), np.float32))
    write_text(tmp_path / "l.tsv", "index\tname\n1\tA\n2\tB\n")
    with pytest.raises(InputError, match="3 maps, its table 2 rows"):
        parcellation_map(tmp_path / "l.nii", read_labels(tmp_path / "l.tsv"), GRID, None)


def test_mask_on_another_grid_is_resampled_and_empty_ones_refused(tmp_path):
    fine = np.zeros((16, 18, 12), np.uint8)
    fine[4:10, 4:10, 2:8] = 1
    affine = AFFINE @ np.diag([0.5, 0.5, 0.5, 1])
    save_image(tmp_path / "m.nii", fine, affine=affine)
    mask, notes = read_mask(tmp_path / "m.nii", GRID)
    assert "resampled (nearest)" in notes[0]
    expected = np.zeros(GRID.shape, bool)
    expected[2:5, 2:5, 1:4] = True
    np.testing.assert_array_equal(mask.reshape(GRID.shape, order="F"), expected)
    save_image(tmp_path / "m.nii", np.zeros(GRID.shape, np.uint8))
    with pytest.raises(InputError, match="empty"):
        read_mask(tmp_path / "m.nii", GRID)


def test_files_that_are_no_image_are_refused(tmp_path):
    for name, data in (
        ("a.nii", b"hello"),
        ("b.nii.gz", b"\x1f\x8bgarbage"),
        ("c.nii", b"\0" * 400),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match="NIfTI"):
            read_image(tmp_path / name, "run")


@settings(max_examples=40, deadline=None)
@given(
    hnp.arrays(np.int64, 4 * 3 * 2, elements=st.integers(0, 4)),
    st.none() | hnp.arrays(np.bool_, 4 * 3 * 2),
)
def test_every_voxel_belongs_to_its_own_unit(code, brain):
    import pandas as pd

    used = np.unique(code[code > 0])
    code = np.searchsorted(used, code) + 1 if len(used) and 0 not in code else code
    code = np.where(code > 0, np.searchsorted(used, code) + 1, 0) if 0 in code else code
    table = pd.DataFrame({"name": [f"u{k}" for k in range(1, len(used) + 1)]})
    kept = code > 0 if brain is None else (code > 0) & brain
    if not kept.any():
        if len(used):
            with pytest.raises(InputError):
                labelled_map(code, table, Grid((4, 3, 2), np.eye(4)), brain, [])
        return
    units = labelled_map(code, table, Grid((4, 3, 2), np.eye(4)), brain, [])
    ends = [*units.starts[1:], units.n_in_units]
    for name, a, b in zip(units.table.index, units.starts, ends, strict=True):
        members = np.flatnonzero(kept & (code == int(name[1:])))
        np.testing.assert_array_equal(np.sort(units.voxels[a:b]), members)
    assert len(set(units.voxels)) == len(units.voxels)
    if brain is not None:
        assert set(units.voxels) == set(np.flatnonzero(brain))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 9), hnp.arrays(np.bool_, 5 * 4 * 3))
def test_cubes_cover_the_mask_once(edge, mask):
    if not mask.any():
        return
    units = grid_map(mask, Grid((5, 4, 3), np.eye(4)), edge)
    assert sorted(units.voxels) == list(np.flatnonzero(mask))
    assert units.table.index.is_unique
    assert (units.table["atlas_size"] <= edge**3).all()
