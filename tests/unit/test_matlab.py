from __future__ import annotations

import random
import struct
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.io import loadmat, savemat, whosmat

from neuropipe.errors import InputError
from neuropipe.ingest.matlab import mat_shapes, read_mat

NUMBERS = hnp.integer_dtypes(endianness="<") | hnp.unsigned_integer_dtypes(endianness="<") | (
    st.sampled_from([np.dtype("f4"), np.dtype("f8"), np.dtype(bool)])
)  # fmt: skip
arrays = hnp.arrays(NUMBERS, hnp.array_shapes(min_dims=2, max_dims=4, min_side=0, max_side=7))
names = st.text("abcXYZ_0123456789", max_size=40).map(lambda tail: "n" + tail)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(names, arrays, min_size=1, max_size=4), st.booleans())
def test_numeric_arrays_are_read_as_scipy_reads_them(tmp_path_factory, contents, packed):
    path = tmp_path_factory.mktemp("mat") / "a.mat"
    savemat(path, contents, do_compression=packed, long_field_names=True)
    assert mat_shapes(path) == {name: array.shape for name, array in contents.items()}
    for name, array in contents.items():
        found = read_mat(path, name)
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array)


def test_other_variables_are_passed_over(tmp_path):
    from scipy.sparse import eye_array

    contents = {
        "words": "text", "cell": np.array([1, "a"], dtype=object), "pair": {"a": 1},
        "waves": np.ones((2, 2)) * 1j, "few": eye_array(3), "kept": np.ones((2, 3)),
    }  # fmt: skip
    for packed in (False, True):
        savemat(tmp_path / "a.mat", contents, do_compression=packed)
        assert mat_shapes(tmp_path / "a.mat") == {"kept": (2, 3)}


def test_matlab_4(tmp_path):
    values = np.arange(6.0).reshape(2, 3)
    savemat(tmp_path / "a.mat", {"x": values, "t": "text"}, format="4")
    assert mat_shapes(tmp_path / "a.mat") == {"x": (2, 3)}
    np.testing.assert_array_equal(read_mat(tmp_path / "a.mat", "x"), values)


def _big_endian(name, values):
    """A file as an old workstation wrote it, with values stored narrower than their class."""
    stored = values.astype(">i2").tobytes(order="F")
    parts = struct.pack(">IIII", 6, 8, 6, 0)
    parts += struct.pack(">IIii", 5, 8, *values.shape)
    parts += struct.pack(">HH4s", len(name), 1, name.encode())
    parts += struct.pack(">II", 3, len(stored)) + stored + b"\0" * (-len(stored) % 8)
    header = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack(">H", 0x0100) + b"MI"
    return header + struct.pack(">II", 14, len(parts)) + parts


def test_big_endian_and_narrow_storage(tmp_path):
    values = np.array([[1.0, -2.0, 300.0], [4.0, 5.0, 6.0]])
    path = tmp_path / "a.mat"
    path.write_bytes(_big_endian("x", values))
    assert whosmat(path) == [("x", (2, 3), "double")]
    np.testing.assert_array_equal(loadmat(path)["x"], values)
    found = read_mat(path, "x")
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, values)


def _packed(shape, body):
    parts = struct.pack("<IIII", 6, 8, 6, 0) + struct.pack("<IIii", 5, 8, *shape)
    parts += struct.pack("<HH4s", 1, 1, b"x") + body
    element = zlib.compress(struct.pack("<II", 14, len(parts)) + parts, 9)
    header = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x0100) + b"IM"
    return header + struct.pack("<II", 15, len(element)) + element


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no MATLAB header"),
        (b"words" * 90, "no MATLAB header"),
        (_packed((40_000, 40_000), b""), "11.9 GiB"),
        (_packed((12_000, 12_000), b""), "1.07 GiB"),
        (_packed((2, 3), struct.pack("<II", 9, 8) + bytes(8)), "1 values for dimensions"),
        (_packed((2, 3), struct.pack("<II", 9, 48) + bytes(8)), "a part of 48 bytes"),
        (_packed((2, 3), struct.pack("<II", 255, 48) + bytes(48)), "values of type 255"),
        (_packed((2, -3), b""), "dimensions"),
    ],
)
def test_impossible_files_are_refused(tmp_path, data, words):
    path = tmp_path / "a.mat"
    path.write_bytes(data)
    with pytest.raises(InputError, match=words) as caught:
        read_mat(path, next(iter(mat_shapes(path))))
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("packed", [True, False])
def test_random_damage_is_refused_or_changes_values_only(tmp_path, packed):
    """The same bytes end scipy's reader by a segmentation fault every few hundred times."""
    path, rng = tmp_path / "a.mat", random.Random(0)
    savemat(path, {"x": np.random.default_rng(0).random((40, 5))}, do_compression=packed)
    sound = path.read_bytes()
    for _ in range(1500):
        data = bytearray(sound)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(120, 240) if rng.random() < 0.7 else rng.randrange(len(data))
            data[at : at + rng.randint(0, 3)] = rng.randbytes(rng.randint(0, 3))
        path.write_bytes(data)
        try:
            for name, shape in mat_shapes(path).items():
                assert read_mat(path, name).shape == shape
        except InputError:
            continue
