"""RDMs of other people's files: all of those that exist, none that is no RDM."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import loadmat, savemat

from neuropipe.errors import InputError
from neuropipe.trsa.files.rdm_files import read_rdms
from neuropipe.trsa.files.rdm_matlab import Structure, read_structures
from neuropipe.trsa.rdms import square, vectors

ROWS = np.random.default_rng(0).random((3, 10))  # 3 RDMs of 5 conditions
NAMES = ["cat", "dog", "car", "cup", "tree"]


def structure(shape, names=None):
    """A structure array as MATLAB writes it: RDM and name in every element."""
    result = np.empty(shape, dtype=[("RDM", object), ("name", object)])
    for k, place in enumerate(np.ndindex(*shape)):
        result[place] = (square(ROWS[k % 3]), names[k] if names else f"rdm{k}")
    return result


# --- the published files ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "n_rdms", "columns"),
    [
        ("92_behavRDMs.mat", 16, {"variable", "name", "region", "subject"}),
        ("92_brainRDMs.mat", 8, {"variable", "name", "region", "subject", "session"}),
        ("92_modelRDMs.mat", 8, {"variable", "name"}),
        ("Kriegeskorte_Neuron2008_supplementalData.mat", 2, {"variable", "name"}),
        ("rdm92_HMAXnatImPatch.mat", 4, {"variable", "name"}),
        ("rdm92_V1model.mat", 4, {"variable", "name"}),
    ],
)
def test_every_published_file_is_read(shared_data, file, n_rdms, columns):
    found = read_rdms(shared_data / "rdms-92-images" / file)
    assert found.dissimilarities.shape == (n_rdms, 4186)
    assert found.n_conditions == 92
    assert set(found.table) == columns
    assert np.isfinite(found.dissimilarities).all()


def test_human_and_monkey_it_correlate_as_published(shared_data):
    found = read_rdms(
        shared_data / "rdms-92-images" / "Kriegeskorte_Neuron2008_supplementalData.mat"
    )
    assert found.table["name"].tolist() == ["mIT_674neurons", "hITvisStim_316vx"]
    assert np.corrcoef(found.dissimilarities)[0, 1] == pytest.approx(0.491, abs=5e-4)


def test_subjects_and_sessions_of_a_structure_array(shared_data):
    found = read_rdms(shared_data / "rdms-92-images" / "92_brainRDMs.mat")
    table = found.table
    assert table["subject"].tolist() == ["BE", "KO", "SN", "TI"] * 2
    assert table["session"].tolist() == ["1"] * 4 + ["2"] * 4
    assert set(table["region"]) == {"hIT"}
    raw = loadmat(shared_data / "rdms-92-images" / "92_brainRDMs.mat")["RDMs"]
    np.testing.assert_array_equal(found.matrices[5], raw[0, 1, 1]["RDM"].astype(float))


def test_one_variable_of_several(shared_data):
    file = shared_data / "rdms-92-images" / "rdm92_V1model.mat"
    whole = read_rdms(file)
    assert list(whole.table["variable"]) == [
        "RDMs",
        "RDMs",
        "rdm92_V1model",
        "rdm92_HMAXnatImPatch",
    ]
    alone = read_rdms(file, variable="V1modelSimMat")
    assert (len(alone), alone.n_conditions) == (1, 96)
    with pytest.raises(InputError, match="no variable 'nothing' among"):
        read_rdms(file, variable="nothing")
    with pytest.raises(InputError, match="validConditionsLOG: an array of shape"):
        read_rdms(file, variable="validConditionsLOG")


@pytest.mark.parametrize("file", ["92_brainRDMs.mat", "rdm92_V1model.mat"])
def test_the_reader_of_structures_agrees_with_scipy(shared_data, file):
    path = shared_data / "rdms-92-images" / file
    ours, theirs = read_structures(path), loadmat(path)
    assert set(ours) == {name for name in theirs if not name.startswith("__")}
    for name, value in ours.items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, theirs[name])
            continue
        assert isinstance(value, Structure)
        assert value.shape == theirs[name].shape
        for element, other in zip(value.elements, theirs[name].ravel(order="F"), strict=True):
            assert element["name"] == str(other["name"][0])
            np.testing.assert_array_equal(element["RDM"], other["RDM"])


# --- MATLAB ----------------------------------------------------------------------------------


FOUR = np.concatenate([ROWS, ROWS[:1]])  # 4 is no number of pairs, 3 would be


@pytest.mark.parametrize(
    "array",
    [
        np.moveaxis(square(FOUR), 0, 2),  # MATLAB's stack
        FOUR,
        FOUR.T,
        FOUR.T[None],  # vectors as the MATLAB toolbox stacks them: 1 x pairs x RDMs
    ],
)
@pytest.mark.parametrize("compressed", [False, True])
def test_stacks_of_matlab(tmp_path, array, compressed):
    savemat(tmp_path / "x.mat", {"d": array}, do_compression=compressed)
    found = read_rdms(tmp_path / "x.mat")
    np.testing.assert_array_equal(found.dissimilarities, FOUR)
    assert found.table["rdm"].tolist() == [0, 1, 2, 3]


def test_vectors_that_can_be_read_both_ways_are_refused(tmp_path):
    savemat(tmp_path / "x.mat", {"d": ROWS})
    with pytest.raises(InputError, match=r"vectors of shape \(3, 10\), either axis"):
        read_rdms(tmp_path / "x.mat", variable="d")


def test_matrices_and_vectors_of_matlab(tmp_path):
    content = {"one": square(ROWS[0]), "row": ROWS[1:2], "column": ROWS[2][:, None], "n": 5.0}
    savemat(tmp_path / "x.mat", {**content, "note": "text", "cells": np.array(["a"], object)})
    found = read_rdms(tmp_path / "x.mat")
    np.testing.assert_array_equal(found.dissimilarities, ROWS)
    assert found.table["variable"].tolist() == ["one", "row", "column"]
    assert found.conditions == tuple(f"condition {k}" for k in range(1, 6))


def test_cells_and_nested_structures_of_matlab(tmp_path):
    cells = np.empty(3, object)
    cells[:] = list(square(ROWS))
    savemat(tmp_path / "x.mat", {"cells": cells, "study": {"brain": structure((1, 2)), "n": 3}})
    found = read_rdms(tmp_path / "x.mat")
    assert found.table["variable"].tolist() == ["cells"] * 3 + ["study.brain"] * 2
    np.testing.assert_array_equal(found.dissimilarities, ROWS[[0, 1, 2, 0, 1]])


def test_dimensions_of_a_structure_array_tell_what_names_do_not(tmp_path):
    savemat(tmp_path / "x.mat", {"r": structure((1, 3, 2))})
    table = read_rdms(tmp_path / "x.mat").table
    assert table["subject"].tolist() == ["1", "2", "3"] * 2
    assert table["session"].tolist() == ["1"] * 3 + ["2"] * 3
    assert "region" not in table  # there is one
    savemat(tmp_path / "x.mat", {"r": structure((1, 2), ["IT | mean", "V1 | mean"])})
    table = read_rdms(tmp_path / "x.mat").table
    assert table[["region", "subject"]].values.tolist() == [["IT", "mean"], ["V1", "mean"]]


def test_variables_of_equally_many_rdms_but_other_conditions_are_named(tmp_path):
    savemat(tmp_path / "x.mat", {"a": square(ROWS[0]), "b": square(ROWS[0, :6])})
    with pytest.raises(InputError, match=r"RDMs of 4, 5 conditions, in a, b; .* name a variable"):
        read_rdms(tmp_path / "x.mat")
    assert read_rdms(tmp_path / "x.mat", variable="b").n_conditions == 4


def test_matlab_4_is_read(tmp_path):
    savemat(tmp_path / "x.mat", {"d": square(ROWS[0])}, format="4")
    np.testing.assert_array_equal(read_rdms(tmp_path / "x.mat").dissimilarities, ROWS[:1])


def test_matlab_that_holds_no_rdms_is_refused(tmp_path):
    savemat(tmp_path / "x.mat", {"x": np.ones((4, 5)), "s": {"name": "a"}})
    with pytest.raises(InputError, match="no RDMs in variables x, s"):
        read_rdms(tmp_path / "x.mat")
    broken = structure((1, 2))
    broken[0, 1]["RDM"] = square(ROWS[0]) + np.triu(np.ones((5, 5)), 1)
    savemat(tmp_path / "x.mat", {"r": broken, "fine": square(ROWS[0])})
    with pytest.raises(InputError, match="r: a matrix that is not symmetric"):
        read_rdms(tmp_path / "x.mat")
    (tmp_path / "y.mat").write_bytes(b"M" * 512 + b"\x89HDF\r\n\x1a\n" + b"\0" * 64)
    with pytest.raises(InputError, match="save -v7"):
        read_rdms(tmp_path / "y.mat")
    (tmp_path / "z.mat").write_bytes(b"no MATLAB at all")
    with pytest.raises(InputError, match="no MATLAB header"):
        read_rdms(tmp_path / "z.mat")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_matlab_files_are_read_or_refused(tmp_path, data):
    path = tmp_path / "x.mat"
    compressed = data.draw(st.booleans())
    content = {"r": structure((1, 2)), "d": square(ROWS[0])}
    savemat(path, content, do_compression=compressed)
    stored = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, min(len(stored), 700) - 1))
        stored[place] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(stored[: data.draw(st.integers(1, len(stored)))]))
    refused = ""
    try:
        n_rdms = len(read_rdms(path))
    except InputError as error:
        n_rdms, refused = 0, str(error)
    assert n_rdms or "x.mat" in refused


# --- numpy -----------------------------------------------------------------------------------


@pytest.mark.parametrize("array", [square(ROWS[0]), ROWS[0], ROWS[:1]])
def test_one_rdm_of_numpy(tmp_path, array):
    np.save(tmp_path / "x.npy", array)
    found = read_rdms(tmp_path / "x.npy", conditions=NAMES)
    np.testing.assert_array_equal(found.dissimilarities, ROWS[:1])
    assert found.conditions == tuple(NAMES)


def test_stacks_of_numpy(tmp_path):
    np.save(tmp_path / "x.npy", square(ROWS))
    np.testing.assert_array_equal(read_rdms(tmp_path / "x.npy").dissimilarities, ROWS)
    twice = np.concatenate([ROWS, ROWS[:2]])  # 5 RDMs of 10 pairs: 5 is no number of pairs
    np.save(tmp_path / "x.npy", twice)
    np.testing.assert_array_equal(read_rdms(tmp_path / "x.npy").dissimilarities, twice)
    five = square(twice)  # 5 x 5 x 5
    np.save(tmp_path / "x.npy", five)
    np.testing.assert_array_equal(read_rdms(tmp_path / "x.npy").dissimilarities, twice)
    np.save(tmp_path / "x.npy", np.moveaxis(five, 0, 2))
    np.testing.assert_array_equal(read_rdms(tmp_path / "x.npy").dissimilarities, twice)


def test_archives_of_numpy(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, model=ROWS[0], other=square(ROWS[1]), conditions=np.array(NAMES))
    found = read_rdms(path)
    assert (found.conditions, found.table["variable"].tolist()) == (
        tuple(NAMES),
        ["model", "other"],
    )
    np.testing.assert_array_equal(found.dissimilarities, ROWS[:2])
    alone = read_rdms(path, variable="other", conditions=NAMES[::-1])
    assert alone.conditions == tuple(NAMES[::-1])
    np.testing.assert_array_equal(alone.matrices[0], square(ROWS[1])[::-1, ::-1])


def test_pickles_are_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match=r"x\.npy"):
        read_rdms(tmp_path / "x.npy")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda m: m + np.triu(np.full((5, 5), 0.1), 1), "not symmetric"),
        (lambda m: m + np.eye(5), "diagonal of 1 where it should be 0"),
        (lambda m: np.where(np.eye(5) > 0, np.nan, m), "diagonal that is not a number"),
        (lambda m: np.where(m == m[0, 1], np.inf, m), "infinite"),
        (lambda m: m[:4], "shape"),
        (lambda m: m[0], "shape"),
        (lambda m: m.astype(complex), "complex"),
        (lambda m: m[:0], "shape"),
        (lambda m: np.where(np.arange(25).reshape(5, 5) == 1, np.nan, m), "not symmetric"),
    ],
)
def test_arrays_that_are_no_rdms_are_refused(tmp_path, change, word):
    np.save(tmp_path / "x.npy", change(square(ROWS[0])))
    with pytest.raises(InputError, match=word):
        read_rdms(tmp_path / "x.npy")


def test_unknown_pairs_stay_unknown(tmp_path):
    matrix = square(ROWS[0])
    matrix[1, 3] = matrix[3, 1] = np.nan
    np.save(tmp_path / "x.npy", matrix)
    found = read_rdms(tmp_path / "x.npy").dissimilarities
    np.testing.assert_array_equal(found, vectors(matrix)[None])
    assert np.isnan(found).sum() == 1


def test_single_precision_halves_may_round_apart(tmp_path):
    matrix = square(ROWS[0]).astype(np.float32)
    matrix[0, 1] = np.nextafter(matrix[0, 1], np.float32(2))
    np.save(tmp_path / "x.npy", matrix)
    assert len(read_rdms(tmp_path / "x.npy")) == 1


# --- tables ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("suffix", "separator"), [(".csv", ","), (".tsv", "\t")])
@pytest.mark.parametrize("names", [NAMES, ["1", "2", "3", "4", "5"]])
def test_square_tables_with_names(tmp_path, suffix, separator, names):
    table = pd.DataFrame(square(ROWS[0]), index=names, columns=names)
    table.to_csv(tmp_path / f"x{suffix}", sep=separator)
    found = read_rdms(tmp_path / f"x{suffix}")
    assert found.conditions == tuple(names)
    np.testing.assert_allclose(found.dissimilarities, ROWS[:1], rtol=1e-15)
    table.to_csv(
        tmp_path / f"x{suffix}", sep=separator, index=False
    )  # names in the first row alone
    if names == NAMES:
        assert read_rdms(tmp_path / f"x{suffix}").conditions == tuple(names)


def test_square_tables_without_names(tmp_path):
    np.savetxt(tmp_path / "x.csv", square(ROWS[0]), delimiter=",")
    np.testing.assert_allclose(read_rdms(tmp_path / "x.csv").dissimilarities, ROWS[:1])


def test_long_tables(tmp_path):
    rows, columns = np.triu_indices(5, 1)
    parts = [
        pd.DataFrame(
            {
                "subject": f"s{k}",
                "first": [NAMES[j] for j in columns],  # the lower triangle
                "second": [NAMES[i] for i in rows],
                "dissimilarity": row,
            }
        )
        for k, row in enumerate(ROWS)
    ]
    table = pd.concat(parts).drop_duplicates(["subject", "first", "second"])
    table.iloc[1:].sample(frac=1, random_state=0).to_csv(tmp_path / "x.csv", index=False)
    found = read_rdms(tmp_path / "x.csv", conditions=NAMES).take([0, 1, 2])
    order = found.table["subject"].str[1:].astype(int).to_numpy()
    expected = ROWS.copy()
    expected[0, 0] = np.nan  # the row that was left out
    np.testing.assert_allclose(found.dissimilarities, expected[order], rtol=1e-15)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("first,second,dissimilarity\na,b,1\nb,a,2\na,c,1", "two dissimilarities of"),
        ("first,second,dissimilarity\na,a,1\na,b,2\na,c,1", "of 'a' to itself"),
        ("first,second,dissimilarity\na,b,far\n", "far"),
        (",a,b\na,0,1\nc,1,0\n", "neither a square matrix"),
        (",a,b\na,0,x\nb,x,0\n", "x"),
        (",a,b\na,0,1\nb,2,0\n", "not symmetric"),
        ("", "file"),
    ],
)
def test_tables_that_are_no_rdms_are_refused(tmp_path, text, word):
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(InputError, match=word):
        read_rdms(tmp_path / "x.csv")


# --- results ---------------------------------------------------------------------------------


def result(**coords):
    return xr.Dataset(
        {"dissimilarity": (("rdm", "pair"), ROWS)},
        coords={"subject": ("rdm", ["s1", "s2", "s3"]), **coords},
    )


def test_results_with_named_pairs(tmp_path):
    rows, columns = np.triu_indices(5, 1)
    first, second = [NAMES[k] for k in rows], [NAMES[k] for k in columns]
    result(first=("pair", first), second=("pair", second)).to_netcdf(
        tmp_path / "result.nc", engine="h5netcdf"
    )
    found = read_rdms(tmp_path / "result.nc")
    assert found.conditions == tuple(NAMES)
    assert found.table.to_dict("list") == {"subject": ["s1", "s2", "s3"]}
    np.testing.assert_array_equal(found.dissimilarities, ROWS)


def test_results_with_named_conditions(tmp_path):
    result(condition=("condition", NAMES)).to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    assert read_rdms(tmp_path / "x.nc").conditions == tuple(NAMES)


def test_a_result_of_several_sets_is_read_by_group(tmp_path):
    sets = {"set1": result(), "set2": result(condition=("condition", NAMES))}
    xr.DataTree.from_dict(sets).to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    found = read_rdms(tmp_path / "x.nc", variable="set2")
    assert found.conditions == tuple(NAMES)
    np.testing.assert_array_equal(found.dissimilarities, ROWS)
    with pytest.raises(InputError, match="group set1, group set2; groups are named as variables"):
        read_rdms(tmp_path / "x.nc")
    with pytest.raises(InputError, match="no group 'set3' among set1, set2"):
        read_rdms(tmp_path / "x.nc", variable="set3")


def test_other_results_are_refused(tmp_path):
    xr.Dataset({"x": ("t", [1.0])}).to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    with pytest.raises(InputError, match="no variable 'dissimilarity' among x"):
        read_rdms(tmp_path / "x.nc")
    xr.Dataset({"dissimilarity": (("a", "b"), ROWS)}).to_netcdf(
        tmp_path / "y.nc", engine="h5netcdf"
    )
    with pytest.raises(InputError, match="dimensions a, b"):
        read_rdms(tmp_path / "y.nc")


# --- any file --------------------------------------------------------------------------------


def test_files_that_are_no_rdm_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="is not there"):
        read_rdms(tmp_path / "x.npy")
    (tmp_path / "x.txt").write_text("1")
    with pytest.raises(InputError, match=r"\.npy or \.npz"):
        read_rdms(tmp_path / "x.txt")
    for suffix in (".npy", ".npz", ".nc", ".csv", ".mat"):
        (tmp_path / f"y{suffix}").write_bytes(b"\x93\x00garbage\xff")
        with pytest.raises(InputError, match=f"y{suffix}"):
            read_rdms(tmp_path / f"y{suffix}")


def test_names_must_fit(tmp_path):
    np.save(tmp_path / "x.npy", ROWS[0])
    with pytest.raises(InputError, match="4 names for RDMs of 5 conditions"):
        read_rdms(tmp_path / "x.npy", conditions=NAMES[:4])
    np.savez(tmp_path / "x.npz", d=ROWS[0], conditions=np.array(NAMES))
    with pytest.raises(InputError, match="names its conditions cat"):
        read_rdms(tmp_path / "x.npz", conditions=list("abcde"))
