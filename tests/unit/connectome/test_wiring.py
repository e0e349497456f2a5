"""Wiring is read from tables as people have them; agreement stands beside rewired diagrams."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from neuropipe.connectome.rewiring import rewired
from neuropipe.connectome.wiring import (
    compare_with_wiring,
    merge_wiring,
    read_wiring,
    undirected,
)
from neuropipe.errors import InputError, UnfitRecordingError

NAMES = [f"N{k:02d}" for k in range(30)]


def graph(seed, n=30, density=0.2):
    rng = np.random.default_rng(seed)
    weight = np.triu(rng.random((n, n)) < density, k=1) * rng.integers(1, 30, (n, n))
    return (weight + weight.T).astype(float)


def table(weight, names=NAMES):
    index = pd.Index(names, dtype=object)
    return pd.DataFrame(weight, index=index, columns=index)


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_matrices_and_lists_add_up(tmp_path):
    matrix = write(tmp_path / "a.csv", "Cols,AVA,AVB,M1\nAVA,,3,1\nRIM,2.5,,\n")
    listed = write(
        tmp_path / "b.csv", "\ufeffPost;Weight;Pre\nAVB;2;AVA\nAVB;1;AVA\nAVA;;RIM\nRIM;4;RIM\n"
    )
    found = read_wiring([matrix, listed])
    assert list(found.index) == list(found.columns) == ["AVA", "RIM", "AVB", "M1"]
    assert found.loc["AVA", "AVB"] == 6
    assert found.loc["RIM", "AVA"] == 2.5
    assert found.loc["RIM", "RIM"] == 4
    assert found.to_numpy().sum() == 13.5
    both = undirected(found)
    assert both.loc["AVB", "AVA"] == both.loc["AVA", "AVB"] == 6
    assert both.loc["RIM", "RIM"] == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no table"),
        ("Cols,A,B\n", "holds no table"),
        ("Cols,A,B\nA,1\n", "line 2 has 2 cells"),
        ("Cols,A,B\nA,1,x\n", "line 2 has the weight 'x'"),
        ("Cols,A,B\nA,1,-2\n", "line 2 has the weight '-2'"),
        ("Cols,A,B\n\nA,1,nan\n", "line 3 has the weight 'nan'"),
        ("Cols,A,A\nA,1,2\n", "column 'A' stands twice"),
        ("Cols,A,B\nA,1,2\nA,1,2\n", "row 'A' stands twice"),
        ("Cols,A,\nA,1,2\n", "a column has no name"),
        ("Cols,A,B\n,1,2\n", "a row has no name"),
        ("pre,post\nA,B\n", "the columns pre, post"),
        ("pre,post,weight\nA,,3\n", "line 2 lacks a unit"),
        ("pre,post,weight\nA,B,1e999\n", "line 2 has the weight"),
    ],
)
def test_tables_that_are_no_wiring(tmp_path, text, message):
    path = write(tmp_path / "bad.csv", text)
    with pytest.raises(InputError, match=message) as caught:
        read_wiring([path])
    assert "bad.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    for path in (tmp_path / "absent.csv", tmp_path):
        with pytest.raises(InputError, match=path.name):
            read_wiring([path])
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00A,B")
    with pytest.raises(InputError, match="utf-8"):
        read_wiring([tmp_path / "bytes.csv"])


def test_merged_units_sum_their_wiring():
    names = ["AVAL", "AVAR", "RIM"]
    wiring = table(np.array([[0, 1, 2], [3, 0, 4], [5, 6, 0]]), names)
    merged = merge_wiring(wiring, {"AVAL": "AVA", "AVAR": "AVA", "AIBL": "AIB"})
    assert list(merged.index) == ["AVA", "RIM"]
    assert merged.to_numpy().tolist() == [[4, 6], [11, 0]]
    assert undirected(merged).loc["AVA", "RIM"] == 17


@given(st.integers(0, 1000))
def test_rewiring_keeps_degrees_and_weights(seed):
    weight = graph(seed, n=12, density=0.4)
    if not weight.any():
        return
    upper = np.triu_indices(12, k=1)
    for drawn in rewired(weight, 3, np.random.default_rng(seed)):
        assert np.array_equal(drawn, drawn.T)
        assert not np.diag(drawn).any()
        assert np.array_equal((drawn > 0).sum(axis=0), (weight > 0).sum(axis=0))
        assert np.array_equal(np.sort(drawn[upper]), np.sort(weight[upper]))


def test_all_wirings_of_the_same_degrees_are_equally_likely():
    """Two-regular graphs of 6 nodes: 60 hexagons and 10 pairs of triangles."""
    ring = nx.to_numpy_array(nx.cycle_graph(6))
    whole = [
        nx.is_connected(nx.from_numpy_array(drawn))
        for drawn in rewired(ring, 4000, np.random.default_rng(0))
    ]
    assert np.mean(whole) == pytest.approx(60 / 70, abs=0.03)


def test_affinity_that_follows_wiring_is_told_from_one_that_does_not():
    weight = graph(0)
    noise = np.random.default_rng(1).standard_normal((30, 30))
    noise = noise + noise.T
    directed = table(np.triu(weight))
    follows = compare_with_wiring(weight + 5 * noise, NAMES, directed, n_shuffles=99, seed=0)
    assert follows.p_value == pytest.approx(0.01)
    assert follows.rho > follows.rho_null.max()
    assert follows.n_pairs == 435
    assert follows.n_units == 30
    assert follows.n_connections == np.count_nonzero(weight) // 2
    assert np.isnan(follows.share)
    assert np.isnan(follows.share_p_value)
    again = compare_with_wiring(weight + 5 * noise, NAMES, directed, n_shuffles=99, seed=0)
    assert np.array_equal(again.rho_null, follows.rho_null)


def test_degrees_alone_explain_nothing():
    """An affinity made of the units' numbers of partners is no evidence, though it correlates."""
    rng = np.random.default_rng(0)
    weight = np.zeros((30, 30))
    weight[:5, 5:] = rng.random((5, 25)) < 0.6
    weight = weight + weight.T + graph(2, density=0.05)
    degree = np.count_nonzero(weight, axis=0).astype(float)
    found = compare_with_wiring(
        np.outer(degree, degree), NAMES, table(weight), n_shuffles=199, seed=0
    )
    assert found.rho > 0.2
    assert found.rho < np.quantile(found.rho_null, 0.99) + 0.05
    assert found.rho_null.mean() > 0.2


