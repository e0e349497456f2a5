"""Subjects meet on the units they share, runs are averaged, labels keep their first value."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.connectivity.cohort import build_cohort
from neuropipe.connectivity.group import fit_group, likeness_of_subjects
from neuropipe.connectivity.settings import ConnectivitySettings
from neuropipe.errors import UnfitRecordingError
from neuropipe.stats.connectivity_matrices import correlation, edges, fisher_z
from tests.unit.connectivity.builders import recording, series, unit_table

SETTINGS = ConnectivitySettings()


def test_runs_of_a_subject_are_averaged_after_fisher():
    runs = [
        recording("a", run="1", seed=1),
        recording("a", run="2", seed=2),
        recording("b", seed=3),
    ]
    cohort = build_cohort(runs, "toy", SETTINGS)
    assert cohort.subjects == ["a", "b"]
    z = [fisher_z(edges(correlation(r.signals.values.astype(float)))) for r in runs]
    assert cohort.z[0] == pytest.approx((z[0] + z[1]) / 2, abs=1e-5)
    assert cohort.z[1] == pytest.approx(z[2], abs=1e-5)
    assert list(cohort.summary["runs"]) == [2, 1]
    assert list(cohort.summary["duration"]) == [300.0, 150.0]
    fit = fit_group(cohort, SETTINGS)
    r = np.corrcoef(np.tanh(z))
    assert fit.within == pytest.approx([r[0, 1], np.nan], abs=1e-4, nan_ok=True)
    assert fit.between == pytest.approx((r[0, 2] + r[1, 2]) / 2, abs=1e-4)


def test_units_that_one_subject_lacks_are_absent_for_all():
    units = unit_table(6)
    x = series(150, 6, np.random.default_rng(1))
    kept = [i for i in range(12) if i not in (2, 9)]
    order = kept[::-1]  # and in another order
    runs = [
        recording("a", seed=0),
        recording("b", values=x[:, order], units=units.iloc[order]),
    ]
    cohort = build_cohort(runs, "toy", SETTINGS)
    assert list(cohort.units.index) == list(units.index[kept])
    expected = fisher_z(edges(correlation(x[:, kept])))
    assert cohort.z[1] == pytest.approx(expected, abs=1e-4)
    assert "10 units are shared" in cohort.warnings[0]
    assert "sub-b" in cohort.warnings[0]


def test_numbered_neurons_are_not_matched():
    units = unit_table(6)[[]]
    units.index = [str(k) for k in range(12)]
    runs = [recording(s, seed=k, units=units, modality="calcium") for k, s in enumerate("ab")]
    cohort = build_cohort(runs, "toy", SETTINGS)
    assert not cohort.shares_units
    assert "cannot be matched" in cohort.warnings[0]
    assert fit_group(cohort, SETTINGS).similarity is None
    alone = build_cohort(runs[:1], "toy", SETTINGS)
    assert alone.shares_units


def test_unfit_recordings_are_left_out_and_said():
    runs = [recording("a"), recording("b", n_times=30)]
    cohort = build_cohort(runs, "toy", SETTINGS)
    assert cohort.subjects == ["a"]
    assert "sub-b has 30 complete frames" in cohort.warnings[0]
    with pytest.raises(UnfitRecordingError, match="no recording of toy"):
        build_cohort(runs[1:], "toy", SETTINGS)


def test_labels_that_differ_between_runs_are_said():
    runs = [
        recording("a", run="1", age=20, sex="F"),
        recording("a", run="2", age=21, sex="F"),
    ]
    cohort = build_cohort(runs, "toy", SETTINGS)
    assert cohort.participants.loc["a", "age"] == 20
    assert any("age differs" in w for w in cohort.warnings)
    assert not any("sex" in w for w in cohort.warnings)


def test_likeness_of_subjects_is_the_correlation_of_edges():
    r = np.random.default_rng(0).standard_normal((4, 30))
    assert likeness_of_subjects(r) == pytest.approx(np.corrcoef(r))


def test_group_finds_an_untypical_subject():
    from neuropipe.connectivity.evaluate_group import untypical

    runs = [recording(f"{k}", seed=k, n_times=400) for k in range(9)]
    noise = np.random.default_rng(5).standard_normal((400, 12))
    cohort = build_cohort([*runs, recording("odd", values=noise)], "toy", SETTINGS)
    fit = fit_group(cohort, SETTINGS)
    assert untypical(cohort, fit) == ["odd"]
    assert fit.similarity_null.mean() == pytest.approx(0, abs=0.02)
    mean = fit.similarity[:9, :9][np.triu_indices(9, 1)].mean()
    assert mean > 0.7
    assert fit.structure["homologous"] > fit.structure_nulls["homologous"].max()


def test_a_label_missing_in_the_first_run_is_taken_from_the_next():
    runs = [
        recording("a", run="1", iq="n/a", sex="F"),
        recording("a", run="2", iq=101, sex=None),
        recording("b", iq=float("nan")),
        recording("b", run="2", iq=float("nan")),
    ]
    cohort = build_cohort(runs, "toy", SETTINGS)
    assert cohort.participants.loc["a", "iq"] == 101
    assert cohort.participants.loc["a", "sex"] == "F"
    assert cohort.participants.loc["b", "iq"] is None
    assert cohort.warnings == []  # NaN differs from NaN, but tells nothing


def test_a_column_without_any_value_is_still_a_column():
    cohort = build_cohort([recording("a", iq="n/a"), recording("b", iq=None)], "toy", SETTINGS)
    assert list(cohort.participants.columns) == ["iq"]


def test_numbered_neurons_of_two_sessions_are_not_matched():
    units = unit_table(6)[[]]
    units.index = [str(k) for k in range(12)]
    runs = [recording("a", seed=k, run=str(k), units=units, modality="calcium") for k in (1, 2)]
    same = build_cohort(runs, "toy", SETTINGS)
    assert same.shares_units  # two runs of one session: the same field of view
    runs[1].session = "02"
    other = build_cohort(runs, "toy", SETTINGS)
    assert not other.shares_units
    assert "sessions" in other.warnings[0]
    # Named neurons are the same everywhere.
    units.index = [f"n{k}x" for k in range(12)]
    for run in runs:
        run.units = units
        run.signals = run.signals.assign_coords(unit=units.index)
    assert build_cohort(runs, "toy", SETTINGS).shares_units


def test_sessions_of_a_subject_are_one_subject():
    runs = [recording("a", seed=k, run=str(k)) for k in range(3)] + [recording("b", seed=9)]
    for k in range(3):
        runs[k].session = f"{k}"
    cohort = build_cohort(runs, "toy", SETTINGS)
    assert cohort.n_subjects == 2
    assert list(cohort.run_subject) == [0, 0, 0, 1]
    assert list(cohort.summary["runs"]) == [3, 1]


def test_motion_is_the_mean_over_runs():
    import xarray as xr

    runs = [recording("a", run=str(k), seed=k) for k in (1, 2)] + [recording("b")]
    for run, level in zip(runs[:2], (0.1, 0.3), strict=True):
        run.confounds = xr.Dataset({"framewise_displacement": ("time", np.full(150, level))})
    cohort = build_cohort(runs, "toy", SETTINGS)
    motion = cohort.participants["mean_framewise_displacement"]
    assert motion["a"] == pytest.approx(0.2)
    assert motion["b"] is None
    assert not any("differs" in w for w in cohort.warnings)


def test_order_of_recordings_changes_no_subject():
    runs = [recording(s, seed=k) for k, s in enumerate("abc")]
    forward, backward = (build_cohort(r, "toy", SETTINGS) for r in (runs, runs[::-1]))
    assert backward.subjects == forward.subjects[::-1]
    assert np.array_equal(backward.z[::-1], forward.z)
    assert backward.covariances[::-1] == pytest.approx(forward.covariances, abs=1e-6)


def test_many_unfit_recordings_are_counted():
    runs = [recording("a"), *(recording(f"x{k}", n_times=30) for k in range(13))]
    cohort = build_cohort(runs, "toy", SETTINGS)
    assert len(cohort.warnings) == 11
    assert cohort.warnings[-1] == "3 more recordings left out."
