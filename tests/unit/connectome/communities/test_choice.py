"""Left-out pairs choose the form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from sklearn.metrics import adjusted_rand_score

from neuropipe.connectome.communities.blockmodel import block_model, block_sums
from neuropipe.connectome.communities.choice import choose_blocks, drop_small, pair_log_likelihood
from neuropipe.connectome.settings import CommunitySettings

from .builders import planted, random_graph, symmetric


def settings(kind, **more):
    return CommunitySettings(degree_correction=kind, n_runs=4, **more)


def test_flags_are_obeyed():
    weights, _ = planted((10, 10))
    for kind in ("on", "off"):
        choice = choose_blocks(weights, settings(kind))
        assert choice.blocks.degree_corrected == (kind == "on")
        assert choice.other is None
        assert choice.held_out.shape == (0, 2)


def test_unequal_degrees_ask_for_correction():
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1], 40)
    activity = np.exp(0.7 * rng.standard_normal(80))
    p = np.outer(activity, activity) * np.where(labels[:, None] == labels, 0.4, 0.05)
    scale = np.outer(activity, activity)
    weights = symmetric((rng.random(p.shape) < p) * rng.exponential(scale))
    choice = choose_blocks(weights, settings("held-out"))
    assert choice.blocks.degree_corrected
    assert not choice.other.degree_corrected
    assert choice.held_out[:, 1].mean() > choice.held_out[:, 0].mean()
    assert adjusted_rand_score(labels, choice.blocks.labels) > 0.9


def test_equal_units_do_without():
    weights, labels = planted((25, 20, 15), inside=0.6, outside=0.2, contrast=2.0)
    choice = choose_blocks(weights, settings("held-out"))
    assert not choice.blocks.degree_corrected
    assert adjusted_rand_score(labels, choice.blocks.labels) > 0.95


def test_choice_is_repeatable():
    weights = random_graph(25, 0)
    one, other = (choose_blocks(weights, settings("held-out"), 3) for _ in range(2))
    assert np.array_equal(one.held_out, other.held_out)
    assert np.array_equal(one.blocks.labels, other.blocks.labels)


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
