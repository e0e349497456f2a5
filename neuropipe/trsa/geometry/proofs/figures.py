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
from neuropipe.trsa.geometry.proofs.laziness import NORMS, RANKS, student_alignment
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


def hidden_while_learning(activation: Activation, task: Task) -> tuple[dict[str, np.ndarray], ...]:
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
    sides : dict of str to array
        ``inputs`` (64, 20) and ``targets`` (64, n_labels).
    """
    inputs, labels = (np.repeat(part, _N_EXEMPLARS, axis=-2) for part in binary_task(task, 1))
    inputs = inputs + _JITTER * np.random.default_rng(0).standard_normal(inputs.shape)
    hidden = {
        str(n): train_networks(inputs, labels, [0], activation=activation, n_steps=n).hidden(
            inputs
        )[0]
        for n in _STEPS
    }
    return hidden, {"inputs": inputs[0], "targets": labels.astype(float)}


def _abstraction() -> Figure:
    figure = new_figure(2.9)
    planes = figure.subplots(1, 3)
    tasks: dict[Task, str] = {"linear": "two variables", "mixed XOR": "their product"}
    for ax, (task, title) in zip(planes, tasks.items(), strict=False):
        for (activation, name), color in zip(_ACTIVATIONS.items(), CYCLE, strict=False):
            hidden, sides = hidden_while_learning(activation, task)
            way = alignment_trajectory(hidden, sides["inputs"], sides["targets"])
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
    draws = range(_N_SEEDS)
    by_norm = [[student_alignment(s, rank=20, norm=norm) for s in draws] for norm in NORMS]
    _draw_draws(scale, NORMS, by_norm, CYCLE[0], "rank 20")
    scale.set_xscale("log")
    scale.set_xticks(NORMS, [f"{norm:g}" for norm in NORMS])
    scale.minorticks_off()
    scale.set_xlabel("norm of the initial weights")
    by_rank = [[student_alignment(s, rank=k, norm=0.3) for s in draws] for k in RANKS]
    _draw_draws(rank, RANKS, by_rank, CYCLE[0], "blind to the task")
    aligned = [[student_alignment(s, rank=2, norm=0.3, aligned=True) for s in draws]]
    _draw_draws(rank, RANKS[:1], aligned, CYCLE[1], "along the task")
    rank.set_xticks(RANKS)
    rank.set_xlabel("rank of the initial weights, norm 0.3")
    rank.legend(loc="lower right")
    for ax, title in ((scale, "Larger weights are lazier"), (rank, "Low rank is richer")):
        ax.set_title(title)
        ax.set_ylabel("tangent kernel, before : after")
    for color, norm in zip(CYCLE, (0.1, 1.0, 3.0), strict=False):
        task = student_task(np.random.default_rng(0), rank=20, norm=norm)
        student = train_linear(task)
        before, after = (np.linalg.svd(w, compute_uv=False) for w in (task.first, student.first))
        change.plot(
            np.arange(1, 21), after, "o-", color=color, markersize=3, label=f"norm {norm:g}"
        )
        change.plot(np.arange(1, 21), before, ":", color=color)
    change.set_title("Spectrum of weights, learnt (dotted: initial)")
    change.set_xlabel("mode")
    change.set_ylabel("singular value")
    change.legend()
    rng = np.random.default_rng(0)
    left, right = rng.standard_normal((2, 100, 3))
    weights = left @ np.diag([0.5, 0.4, 0.3]) @ right.T + rng.standard_normal((100, 100))
    draw_spectrum(wiring, connectivity_spectrum(weights))
    wiring.set_title("Connectome of three modes in noise")
    wiring.legend()
    return figure


def _draw_draws(
    ax: Axes, x: tuple[float, ...], values: list[list[float]], color: str, label: str
) -> None:
    """Draw every seed as a dot, and the mean as a line."""
    for column in np.array(values).T:
        ax.plot(x, column, "o", color=color, markersize=3, alpha=0.4, markeredgewidth=0)
    ax.plot(x, np.mean(values, axis=1), "o-", color=color, markersize=4, label=label)