def test_p_values_of_unrelated_affinities_are_uniform():
    p = []
    for seed in range(60):
        noise = np.random.default_rng(seed).standard_normal((30, 30))
        found = compare_with_wiring(
            noise + noise.T, NAMES, table(graph(seed + 100)), n_shuffles=39, seed=seed
        )
        p.append(found.p_value)
    assert np.mean(np.array(p) <= 0.1) < 0.2
    assert np.mean(p) == pytest.approx(0.5, abs=0.12)


def test_pairs_and_units_that_one_does_not_know_are_left_out():
    weight = graph(3)
    affinity = graph(4, density=1.0)
    affinity[2, 7] = affinity[7, 2] = np.nan
    names = ["X1", *NAMES[:20], "X2"]
    padded = np.pad(affinity[:20, :20], 1, constant_values=9.0)
    found = compare_with_wiring(padded, names, table(weight), n_shuffles=19, seed=0)
    assert found.n_units == 20
    assert found.n_pairs == 189
    rows, columns = np.triu_indices(20, k=1)
    known = np.isfinite(affinity[rows, columns])
    expected = spearmanr(affinity[rows, columns][known], weight[rows, columns][known])
    assert found.rho == pytest.approx(expected.statistic, abs=1e-12)


def test_communities_hold_synapses():
    group = np.repeat([0, 1, -1], 10)
    weight = graph(5, density=0.1)
    weight[:10, :10] += graph(6, n=10, density=0.8)
    found = compare_with_wiring(
        graph(7, density=1.0), NAMES, table(weight), n_shuffles=99, seed=0, communities=group
    )
    upper = np.triu(weight)
    expected = (upper[:10, :10].sum() + upper[10:20, 10:20].sum()) / upper.sum()
    assert found.share == pytest.approx(expected)
    assert found.share_p_value == pytest.approx(0.01)
    assert found.share > 1.3 * found.share_null.mean()


def test_wiring_of_other_units_is_refused():
    affinity = graph(0, density=1.0)
    with pytest.raises(UnfitRecordingError, match="names 4 of 30 units"):
        compare_with_wiring(affinity, NAMES, table(graph(1, n=4), NAMES[:4]), n_shuffles=9, seed=0)
    with pytest.raises(UnfitRecordingError, match="connects none"):
        compare_with_wiring(affinity, NAMES, table(np.zeros((30, 30))), n_shuffles=9, seed=0)
