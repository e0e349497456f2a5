"""Kernels from noisy repeats: unbiased in their entries and in their norms."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.errors import UnfitRecordingError
from neuropipe.trsa.geometry.estimates import (
    KernelEstimate,
    crossvalidated_kernel,
    independent_kernels,
    kernel_of,
    split_half_kernel,
)
from neuropipe.trsa.geometry.kernels import centred, kernel_alignment, linear_kernel

N, P = 6, 40


def noisy(seed: int, n_repeats: int, noise: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    truth = np.random.default_rng(1000).standard_normal((N, P))
    draws = np.random.default_rng(seed).standard_normal((n_repeats, N, P))
    return truth, truth + noise * draws


def test_crossvalidated_kernel_is_the_mean_over_pairs_of_repeats() -> None:
    _, values = noisy(0, 4)
    pairs = [values[a] @ values[b].T for a in range(4) for b in range(4) if a != b]
    np.testing.assert_allclose(crossvalidated_kernel(values), np.mean(pairs, axis=0))


def test_missing_trials_leave_their_pairs_out() -> None:
    _, values = noisy(1, 4)
    values[2, 3] = np.nan
    found = crossvalidated_kernel(values)
    for i, j in ((0, 1), (3, 3), (3, 0)):
        pairs = [
            values[a, i] @ values[b, j]
            for a in range(4)
            for b in range(4)
            if a != b and np.isfinite([values[a, i, 0], values[b, j, 0]]).all()
        ]
        assert found[i, j] == pytest.approx(np.mean(pairs))


@pytest.mark.parametrize("estimate", [crossvalidated_kernel, split_half_kernel])
def test_kernels_are_unbiased_where_the_plain_one_is_not(estimate) -> None:
    found, plain = [], []
    for seed in range(300):
        truth, values = noisy(seed, 4)
        found.append(estimate(values))
        plain.append(linear_kernel(values.mean(axis=0)))
    expected = linear_kernel(truth)
    error = np.std(found, axis=0) / np.sqrt(len(found))
    assert (np.abs(np.mean(found, axis=0) - expected) < 4.5 * error).all()
    excess = np.diag(np.mean(plain, axis=0) - expected)
    np.testing.assert_allclose(excess, P * 2.0**2 / 4, rtol=0.2)


def test_many_splits_approach_all_pairs() -> None:
    _, values = noisy(2, 4)
    splits = split_half_kernel(values, n_splits=400)
    whole = crossvalidated_kernel(values)
    assert np.abs(splits - whole).max() < 0.1 * np.abs(whole).max()


def test_products_of_independent_kernels_are_unbiased() -> None:
    truth, _ = noisy(0, 6)
    expected = (centred(linear_kernel(truth)) ** 2).sum()
    crossed, squared = [], []
    for seed in range(300):
        _, values = noisy(seed, 6)
        one, two = np.moveaxis(centred(independent_kernels(values, n_splits=3, seed=seed)), 1, 0)
        crossed.append((one * two).sum(axis=(1, 2)).mean())
        squared.append((centred(crossvalidated_kernel(values)) ** 2).sum())
    error = np.std(crossed) / np.sqrt(len(crossed))
    assert abs(np.mean(crossed) - expected) < 4 * error
    assert np.mean(squared) > expected + 4 * error


def test_halves_share_no_repeat() -> None:
    """A kernel of a half does not change with the repeats of the other."""
    _, values = noisy(3, 6)
    before = independent_kernels(values, n_splits=1)[0]
    changes = []
    for k in range(6):
        other = values.copy()
        other[k] += 1
        after = independent_kernels(other, n_splits=1)[0]
        changes.append([not np.allclose(after[h], before[h]) for h in (0, 1)])
    assert (np.sum(changes, axis=1) == 1).all()
    assert np.sum(changes, axis=0).tolist() == [3, 3]


def test_repeats_that_cannot_be_halved_are_refused() -> None:
    _, values = noisy(4, 3)
    with pytest.raises(UnfitRecordingError, match="halved"):
        independent_kernels(values)
    values[1:, 0] = np.nan
    with pytest.raises(UnfitRecordingError, match="condition 0"):
        crossvalidated_kernel(values)


def test_the_best_kernel_depends_on_the_repeats() -> None:
    _, values = noisy(5, 5)
    single = kernel_of(values[0])
    np.testing.assert_allclose(single.matrix, linear_kernel(values[0]))
    assert single.halves is None
    few = kernel_of(values[:3])
    np.testing.assert_allclose(few.matrix, crossvalidated_kernel(values[:3]))
    assert few.halves is None
    many = kernel_of(values, n_splits=7)
    assert many.halves is not None
    assert many.halves.shape == (7, 2, N, N)


@pytest.mark.parametrize("unbiased", [False, True])
def test_alignment_without_noise_is_plain_cka(unbiased: bool) -> None:
    truth, _ = noisy(0, 1)
    other = np.random.default_rng(5).standard_normal((N, 3))
    repeats = np.stack([truth] * 4)
    expected = KernelEstimate(linear_kernel(truth)).align(
        KernelEstimate(linear_kernel(other)), unbiased=unbiased
    )
    found = kernel_of(repeats).align(kernel_of(other), unbiased=unbiased)
    assert found == pytest.approx(float(expected))


def test_noise_lowers_the_plain_alignment_only() -> None:
    rng = np.random.default_rng(0)
    truth = rng.standard_normal((N, 2)) @ rng.standard_normal((2, 2000))
    values = truth + 4 * rng.standard_normal((8, N, 2000))
    target = linear_kernel(truth[:, :1])
    exact = kernel_alignment(linear_kernel(truth), target)
    plain = kernel_alignment(linear_kernel(values.mean(axis=0)), target)
    corrected = kernel_of(values).align(KernelEstimate(target), unbiased=False)
    assert abs(plain - exact) > 0.08
    assert abs(corrected - exact) < 0.04


def test_pure_noise_has_no_alignment() -> None:
    """Estimated norms of nothing scatter about zero: half of them give no value at all."""
    target = KernelEstimate(linear_kernel(np.arange(N, dtype=float)))
    found = []
    for seed in range(60):
        values = np.random.default_rng(seed).standard_normal((6, N, P))
        found.append(float(kernel_of(values, seed=seed).align(target)))
    assert 0.2 < np.isnan(found).mean() < 0.8
