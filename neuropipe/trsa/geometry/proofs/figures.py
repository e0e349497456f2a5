"""What the proofs show: networks on their way to a target, and how lazy they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuropipe.plotting import CYCLE, MUTED, new_figure, style
from neuropipe.simulate.geometry import student_task
from neuropipe.trsa.figures_learning import draw_spectrum, draw_trajectory
from neuropipe.trsa.geometry.alignment import alignment_trajectory
from neuropipe.trsa.geometry.dimensionality import effective_rank, participation_ratio, spectrum
from neuropipe.trsa.geometry.proofs.abstraction import Task, binary_task
from neuropipe.trsa.geometry.proofs.laziness import alignment_sweeps, student_alignment
from neuropipe.trsa.geometry.proofs.networks import Activation, train_linear, train_networks
from neuropipe.trsa.geometry.spectra import connectivity_spectrum

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["figures"]

_STEPS = (0, 4, 8, 12, 20, 60, 600)  # of training
_N_EXEMPLARS = 8  # of each of the 8 combinations of the variables
_JITTER = 0.15
_N_SEEDS = 5
_ACTIVATIONS: dict[Activation, str] = {"tanh": "tanh", "relu": "ReLU"}


def figures() -> dict[str, Figure]:
    """Draw the figures of the geometry; half a minute.

    Returns
    -------
    dict of str to Figure
        ``abstraction``: alignment and dimensions while networks learn (Alleman, Lindsey & Fusi
        2024). ``laziness``: tangent kernels against scale and rank of the initial weights, and
        spectra (Liu et al. 2024).
    """
    with style():
        return {"abstraction": _abstraction(), "laziness": _laziness()}


def hidden_while_learning(
    activation: Activation, task: Task
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Follow one network while it learns to tell noisy exemplars.

    Parameters
    ----------
    activation : {"tanh", "relu"}
    task : str
        See `binary_task`.

    Returns
    -------
    hidden : dict of str to array of shape (64, 100)
        By the number of steps.
    inputs : array of shape (64, 20)
    labels : array of shape (64, n_labels)
    """
    inputs, labels = (np.repeat(part, _N_EXEMPLARS, axis=-2) for part in binary_task(task, 1))
    inputs = inputs + _JITTER * np.random.default_rng(0).standard_normal(inputs.shape)
    hidden = {}
    for n in _STEPS:
        network = train_networks(inputs, labels, [0], activation=activation, n_steps=n)
        hidden[str(n)] = network.hidden(inputs)[0]
    return hidden, inputs[0], labels


def _abstraction() -> Figure:
    figure = new_figure(2.9)
    planes = figure.subplots(1, 3)
    tasks: dict[Task, str] = {"linear": "two variables", "mixed XOR": "their product"}
    for ax, (task, title) in zip(planes, tasks.items(), strict=False):
        for (activation, name), color in zip(_ACTIVATIONS.items(), CYCLE, strict=False):
            hidden, inputs, labels = hidden_while_learning(activation, task)
            way = alignment_trajectory(hidden, inputs, labels)
            draw_trajectory(ax, way, color, name)
            if task == "mixed XOR":
                _draw_dimensions(planes[2], hidden, color, name)
        ax.plot([0, 1], [0, 1], color=MUTED, linewidth=0.6, linestyle=":")
        ax.set_xlim(0, 1.02)
        ax.set_ylim(0, 1.02)
        ax.set_aspect("equal")
        ax.set_title(f"Target: {title}")
    planes[0].legend(loc="lower right")
    planes[2].set_title("Dimensions on the way")
    planes[2].set_xlabel("step of training")
    planes[2].set_ylim(1, 1.4 * planes[2].get_ylim()[1])
    planes[2].set_box_aspect(1)
    planes[2].legend(fontsize=7)
    return figure


def _draw_dimensions(ax: Axes, hidden: dict[str, np.ndarray], color: str, name: str) -> None:
    places = range(len(hidden))
    ratios = [participation_ratio(values) for values in hidden.values()]
    ranks = [effective_rank(spectrum(values)) for values in hidden.values()]
    ax.plot(places, ratios, "o-", color=color, markersize=3, label=f"{name}: participation ratio")
    ax.plot(places, ranks, "o--", color=color, markersize=3, label=f"{name}: effective rank")
    ax.set_xticks(places, list(hidden))


def _laziness() -> Figure:
    figure = new_figure(4.8)
    (scale, rank), (change, wiring) = figure.subplots(2, 2)
    _draw_sweeps(scale, rank)
    _draw_weights(change)
    rng = np.random.default_rng(0)
    left, right = rng.standard_normal((2, 100, 3))
    weights = left @ np.diag([0.5, 0.4, 0.3]) @ right.T + rng.standard_normal((100, 100))
    draw_spectrum(wiring, connectivity_spectrum(weights))
    wiring.set_title("Connectome of three modes in noise")
    wiring.legend()
    return figure


def _draw_sweeps(scale: Axes, rank: Axes) -> None:
    (norms, by_norm), (ranks, by_rank) = alignment_sweeps(_N_SEEDS).values()
    _draw_seeds(scale, norms, by_norm, CYCLE[0], "rank 20")
    scale.set_xscale("log")
    scale.set_xticks(norms, [f"{norm:g}" for norm in norms])
    scale.minorticks_off()
    scale.set_xlabel("norm of the initial weights")
    _draw_seeds(rank, ranks, by_rank, CYCLE[0], "blind to the task")
    seeds = range(_N_SEEDS)
    aligned = [[student_alignment(seed, rank=2, norm=0.3, aligned=True)] for seed in seeds]
    _draw_seeds(rank, (2,), np.array(aligned), CYCLE[1], "along the task")
    rank.set_xticks(ranks)
    rank.set_xlabel("rank of the initial weights, norm 0.3")
    rank.legend(loc="lower right")
    for ax, title in ((scale, "Larger weights are lazier"), (rank, "Low rank is richer")):
        ax.set_title(title)
        ax.set_ylabel("tangent kernel, before : after")


def _draw_seeds(
    ax: Axes, steps: tuple[float, ...], values: np.ndarray, color: str, label: str
) -> None:
    """Draw every seed (n_seeds, n_steps) as dots, and their mean as a line."""
    ax.plot(steps, values.T, "o", color=color, markersize=3, alpha=0.4, markeredgewidth=0)
    ax.plot(steps, values.mean(axis=0), "o-", color=color, markersize=4, label=label)


def _draw_weights(ax: Axes) -> None:
    for color, norm in zip(CYCLE, (0.1, 1.0, 3.0), strict=False):
        task = student_task(np.random.default_rng(0), rank=20, norm=norm)
        weights = train_linear(task).first, task.first
        after, before = (np.linalg.svd(part, compute_uv=False) for part in weights)
        modes = np.arange(1, len(after) + 1)
        ax.plot(modes, after, "o-", color=color, markersize=3, label=f"norm {norm:g}")
        ax.plot(modes, before, ":", color=color)
    ax.set_title("Spectrum of weights, learnt (dotted: initial)")
    ax.set_xlabel("mode")
    ax.set_ylabel("singular value")
    ax.legend()
