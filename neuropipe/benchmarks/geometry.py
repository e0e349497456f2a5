"""What the geometry of representations costs: time and memory; no library does the same."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np

from neuropipe.benchmarks.table import BenchmarkRow, alone
from neuropipe.trsa.geometry.kernels import cka, linear_kernel
from neuropipe.trsa.geometry.shattering import shattering_dimensionality
from neuropipe.trsa.geometry.tangent import empirical_ntk, projected_ntk

__all__ = ["run"]

_N_INPUTS, _N_OUTPUTS, _N_PROJECTIONS = 100, 64, 200
_OUTPUTS = range(0, _N_OUTPUTS, 4)  # a part of the outputs stands for all


def run(repeats: int = 5, quick: bool = False) -> list[BenchmarkRow]:  # noqa: ARG001  (no pairs)
    """Time kernels, dichotomies and tangent kernels.

    Parameters
    ----------
    repeats : int
        Not used: nothing is compared.
    quick : bool
        Sizes that take seconds, without memory.

    Returns
    -------
    list of BenchmarkRow
        Without a peer.
    """
    n, p = (20, 30) if quick else (1000, 2000)
    few, many = ((4, 4, 10), (4, 6, 10)) if quick else ((10, 8, 200), (10, 12, 200))
    size, width = (8, 16) if quick else (200, 512)
    words = f"two hidden layers of {width}, n={size}, {len(_OUTPUTS)} of {_N_OUTPUTS} outputs"
    tasks: dict[str, Callable[[], None]] = {
        f"linear kernels and debiased CKA of two representations: n={n}, P={p}": partial(
            _alignment, n, p
        ),
        **{
            f"all balanced dichotomies decoded: R={r}, n={m}, P={q}": partial(_dichotomies, r, m, q)
            for r, m, q in (few, many)
        },
        f"tangent kernel, exact: {words}": partial(_tangent, size, width, projected=False),
        f"tangent kernel, {_N_PROJECTIONS} random projections: {words}": partial(
            _tangent, size, width, projected=True
        ),
    }
    return [alone(task, function, memory=not quick) for task, function in tasks.items()]


def _alignment(n: int, p: int) -> None:
    first, second = np.random.default_rng(0).standard_normal((2, n, p))
    cka(linear_kernel(first), linear_kernel(second))


def _dichotomies(*shape: int) -> None:
    shattering_dimensionality(np.random.default_rng(0).standard_normal(shape))


@lru_cache(maxsize=1)
def _network(width: int) -> Any:
    import torch
    from torch import nn

    torch.manual_seed(0)
    parts = [nn.Linear(_N_INPUTS, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()]
    return nn.Sequential(*parts, nn.Linear(width, _N_OUTPUTS))


def _tangent(n: int, width: int, *, projected: bool) -> None:
    import torch

    inputs = torch.randn(n, _N_INPUTS, generator=torch.Generator().manual_seed(0))
    outputs, network = np.array(_OUTPUTS), _network(width)
    if projected:
        projected_ntk(network, inputs, n_projections=_N_PROJECTIONS, outputs=outputs)
    else:
        empirical_ntk(network, inputs, outputs=outputs)
