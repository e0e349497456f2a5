"""Left-out pairs choose the form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from sklearn.metrics import adjusted_rand_score

from neuropipe.connectome.communities.blockmodel import block_model, block_sums
from neuropipe.connectome.communities.choice import (
    choose_form,
    drop_small,
    held_out_scores,
    pair_log_likelihood,
)
from neuropipe.connectome.communities.search import fit_blocks

from .builders import planted, random_graph, symmetric


def test_flags_are_obeyed():
    weights, _ = planted((10, 10))
    for kind in ("on", "off"):
        assert choose_form([weights], kind, n_runs=4, seed=0) == (kind == "on")


def test_unequal_degrees_ask_for_correction():
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1], 40)
    activity = np.exp(0.7 * rng.standard_normal(80))
    p = np.outer(activity, activity) * np.where(labels[:, None] == labels, 0.4, 0.05)
    scale = np.outer(activity, activity)
    weights = symmetric((rng.random(p.shape) < p) * rng.exponential(scale))
    plain, corrected = held_out_scores(weights, n_runs=4, seed=0).mean(axis=0)
    assert corrected > plain
    assert choose_form([weights], "held-out", n_runs=4, seed=0)
    found = fit_blocks(weights, degree_corrected=True, n_runs=4)
    assert adjusted_rand_score(labels, found.labels) > 0.9


def test_equal_units_do_without():
    weights, labels = planted((25, 20, 15), inside=0.6, outside=0.2, contrast=2.0)
    assert not choose_form([weights], "held-out", n_runs=4, seed=0)
    found = fit_blocks(weights, degree_corrected=False, n_runs=4)
    assert adjusted_rand_score(labels, found.labels) > 0.95


def test_scores_are_repeatable():
    weights = random_graph(25, 0)
    one, other = (held_out_scores(weights, n_runs=4, seed=3) for _ in range(2))
    assert np.array_equal(one, other)


def test_plain_prediction_is_the_posterior_mean():
    weights, labels = planted((8, 6), seed=4)
    weights[0, 1] = weights[1, 0] = np.nan
    model = block_model(weights, degree_corrected=False)
    m, n, _, _, w = np.moveaxis(block_sums(model, labels), -1, 0)
    probability = (m + 1) / (n + 2)
    for value in (0.0, 1.7):
        for i, j in ((0, 1), (2, 9), (9, 12)):
            wanted = weights.copy()
            wanted[i, j] = value
            found = pair_log_likelihood(model, labels, wanted)[i, j]
            r, s = labels[i], labels[j]
            expected = np.log1p(-probability[r, s])
            if value > 0:
                c = model.mean_weight
                rate = (m[r, s] + 1, w[r, s] + c)
                density = rate[0] * rate[1] ** rate[0] / (rate[1] + value) ** (rate[0] + 1)
                expected = np.log(probability[r, s]) + np.log(density)
            assert found == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("corrected", [False, True])
def test_predictions_are_probabilities(corrected):
    weights, labels = planted((8, 6), seed=4)
    model = block_model(weights, degree_corrected=corrected)

    def density(value):
        return np.exp(pair_log_likelihood(model, labels, np.full(weights.shape, value))[2, 9])

    mass = density(0.0) + quad(density, 1e-12, np.inf, limit=200)[0]
    assert mass == pytest.approx(1, abs=1e-6)


def test_small_weights_are_dropped_and_unknown_ones_kept():
    weights = symmetric(np.array([[0, 1e-4, 1.0], [0, 0, np.nan], [0, 0, 0]]))
    weights[2, 1] = weights[1, 2] = np.nan
    kept = drop_small(weights, 1e-3)
    assert kept[0, 1] == 0
    assert kept[0, 2] == 1
    assert np.isnan(kept[1, 2])
    assert drop_small(weights, 0.0)[0, 1] == 1e-4
