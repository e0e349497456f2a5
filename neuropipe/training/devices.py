"""Where a network runs, in what precision, and how fast the machine multiplies matrices."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from neuropipe.training.errors import DeviceError
from neuropipe.training.launch import launched
from neuropipe.training.settings import Device, Precision


def pick_device(setting: Device = "auto") -> torch.device:
    """Choose the device of this process.

    Parameters
    ----------
    setting : {"auto", "cpu", "gpu"}
        ``"auto"`` takes the GPU where there is one.

    Raises
    ------
    DeviceError
        If a GPU is asked for and this process sees none, or fewer than processes share this node.
    """
    if setting == "cpu" or (setting == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        build = "" if torch.version.cuda else ", and this build of torch is for the CPU only"
        raise DeviceError(
            f"device is gpu, but torch sees none{build}",
            "an NVIDIA GPU, its driver and a CUDA build of torch",
            "set device: cpu or auto, or ask the cluster for a GPU",
        )
    launch, count = launched(), torch.cuda.device_count()
    if launch.per_node > count:
        raise DeviceError(
            f"{launch.per_node} processes on this node see {count} GPU(s)",
            "one GPU a process, all of a node's visible to each",
            "start as many processes as GPUs, and do not bind GPUs to tasks (--gpus-per-task)",
        )
    return torch.device("cuda", launch.local_rank)


def uses_bf16(device: torch.device, precision: Precision = "auto") -> bool:
    """Tell whether matrices are multiplied in bfloat16 on a device."""
    if precision == "auto":
        return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return precision == "bf16"


@contextmanager
def autocast(device: torch.device, precision: Precision = "auto") -> Iterator[None]:
    """Run a block of inference in the precision that training used."""
    enabled = uses_bf16(device, precision)
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled):
        yield


def device_words(device: torch.device, precision: Precision = "auto") -> str:
    """Describe a device for provenance: ``"cpu, 2 threads"``, ``"NVIDIA H200, bf16"``."""
    world = launched().world_size
    if device.type == "cuda":
        words = torch.cuda.get_device_name(device)
    else:
        n = torch.get_num_threads()
        words = f"{device.type}, {n} thread{'s' if n > 1 else ''}"
    many = f"{world} x " if world > 1 else ""
    return f"{many}{words}{', bf16' if uses_bf16(device, precision) else ''}"


def set_threads(threads: int) -> int:
    """Set the CPU threads of this process; 0 leaves them. Returns how many there are now."""
    if threads > 0:
        torch.set_num_threads(threads)
    return torch.get_num_threads()


def matmul_peak(
    device: torch.device, dtype: torch.dtype = torch.float32, *, seconds: float = 1.0, size: int = 0
) -> float:
    """Measure how fast a device multiplies large square matrices.

    Parameters
    ----------
    device : torch.device
    dtype : torch.dtype
        Of the matrices.
    seconds : float
        How long to measure, in s, after one multiplication that warms up.
    size : int
        Rows of the matrices; 0: 1024 on a CPU, 8192 on a GPU.

    Returns
    -------
    float
        Floating-point operations a second of the best repetition (2 size^3 a multiplication).
    """
    rows = size or (1024 if device.type == "cpu" else 8192)
    left, right = (torch.randn(rows, rows, device=device).to(dtype) for _ in range(2))
    out = torch.empty_like(left)
    best, end = float("inf"), 0.0
    while time.perf_counter() < end or best == float("inf"):
        _synchronize(device)
        start = time.perf_counter()
        torch.matmul(left, right, out=out)
        _synchronize(device)
        taken = time.perf_counter() - start
        if not end:  # the first one loads libraries
            end = time.perf_counter() + seconds
            continue
        best = min(best, taken)
    return 2.0 * rows**3 / best


def _synchronize(device: torch.device) -> None:
    """Wait for a device's queue."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
