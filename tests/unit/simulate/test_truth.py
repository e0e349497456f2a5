"""Truth beside simulated data."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from neuropipe.errors import InputError
from neuropipe.simulate.settings import FmriSimulation
from neuropipe.simulate.truth import (
    read_summary,
    read_truth,
    truth_path,
    write_summary,
    write_truth,
)


def test_arrays_come_back(tmp_path):
    truth = xr.Dataset({"state": ("time", np.arange(5, dtype=np.int8))}, attrs={"noise_sd": 0.5})
    write_truth(tmp_path, "sub-01_task-rest", truth)
    back = read_truth(tmp_path, "sub-01_task-rest")
    xr.testing.assert_identical(back, truth)


def test_summaries_hold_settings_and_plain_facts(tmp_path):
    facts = {"hub": np.int64(3), "partition": np.array([[0, -1]]), "who": ("a", None)}
    write_summary(tmp_path, "fmri", FmriSimulation(seed=4), facts)
    summary = read_summary(tmp_path)
    assert summary["kind"] == "fmri"
    assert FmriSimulation(**summary["settings"]) == FmriSimulation(seed=4)
    assert summary["facts"] == {"hub": 3, "partition": [[0, -1]], "who": ["a", None]}


def test_unsafe_names_are_refused():
    with pytest.raises(InputError, match="recording"):
        truth_path("../sub-01")


def test_missing_or_broken_truth_is_named(tmp_path):
    with pytest.raises(InputError, match="truth"):
        read_truth(tmp_path, "sub-01")
    with pytest.raises(InputError, match="truth"):
        read_summary(tmp_path)
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth" / "truth.json").write_text(json.dumps([1]))
    with pytest.raises(InputError, match="no mapping"):
        read_summary(tmp_path)
