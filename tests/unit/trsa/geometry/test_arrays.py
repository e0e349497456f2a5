"""Missing trials and units, and trials in rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuropipe.errors import InputError, UnfitRecordingError
from neuropipe.trsa.geometry.arrays import complete, condition_means, flatten, patterns_of


def responses(seed: int = 0, *, r: int = 4, n: int = 5, p: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((r, n, p))


def test_complete_data_stay_as_they_are() -> None:
    values = responses()
    np.testing.assert_array_equal(complete(values), values)


def test_two_axes_are_one_repeat() -> None:
    values = responses()[0]
    np.testing.assert_array_equal(complete(values), values[None])


def test_a_unit_that_misses_one_value_goes_everywhere() -> None:
    values = responses()
    values[2, 3, 1] = np.nan
    np.testing.assert_array_equal(complete(values), np.delete(values, 1, axis=2))


def test_a_missing_trial_costs_no_unit() -> None:
    values = responses()
    values[2, 3] = np.nan
    found = complete(values)
    assert found.shape == values.shape
    assert np.isnan(found[2, 3]).all()
    assert np.isfinite(np.delete(found.reshape(-1, 6), 2 * 5 + 3, axis=0)).all()


def test_infinite_values_are_missing() -> None:
    values = responses()
    values[0, 0, 0] = np.inf
    assert complete(values).shape == (4, 5, 5)


def test_a_condition_without_trials_is_named() -> None:
    values = responses()
    values[:, 3] = np.nan
    with pytest.raises(UnfitRecordingError, match="condition 3"):
        complete(values)


@pytest.mark.parametrize("shape", [(4,), (2, 3, 4, 5)])
def test_other_numbers_of_axes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="n_repeats"):
        complete(np.zeros(shape))


@pytest.mark.parametrize("shape", [(3, 2, 5), (3, 5, 1)])
def test_too_small_data_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UnfitRecordingError, match="at least 3 conditions and 2 units"):
        complete(np.ones(shape))


def test_means_leave_missing_trials_out() -> None:
    values = responses()
    values[1:, 2] = np.nan
    means = condition_means(values)
    np.testing.assert_allclose(means[2], values[0, 2])
    np.testing.assert_allclose(means[0], values[:, 0].mean(axis=0))


def test_patterns_have_mean_zero() -> None:
    np.testing.assert_allclose(patterns_of(responses()).mean(axis=0), 0, atol=1e-12)


@given(seed=st.integers(0, 50), share=st.floats(0, 0.5))
def test_flat_trials_find_their_places_again(seed: int, share: float) -> None:
    values = responses(seed)
    rng = np.random.default_rng(seed)
    gone = rng.random((4, 5)) < share
    gone[0] = False  # every condition keeps a trial
    values[gone] = np.nan
    trials = flatten(values)
    assert len(trials.values) == (~gone).sum()
    again = np.full_like(values, np.nan)
    again[trials.repeats, trials.conditions] = trials.values
    np.testing.assert_array_equal(again, values)
