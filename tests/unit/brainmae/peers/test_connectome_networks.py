"""Networks on connectivity matrices: their layers, the scales around them, and what they learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from torch.nn import functional

from neuropipe.brainmae.peers.connectome_layers import BrainNetCNN, EdgeToEdge, GraphTransformer
from neuropipe.brainmae.peers.connectome_networks import (
    LabelScale,
    MatrixScale,
    predict_from_connectomes,
)
from neuropipe.errors import InputError, UnfitRecordingError
from neuropipe.training.settings import OptimisationSettings

KINDS = ["cnn", "graph"]
N_ROIS = 20


def quick(**changes):
    base = {
        "learning_rate": 3e-3, "batch_size": 16, "max_steps": 100, "steps_per_epoch": 100,
        "device": "cpu", "threads": 1,
    }  # fmt: skip
    return OptimisationSettings.model_validate(base | changes)


def matrices(strength, seed=0, n=N_ROIS):
    """Noise around a mean matrix and, times each strength, a pattern of the first ROIs' edges."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((len(strength), n, n))
    side = np.zeros(n)
    side[:6] = [1, 1, 1, -1, -1, -1]
    pattern = np.outer(side, side)
    base = np.random.default_rng(99).standard_normal((n, n))
    x = noise + 2 * base + np.asarray(strength)[:, None, None] * pattern
    symmetric = (x + x.transpose(0, 2, 1)) / 2
    symmetric[:, np.arange(n), np.arange(n)] = np.inf
    return symmetric


def labelled(n_train, n_test, n_classes=2, seed=0):
    labels = np.arange(n_train + n_test) % n_classes
    x = matrices(0.8 * (labels - labels.mean()), seed)
    return x[:n_train], labels[:n_train], x[n_train:], labels[n_train:]


# Layers


@given(st.integers(0, 99), st.integers(1, 3), st.integers(2, 6))
@settings(max_examples=25, deadline=None)
def test_an_edge_becomes_the_sum_over_edges_that_share_a_roi(seed, channels, n):
    torch.manual_seed(seed)
    layer = EdgeToEdge(n, channels, 2)
    x = torch.randn(3, channels, n, n)
    rows, columns = layer.rows.weight[:, :, 0], layer.columns.weight[..., 0]
    from_row = torch.einsum("ock,bcik->boi", rows, x)[..., None]
    from_column = torch.einsum("ock,bckj->boj", columns, x)[:, :, None]
    wanted = from_row + from_column + layer.rows.bias[:, None, None]
    torch.testing.assert_close(layer(x), wanted, rtol=1e-4, atol=1e-5)


def test_the_transformer_tells_rois_by_their_weights_not_their_place():
    torch.manual_seed(0)
    network, twin = GraphTransformer(7, 3).eval(), GraphTransformer(7, 3).eval()
    twin.load_state_dict(network.state_dict())
    order = torch.randperm(7)
    with torch.no_grad():
        twin.node.copy_(network.node[order])
        twin.input.weight.copy_(network.input.weight[:, order])
        x = torch.randn(4, 7, 7)
        moved = x[:, order][:, :, order]
        torch.testing.assert_close(twin(moved), network(x), rtol=1e-4, atol=1e-5)
        assert (network(moved) - network(x)).abs().max() > 1e-3


def test_dropout_is_for_training_only():
    x = torch.randn(4, 7, 7)
    for network in (BrainNetCNN(7, 2), GraphTransformer(7, 2)):
        assert not torch.equal(network(x), network(x))
        network.eval()
        assert torch.equal(network(x), network(x))


# Scales


@given(st.integers(0, 99), st.booleans())
@settings(max_examples=20, deadline=None)
def test_training_matrices_get_unit_variance_and_no_diagonal(seed, centre):
    x = matrices(np.linspace(-1, 1, 9), seed, n=6)
    scaled = MatrixScale(x, centre=centre)(x).numpy()
    off = ~np.eye(6, dtype=bool)
    assert np.isclose((scaled[:, off] ** 2).mean(), 1, atol=1e-4)
    assert (scaled[:, ~off] == 0).all()
    if centre:
        np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-5)


def test_matrices_without_differences_or_values_are_refused():
    x = matrices(np.zeros(4))
    with pytest.raises(InputError, match="all the same"):
        MatrixScale(np.stack([x[0], x[0]]), centre=True)
    x[1, 0, 3] = np.nan
    with pytest.raises(InputError, match="missing values"):
        MatrixScale(x, centre=True)


def test_classes_weigh_the_same():
    labels = np.array([0] * 9 + [1] * 3)
    scale = LabelScale(labels, 2)
    outputs = torch.randn(12, 2, generator=torch.Generator().manual_seed(0))
    each = functional.cross_entropy(outputs, scale(labels), reduction="none")
    wanted = (each[:9].mean() + each[9:].mean()) / 2
    torch.testing.assert_close(scale.loss(outputs, scale(labels)), wanted)


def test_decisions_have_the_shape_and_unit_of_their_target():
    outputs = np.array([[1.0, 3.0], [2.0, -1.0]])
    np.testing.assert_array_equal(LabelScale(np.array([0, 1]), 2).decisions(outputs), [2, -3])
    assert LabelScale(np.array([0, 1, 2]), 3).decisions(np.ones((4, 3))).shape == (4, 3)
    ages = LabelScale(np.array([20.0, 40.0]), 0)
    np.testing.assert_allclose(ages.decisions(np.array([[0.0], [-1.0]])), [30, 20])
    np.testing.assert_allclose(ages(np.array([20.0, 40.0])), [-1, 1])


def test_labels_that_teach_nothing_are_refused():
    with pytest.raises(UnfitRecordingError, match="class 1 has no training run"):
        LabelScale(np.array([0, 2, 0]), 3)
    with pytest.raises(UnfitRecordingError, match="the same number"):
        LabelScale(np.full(5, 3.0), 0)


# Prediction


@pytest.mark.parametrize("kind", KINDS)
def test_two_classes_are_told_apart(kind):
    train_x, train_y, test_x, test_y = labelled(80, 40)
    found = predict_from_connectomes(
        kind, train_x, train_y, test_x, n_classes=2, settings=quick(), seed=0
    )
    assert found.shape == (40,)
    assert roc_auc_score(test_y, found) > 0.9
    # the second class is the positive one, and 0 parts them
    assert np.mean((found > 0) == (test_y == 1)) > 0.75


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_come_in_their_unit(kind):
    rng = np.random.default_rng(0)
    strength = rng.uniform(-1, 1, 120)
    x, y = matrices(strength), 50 + 20 * strength
    found = predict_from_connectomes(
        kind, x[:90], y[:90], x[90:], n_classes=0, settings=quick(max_steps=150), seed=0
    )
    assert found.shape == (30,)
    error, chance = np.abs(found - y[90:]).mean(), np.abs(y[:90].mean() - y[90:]).mean()
    assert error < 0.8 * chance


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_and_another_seed_something_else(kind):
    train_x, train_y, test_x, _ = labelled(24, 9, n_classes=3)
    kept = train_x.copy()
    first, second, other = (
        predict_from_connectomes(
            kind, train_x, train_y, test_x, n_classes=3, settings=quick(max_steps=5), seed=seed
        )
        for seed in (1, 1, 2)
    )
    assert first.shape == (9, 3)
    np.testing.assert_array_equal(first, second)
    assert not np.allclose(first, other)
    np.testing.assert_array_equal(train_x, kept)
