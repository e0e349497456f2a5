"""Patterns keep one policy of what is missing."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.errors import InputError, UnfitRecordingError
from neuropipe.trsa.noise import Noise
from neuropipe.trsa.patterns import Patterns


def patterns(values=None, n_trials=None, noise=None):
    data = np.random.default_rng(0).standard_normal((2, 4, 6)) if values is None else values
    counts = np.full(data.shape[:2], 3) if n_trials is None else n_trials
    names = tuple("abcdefgh"[: data.shape[1]])
    channels = tuple(f"v{k}" for k in range(data.shape[2]))
    folds = tuple(f"run{k}" for k in range(data.shape[0]))
    return Patterns(data, names, channels, folds, counts, noise)


def noise_of(n_channels=6):
    return Noise.of_residuals(np.random.default_rng(1).standard_normal((20, n_channels)))


def test_what_is_there():
    values = patterns().values.copy()
    values[1, 2] = np.nan
    values[0, 0, 0] = np.nan
    present = patterns(values).present
    assert not present[1, 2]
    assert present.sum() == 7


def test_complete_patterns_stay_as_they_are():
    whole = patterns(noise=noise_of())
    same = whole.complete()
    np.testing.assert_array_equal(same.values, whole.values)
    assert (same.conditions, same.channels) == (whole.conditions, whole.channels)


def test_channels_with_gaps_and_absent_conditions_are_left_out():
    values = patterns().values.copy()
    values[1, 2] = np.nan  # the fold lacks the condition: no gap
    values[0, 0, 3] = np.nan
    values[:, 1] = np.nan
    found = patterns(values, noise=noise_of()).complete()
    assert found.conditions == ("a", "c", "d")
    assert found.channels == ("v0", "v1", "v2", "v4", "v5")
    assert found.n_trials.shape == (2, 3)
    kept = np.delete(np.arange(6), 3)
    np.testing.assert_allclose(
        found.noise.covariance(), noise_of().covariance()[np.ix_(kept, kept)]
    )
    assert np.isnan(found.values[1, 1]).all()


def test_too_little_is_refused():
    values = patterns().values.copy()
    values[:, :2] = np.nan
    with pytest.raises(UnfitRecordingError, match="2 conditions over 6 complete channels"):
        patterns(values).complete()
    values = patterns().values.copy()
    values[0, 0, 1:] = np.nan
    with pytest.raises(UnfitRecordingError, match="over 1 complete"):
        patterns(values).complete()


def test_conditions_and_channels_are_picked():
    whole = patterns(noise=noise_of())
    found = whole.of(["c", "a"])
    assert found.conditions == ("c", "a")
    np.testing.assert_array_equal(found.values, whole.values[:, [2, 0]])
    picked = whole.of_channels(np.array([5, 1]))
    assert picked.channels == ("v5", "v1")
    np.testing.assert_array_equal(picked.values, whole.values[:, :, [5, 1]])
    np.testing.assert_array_equal(picked.noise.scale, whole.noise.scale[[5, 1]])
    assert whole.of_channels(np.arange(6) < 2).channels == ("v0", "v1")


def test_the_mean_is_weighted_by_trials():
    values = patterns().values.copy()
    values[1, 2] = np.nan
    n_trials = np.array([[1, 2, 3, 4], [3, 2, 0, 4]])
    mean = patterns(values, n_trials).mean()
    np.testing.assert_allclose(mean[0], (values[0, 0] + 3 * values[1, 0]) / 4)
    np.testing.assert_allclose(mean[2], values[0, 2])
    values[0, 2] = np.nan
    assert np.isnan(patterns(values, n_trials).mean()[2]).all()


def test_whitened_patterns_have_unit_noise():
    whole = patterns(noise=noise_of())
    white = whole.whitened()
    assert white.noise is None
    a, b = whole.values[0, 0], whole.values[1, 1]
    expected = a @ noise_of().precision() @ b
    assert white.values[0, 0] @ white.values[1, 1] == pytest.approx(expected)
    with pytest.raises(UnfitRecordingError, match="without residuals"):
        patterns().whitened()


def test_axes_must_be_named():
    with pytest.raises(InputError, match="name every axis"):
        patterns(n_trials=np.ones((4, 2), int))
    with pytest.raises(InputError, match="name every axis"):
        Patterns(np.zeros((1, 2, 3)), ("a",), tuple("xyz"), ("r",), np.ones((1, 1), int))
