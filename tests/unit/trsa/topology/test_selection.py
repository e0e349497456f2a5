"""Identification across subjects against the plain loop, and selection without peeking."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.neighbors import NearestCentroid

from neuropipe.errors import InputError, UnfitRecordingError
from neuropipe.simulate.stimuli_oracle import identify_regions
from neuropipe.trsa.topology.grid import RANK_CELL, cells
from neuropipe.trsa.topology.items import common_pairs, items_of
from neuropipe.trsa.topology.selection import (
    grid_accuracy,
    identify,
    identify_items,
    nested_accuracy,
)
from neuropipe.trsa.topology.transforms import geotopological, normalised_ranks

SEEDS = st.integers(0, 2**32 - 1)


def loop(vectors: np.ndarray, subjects: np.ndarray, labels: np.ndarray, among=None) -> np.ndarray:
    """Predictions of the plain protocol, among some subjects only; -1 for others."""
    names, among = np.unique(labels), np.unique(subjects) if among is None else among
    predicted = np.full(len(vectors), -1)
    for i in np.flatnonzero(np.isin(subjects, among)):
        train = (subjects != subjects[i]) & np.isin(subjects, among)
        distance = np.full(len(names), np.inf)
        for r, name in enumerate(names):
            if (train & (labels == name)).any():
                centroid = vectors[train & (labels == name)].mean(axis=0)
                distance[r] = ((vectors[i] - centroid) ** 2).sum()
        # equal up to rounding is a tie, which the first wins
        predicted[i] = np.flatnonzero(distance <= distance.min() + 1e-8)[0]
    return predicted


def subject_means(correct: np.ndarray, subjects: np.ndarray) -> np.ndarray:
    return np.array([correct[subjects == s].mean() for s in np.unique(subjects)])


def unbalanced(seed: int, n_pairs: int = 28) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """RDMs of 7 subjects who lack some of 4 labels and have others twice."""
    rng = np.random.default_rng(seed)
    subjects, labels = np.indices((7, 4)).reshape(2, -1)
    kept = np.concatenate([np.flatnonzero(rng.random(28) < 0.8), [0, 5, 10, 15, 16, 21, 26, 27, 3,
                           1, 2, 6]])  # fmt: skip
    subjects, labels = subjects[kept], labels[kept]
    own = rng.standard_normal((4, n_pairs))
    return own[labels] + 1.5 * rng.standard_normal((len(kept), n_pairs)), subjects, labels


@given(seed=SEEDS)
def test_balanced_form_is_the_plain_loop(seed):
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((5, 30)) + 2 * rng.standard_normal((6, 5, 30))
    found = identify(vectors)
    subjects, labels = np.indices((6, 5)).reshape(2, -1)
    expected = loop(vectors.reshape(30, -1), subjects, labels)
    np.testing.assert_array_equal(found.predicted.ravel(), expected)
    assert found.accuracy.mean() == pytest.approx(identify_regions(vectors))


@given(seed=SEEDS)
def test_unbalanced_form_is_the_plain_loop(seed):
    vectors, subjects, labels = unbalanced(seed)
    found = identify_items(vectors, subjects, labels)
    expected = loop(vectors, subjects, labels)
    np.testing.assert_array_equal(found.predicted, expected)
    np.testing.assert_allclose(found.accuracy, subject_means(expected == labels, subjects))


def test_names_and_order_of_items_do_not_matter():
    vectors, subjects, labels = unbalanced(0)
    names = np.array(["V1", "V2", "LOC", "FFA"])
    order = np.random.default_rng(0).permutation(len(vectors))
    found = identify_items(
        vectors[order], [f"sub-{s}" for s in subjects[order]], names[labels[order]]
    )
    plain = identify_items(vectors, subjects, labels)
    np.testing.assert_array_equal(found.accuracy, plain.accuracy)
    np.testing.assert_array_equal(np.sort(names)[found.predicted], names[plain.predicted[order]])


def test_a_large_common_offset_costs_nothing():
    vectors, subjects, labels = unbalanced(1)
    found = identify_items(1e-3 * vectors + 1e4, subjects, labels)
    np.testing.assert_array_equal(
        found.predicted, identify_items(vectors, subjects, labels).predicted
    )


def test_without_information_ties_go_to_the_first_label():
    found = identify(np.ones((3, 4, 10)))
    assert (found.predicted == 0).all()
    np.testing.assert_array_equal(found.accuracy, [0.25] * 3)


@pytest.mark.parametrize("max_bytes", [1, 2**25])
def test_grid_is_the_plain_loop_at_every_cell(max_bytes):
    vectors, subjects, labels = unbalanced(2)
    grid = cells(0.1, include_equal=True)  # binary cells have exact ties
    found = grid_accuracy(normalised_ranks(vectors), subjects, labels, grid, max_bytes=max_bytes)
    assert found.shape == (len(grid), 7)
    for cell, own in zip(grid, found, strict=True):
        expected = loop(geotopological(vectors, *cell), subjects, labels) == labels
        np.testing.assert_allclose(own, subject_means(expected, subjects))
    assert len(np.unique(found.mean(axis=1))) > 5


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_finds_the_same():
    vectors, subjects, labels = unbalanced(2)
    parts = normalised_ranks(vectors), subjects, labels, cells(0.1, include_equal=True)
    np.testing.assert_array_equal(grid_accuracy(*parts, device="cuda"), grid_accuracy(*parts))
    one, two = nested_accuracy(*parts, device="cuda"), nested_accuracy(*parts)
    np.testing.assert_array_equal(one.inner, two.inner)
    np.testing.assert_array_equal(one.chosen, two.chosen)


def nested_loop(values, subjects, labels, grid):
    """Inner accuracies, chosen cells and accuracies by three loops."""
    names = np.unique(subjects)
    inner = np.zeros((len(grid), len(names)))
    for k, cell in enumerate(grid):
        transformed = geotopological(values, *cell)
        for s, held in enumerate(names):
            among = names[names != held]
            predicted = loop(transformed, subjects, labels, among)
            rest = subjects != held
            inner[k, s] = subject_means((predicted == labels)[rest], subjects[rest]).mean()
    return inner


@pytest.mark.parametrize("seed", [0, 3])
def test_nested_selection_is_the_triple_loop(seed):
    values, subjects, labels = unbalanced(seed)
    grid = cells(0.25, include_equal=True)
    found = nested_accuracy(normalised_ranks(values), subjects, labels, grid)
    np.testing.assert_allclose(found.inner, nested_loop(values, subjects, labels, grid))
    whole = grid_accuracy(normalised_ranks(values), subjects, labels, grid)
    np.testing.assert_allclose(found.grid, whole)
    width = grid[:, 1] - grid[:, 0]
    for s, chosen in enumerate(found.chosen):
        best = np.flatnonzero(np.isclose(found.inner[:, s], found.inner[:, s].max()))
        widest = best[np.isclose(width[best], width[best].max())]
        assert chosen == widest[0]
        assert found.accuracy[s] == found.grid[chosen, s]


def test_the_held_out_subject_has_no_say_in_its_cell():
    values, subjects, labels = unbalanced(4)
    grid = cells(0.1)
    plain = nested_accuracy(normalised_ranks(values), subjects, labels, grid)
    for s in (0, 6):
        mine = subjects == s
        other = values.copy()
        other[mine] = np.random.default_rng(0).random(other[mine].shape)
        changed = nested_accuracy(normalised_ranks(other), subjects, labels, grid)
        np.testing.assert_array_equal(changed.inner[:, s], plain.inner[:, s])
        assert changed.chosen[s] == plain.chosen[s]
    assert not np.array_equal(changed.inner, plain.inner)


def test_equal_cells_lose_to_plain_ranks():
    vectors = np.tile(np.random.default_rng(0).random((3, 1, 45)), (1, 5, 1)).reshape(15, -1)
    labels, subjects = np.indices((3, 5)).reshape(2, -1)
    grid = cells()[::-1]  # the rank cell comes last
    found = nested_accuracy(normalised_ranks(vectors), subjects, labels, grid)
    assert found.accuracy.mean() == 1
    assert {tuple(grid[k]) for k in found.chosen} == {RANK_CELL}


def test_items_are_counted_and_checked():
    items = items_of(["b", "a", "a", "b", "a"], ["x", "x", "y", "y", "x"])
    assert items.subjects == ("a", "b")
    assert items.labels == ("x", "y")
    np.testing.assert_array_equal(items.counts, [[2, 1], [1, 1]])
    assert items.chance == 0.5
    np.testing.assert_allclose(
        items.per_subject(np.array([True, True, False, False, True])), [2 / 3, 1 / 2]
    )
    with pytest.raises(InputError, match="2 subjects, 1 labels"):
        items_of(["a", "b"], ["x"])
    for subjects, labels in (([], []), (["a", "b"], ["x", "x"]), (["a", "b", "a"], list("xxy"))):
        with pytest.raises(UnfitRecordingError, match="labels"):
            items_of(subjects, labels)


def test_too_few_subjects_and_unknown_pairs_are_refused():
    vectors = np.random.default_rng(0).random((4, 10))
    subjects, labels = [0, 0, 1, 1], [0, 1, 0, 1]
    assert len(identify_items(vectors, subjects, labels).accuracy) == 2
    with pytest.raises(UnfitRecordingError, match="3 subjects"):
        nested_accuracy(vectors, subjects, labels, cells())
    vectors[1, 2] = np.nan
    for call in (identify_items, lambda *parts: grid_accuracy(*parts, cells())):
        with pytest.raises(InputError, match="unknown pairs"):
            call(vectors, subjects, labels)
    np.testing.assert_array_equal(np.flatnonzero(~common_pairs(vectors)), [2])
    with pytest.raises(UnfitRecordingError, match="pairs of conditions"):
        common_pairs(np.full((2, 10), np.nan))


@given(seed=SEEDS)
@settings(max_examples=15)
def test_identification_is_that_of_scikit_learn(seed):
    vectors, subjects, labels = unbalanced(seed)
    expected = cross_val_predict(
        NearestCentroid(), vectors, labels, groups=subjects, cv=LeaveOneGroupOut()
    )
    np.testing.assert_array_equal(identify_items(vectors, subjects, labels).predicted, expected)


@given(seed=SEEDS, shift=st.floats(-5, 5), scale=st.floats(0.1, 10))
@settings(max_examples=15)
def test_turning_moving_and_scaling_all_vectors_changes_nothing(seed, shift, scale):
    vectors, subjects, labels = unbalanced(seed)
    turn = np.linalg.qr(np.random.default_rng(seed).standard_normal((28, 28)))[0]
    found = identify_items(scale * vectors @ turn + shift, subjects, labels)
    plain = identify_items(vectors, subjects, labels)
    np.testing.assert_array_equal(found.predicted, plain.predicted)


def test_pure_noise_is_at_chance_and_signal_is_found():
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((200, 5, 40))
    assert identify(noise).accuracy.mean() == pytest.approx(0.2, abs=0.05)
    signal = noise + 3 * rng.standard_normal((5, 40))
    assert identify(signal).accuracy.mean() > 0.99


def test_a_subject_never_helps_to_identify_itself():
    """Two items of one label of one subject are equal, and yet judged by the others' centroids."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((24, 20))
    subjects, labels = np.repeat(np.arange(6), 4), np.tile([0, 0, 1, 1], 6)
    vectors[1::2] = vectors[::2]  # each item twice
    found = identify_items(vectors, subjects, labels)
    np.testing.assert_array_equal(found.predicted, loop(vectors, subjects, labels))
    assert found.accuracy.mean() < 0.9


