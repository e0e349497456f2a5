from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuropipe.errors import InputError, SettingsError
from neuropipe.ingest.confounds import (
    ROTATIONS,
    TRANSLATIONS,
    confound_columns,
    confound_matrix,
    framewise_displacement,
    motion_traces,
    read_confounds,
)
from tests.bids_files import write_text


def fmriprep_table(n=30, seed=0):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(index=range(n))
    for axis in (*TRANSLATIONS, *ROTATIONS):
        values = rng.standard_normal(n)
        step = np.r_[np.nan, np.diff(values)]
        table[axis] = values
        table[f"{axis}_derivative1"] = step
        table[f"{axis}_power2"] = values**2
        table[f"{axis}_derivative1_power2"] = step**2
    for name in ("white_matter", "csf", "global_signal", "cosine00", "cosine01"):
        table[name] = rng.standard_normal(n)
    for k in range(8):
        table[f"a_comp_cor_{k:02}"] = rng.standard_normal(n)
    return table


def test_strategies_are_those_of_nilearn(tmp_path):
    """The same columns, filled the same way, as nilearn's own loader takes from such a file."""
    from nilearn.interfaces.fmriprep import load_confounds

    base = tmp_path / "sub-01_task-rest"
    table = fmriprep_table()
    meta = {
        f"a_comp_cor_{k:02}": {"Mask": "combined" if k < 5 else "CSF", "Method": "aCompCor"}
        for k in range(8)
    }
    table.to_csv(f"{base}_desc-confounds_timeseries.tsv", sep="\t", index=False, na_rep="n/a")
    write_text(f"{base}_desc-confounds_timeseries.json", meta)
    image = f"{base}_space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz"
    write_text(image, "")
    oracle, _ = load_confounds(
        image,
        strategy=("motion", "wm_csf", "global_signal", "high_pass", "compcor"),
        motion="full", wm_csf="basic", global_signal="basic", compcor="anat_combined",
        n_compcor="all", demean=False,
    )  # fmt: skip
    path = tmp_path / "sub-01_task-rest_desc-confounds_timeseries.tsv"
    ours = read_confounds(path, 30)
    names = ["motion", "wm_csf", "global_signal", "high_pass", "compcor"]
    columns = confound_columns(names, ours, meta, str(path))
    assert set(columns) == set(oracle.columns)
    matrix = confound_matrix(ours, columns, str(path))
    np.testing.assert_allclose(matrix, oracle[columns].to_numpy(), rtol=1e-6)


def test_motion_sets_and_plain_columns():
    table = fmriprep_table()
    count = {"motion": 24, "motion-full": 24, "motion-basic": 6, "motion-derivatives": 12}
    for name, n in count.items():
        assert len(confound_columns([name], table, {}, "t")) == n
    assert confound_columns(["csf", "wm_csf"], table, {}, "t") == ["csf", "white_matter"]
    without_sidecar = confound_columns(["compcor", "high_pass"], table, {}, "t")
    assert without_sidecar[:6] == [f"a_comp_cor_{k:02}" for k in range(6)]


def test_unknown_or_incomplete_requests_are_refused():
    table = fmriprep_table()
    with pytest.raises(InputError, match="no column rot_w"):
        confound_columns(["rot_w"], table, {}, "t.tsv")
    with pytest.raises(InputError, match="no column motion-quadratic"):
        confound_columns(["motion-quadratic"], table, {}, "t.tsv")
    with pytest.raises(SettingsError, match="compcor without high_pass"):
        confound_columns(["compcor"], table, {}, "t")
    with pytest.raises(InputError, match="a_comp_cor"):
        confound_columns(["compcor", "high_pass"], table[["cosine00"]], {}, "t")


def test_missing_values_after_the_first_row_are_refused():
    table = fmriprep_table()
    assert np.isfinite(confound_matrix(table, ["rot_x_derivative1"], "t")).all()
    table.loc[4, "csf"] = np.nan
    with pytest.raises(InputError, match="csf has no number in row 5"):
        confound_matrix(table, ["csf"], "t")
    table["word"] = "x"
    with pytest.raises(InputError, match="word holds text"):
        confound_matrix(table, ["word"], "t")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a\tb\n1\t2\n", "1 rows, the run 2 volumes"),
        ("a\ta\n1\t2\n1\t2\n", "'a' stands twice"),
        ("", "confounds table"),
        ("a\n1\t2\n1\t2\n", "2 rows"),
    ],
)
def test_malformed_tables_are_refused(tmp_path, text, complaint):
    write_text(tmp_path / "c.tsv", text)
    with pytest.raises(InputError, match=complaint):
        read_confounds(tmp_path / "c.tsv", 2)


def test_displacement_of_known_movements():
    moved = np.zeros((4, 3))
    turned = np.zeros((4, 3))
    moved[1:, 0] = 0.5
    moved[2:, 1] = -0.25
    turned[3:, 2] = 0.01
    found = framewise_displacement(moved, turned)
    assert np.isnan(found[0])
    np.testing.assert_allclose(found[1:], [0.5, 0.25, 0.5])


@given(st.integers(2, 20), st.integers(0, 99), st.floats(-10, 10))
def test_displacement_ignores_where_the_head_rests(n, seed, offset):
    rng = np.random.default_rng(seed)
    moved, turned = rng.standard_normal((2, n, 3))
    here = framewise_displacement(moved, turned)
    there = framewise_displacement(moved + offset, turned)
    np.testing.assert_allclose(here, there, atol=1e-9)
    assert (here[1:] >= 0).all()


def test_traces_carry_units_and_prefer_the_given_displacement():
    table = fmriprep_table()
    computed = motion_traces(table)
    assert computed["trans_x"][1] == "mm"
    assert computed["rot_z"][1] == "rad"
    expected = framewise_displacement(
        table[list(TRANSLATIONS)].to_numpy(), table[list(ROTATIONS)].to_numpy()
    )
    np.testing.assert_allclose(computed["framewise_displacement"][0], expected)
    given_table = table.assign(framewise_displacement=7.0)
    assert (motion_traces(given_table)["framewise_displacement"][0] == 7).all()
    assert "framewise_displacement" not in motion_traces(table.drop(columns="rot_x"))
    assert motion_traces(None) == {}
