"""Laziness of two-layer linear students, whose tangent kernel is known in closed form."""

from __future__ import annotations

import numpy as np
from scipy.stats import spearmanr

from neuropipe.simulate.geometry import student_task
from neuropipe.stats.checks import Check, at_least, at_most
from neuropipe.trsa.geometry.laziness import tangent_kernel_alignment
from neuropipe.trsa.geometry.proofs.networks import train_linear
from neuropipe.trsa.geometry.tangent import (
    choose_outputs,
    empirical_ntk,
    linear_ntk,
    projected_ntk,
)

__all__ = ["alignment_sweeps", "checks", "student_alignment"]

NORMS = (0.1, 0.2, 0.4, 0.7, 1.0, 1.5, 2.0, 3.0)
RANKS = (2, 4, 7, 11, 15, 20)


def checks(*, full: bool = False) -> list[Check]:
    """Measure the claims; seconds on one core.

    Parameters
    ----------
    full : bool
        Twice as many seeds.

    Returns
    -------
    list of Check
    """
    n_seeds = 10 if full else 5
    return [*_scale_and_rank(n_seeds), *_aligned(n_seeds), *_kernels()]


def student_alignment(seed: int, *, rank: int, norm: float, aligned: bool = False) -> float:
    """Alignment of the tangent kernels of a linear student before and after learning.

    Parameters
    ----------
    seed : int
    rank, norm, aligned
        Of the initial first layer; see `simulate.geometry.student_task`.

    Returns
    -------
    float
        NaN if the task was not learnt.
    """
    task = student_task(np.random.default_rng(seed), rank=rank, norm=norm, aligned=aligned)
    student = train_linear(task)
    if student.loss > 0.01:
        return float("nan")
    kernels = [
        linear_ntk(one, two, task.inputs)
        for one, two in ((task.first, task.second), (student.first, student.second))
    ]
    return tangent_kernel_alignment(*kernels)


def alignment_sweeps(n_seeds: int) -> dict[str, tuple[tuple[float, ...], np.ndarray]]:
    """Sweep scale and rank of the initial weights.

    Parameters
    ----------
    n_seeds : int

    Returns
    -------
    dict of str to (steps, array of shape (n_seeds, n_steps))
        `student_alignment` against ``initial norm`` (of rank 20) and ``rank at norm .3``.
    """
    seeds = range(n_seeds)
    by_norm = [[student_alignment(seed, rank=20, norm=norm) for norm in NORMS] for seed in seeds]
    by_rank = [[student_alignment(seed, rank=rank, norm=0.3) for rank in RANKS] for seed in seeds]
    return {
        "initial norm": (NORMS, np.array(by_norm)),
        "rank at norm .3": (RANKS, np.array(by_rank)),
    }


def _scale_and_rank(n_seeds: int) -> list[Check]:
    rows = []
    for name, (steps, found) in alignment_sweeps(n_seeds).items():
        worst = min(spearmanr(steps, row).statistic for row in found)
        beside = ", ".join(
            f"{step:g}: {mean:.3f}" for step, mean in zip(steps, found.mean(axis=0), strict=True)
        )
        detail = f"least Spearman correlation of {n_seeds} seeds; mean alignment {beside}"
        rows.append(at_least(f"laziness rises with {name}", worst, 0.9, detail))
    return rows


def _aligned(n_seeds: int) -> list[Check]:
    sides = np.array(
        [
            [
                student_alignment(seed, rank=2, norm=0.3, aligned=aligned)
                for aligned in (True, False)
            ]
            for seed in range(n_seeds)
        ]
    )
    gap = float((sides[:, 0] - sides[:, 1]).min())
    mean = sides.mean(axis=0)
    detail = f"rank 2, norm .3, {n_seeds} seeds: aligned {mean[0]:.3f}, unaligned {mean[1]:.3f}"
    name = "laziness of aligned - unaligned low rank, least of seeds"
    return [Check(name, gap, "> 0", bool(gap > 0), detail)]


def _kernels() -> list[Check]:
    import torch
    from torch import nn

    task = student_task(np.random.default_rng(0), n_trials=60, n_outputs=5, norm=2.0)
    layers = nn.Linear(20, 50, bias=False), nn.Linear(50, 5, bias=False)
    net = nn.Sequential(*layers).double()
    with torch.no_grad():
        layers[0].weight.copy_(torch.as_tensor(task.first))
        layers[1].weight.copy_(torch.as_tensor(task.second))
    inputs = torch.as_tensor(task.inputs)
    closed = linear_ntk(task.first, task.second, task.inputs)
    exact = empirical_ntk(net, inputs)
    error = np.abs(exact - closed).max() / np.abs(closed).max()
    projected = projected_ntk(net, inputs, n_projections=1000)
    deep = nn.Sequential(nn.Linear(20, 50), nn.ReLU(), nn.Linear(50, 20)).double()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for weight in deep.parameters():
            nn.init.normal_(weight, std=0.2)
    every = empirical_ntk(deep, inputs)
    rng = np.random.default_rng(1)
    drawn = [empirical_ntk(deep, inputs, outputs=choose_outputs(20, 5, rng)) for _ in range(20)]
    single = tangent_kernel_alignment(drawn[0], every)
    return [
        at_most("tangent kernel: autograd against closed form", error, 1e-5, "relative, float64"),
        at_least(
            "tangent kernel: 1000 projections against exact",
            tangent_kernel_alignment(projected, closed),
            0.98,
            "cosine; 60 inputs, 5 outputs",
        ),
        at_most(
            "tangent kernel: 5 of 20 outputs, error of the mean of 20 draws",
            float(np.linalg.norm(np.mean(drawn, axis=0) - every) / np.linalg.norm(every)),
            0.05,
            f"relative norm; ReLU network; cosine of a single draw {single:.4f}",
        ),
    ]
