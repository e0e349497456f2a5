from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from neuropipe.errors import InputError
from neuropipe.ingest.fluorescence import delta_f_over_f, subtract_neuropil
from neuropipe.ingest.read import read_recording
from neuropipe.ingest.settings import CalciumReadSettings
from neuropipe.ingest.source import SourceFiles
from neuropipe.ingest.suite2p import discover, matches

RNG = np.random.default_rng(0)
F = (500 + 50 * RNG.random((4, 300))).astype(np.float32)
NEUROPIL = (100 + 10 * RNG.random((4, 300))).astype(np.float32)
ISCELL = np.array([[1, 0.9], [0, 0.4], [1, 0.6], [1, 0.95]], np.float32)


def plane(root, folder="m1/suite2p/plane0", **arrays):
    """Write one plane; None leaves a file out."""
    target = root / folder
    target.mkdir(parents=True)
    stat = np.array([{"med": [i, 10 * i], "npix": 5 + i, "lam": np.ones(3)} for i in range(4)])
    made = {"F": F, "Fneu": NEUROPIL, "spks": F / 100, "iscell": ISCELL, "ops": {"fs": 15.0},
            "stat": stat}  # fmt: skip
    for name, array in (made | arrays).items():
        if array is not None:
            np.save(target / f"{name}.npy", array, allow_pickle=True)
    return root


def read(root, **options):
    paths = [p.relative_to(root).as_posix() for p in sorted(root.rglob("*")) if p.is_file()]
    chosen = CalciumReadSettings(**options)
    (locked,) = discover(paths, chosen)
    return read_recording(SourceFiles("set", root, locked), "calcium", chosen).check()


def test_cells_become_dff(tmp_path):
    found = read(plane(tmp_path))
    cells = ISCELL[:, 0] > 0
    corrected = subtract_neuropil(F[cells].T, NEUROPIL[cells].T, 0.7)
    expected = delta_f_over_f(corrected, 15.0, window=60, percentile=10)
    np.testing.assert_allclose(found.signals.values, expected, rtol=1e-5)
    assert (found.recording, found.subject, found.sampling_rate) == ("m1", "m1", 15.0)
    assert found.units["roi"].tolist() == [0, 2, 3]
    assert found.units["y_px"].tolist() == [0, 2, 3]
    assert found.units["x_px"].tolist() == [0, 20, 30]
    assert found.units["npix"].tolist() == [5, 7, 8]
    assert "plane0: 3 of 4 ROIs are cells (Suite2p's verdict)" in found.history


@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 4), st.integers(2, 9)),
        elements=st.floats(-1e3, 1e3, width=32),
    ).filter(lambda traces: np.ptp(traces, axis=1).max() > 0)
)
@settings(max_examples=10, deadline=None)
def test_traces_read_back(tmp_path_factory, traces):
    root = plane(
        tmp_path_factory.mktemp("s"), F=traces, iscell=None, stat=None, Fneu=None, spks=None
    )
    np.testing.assert_array_equal(read(root, dff="never").signals.values, traces.T)


def test_cells_by_probability_and_deconvolved_traces(tmp_path):
    plane(tmp_path)
    assert read(tmp_path, cell_probability=0.9).units["roi"].tolist() == [0, 3]
    assert read(tmp_path, filters={"npix": [6, None]}).units["roi"].tolist() == [2, 3]
    found = read(tmp_path, traces="deconvolved")
    np.testing.assert_array_equal(found.signals.values, (F / 100)[ISCELL[:, 0] > 0].T)
    assert found.signals.attrs["unit"] == ""


def test_planes_stand_side_by_side_in_their_order(tmp_path):
    for i in (10, 2):
        plane(tmp_path, f"sub-7/ses-b/suite2p/plane{i}", F=F + i)
    found = read(tmp_path, dff="never")
    assert (found.recording, found.subject, found.session) == ("sub-7_ses-b", "7", "b")
    assert found.units["plane"].tolist() == ["plane2"] * 3 + ["plane10"] * 3
    np.testing.assert_allclose(
        found.signals.values[0, 3] - found.signals.values[0, 0], 8, atol=1e-3
    )


def test_names_alone_find_planes():
    assert matches(["a/suite2p/plane0/F.npy"])
    assert not matches(["a/F.npy", "suite2p/combined/F.npy", "plane0/Fneu.npy"])
    paths = ["a/suite2p/plane0/F.npy", "b/suite2p/plane0/F.npy", "b/suite2p/plane0/ops.npy",
             "b/suite2p/combined/F.npy"]  # fmt: skip
    found = discover(paths, CalciumReadSettings())
    assert [f.recording for f in found] == ["a", "b"]
    assert found[1].paths("ops") == ["b/suite2p/plane0/ops.npy"]
    assert found[1].paths("F") == ["b/suite2p/plane0/F.npy"]


def test_the_rate_may_be_set(tmp_path):
    plane(tmp_path, ops=None)
    with pytest.raises(InputError, match=r"ops.npy is missing; .*; set read: sampling_rate"):
        read(tmp_path)
    assert read(tmp_path, sampling_rate=7.5).sampling_rate == 7.5


class Unknown:
    """Something that a pickle may build."""


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"Fneu": NEUROPIL[:2]}, r"Fneu.npy has shape \(2, 300\)"),
        ({"iscell": ISCELL[:2]}, r"iscell.npy has shape \(2, 2\)"),
        ({"iscell": np.zeros((4, 2))}, "none of its 4 ROIs is a cell"),
        ({"F": F[:, :1]}, r"F.npy has shape \(4, 1\)"),
        ({"F": np.array([["a"] * 3] * 4)}, "F.npy holds <U1"),
        ({"F": np.array([[None] * 3] * 4)}, "F.npy: .*objects"),
        ({"ops": {"fs": "fast"}}, "ops.npy has fs 'fast'"),
        ({"ops": {"fs": Unknown()}}, "the pickle inside asks for .*Unknown"),
        ({"stat": np.array([{}])}, "stat.npy does not list 4 ROIs"),
    ],
)
def test_malformed_planes_are_named(tmp_path, arrays, match):
    with pytest.raises(InputError, match=match):
        read(plane(tmp_path, **arrays))
