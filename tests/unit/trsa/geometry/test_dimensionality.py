"""Participation ratio and effective rank, plain and corrected."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuropipe.errors import InputError, UnfitRecordingError
from neuropipe.simulate.geometry import factorised_geometry
from neuropipe.trsa.geometry.dimensionality import effective_rank, participation_ratio, spectrum


def box(n_variables: int, n_units: int = 60) -> np.ndarray:
    return factorised_geometry(n_variables, n_units, np.random.default_rng(0))


@pytest.mark.parametrize("k", [2, 3, 4])
def test_a_box_has_as_many_dimensions_as_edges(k: int) -> None:
    assert participation_ratio(box(k)) == pytest.approx(k)
    assert effective_rank(spectrum(box(k))) == pytest.approx(k)


def test_many_isotropic_patterns_fill_their_space() -> None:
    patterns = np.random.default_rng(1).standard_normal((5000, 12))
    assert participation_ratio(patterns) == pytest.approx(12, rel=0.02)
    assert effective_rank(spectrum(patterns)) == pytest.approx(12, rel=0.02)


def test_spectrum_is_that_of_the_covariance() -> None:
    patterns = np.random.default_rng(2).standard_normal((20, 6))
    expected = np.linalg.eigvalsh(np.cov(patterns.T, ddof=0))[::-1]
    np.testing.assert_allclose(spectrum(patterns), expected)
    assert spectrum(patterns[:4]).shape == (3,)


@given(seed=st.integers(0, 100), scale=st.floats(0.01, 100))
def test_ratio_ignores_rotation_scale_and_shift(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    patterns = rng.standard_normal((9, 5)) * [3, 2, 1, 0.5, 0.1]
    rotation = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    moved = scale * patterns @ rotation + rng.standard_normal(5)
    for correct in ("none", "stimuli"):
        expected = participation_ratio(patterns, correct=correct)
        assert participation_ratio(moved, correct=correct) == pytest.approx(expected, rel=1e-5)


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=20))
def test_effective_rank_lies_between_one_and_the_number(values: list[float]) -> None:
    rank = effective_rank(np.array(values))
    assert 1 - 1e-9 <= rank <= len(values) + 1e-9
    assert effective_rank(np.array([*values, 0.0])) == pytest.approx(rank)


def test_effective_rank_is_the_exponential_of_the_entropy() -> None:
    from scipy.stats import entropy

    values = np.array([5.0, 3, 1, 0.2])
    assert effective_rank(values) == pytest.approx(np.exp(entropy(values)))
    assert effective_rank(np.full(7, 2.0)) == pytest.approx(7)
    assert np.isnan(effective_rank(np.zeros(3)))
    with pytest.raises(InputError, match="spectrum"):
        effective_rank(np.array([1.0, -0.5]))


def test_noise_inflates_the_plain_ratio_only() -> None:
    clean = 8 * box(3, 200)
    plain, corrected = [], []
    for seed in range(15):
        values = clean + 2 * np.random.default_rng(seed).standard_normal((8, *clean.shape))
        plain.append(participation_ratio(values))
        corrected.append(participation_ratio(values, correct="trials", seed=seed))
    assert np.mean(plain) > 3.5
    assert np.mean(corrected) == pytest.approx(3, abs=0.1)


def test_few_stimuli_limit_the_plain_ratio_only() -> None:
    truth = 30.0
    plain, corrected = [], []
    for seed in range(40):
        patterns = np.random.default_rng(seed).standard_normal((20, 30))
        plain.append(participation_ratio(patterns))
        corrected.append(participation_ratio(patterns, correct="stimuli"))
    assert np.mean(plain) < 0.5 * truth
    assert np.median(corrected) == pytest.approx(truth, rel=0.15)


def test_both_corrections_together() -> None:
    spread = np.array([3.0, 3, 3, 3, 1, 1, 1, 1])
    truth = (spread**2).sum() ** 2 / (spread**4).sum()
    axes = np.linalg.qr(np.random.default_rng(0).standard_normal((100, 8)))[0].T
    found = {correct: [] for correct in ("none", "trials", "stimuli", "both")}
    for seed in range(20):
        rng = np.random.default_rng(seed)
        clean = (rng.standard_normal((25, 8)) * spread) @ axes
        values = clean + 0.8 * rng.standard_normal((6, *clean.shape))
        for correct, ratios in found.items():
            ratios.append(participation_ratio(values, correct=correct, n_splits=5))
    errors = {correct: abs(np.mean(ratios) - truth) for correct, ratios in found.items()}
    assert errors["both"] < 0.25
    assert errors["both"] == min(errors.values())


def test_isotropic_noise_alone_has_no_corrected_dimension() -> None:
    found = [
        participation_ratio(
            np.random.default_rng(seed).standard_normal((6, 8, 30)), correct="trials", seed=seed
        )
        for seed in range(30)
    ]
    assert np.isnan(found).mean() > 0.2


def test_what_cannot_be_corrected_is_refused() -> None:
    values = np.random.default_rng(3).standard_normal((3, 6, 5))
    with pytest.raises(UnfitRecordingError, match="halved"):
        participation_ratio(values, correct="trials")
    with pytest.raises(UnfitRecordingError, match="at least four"):
        participation_ratio(values[:, :3], correct="stimuli")
