"""Gaussian clouds of matched covariance: what persistence is judged beside."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

from neuropipe.errors import InputError, SettingsError, UnfitRecordingError
from neuropipe.simulate.representations import figure_eights
from neuropipe.trsa.topology.homology import largest_persistence, persistence, total_persistence
from neuropipe.trsa.topology.homology_null import (
    embedding_variances,
    gaussian_clouds,
    homology_test,
)

SEEDS = st.integers(0, 2**32 - 1)


def circle(n: int) -> np.ndarray:
    angle = 2 * np.pi * np.arange(n) / n
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


@given(seed=SEEDS, n=st.integers(4, 20), p=st.integers(1, 6))
@settings(max_examples=20)
def test_embedding_has_the_variances_of_the_points(seed, n, p):
    points = np.random.default_rng(seed).standard_normal((n, p))
    found = embedding_variances(pdist(points))
    expected = np.sort(np.linalg.eigvalsh(np.atleast_2d(np.cov(points.T))))[::-1]
    rank = min(p, n - 1)
    np.testing.assert_allclose(found[:rank], expected[:rank], rtol=1e-6, atol=1e-9)
    assert (found[rank:] < 1e-6).all()


def test_clouds_have_their_variances():
    clouds = gaussian_clouds(np.array([4.0, 1.0]), 30, 200, np.random.default_rng(0))
    assert clouds.shape == (200, 435)
    assert (clouds**2).mean() == pytest.approx(2 * 5.0, rel=0.05)


def test_a_loop_stands_out_and_a_cloud_does_not():
    rng = np.random.default_rng(0)
    ring = circle(30) + 0.1 * rng.standard_normal((30, 2))
    found = homology_test(pdist(ring), rng, n_draws=99)
    assert found.p_largest == pytest.approx(0.01)
    assert found.largest > found.null_largest.max()
    assert (found.betti > found.band[1]).any()
    lengths = found.bars[:, 1] - found.bars[:, 0]
    assert lengths[0] == pytest.approx(found.largest)
    assert lengths.sum() == pytest.approx(found.total)
    assert (np.diff(lengths) <= 0).all()
    p_values = [
        homology_test(pdist(rng.standard_normal((20, 3)) * [3, 2, 1]), rng, n_draws=39).p_largest
        for _ in range(12)
    ]
    assert np.mean(p_values) > 0.25
    assert min(p_values) < 0.75


def test_squares_patterns_and_scale_lead_to_the_same_test():
    rng = np.random.default_rng(1)
    points = rng.standard_normal((25, 4))
    plain = homology_test(pdist(points), np.random.default_rng(2), n_draws=19)
    squared = homology_test(
        7 * pdist(points, "sqeuclidean"), np.random.default_rng(2), squared=True, n_draws=19
    )
    given_points = homology_test(
        pdist(points), np.random.default_rng(2), patterns=points, n_draws=19
    )
    for other in (squared, given_points):
        assert other.total == pytest.approx(plain.total, rel=1e-4)
        assert other.p_total == plain.p_total
        np.testing.assert_allclose(other.null_total, plain.null_total, rtol=1e-3)
    assert plain.n_clipped == 0


def test_impossible_inputs_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(UnfitRecordingError, match="zeros"):
        embedding_variances(np.zeros(6))
    with pytest.raises(UnfitRecordingError, match="zeros"):
        homology_test(np.zeros(6), rng, patterns=rng.random((4, 3)))
    with pytest.raises(SettingsError, match="0 clouds"):
        homology_test(np.ones(6), rng, n_draws=0)
    with pytest.raises(InputError, match="unknown pairs"):
        homology_test(np.array([1.0, np.nan, 2.0]), rng)


def test_distances_no_space_can_hold_lose_their_negative_axes():
    square_of_four = np.array([1.0, 1.0, 1.0, 3.0, 1.0, 1.0])  # 1-2 farther than by way of 0
    found = embedding_variances(square_of_four)
    assert (found > 0).all()
    assert len(found) < 3


def test_the_numbers_are_those_of_the_diagrams():
    distances = pdist(np.random.default_rng(3).random((18, 3)))
    found = homology_test(distances, np.random.default_rng(0), n_draws=19, n_steps=40)
    scaled = persistence(distances / np.sqrt((distances**2).mean())).diagrams
    assert found.total == pytest.approx(total_persistence(scaled)[0], rel=1e-6)
    assert found.largest == pytest.approx(largest_persistence(scaled)[0], rel=1e-6)
    assert found.p_total == (1 + (found.null_total >= found.total).sum()) / 20
    assert found.p_largest == (1 + (found.null_largest >= found.largest).sum()) / 20
    assert found.thresholds.shape == found.betti.shape == (40,)
    assert found.band.shape == (2, 40)
    assert (found.band[0] <= found.band[1]).all()
    assert found.betti[0] == found.betti[-1] == 0


def test_same_seed_same_clouds():
    distances = pdist(np.random.default_rng(3).random((12, 3)))
    one, two, other = (
        homology_test(distances, np.random.default_rng(seed), n_draws=19) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one.null_total, two.null_total)
    assert (one.null_total != other.null_total).any()
    assert one.total == other.total


def test_the_eights_have_more_shape_than_clouds():
    for name, points in figure_eights().items():
        found = homology_test(pdist(points), np.random.default_rng(0), n_draws=39)
        assert found.p_largest == pytest.approx(1 / 40), name
        assert found.largest > 1.3 * found.null_largest.max(), name


def test_parts_stand_out_where_conditions_cluster():
    rng = np.random.default_rng(0)
    centres = 6 * rng.standard_normal((4, 5))
    points = np.repeat(centres, 6, axis=0) + 0.3 * rng.standard_normal((24, 5))
    found = homology_test(pdist(points), rng, dimension=0, n_draws=39)
    assert found.dimension == 0
    assert found.p_largest == pytest.approx(1 / 40)


def test_negative_dissimilarities_are_counted():
    values = pdist(np.random.default_rng(0).random((10, 3)), "sqeuclidean") - 0.1
    found = homology_test(values, np.random.default_rng(0), squared=True, n_draws=19)
    assert found.n_clipped == (values < 0).sum() > 0


def test_false_positives_keep_their_level():
    rng = np.random.default_rng(0)
    p_values = np.array([
        homology_test(pdist(rng.standard_normal((16, 3)) * [2, 1, 1]), rng, n_draws=19).p_total
        for _ in range(100)
    ])  # fmt: skip
    # Level .2: within four standard errors of 100 tests.
    assert 0.04 <= (p_values <= 0.2).mean() <= 0.36
    assert 0.4 < p_values.mean() < 0.65
