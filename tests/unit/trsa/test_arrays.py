"""Arrays of a subject's result: laid out, written, read again by this package and as RDMs."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from neuropipe.errors import InputError, ResultError
from neuropipe.results import Result
from neuropipe.trsa.arrays import read_stored, subject_arrays
from neuropipe.trsa.controls import N_DROPPED
from neuropipe.trsa.files.rdm_files import read_rdms
from neuropipe.trsa.fit import ALL, fit_subject
from tests.unit.trsa.responses.builders import event_table, shuffled_trials, trace_recording
from tests.unit.trsa.subjects import settings

COLUMNS = {
    "score": "score", "score_low": "low", "score_high": "high", "score_p": "p_zero",
    "score_p_permutation": "p_permutation",
}  # fmt: skip


def written(arrays, folder, **changed):
    """Write arrays as the result of subject 01."""
    names = {"analysis": "trsa", "dataset": "toy", "recording": "sub-01", "subject": "01"}
    Result(**{**names, **changed}, arrays=arrays).write(folder)
    return folder


@pytest.fixture(scope="module")
def folder(fits, tmp_path_factory):
    """Result folder of one planted subject."""
    return written(subject_arrays(fits[:1], "rho-a"), tmp_path_factory.mktemp("r") / "sub-01")


@pytest.fixture(scope="module")
def sessions():
    """Two sets of one subject: cells of their own in each session."""
    rng = np.random.default_rng(0)
    onsets, labels = shuffled_trials(4, 2.0, rng)
    table = event_table(onsets, labels, hue=[float(len(name)) for name in labels])
    both = [
        trace_recording(rng.standard_normal((400, n)), 10.0, table, session=s, prefix=f"{s}_")
        for s, n in (("early", 8), ("late", 10))
    ]
    return fit_subject(both, settings())


def test_arrays_are_those_of_the_fit(fits):
    found = fits[0]
    data = subject_arrays([found], "rho-a")
    assert isinstance(data, xr.Dataset)
    np.testing.assert_array_equal(data["dissimilarity"], found.rdms.dissimilarities)
    assert data["region"].values.tolist() == [ALL, "category", "early", "mixed", "ring"]
    assert data["n_units"].values.tolist() == [80, 20, 20, 20, 20]
    assert tuple(data["condition"].values) == found.rdms.conditions
    assert data["model"].values.tolist() == found.models.table["name"].tolist()
    for row, one in enumerate(found.regions):
        here = data.isel(rdm=row)
        assert float(here["reliability"]) == one.reliability.value
        assert float(here["accuracy_p"]) == one.discrimination.p
        table = one.evaluation.table()
        for name, column in COLUMNS.items():
            np.testing.assert_array_equal(here[name], table[column])
        shape = data.sel(shape=one.name, dimension=1)
        assert float(shape["largest"]) == one.homology[0].largest
        np.testing.assert_array_equal(shape["betti"], one.homology[0].betti)
        assert shape["betti_band"].shape == (2, data.sizes["threshold"])
        bars = shape["persistence_diagram"].dropna("bar").transpose("bar", "end")
        np.testing.assert_array_equal(bars, one.homology[0].bars)
    assert data["n_dropped"].values.tolist() == list(N_DROPPED)
    assert data.attrs["nuisances"] == "pixels, colour, Gabor energy"
    assert data["condition_category"].values.tolist() == list(found.responses.conditions.category)
    assert data["condition_angle"].dtype == np.float64


def test_a_written_subject_is_read_again(fits, folder):
    (stored,) = read_stored(folder)
    found = fits[0]
    assert (stored.subject, stored.name, stored.session) == ("01", "", "")
    assert (stored.folds, stored.measure, stored.comparison) == ("repeats", "crossnobis", "rho-a")
    np.testing.assert_array_equal(stored.rdms.dissimilarities, found.rdms.dissimilarities)
    assert stored.rdms.conditions == found.rdms.conditions
    assert stored.rdms.measure == "crossnobis"
    assert set(stored.rdms.table["subject"]) == {"01"}
    assert stored.rdms.table["region"].tolist() == found.rdms.table["region"].tolist()
    assert stored.rdms.table["n_units"].tolist() == [80, 20, 20, 20, 20]
    np.testing.assert_array_equal(stored.models.dissimilarities, found.models.dissimilarities)
    assert stored.models.table["name"].tolist() == found.models.table["name"].tolist()
    known = found.responses.conditions
    assert set(stored.conditions) == set(known)
    pd.testing.assert_series_equal(stored.conditions["angle"], known["angle"], check_index=False)
    assert stored.conditions.index.tolist() == list(known.index)


def test_a_result_is_a_file_of_rdms_too(fits, folder):
    found = read_rdms(folder / "result.nc")
    np.testing.assert_array_equal(found.dissimilarities, fits[0].rdms.dissimilarities)
    assert found.conditions == fits[0].rdms.conditions
    assert found.table["region"].tolist() == fits[0].rdms.table["region"].tolist()


def test_several_sets_of_a_subject_are_children_of_a_tree(sessions, tmp_path):
    tree = subject_arrays(sessions, "corr")
    assert list(tree.children) == ["set1", "set2"]
    stored = read_stored(written(tree, tmp_path / "sub-01"))
    assert [one.name for one in stored] == ["early", "late"]
    assert [set(one.rdms.table["session"]) for one in stored] == [{"early"}, {"late"}]
    assert [one.rdms.table["n_units"][0] for one in stored] == [8, 10]
    for one, found in zip(stored, sessions, strict=True):
        np.testing.assert_array_equal(one.rdms.dissimilarities, found.rdms.dissimilarities)
        assert one.comparison == "corr"
        assert one.conditions["hue"].tolist() == [3.0, 3.0, 5.0, 4.0]
        assert one.models.table["name"].tolist() == ["hue"]
    with pytest.raises(InputError, match="no variable 'dissimilarity'"):
        read_rdms(tmp_path / "sub-01" / "result.nc")


def test_a_subject_that_was_left_out_has_no_rdms(tmp_path):
    assert read_stored(written(xr.Dataset(), tmp_path / "sub-01")) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"analysis": "quality"}, "a result of quality"),
        ({"subject": "", "recording": "group"}, "a result of trsa"),
        ({}, "region"),
    ],
)
def test_other_results_are_refused_by_name(changed, said, fits, tmp_path):
    arrays = xr.Dataset() if changed else subject_arrays(fits[:1], "rho-a").drop_vars("region")
    written(arrays, tmp_path / "sub-01", **changed)
    with pytest.raises(ResultError, match=f"holds no representations of a subject.*{said}"):
        read_stored(tmp_path / "sub-01")


def test_a_broken_or_absent_folder_is_refused(folder, tmp_path):
    with pytest.raises(ResultError):
        read_stored(tmp_path / "nothing")
    broken = written(xr.Dataset(), tmp_path / "sub-01")
    (broken / "section.json").write_text(json.dumps({"title": 3}))
    with pytest.raises(ResultError):
        read_stored(broken)
