"""The proof on planted graphs can fail."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.connectome.proofs import graphs
from neuropipe.simulate.graphs import planted_graph
from neuropipe.simulate.settings import GraphSimulation
from neuropipe.stats.checks import failures


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(graphs, "_SEEDS", range(13, 15))
    monkeypatch.setattr(graphs, "_RUNS", 2)
    monkeypatch.setattr(graphs, "CELLS", {"muw 0.5": {}, "muw 0.75": {"mixing_weights": 0.75}})


def test_block_models_pass_where_weights_say_little(few):
    rows = graphs.checks()
    assert len(rows) == 3
    assert not failures(rows)
    assert all(name in rows[0].detail for name in graphs.METHODS)


def test_blocks_at_random_are_found_out(few, monkeypatch):
    def shuffled(graph, *, n_runs):
        rng = np.random.default_rng(0)
        return np.array([0.1, 0.1, 0.3, 0.3, 0.3]) + 0.01 * rng.random(5)

    monkeypatch.setattr(graphs, "agreement", shuffled)
    assert len(failures(graphs.checks())) == 3


def test_agreement_is_one_where_weights_tell():
    graph = planted_graph(GraphSimulation(mixing_weights=0.25, seed=13))
    scores = graphs.agreement(graph, n_runs=3)
    assert scores.shape == (len(graphs.METHODS),)
    assert scores[2:4].min() > 0.95
    assert scores[:2].max() > 0.8
