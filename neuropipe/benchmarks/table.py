"""Timing two functions side by side, and the table that says how they compare."""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neuropipe.atomic import atomic_file
from neuropipe.provenance import software_versions

_WIDTH = 120  # columns, where the output is no terminal


@dataclass(frozen=True)
class BenchmarkRow:
    """One task, ours against a peer.

    Parameters
    ----------
    task : str
        What is timed, with its size.
    peer : str
        What it is compared with.
    ours, theirs : float
        Median wall time in s.
    ours_cpu, theirs_cpu : float
        Median CPU time in s, all threads of the process.
    ratio : float
        Median over pairs of calls, ours / theirs; below 1 we are faster.
    ratio_low, ratio_high : float
        Smallest and largest ratio.
    ours_peak, theirs_peak : float
        Memory in MB that the call adds in a fresh process, NaN where it was not measured.
    repeats : int
        Number of pairs.
    """

    task: str
    peer: str
    ours: float
    theirs: float
    ours_cpu: float
    theirs_cpu: float
    ratio: float
    ratio_low: float
    ratio_high: float
    ours_peak: float
    theirs_peak: float
    repeats: int


def compare(
    task: str,
    peer: str,
    ours: Callable[[], Any],
    theirs: Callable[[], Any],
    *,
    repeats: int = 5,
    memory: bool = True,
) -> BenchmarkRow:
    """Time two functions alternately in this process.

    Parameters
    ----------
    task, peer : str
        For the row.
    ours, theirs : callable
        Without arguments; for `memory` they must be picklable.
    repeats : int
        Pairs of calls, after one pair that warms caches and imports.
    memory : bool
        Whether to measure the peak memory of each, in two fresh processes.

    Notes
    -----
    Alternation lets slow spells of the machine fall on both sides; the first of a pair changes from
    pair to pair.
    """
    ours()
    theirs()
    pairs = []
    for k in range(repeats):
        if k % 2:
            second = timed(theirs)
            pairs.append((timed(ours), second))
        else:
            pairs.append((timed(ours), timed(theirs)))
    times = np.array(pairs)  # (pair, side, wall or cpu)
    ratios = times[:, 0, 0] / times[:, 1, 0]
    wall, cpu = np.median(times[:, :, 0], axis=0), np.median(times[:, :, 1], axis=0)
    return BenchmarkRow(
        task=task,
        peer=peer,
        ours=float(wall[0]),
        theirs=float(wall[1]),
        ours_cpu=float(cpu[0]),
        theirs_cpu=float(cpu[1]),
        ratio=float(np.median(ratios)),
        ratio_low=float(ratios.min()),
        ratio_high=float(ratios.max()),
        ours_peak=peak_memory(ours) if memory else float("nan"),
        theirs_peak=peak_memory(theirs) if memory else float("nan"),
        repeats=repeats,
    )


def alone(task: str, function: Callable[[], Any], *, memory: bool = True) -> BenchmarkRow:
    """Time a function that has no peer.

    Parameters
    ----------
    task : str
    function : callable
        Without arguments; for `memory` it must be picklable.
    memory : bool
        Whether to measure its peak memory, in a fresh process.

    Returns
    -------
    BenchmarkRow
        Of one call after one that warms caches and imports; NaN for the peer.
    """
    function()
    wall, cpu = timed(function)
    nothing = float("nan")
    return BenchmarkRow(
        task=task,
        peer="none",
        ours=wall,
        theirs=nothing,
        ours_cpu=cpu,
        theirs_cpu=nothing,
        ratio=nothing,
        ratio_low=nothing,
        ratio_high=nothing,
        ours_peak=peak_memory(function) if memory else nothing,
        theirs_peak=nothing,
        repeats=1,
    )


def timed(function: Callable[[], Any]) -> tuple[float, float]:
    """Wall and CPU time of a call, in s."""
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - wall, time.process_time() - cpu


def peak_memory(function: Callable[[], Any]) -> float:
    """Memory that a call adds at its peak, in MB, measured in a fresh process.

    Parameters
    ----------
    function : callable
        Picklable; its module's imports do not count, its own do.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_report_peak, args=(function, sender))
    child.start()
    sender.close()
    try:
        return float(receiver.recv())
    except EOFError:
        return float("nan")
    finally:
        child.join()


def _report_peak(function: Callable[[], Any], sender: Any) -> None:
    before = _highest_memory()
    function()
    sender.send(_highest_memory() - before)


def _highest_memory() -> float:
    """Peak resident memory of this process in MB.

    Not ``ru_maxrss``, which a process started by a large parent inherits from it.
    """
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return float(line.split()[1]) / 1024
    return float("nan")


def print_table(title: str, rows: Sequence[BenchmarkRow]) -> None:
    """Print rows for a reader."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title)
    for name in ("task", "peer"):
        table.add_column(name, overflow="fold")
    for name in ("ours, s", "peer, s", "ratio (range)", "CPU, s", "peak, MB"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            row.task,
            row.peer,
            f"{row.ours:.3f}",
            f"{row.theirs:.3f}",
            f"{row.ratio:.3g} ({row.ratio_low:.3g}-{row.ratio_high:.3g})",
            f"{row.ours_cpu:.2f} : {row.theirs_cpu:.2f}",
            f"{row.ours_peak:.0f} : {row.theirs_peak:.0f}",
        )
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)
    console.print(table)


def write_table(path: Path, rows: Sequence[BenchmarkRow]) -> None:
    """Write rows and the software's versions as JSON; a NaN becomes null."""
    plain = [
        {key: None if value != value else value for key, value in asdict(row).items()}
        for row in rows
    ]
    with atomic_file(Path(path)) as temporary:
        text = json.dumps({"rows": plain, "software": software_versions()}, indent=1)
        temporary.write_text(text + "\n", encoding="utf-8")
