"""Persistent homology of shapes whose loops are known, and its Gaussian null."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import pdist

from neuropipe.errors import InputError, SettingsError
from neuropipe.simulate.representations import figure_eights
from neuropipe.trsa.rdms import square, vectors
from neuropipe.trsa.topology.homology import (
    betti_curves,
    diagram_distances,
    largest_persistence,
    metric_like,
    persistence,
    persistence_images,
    persistence_vectors,
    total_persistence,
)

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


@given(seed=SEEDS, size=st.floats(0.001, 0.2), dimension=st.sampled_from([0, 1]))
@settings(max_examples=20)
def test_diagrams_move_no_more_than_distances_do(seed, size, dimension):
    """Stability (Cohen-Steiner et al. 2007): what makes noise on an RDM harmless to long bars."""
    rng = np.random.default_rng(seed)
    plain = pdist(rng.random((14, 2)))
    shaken = np.maximum(plain + size * rng.uniform(-1, 1, plain.shape), 0)
    diagrams = persistence(np.stack([plain, shaken])).diagrams
    moved = diagram_distances(diagrams, dimension)[0, 1]
    assert moved <= np.abs(shaken - plain).max() + 1e-6
    assert diagram_distances(diagrams, dimension, kind="wasserstein")[0, 1] >= moved - 1e-6


@given(seed=SEEDS)
@settings(max_examples=15)
def test_the_area_below_a_betti_curve_is_the_total_persistence(seed):
    diagrams = persistence(pdist(np.random.default_rng(seed).random((16, 2)))).diagrams
    thresholds = np.linspace(0, 2, 20001)
    area = betti_curves(diagrams, thresholds).sum() * (thresholds[1] - thresholds[0])
    assert area == pytest.approx(total_persistence(diagrams)[0], abs=0.01)


@given(seed=SEEDS)
@settings(max_examples=15)
def test_loops_are_counted_by_euler(seed):
    """Parts minus loops of a graph without triangles is nodes minus edges."""
    rng = np.random.default_rng(seed)
    far = np.full((10, 10), 2.0)
    left, right = np.meshgrid(range(5), range(5, 10))
    joined = rng.random(left.shape) < 0.4  # a bipartite graph has no triangle
    far[left[joined], right[joined]] = far[right[joined], left[joined]] = 1.0
    diagrams = persistence(vectors(far)).diagrams
    parts, loops = (betti_curves(diagrams, np.array([1.5]), k)[0, 0] for k in (0, 1))
    assert parts - loops == 10 - joined.sum()


def test_many_rdms_are_each_their_own():
    rng = np.random.default_rng(0)
    rdms = np.array([pdist(rng.random((10, 2))) for _ in range(4)])
    together = persistence(rdms).diagrams
    assert len(together) == 4
    for own, rdm in zip(together, rdms, strict=True):
        alone = persistence(rdm).diagrams[0]
        for one, two in zip(own, alone, strict=True):
            np.testing.assert_array_equal(one, two)
    assert len(persistence(rdms, max_dimension=0).diagrams[0]) == 1


def test_squared_distances_have_their_root_taken():
    points = np.random.default_rng(0).random((12, 3))
    plain = persistence(pdist(points)).diagrams[0]
    squared = persistence(pdist(points, "sqeuclidean"), squared=True).diagrams[0]
    for one, two in zip(plain, squared, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5)
    whole = persistence_vectors(pdist(points, "sqeuclidean"), squared=True)
    np.testing.assert_array_equal(whole, persistence_vectors(pdist(points)))


def test_images_of_wider_blur_are_flatter_and_reach_further():
    bar = [(np.empty((0, 2)), np.array([[1.0, 3.0]]))]
    narrow = persistence_images(bar, upper=4.0, n_pixels=20)[0]
    wide = persistence_images(bar, upper=4.0, n_pixels=20, width=1.0)[0]
    assert np.unravel_index(narrow.argmax(), (20, 20))[1] in (9, 10)  # length 2 of 4
    assert (narrow > 0.01).sum() < (wide > 0.01).sum()
