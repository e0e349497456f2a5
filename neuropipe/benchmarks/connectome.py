"""Factorizations beside tensorly and matrix products; block models; cost by size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from neuropipe.benchmarks.peak import operations, products
from neuropipe.benchmarks.table import BenchmarkRow, compare, peak_memory, timed
from neuropipe.connectome.affinity import rises_and_falls
from neuropipe.connectome.communities.search import fit_blocks
from neuropipe.connectome.factorization import factorize, random_start
from neuropipe.connectome.operators import (
    DenseTensor,
    SeparableTensor,
    dense_affinities,
)
from neuropipe.connectome.settings import AffinitySettings
from neuropipe.simulate.graphs import planted_graph
from neuropipe.simulate.settings import GraphSimulation
from neuropipe.training.devices import device_words

__all__ = ["Case", "plot", "run"]

_PEER = "tensorly HALS"
_PEER_ITERATIONS = 20
_SCALING = {"n": (25, 50, 100), "T": (120, 240, 480), "W": (2, 4, 8), "R": (2, 4, 8)}


@dataclass(frozen=True)
class Case:
    """What is factorised.

    Parameters
    ----------
    n_units, n_samples, n_animals : int
    rank : int
    n_starts : int
    device : str
        As torch names it.
    """

    n_units: int = 100
    n_samples: int = 960
    n_animals: int = 20
    rank: int = 10
    n_starts: int = 10
    device: str = "cpu"

    @property
    def words(self) -> str:
        """Sizes and device."""
        sizes = f"n={self.n_units}, T={self.n_samples}, W={self.n_animals}, R={self.rank}"
        return f"{sizes}, {device_words(torch.device(self.device))}"


#: A size whose tensor nobody forms: 60 GB.
LARGE = Case(n_units=1000, n_samples=3000, n_animals=10, n_starts=1)


def run(
    repeats: int = 5, case: Case | None = None, large: Case | None = LARGE
) -> list[BenchmarkRow]:
    """Time factorizations and block models.

    Parameters
    ----------
    repeats : int
        Pairs of timed calls of short tasks; long ones have one.
    case : Case, optional
    large : Case or None
        Size of the matrix-free run without a peer; None to leave it out.

    Returns
    -------
    list of BenchmarkRow
        Ten starts until the best of them is as good as the best that tensorly reaches from the
        same starts in 20 iterations, and until each is as good as its twin; the memory is that of
        one start on both sides. An iteration against
        as many operations in products of large matrices. Block models of 300 units, 20 runs.
        Iterations at sizes for `plot`.
    """
    case = case or Case()
    rows = _against_tensorly(case)
    step = partial(iterate, case, "dense")
    count = operations(step)
    of_peak = compare(
        f"iteration of {case.n_starts} starts, {count / 1e9:.1f} GFLOP: {case.words}",
        "the same FLOP as large matrix products",
        step,
        partial(products, count, case.device),
        repeats=min(repeats, 3),
        memory=False,
    )
    rows.append(replace(of_peak, task=f"{of_peak.task}; {1 / of_peak.ratio:.0%} of the peak"))
    if large is not None:
        rows.append(_large(large))
    rows.append(_blocks())
    return rows + _scaling(repeats)


def plot(rows: Sequence[BenchmarkRow], path: Path) -> None:
    """Draw the cost of an iteration against n, T, W and R on logarithmic axes.

    Parameters
    ----------
    rows : sequence of BenchmarkRow
        Of `run`.
    path : Path
        Image file.
    """
    from neuropipe.plotting import CYCLE, new_figure, save_svg, style

    with style():
        figure = new_figure(2.6)
        for ax, (name, sizes) in zip(
            figure.subplots(1, 4, sharey=True), _SCALING.items(), strict=True
        ):
            found = [row for row in rows if row.task.startswith(f"cost by {name}:")]
            for side, color in (("ours", CYCLE[0]), ("theirs", CYCLE[1])):
                seconds = [getattr(row, side) for row in found]
                slope = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
                label = f"{'dense' if side == 'ours' else 'matrix-free'} (slope {slope:.1f})"
                ax.loglog(sizes, seconds, "o-", color=color, label=label, base=2)
            ax.set_xlabel(name)
            ax.legend(fontsize=6)
        figure.axes[0].set_ylabel("s an iteration")
    save_svg(figure, path)


def _against_tensorly(case: Case) -> list[BenchmarkRow]:
    backend = _fastest_backend(case)
    errors: list[float] = []
    seconds, cpu = timed(lambda: errors.extend(tensorly_starts(case, backend)))
    peer_peak = peak_memory(partial(tensorly_starts, replace(case, n_starts=1), backend))
    rows = []
    for path in ("dense", "matrix-free"):
        _tensor(case, path)  # held by both sides before the clock starts
        own_peak = peak_memory(partial(iterate, replace(case, n_starts=1), path))
        for best in (True, False):
            reached: list[float] = []
            call = partial(to_targets, case, path, errors, best=best)
            wall, used = timed(lambda call=call, to=reached: to.extend(call()))  # type: ignore[misc]
            n_reached = sum(ours <= theirs for ours, theirs in zip(reached, errors, strict=True))
            goal = "the best of" if best else f"each of ({n_reached} reached)"
            rows.append(
                BenchmarkRow(
                    task=f"{path}, {case.n_starts} starts to {goal} {_PEER}'s errors (best "
                    f"{min(reached):.5f} : {min(errors):.5f}): {case.words}",
                    peer=f"{_PEER} ({backend}), {_PEER_ITERATIONS} iterations, the same starts",
                    ours=wall,
                    theirs=seconds,
                    ours_cpu=used,
                    theirs_cpu=cpu,
                    ratio=wall / seconds,
                    ratio_low=wall / seconds,
                    ratio_high=wall / seconds,
                    ours_peak=own_peak,
                    theirs_peak=peer_peak,
                    repeats=1,
                )
            )
    return rows


def _fastest_backend(case: Case) -> str:
    """The faster of tensorly's backends that are installed, on a tenth of the samples."""
    small = replace(case, n_samples=max(20, case.n_samples // 10), n_starts=1)
    tensorly_starts(small, "numpy")  # imports
    return min(
        ("numpy", "pytorch"), key=lambda name: timed(partial(tensorly_starts, small, name))[0]
    )


def tensorly_starts(case: Case, backend: str) -> list[float]:
    """Run tensorly's HALS from every start, one after the other.

    Returns
    -------
    list of float
        Relative squared error of each.
    """
    import tensorly
    from tensorly.decomposition import non_negative_parafac_hals

    tensor = _tensor(case, "dense")
    start = random_start(tensor, case.rank, case.n_starts, seed=0)
    values = tensor.values[0]
    errors = []
    with tensorly.backend_context(backend, local_threadsafe=True):
        given = values if backend == "pytorch" else values.numpy()
        for k in range(case.n_starts):
            modes = (part[:, k].clone() for part in (start.pairs, start.animals, start.times))
            factors = [part if backend == "pytorch" else part.numpy() for part in modes]
            found = non_negative_parafac_hals(
                given,
                case.rank,
                n_iter_max=_PEER_ITERATIONS,
                init=tensorly.cp_tensor.CPTensor((None, factors)),
                tol=0,
            )
            left = torch.as_tensor(tensorly.cp_to_tensor(found)).sub_(values)
            errors.append(float(left.square().sum() / tensor.squared_norm))
    return errors


def to_targets(case: Case, path: str, errors: Sequence[float], *, best: bool) -> list[float]:
    """Run all starts of ours until the best, or each, is as good as tensorly's.

    Returns
    -------
    list of float
        Relative squared error of each, after at most three times the iterations.
    """
    tensor = _tensor(case, path)
    start = random_start(tensor, case.rank, case.n_starts, seed=0)
    found, _ = factorize(
        tensor,
        start,
        max_iterations=3 * _PEER_ITERATIONS,
        target=min(errors) if best else np.array(errors),
        first=best,
    )
    return [one.error for one in found]


def iterate(case: Case, path: str, n_iterations: int = 1) -> None:
    """Do iterations of all starts."""
    tensor = _tensor(case, path)
    start = random_start(tensor, case.rank, case.n_starts, seed=0)
    factorize(tensor, start, max_iterations=n_iterations)


@lru_cache(maxsize=2)
def _tensor(case: Case, path: str) -> Any:
    """Affinities (geo) of autocorrelated noise with common events; float32."""
    rng = np.random.default_rng(0)
    shape = (case.n_animals, case.n_units, case.n_samples)
    rates = rng.standard_normal(shape, dtype=np.float32)
    groups = rng.integers(5, size=case.n_units)
    common = rng.standard_normal((case.n_animals, 5, case.n_samples), dtype=np.float32)
    common *= np.repeat(rng.uniform(0, 2, (5, 8)), -(-case.n_samples // 8), axis=1)[
        :, : case.n_samples
    ]
    rates += common[:, groups]
    presence = np.ones(shape[:2], dtype=bool)
    if path == "matrix-free":
        parts = rises_and_falls(rates, AffinitySettings())
        return SeparableTensor(*parts, presence, device=case.device)
    return DenseTensor(*dense_affinities(rates, presence, "geo"), device=case.device)


def _large(case: Case) -> BenchmarkRow:
    """One iteration where the dense tensor would not fit, and the memory it takes."""
    task = partial(iterate, case, "matrix-free")
    wall, cpu = timed(task)
    entries = case.n_units * (case.n_units - 1) // 2 * case.n_samples * case.n_animals
    nothing = float("nan")
    return BenchmarkRow(
        task=f"matrix-free iteration with set-up: {case.words}",
        peer="size of the dense tensor",
        ours=wall,
        theirs=nothing,
        ours_cpu=cpu,
        theirs_cpu=nothing,
        ratio=nothing,
        ratio_low=nothing,
        ratio_high=nothing,
        ours_peak=peak_memory(task),
        theirs_peak=4 * entries / 2**20,
        repeats=1,
    )


def _blocks() -> BenchmarkRow:
    """Twenty runs of the block model on 300 units beside Leiden on the same graph."""
    from neuropipe.connectome.communities.modularity import leiden

    graph = planted_graph(GraphSimulation(n_nodes=300, degree=40, seed=13)).weights
    ours: Callable[[], Any] = partial(fit_blocks, graph, degree_corrected=True, n_runs=20, seed=0)
    return compare(
        "block model, 300 units, 20 runs", "Leiden modularity, one run", ours,
        partial(leiden, graph), repeats=2, memory=False,
    )  # fmt: skip


def _scaling(repeats: int) -> list[BenchmarkRow]:
    """Iterations at sizes that differ in one thing: dense (ours) and matrix-free (theirs)."""
    names = {"n": "n_units", "T": "n_samples", "W": "n_animals", "R": "rank"}
    base = Case(n_units=50, n_samples=240, n_animals=4, rank=4, n_starts=4)
    rows = []
    for name, sizes in _SCALING.items():
        for size in sizes:
            case = Case(**{**asdict(base), names[name]: size})
            rows.append(
                compare(
                    f"cost by {name}: dense, 10 iterations of 4 starts: {case.words}",
                    "matrix-free",
                    partial(iterate, case, "dense", 10),
                    partial(iterate, case, "matrix-free", 10),
                    repeats=min(repeats, 3),
                    memory=False,
                )
            )
    return rows
