"""RDMs keep pairs, names and items together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform

from neuropipe.errors import InputError
from neuropipe.trsa.rdms import RDMs, concatenate, n_conditions_of, square, vectors


def rdms(n_rdms=3, n_conditions=5, seed=0):
    rng = np.random.default_rng(seed)
    items = pd.DataFrame({"subject": [f"s{k}" for k in range(n_rdms)]})
    values = rng.random((n_rdms, n_conditions * (n_conditions - 1) // 2))
    return RDMs(values, tuple("abcdefghij"[:n_conditions]), "euclidean", items)


@given(st.integers(2, 200))
def test_numbers_of_pairs_tell_numbers_of_conditions(n):
    assert n_conditions_of(n * (n - 1) // 2) == n


@given(st.integers(0, 5000))
def test_other_numbers_are_refused(n_pairs):
    if n_pairs in {n * (n - 1) // 2 for n in range(2, 102)}:
        assert n_conditions_of(n_pairs) >= 2
    else:
        with pytest.raises(InputError, match=f"of {n_pairs} pairs"):
            n_conditions_of(n_pairs)


@given(st.integers(2, 12), st.integers(0, 3))
def test_vectors_and_matrices_are_each_other(n, n_rdms):
    rows = np.random.default_rng(n).random((n_rdms, n * (n - 1) // 2))
    np.testing.assert_array_equal(vectors(square(rows)), rows)
    for row, matrix in zip(rows, square(rows), strict=True):
        np.testing.assert_array_equal(matrix, squareform(row))


def test_pairs_stand_as_those_of_scipy():
    points = np.random.default_rng(0).random((6, 3))
    matrix = np.linalg.norm(points[:, None] - points, axis=2)
    np.testing.assert_allclose(vectors(matrix), pdist(points))


def test_one_vector_is_one_rdm():
    single = RDMs(np.arange(3.0), ("a", "b", "c"))
    assert (len(single), single.n_conditions, single.matrices.shape) == (1, 3, (1, 3, 3))
    assert single.table["rdm"].tolist() == [0]


def test_rdms_are_picked_with_their_items():
    found = rdms().take([2, 0])
    assert found.table["subject"].tolist() == ["s2", "s0"]
    np.testing.assert_array_equal(found.dissimilarities, rdms().dissimilarities[[2, 0]])
    assert rdms().take(np.array([False, True, False])).table["subject"].tolist() == ["s1"]


def test_conditions_are_picked_and_ordered():
    whole = rdms()
    found = whole.of(["d", "a", "c"])
    assert found.conditions == ("d", "a", "c")
    np.testing.assert_array_equal(found.matrices, whole.matrices[:, [3, 0, 2]][:, :, [3, 0, 2]])
    with pytest.raises(InputError, match="condition 'z'"):
        whole.of(["a", "z"])


def test_the_mean_is_over_what_is_known():
    whole = rdms()
    values = whole.dissimilarities.copy()
    values[0, 2] = values[:, 4] = np.nan
    mean = RDMs(values, whole.conditions).mean()
    assert mean[2] == pytest.approx(values[1:, 2].mean())
    assert np.isnan(mean[4])
    assert np.isfinite(np.delete(mean, 4)).all()


def test_joined_rdms_take_the_order_of_the_first():
    first, second = rdms(), rdms(2, seed=1).of(list("edcba"))
    joined = concatenate([first, second])
    assert joined.conditions == first.conditions
    np.testing.assert_array_equal(joined.matrices[3], second.matrices[0][::-1, ::-1])
    assert joined.table["subject"].tolist() == ["s0", "s1", "s2", "s0", "s1"]


def test_rdms_of_other_conditions_are_not_joined():
    with pytest.raises(InputError, match="e in one only"):
        concatenate([rdms(), rdms().of(list("abcd"))])
    with pytest.raises(InputError, match="no RDMs"):
        concatenate([])


def test_parts_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="for 4 conditions"):
        RDMs(np.zeros((2, 3)), tuple("abcd"))
    with pytest.raises(InputError, match="one name"):
        RDMs(np.zeros((2, 3)), ("a", "b", "a"))
    with pytest.raises(InputError, match="1 items for 2 RDMs"):
        RDMs(np.zeros((2, 3)), tuple("abc"), items=pd.DataFrame({"x": [1]}))
    with pytest.raises(InputError, match="shape"):
        RDMs(np.zeros((2, 3, 3)), tuple("abc"))
