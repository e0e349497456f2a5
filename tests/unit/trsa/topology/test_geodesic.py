"""Shortest paths against scipy, and the rules that make graphs of RDMs."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components, csgraph_from_dense, dijkstra
from scipy.spatial.distance import pdist

from neuropipe.errors import InputError, SettingsError
from neuropipe.trsa.rdms import square, vectors
from neuropipe.trsa.topology import geodesic as module
from neuropipe.trsa.topology.geodesic import geodesic, nearest_edges, shortest_edges, shortest_paths
from neuropipe.trsa.topology.transforms import geotopological, normalised_ranks

SEEDS = st.integers(0, 2**32 - 1)


def graph(rng: np.random.Generator, n: int, m: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Weights, a third of them zero, and few enough edges for several parts."""
    pairs = n * (n - 1) // 2
    weights = np.where(rng.random((m, pairs)) < 0.3, 0.0, rng.random((m, pairs)))
    return square(weights), square(rng.random((m, pairs)) < rng.uniform(0.3, 3) / n)


def oracle(weights: np.ndarray, edges: np.ndarray) -> np.ndarray:
    dense = np.where(edges, weights, np.inf)
    return dijkstra(csgraph_from_dense(dense, null_value=np.inf), directed=False)


def renumbered(pairs: np.ndarray, order: np.ndarray) -> np.ndarray:
    return vectors(square(pairs)[..., order[:, None], order])


@given(seed=SEEDS, n=st.integers(2, 25))
def test_paths_are_those_of_dijkstra(seed, n):
    weights, edges = graph(np.random.default_rng(seed), n)
    found = shortest_paths(weights, edges)
    for own, weight, edge in zip(found, weights, edges, strict=True):
        np.testing.assert_allclose(own, oracle(weight, edge), rtol=0, atol=1e-12)
    on_torch = shortest_paths(torch.as_tensor(weights), torch.as_tensor(edges))
    np.testing.assert_array_equal(on_torch.numpy(), found)


def test_zero_edges_glue_and_missing_edges_part():
    weights = square(np.array([0.0, 9.0, 9.0, 1.0, 9.0, 9.0]))  # 0-1 zero, 1-2 one, 3 alone
    edges = square(np.array([True, False, False, True, False, False]))
    paths = shortest_paths(weights, edges)
    assert paths[0, 1] == 0
    assert paths[0, 2] == 1
    assert np.isinf(paths[3, :3]).all()
    assert paths[3, 3] == 0


def test_threads_and_axes_do_not_matter():
    weights, edges = graph(np.random.default_rng(0), 40, 130)
    one = shortest_paths(weights, edges, n_threads=1)
    np.testing.assert_array_equal(shortest_paths(weights, edges, n_threads=3), one)
    shaped = shortest_paths(weights.reshape(13, 10, 40, 40), edges.reshape(13, 10, 40, 40))
    np.testing.assert_array_equal(shaped.reshape(one.shape), one)
    np.testing.assert_array_equal(shortest_paths(weights[7], edges[7]), one[7])


def test_single_precision_stays_on_torch():
    weights, edges = graph(np.random.default_rng(0), 12)
    found = shortest_paths(torch.as_tensor(weights).float(), torch.as_tensor(edges))
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), shortest_paths(weights, edges), rtol=1e-5)


@pytest.mark.parametrize("bad", [-0.1, np.nan])
def test_impossible_lengths_are_refused(bad):
    weights, edges = square(np.array([1.0, bad, 1.0])), np.ones((3, 3), dtype=bool)
    with pytest.raises(InputError, match="negative or unknown"):
        shortest_paths(weights, edges)
    with pytest.raises(InputError, match="negative or unknown"):
        shortest_paths(torch.as_tensor(weights), torch.as_tensor(edges))
    edges[0, 2] = edges[2, 0] = False  # ignored where there is no edge
    assert np.isfinite(shortest_paths(weights, edges)).all()


@given(seed=SEEDS, upper=st.sampled_from([0.05, 0.1, 0.3, 1.0]))
def test_two_steps_are_transform_then_paths(seed, upper):
    values = np.random.default_rng(seed).integers(0, 30, (2, 66)).astype(float)
    found = geodesic(values, 0.0, upper, unreachable=2.0)
    graphs = geotopological(values, 0.0, upper)
    for own, n_parts, pairs in zip(found.distances, found.n_components, graphs, strict=True):
        edges = square(pairs < 1)
        expected = oracle(square(pairs), edges)
        longest = expected[np.isfinite(expected)].max()
        expected[np.isinf(expected)] = 2.0 * longest
        np.testing.assert_allclose(own, vectors(expected), atol=1e-12)
        assert n_parts == connected_components(edges)[0]


