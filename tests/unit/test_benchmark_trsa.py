"""What the trsa benchmark times: the same numbers on both sides."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.benchmarks.table import BenchmarkRow
from neuropipe.benchmarks.trsa import Crossnobis, Items, Spheres, run


@pytest.mark.parametrize("n_residuals", [0, 40])
def test_crossnobis_is_rsatoolboxes(n_residuals):
    case = Crossnobis(12, 3, 20, n_residuals)
    residuals = case.residuals() if n_residuals else None
    ours = case.ours(case.patterns(), residuals)
    theirs = case.theirs(case.dataset(), residuals)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10)


@pytest.mark.parametrize("measure", ["correlation", "crossnobis"])
def test_searchlights_are_rsatoolboxes(measure):
    case = Spheres(side=5, n_conditions=5)
    ours = case.ours(measure)
    assert ours.shape == (1, 10)  # the only whole sphere
    np.testing.assert_allclose(ours, case.theirs(measure), rtol=0, atol=1e-10)


def test_grid_and_paths_are_those_of_plain_loops():
    # With fewer conditions some centroids are equally near, up to rounding.
    case = Items(4, 3, 30, 0.1)
    np.testing.assert_array_equal(case.grid(), case.plain_grid())
    np.testing.assert_allclose(case.paths(), case.networkx_paths(), rtol=0, atol=1e-12)


@pytest.mark.slow
def test_quick_run_has_every_row():
    rows = run(1, quick=True)
    assert all(isinstance(row, BenchmarkRow) for row in rows)
    tasks = [row.task.split(":")[0].split(",")[0] for row in rows]
    assert tasks.count("crossnobis") == 3
    assert tasks.count("dual bootstrap") == 2
    assert tasks.count("searchlight") == 2
    assert {"10 cells", "geodesics (0.0"} <= set(tasks)
    assert all(row.ours > 0 for row in rows)
    alone = [row for row in rows if row.peer == "none"]
    assert len(alone) == 6
    (grid,) = (row for row in rows if row.task.startswith("10 cells"))
    assert grid.ratio == grid.ours / grid.theirs
    assert all(np.isnan(row.ratio) for row in alone)
