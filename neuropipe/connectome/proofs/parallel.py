"""Independent simulations on all cores."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

__all__ = ["side_by_side"]

T = TypeVar("T")


def side_by_side(function: Callable[[int], T], seeds: range) -> list[T]:
    """Call a picklable function for every seed, in as many processes as there are cores.

    Parameters
    ----------
    function : callable
    seeds : range

    Returns
    -------
    list
        In the order of the seeds.
    """
    from joblib import Parallel, delayed

    if len(seeds) < 2:
        return [function(seed) for seed in seeds]
    return list(Parallel(n_jobs=-1)(delayed(_alone)(function, seed) for seed in seeds))


def _alone(function: Callable[[int], T], seed: int) -> T:
    torch.set_num_threads(1)  # the other cores have seeds of their own
    return function(seed)