@given(seed=SEEDS, rule=st.sampled_from(["two-step", "p-shortest", "p-nearest", "k-nearest"]))
def test_order_of_conditions_does_not_matter(seed, rule):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 12, 66).astype(float)  # many ties
    amount = {"two-step": None, "k-nearest": 3.0}.get(rule, 0.2)
    order = rng.permutation(12)
    options = {"rule": rule, "amount": amount, "mutual": bool(seed % 2)}
    found = geodesic(values, 0.0, 0.2, **options)
    again = geodesic(renumbered(values, order), 0.0, 0.2, **options)
    np.testing.assert_allclose(again.distances[0], renumbered(found.distances[0], order))
    assert (again.n_components == found.n_components).all()


def test_only_the_scale_of_ranks_enters_two_steps():
    values = np.random.default_rng(0).random((1, 66))
    bent = geodesic(np.exp(5 * values), 0.1, 0.4).distances
    np.testing.assert_allclose(bent, geodesic(values, 0.1, 0.4).distances)


def test_shortest_edges_keep_their_share_and_ties():
    values = np.array([[1.0, 2.0, 2.0, 3.0, 4.0, np.nan], [6.0, 5.0, 4.0, 3.0, 2.0, 1.0]])
    kept = shortest_edges(values, 0.4)  # 2 of 5 and 2 of 6
    np.testing.assert_array_equal(kept[0], [True, True, True, False, False, False])
    np.testing.assert_array_equal(kept[1], [False] * 4 + [True] * 2)
    assert not shortest_edges(values, 0.0).any()
    np.testing.assert_array_equal(shortest_edges(values, 1.0), np.isfinite(values))
    # .29 of 100 pairs are 29, though 0.29 * 100 is 28.999999999999996
    assert shortest_edges(np.arange(105.0)[None, :], 29 / 105).sum() == 29


def test_neighbours_by_either_or_both():
    points = np.array([[0.0], [1.0], [3.0], [7.0]])
    distances = pdist(points)
    either = square(nearest_edges(distances, 1))
    both = square(nearest_edges(distances, 1, mutual=True))
    np.testing.assert_array_equal(np.argwhere(np.triu(either)), [[0, 1], [1, 2], [2, 3]])
    np.testing.assert_array_equal(np.argwhere(np.triu(both)), [[0, 1]])
    assert not nearest_edges(distances, 0).any()
    assert nearest_edges(distances, 99).all()
    unknown = distances.copy()
    unknown[0] = np.nan
    assert not nearest_edges(unknown, 99)[0]


def test_rules_take_their_amount():
    values = pdist(np.random.default_rng(0).random((20, 3)))
    by_share = geodesic(values, rule="p-nearest", amount=0.15).distances
    by_number = geodesic(values, rule="k-nearest", amount=3).distances
    np.testing.assert_array_equal(by_share, by_number)
    whole = geodesic(values, rule="p-shortest", amount=1.0)
    np.testing.assert_allclose(whole.distances[0], values)  # a metric: the direct way is shortest
    assert whole.n_components[0] == 1
    empty = geodesic(values, rule="p-shortest", amount=0.0)
    assert empty.n_components[0] == 20
    assert (empty.distances == 0).all()
    clipped = geodesic(values - 0.5, rule="p-shortest", amount=1.0).distances
    assert (clipped >= 0).all()


def test_ranks_after_and_devices():
    values = np.random.default_rng(0).random((2, 66))
    plain = geodesic(values, 0.0, 0.3).distances
    ranked = geodesic(values, 0.0, 0.3, ranked=True).distances
    np.testing.assert_array_equal(ranked, normalised_ranks(plain))
    devices = ["cpu", "cpu:0"]  # the latter takes torch
    for device in devices + ["cuda"] * torch.cuda.is_available():
        np.testing.assert_array_equal(geodesic(values, 0.0, 0.3, device=device).distances, plain)


def test_unknown_pairs_have_paths():
    values = pdist(np.random.default_rng(0).random((8, 2)))
    values[3] = np.nan
    found = geodesic(values, 0.0, 1.0)
    assert np.isfinite(found.distances).all()
    assert found.n_components[0] == 1


