"""Static connectivity of runs beside numpy and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf

from neuropipe.brainmae.data import runs_of_arrays
from neuropipe.brainmae.run_connectivity import (
    half_correlations,
    run_correlations,
    run_covariances,
)
from tests.unit.brainmae.builders import series

ARRAYS = [series(n, seed=n) for n in (90, 121)]
RUNS = runs_of_arrays(ARRAYS, [1.0, 2.0])


def z_of(x):
    upper = np.triu_indices(x.shape[1], 1)
    return np.arctanh(np.corrcoef(x.T)[upper])


def test_correlations_are_numpy_s():
    found = run_correlations(RUNS)
    assert found.shape == (2, 28)
    for row, x in zip(found, ARRAYS, strict=True):
        assert row == pytest.approx(z_of(x), abs=1e-4)


def test_halves_are_standardised_apart():
    first, second = half_correlations(RUNS)
    assert first[1] == pytest.approx(z_of(ARRAYS[1][:60]), abs=1e-4)
    assert second[1] == pytest.approx(z_of(ARRAYS[1][60:]), abs=1e-4)


def test_an_absent_roi_has_no_connectivity():
    x = series(90)
    x[:, 2] = np.nan
    found = run_correlations(runs_of_arrays([x], [1.0]))[0]
    row, column = np.triu_indices(8, 1)
    gone = (row == 2) | (column == 2)
    assert (found[gone] == 0).all()
    kept = np.delete(x, 2, axis=1)
    assert found[~gone] == pytest.approx(z_of(kept), abs=1e-4)


def test_covariances_are_those_of_ledoit_and_wolf():
    found = run_covariances(RUNS)
    for matrix, x in zip(found, ARRAYS, strict=True):
        z = (x - x.mean(axis=0)) / x.std(axis=0)
        assert matrix == pytest.approx(ledoit_wolf(z)[0], abs=1e-4)
        assert np.linalg.eigvalsh(matrix)[0] > 0
