"""Objects of rsatoolbox come and go without loss."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from neuropipe.errors import InputError, MissingExtraError
from neuropipe.trsa.files.interchange import (
    from_rsatoolbox,
    patterns_from_rsatoolbox,
    patterns_to_rsatoolbox,
    to_rsatoolbox,
)
from neuropipe.trsa.patterns import Patterns
from neuropipe.trsa.rdms import RDMs


def rdms():
    items = pd.DataFrame({"subject": ["s1", "s2"], "age": [31, 44]})
    return RDMs(np.arange(12.0).reshape(2, 6), tuple("wxyz"), "crossnobis", items)


def patterns():
    values = np.random.default_rng(0).standard_normal((3, 4, 5))
    values[1, 2] = np.nan
    n_trials = np.full((3, 4), 2)
    n_trials[1, 2] = 0
    return Patterns(values, tuple("wxyz"), tuple("abcde"), ("r1", "r2", "r3"), n_trials, unit="V")


def stand_in(**changes):
    """What an rsatoolbox.rdm.RDMs looks like from outside."""
    attributes = {
        "dissimilarities": np.arange(6.0).reshape(2, 3),
        "dissimilarity_measure": "euclidean",
        "n_rdm": 2,
        "n_cond": 3,
        "rdm_descriptors": {"index": [0, 1], "subject": ["s1", "s2"], "session": "x"},
        "pattern_descriptors": {"index": [0, 1, 2], "kind": ["a", "a", "b"], "name": list("pqr")},
    }
    return SimpleNamespace(**{**attributes, **changes})


def dataset(**changes):
    attributes = {
        "measurements": np.arange(12.0).reshape(6, 2),
        "obs_descriptors": {"conds": list("baabab"), "runs": [1, 1, 1, 2, 2, 2]},
        "channel_descriptors": {"names": ["v1", "v2"]},
    }
    return SimpleNamespace(**{**attributes, **changes})


def test_rdms_return_as_they_went():
    pytest.importorskip("rsatoolbox")
    there = to_rsatoolbox(rdms())
    assert (there.n_rdm, there.n_cond, there.dissimilarity_measure) == (2, 4, "crossnobis")
    np.testing.assert_array_equal(there.get_matrices(), rdms().matrices)
    back = from_rsatoolbox(there)
    np.testing.assert_array_equal(back.dissimilarities, rdms().dissimilarities)
    assert (back.conditions, back.measure) == (rdms().conditions, "crossnobis")
    assert back.table.equals(rdms().table)


def test_rdms_that_go_are_copies():
    pytest.importorskip("rsatoolbox")
    ours = rdms()
    to_rsatoolbox(ours).dissimilarities[:] = 0
    assert ours.dissimilarities.max() == 11


def test_patterns_return_as_they_went():
    pytest.importorskip("rsatoolbox")
    ours = patterns()
    there = patterns_to_rsatoolbox(ours)
    assert there.measurements.shape == (11, 5)
    back = patterns_from_rsatoolbox(there)
    np.testing.assert_array_equal(back.values, ours.values)
    assert (back.conditions, back.channels, back.folds) == (
        ours.conditions,
        ours.channels,
        ours.folds,
    )
    assert there.obs_descriptors["n_trials"] == [2] * 11


def test_conditions_are_named_by_the_first_descriptor_that_tells_them_apart():
    found = from_rsatoolbox(stand_in())
    assert found.conditions == ("p", "q", "r")
    assert found.table.to_dict("list") == {"subject": ["s1", "s2"]}
    assert from_rsatoolbox(stand_in(), "index").conditions == ("0", "1", "2")
    bare = from_rsatoolbox(stand_in(pattern_descriptors={}, rdm_descriptors={}))
    assert bare.conditions == ("0", "1", "2")
    assert bare.table["rdm"].tolist() == [0, 1]
    nameless = from_rsatoolbox(stand_in(dissimilarity_measure=None))
    assert nameless.measure == ""


def test_descriptors_that_do_not_name_conditions_are_refused():
    with pytest.raises(InputError, match="one of index, kind, name"):
        from_rsatoolbox(stand_in(), "conds")
    with pytest.raises(InputError, match="two conditions of one name"):
        from_rsatoolbox(stand_in(), "kind")


def test_observations_are_averaged_within_conditions_and_folds():
    found = patterns_from_rsatoolbox(dataset())
    assert (found.conditions, found.folds, found.channels) == (
        ("a", "b"),
        ("1", "2"),
        ("v1", "v2"),
    )
    np.testing.assert_array_equal(found.values[0], [[3, 4], [0, 1]])
    np.testing.assert_array_equal(found.values[1], [[8, 9], [8, 9]])
    np.testing.assert_array_equal(found.n_trials, [[2, 1], [1, 2]])


def test_without_folds_there_is_one():
    found = patterns_from_rsatoolbox(dataset(channel_descriptors={}), folds=None)
    assert (found.folds, found.channels) == (("all",), ("0", "1"))
    np.testing.assert_array_equal(found.n_trials, [[3, 3]])


def test_unknown_observation_descriptors_are_refused():
    with pytest.raises(InputError, match="one of conds, runs"):
        patterns_from_rsatoolbox(dataset(), conditions="stimulus")
    with pytest.raises(InputError, match="'session'"):
        patterns_from_rsatoolbox(dataset(), folds="session")


def test_without_rsatoolbox_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "rsatoolbox.rdm", None)
    monkeypatch.setitem(__import__("sys").modules, "rsatoolbox.data", None)
    with pytest.raises(MissingExtraError, match="pip install 'rsatoolbox"):
        to_rsatoolbox(rdms())
    with pytest.raises(MissingExtraError, match="pip install 'rsatoolbox"):
        patterns_to_rsatoolbox(patterns())