@pytest.mark.parametrize(
    "options",
    [
        {"rule": "p-shortest"},
        {"rule": "k-nearest"},
        {"rule": "p-shortest", "amount": 1.2},
        {"rule": "p-nearest", "amount": -0.1},
        {"rule": "k-nearest", "amount": -1},
    ],
)
def test_impossible_amounts_are_refused(options):
    with pytest.raises(SettingsError):
        geodesic(np.arange(6.0), **options)


@given(seed=SEEDS, n=st.integers(2, 20))
def test_paths_make_a_metric_of_parts(seed, n):
    weights, edges = graph(np.random.default_rng(seed), n)
    paths = shortest_paths(weights, edges)
    np.testing.assert_array_equal(paths, paths.swapaxes(1, 2))
    assert (paths[:, range(n), range(n)] == 0).all()
    assert (paths <= np.where(edges | np.eye(n, dtype=bool), weights, np.inf)).all()
    # i to k by way of any j, among them i and k themselves
    shortest = (paths[:, :, :, None] + paths[:, None, :, :]).min(axis=2)
    np.testing.assert_allclose(shortest, paths, atol=1e-12)


@given(seed=SEEDS, n=st.integers(3, 20))
def test_another_edge_makes_no_path_longer(seed, n):
    rng = np.random.default_rng(seed)
    weights, edges = graph(rng, n)
    more = edges | square(rng.random((len(edges), n * (n - 1) // 2)) < 0.1)
    assert (shortest_paths(weights, more) <= shortest_paths(weights, edges)).all()
    np.testing.assert_allclose(
        shortest_paths(4 * weights, edges), 4 * shortest_paths(weights, edges)
    )


@given(seed=SEEDS, n=st.integers(2, 12))
def test_directed_paths_are_those_of_networkx(seed, n):
    rng = np.random.default_rng(seed)
    weights, edges = rng.integers(0, 5, (n, n)).astype(float), rng.random((n, n)) < 0.3
    network = nx.DiGraph()
    network.add_nodes_from(range(n))
    network.add_weighted_edges_from((i, j, weights[i, j]) for i, j in np.argwhere(edges))
    expected = np.full((n, n), np.inf)
    for source, lengths in nx.all_pairs_dijkstra_path_length(network):
        expected[source, list(lengths)] = list(lengths.values())
    np.testing.assert_array_equal(shortest_paths(weights, edges), expected)


def test_the_smallest_graphs():
    assert shortest_paths(np.zeros((2, 1, 1)), np.zeros((2, 1, 1), dtype=bool)).shape == (2, 1, 1)
    assert shortest_paths(np.zeros((0, 4, 4)), np.zeros((0, 4, 4), dtype=bool)).shape == (0, 4, 4)
    pair = geodesic(np.array([[3.0]]), 0.0, 1.0)  # one pair: constant, hence near
    np.testing.assert_array_equal(pair.distances, [[0.0]])
    np.testing.assert_array_equal(pair.n_components, [1])


@pytest.mark.parametrize(
    ("told", "own", "expected"),
    [("1", 8, 1), ("4", 8, 4), ("16", 8, 8), ("0", 8, 1), ("", 8, 8), ("2,1", 8, 8)],
)
def test_threads_are_those_allowed(monkeypatch, told, own, expected):
    monkeypatch.setenv("OMP_NUM_THREADS", told)
    monkeypatch.setattr(module.config, "NUMBA_NUM_THREADS", own)
    assert module._cores() == expected


@given(seed=SEEDS, k=st.integers(1, 11), mutual=st.booleans())
def test_neighbours_are_those_of_sorted_rows(seed, k, mutual):
    distances = pdist(np.random.default_rng(seed).random((12, 3)))
    matrix = square(distances)
    near = np.zeros((12, 12), dtype=bool)
    for i, row in enumerate(matrix):
        near[i, np.argsort(row)[1 : k + 1]] = True  # the first is the condition itself
    expected = near & near.T if mutual else near | near.T
    found = square(nearest_edges(distances, k, mutual=mutual))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("factor", [1.0, 1.5, 3.0])
def test_unreachable_pairs_lie_beyond_all_others(factor):
    points = np.array([[0.0], [1.0], [2.5], [99.0], [99.5]])  # two parts at any k of 1 or 2
    found = geodesic(pdist(points), rule="k-nearest", amount=1, unreachable=factor)
    matrix = square(found.distances[0])
    np.testing.assert_array_equal(found.n_components, [2])
    np.testing.assert_allclose(matrix[0, :3], [0, 1, 2.5])
    np.testing.assert_allclose(matrix[:3, 3:], 2.5 * factor)
