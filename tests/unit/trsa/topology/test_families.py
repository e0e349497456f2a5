"""Families side by side, and their comparison with the rank RDM."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import permutation_test

from neuropipe.errors import InputError, UnfitRecordingError
from neuropipe.simulate.representations import Design, graph_regions
from neuropipe.trsa.topology.families import (
    BEST,
    GEODESIC,
    NESTED,
    RANK,
    RAW,
    compare_to_rank,
    family_accuracies,
    geodesic_vectors,
)
from neuropipe.trsa.topology.geodesic import geodesic
from neuropipe.trsa.topology.grid import CATEGORIES, cells, sample_categories
from neuropipe.trsa.topology.selection import grid_accuracy, identify, identify_items
from neuropipe.trsa.topology.transforms import normalised_ranks, sigmoid_transform

DESIGN = Design(n_subjects=8, n_regions=4, n_conditions=20)


@pytest.fixture(scope="module")
def rdms() -> np.ndarray:
    return graph_regions(np.random.default_rng(0), DESIGN, redrawn=0.1)


def flat(rdms: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    subjects, labels = np.indices(rdms.shape[:2]).reshape(2, -1)
    return rdms.reshape(len(subjects), -1), subjects, labels


@pytest.fixture(scope="module")
def found(rdms):
    return family_accuracies(*flat(rdms), representations={
        GEODESIC: geodesic_vectors, "sigmoid": sigmoid_transform, "constant": np.ones_like,
    })  # fmt: skip


def test_families_stand_in_order(found):
    names = (RAW, RANK, *CATEGORIES, BEST, NESTED, GEODESIC, "sigmoid", "constant")
    assert found.families == names
    assert list(found.table["family"]) == list(names)
    assert found.accuracy.shape == (len(names), 8)
    np.testing.assert_allclose(found.table["accuracy"], found.accuracy.mean(axis=1))
    assert found.chance == 0.25
    assert found.labels == ("0", "1", "2", "3")


def test_each_family_is_its_own_identification(rdms, found):
    values, subjects, labels = flat(rdms)
    accuracy = dict(zip(found.families, found.accuracy, strict=True))
    np.testing.assert_array_equal(accuracy[RAW], identify(rdms).accuracy)
    ranks = normalised_ranks(rdms)
    np.testing.assert_array_equal(accuracy[RANK], identify(ranks).accuracy)
    for name, own in sample_categories(np.random.default_rng(0)).items():
        each = grid_accuracy(normalised_ranks(values), subjects, labels, own)
        np.testing.assert_allclose(accuracy[name], each.mean(axis=0))
    paths = geodesic(values, 0.0, 0.3).distances.reshape(rdms.shape)
    np.testing.assert_array_equal(accuracy[GEODESIC], identify(paths).accuracy)
    np.testing.assert_array_equal(accuracy["constant"], [0.25] * 8)


def test_the_best_cell_is_optimistic_and_never_tested(found):
    table = found.table.set_index("family")
    assert table.loc[BEST, "accuracy"] == found.grid.mean(axis=1).max()
    assert table.loc[BEST, "accuracy"] >= table.loc[NESTED, "accuracy"]
    assert list(table.index[table["optimistic"]]) == [BEST]
    untested = table.index[table["p_value"].isna()]
    assert set(untested) == {RANK, BEST}
    assert table["p_holm"].isna().equals(table["p_value"].isna())
    best = int(np.flatnonzero((found.cells == found.best_cell).all(axis=1))[0])
    assert found.grid[best].mean() == found.grid.mean(axis=1).max()
    assert found.chosen_cells.shape == (8, 2)


def test_differences_are_paired_with_ranks(found):
    accuracy = dict(zip(found.families, found.accuracy, strict=True))
    row = found.table.set_index("family").loc["constant"]
    expected = compare_to_rank(accuracy["constant"], accuracy[RANK])
    assert row["difference"] == pytest.approx(expected.mean)
    assert row["p_value"] == expected.p_value
    assert (row["difference_low"], row["difference_high"]) == expected.interval
    assert row["difference_high"] < 0
    assert row["p_holm"] >= row["p_value"]


def test_same_seed_same_table(rdms, found):
    again = family_accuracies(*flat(rdms), representations={})
    rows = len(again.table)
    np.testing.assert_array_equal(again.accuracy, found.accuracy[:rows])
    assert again.families == found.families[:rows]
    np.testing.assert_array_equal(again.table["low"], found.table["low"][:rows])
    assert family_accuracies(*flat(rdms)).families[-1] == GEODESIC


def test_unknown_pairs_are_left_out_for_all(rdms):
    values, subjects, labels = flat(rdms)
    gaps = values.copy()
    gaps[3, 7] = gaps[9, 100] = np.nan
    found = family_accuracies(gaps, subjects, labels, step=0.2)
    kept = np.delete(values, [7, 100], axis=1)
    accuracy = dict(zip(found.families, found.accuracy, strict=True))
    expected = grid_accuracy(normalised_ranks(kept), subjects, labels, cells(0.2))
    np.testing.assert_array_equal(found.grid, expected)
    np.testing.assert_array_equal(accuracy[RAW], identify(kept.reshape(8, 4, -1)).accuracy)
    assert np.isfinite(accuracy[GEODESIC]).all()


def test_two_subjects_have_no_nested_selection(rdms):
    found = family_accuracies(*flat(rdms[:2]), step=0.2)
    assert NESTED not in found.families
    assert found.chosen_cells is None
    with pytest.raises(UnfitRecordingError):
        family_accuracies(*flat(rdms[:1]), step=0.2)


@pytest.mark.parametrize("n", [6, 16])
def test_sign_flips_are_those_of_scipy(n):
    rng = np.random.default_rng(n)
    first, second = rng.random(n) + 0.2, rng.random(n)
    found = compare_to_rank(first, second)
    oracle = permutation_test(
        (first, second), lambda a, b, axis: np.mean(a - b, axis=axis), permutation_type="samples",
        vectorized=True, n_resamples=20000, rng=np.random.default_rng(0),
    )  # fmt: skip
    tolerance = 1e-12 if n == 6 else 0.01  # all flips, or a draw of them
    assert found.p_value == pytest.approx(oracle.pvalue, abs=tolerance)
    assert found.mean == pytest.approx((first - second).mean())
    assert found.interval[0] < found.mean < found.interval[1]


def test_equal_scores_do_not_differ():
    scores = np.random.default_rng(0).random(10)
    found = compare_to_rank(scores, scores)
    assert found.p_value == 1
    assert found.interval == (0.0, 0.0)


def test_impossible_comparisons_are_refused():
    with pytest.raises(InputError, match="accuracies"):
        compare_to_rank(np.ones(3), np.ones(4))
    with pytest.raises(InputError, match="not numbers"):
        compare_to_rank(np.array([1, np.nan, 0.5]), np.ones(3))
    with pytest.raises(UnfitRecordingError):
        compare_to_rank(np.ones(1), np.ones(1))


def test_subjects_may_lack_labels_and_have_names(rdms):
    values, subjects, labels = flat(rdms)
    kept = np.delete(np.arange(32), [0, 5, 30])
    names, regions = np.array([f"sub-{k:02d}" for k in range(8)]), np.array(["d", "c", "b", "a"])
    found = family_accuracies(values[kept], names[subjects[kept]], regions[labels[kept]], step=0.2)
    assert found.subjects == tuple(names)
    assert found.labels == ("a", "b", "c", "d")
    whole = identify_items(values[kept], subjects[kept], labels[kept]).accuracy
    np.testing.assert_array_equal(found.accuracy[0], whole)


def test_monotone_rescaling_moves_the_raw_family_alone(rdms):
    values, subjects, labels = flat(rdms)
    bent = np.exp(6 * values) * np.random.default_rng(0).uniform(0.1, 10, (len(values), 1))
    plain = family_accuracies(values, subjects, labels, step=0.2)
    found = family_accuracies(bent, subjects, labels, step=0.2)
    np.testing.assert_array_equal(found.accuracy[1:], plain.accuracy[1:])
    assert found.accuracy[0].mean() < plain.accuracy[0].mean()


def test_cells_of_a_category_are_redrawn_by_seed(rdms):
    one, two = (family_accuracies(*flat(rdms), n_cells=3, seed=seed) for seed in (0, 1))
    rows = {name: k for k, name in enumerate(one.families)}
    assert (one.accuracy[rows["intermediate"]] != two.accuracy[rows["intermediate"]]).any()
    np.testing.assert_array_equal(one.accuracy[rows[RANK]], two.accuracy[rows[RANK]])
    np.testing.assert_array_equal(one.grid, two.grid)


def test_wrong_shapes_and_labels_are_refused(rdms):
    values, subjects, labels = flat(rdms)
    with pytest.raises(InputError, match="32 subjects, 31 labels"):
        family_accuracies(values, subjects, labels[:-1])
    with pytest.raises(UnfitRecordingError, match="at least 2 labels"):
        family_accuracies(values, subjects, np.zeros(32))


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 9))
@settings(max_examples=20)
def test_p_values_do_not_depend_on_the_direction(seed, n):
    rng = np.random.default_rng(seed)
    first, second = rng.random(n), rng.random(n)
    one, two = compare_to_rank(first, second), compare_to_rank(second, first)
    assert one.p_value == two.p_value
    assert one.mean == -two.mean
    assert one.p_value >= 2 / 2**n - 1e-12  # all signs flipped is as extreme as none
