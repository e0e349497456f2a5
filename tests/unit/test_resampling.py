"""Intervals hold the truth as often as they say, over subjects and over blocks of time."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.errors import UnfitRecordingError
from neuropipe.stats.resampling import (
    bootstrap_interval,
    bootstrap_weights,
    jackknife_interval,
    paired_difference_interval,
    percentile_interval,
)


def test_bootstrap_interval_of_a_mean_is_near_the_t_interval():
    values = np.random.default_rng(0).standard_normal(60)
    low, high = bootstrap_interval(values, seed=1)
    reach = 2.0 * values.std(ddof=1) / np.sqrt(60)
    assert low == pytest.approx(values.mean() - reach, abs=0.06)
    assert high == pytest.approx(values.mean() + reach, abs=0.06)
    assert (low, high) == bootstrap_interval(values, seed=1)
    assert (low, high) != bootstrap_interval(values, seed=2)


def test_bootstrap_of_several_variables_keeps_rows_together():
    rng = np.random.default_rng(3)
    x = rng.standard_normal(80)
    rows = np.column_stack([x, x + 0.01 * rng.standard_normal(80)])

    def difference(a, b, axis=-1):
        return np.mean(a, axis=axis) - np.mean(b, axis=axis)

    low, high = bootstrap_interval(rows, difference)
    assert high - low < 0.01  # apart, the columns would give about 0.6


def test_interval_without_spread_is_a_point():
    assert bootstrap_interval(np.full(9, 2.0)) == (2.0, 2.0)


def test_too_few_subjects_are_refused():
    with pytest.raises(UnfitRecordingError, match="1 independent observation"):
        bootstrap_interval(np.array([1.0]))
    with pytest.raises(UnfitRecordingError):
        jackknife_interval(0.0, np.array([1.0]))
    with pytest.raises(UnfitRecordingError, match="without any defined"):
        percentile_interval(np.array([np.nan]))


def test_paired_difference_leaves_incomplete_subjects_out():
    rng = np.random.default_rng(4)
    first = rng.standard_normal(50)
    second = first - 0.5 + 0.1 * rng.standard_normal(50)
    second[3] = np.nan
    low, high = paired_difference_interval(first, second)
    assert 0.4 < low < 0.5 < high < 0.6


def test_bootstrap_weights_keep_strata():
    strata = np.array(["a"] * 3 + ["b"] * 7)
    weights = bootstrap_weights(10, 400, np.random.default_rng(0), strata=strata)
    assert np.all(weights[:, :3].sum(axis=1) == 3)
    assert np.all(weights[:, 3:].sum(axis=1) == 7)
    assert weights.mean(axis=0) == pytest.approx(np.ones(10), abs=0.2)


def test_families_are_drawn_whole():
    families = np.array(["b", "a", "a", "c", "b", "b"])
    weights = bootstrap_weights(6, 500, np.random.default_rng(1), groups=families)
    for family in "abc":
        drawn = weights[:, families == family]
        assert np.all(drawn == drawn[:, :1])
    assert np.all(weights[:, [0, 1, 3]].sum(axis=1) == 3)
    assert weights.mean(axis=0) == pytest.approx(np.ones(6), abs=0.15)


def test_intervals_over_families_hold_the_mean_and_over_subjects_do_not():
    rng = np.random.default_rng(2)
    families = np.repeat(np.arange(25), 4)
    held = {"families": 0, "subjects": 0}
    for _ in range(150):
        values = rng.standard_normal(25)[families] + 0.3 * rng.standard_normal(100)
        for name, groups in (("families", families), ("subjects", None)):
            weights = bootstrap_weights(100, 300, rng, groups=groups)
            low, high = percentile_interval(weights @ values / weights.sum(axis=1))
            held[name] += low <= 0 <= high
    assert held["families"] / 150 > 0.88
    assert held["subjects"] / 150 < 0.8


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_bootstrap_interval_keeps_its_coverage(method):
    rng = np.random.default_rng(3)
    held = 0
    for k in range(150):
        values = rng.standard_normal(30)
        low, high = bootstrap_interval(values, n_resamples=300, method=method, seed=k)
        held += low <= 0 <= high
    assert 0.87 <= held / 150 <= 0.99


def test_bootstrap_interval_of_a_constant_column_beside_a_varying_one():
    rows = np.column_stack([np.ones(20), np.arange(20.0)])

    def second(a, b, axis=-1):
        return np.mean(b, axis=axis)

    low, high = bootstrap_interval(rows, second)
    assert low < 9.5 < high


def test_a_wider_confidence_gives_a_wider_interval():
    draws = np.random.default_rng(4).standard_normal(4000)
    low, high = percentile_interval(np.append(draws, np.nan))
    assert (low, high) == pytest.approx((-1.96, 1.96), abs=0.12)
    narrow = percentile_interval(draws, confidence=0.5)
    assert narrow == pytest.approx((-0.674, 0.674), abs=0.06)


def test_jackknife_of_a_mean_is_the_t_interval():
    from scipy.stats import t

    x = np.random.default_rng(6).standard_normal(15)
    left_out = (x.sum() - x) / 14
    low, high = jackknife_interval(x.mean(), left_out)
    reach = t.ppf(0.975, 14) * x.std(ddof=1) / np.sqrt(15)
    assert (low, high) == pytest.approx((x.mean() - reach, x.mean() + reach))


def test_block_jackknife_holds_the_mean_of_a_slow_series():
    rng = np.random.default_rng(7)
    held = naive = 0
    for _ in range(200):
        x = rng.standard_normal(400)
        for k in range(1, 400):
            x[k] += 0.8 * x[k - 1]
        blocks = x.reshape(10, 40)
        left_out = (x.sum() - blocks.sum(axis=1)) / 360
        low, high = jackknife_interval(x.mean(), left_out)
        held += low <= 0 <= high
        low, high = jackknife_interval(x.mean(), (x.sum() - x) / 399)
        naive += low <= 0 <= high
    assert 0.88 <= held / 200 <= 0.99
    assert naive / 200 < 0.7
