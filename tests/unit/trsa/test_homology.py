"""Persistent homology of shapes whose loops are known, and its Gaussian null."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import pdist

from neuropipe.errors import InputError, SettingsError, UnfitRecordingError
from neuropipe.simulate.representations import figure_eights
from neuropipe.trsa.homology import (
    betti_curves,
    diagram_distances,
    largest_persistence,
    metric_like,
    persistence,
    persistence_images,
    persistence_vectors,
    total_persistence,
)
from neuropipe.trsa.homology_null import embedding_variances, gaussian_clouds, homology_test
from neuropipe.trsa.rdms import square, vectors

SEEDS = st.integers(0, 2**32 - 1)


def circle(n: int = 24, radius: float = 1.0) -> np.ndarray:
    angle = 2 * np.pi * np.arange(n) / n
    return radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


@given(seed=SEEDS)
@settings(max_examples=20)
def test_parts_die_at_the_joins_of_single_linkage(seed):
    distances = pdist(np.random.default_rng(seed).random((15, 3)))
    bars = persistence(distances).diagrams[0][0]
    assert (bars[:, 0] == 0).all()
    assert np.isinf(bars[:, 1]).sum() == 1
    joins = linkage(distances, "single")[:, 2]
    np.testing.assert_allclose(np.sort(bars[:, 1])[:-1], np.sort(joins), rtol=1e-6)


def test_a_circle_has_one_loop_and_two_circles_two():
    n, one = 24, circle()
    step = 2 * np.sin(np.pi / n)
    bars = persistence(pdist(one)).diagrams[0][1]
    assert len(bars) == 1
    # The loop closes when neighbours join and fills when chords span a third of the circle.
    np.testing.assert_allclose(bars[0], [step, np.sqrt(3)], rtol=1e-5)
    two = persistence(pdist(np.concatenate([one, one + np.array([5.0, 0.0])]))).diagrams
    assert len(two[0][1]) == 2
    assert total_persistence(two)[0] == pytest.approx(2 * (np.sqrt(3) - step), rel=1e-5)
    assert largest_persistence(two)[0] == pytest.approx(np.sqrt(3) - step, rel=1e-5)
    assert total_persistence(two, power=2)[0] == pytest.approx(2 * (np.sqrt(3) - step) ** 2)


def test_a_sphere_has_a_void():
    rng = np.random.default_rng(0)
    points = rng.standard_normal((60, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    diagrams = persistence(pdist(points), max_dimension=2).diagrams
    assert len(diagrams[0]) == 3
    lengths = np.sort(np.diff(diagrams[0][2], axis=1).ravel())
    assert lengths[-1] > 0.4
    assert (lengths[:-1] < 0.3).all()


def test_touching_eights_have_two_loops_and_untangled_one():
    for name, points in figure_eights().items():
        lengths = np.sort(np.diff(persistence(pdist(points)).diagrams[0][1], axis=1).ravel())
        # Strands that pass each other at .3 make one loop until they are joined.
        n_early = int((persistence(pdist(points)).diagrams[0][1][:, 0] < 0.28).sum())
        assert n_early == (1 if name.startswith("u") else 2), name
        assert lengths[-1] > 0.2


@given(seed=SEEDS)
@settings(max_examples=10)
def test_order_of_conditions_and_scale_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    distances = pdist(rng.random((12, 2)))
    order = rng.permutation(12)
    moved = vectors(square(distances)[order[:, None], order])
    one, two = persistence(distances).diagrams[0], persistence(moved).diagrams[0]
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(np.sort(a, axis=0), np.sort(b, axis=0))
    large = persistence(1000 * distances, relative=True).diagrams
    small = persistence(distances, relative=True).diagrams
    np.testing.assert_allclose(total_persistence(large), total_persistence(small), atol=1e-5)
    np.testing.assert_allclose(
        total_persistence(persistence(distances).diagrams, 0) / distances.max(),
        total_persistence(small, 0),
        rtol=1e-5,
    )


def test_negative_dissimilarities_are_clipped_and_counted():
    values = np.array([[-0.5, 1.0, 4.0], [0.0, 1.0, 9.0]])
    distances, n_clipped = metric_like(values, squared=True)
    np.testing.assert_array_equal(distances, [[0, 1, 2], [0, 1, 3]])
    np.testing.assert_array_equal(n_clipped, [1, 0])
    found = persistence(values, squared=True)
    np.testing.assert_array_equal(found.n_clipped, [1, 0])
    # Three conditions that break the triangle inequality: joined at 0 (no bar) and at 1.
    np.testing.assert_allclose(np.sort(found.diagrams[0][0][:, 1]), [1, np.inf])
    zeros = persistence(np.zeros((1, 6)), relative=True).diagrams[0]
    assert total_persistence([zeros], 0)[0] == 0
    assert zeros[1].shape == (0, 2)


def test_impossible_inputs_are_refused():
    with pytest.raises(InputError, match="unknown pairs"):
        persistence(np.array([1.0, np.nan, 2.0]))
    with pytest.raises(SettingsError, match="dimension 3"):
        persistence(np.ones(3), max_dimension=3)
    with pytest.raises(UnfitRecordingError, match="zeros"):
        embedding_variances(np.zeros(6))
    with pytest.raises(SettingsError, match="0 clouds"):
        homology_test(np.ones(6), np.random.default_rng(0), n_draws=0)


def test_betti_curves_count_living_bars():
    diagrams = [
        (np.array([[0.0, 1.0], [0.0, np.inf]]), np.array([[0.5, 1.0], [0.75, 2.0]])),
        (np.array([[0.0, np.inf]]), np.empty((0, 2))),
    ]
    at = np.array([0.0, 0.5, 0.75, 1.0, 3.0])
    np.testing.assert_array_equal(betti_curves(diagrams, at, 0), [[2, 2, 2, 1, 1], [1] * 5])
    np.testing.assert_array_equal(betti_curves(diagrams, at), [[0, 1, 2, 1, 0], [0] * 5])
    np.testing.assert_array_equal(largest_persistence(diagrams), [1.25, 0])


def test_images_weigh_bars_by_their_length():
    bar = np.array([[0.25, 1.0]])
    near = np.array([[0.25, 0.25 + 1e-9]])
    parts = np.empty((0, 2))
    images = persistence_images([(parts, bar), (parts, near), (parts, parts)], n_pixels=8)
    assert images.shape == (3, 8, 8)
    birth, length = np.unravel_index(images[0].argmax(), (8, 8))
    assert (birth, length) in {(1, 5), (2, 5), (1, 6), (2, 6)}
    assert images[1].max() < 1e-8
    assert (images[2] == 0).all()
    double = persistence_images([(parts, np.repeat(bar, 2, axis=0))], n_pixels=8)
    np.testing.assert_allclose(double[0], 2 * images[0])


def test_vectors_tell_circle_from_cloud_whatever_the_scale():
    rng = np.random.default_rng(0)
    circles = [circle() + 0.05 * rng.standard_normal((24, 2)) for _ in range(3)]
    clouds = [rng.standard_normal((24, 2)) for _ in range(3)]
    rdms = np.array([factor * pdist(own) for factor, own in zip((1, 9, 50) * 2, circles + clouds,
                                                               strict=True)])  # fmt: skip
    found = persistence_vectors(rdms, n_steps=30)
    assert found.shape == (6, 60)
    assert (found[:, 0] == np.sqrt(24)).all()
    gaps = np.linalg.norm(found[:, None] - found[None], axis=-1)
    assert gaps[:3, :3].max() < gaps[:3, 3:].min()


def test_distances_of_diagrams():
    parts = np.empty((0, 2))
    diagrams = [
        (parts, np.array([[0.0, 1.0]])),
        (parts, np.array([[0.0, 1.2]])),
        (parts, parts),
        (parts, parts),
    ]
    bottleneck = diagram_distances(diagrams)
    np.testing.assert_allclose(bottleneck, bottleneck.T)
    assert bottleneck[0, 1] == pytest.approx(0.2)
    assert bottleneck[0, 2] == pytest.approx(0.5)  # to the nearest point of the diagonal
    assert bottleneck[2, 3] == 0
    wasserstein = diagram_distances(diagrams, kind="wasserstein")
    assert wasserstein[0, 1] == pytest.approx(0.2)
    assert wasserstein[1, 2] > wasserstein[0, 2] > 0
    endless = [(np.array([[0.0, np.inf], [0.0, 1.0]]),), (np.array([[0.0, 1.0]]),)]
    assert diagram_distances(endless, 0)[0, 1] == 0


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
