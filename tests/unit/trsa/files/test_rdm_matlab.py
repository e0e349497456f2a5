"""The reader of MATLAB's structures sees what scipy's sees, and stops where it must."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
import scipy.sparse
from scipy.io import savemat

from neuropipe.errors import InputError
from neuropipe.trsa.files.rdm_matlab import Structure, read_structures


def element(kind, data, order="<"):
    return struct.pack(f"{order}II", kind, len(data)) + data + b"\0" * (-len(data) % 8)


def matrix(kind, parts, name=b"x", dims=(1, 1), order="<"):
    flags = element(6, struct.pack(f"{order}II", kind, 0), order)
    shape = element(5, struct.pack(f"{order}{len(dims)}i", *dims), order)
    return element(14, flags + shape + element(1, name, order) + parts, order)


def file_of(tmp_path, *elements, order="<"):
    mark = b"\x00\x01IM" if order == "<" else b"\x01\x00MI"
    path = tmp_path / "x.mat"
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + mark + b"".join(elements))
    return path


@pytest.mark.parametrize("dtype", ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
@pytest.mark.parametrize("compressed", [False, True])
def test_numbers_of_every_class(tmp_path, dtype, compressed):
    array = np.arange(12).reshape(2, 3, 2).astype(dtype)
    savemat(tmp_path / "x.mat", {"x": array}, do_compression=compressed)
    found = read_structures(tmp_path / "x.mat")["x"]
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


def test_text_structures_and_cells(tmp_path):
    cells = np.empty((1, 2), object)
    cells[0, 0], cells[0, 1] = "one", np.eye(2)
    savemat(tmp_path / "x.mat", {"s": {"name": "Müller", "of": {"n": 3.0}}, "c": cells, "e": ""})
    found = read_structures(tmp_path / "x.mat")
    assert isinstance(found["s"], Structure)
    assert found["s"].shape == (1, 1)
    inner = found["s"].elements[0]
    assert inner["name"] == "Müller"
    assert inner["of"].elements[0]["n"].item() == 3
    assert found["c"][0] == "one"
    np.testing.assert_array_equal(found["c"][1], np.eye(2))
    assert found["e"] in ("", None)


def test_structure_arrays_run_down_columns_first(tmp_path):
    table = np.empty((2, 3), dtype=[("k", object)])
    for i, j in np.ndindex(2, 3):
        table[i, j] = (10 * i + j,)
    savemat(tmp_path / "x.mat", {"s": table})
    found = read_structures(tmp_path / "x.mat")["s"]
    assert found.shape == (2, 3)
    assert [e["k"].item() for e in found.elements] == [0, 10, 1, 11, 2, 12]


def test_complex_and_sparse_are_left_out(tmp_path):
    sparse = scipy.sparse.csc_matrix(np.eye(3))
    savemat(tmp_path / "x.mat", {"z": np.array([1j]), "sparse": sparse, "x": 1.0})
    assert set(read_structures(tmp_path / "x.mat")) == {"x"}


@pytest.mark.parametrize("order", ["<", ">"])
def test_files_of_either_byte_order(tmp_path, order):
    values = element(9, struct.pack(f"{order}3d", 1, 2, 3), order)
    path = file_of(tmp_path, matrix(6, values, dims=(1, 3), order=order), order=order)
    np.testing.assert_array_equal(read_structures(path)["x"], [[1, 2, 3]])


def test_numbers_stored_narrower_than_their_class(tmp_path):
    path = file_of(tmp_path, matrix(6, element(3, struct.pack("<4h", 1, 2, 3, 4)), dims=(1, 4)))
    found = read_structures(path)["x"]
    assert found.dtype == np.float64
    assert found.tolist() == [[1, 2, 3, 4]]


def nested(depth):
    inner = element(14, b"")
    for _ in range(depth):
        inner = matrix(1, inner, b"")
    return matrix(1, inner)


def test_deep_nesting_is_refused(tmp_path):
    assert "x" in read_structures(file_of(tmp_path, nested(10)))
    with pytest.raises(InputError, match="nested deeper than 16"):
        read_structures(file_of(tmp_path, nested(40)))


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (matrix(6, element(9, b"\0" * 8), dims=(2, 2)), "1 values for dimensions"),
        (matrix(6, element(9, b"\0" * 8), dims=(-1, 2)), "array of dimensions"),
        (matrix(6, element(99, b"\0" * 8)), "values of type 99"),
        (matrix(1, b"", dims=(1000, 1000)), "1000000 parts in"),
        (matrix(1, element(9, b"\0" * 8)), "where a matrix belongs"),
        (struct.pack("<II", 14, 1 << 30), "element of 1073741824 bytes"),
        (matrix(2, element(5, struct.pack("<i", 0)) + element(1, b"")), "field names of 0"),
        (element(15, zlib.compress(struct.pack("<II", 14, 4096) + b"\0" * 8)), "of which 8 unpack"),
        (struct.pack("<II", 15, 8) + b"notzlib!", "Error -3|header"),
    ],
)
def test_lengths_that_do_not_fit_are_refused(tmp_path, broken, words):
    with pytest.raises(InputError, match=words):
        read_structures(file_of(tmp_path, broken))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="check the path"):
        read_structures(tmp_path / "none.mat")
