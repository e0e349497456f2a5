"""What the connectome benchmark times: the same tensor, the same starts, the same target."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from neuropipe.benchmarks import connectome
from neuropipe.benchmarks.connectome import Case, iterate, plot, tensorly_starts, to_targets
from neuropipe.benchmarks.peak import operations
from neuropipe.benchmarks.table import BenchmarkRow

TINY = Case(n_units=12, n_samples=40, n_animals=3, rank=2, n_starts=3)


def test_all_starts_reach_what_tensorly_reaches_from_them() -> None:
    errors = tensorly_starts(TINY, "numpy")
    assert len(set(errors)) == TINY.n_starts
    for path in ("dense", "matrix-free"):
        found = to_targets(TINY, path, errors, best=False)
        assert (np.array(found) <= np.array(errors) + 2e-3).all()
        assert min(to_targets(TINY, path, errors, best=True)) <= min(errors) + 2e-3


def test_the_best_target_stops_all_starts_at_once() -> None:
    easy = [0.99] * TINY.n_starts
    once = to_targets(TINY, "dense", easy, best=True)
    hard = to_targets(TINY, "dense", [0.0] * TINY.n_starts, best=True)
    assert min(once) < 0.99
    assert min(hard) < min(once)  # it went on


def test_an_iteration_does_the_operations_of_two_passes() -> None:
    n_pairs = TINY.n_units * (TINY.n_units - 1) // 2
    entries = n_pairs * TINY.n_animals * TINY.n_samples
    passes = 2 * 2 * entries * TINY.n_starts * TINY.rank
    found = operations(partial(iterate, TINY, "dense"))
    assert passes <= found < 1.6 * passes  # the rest are products of factors


@pytest.mark.parametrize("path", ["dense", "matrix-free"])
def test_peers_get_the_same_tensor(path: str) -> None:
    dense, other = connectome._tensor(TINY, "dense"), connectome._tensor(TINY, path)
    assert other.squared_norm == pytest.approx(dense.squared_norm, rel=1e-4)


def test_cost_is_plotted(tmp_path: Path) -> None:
    rows = [
        BenchmarkRow(
            task=f"cost by {name}: {size}", peer="matrix-free", ours=size, theirs=size**2,
            ours_cpu=0, theirs_cpu=0, ratio=1, ratio_low=1, ratio_high=1, ours_peak=0,
            theirs_peak=0, repeats=1,
        )
        for name, sizes in connectome._SCALING.items()
        for size in sizes
    ]  # fmt: skip
    plot(rows, tmp_path / "cost.svg")
    text = (tmp_path / "cost.svg").read_text()
    assert "slope 1.0" in text
    assert "slope 2.0" in text
