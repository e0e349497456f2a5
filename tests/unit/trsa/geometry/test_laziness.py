"""Measures of how much learning changed a system."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuropipe.errors import InputError
from neuropipe.trsa.geometry.laziness import (
    gate_sign_changes,
    relative_weight_change,
    representation_alignment,
    session_change,
    singular_vector_overlap,
    tangent_kernel_alignment,
    task_alignment,
    weight_change,
)


def draws(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


@given(seed=st.integers(0, 50), scale=st.floats(0.1, 10))
def test_unchanged_kernels_align_at_any_scale(seed: int, scale: float) -> None:
    x = draws(seed, 8, 5)
    assert tangent_kernel_alignment(x @ x.T, scale * x @ x.T) == pytest.approx(1)
    assert representation_alignment(x, -scale * x) == pytest.approx(1)


def test_alignment_is_not_centred() -> None:
    x, y = draws(0, 8, 5) + 10, draws(1, 8, 5) + 10
    assert representation_alignment(x, y) > 0.9
    one, two = x @ x.T, y @ y.T
    expected = (one * two).sum() / np.linalg.norm(one) / np.linalg.norm(two)
    assert tangent_kernel_alignment(one, two) == pytest.approx(expected)


def test_weight_change_is_relative() -> None:
    w = draws(2, 4, 6)
    assert relative_weight_change(w, 1.5 * w) == pytest.approx(0.5)
    assert relative_weight_change(w, w) == 0
    assert np.isnan(relative_weight_change(0 * w, w))


def test_gates_that_flipped_are_counted() -> None:
    before = np.array([[1.0, -1], [2, 0.5]])
    after = np.array([[-0.1, -3], [2, 0.0]])
    assert gate_sign_changes(before, after) == 0.5
    assert gate_sign_changes(before, 3 * before) == 0


def test_task_alignment_of_labels_in_and_out_of_the_kernel() -> None:
    y = np.array([1.0, 1, -1, -1])
    assert task_alignment(np.outer(y, y), y) == pytest.approx(1)
    other = np.array([1.0, -1, 1, -1])
    assert task_alignment(np.outer(other, other), y) == pytest.approx(0)
    assert task_alignment(np.eye(4), y) == pytest.approx(0.5)


def test_several_outputs_add_up() -> None:
    x, y = draws(3, 9, 4), draws(4, 9, 3)
    kernel = x @ x.T
    expected = np.trace(y.T @ kernel @ y) / (np.linalg.norm(kernel) * np.trace(y.T @ y))
    assert task_alignment(kernel, y) == pytest.approx(expected)
    assert 0 <= expected <= 1
    with pytest.raises(InputError, match="one each"):
        task_alignment(kernel, y[:5])
    assert np.isnan(task_alignment(kernel, np.zeros(9)))


def test_ranks_of_weights_and_their_change() -> None:
    w = np.linalg.qr(draws(5, 10, 6))[0]
    moved = w + 3 * np.outer(draws(6, 10), draws(7, 6))
    found = weight_change(w, moved)
    assert found.rank_before == pytest.approx(6)
    assert found.rank_of_change == pytest.approx(1)
    assert found.rank_after < found.rank_before
    assert found.relative_change == pytest.approx(np.linalg.norm(moved - w) / np.linalg.norm(w))
    assert np.isnan(weight_change(w, w).rank_of_change)


def test_overlap_with_the_stimulus_space() -> None:
    axes = np.linalg.qr(draws(8, 20, 20))[0]
    covariance = axes[:, :3] @ np.diag([3.0, 2, 1]) @ axes[:, :3].T + 0.01 * np.eye(20)
    tuned = draws(9, 30, 3) @ axes[:, :3].T + 0.01 * draws(10, 30, 20)
    blind = draws(11, 30, 3) @ axes[:, 3:6].T
    overlap, chance = singular_vector_overlap(tuned, covariance, 3)
    assert overlap > 0.99
    assert chance == pytest.approx(0.15)
    assert singular_vector_overlap(blind, covariance, 3)[0] < 0.01
    scattered = [singular_vector_overlap(draws(s, 30, 20), covariance, 3)[0] for s in range(200)]
    assert np.mean(scattered) == pytest.approx(chance, abs=0.02)


@pytest.mark.parametrize(("n", "size"), [(0, 20), (31, 20), (3, 19)])
def test_impossible_overlaps_are_refused(n: int, size: int) -> None:
    with pytest.raises(InputError, match="directions"):
        singular_vector_overlap(draws(12, 30, 20), np.eye(size), n)


def sessions(noise: float = 1.0) -> dict[str, np.ndarray]:
    """The code turns from session to session; units are resampled in the last."""
    rng = np.random.default_rng(13)
    first, second = rng.standard_normal((2, 20, 300))
    means = {"1": first, "2": first, "3": 0.5 * first + second, "4": second}
    found = {name: m + noise * rng.standard_normal((6, *m.shape)) for name, m in means.items()}
    mixing = np.linalg.qr(rng.standard_normal((400, 300)))[0]
    resampled = first @ mixing.T
    found["5"] = resampled + noise * rng.standard_normal((6, *resampled.shape))
    return found


def test_sessions_are_compared_with_the_first() -> None:
    change = session_change(sessions(), n_resamples=100)
    plain = [a.debiased for a in change.alignments]
    assert plain[0] == 1
    assert plain[1] == pytest.approx(1, abs=0.1)
    assert plain[1] > plain[2] > plain[3]
    assert abs(plain[3]) < 0.15
    assert plain[4] == pytest.approx(1, abs=0.1)  # other units, the same geometry
    assert change.alignments[2].debiased_interval[1] < 0.9
    assert change.pattern_changes[0] == 0
    assert change.pattern_changes[1] < change.pattern_changes[3]
    assert np.isnan(change.pattern_changes[4])
    assert change.participation_ratios.shape == change.effective_ranks.shape == (5,)


def test_uncorrected_noise_would_look_like_change() -> None:
    noisy = sessions(noise=1.5)
    corrected = session_change({k: noisy[k] for k in ("1", "2")}, n_resamples=20)
    means = {k: noisy[k].mean(axis=0) for k in ("1", "2")}
    plain = session_change(means, n_resamples=20)
    assert plain.alignments[1].debiased < 0.6
    assert 0.8 < corrected.alignments[1].debiased < 1.2


def test_one_session_is_itself_and_none_is_refused() -> None:
    found = session_change({"only": draws(14, 4, 6, 9)}, n_resamples=5)
    assert found.alignments[0].plain == 1
    with pytest.raises(InputError, match="no session"):
        session_change({})
