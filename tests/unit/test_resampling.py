"""Intervals hold the truth as often as they say, over subjects and over blocks of time."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.errors import UnfitRecordingError
from neuropipe.stats.resampling import (
    auroc_interval,
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
    with pytest.raises(UnfitRecordingError):
        auroc_interval(np.array([True, False, False]), np.arange(3.0))
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


def test_auroc_interval_agrees_with_plain_bootstrap():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(5)
    positive = np.arange(60) < 25
    scores = rng.standard_normal(60) + positive
    low, high = auroc_interval(positive, scores, n_resamples=3000)
    draws = []
    for _ in range(1500):
        chosen = np.concatenate([rng.choice(25, 25), 25 + rng.choice(35, 35)])
        draws.append(roc_auc_score(positive[chosen], scores[chosen]))
    assert low == pytest.approx(np.quantile(draws, 0.025), abs=0.02)
    assert high == pytest.approx(np.quantile(draws, 0.975), abs=0.02)


def test_jackknife_of_a_mean_is_the_t_interval():
    from scipy.stats import t

    x = np.random.default_rng(6).standard_normal(15)
    left_out = (x.sum() - x) / 14
    low, high = jackknife_interval(x.mean(), left_out)
    reach = t.ppf(0.975, 14) * x.std(ddof=1) / np.sqrt(15)
    assert (low, high) == pytest.approx((x.mean() - reach, x.mean() + reach))
