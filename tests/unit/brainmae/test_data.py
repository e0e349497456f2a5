"""Recordings and arrays to standardised runs, crops and segments."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from neuropipe.brainmae.data import cut, read_runs, runs_of_arrays, segment_seconds, standardised
from neuropipe.brainmae.settings import SegmentSettings
from neuropipe.errors import InputError, UnfitRecordingError
from tests.unit.brainmae.builders import N_ROIS, cohort, recording, series, tiny, unit_table

SEGMENTS = SegmentSettings(n_points=8, n_segments=6)
NAMES = [f"roi{k}" for k in range(N_ROIS)]


def read(recordings, folder, **changes):
    units = changes.pop("units", None)
    return read_runs(lambda: iter(recordings), tiny(**changes), folder, units=units)


def with_units(names, subject="01", **other):
    return recording(subject, series(60, n_rois=len(names)), names, **other)


# Arrays


def test_arrays_are_standardised_run_by_run():
    arrays = [series(60, seed=0), 5 * series(45, seed=1) - 3]
    runs = runs_of_arrays(arrays, [1.0, 2.0], subjects=["a", "b"], labels=[{"age": 3}, {"age": 5}])
    assert runs.series.dtype == np.float32
    assert runs.start.tolist() == [0, 60]
    for i, x in enumerate(arrays):
        assert np.allclose(runs.values(i), (x - x.mean(axis=0)) / x.std(axis=0), atol=1e-5)
        assert np.allclose(runs.runs[i].mean, x.mean(axis=0))
        assert np.allclose(runs.runs[i].sd, x.std(axis=0))
    assert [run.labels["age"] for run in runs.runs] == [3, 5]
    assert runs.owners == ["arrays/a", "arrays/b"]
    assert runs.steps.tolist() == [1.0, 2.0]
    assert [run.duration for run in runs.runs] == [60, 90]
    assert runs.n_rois == len(runs.units) == N_ROIS


def test_missing_samples_stay_missing_and_constants_become_so():
    x = series(60)
    x[10:14, 2] = np.nan
    x[:, 3] = 7.0
    x[:, 4] = np.nan
    runs = runs_of_arrays([x], [1.0])
    z = runs.values(0)
    assert np.array_equal(np.isnan(z[:, 2]), np.isnan(x[:, 2]))
    assert np.isnan(z[:, 3:5]).all()
    assert np.nanmean(z[:, 2]) == pytest.approx(0, abs=1e-5)
    assert np.nanstd(z[:, 2]) == pytest.approx(1, abs=1e-5)
    assert np.isnan(runs.runs[0].sd[3:5]).all()
    present = runs.segments(0, SEGMENTS).present[0]
    assert present[:, 2].tolist() == [False, True, True, True]
    assert not present[:, 3:5].any()
    assert present[:, [0, 1, 5, 6, 7]].all()


def test_float16_arrays_lose_only_their_own_rounding():
    x = series(60) - 100
    found = runs_of_arrays([x.astype(np.float16)], [1.0])
    assert np.abs(found.values(0) - runs_of_arrays([x], [1.0]).values(0)).max() < 0.01


def test_standardised_without_spread_is_missing():
    found = standardised(np.ones((4, 2)), np.array([1.0, 0.0]), np.array([0.0, 2.0]))
    assert np.isnan(found[:, 0]).all()
    assert (found[:, 1] == 0.5).all()


# A common scale


@given(
    lengths=st.lists(st.integers(12, 60), min_size=1, max_size=4),
    missing=st.floats(0, 0.3),
    seed=st.integers(0, 99),
)
@profile(max_examples=40)
def test_pooled_scale_is_that_of_all_samples_together(lengths, missing, seed):
    rng = np.random.default_rng(seed)
    arrays = [(1 + k) * rng.standard_normal((n, 4)) + 10 * k for k, n in enumerate(lengths)]
    for x in arrays:
        x[rng.random(x.shape) < missing] = np.nan
    arrays[0][:, 3] = np.nan
    runs = runs_of_arrays(arrays, [1.0] * len(arrays))
    mean, sd = runs.pooled_scale()
    joined = np.concatenate(arrays)
    known = np.isfinite(joined).any(axis=0)
    assert np.allclose(mean[known], np.nanmean(joined[:, known], axis=0))
    assert np.allclose(sd[known], np.nanstd(joined[:, known], axis=0))
    assert (mean[~known] == 0).all()
    assert (sd[~known] == 0).all()
    scaled = runs.scaled((mean.tolist(), sd.tolist()))  # as a card gives it back
    for i, x in enumerate(arrays):
        expected = (x - mean) / np.where(sd > 0, sd, np.nan)
        assert np.allclose(scaled.values(i), expected, atol=1e-4, equal_nan=True)
    assert np.array_equal(scaled.pooled_scale(), (mean, sd))


def test_scaled_series_reach_crops_and_the_original_stays():
    runs = cohort(2)
    scaled = runs.scaled((np.full(N_ROIS, 100.0), np.full(N_ROIS, 1.0)))
    crop, _, _ = scaled.crops([1], [5], 10)
    assert np.allclose(crop[0, :10], series(120, seed=1)[5:15] - 100, atol=1e-4)
    assert np.allclose(runs.values(1).std(axis=0), 1, atol=1e-4)
    assert scaled.select([1]).values(0).std() > 2


# Some of the runs, and stretches of them


def test_select_shares_the_series():
    runs = cohort(4)
    some = runs.select(np.array([3, 1]))
    assert some.series is runs.series
    assert [run.recording for run in some.runs] == ["run0003", "run0001"]
    assert np.array_equal(some.values(0), runs.values(3))
    assert np.array_equal(some.values(1), runs.values(1))
    assert runs.select([]).runs == []


def test_crops_beyond_the_end_are_missing():
    runs = runs_of_arrays([series(50), series(40, 2.0, seed=1)], [1.0, 2.0])
    found, step, left = runs.crops([0, 1, 0], [45, 3, 60], 20)
    assert found.shape == (3, 22, N_ROIS)
    assert np.array_equal(found[0, :5], runs.values(0)[45:])
    assert torch.isnan(found[0, 5:]).all()
    assert np.array_equal(found[1], runs.values(1)[3:25])
    assert torch.isnan(found[2]).all()
    assert step.tolist() == [1, 2, 1]
    assert left.tolist() == [5, 74, -10]
    assert found.dtype == step.dtype == left.dtype == torch.float32


def test_a_crop_never_runs_into_the_next_run():
    runs = cohort(2, n_times=30)
    found, _, _ = runs.crops([0], [20], 30)
    assert torch.isnan(found[0, 10:]).all()


@pytest.mark.parametrize("step", [0.72, 1.6])
@pytest.mark.parametrize("native", [False, True])
def test_a_crop_is_long_enough_for_its_segments(step, native):
    settings = SegmentSettings(n_points=16, native_tr=native)
    runs = runs_of_arrays([series(300, step)], [step])
    duration = 3 * segment_seconds(settings, step)
    crop, steps, left = runs.crops([0], [7], duration)
    found = cut(crop, steps, left, settings, n_segments=3)
    more = runs.crops([0], [7], 2 * duration)
    assert torch.equal(found.x, cut(*more, settings, n_segments=3).x)
    assert found.present.all()


# Segments of whole runs


@given(step=st.sampled_from([0.72, 0.8, 1.0, 1.6, 2.0, 1 / 0.7]), n_times=st.integers(8, 200))
@profile(max_examples=40)
def test_all_whole_segments_of_a_run_are_present(step, n_times):
    runs = runs_of_arrays([series(n_times, step)], [step])
    for native in (False, True):
        settings = SegmentSettings(n_points=8, native_tr=native)
        found = runs.segments(0, settings)
        seconds = segment_seconds(settings, step)
        assert (
            found.x.shape[1] == runs.n_segments(0, settings) == int(n_times * step / seconds + 1e-6)
        )
        assert found.x.shape[3] == runs.n_points(settings)
        assert found.valid.all()
        assert found.present.all()


def test_native_segments_leave_no_sample_out_and_use_none_twice():
    runs = runs_of_arrays([series(130, 0.72)], [0.72])
    found = runs.segments(0, SegmentSettings(native_tr=True))
    assert found.x.shape == (1, 6, N_ROIS, 21)
    line = found.x[0].permute(0, 2, 1).reshape(-1, N_ROIS)
    assert np.array_equal(line, runs.values(0)[:126])


def test_native_tr_needs_one_repetition_time():
    runs = runs_of_arrays([series(60), series(60)], [1.0, 2.0])
    assert runs.n_points(SEGMENTS) == 8
    with pytest.raises(
        UnfitRecordingError, match=r"times of 1, 2 s with native_tr.*one repetition"
    ):
        runs.n_points(SegmentSettings(native_tr=True))
    nearly = runs_of_arrays([series(60), series(60)], [0.72, 0.720001])
    assert nearly.n_points(SegmentSettings(native_tr=True)) == 21


# Recordings


def test_recordings_are_read_into_one_file(tmp_path):
    recordings = [
        recording("01", series(60), age=30.0),
        recording("02", series(45, 2.0, seed=1), step=2.0, age=40.0),
    ]
    runs = read(recordings, tmp_path)
    assert isinstance(runs.series, np.memmap)
    assert (tmp_path / "series.dat").stat().st_size == 4 * 105 * N_ROIS
    again = np.memmap(tmp_path / "series.dat", np.float32, "r", shape=(105, N_ROIS))
    assert np.array_equal(again, runs.series)
    expected = runs_of_arrays([r.signals.values for r in recordings], [1.0, 2.0])
    assert np.allclose(runs.series, expected.series, atol=1e-5)
    assert runs.steps.tolist() == [1.0, 2.0]
    assert runs.owners == ["toy/01", "toy/02"]
    assert [run.labels["age"] for run in runs.runs] == [30, 40]
    assert runs.parcellation == "atlas"
    assert runs.units.index.tolist() == NAMES
    assert runs.units["network"].tolist() == unit_table(NAMES)["network"].tolist()
    assert runs.warnings == []


def test_namesakes_of_two_datasets_are_two_runs(tmp_path):
    recordings = [recording("01", series(60, seed=k), dataset=f"d{k}") for k in range(2)]
    runs = read(recordings, tmp_path)
    assert runs.owners == ["d0/01", "d1/01"]
    assert not np.array_equal(runs.values(0), runs.values(1))


def test_rois_of_at_least_half_of_the_recordings_are_used(tmp_path):
    usual = [f"r{k}" for k in range(10)]
    recordings = [
        with_units([*usual, "half"], "01"),
        with_units([*usual[::-1], "half"], "02"),
        with_units([*usual[:9], "once"], "03"),
        with_units([*usual, "rare"], "04"),
    ]
    runs = read(recordings, tmp_path, max_missing_rois=0.3)
    assert runs.units.index.tolist() == [*usual, "half"]
    # Columns follow names, whatever their order in a recording.
    values = recordings[1].signals.values[:, usual[::-1].index("r2")].astype(float)
    column = runs.values(1)[:, runs.units.index.get_loc("r2")]
    assert np.allclose(column, (values - values.mean()) / values.std(), atol=1e-5)
    assert np.isnan(runs.values(2)[:, [9, 10]]).all()
    assert not runs.segments(2, SEGMENTS).present[0, :, [9, 10]].any()
    assert np.isnan(runs.values(3)[:, 10]).all()


def test_given_rois_and_their_order_are_kept(tmp_path):
    order = [*NAMES[::-1], "never"]
    runs = read([recording()], tmp_path, units=order)
    assert runs.units.index.tolist() == order
    plain = runs_of_arrays([recording().signals.values], [1.0])
    assert np.allclose(runs.values(0)[:, :N_ROIS], plain.values(0)[:, ::-1], atol=1e-5)
    assert np.isnan(runs.values(0)[:, N_ROIS]).all()


def test_a_roi_with_too_many_missing_samples_is_absent(tmp_path):
    x = series(60, n_rois=12)
    x[:5, 1] = np.nan
    x[:7, 2] = np.nan
    x[:, 3] = 4.0
    whole = series(60, seed=1, n_rois=12)
    runs = read([recording("01", x), recording("02", whole)], tmp_path, max_missing=0.1)
    assert np.isnan(runs.values(0)).sum(axis=0).tolist() == [0, 5, 60, 60, *[0] * 8]
    assert not np.isnan(runs.values(1)).any()
    assert runs.runs[0].mean[[2, 3]].tolist() == pytest.approx([np.nan] * 2, nan_ok=True)


def test_too_many_rois_are_thinned_by_their_names(tmp_path):
    runs = read([recording("01", series(60, n_rois=30))], tmp_path, max_rois=12)
    assert runs.n_rois == 12
    again = read([recording("02", series(60, n_rois=30, seed=4))], tmp_path, max_rois=12)
    assert runs.units.index.tolist() == again.units.index.tolist()


def test_what_cannot_be_used_is_left_out_and_named(tmp_path):
    silent = recording("02")
    silent.signals = None
    few = series(60)
    few[:, :5] = 1.0
    recordings = [
        recording("01"), silent, recording("03", series(29)), recording("04", few),
        with_units([f"x{k}" for k in range(9)], "05"), recording("06"), recording("07"),
    ]  # fmt: skip
    runs = read(recordings, tmp_path)
    assert [run.subject for run in runs.runs] == ["01", "06", "07"]
    words = " ".join(runs.warnings)
    assert "sub-02 has no signals" in words
    assert "sub-03 lasts 29 s" in words
    assert "sub-04 has 3 usable ROIs" in words
    assert "sub-05 has 0% of the 8 ROIs" in words
    assert all(w.startswith("Recording left out: ") and w.endswith(".") for w in runs.warnings)


def test_many_warnings_are_cut_short(tmp_path):
    recordings = [recording(f"{k:02d}", series(20)) for k in range(14)] + [recording("99")]
    warnings = read(recordings, tmp_path).warnings
    assert len(warnings) == 11
    assert warnings[-1] == "4 more recordings left out."


def test_two_segments_are_enough_and_a_sample_less_is_not(tmp_path):
    assert len(read([recording("01", series(30))], tmp_path).runs) == 1
    with pytest.raises(UnfitRecordingError, match="lasts 29 s"):
        read([recording("01", series(29))], tmp_path)
    for step, n_times in ((0.75, 40), (0.3, 100)):  # 30 s but for rounding
        runs = read([recording("01", series(n_times, step), step=step)], tmp_path)
        assert runs.n_segments(0, SEGMENTS) == 2


def test_two_segments_of_whole_samples_take_a_little_longer(tmp_path):
    native = {"segments": {"native_tr": True}}
    enough = recording("01", series(42, 0.72), step=0.72)
    runs = read([enough], tmp_path, **native)
    assert runs.n_segments(0, SegmentSettings(native_tr=True)) == 2
    with pytest.raises(UnfitRecordingError, match="over 2 segments of 15 s"):
        read([recording("01", series(41, 0.72), step=0.72)], tmp_path, **native)


@pytest.mark.parametrize(
    ("recordings", "words"),
    [
        ([], "there is none"),
        ([recording("01", series(20))], "sub-01 lasts 20 s"),
        ([recording("01", series(60, n_rois=5))], "5 usable ROIs"),
        ([with_units([f"{s}{k}" for k in range(9)], s) for s in "abc"], "0 ROIs are in at least"),
        # Each ROI is in half of the recordings, and no recording has enough of them.
        ([with_units([f"{s}{k}" for k in range(9)], s) for s in "ab"], "no recording has its ROIs"),
    ],
    ids=["none", "short", "few", "disjoint", "halves"],
)
def test_nothing_to_use_is_told_clearly(recordings, words, tmp_path):
    with pytest.raises(UnfitRecordingError, match=words) as error:
        read(recordings, tmp_path)
    assert error.value.remedy
    assert "\n" not in str(error.value)
    assert not (tmp_path / "series.dat").exists()


def test_recordings_of_other_rois_than_the_weights_are_refused(tmp_path):
    with pytest.raises(UnfitRecordingError, match="sub-01 has 0% of the 9 ROIs"):
        read([recording()], tmp_path, units=[f"other{k}" for k in range(9)])


def test_several_parcellations_are_refused(tmp_path):
    recordings = [recording("01"), recording("02", parcellation="other")]
    with pytest.raises(InputError, match=r"parcellations atlas, other.*one parcellation"):
        read(recordings, tmp_path)
    unknown = recording("01")
    del unknown.attrs["parcellation"]
    assert read([unknown], tmp_path).parcellation == "n/a"


def test_events_come_along(tmp_path):
    one = recording()
    one.events = pd.DataFrame({"onset": [0.0], "duration": [5.0], "trial_type": ["rest"]})
    assert read([one], tmp_path).runs[0].events is one.events
