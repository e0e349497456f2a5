"""Small networks of the proofs: they learn, alone as in company."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.simulate.geometry import conditions, feature_task, student_task, xor_labels
from neuropipe.trsa.geometry.proofs.networks import train_linear, train_networks


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_an_exclusive_or_is_learnt(activation) -> None:
    inputs = conditions(3).astype(float)
    labels = xor_labels(conditions(3)[:, :2])[:, None]
    nets = train_networks(inputs, labels, [0, 1], activation=activation, n_steps=200)
    assert nets.accuracy(inputs, labels).min() == 1
    assert nets.hidden(inputs).shape == (2, 8, 100)
    if activation == "relu":
        assert nets.hidden(inputs).min() == 0
    else:
        assert np.abs(nets.hidden(inputs)).max() <= 1


def test_company_changes_nothing() -> None:
    inputs, labels = feature_task(60, 5, np.random.default_rng(0))
    together = train_networks(inputs, labels, [4, 5], activation="relu", n_hidden=9, n_steps=20)
    alone = train_networks(inputs, labels, [5], activation="relu", n_hidden=9, n_steps=20)
    np.testing.assert_allclose(together.weights[0][1], alone.weights[0][0], atol=1e-5)
    assert not np.allclose(together.weights[0][0], alone.weights[0][0], atol=1e-2)


def test_gain_sets_the_first_weights() -> None:
    inputs, labels = feature_task(20, 6, np.random.default_rng(1))
    nets = train_networks(
        inputs, labels, [0], activation="tanh", n_hidden=2000, gain=0.3, n_steps=0
    )
    assert nets.weights[0].std() == pytest.approx(0.3 / np.sqrt(6), rel=0.05)
    assert not nets.biases[0].any()


@pytest.mark.parametrize("norm", [0.1, 1.0, 5.0])
def test_linear_students_reach_their_teacher(norm: float) -> None:
    task = student_task(np.random.default_rng(2), norm=norm)
    student = train_linear(task)
    assert student.loss < 1e-3
    error = np.linalg.norm(student.second @ student.first - task.teacher)
    assert error < 0.1 * np.linalg.norm(task.teacher)


def test_what_is_not_learnt_says_so() -> None:
    task = student_task(np.random.default_rng(3), norm=0.1)
    assert train_linear(task, max_steps=2).loss > 0.5


def test_linear_training_is_gradient_flow() -> None:
    """W1 W1' - W2' W2 is conserved by the flow."""
    task = student_task(np.random.default_rng(4), norm=1.0)
    student = train_linear(task)
    before = task.first @ task.first.T - task.second.T @ task.second
    after = student.first @ student.first.T - student.second.T @ student.second
    assert np.linalg.norm(after - before) < 0.1 * np.linalg.norm(before)
