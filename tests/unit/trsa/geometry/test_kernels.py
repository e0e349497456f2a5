"""Kernels, HSIC and CKA against their definitions."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform

from neuropipe.errors import InputError
from neuropipe.trsa.geometry.kernels import (
    centred,
    cka,
    distances,
    hsic,
    kernel_alignment,
    linear_kernel,
    mean_over_distinct,
)


def draws(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def random_rotation(n: int, seed: int) -> np.ndarray:
    return np.linalg.qr(draws(seed, n, n))[0]


def test_linear_kernel_holds_inner_products() -> None:
    x = draws(0, 3, 5, 7)
    np.testing.assert_allclose(linear_kernel(x)[1, 2, 4], x[1, 2] @ x[1, 4])
    np.testing.assert_array_equal(linear_kernel(np.array([1, -1])), [[1, -1], [-1, 1]])


def test_centring_takes_the_mean_pattern_away() -> None:
    x = draws(1, 6, 4) + 3
    expected = linear_kernel(x - x.mean(axis=0))
    np.testing.assert_allclose(centred(linear_kernel(x)), expected, atol=1e-10)


def test_distances_are_those_of_the_patterns() -> None:
    x = draws(2, 6, 4)
    expected = squareform(pdist(x, "sqeuclidean"))
    np.testing.assert_allclose(distances(linear_kernel(x)), expected, atol=1e-10)


def test_alignment_is_the_cosine_of_centred_kernels() -> None:
    x, y = draws(3, 8, 5), draws(4, 8, 3)
    h = np.eye(8) - 1 / 8
    one, two = (h @ z @ z.T @ h for z in (x, y))
    expected = np.trace(one @ two) / np.sqrt(np.trace(one @ one) * np.trace(two @ two))
    assert kernel_alignment(x @ x.T, y @ y.T) == pytest.approx(expected)
    assert cka(x @ x.T, y @ y.T, unbiased=False) == pytest.approx(expected)


def test_alignment_can_leave_the_mean_in() -> None:
    x, y = draws(3, 8, 5) + 5, draws(4, 8, 3) + 5
    one, two = x @ x.T, y @ y.T
    expected = (one * two).sum() / np.linalg.norm(one) / np.linalg.norm(two)
    assert kernel_alignment(one, two, centre=False) == pytest.approx(expected)
    assert kernel_alignment(one, two) < expected


def test_a_constant_pattern_aligns_with_nothing() -> None:
    flat = linear_kernel(np.ones((5, 3)))
    assert np.isnan(kernel_alignment(flat, linear_kernel(draws(0, 5, 2))))
    assert np.isnan(cka(flat, linear_kernel(draws(0, 5, 2))))


@given(seed=st.integers(0, 200), scale=st.floats(0.01, 100))
def test_cka_ignores_rotation_scale_and_shift(seed: int, scale: float) -> None:
    x, y = draws(seed, 7, 5), draws(seed + 1, 7, 4)
    moved = scale * x @ random_rotation(5, seed) + draws(seed + 2, 5)
    for unbiased in (False, True):
        expected = cka(x @ x.T, y @ y.T, unbiased=unbiased)
        found = cka(moved @ moved.T, y @ y.T, unbiased=unbiased)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@given(seed=st.integers(0, 200))
def test_cka_ignores_the_order_of_conditions(seed: int) -> None:
    x, y = draws(seed, 7, 5), draws(seed + 1, 7, 4)
    order = np.random.default_rng(seed).permutation(7)
    expected = cka(x @ x.T, y @ y.T)
    assert cka(x[order] @ x[order].T, y[order] @ y[order].T) == pytest.approx(expected)


def test_unbiased_hsic_is_the_u_statistic() -> None:
    """Song et al. 2012: the mean over quadruples of distinct conditions."""
    x, y = draws(5, 6, 3), draws(6, 6, 2)
    k, m = x @ x.T, y @ y.T
    terms = [
        k[i, j] * m[i, j] + k[i, j] * m[q, r] - 2 * k[i, j] * m[i, q]
        for i, j, q, r in permutations(range(6), 4)
    ]
    assert hsic(k, m) == pytest.approx(np.mean(terms))


def test_unbiased_hsic_has_the_closed_form_of_song() -> None:
    n = 9
    x, y = draws(7, n, 3), draws(8, n, 30)
    k, m = x @ x.T, y @ y.T
    np.fill_diagonal(k, 0)
    np.fill_diagonal(m, 0)
    one = np.ones(n)
    value = np.trace(k @ m) + (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2))
    value = (value - 2 / (n - 2) * one @ k @ m @ one) / (n * (n - 3))
    assert hsic(x @ x.T, y @ y.T) == pytest.approx(value)


def test_hsic_estimates_the_squared_cross_covariance() -> None:
    mixing = np.array([[1.0, 0.0], [0.5, 2.0]])
    found = []
    for seed in range(2000):
        x = draws(seed, 6, 2)
        y = x @ mixing
        found.append(hsic(x @ x.T, y @ y.T))
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found) - (mixing**2).sum()) < 4 * error


def test_weights_are_repeats_of_conditions_for_the_biased_form() -> None:
    x, y = draws(9, 5, 3), draws(10, 5, 2)
    counts = np.array([2, 1, 0, 3, 1])
    rows = np.repeat(np.arange(5), counts)
    expected = hsic(x[rows] @ x[rows].T, y[rows] @ y[rows].T, unbiased=False)
    assert hsic(x @ x.T, y @ y.T, counts, unbiased=False) == pytest.approx(float(expected))


def test_a_condition_drawn_twice_never_meets_itself() -> None:
    x, y = draws(11, 6, 3), draws(12, 6, 2)
    k, m = x @ x.T, y @ y.T
    w = np.array([1.0, 2, 1, 0, 3, 1])
    total = weight = 0.0
    for i, j, q, r in permutations(range(6), 4):
        share = w[i] * w[j] * w[q] * w[r]
        total += share * (k[i, j] * m[i, j] + k[i, j] * m[q, r] - 2 * k[i, j] * m[i, q])
        weight += share
    assert hsic(k, m, w) == pytest.approx(total / weight)


@pytest.mark.parametrize("unbiased", [False, True])
def test_resamples_ignore_the_mean_pattern(unbiased: bool) -> None:
    x, y = draws(13, 8, 3), draws(14, 8, 2)
    weights = np.random.default_rng(0).multinomial(8, np.full(8, 1 / 8), size=20)
    expected = cka(x @ x.T, y @ y.T, weights, unbiased=unbiased)
    moved = linear_kernel(x + 50), linear_kernel(y - 20)
    np.testing.assert_allclose(cka(*moved, weights, unbiased=unbiased), expected, atol=1e-8)


def test_batches_of_weights_are_single_ones_together() -> None:
    x, y = draws(13, 8, 3), draws(14, 8, 2)
    weights = np.random.default_rng(0).multinomial(8, np.full(8, 1 / 8), size=(3, 4))
    together = hsic(x @ x.T, y @ y.T, weights)
    assert together.shape == (3, 4)
    assert together[2, 1] == pytest.approx(float(hsic(x @ x.T, y @ y.T, weights[2, 1])))


def test_fewer_than_four_distinct_conditions_give_nan() -> None:
    x = draws(15, 6, 3)
    weights = np.array([[2, 2, 2, 0, 0, 0], [1, 1, 1, 1, 1, 1]])
    found = hsic(x @ x.T, x @ x.T, weights)
    assert np.isnan(found[0])
    assert found[1] > 0


def test_debiased_cka_of_unrelated_data_is_near_zero_where_plain_is_near_one() -> None:
    plain, debiased = [], []
    for seed in range(40):
        k, m = (linear_kernel(draws(2 * seed + s, 20, 1000)) for s in (0, 1))
        plain.append(cka(k, m, unbiased=False))
        debiased.append(cka(k, m))
    assert np.mean(plain) > 0.9
    assert abs(np.mean(debiased)) < 0.03


def test_debiased_cka_of_equal_kernels_is_one() -> None:
    k = linear_kernel(draws(16, 8, 40))
    assert cka(k, 3 * k) == pytest.approx(1)


def test_different_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="kernels of shapes"):
        hsic(np.eye(4), np.eye(5))


def test_mean_over_distinct_is_what_it_says() -> None:
    a, b = distances(linear_kernel(draws(17, 6, 2))), distances(linear_kernel(draws(18, 6, 2)))
    expected = np.mean([a[i, j] * b[q, r] for i, j, q, r in permutations(range(6), 4)])
    assert mean_over_distinct(a, b) == pytest.approx(expected)
