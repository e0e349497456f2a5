"""Enumeration, drawing and matching of dichotomies."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuropipe.errors import InputError, UnfitRecordingError
from neuropipe.simulate.geometry import conditions
from neuropipe.trsa.geometry.dichotomies import (
    balanced_dichotomies,
    binary_factors,
    factor_dichotomy,
    matched_pairs,
    n_balanced,
    sample_dichotomies,
)


@pytest.mark.parametrize(("n", "expected"), [(4, 3), (6, 10), (8, 35), (10, 126), (12, 462)])
def test_there_are_as_many_as_the_binomial_says(n: int, expected: int) -> None:
    found = balanced_dichotomies(n)
    assert found.shape == (expected, n)
    assert n_balanced(n) == expected
    assert len(np.unique(found, axis=0)) == expected
    assert (found.sum(axis=1) == 0).all()
    assert (found[:, 0] == 1).all()


def test_none_is_the_flip_of_another() -> None:
    found = balanced_dichotomies(8)
    overlap = found @ found.T
    assert overlap.min() > -8


@given(n=st.sampled_from([4, 6, 8, 14, 20]), k=st.integers(1, 60), seed=st.integers(0, 20))
def test_drawn_ones_differ(n: int, k: int, seed: int) -> None:
    found = sample_dichotomies(n, k, np.random.default_rng(seed))
    assert len(found) == min(k, n_balanced(n))
    assert len(np.unique(found, axis=0)) == len(found)
    assert (found.sum(axis=1) == 0).all()
    assert (found[:, 0] == 1).all()


def test_drawing_favours_none() -> None:
    rng = np.random.default_rng(0)
    everything = balanced_dichotomies(6)
    counts = np.zeros(len(everything))
    for _ in range(2000):
        drawn = sample_dichotomies(6, 2, rng)
        counts += (everything[None] == drawn[:, None]).all(axis=2).sum(axis=0)
    assert counts.sum() == 4000
    assert (np.abs(counts - 400) < 90).all()


@pytest.mark.parametrize("n", [2, 7, 9])
def test_what_cannot_be_halved_is_refused(n: int) -> None:
    with pytest.raises(UnfitRecordingError, match="even"):
        balanced_dichotomies(n)


def test_too_many_are_refused() -> None:
    with pytest.raises(UnfitRecordingError, match="draw some"):
        balanced_dichotomies(30)


def table() -> pd.DataFrame:
    frame = pd.DataFrame(conditions(3), columns=["a", "b", "c"])
    return frame.assign(word=list("xxxxyyyy"), level=range(8), rare=[1, *[0] * 7])


def test_binary_factors_halve_the_conditions() -> None:
    assert binary_factors(table()) == ("a", "b", "c", "word")
    gap = table().assign(a=[None, 1, 1, 1, -1, -1, -1, -1])
    assert "a" not in binary_factors(gap)


def test_a_factor_becomes_signs() -> None:
    np.testing.assert_array_equal(factor_dichotomy(table()["word"]), [1] * 4 + [-1] * 4)
    with pytest.raises(InputError, match="level"):
        factor_dichotomy(table()["level"])


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_pairs_differ_in_one_factor(name: str) -> None:
    frame = table()[["a", "b", "c"]]
    pairs = matched_pairs(frame, name)
    assert pairs is not None
    assert sorted(pairs.ravel()) == list(range(8))
    values = frame.to_numpy()
    differs = values[pairs[:, 0]] != values[pairs[:, 1]]
    assert (differs.sum(axis=1) == 1).all()
    assert differs[:, list("abc").index(name)].all()
    side = factor_dichotomy(frame[name])
    assert (side[pairs[:, 0]] == 1).all()


def test_a_design_without_matches_has_no_pairs() -> None:
    frame = table()
    assert matched_pairs(frame[["a"]], "a") is None
    assert matched_pairs(frame[["a", "b"]], "a") is None  # two conditions in each cell
    assert matched_pairs(frame[["a", "level"]], "a") is None
