"""Likeness of ROIs: an AUC that is scikit-learn's, and planted structure that is found."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import cosine_similarity as of_sklearn

from neuropipe.brainmae.similarity import cosine_similarity, pair_auc, roi_similarity
from neuropipe.stats.connectivity_matrices import edges
from neuropipe.stats.permutation import permutation_p_value
from tests.unit.brainmae.builders import network
from tests.unit.connectivity.builders import unit_table


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=4, max_size=40))
def test_auc_is_that_of_sklearn(pairs):
    values = np.array([value for value, _ in pairs], dtype=float)
    chosen = np.array([flag for _, flag in pairs])
    assume(0 < chosen.sum() < len(chosen))
    assert pair_auc(rankdata(values), chosen) == pytest.approx(roc_auc_score(chosen, values))


def test_cosine_is_that_of_sklearn():
    x = np.random.default_rng(0).standard_normal((7, 5))
    x[3] = 0
    assert cosine_similarity(x) == pytest.approx(of_sklearn(x))


def planted(seed: int, n_pairs: int = 8, spread: float = 0.3):
    """A model whose embeddings are one vector a network, and a smaller one a pair."""
    units = unit_table(n_pairs)
    generator = torch.Generator().manual_seed(seed)
    of_network = torch.randn(2, 16, generator=torch.Generator().manual_seed(99))
    of_pair = 0.5 * torch.randn(n_pairs, 16, generator=torch.Generator().manual_seed(98))
    noise = spread * torch.randn(2 * n_pairs, 16, generator=generator)
    pair = torch.arange(2 * n_pairs) // 2
    model = network(2 * n_pairs)
    model.embedding.data = of_network[pair % 2] + of_pair[pair] + noise
    return model, units


def test_planted_networks_and_homologues_are_found():
    models = [planted(seed)[0] for seed in range(3)]
    units = planted(0)[1]
    mean_z = edges(cosine_similarity(models[1].embedding.detach().numpy()))
    found = roi_similarity(models, units, mean_z, seed=0)
    assert [test.name for test in found.tests] == ["same network", "homologues"]
    for test, least, n in zip(found.tests, (0.95, 0.9), (2 * 28, 8), strict=True):
        assert test.auc > least
        assert test.n_pairs == n
        assert permutation_p_value(test.auc, test.null) <= 0.002
        assert test.null.mean() == pytest.approx(0.5, abs=0.02)
    assert found.agreement > 0.8
    assert found.with_connectivity > 0.8
    assert found.matrix == pytest.approx(
        cosine_similarity(models[0].embedding.detach().numpy()), abs=1e-6
    )


def test_agreement_leaves_out_the_final_model():
    first, other = planted(0)[0], planted(1)[0]
    mean_z = np.random.default_rng(0).standard_normal(16 * 15 // 2)
    units = planted(0)[1]
    twice = roi_similarity([other, first, first], units, mean_z, seed=0)
    assert twice.agreement == pytest.approx(1)
    assert np.isnan(roi_similarity([other, first], units, mean_z, seed=0).agreement)


def test_random_embeddings_are_at_chance():
    units = unit_table(10)
    p, mean_z = [], np.arange(190.0)
    for seed in range(12):
        found = roi_similarity([network(20, seed=seed)], units, mean_z, seed=0)
        p += [float(permutation_p_value(test.auc, test.null)) for test in found.tests]
    assert np.mean(np.array(p) < 0.05) < 0.2
    assert np.mean(p) == pytest.approx(0.5, abs=0.2)


def test_nothing_is_tested_that_the_table_does_not_tell():
    units = pd.DataFrame(index=[f"roi{k}" for k in range(8)])
    assert roi_similarity([network()], units, np.arange(28.0), seed=0).tests == []


def test_rois_without_network_belong_to_none():
    units = unit_table(4)
    units["network"] = ["a", "a", "b", "b", "n/a", "n/a", "n/a", "n/a"]
    found = roi_similarity([network()], units, np.arange(28.0), seed=0)
    assert found.tests[0].n_pairs == 2


def test_a_variant_without_embeddings_has_none():
    assert roi_similarity([network(variant="possg")], unit_table(4), np.zeros(28), 0) is None
