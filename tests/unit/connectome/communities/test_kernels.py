"""Increments of the compiled moves equal description lengths that are computed anew."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropipe.connectome.communities import kernels
from neuropipe.connectome.communities.blockmodel import (
    block_model,
    count_model,
    description_length,
)
from neuropipe.connectome.communities.search import new_state

from .builders import graphs_with_labels

FORMS = ("plain", "corrected", "counts")


def model_of(form, weights):
    if form == "counts":
        counts = np.floor(np.nan_to_num(weights) * 3)
        return count_model(counts + np.diag(np.arange(len(counts)) % 3))
    return block_model(weights, degree_corrected=form == "corrected")


def started(model, labels):
    state, constant = new_state(model)
    kernels.rebuild(state, labels, int(labels.max()) + 1)
    return state, constant


def assert_sound(state, model, constant):
    """What the state holds is what its labels say."""
    labels = state.labels.copy()
    assert kernels.total(state) + constant == pytest.approx(
        description_length(model, labels), abs=1e-8
    )
    fresh, _ = started(model, labels)
    assert fresh.n_blocks[0] == state.n_blocks[0]
    assert np.array_equal(fresh.sizes, state.sizes)
    for name in ("profiles", "blocks", "costs"):
        assert getattr(state, name) == pytest.approx(getattr(fresh, name), abs=1e-8), name


@pytest.mark.parametrize("form", FORMS)
@given(case=graphs_with_labels(), moves=st.lists(st.tuples(st.integers(0, 11), st.integers(0, 5))))
@settings(max_examples=40, deadline=None)
def test_moves(form, case, moves):
    weights, labels = case
    model = model_of(form, weights)
    state, constant = started(model, labels)
    for unit, target in moves:
        i = unit % len(labels)
        s = target % (state.n_blocks[0] + 1)
        alone = state.sizes[state.labels[i]] == 1
        if s == state.labels[i] or (alone and s == state.n_blocks[0]):
            continue
        before = description_length(model, state.labels)
        change = kernels.move_change(state, i, s)
        kernels.move(state, i, s)
        after = description_length(model, state.labels)
        assert change == pytest.approx(after - before, abs=1e-8)
        assert_sound(state, model, constant)


@pytest.mark.parametrize("form", FORMS)
@given(case=graphs_with_labels(), pair=st.tuples(st.integers(0, 4), st.integers(1, 4)))
@settings(max_examples=40, deadline=None)
def test_merges(form, case, pair):
    weights, labels = case
    model = model_of(form, weights)
    state, constant = started(model, labels)
    b = int(state.n_blocks[0])
    r, s = pair[0] % b, (pair[0] + pair[1]) % b
    if r == s:
        return
    before = description_length(model, state.labels)
    change = kernels.merge_change(state, r, s)
    kernels.merge(state, r, s)
    assert state.n_blocks[0] == b - 1
    assert change == pytest.approx(description_length(model, state.labels) - before, abs=1e-8)
    assert_sound(state, model, constant)


@pytest.mark.parametrize("form", FORMS)
@given(case=graphs_with_labels(), seed=st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_no_part_of_the_search_makes_it_worse(form, case, seed):
    weights, labels = case
    model = model_of(form, weights)
    state, constant = started(model, labels)
    state.random[0] = seed
    length = kernels.total(state)
    if state.sizes[0] > 1:
        kernels.divide(state, 0, state.n_blocks[0])
        assert kernels.total(state) <= length + 1e-9
        assert_sound(state, model, constant)
    for step in (kernels.settle, kernels.merge_all, kernels.polish):
        length = kernels.total(state)
        step(state)
        assert kernels.total(state) <= length + 1e-9
        assert_sound(state, model, constant)


def test_rounds_of_merges_stop_at_the_target():
    n = 20
    rng = np.random.default_rng(0)
    upper = np.triu(rng.exponential(size=(n, n)), k=1)
    model = block_model(upper + upper.T, degree_corrected=False)
    state, constant = started(model, np.arange(n))
    kernels.merge_round(state, 13)
    assert state.n_blocks[0] == 13
    assert_sound(state, model, constant)


def test_draws_are_uniform_and_a_shuffle_is_a_permutation():
    random = np.array([5], dtype=np.uint64)
    drawn = np.bincount([kernels.below(random, 7) for _ in range(7000)], minlength=7)
    assert len(drawn) == 7
    assert drawn.min() > 850
    values = np.arange(50)
    kernels.shuffle(random, values)
    assert sorted(values) == list(range(50))
    assert (values != np.arange(50)).sum() > 30
