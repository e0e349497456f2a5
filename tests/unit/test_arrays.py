from __future__ import annotations

import os
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.io import savemat

from neuropipe.errors import InputError
from neuropipe.ingest.arrays import check_links, load_array, load_plain_object, read_dataset

numbers = hnp.arrays(
    st.sampled_from([np.float32, np.float64, np.int16, np.uint8]),
    hnp.array_shapes(min_dims=2, max_dims=3, min_side=2, max_side=5),
    elements=st.integers(0, 200),
)


@given(numbers)
@settings(max_examples=25, deadline=None)
def test_every_format_reads_back_what_was_written(tmp_path_factory, array):
    folder = tmp_path_factory.mktemp("arrays")
    np.save(folder / "a.npy", array)
    savemat(folder / "a.mat", {"x": array})
    with h5py.File(folder / "a.h5", "w") as file:
        file["group/x"] = array
    for name in ("a.npy", "a.mat", "a.h5"):
        np.testing.assert_array_equal(load_array(folder / name), array)


def test_matlab_7_3_axes_are_turned_back(tmp_path):
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file["x"] = np.arange(6).reshape(2, 3).T  # as MATLAB writes a 2 x 3 matrix
    assert load_array(tmp_path / "a.mat").tolist() == [[0, 1, 2], [3, 4, 5]]


def test_one_of_several_arrays_is_named(tmp_path):
    savemat(tmp_path / "a.mat", {"x": np.ones((2, 3)), "y": np.zeros((4, 5)), "text": "hello"})
    with pytest.raises(InputError, match="holds the arrays x, y"):
        load_array(tmp_path / "a.mat")
    assert load_array(tmp_path / "a.mat", "y").shape == (4, 5)
    with pytest.raises(InputError, match="named 'z'"):
        load_array(tmp_path / "a.mat", "z")


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (os.system, (f"touch {self.path}",))


def test_a_pickle_is_never_run(tmp_path):
    array = np.empty(1, dtype=object)
    array[0] = Bomb(tmp_path / "ran")
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    with pytest.raises(InputError, match="Python objects"):
        load_array(tmp_path / "a.npy")
    with pytest.raises(InputError, match=r"asks for (posix|nt)\.system"):
        load_plain_object(tmp_path / "a.npy")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "call",
    [
        b"cbuiltins\neval\n",
        b"cbuiltins\ngetattr\n",
        b"cnumpy\nload\n",
        b"cnumpy.core.multiarray\nfromfile\n",
        b"cos\nsystem\n",
    ],
)
def test_other_globals_are_refused(tmp_path, call):
    array = np.empty((), dtype=object)
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    raw = (tmp_path / "a.npy").read_bytes()
    header = raw[: raw.index(b"\n") + 1]
    (tmp_path / "a.npy").write_bytes(header + call + b"(S'1'\ntR.")
    with pytest.raises(InputError, match="the pickle inside asks for"):
        load_plain_object(tmp_path / "a.npy")


@pytest.mark.parametrize(
    "body",
    [
        b"]r\xff\xff\xff\x7f.",  # a list remembered under the number 2147483647
        b"j\xff\xff\xff\x7f.",
        b"\x8e\xff\xff\xff\xff\xff\xff\xff\x0f.",  # bytes of a declared exabyte
        b"\x96\xff\xff\xff\xff\xff\xff\xff\x0f.",
        b"cbuiltins\nbytes\n(J\xff\xff\xff\x7ftR.",  # two gigabytes of zeros
        b"cbuiltins\nbytearray\n(J\xff\xff\xff\x7ftR.",
    ],
)
def test_a_few_bytes_ask_for_no_memory(tmp_path, body):
    import resource

    array = np.empty((), dtype=object)
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    raw = (tmp_path / "a.npy").read_bytes()
    header = raw[: raw.index(b"\n") + 1]
    (tmp_path / "a.npy").write_bytes(header + b"\x80\x05" + body)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        assert load_plain_object(tmp_path / "a.npy") == []
    except InputError as error:
        assert "a.npy" in error.given  # noqa: PT017 - either end is sound
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_objects_survive_the_restricted_unpickler(tmp_path, protocol):
    ops = {"fs": 30.0, "name": "x", "path": Path("a/b"), "shape": (2, np.int64(3)), "mean":
           np.arange(6.0).reshape(2, 3), "flags": [True, None]}  # fmt: skip
    array = np.empty((), dtype=object)
    array[()] = ops
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    raw = (tmp_path / "a.npy").read_bytes()
    header = raw[: raw.index(b"\n") + 1]
    if protocol >= 3:  # older protocols write bytes by calling an encoder
        (tmp_path / "a.npy").write_bytes(header + pickle.dumps(array, protocol=protocol))
    found = load_plain_object(tmp_path / "a.npy")
    assert (found["fs"], found["name"], found["shape"]) == (30.0, "x", (2, 3))
    np.testing.assert_array_equal(found["mean"], ops["mean"])


def test_truncated_and_overstated_files_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((100, 10)))
    raw = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "half.npy").write_bytes(raw[:2000])
    (tmp_path / "huge.npy").write_bytes(
        raw[:128].replace(b"(100, 10), ", b"(9999999999, 9999999),")
    )
    (tmp_path / "text.npy").write_bytes(b"not an array at all")
    (tmp_path / "text.mat").write_bytes(b"not an array at all")
    for name in ("half.npy", "huge.npy", "text.npy", "text.mat", "absent.npy"):
        with pytest.raises(InputError, match=name):
            load_array(tmp_path / name)


@pytest.mark.parametrize(
    "bad", [np.array([["a", "b"]]), np.zeros((2, 2), complex), np.zeros((0, 3))]
)
def test_text_complex_and_empty_arrays_are_refused(tmp_path, bad):
    np.save(tmp_path / "a.npy", bad)
    with pytest.raises(InputError, match=r"a\.npy"):
        load_array(tmp_path / "a.npy")


def test_links_to_other_files_are_refused(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.ones((2, 2))
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["a/b"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "x")
    with h5py.File(tmp_path / "storage.h5", "w") as file:
        file.create_dataset("x", (4, 4), "u1", external=[("/etc/hostname", 0, 16)])
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        layout = h5py.VirtualLayout((2, 2), "f8")
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "x", (2, 2))
        file.create_virtual_dataset("x", layout)
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        file["a/x"] = np.ones((2, 2))
        file["a/again"] = file["a"]  # a circle of hard links
        file["soft"] = h5py.SoftLink("/a/x")
    for name in ("link", "storage", "virtual"):
        with (
            h5py.File(tmp_path / f"{name}.h5") as file,
            pytest.raises(InputError, match="points to another file"),
        ):
            check_links(file, name)
    with h5py.File(tmp_path / "plain.h5") as file:
        check_links(file, "plain")


def test_datasets_that_declare_what_they_do_not_store_are_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("huge", (1_000_000, 100_000), "f8", chunks=(100, 100))
        file["small"] = np.arange(4)
    with h5py.File(tmp_path / "a.h5") as file:
        with pytest.raises(InputError, match="declares shape"):
            read_dataset(file["huge"], "a")
        assert read_dataset(file["small"], "a").tolist() == [0, 1, 2, 3]
