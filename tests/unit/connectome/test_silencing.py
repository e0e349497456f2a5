"""The driver of a motif ranks first, and a prediction that knows nothing is found out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuropipe.connectome.proofs import silencing as proof
from neuropipe.connectome.silencing import driver_rank, motif_strength, silencing_ranking
from neuropipe.simulate.calcium_hub import wiring
from neuropipe.simulate.settings import CalciumSimulation
from neuropipe.stats.checks import failures

LABELS = np.array([0, 0, 0, 1, 1, 1, 1, -1])


@pytest.fixture
def affinity():
    matrix = np.full((8, 8), 1.0)
    matrix[1, [0, 2]] = matrix[[0, 2], 1] = 5.0
    matrix[3, 7] = matrix[7, 3] = 100.0  # outside of any community
    np.fill_diagonal(matrix, 50.0)
    return matrix


def test_strength_counts_the_other_members_only(affinity):
    assert motif_strength(affinity, LABELS).tolist() == [6, 10, 6, 3, 3, 3, 3, 0]


def test_an_unknown_pair_counts_as_the_mean_of_the_known(affinity):
    affinity[3, 4] = affinity[4, 3] = np.nan
    assert motif_strength(affinity, LABELS).tolist() == [6, 10, 6, 3, 3, 3, 3, 0]
    affinity[3:7, 3:7] = np.nan
    assert motif_strength(affinity, LABELS).tolist() == [6, 10, 6, 0, 0, 0, 0, 0]


def test_ranking_is_over_all_communities(affinity):
    affinity[5, 6] = affinity[6, 5] = 7.5
    table = silencing_ranking(affinity, LABELS, list("abcdefgh"))
    assert list(table["unit"]) == ["b", "f", "g", "a", "c", "d", "e"]
    assert list(table["rank"]) == [1, 2, 3, 4, 5, 6, 7]
    assert list(table["rank_within"]) == [1, 1, 2, 2, 3, 3, 4]
    assert table.groupby("community")["share"].sum().tolist() == pytest.approx([1, 1])


def test_no_community_gives_no_candidates(affinity):
    assert silencing_ranking(affinity, np.full(8, -1), list("abcdefgh")).empty


def test_ties_and_missing_scores_count_against_the_driver():
    assert driver_rank(np.array([3.0, 1.0, 2.0]), 0) == 1
    assert driver_rank(np.zeros(5), 2) == 5
    assert driver_rank(np.array([1.0, np.nan, 0.0]), 1) == 3


@given(st.permutations(range(8)), st.integers(0, 2**31))
def test_the_order_of_units_does_not_matter(order, seed):
    weights = np.random.default_rng(seed).random((8, 8))
    weights = weights + weights.T
    moved = motif_strength(weights[np.ix_(order, order)], LABELS[order])
    assert np.allclose(moved, motif_strength(weights, LABELS)[order])


SMALL = {"design": "hub", "n_animals": 5, "duration": 120.0, "n_neurons": 40}


def test_the_driver_ranks_first_in_a_simulated_circuit():
    settings = CalciumSimulation(**SMALL, seed=1)
    hub = wiring(settings).hub
    assert driver_rank(proof.predict(settings).strength, hub) <= 3


def test_a_blind_prediction_fails_the_checks(monkeypatch):
    def blind(settings):
        score = np.random.default_rng(settings.seed).random(settings.n_neurons)
        return proof.Prediction(score, score, score)

    monkeypatch.setattr(proof, "predict", blind)
    monkeypatch.setattr(proof, "_N_KNOCKED_OUT", 2)
    assert len(failures(proof.checks())) == 2
