"""Learning rates, groups of parameters, and the random numbers of a step: pure functions."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import nn


def rate_scale(step: int, max_steps: int, warmup: float) -> float:
    """Share of the highest learning rate at a step: linear warm-up, then cosine to zero.

    Parameters
    ----------
    step : int
        From 0; `max_steps` and later have rate 0.
    max_steps : int
    warmup : float
        Share of the steps that the rate rises over, in [0, 1].

    Returns
    -------
    float
        In [0, 1]; 1 at the last step of the warm-up.
    """
    rising = round(warmup * max_steps)
    if step < rising:
        return (step + 1) / rising
    if step >= max_steps:
        return 0.0
    return 0.5 * (1.0 + math.cos(math.pi * (step - rising) / (max_steps - rising)))


def step_seeds(seed: int, step: int, micro: int = 0, rank: int = 0) -> tuple[int, int]:
    """Seeds of the batch and of the layers (dropout) of one micro-batch on one process.

    Returns
    -------
    tuple of int
        Below 2^63, and independent of those of any other place.
    """
    state = np.random.SeedSequence((seed, step, micro, rank)).generate_state(2, np.uint64)
    return int(state[0]) >> 1, int(state[1]) >> 1


def seed_layers(device: torch.device, seed: int) -> None:
    """Seed the generators that dropout and its like draw from on a device.

    Not `torch.manual_seed`: before CUDA is used, each call of that formats and keeps a traceback.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


def decay_groups(module: nn.Module) -> list[dict[str, Any]]:
    """Sort trainable parameters into those with weight decay and those without.

    Biases, parameters of normalisation layers, and those with fewer than two dimensions have none.

    Returns
    -------
    list of dict
        Groups for `optimizer_groups`, those without parameters left out.
    """
    norms = {
        id(parameter)
        for layer in module.modules()
        if "Norm" in type(layer).__name__
        for parameter in layer.parameters(recurse=False)
    }
    decayed: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    for name, parameter in module.named_parameters():
        if not parameter.requires_grad:
            continue
        bias = name.rpartition(".")[2].endswith("bias")
        small = parameter.ndim < 2 or bias or id(parameter) in norms
        (free if small else decayed).append(parameter)
    groups: list[dict[str, Any]] = [{"params": decayed}, {"params": free, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def optimizer_groups(
    groups: Iterable[dict[str, Any]], learning_rate: float
) -> list[dict[str, Any]]:
    """Turn each group's `lr_scale` (default 1) into its highest learning rate."""
    found = []
    for group in groups:
        options = dict(group)
        rate = learning_rate * options.pop("lr_scale", 1.0)
        found.append({**options, "lr": rate})
    return found


def total_norm(parameters: Iterable[nn.Parameter], clip: float) -> torch.Tensor:
    """Norm of the whole gradient, which is scaled down to `clip` where it is larger (0: never).

    Returns
    -------
    Tensor of shape ()
        The norm before clipping, on the device of the gradients.
    """
    if clip > 0:
        return torch.nn.utils.clip_grad_norm_(parameters, clip)
    return torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
