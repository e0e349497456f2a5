"""Trajectories between input and target, and the reliability of kernels."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.simulate.geometry import conditions
from neuropipe.trsa.geometry.alignment import alignment, alignment_trajectory, half_alignment
from neuropipe.trsa.geometry.estimates import KernelEstimate, kernel_of
from neuropipe.trsa.geometry.kernels import cka, kernel_alignment, linear_kernel

RNG = np.random.default_rng


def path(n_steps: int, n: int = 30, p: int = 60) -> tuple[np.ndarray, np.ndarray, dict]:
    """Representations that turn from the input into the target."""
    rng = RNG(0)
    inputs, targets = rng.standard_normal((n, 5)), rng.standard_normal((n, 2))
    axes = np.linalg.qr(rng.standard_normal((p, 7)))[0].T
    sides = inputs @ axes[:5], targets @ axes[5:]
    turns = np.linspace(0, 1, n_steps)
    return inputs, targets, {f"layer {t:.2f}": (1 - t) * sides[0] + t * sides[1] for t in turns}


def test_trajectory_goes_from_input_to_target() -> None:
    inputs, targets, layers = path(5)
    found = alignment_trajectory(layers, inputs, targets, n_resamples=50)
    assert found.steps == tuple(layers)
    for debiased in (False, True):
        points = found.points(debiased=debiased)
        assert points.shape == (5, 2)
        assert (np.diff(points[:, 0]) < 0).all()
        assert (np.diff(points[:, 1]) > 0).all()


def test_values_are_those_of_the_kernels() -> None:
    inputs, targets, layers = path(3)
    found = alignment_trajectory(layers, inputs, targets, n_resamples=10)
    middle = linear_kernel(list(layers.values())[1])
    points = found.points()[1]
    assert points[0] == pytest.approx(kernel_alignment(middle, linear_kernel(inputs)))
    assert points[1] == pytest.approx(kernel_alignment(middle, linear_kernel(targets)))
    debiased = found.points(debiased=True)[1, 0]
    assert debiased == pytest.approx(float(cka(middle, linear_kernel(inputs))))


def test_ellipses_are_covariances_of_the_draws() -> None:
    inputs, targets, layers = path(2)
    found = alignment_trajectory(layers, inputs, targets, n_resamples=300)
    covariances = found.covariances()
    assert covariances.shape == (2, 2, 2)
    assert covariances[0, 0, 0] == pytest.approx(found.inputs[0].draws[0].var(ddof=1))
    assert (np.linalg.eigvalsh(found.covariances(debiased=True)) >= 0).all()


def test_plain_alignment_with_an_unrelated_target_is_inflated() -> None:
    rng = RNG(1)
    one, two = (KernelEstimate(linear_kernel(rng.standard_normal((25, 800)))) for _ in range(2))
    found = alignment(one, two, n_resamples=300)
    assert found.plain > 0.8
    assert abs(found.debiased) < 0.2
    low, high = found.debiased_interval
    assert low < 0 < high
    assert found.interval[0] > 0.5


def test_interval_covers_the_population_value() -> None:
    """Kernels of stimuli drawn from one population: the true CKA is known."""
    mixing = RNG(2).standard_normal((4, 6))
    moments = mixing @ mixing.T
    truth = np.trace(moments) / np.sqrt(4 * np.trace(moments @ moments))
    covered = []
    for seed in range(60):
        x = RNG(100 + seed).standard_normal((60, 4))
        y = x @ mixing
        kernels = (KernelEstimate(linear_kernel(z)) for z in (x, y))
        low, high = alignment(*kernels, n_resamples=200, seed=seed).debiased_interval
        covered.append(low <= truth <= high)
    assert np.mean(covered) > 0.8


def test_repeats_are_used_to_correct_for_noise() -> None:
    variables = conditions(3)
    rng = RNG(3)
    clean = variables @ rng.standard_normal((3, 3000))
    noisy = clean + 6 * rng.standard_normal((8, *clean.shape))
    layers = {"clean": clean, "noisy": noisy, "mean": noisy.mean(axis=0)}
    points = alignment_trajectory(layers, variables, variables[:, 0], n_resamples=5).points()
    corrected, plain = np.abs(points[1:] - points[0])
    assert corrected[0] < 0.02 < 0.07 < plain[0]
    assert corrected[1] < 0.05


def test_same_seed_same_draws() -> None:
    inputs, targets, layers = path(1)
    one, two = (
        alignment_trajectory(layers, inputs, targets, n_resamples=20, seed=s) for s in (0, 0)
    )
    np.testing.assert_array_equal(one.inputs[0].draws, two.inputs[0].draws)
    other = alignment_trajectory(layers, inputs, targets, n_resamples=20, seed=1)
    assert (other.inputs[0].draws != one.inputs[0].draws).any()


def test_three_conditions_have_no_debiased_value() -> None:
    kernel = kernel_of(RNG(4).standard_normal((3, 5)))
    found = alignment(kernel, kernel, n_resamples=20)
    assert found.plain == pytest.approx(1)
    assert np.isnan(found.debiased)
    assert np.isnan(found.debiased_interval).all()


def test_halves_of_reliable_data_agree_and_of_noise_do_not() -> None:
    rng = RNG(5)
    clean = rng.standard_normal((12, 50))
    plain, debiased = half_alignment(clean + 0.1 * rng.standard_normal((6, 12, 50)), n_splits=10)
    assert plain.min() > 0.95
    assert debiased.min() > 0.95
    plain, debiased = half_alignment(rng.standard_normal((6, 12, 500)), n_splits=30)
    assert plain.mean() > 0.8  # few conditions of many units look alike by themselves
    assert abs(debiased.mean()) < 0.2


def test_splits_without_a_condition_are_nan() -> None:
    values = RNG(6).standard_normal((4, 8, 5))
    values[1:, 0] = np.nan
    plain, debiased = half_alignment(values, n_splits=5)
    assert np.isnan(plain).all()
    assert np.isnan(debiased).all()
