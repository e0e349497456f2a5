"""Planted representations: what is the same is the same, and the right statistic wins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import floyd_warshall
from scipy.spatial.distance import pdist, squareform

from neuropipe.simulate.representations import (
    EIGHTS,
    Design,
    cluster_memberships,
    cluster_regions,
    embedding,
    figure_eights,
    graph_regions,
    layout_regions,
    planted_regions,
    scaled_regions,
)
from neuropipe.simulate.stimuli_checks import shape_ratio
from neuropipe.simulate.stimuli_oracle import geo_topological, identify_regions


def vectors(activity: np.ndarray, metric: str = "euclidean") -> np.ndarray:
    """Distances of the first repeat, (s, r, pairs)."""
    return np.array([[pdist(region[0], metric) for region in subject] for subject in activity])


def accuracy(v: np.ndarray, low: float = 0.0, high: float = 1.0) -> float:
    return identify_regions(geo_topological(v, low, high))


def geodesic(v: np.ndarray, high: float) -> np.ndarray:
    """Shortest paths over the pairs below a quantile; equal points are joined, not cut."""
    length = geo_topological(v, 0.0, high)
    edges = np.where(length < 1, length + 1e-9, 0.0)
    paths = floyd_warshall(squareform(edges), directed=False)
    paths[np.isinf(paths)] = paths[np.isfinite(paths)].max()
    return squareform(paths, checks=False)


def test_eights_cross_shape_with_topology():
    shapes = figure_eights()
    assert tuple(shapes) == EIGHTS
    for name, points in shapes.items():
        crossing = np.linalg.norm(points[0] - points[25])
        assert crossing == pytest.approx(0.0 if not name.startswith("u") else 0.3, abs=1e-9)
    assert np.ptp(shapes["flat8"][:, 2]) == 0
    assert np.ptp(shapes["twist8"][:, 2]) > 0.5
    # Twisting keeps each point's distance from the long axis.
    for a, b in (("flat8", "twist8"), ("uflat8", "utwist8")):
        np.testing.assert_allclose(
            np.linalg.norm(shapes[a][:, 1:], axis=1), np.linalg.norm(shapes[b][:, 1:], axis=1)
        )


def test_distances_speak_of_shape_and_geodesics_of_topology():
    distances = {name: pdist(points) for name, points in figure_eights().items()}
    plain = shape_ratio(distances)
    graph = shape_ratio({n: geo_topological(v, 0, 0.075) for n, v in distances.items()})
    paths = shape_ratio({n: geodesic(v, 0.075) for n, v in distances.items()})
    assert plain > 2
    assert paths < 1
    assert plain > graph > paths


@given(seed=st.integers(0, 2**32), n_latents=st.integers(1, 10))
@settings(max_examples=20, deadline=None)
def test_channels_keep_distances_and_correlations(seed, n_latents):
    rng = np.random.default_rng(seed)
    latents = rng.standard_normal((12, n_latents))
    kept = latents @ embedding(n_latents, 40, rng, unit_variance=False)
    np.testing.assert_allclose(pdist(kept), pdist(latents), atol=1e-9)
    scaled = latents @ embedding(n_latents, 40, rng)
    np.testing.assert_allclose(scaled.mean(axis=1), 0, atol=1e-9)
    assert (scaled**2).mean() == pytest.approx((latents**2).mean())


def test_without_warp_and_noise_subjects_share_their_distances_and_regions_differ():
    activity = planted_regions(np.random.default_rng(0), Design(n_subjects=4))
    assert activity.shape == (4, 8, 1, 62, 100)
    assert activity.var() == pytest.approx(1.0, abs=0.1)
    for metric in ("euclidean", "correlation"):
        v = vectors(activity, metric)
        np.testing.assert_allclose(v, np.broadcast_to(v[:1], v.shape), rtol=1e-3, atol=1e-4)
        # Half of the latents are shared, so regions resemble each other without being the same.
        r = np.corrcoef(v[0])[np.triu_indices(8, 1)]
        assert 0.2 < r.mean() < 0.8
    for low, high in ((0, 1), (0.4, 0.6), (0, 0.2), (0.8, 1)):
        assert accuracy(vectors(activity), low, high) >= 0.95


def test_noise_has_its_level_and_repeats_are_independent():
    quiet = planted_regions(np.random.default_rng(0), Design(n_subjects=2), n_repeats=3)
    assert (quiet == quiet[:, :, :1]).all()
    loud = planted_regions(np.random.default_rng(0), Design(n_subjects=2), n_repeats=3, noise=4.0)
    within = loud.std(axis=2, ddof=1)
    assert np.sqrt((within**2).mean()) == pytest.approx(4.0, rel=0.01)
    a, b = (loud[:, :, i] - loud.mean(axis=2) for i in (0, 1))
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] == pytest.approx(-0.5, abs=0.02)


def test_warp_is_monotone_and_differs_between_subjects():
    straight = planted_regions(
        np.random.default_rng(0), Design(n_subjects=3, n_channels=8), n_latents=2
    )
    bent = planted_regions(
        np.random.default_rng(0), Design(n_subjects=3, n_channels=8), n_latents=2, warp=1.0
    )
    v = vectors(bent)
    assert np.abs(v[0] - v[1]).max() > 0.1
    # Ranks of distances survive better than the distances themselves, but not wholly.
    r = np.corrcoef(v[:, 0])[0, 1]
    assert 0.5 < r < 0.9999
    assert not np.allclose(straight, bent)


def test_noise_favours_ranks_over_topology_over_ends():
    """Of trsa.md: no threshold wins where distances are informative at every scale."""
    found = []
    for seed in range(2):
        activity = planted_regions(np.random.default_rng(seed), noise=4.0)
        v = vectors(activity, "correlation")
        cells = {"rank": (0, 1), "topology": (0.4, 0.6), "local": (0, 0.2), "global": (0.8, 1)}
        found.append({name: accuracy(v, *cell) for name, cell in cells.items()})
    for row in found:
        assert row["rank"] > row["topology"] > max(row["local"], row["global"])


def test_scale_alone_is_seen_by_raw_distances_only():
    v = vectors(scaled_regions(np.random.default_rng(0)))
    assert identify_regions(v) >= 0.8
    for low, high in ((0, 1), (0.4, 0.6), (0, 0.2)):
        assert accuracy(v, low, high) == pytest.approx(1 / 8, abs=0.05)


@pytest.mark.parametrize("seed", [0, 1])
def test_median_split_wins_where_only_sides_are_told(seed):
    warped = graph_regions(np.random.default_rng(seed), warp=1.0)
    assert accuracy(warped, 0.45, 0.55) - accuracy(warped) > 0.05
    straight = graph_regions(np.random.default_rng(seed), warp=0.0)
    assert accuracy(straight, 0.45, 0.55) - accuracy(straight) < 0.04


def test_graph_has_its_flips_and_magnitudes():
    v = graph_regions(np.random.default_rng(0), Design(n_subjects=40), warp=1.0, redrawn=0.0)
    far = v > 0.5
    common = far.mean(axis=(0, 1)) > 0.5
    assert (far != common).mean() == pytest.approx(0.25, abs=0.01)
    assert v.min() >= 0
    assert v.max() <= 1
    same = graph_regions(np.random.default_rng(0), Design(n_subjects=2), warp=0.0, flipped=0.0)
    assert (same[0] == same[1]).all()
    changed = (same[0, 0] > 0.5) != (same[0, 1] > 0.5)
    assert 0 < changed.mean() < 0.04


def test_median_split_loses_where_only_magnitudes_are_told():
    v = graph_regions(np.random.default_rng(0), warp=0.0, informative="magnitudes", noise=3.0)
    assert accuracy(v) - accuracy(v, 0.4, 0.6) > 0.02
    assert accuracy(v) - accuracy(v, 0, 0.2) > 0.1


@given(seed=st.integers(0, 2**32), n_regions=st.integers(2, 6), k=st.integers(2, 9))
@settings(max_examples=20, deadline=None)
def test_half_of_the_clusters_have_the_same_members_everywhere(seed, n_regions, k):
    members = cluster_memberships(n_regions, 62, k, np.random.default_rng(seed))
    sizes = [np.bincount(row, minlength=k) for row in members]
    assert all((size == sizes[0]).all() for size in sizes)
    assert np.ptp(sizes[0]) <= 1
    for cluster in range(k // 2):
        inside = members == cluster
        assert (inside == inside[0]).all()
    if k - k // 2 >= 2:
        assert len(np.unique(members, axis=0)) == n_regions


def test_neighbours_win_where_gaps_mean_nothing():
    for seed in range(2):
        v = vectors(cluster_regions(np.random.default_rng(seed)))
        assert accuracy(v, 0, 0.1) - accuracy(v) > 0.05
        assert accuracy(v, 0.45, 0.55) < accuracy(v)


def test_neighbours_lose_where_regions_share_clusters():
    v = vectors(layout_regions(np.random.default_rng(0)))
    assert accuracy(v) > 0.6
    assert accuracy(v) - accuracy(v, 0, 0.1) > 0.1
    # Without noise the clusters are those of every region.
    clean = layout_regions(np.random.default_rng(0), Design(n_subjects=1), noise=0.0, spread=0.05)
    near = vectors(clean)[0] < 0.2 * vectors(clean)[0].max()
    assert np.corrcoef(near)[0, 1] > 0.6


def test_same_seed_same_representations():
    for make in (planted_regions, scaled_regions, graph_regions, cluster_regions, layout_regions):
        a, b, c = (make(np.random.default_rng(s), Design(n_subjects=2)) for s in (0, 0, 1))
        np.testing.assert_array_equal(a, b)
        assert not np.array_equal(a, c)
