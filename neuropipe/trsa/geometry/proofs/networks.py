"""Small networks trained on tasks of known geometry: full batch, seeded, seconds on one core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from neuropipe.simulate.geometry import StudentTask

__all__ = ["LinearStudent", "Networks", "train_linear", "train_networks"]

Activation = Literal["tanh", "relu"]


@dataclass(frozen=True, eq=False)
class Networks:
    """Trained networks of one hidden layer, side by side.

    Parameters
    ----------
    activation : {"tanh", "relu"}
    weights, biases : (first, second)
        Of shapes (n_networks, n_in, n_out) and (n_networks, 1, n_out).
    """

    activation: Activation
    weights: tuple[np.ndarray, np.ndarray]
    biases: tuple[np.ndarray, np.ndarray]

    def hidden(self, inputs: np.ndarray) -> np.ndarray:
        """Activity after the nonlinearity, shape (n_networks, n, n_hidden)."""
        before = inputs @ self.weights[0] + self.biases[0]
        return np.asarray(np.tanh(before) if self.activation == "tanh" else np.maximum(before, 0))

    def accuracy(self, inputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Share of right signs, shape (n_networks, n_labels)."""
        answers = self.hidden(inputs) @ self.weights[1] + self.biases[1]
        return np.asarray(((answers > 0) == (labels > 0)).mean(axis=1))


def train_networks(
    inputs: np.ndarray,
    labels: np.ndarray,
    seeds: Sequence[int],
    *,
    activation: Activation,
    n_hidden: int = 100,
    gain: float = 0.3,
    n_steps: int = 400,
    learning_rate: float = 1e-2,
) -> Networks:
    """Train one network a seed to name labels of -1 and 1.

    Parameters
    ----------
    inputs : array of shape (n, n_inputs) or (n_networks, n, n_inputs)
    labels : array of shape (n, n_labels) or (n_networks, n, n_labels)
    seeds : sequence of int
        Of the initial weights.
    activation : {"tanh", "relu"}
    n_hidden : int
    gain : float
        Of the initial weights, whose variance is gain^2 / n_in; small gains learn features.
    n_steps : int
        Of Adam on the logistic loss, each on all inputs.
    learning_rate : float

    Returns
    -------
    Networks
        Each is what it would be if it were trained alone.
    """
    import torch
    from torch import nn

    b = len(seeds)
    x, y = (
        torch.as_tensor(np.broadcast_to(a, (b, *a.shape[-2:])).copy(), dtype=torch.float32)
        for a in (inputs, labels)
    )
    sizes = x.shape[-1], n_hidden, y.shape[-1]
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    first, second = (
        torch.stack([torch.randn(n_in, n_out, generator=g) for g in generators])
        .mul(gain / n_in**0.5)
        .requires_grad_()
        for n_in, n_out in (sizes[:2], sizes[1:])
    )
    biases = [torch.zeros(b, 1, n, requires_grad=True) for n in sizes[1:]]
    nonlinear = torch.tanh if activation == "tanh" else torch.relu
    optimiser = torch.optim.Adam([first, second, *biases], lr=learning_rate, fused=True)
    for _ in range(n_steps):
        optimiser.zero_grad()
        answers = nonlinear(x @ first + biases[0]) @ second + biases[1]
        # The mean over trials and the sum over networks: none feels how many are beside it.
        loss = nn.functional.softplus(-y * answers).mean(dim=(1, 2)).sum()
        torch.autograd.backward(loss)
        optimiser.step()
    arrays = [a.detach().double().numpy() for a in (first, second, *biases)]
    return Networks(activation, (arrays[0], arrays[1]), (arrays[2], arrays[3]))


@dataclass(frozen=True, eq=False)
class LinearStudent:
    """A trained two-layer linear network.

    Parameters
    ----------
    first : array of shape (n_hidden, n_inputs)
    second : array of shape (n_outputs, n_hidden)
    loss : float
        Last mean squared error over that of a silent network.
    """

    first: np.ndarray
    second: np.ndarray
    loss: float


def train_linear(
    task: StudentTask, *, tolerance: float = 1e-3, max_steps: int = 20_000
) -> LinearStudent:
    """Descend the gradient of the squared error, written out, until it is learnt.

    Parameters
    ----------
    task : StudentTask
    tolerance : float
        Relative loss at which to stop.
    max_steps : int

    Returns
    -------
    LinearStudent

    Notes
    -----
    Steps are a small share of the inverse curvature, hence close to gradient flow at every scale
    of the weights: the outcome does not depend on a learning rate chosen by hand.
    """
    first, second = task.first.copy(), task.second.copy()
    covariance = task.inputs.T @ task.inputs / len(task.inputs)
    top = np.linalg.eigvalsh(covariance)[-1]
    silent = float(np.trace(task.teacher @ covariance @ task.teacher.T))
    loss = np.inf
    for _ in range(max_steps):
        error = second @ first - task.teacher
        slope = error @ covariance
        loss = float((slope * error).sum()) / silent
        if loss < tolerance:
            break
        curvature = top * ((first**2).sum() + (second**2).sum())
        rate = 0.1 / max(curvature, 1e-12)
        first, second = first - rate * second.T @ slope, second - rate * slope @ first.T
    return LinearStudent(first, second, loss)
