"""Rates of change, their signed parts, and the average over time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter1d

from neuropipe.connectome.affinity import pair_index, rates_of_change, rises_and_falls, time_filter
from neuropipe.connectome.settings import AffinitySettings

RAW = AffinitySettings(smoothing=0, cap=None)


def walks(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).cumsum(axis=-1)


def test_rates_are_derivatives_in_robust_sds() -> None:
    traces = walks(0, 1, 3, 400)
    rates = rates_of_change(traces, 4.0, RAW)
    slope = np.gradient(traces, axis=-1)
    deviation = np.abs(slope - np.median(slope, axis=-1, keepdims=True))
    expected = slope / (1.4826 * np.median(deviation, axis=-1, keepdims=True))
    np.testing.assert_allclose(rates, expected, rtol=1e-4)


def test_smoothing_is_gaussian_in_seconds() -> None:
    traces = walks(1, 1, 2, 300)
    smooth = gaussian_filter1d(traces, 2.0, axis=-1, mode="nearest")
    found = rates_of_change(traces, 4.0, RAW.model_copy(update={"smoothing": 0.5}))
    np.testing.assert_allclose(found, rates_of_change(smooth, 4.0, RAW), rtol=1e-4, atol=1e-5)


@given(seed=st.integers(0, 100), gain=st.floats(0.01, 100), shift=st.floats(-10, 10))
def test_gain_and_offset_of_a_unit_change_nothing(seed: int, gain: float, shift: float) -> None:
    traces = walks(seed, 2, 3, 60)
    changed = traces * np.array([1, gain, 1])[:, None] + np.array([0, shift, 0])[:, None]
    settings = AffinitySettings()
    np.testing.assert_allclose(
        rates_of_change(traces, 2.0, settings),
        rates_of_change(changed, 2.0, settings),
        rtol=1e-3,
        atol=1e-4,
    )


def test_absent_units_and_what_follows_the_end_are_zero() -> None:
    traces = walks(2, 2, 3, 50)
    traces[0, 1] = np.nan
    traces[1, :, 40:] = np.nan
    rates = rates_of_change(traces, 2.0, AffinitySettings())
    assert np.isfinite(rates).all()
    assert not rates[0, 1].any()
    assert not rates[1, :, 40:].any()
    assert (rates[1, :, :40] != 0).any(axis=-1).all()


def test_nothing_crosses_the_border_of_a_segment() -> None:
    joined = walks(3, 1, 2, 80)
    other = joined.copy()
    other[..., 40:] += 1000
    borders = np.array([[0, 40], [40, 80]])
    np.testing.assert_allclose(
        rates_of_change(joined, 2.0, AffinitySettings(), borders),
        rates_of_change(other, 2.0, AffinitySettings(), borders),
        atol=1e-3,
    )


def test_noise_floor_and_cap_cut_sizes() -> None:
    traces = walks(4, 1, 2, 500)
    plain = rates_of_change(traces, 2.0, RAW)
    floored = rates_of_change(traces, 2.0, RAW.model_copy(update={"noise_floor": 1.0}))
    expected = np.sign(plain) * np.maximum(np.abs(plain) - 1, 0)
    np.testing.assert_allclose(floored, expected, atol=1e-6)
    capped = rates_of_change(traces, 2.0, RAW.model_copy(update={"cap": 0.9}))
    highest = np.quantile(np.abs(plain), 0.9, axis=-1)
    np.testing.assert_allclose(np.abs(capped).max(axis=-1), highest, rtol=1e-5)


@pytest.mark.parametrize("kind", ["geo", "prod"])
def test_parts_make_up_the_affinity(kind: str) -> None:
    rates = np.random.default_rng(5).standard_normal((1, 4, 30))
    u, v = rises_and_falls(rates, AffinitySettings(kind=kind))
    first, second = pair_index(4)
    a, b = rates[0, first], rates[0, second]
    size = np.sqrt(np.abs(a * b)) if kind == "geo" else np.abs(a * b)
    expected = np.where(a * b > 0, size, 0)
    found = u[0, first] * u[0, second] + v[0, first] * v[0, second]
    np.testing.assert_allclose(found, expected, atol=1e-12)


@given(n=st.integers(4, 60), sd=st.floats(0, 4), step=st.integers(1, 7))
def test_filter_averages(n: int, sd: float, step: int) -> None:
    filter_ = time_filter(n, sd, step)
    assert filter_.shape == (-(-n // step), n)
    np.testing.assert_allclose(filter_.sum(axis=1), 1)
    np.testing.assert_allclose(filter_ @ np.ones(n), 1)


def test_filter_is_the_gaussian_within_segments() -> None:
    values = np.random.default_rng(6).standard_normal(60)
    whole = time_filter(60, 2.0)
    middle = slice(12, 48)
    expected = gaussian_filter1d(values, 2.0, truncate=4.0)
    np.testing.assert_allclose((whole @ values)[middle], expected[middle], rtol=1e-6)
    halves = time_filter(60, 2.0, 1, np.array([[0, 30], [30, 60]]))
    assert not halves[:30, 30:].nnz
    assert not halves[30:, :30].nnz


def test_filter_without_width_picks_samples() -> None:
    np.testing.assert_array_equal(time_filter(5, 0.0).toarray(), np.eye(5))
    picked = time_filter(9, 0.0, 3) @ np.arange(9.0)
    np.testing.assert_array_equal(picked, [1, 4, 7])
