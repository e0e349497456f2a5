"""Autocorrelation is paid for: fewer effective frames, wider intervals, honest nulls."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from neuropipe.connectivity.timing import (
    autocorrelations,
    effective_samples,
    false_discoveries,
    halves,
    leave_block_out,
    mean_edge_null,
    n_blocks,
)
from neuropipe.stats.connectivity_matrices import correlation, edges, fisher_z, varying
from neuropipe.stats.permutation import draw_shifts, shift_columns


def _ar1(n_times, n_units, coefficient, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n_times, n_units))
    for t in range(1, n_times):
        x[t] = coefficient * x[t - 1] + np.sqrt(1 - coefficient**2) * x[t]
    return x


def test_autocorrelation_matches_its_definition():
    x = _ar1(60, 3, 0.7, 0)
    found = autocorrelations(x)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    n_lags = int(2 * np.sqrt(60))
    assert found.shape == (n_lags, 3)
    for lag in (1, 4, n_lags):
        expected = (z[:-lag] * z[lag:]).sum(axis=0) / 60
        taper = 0.5 * (1 + np.cos(np.pi * lag / (n_lags + 1)))
        assert found[lag - 1] == pytest.approx(expected * taper, abs=1e-10)


def test_effective_samples_of_known_processes():
    white = edges(effective_samples(_ar1(2000, 10, 0.0, 1)))
    assert np.median(white) > 1800
    slow = edges(effective_samples(_ar1(2000, 10, 0.8, 2)))
    # Bartlett: N (1 - a^2) / (1 + a^2) for two AR(1) series
    assert np.median(slow) == pytest.approx(2000 * (1 - 0.64) / (1 + 0.64), rel=0.2)
    alternating = edges(effective_samples(_ar1(500, 6, -0.9, 3)))
    assert alternating.max() <= 500


def test_edge_test_keeps_its_level_only_with_effective_samples():
    runs = [_ar1(200, 10, 0.85, seed) for seed in range(40)]
    z = np.concatenate([np.abs(fisher_z(edges(correlation(x)))) for x in runs])
    samples = np.concatenate([edges(effective_samples(x)) for x in runs])
    assert np.mean(z * np.sqrt(samples - 3) > 1.96) < 0.09
    assert np.mean(z * np.sqrt(197) > 1.96) > 0.25


def test_false_discoveries_match_scipy():
    rng = np.random.default_rng(4)
    z = 0.15 * rng.standard_normal(300)
    z[:40] += 0.4
    samples = np.full(300, 103.0)
    from scipy.stats import norm

    p = 2 * norm.sf(np.abs(z) * 10)
    expected = false_discovery_control(p) <= 0.05
    assert np.array_equal(false_discoveries(z, samples, 0.05), expected)
    assert not false_discoveries(np.full(5, 3.0), np.full(5, 3.0), 0.05).any()


def test_blocks_left_out_match_plain_correlations():
    x = _ar1(103, 5, 0.5, 5)
    found = leave_block_out(x, 7, edges)
    for block, row in zip(np.array_split(np.arange(103), 7), found, strict=True):
        assert row == pytest.approx(edges(correlation(np.delete(x, block, axis=0))))


def test_number_of_blocks_is_bounded():
    assert n_blocks(1200, 1 / 0.72, 30.0) == 28
    assert n_blocks(60, 1.0, 30.0) == 5
    assert n_blocks(100_000, 1.0, 10.0) == 40


def test_mean_edge_null_is_the_mean_of_shifted_matrices():
    x = _ar1(120, 6, 0.6, 6)
    null = mean_edge_null(x, 3, 10, np.random.default_rng(7))
    rng = np.random.default_rng(7)
    for value in null:
        shifted = shift_columns(x, draw_shifts(120, 6, 10, rng))
        assert value == pytest.approx(edges(correlation(shifted)).mean())


def test_halves():
    x = _ar1(81, 4, 0.3, 8)
    first, second = halves(x)
    assert first == pytest.approx(correlation(x[:40]))
    assert second == pytest.approx(correlation(x[40:]))
    x[:40, 2] = 1.0
    assert np.isnan(halves(x)[0][2, 0])


@pytest.mark.parametrize("level", [0.1, 0.3, 1.7, 1234.567])
def test_a_unit_that_is_flat_but_for_rounding_is_flat(level):
    x = _ar1(90, 4, 0.3, 9)
    x[:, 2] = level
    x[60:75, 2] = 5 * level  # active in one block of six only
    without = leave_block_out(x, 6, lambda matrix: matrix[2])
    assert np.array_equal(without[4][[0, 1, 3]], np.zeros(3))
    assert np.abs(without).max() <= 1 + 1e-9
    x = np.where(np.arange(90)[:, None] < 47, level, x)  # 47 times 0.1 is not 4.7
    assert np.isnan(halves(x)[0]).any()


def test_rounding_alone_is_no_variance():
    rng = np.random.default_rng(10)
    levels = rng.uniform(0.01, 1000, 200)
    flat = np.tile(levels, (61, 1))
    assert (flat.std(axis=0) > 0).any()  # what a test of the deviation would believe
    assert not varying(flat).any()
    assert np.isnan(
        halves(np.vstack([flat[:60], flat[:60] + rng.standard_normal((60, 200))]))[0][
            np.triu_indices(200, 1)
        ]
    ).all()
    flat[3] += 0.01 * levels
    assert varying(flat).all()
    flat[3] = np.nan
    assert not varying(flat).any()
