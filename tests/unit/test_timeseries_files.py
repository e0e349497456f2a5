from __future__ import annotations

import io

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.io import savemat

from neuropipe.errors import InputError, NeuropipeError, SettingsError
from neuropipe.ingest.timeseries_files import EXTENSIONS, read_series

VALUES = np.arange(12, dtype=np.float32).reshape(6, 2) * 1.5 - 3


def put(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows(separator):
    return "\n".join(separator.join(f"{v:g}" for v in row) for row in VALUES) + "\n"


@pytest.mark.parametrize(
    ("name", "text", "names"),
    [
        ("a.tsv", "A\tB\n" + rows("\t"), ["A", "B"]),
        ("a.tsv", "\ufeffA\tB\r\n" + rows("\t").replace("\n", "\r\n"), ["A", "B"]),
        ("a.csv", '"A","B"\n' + rows(","), ["A", "B"]),
        ("a.csv", rows(","), None),
        ("a.1D", "# 3dROIstats\n#2001 #2002\n" + rows("  "), ["2001", "2002"]),
        ("a.1D", "# made by hand\n" + rows(" "), None),
        ("a.1D", rows("\t") + "# end\n", None),
        ("a.txt", "left right\n" + rows(" "), ["left", "right"]),
        ("a.txt", rows(", "), None),
    ],
)
def test_text_formats(tmp_path, name, text, names):
    found = read_series(put(tmp_path, name, text))
    assert found.names == names
    assert found.values.dtype == np.float32
    np.testing.assert_array_equal(found.values, VALUES)


def test_csv_with_row_numbers_and_counted_columns(tmp_path):
    body = "".join(f"{k},{a},{b},{a}\n" for k, (a, b) in enumerate(VALUES))
    found = read_series(put(tmp_path, "a.csv", ",x,y,z\n" + body))
    assert found.names == ["x", "y", "z"]
    assert found.notes == ["column of row numbers left out"]
    np.testing.assert_array_equal(found.values, VALUES[:, [0, 1, 0]])
    counted = "0,1,2\n" + "".join(f"{a},{b},{a}\n" for a, b in VALUES)
    assert read_series(put(tmp_path, "b.csv", counted)).names == ["0", "1", "2"]


def test_missing_cells_are_nan(tmp_path):
    found = read_series(put(tmp_path, "a.tsv", "A\tB\n1\tn/a\nNaN\t2\n\t3\n4\t\n"))
    expected = [[1, np.nan], [np.nan, 2], [np.nan, 3], [4, np.nan]]
    np.testing.assert_array_equal(found.values, expected)


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("a.tsv", "", "no row"),
        ("a.tsv", "A\tB\n", "no row"),
        ("a.tsv", "A\tA\n1\t2\n", "'A' stands twice"),
        ("a.tsv", "A\tB\n1\t2\n3\n", "row 2 has 1 cells"),
        ("a.tsv", "A\tB\n1\t2\n3\t4\t5\n", "row 2 has 3 cells"),
        ("a.tsv", "A\tB\n1\t2\n\n3\t4\n", "row 2 has 1 cells"),
        ("a.tsv", "A\tB\n1\t2\n3\tbad\n", "row 2, column 2 holds 'bad'"),
        ("a.tsv", "A\tB\n1\tinf\n", "row 1, column 2 holds 'inf'"),
        ("a.tsv", "A\tB\n1\t1e99\n", "infinite"),
        ("a.csv", "1,2\n3,x\n", "row 2, column 2 holds 'x'"),
        ("a.1D", "1 2\n3 x\n", "row 2, column 2 holds 'x'"),
        ("a.1D", "# only\n# comments\n", "no row"),
        ("a.1D", "1 2 3\n4 5\n", "row 2 has 2 cells"),
        ("a.tsv", b"\xff\xfe\x00", "UTF-8"),
        ("a.npy", b"\x93NUMPY", "array"),
        ("a.npy", b"nothing", "array"),
        ("a.npz", b"PK\x03\x04rest", "array"),
        ("a.mat", b"MATLAB 5.0 MAT-file" + b"\0" * 200, "array"),
        ("a.mat", b"MATLAB 7.3 MAT-file" + b"\0" * 600, "array"),
    ],
)
def test_malformed_files_are_refused_in_one_line(tmp_path, name, text, complaint):
    with pytest.raises(InputError, match=complaint) as caught:
        read_series(put(tmp_path, name, text))
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def test_arrays(tmp_path):
    np.save(tmp_path / "a.npy", VALUES)
    np.testing.assert_array_equal(read_series(tmp_path / "a.npy").values, VALUES)
    np.savez(tmp_path / "a.npz", series=VALUES, tr=2.0)
    np.testing.assert_array_equal(read_series(tmp_path / "a.npz").values, VALUES)
    savemat(tmp_path / "a.mat", {"ts": VALUES, "tr": 2.0, "name": "x"})
    np.testing.assert_array_equal(read_series(tmp_path / "a.mat").values, VALUES)
    with h5py.File(tmp_path / "b.mat", "w", userblock_size=512) as file:
        file["ts"] = VALUES.T  # as MATLAB writes a time-by-unit matrix
        file.create_group("#refs#")
    with (tmp_path / "b.mat").open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512, b"\0"))
    np.testing.assert_array_equal(read_series(tmp_path / "b.mat").values, VALUES)


