"""How many operations a call does, and what they cost as the products a machine is best at."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from neuropipe.training.devices import uses_bf16

__all__ = ["operations", "products"]


def operations(function: Callable[[], Any]) -> int:
    """Floating-point operations of a call's matrix products; a multiplication and addition are two.

    Fused attention is counted as the products it stands for.
    """
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        function()
    return int(counter.get_total_flops())


def products(count: int, device: str = "cpu") -> None:
    """Do a number of floating-point operations in products of large matrices.

    Parameters
    ----------
    count : int
    device : str

    Notes
    -----
    The matrices are square, as those of `neuropipe.training.devices.matmul_peak`; the last product
    is narrower, so that the count is met to within 2 size^2.
    """
    size, left, right, out = _matrices(device)
    whole, rest = divmod(count, 2 * size**3)
    for _ in range(whole):
        torch.matmul(left, right, out=out)
    columns = round(rest / (2 * size**2))
    if columns:
        torch.matmul(left, right[:, :columns])
    _wait(device)


@lru_cache
def _matrices(device: str) -> tuple[int, Tensor, Tensor, Tensor]:
    size = 1024 if device == "cpu" else 8192
    dtype = torch.bfloat16 if uses_bf16(torch.device(device)) else torch.float32
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    return size, left, right, torch.empty_like(left)


def _wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize(device)
