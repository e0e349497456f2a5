"""Arrays are RDMs in one way or in none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuropipe.errors import InputError
from neuropipe.trsa.files.rdm_arrays import NotRDMsError, pair_vectors, square_vectors, vectors_of
from neuropipe.trsa.rdms import n_conditions_of, square

SIZES = st.tuples(st.integers(3, 9), st.integers(1, 12))


def rows_of(n, n_rdms):
    return np.random.default_rng(n * 100 + n_rdms).random((n_rdms, n * (n - 1) // 2)) + 0.1


def is_triangular(length):
    try:
        return n_conditions_of(length) > 2
    except InputError:
        return False


@given(SIZES, st.sampled_from([np.float64, np.float32]))
def test_matrices_and_stacks_of_them(sizes, dtype):
    rows = rows_of(*sizes).astype(dtype)
    np.testing.assert_array_equal(vectors_of(square(rows)), rows)
    np.testing.assert_array_equal(vectors_of(np.moveaxis(square(rows), 0, 2)), rows)
    np.testing.assert_array_equal(vectors_of(square(rows)[0]), rows[:1])
    assert vectors_of(square(rows)).dtype == np.float64


@given(SIZES)
def test_vectors_lie_along_the_only_axis_that_fits(sizes):
    rows = rows_of(*sizes)
    if sizes[1] == rows.shape[1] or (sizes[1] > 1 and is_triangular(sizes[1])):
        with pytest.raises(NotRDMsError):
            vectors_of(rows)
        return
    for array in (rows, rows.T, rows[None], rows.T[None], rows[:, :, None]):
        np.testing.assert_array_equal(vectors_of(array), rows)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16])
def test_models_of_whole_numbers(dtype):
    rows = np.array([[1, 0, 1, 1, 0, 1]], dtype=dtype)
    np.testing.assert_array_equal(vectors_of(square(rows)), rows.astype(float))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((0, 6)),
        np.ones(5),
        np.array(["a", "b", "c"]),
        np.ones((2, 3, 4, 5)),
        np.ones((4, 5)),
        np.array(1.0),
        np.array([[0, np.inf, 1]]),
    ],
)
def test_other_arrays_are_none(array):
    with pytest.raises(NotRDMsError):
        vectors_of(array)


def test_what_is_wrong_with_a_matrix_is_said():
    good = square(rows_of(4, 2))
    for change, words in (
        (good[:, :3], "matrices of shape"),
        (good + np.eye(4), "similarities"),
        (good + np.triu(np.ones((4, 4)), 1), "not symmetric"),
        (np.where(np.eye(4) == 1, np.nan, good), "not a number"),
    ):
        with pytest.raises(NotRDMsError, match=words):
            square_vectors(change)


def test_a_matrix_of_unknown_pairs_is_unknown():
    empty = np.where(np.eye(4) == 1, 0, np.nan)
    assert np.isnan(square_vectors(empty[None])).all()


@given(st.integers(2, 7), st.integers(0, 2**32 - 1))
def test_named_pairs_come_in_any_order(n, seed):
    rng = np.random.default_rng(seed)
    row = rows_of(n, 1)[0]
    names = [f"c{k}" for k in range(n)]
    pairs = list(zip(*np.triu_indices(n, 1), strict=True))
    order = rng.permutation(len(pairs))
    turned = [pairs[k][:: rng.choice([1, -1])] for k in order]
    first, second = ([names[pair[side]] for pair in turned] for side in (0, 1))
    np.testing.assert_array_equal(pair_vectors(first, second, row[order], names), row)


def test_pairs_may_be_given_twice_if_they_agree():
    found = pair_vectors(["a", "b", "a"], ["b", "a", "a"], np.array([2.0, 2.0, 0.0]), ["a", "b"])
    assert found.tolist() == [2.0]
