from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nilearn.signal import clean
from scipy.signal import detrend

from neuropipe.errors import InputError, SettingsError
from neuropipe.ingest.cleaning import clean_series, describe, is_cleaned, unit_statistics
from neuropipe.ingest.settings import FmriReadSettings

STEPS = {"detrend": True, "standardize": "zscore_sample", "high_pass": 0.01, "low_pass": 0.1}


def series(n_times=120, n_units=5, seed=0):
    rng = np.random.default_rng(seed)
    return 1000 + np.cumsum(rng.standard_normal((n_times, n_units)), axis=0)


@pytest.mark.parametrize(
    "options",
    [
        {"detrend": True},
        {"standardize": "zscore_sample"},
        {"standardize": "psc"},
        {"standardize": "psc", "high_pass": 0.02},
        {"low_pass": 0.1},
        STEPS,
    ],
)
def test_equals_nilearn(options):
    values = series()
    confounds = np.random.default_rng(1).standard_normal((120, 3))
    ours = clean_series(values, 2.0, FmriReadSettings(confounds=["x"], **options), confounds)
    theirs = {"detrend": False, "standardize": None, "high_pass": None, "low_pass": None} | options
    butterworth = "butterworth" if "high_pass" in options or "low_pass" in options else False
    oracle = clean(values, confounds=confounds, t_r=2.0, filter=butterworth, **theirs)
    np.testing.assert_allclose(ours, oracle, atol=1e-9)


def test_scrubbed_volumes_are_missing_and_the_rest_equals_nilearn():
    values = series()
    kept = np.ones(120, bool)
    kept[[30, 31, 70]] = False  # whose mirror images are kept: nilearn bridges these
    confounds = np.random.default_rng(1).standard_normal((120, 3))
    chosen = FmriReadSettings(confounds=["x"], **STEPS)
    ours = clean_series(values, 2.0, chosen, confounds, kept)
    assert np.isnan(ours[~kept]).all()
    oracle = clean(
        values.copy(),
        t_r=2.0,
        confounds=confounds.copy(),
        sample_mask=np.flatnonzero(kept),
        **STEPS,
    )
    np.testing.assert_allclose(ours[kept], oracle, atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.sets(st.integers(0, 119), max_size=30), st.floats(-1e6, 1e6))
def test_what_a_scrubbed_volume_holds_does_not_matter(scrubbed, garbage):
    values = series()
    kept = np.ones(120, bool)
    kept[list(scrubbed)] = False
    spoilt = values.copy()
    spoilt[~kept] = garbage
    clean_one = clean_series(values, 2.0, FmriReadSettings(**STEPS), None, kept)
    np.testing.assert_array_equal(np.isnan(clean_one).all(axis=1), ~kept)
    clean_two = clean_series(spoilt, 2.0, FmriReadSettings(**STEPS), None, kept)
    np.testing.assert_allclose(clean_one, clean_two, atol=1e-9)


def test_missing_samples_touch_their_own_unit_only():
    values = series()
    gap = values.copy()
    gap[40:50, 2] = np.nan
    whole = clean_series(values, 2.0, FmriReadSettings(**STEPS))
    ours = clean_series(gap, 2.0, FmriReadSettings(**STEPS))
    assert np.isnan(ours[40:50, 2]).all()
    assert np.isfinite(ours).sum() == ours.size - 10
    others = [0, 1, 3, 4]
    np.testing.assert_allclose(ours[:, others], whole[:, others], atol=1e-9)
    far = np.r_[0:35, 55:120]  # away from the gap the filter sees the same series
    assert np.corrcoef(ours[far, 2], whole[far, 2])[0, 1] > 0.95


def test_planted_confound_is_removed_and_signal_kept():
    rng = np.random.default_rng(2)
    confound = rng.standard_normal((200, 1))
    signal = rng.standard_normal((200, 4))
    mixed = 500 + signal + 3 * confound
    cleaned = clean_series(mixed, 2.0, FmriReadSettings(confounds=["x"]), confound)
    for k in range(4):
        assert abs(np.corrcoef(cleaned[:, k], confound[:, 0])[0, 1]) < 1e-6
        assert np.corrcoef(cleaned[:, k], signal[:, k])[0, 1] > 0.98


def test_nothing_is_done_without_options():
    values = series()
    assert not is_cleaned(FmriReadSettings())
    np.testing.assert_array_equal(clean_series(values, 2.0, FmriReadSettings()), values)
    assert describe(FmriReadSettings(), []) == []


def test_impossible_cleaning_is_refused():
    with pytest.raises(SettingsError, match=r"0\.3 Hz.*0\.25 Hz"):
        clean_series(series(), 2.0, FmriReadSettings(low_pass=0.3))
    with pytest.raises(SettingsError, match="high_pass below low_pass"):
        clean_series(series(), 2.0, FmriReadSettings(high_pass=0.1, low_pass=0.05))
    with pytest.raises(InputError, match="12 of 12 volumes are left for 20 regressors"):
        clean_series(series(12), 2.0, FmriReadSettings(confounds=["x"]), np.ones((12, 20)))
    with pytest.raises(InputError, match="cannot be cleaned"):
        clean_series(series(12), 2.0, FmriReadSettings(high_pass=0.01, low_pass=0.1))
    with pytest.raises(InputError, match="mean below their sd"):
        clean_series(series() - 1000, 2.0, FmriReadSettings(standardize="psc"))


def test_words_name_every_step():
    words = "; ".join(describe(FmriReadSettings(confounds=["motion-basic"], **STEPS), ["rot_x"]))
    for part in ("linear trend", "above 0.01 Hz and below 0.1 Hz", "rot_x", "z-scored"):
        assert part in words


@settings(max_examples=30, deadline=None)
@given(st.integers(5, 60), st.integers(0, 1000), st.floats(-500, 5000))
def test_statistics_are_those_of_the_detrended_series(n_times, seed, mean):
    rng = np.random.default_rng(seed)
    values = mean + 10 * rng.standard_normal((n_times, 3)) + np.arange(n_times)[:, None]
    found = unit_statistics(values)
    rest = detrend(values, axis=0)
    sd = np.sqrt((rest**2).sum(axis=0) / (n_times - 2))
    np.testing.assert_allclose(found["mean"], values.mean(axis=0))
    np.testing.assert_allclose(found["sd"], sd, rtol=1e-6)
    kept = np.abs(values.mean(axis=0)) > sd
    np.testing.assert_allclose(found["tsnr"][kept], (values.mean(axis=0) / sd)[kept], rtol=1e-6)
    assert np.isnan(found["tsnr"][~kept]).all()


def test_statistics_skip_missing_samples():
    values = series()
    values[100:, 0] = np.nan
    found = unit_statistics(values)
    alone = unit_statistics(values[:100, :1])
    for name in ("mean", "sd", "tsnr"):
        assert found[name][0] == pytest.approx(alone[name][0])
