"""The rows of the validation table, and the oracles behind them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score

from neuropipe.simulate.stimuli_checks import checks
from neuropipe.simulate.stimuli_oracle import (
    direction_accuracy,
    edge_auc,
    geo_topological,
    identify_regions,
)
from neuropipe.stats.checks import failures


def test_every_claim_of_the_generators_holds():
    rows = checks()
    assert failures(rows) == []
    assert len({row.name for row in rows}) == len(rows) >= 20


def test_edge_auc_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    score, wired = rng.standard_normal((9, 9)), rng.random((9, 9)) < 0.3
    off = ~np.eye(9, dtype=bool)
    expected = roc_auc_score(wired[off], np.abs(score[off]))
    assert edge_auc(score, wired) == pytest.approx(expected)


def test_direction_counts_one_way_synapses_only():
    wired = np.array([[0, 1, 1], [0, 0, 1], [1, 0, 0]], bool)
    score = np.array([[0, 3.0, 1], [1, 0, -2], [9, 4, 0]])
    assert direction_accuracy(score, wired) == 0.5  # 0<-1 right, 1<-2 wrong, 0<->2 not counted


def test_plain_ranks_are_the_widest_cell_and_an_equal_cut_is_binary():
    v = np.random.default_rng(0).random((3, 50))
    rank = (rankdata(v, axis=-1) - 1) / 49
    np.testing.assert_allclose(geo_topological(v, 0, 1), rank)
    cut = geo_topological(v, 0.495, 0.505)
    assert ((cut > 0) & (cut < 1)).mean() < 0.05
    np.testing.assert_allclose(
        geo_topological(np.exp(5 * v), 0.2, 0.7), geo_topological(v, 0.2, 0.7)
    )


def test_identification_is_at_chance_for_noise_and_perfect_for_signal():
    rng = np.random.default_rng(0)
    assert identify_regions(rng.standard_normal((60, 8, 100))) == pytest.approx(1 / 8, abs=0.06)
    signal = rng.standard_normal((1, 8, 100)) + 0.1 * rng.standard_normal((10, 8, 100))
    assert identify_regions(signal) == 1.0
