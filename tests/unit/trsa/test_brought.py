"""RDMs that users bring: files of every kind, whose they are, and what does not fit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from neuropipe.errors import InputError
from neuropipe.trsa.arrays import subject_arrays
from neuropipe.trsa.brought import brought_conditions, brought_models, brought_rdms
from neuropipe.trsa.fit import ALL
from neuropipe.trsa.rdms import square

NAMES = ["a", "b", "c", "d"]
VALUES = np.random.default_rng(0).random((3, 6))
OTHERS = ("a", "b", "c", "x")


def write_csv(path, values, names=NAMES, separator=","):
    table = pd.DataFrame(square(values), index=list(names), columns=list(names))
    table.to_csv(path, sep=separator)
    return path


def write_table(path, **columns):
    pd.DataFrame(columns).to_csv(path, sep="\t", index=False)
    return path


def test_every_rdm_without_a_name_is_a_subject(tmp_path):
    np.save(tmp_path / "all.npy", square(VALUES))
    found = brought_rdms([tmp_path / "all.npy"])
    np.testing.assert_allclose(found.dissimilarities, VALUES)
    assert found.table.to_dict("list") == {
        "subject": ["01", "02", "03"], "session": ["1"] * 3, "region": [ALL] * 3
    }  # fmt: skip
    assert found.conditions == tuple(f"condition {k}" for k in range(1, 5))


def test_files_of_other_orders_are_joined_by_name(tmp_path):
    one = write_csv(tmp_path / "one.csv", VALUES[0])
    order = [2, 0, 3, 1]
    turned = square(VALUES[1])[np.ix_(order, order)]
    names = [NAMES[k] for k in order]
    pd.DataFrame(turned, index=names, columns=names).to_csv(tmp_path / "two.tsv", sep="\t")
    found = brought_rdms([one, tmp_path / "two.tsv"])
    assert found.conditions == tuple(NAMES)
    np.testing.assert_allclose(found.dissimilarities, VALUES[:2])


def test_a_table_says_whose_each_is(tmp_path):
    np.save(tmp_path / "all.npy", square(VALUES))
    items = write_table(tmp_path / "items.tsv", subject=[1, 1, 2], region=["V1", "V2", "V1"])
    table = brought_rdms([tmp_path / "all.npy"], items).table
    assert table["subject"].tolist() == ["1", "1", "2"]
    assert table["region"].tolist() == ["V1", "V2", "V1"]
    assert table["session"].tolist() == ["1"] * 3


def test_results_of_subjects_keep_their_regions_together(fits, tmp_path):
    """All regions of one file are one subject's."""
    paths = []
    for k, one in enumerate(fits[:2]):
        (tmp_path / f"sub-{k}").mkdir()
        paths.append(tmp_path / f"sub-{k}" / "result.nc")
        subject_arrays([one], "rho-a").to_netcdf(paths[-1], engine="h5netcdf")
    table = brought_rdms(paths).table
    assert table["subject"].tolist() == ["01"] * 5 + ["02"] * 5
    assert table["region"].tolist() == 2 * [ALL, "category", "early", "mixed", "ring"]


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda f: [f / "missing.npy"], "missing.npy is not there"),
        (lambda f: [write_csv(f / "1.csv", VALUES[0]), write_csv(f / "2.csv", VALUES[1], OTHERS)],
         "RDMs of different conditions: d, x in one only"),
        (lambda f: [write_table(f / "words.tsv", x=["a"], y=["b"])], "neither a square matrix"),
        (lambda f: [write_table(f / "rdm.txt", x=[1])], "is no file of RDMs"),
    ],
)  # fmt: skip
def test_files_that_do_not_fit_are_refused_in_one_line(build, said, tmp_path):
    with pytest.raises(InputError) as caught:
        brought_rdms(build(tmp_path))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_table_of_another_length_is_refused(tmp_path):
    np.save(tmp_path / "all.npy", square(VALUES))
    items = write_table(tmp_path / "items.tsv", subject=[1, 2])
    with pytest.raises(InputError, match=r"items\.tsv with 2 rows; expected 3, one an RDM"):
        brought_rdms([tmp_path / "all.npy"], items)
    with pytest.raises(InputError, match="nothing"):
        brought_rdms([tmp_path / "all.npy"], tmp_path / "nothing.tsv")


def test_conditions_are_told_by_name_or_by_order(tmp_path):
    by_name = write_table(tmp_path / "n.tsv", condition=["d", "a", "c", "b", "z"], size=range(5))
    found = brought_conditions(by_name, NAMES)
    assert found["size"].to_dict() == {"a": 1, "b": 3, "c": 2, "d": 0}
    assert found.index.tolist() == NAMES
    by_order = write_table(tmp_path / "o.tsv", size=range(4))
    assert brought_conditions(by_order, NAMES)["size"].tolist() == [0, 1, 2, 3]
    none = brought_conditions(None, NAMES)
    assert (none.index.tolist(), none.columns.tolist()) == (NAMES, [])


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"condition": ["a", "b", "c", "x"]}, "without condition 'd'"),
        ({"condition": ["a", "b", "c", "d", "d"]}, "a name twice"),
        ({"size": [1, 2, 3]}, "with 3 rows; expected 4, one a condition"),
    ],
)
def test_conditions_that_do_not_fit_are_refused(columns, said, tmp_path):
    with pytest.raises(InputError, match=said):
        brought_conditions(write_table(tmp_path / "c.tsv", **columns), NAMES)


def test_models_come_from_files_and_from_columns(tmp_path):
    path = write_csv(tmp_path / "mine.csv", VALUES[0])
    columns = {"kind": ["x", "x", "y", "y"], "angle": [0.0, 90.0, 350.0, 350.0]}
    table = pd.DataFrame(columns, index=NAMES)
    found = brought_models([path], table, NAMES, {"angle": 360.0})
    assert found.table["name"].tolist() == ["kind", "angle", "mine"]
    np.testing.assert_allclose(found.dissimilarities[1], [90, 10, 10, 100, 100, 0])
    np.testing.assert_allclose(found.dissimilarities[2], VALUES[0])
    assert brought_models([], pd.DataFrame(index=NAMES), NAMES) is None
    with pytest.raises(InputError, match="two models named 'mine'"):
        brought_models([path, path], table, NAMES)
    with pytest.raises(InputError, match="lacks 1 of 4"):
        brought_models([write_csv(tmp_path / "x.csv", VALUES[0], OTHERS)], table, NAMES)
