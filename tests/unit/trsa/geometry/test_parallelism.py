"""Parallelism score, its search and its null."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuropipe.errors import InputError, UnfitRecordingError
from neuropipe.simulate.geometry import conditions, factorised_geometry, random_geometry
from neuropipe.trsa.geometry import parallelism
from neuropipe.trsa.geometry.dichotomies import balanced_dichotomies, matched_pairs
from neuropipe.trsa.geometry.dimensionality import participation_ratio
from neuropipe.trsa.geometry.estimates import crossvalidated_kernel
from neuropipe.trsa.geometry.kernels import linear_kernel
from neuropipe.trsa.geometry.parallelism import (
    parallelism_null,
    parallelism_score,
    parallelism_scores,
    random_rotations,
    rotated_kernels,
)

VARIABLES = conditions(3)
TABLE = pd.DataFrame(VARIABLES, columns=["a", "b", "c"])


def by_definition(patterns: np.ndarray, signs: np.ndarray) -> float:
    positive, negative = np.flatnonzero(signs == 1), np.flatnonzero(signs == -1)
    best = -np.inf
    for order in permutations(negative):
        steps = patterns[positive] - patterns[list(order)]
        steps = steps / np.linalg.norm(steps, axis=1, keepdims=True)
        best = max(best, np.mean([a @ b for a, b in combinations(steps, 2)]))
    return best


@given(seed=st.integers(0, 100))
def test_score_is_the_best_mean_cosine(seed: int) -> None:
    patterns = np.random.default_rng(seed).standard_normal((8, 5))
    signs = balanced_dichotomies(8)[seed % 35]
    found = parallelism_score(linear_kernel(patterns), signs)
    assert found == pytest.approx(by_definition(patterns, signs))


def test_a_box_is_parallel_in_its_variables_alone() -> None:
    kernel = linear_kernel(factorised_geometry(3, 20, np.random.default_rng(0)))
    scores = parallelism_scores(kernel, balanced_dichotomies(8))
    assert np.isclose(scores, 1).sum() == 3
    assert np.sort(scores)[-4] < 0.6


def test_a_given_pairing_is_used() -> None:
    patterns = random_geometry(3, 30, np.random.default_rng(1))
    kernel, signs = linear_kernel(patterns), VARIABLES[:, 0]
    pairs = matched_pairs(TABLE, "a")
    steps = patterns[pairs[:, 0]] - patterns[pairs[:, 1]]
    steps = steps / np.linalg.norm(steps, axis=1, keepdims=True)
    expected = np.mean([a @ b for a, b in combinations(steps, 2)])
    found = parallelism_score(kernel, signs, pairs=pairs)
    assert found == pytest.approx(expected)
    assert found <= parallelism_score(kernel, signs)


def test_matched_pairs_of_random_codes_are_not_parallel() -> None:
    scores = [
        parallelism_score(
            linear_kernel(random_geometry(3, 50, np.random.default_rng(seed))),
            VARIABLES[:, 1],
            pairs=matched_pairs(TABLE, "b"),
        )
        for seed in range(100)
    ]
    assert abs(np.mean(scores)) < 4 * np.std(scores) / 10


@given(seed=st.integers(0, 50), scale=st.floats(0.1, 10))
def test_rotation_scale_shift_and_side_change_nothing(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    patterns = rng.standard_normal((6, 4))
    signs = balanced_dichotomies(6)[seed % 10]
    moved = scale * patterns @ random_rotations(4, 1, rng)[0] + rng.standard_normal(4)
    expected = parallelism_score(linear_kernel(patterns), signs)
    assert parallelism_score(linear_kernel(moved), -signs) == pytest.approx(expected, abs=1e-9)


def test_search_finds_what_exhaustion_finds(monkeypatch) -> None:
    exact, searched = [], []
    rng = np.random.default_rng(2)
    kernels = [linear_kernel(rng.standard_normal((12, 6))) for _ in range(15)]
    signs = np.repeat([1, -1], 6)
    exact = [parallelism_score(k, signs) for k in kernels]
    monkeypatch.setattr(parallelism, "EXHAUSTIVE", 1)
    searched = [parallelism_score(k, signs) for k in kernels]
    assert (np.array(searched) <= np.array(exact) + 1e-9).all()
    assert np.isclose(searched, exact).mean() >= 0.8


def test_search_recovers_a_planted_pairing() -> None:
    rng = np.random.default_rng(3)
    base = 3 * rng.standard_normal((12, 40))
    order = rng.permutation(12)
    patterns = np.vstack([base, base[order] + 2 * rng.standard_normal(40)])
    kernel = linear_kernel(patterns)
    assert parallelism_score(kernel, np.repeat([-1, 1], 12)) == pytest.approx(1)


def test_noise_lowers_the_score_and_the_crossvalidated_kernel_mends_it() -> None:
    patterns = 10 * factorised_geometry(3, 400, np.random.default_rng(4))
    values = patterns + np.random.default_rng(5).standard_normal((8, 8, 400))
    signs, pairs = VARIABLES[:, 2], matched_pairs(TABLE, "c")
    plain = parallelism_score(linear_kernel(values.mean(axis=0)), signs, pairs=pairs)
    mended = parallelism_score(crossvalidated_kernel(values), signs, pairs=pairs)
    assert plain < 0.93
    assert mended == pytest.approx(1, abs=0.03)


def test_equal_patterns_have_no_score() -> None:
    patterns = np.random.default_rng(6).standard_normal((4, 5))
    patterns[2] = patterns[0]
    assert np.isnan(parallelism_score(linear_kernel(patterns), np.array([1, 1, -1, -1])))


def test_rotated_kernels_keep_the_spectrum() -> None:
    patterns = np.random.default_rng(7).standard_normal((8, 5)) * [5, 2, 1, 1, 1]
    kernels = rotated_kernels(linear_kernel(patterns), 10, np.random.default_rng(0))
    centred = patterns - patterns.mean(axis=0)
    expected = np.linalg.eigvalsh(centred @ centred.T)
    for kernel in kernels:
        np.testing.assert_allclose(np.linalg.eigvalsh(kernel), expected, atol=1e-9)
        np.testing.assert_allclose(kernel.sum(axis=0), 0, atol=1e-9)
    assert np.std([k[0, 1] for k in kernels]) > 0.1
    assert participation_ratio(patterns) > 1


def test_rotations_are_orthogonal_and_uniform() -> None:
    draws = random_rotations(3, 4000, np.random.default_rng(1))
    np.testing.assert_allclose(
        draws @ np.swapaxes(draws, 1, 2), np.tile(np.eye(3), (4000, 1, 1)), atol=1e-12
    )
    np.testing.assert_allclose(draws.mean(axis=0), 0, atol=0.04)
    np.testing.assert_allclose((draws**2).mean(axis=0), 1 / 3, atol=0.03)


def test_null_holds_for_random_codes_and_fails_for_boxes() -> None:
    signs = VARIABLES[:, 0]
    box = linear_kernel(factorised_geometry(3, 50, np.random.default_rng(8)))
    assert parallelism_null(box, signs, n_draws=100).max() < 0.99
    shares = []
    for seed in range(60):
        kernel = linear_kernel(random_geometry(3, 50, np.random.default_rng(seed)))
        null = parallelism_null(kernel, signs, n_draws=40, seed=seed)
        shares.append((null >= parallelism_score(kernel, signs)).mean())
    assert abs(np.mean(shares) - 0.5) < 0.15
    assert np.mean(np.array(shares) < 0.1) < 0.25


def test_unequal_sides_and_large_searches_are_refused() -> None:
    kernel = np.eye(6)
    with pytest.raises(InputError, match="balanced"):
        parallelism_score(kernel, np.array([1, 1, -1, -1, -1, -1]))
    with pytest.raises(UnfitRecordingError, match="matched pairs"):
        parallelism_score(np.eye(100), np.repeat([1, -1], 50))