def test_binary_cells_break_ties_as_told():
    """Vectors of 0 and 1 are often equally near to two centroids: the first label then wins."""
    rng = np.random.default_rng(0)
    values = rng.integers(0, 2, (5, 4, 5)).astype(float)
    subjects, labels = np.indices((5, 4)).reshape(2, -1)
    flat = values.reshape(20, 5)
    distance = np.array([
        [((v - flat[(subjects != s) & (labels == r)].mean(axis=0)) ** 2).sum() for r in range(4)]
        for v, s in zip(flat, subjects, strict=True)
    ])  # fmt: skip
    tied = (np.isclose(distance, distance.min(axis=1, keepdims=True))).sum(axis=1) > 1
    assert tied.sum() >= 2
    first = np.isclose(distance, distance.min(axis=1, keepdims=True)).argmax(axis=1)
    np.testing.assert_array_equal(identify(values).predicted.ravel(), first)


def test_grouping_brings_subjects_together():
    items = items_of([2, 0, 1, 0, 2], list("abaab"))
    order, grouped = items.grouped()
    np.testing.assert_array_equal(grouped.subject, [0, 0, 1, 2, 2])
    np.testing.assert_array_equal(order, [1, 3, 2, 0, 4])
    np.testing.assert_array_equal(grouped.label, items.label[order])
    np.testing.assert_array_equal(grouped.counts, items.counts)


def test_order_of_items_does_not_matter_to_grid_and_nested_selection():
    values, subjects, labels = unbalanced(5)
    order = np.random.default_rng(0).permutation(len(values))
    grid = cells(0.2)
    for method in (grid_accuracy, lambda *parts: nested_accuracy(*parts).inner):
        plain = method(normalised_ranks(values), subjects, labels, grid)
        mixed = method(normalised_ranks(values[order]), subjects[order], labels[order], grid)
        np.testing.assert_allclose(mixed, plain)


def test_the_best_of_many_cells_is_optimistic_and_the_nested_is_not():
    gaps, nested = [], []
    subjects, labels = np.indices((8, 3)).reshape(2, -1)
    for seed in range(6):
        ranks = normalised_ranks(np.random.default_rng(seed).random((24, 66)))
        found = nested_accuracy(ranks, subjects, labels, cells(0.1))
        gaps.append(found.grid.mean(axis=1).max() - found.accuracy.mean())
        nested.append(found.accuracy.mean())
    assert np.mean(gaps) > 0.05
    assert np.mean(nested) < 1 / 3 + 0.1
