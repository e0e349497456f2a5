"""The proofs on shapes and paths can fail."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from neuropipe.simulate.representations import figure_eights
from neuropipe.stats.checks import failures
from neuropipe.trsa.proofs import shapes
from neuropipe.trsa.rdms import square
from neuropipe.trsa.topology.geodesic import Geodesics


@pytest.fixture(scope="module")
def rows():
    return shapes.checks()


def test_shapes_pass(rows):
    assert not failures(rows), failures(rows)
    assert len({row.name for row in rows}) == len(rows) >= 13


def test_naive_geodesics_fail_where_ours_pass(monkeypatch):
    def naive(values, lower, upper):
        graph = shapes.geotopological(values, lower, upper)
        return Geodesics(shapes.naive_geodesic(graph)[None], np.ones(1, dtype=int))

    monkeypatch.setattr(shapes, "geodesic", naive)
    failed = {row.name for row in failures(shapes._shapes())}
    assert "shapes: naive geodesics are found out" in failed


def test_one_sided_neighbours_fail_where_ours_pass(monkeypatch):
    monkeypatch.setattr(shapes, "nearest_edges", shapes.naive_neighbours)
    failed = {row.name for row in failures(shapes._shapes())}
    assert "shapes: neighbour edges that change when points are renumbered" in failed


def test_paths_that_lose_zero_edges_fail(monkeypatch):
    whole = shapes.shortest_paths

    def lossy(weights, edges):
        return whole(weights, edges & (weights > 0))

    monkeypatch.setattr(shapes, "shortest_paths", lossy)
    assert failures(shapes._paths())[0].measured > 0.01


def test_transforms_of_values_fail(monkeypatch):
    def of_values(values, lower, upper):
        low, high = np.quantile(values, [lower, upper], axis=-1, keepdims=True)
        return np.clip((values - low) / np.maximum(high - low, 1e-12), 0, 1)

    monkeypatch.setattr(shapes, "geotopological", of_values)
    failed = {row.name for row in failures(shapes._invariances())}
    assert "transform: change under monotone rescaling" in failed
    assert "transform: (0, 1) against ranks" in failed


def test_random_graphs_have_zero_edges_and_parts():
    rng = np.random.default_rng(0)
    drawn = [shapes.random_graph(rng) for _ in range(30)]
    assert all(
        (weights == weights.T).all() and (edges == edges.T).all() for weights, edges in drawn
    )
    assert sum((edges & (weights == 0)).any() for weights, edges in drawn) > 5
    parts = [nx.number_connected_components(nx.from_numpy_array(e.astype(int))) for _, e in drawn]
    assert max(parts) > 1


def test_the_naive_graph_has_no_edge_between_the_nearest():
    graph = np.array([0.0, 1.0, 0.5])  # 0-1 glued, 1-2 at one half, 0-2 too far
    np.testing.assert_allclose(square(shapes.naive_geodesic(graph))[1, 2], 0.5)
    assert square(shapes.naive_geodesic(graph))[0, 1] == 0.5  # no path: as the longest
    ratios = shapes.shape_ratios()
    assert set(ratios) == {"RDM", "RGTM", "RGDM", "naive RGDM"}
    assert len(figure_eights()["flat8"]) == 50