def test_several_arrays_need_a_key(tmp_path):
    np.savez(tmp_path / "a.npz", one=VALUES, two=VALUES + 1)
    with pytest.raises(SettingsError, match=r"one, two.*read\.key"):
        read_series(tmp_path / "a.npz")
    np.testing.assert_array_equal(read_series(tmp_path / "a.npz", key="two").values, VALUES + 1)
    with pytest.raises(SettingsError, match="'three'"):
        read_series(tmp_path / "a.npz", key="three")


def test_axes(tmp_path):
    np.save(tmp_path / "a.npy", VALUES.T)
    with pytest.raises(InputError, match=r"2 rows and 6 columns.*read\.orientation"):
        read_series(tmp_path / "a.npy")
    swapped = read_series(tmp_path / "a.npy", "unit_by_time")
    np.testing.assert_array_equal(swapped.values, VALUES)
    assert "swapped" in swapped.notes[0]
    assert read_series(tmp_path / "a.npy", "time_by_unit").values.shape == (2, 6)
    headed = put(tmp_path, "a.tsv", "A\tB\tC\n1\t2\t3\n")
    assert read_series(headed).values.shape == (1, 3)  # a header leaves no doubt


@pytest.mark.parametrize(
    "array",
    [np.zeros(5), np.zeros((3, 4, 5)), np.zeros((0, 4)), np.zeros((5, 2), complex),
     np.array([["a", "b"]] * 3), np.full((5, 2), np.inf)],
)  # fmt: skip
def test_unfit_arrays_are_refused(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(InputError):
        read_series(tmp_path / "a.npy")


def test_pickles_are_never_loaded(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"x": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="pickle"):
        read_series(tmp_path / "a.npy")


@settings(max_examples=40, deadline=None)
@given(
    hnp.arrays(
        np.float32, st.tuples(st.integers(2, 9), st.integers(1, 5)),
        elements=st.floats(-1e6, 1e6, width=32) | st.just(np.nan),
    ),
    st.sampled_from([".tsv", ".csv", ".npy", ".npz"]),
)  # fmt: skip
def test_what_is_written_is_read(tmp_path_factory, values, extension):
    path = tmp_path_factory.mktemp("s") / f"a{extension}"
    names = [f"u{k}" for k in range(values.shape[1])]
    if extension == ".npy":
        np.save(path, values)
    elif extension == ".npz":
        np.savez(path, values, scalar=1)
        if 1 in values.shape:
            return  # a single row or column is not taken for series
    else:
        separator = "\t" if extension == ".tsv" else ","
        stream = io.StringIO()
        np.savetxt(stream, values, delimiter=separator, fmt="%.9g")
        path.write_text(separator.join(names) + "\n" + stream.getvalue())
    found = read_series(path, "time_by_unit")
    np.testing.assert_array_equal(found.values, values)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(EXTENSIONS))
def test_any_bytes_are_read_or_refused(tmp_path_factory, data, extension):
    path = tmp_path_factory.mktemp("b") / f"a{extension}"
    path.write_bytes(data)
    try:
        found = read_series(path)
    except NeuropipeError:
        return  # any other error fails the test
    assert found.values.ndim == 2
    assert not np.isinf(found.values).any()
