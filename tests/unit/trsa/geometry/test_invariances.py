"""What no measure of geometry may depend on: axes of the units, order of repeats, absent units."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropipe.simulate.geometry import conditions
from neuropipe.trsa.geometry.alignment import half_alignment
from neuropipe.trsa.geometry.dimensionality import effective_rank, participation_ratio, spectrum
from neuropipe.trsa.geometry.estimates import crossvalidated_kernel, kernel_of
from neuropipe.trsa.geometry.generalisation import cross_condition_generalisation
from neuropipe.trsa.geometry.kernels import linear_kernel
from neuropipe.trsa.geometry.parallelism import parallelism_score
from neuropipe.trsa.geometry.shattering import shattering_dimensionality

SIGNS = conditions(3).T
TARGET = kernel_of(SIGNS.T[:, :2].astype(float))

MEASURES: dict[str, Callable[[np.ndarray], float]] = {
    "participation ratio": participation_ratio,
    "corrected for trials": lambda x: participation_ratio(x, correct="trials", n_splits=3),
    "corrected for stimuli": lambda x: participation_ratio(x, correct="stimuli"),
    "corrected for both": lambda x: participation_ratio(x, correct="both", n_splits=3),
    "effective rank": lambda x: effective_rank(spectrum(x)),
    "alignment": lambda x: float(kernel_of(x, n_splits=3).align(TARGET)),
    "half alignment": lambda x: float(half_alignment(x, n_splits=3)[1].mean()),
    "parallelism": lambda x: parallelism_score(crossvalidated_kernel(x), SIGNS[0]),
    "generalisation": lambda x: float(cross_condition_generalisation(x, SIGNS).accuracies.mean()),
    "shattering": lambda x: shattering_dimensionality(x, max_dichotomies=10).dimensionality,
}
#: They halve the repeats at random, by position: another order is another draw.
OF_RANDOM_HALVES = {"corrected for trials", "corrected for both", "alignment", "half alignment"}


def responses(seed: int, p: int = 12) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 2 * rng.standard_normal((8, p)) + rng.standard_normal((6, 8, p))


@pytest.mark.parametrize("name", MEASURES)
@settings(max_examples=8)
@given(seed=st.integers(0, 1000), scale=st.floats(0.05, 20))
def test_rotation_scale_and_shift_of_the_units(name: str, seed: int, scale: float) -> None:
    values = responses(seed)
    rng = np.random.default_rng(seed + 1)
    rotation = np.linalg.qr(rng.standard_normal((12, 12)))[0]
    moved = scale * values @ rotation + rng.standard_normal(12)
    expected, found = MEASURES[name](values), MEASURES[name](moved)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("name", MEASURES)
def test_silent_and_incomplete_units(name: str) -> None:
    values = responses(3)
    silent = np.concatenate([values, np.zeros((6, 8, 2))], axis=2)
    gappy = np.concatenate([values, values[:, :, :1]], axis=2)
    gappy[2, 5, -1] = np.nan
    expected = MEASURES[name](values)
    assert MEASURES[name](silent) == pytest.approx(expected)
    assert MEASURES[name](gappy) == pytest.approx(expected)


@pytest.mark.parametrize("name", sorted(set(MEASURES) - OF_RANDOM_HALVES))
def test_order_of_repeats(name: str) -> None:
    values = responses(4)
    order = np.random.default_rng(0).permutation(6)
    assert MEASURES[name](values[order]) == pytest.approx(MEASURES[name](values))


@pytest.mark.parametrize("name", MEASURES)
def test_a_repeat_that_was_not_recorded(name: str) -> None:
    """A repeat of missing trials is no repeat; random halves may fall otherwise."""
    values = responses(5)
    values[3] = np.nan
    found, expected = MEASURES[name](values), MEASURES[name](np.delete(values, 3, axis=0))
    tolerance = 0.5 if name in OF_RANDOM_HALVES else 1e-9
    assert found == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize("name", ["participation ratio", "effective rank", "parallelism"])
def test_conditions_in_another_order(name: str) -> None:
    values = responses(6)
    order = np.random.default_rng(1).permutation(8)
    signs = SIGNS[0][order]
    if name == "parallelism":
        kernel = linear_kernel(values.mean(axis=0))
        moved = linear_kernel(values[:, order].mean(axis=0))
        assert parallelism_score(moved, signs) == pytest.approx(parallelism_score(kernel, SIGNS[0]))
    else:
        assert MEASURES[name](values[:, order]) == pytest.approx(MEASURES[name](values))
