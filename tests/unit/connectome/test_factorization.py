"""Masked factorization: exact products, monotone errors, recovery, and what is not identified."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from neuropipe.connectome.affinity import pair_index, rises_and_falls, time_filter
from neuropipe.connectome.factorization import (
    factorize,
    fit_activity,
    random_start,
    squared_errors,
)
from neuropipe.connectome.operators import DenseTensor, SeparableTensor, dense_affinities
from neuropipe.connectome.restarts import best, component_cosines, matched
from neuropipe.connectome.settings import AffinitySettings
from neuropipe.connectome.sweeps import sweep
from neuropipe.simulate.tensors import compose, planted_factors

DOUBLE = torch.float64


def random_rates(seed: int, w: int = 3, n: int = 7, t: int = 20) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    presence = rng.uniform(size=(w, n)) < 0.8
    presence[0] = True
    return rng.standard_normal((w, n, t)) * presence[..., None], presence


def both(seed: int, kind: str, signed: bool, filtered: bool) -> tuple[DenseTensor, SeparableTensor]:
    rates, presence = random_rates(seed)
    filter_ = time_filter(20, 1.5, 2, np.array([[0, 9], [9, 20]])) if filtered else None
    values, mask = dense_affinities(rates, presence, kind, signed=signed, filter_=filter_)
    parts = rises_and_falls(rates, AffinitySettings(kind=kind))
    how = {"signed": signed, "filter_": filter_, "dtype": DOUBLE}
    return DenseTensor(values, mask, dtype=DOUBLE), SeparableTensor(*parts, presence, **how)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10_000),
    kind=st.sampled_from(["geo", "prod"]),
    signed=st.booleans(),
    filtered=st.booleans(),
)
def test_matrix_free_products_equal_dense_ones(
    seed: int, kind: str, signed: bool, filtered: bool
) -> None:
    dense, free = both(seed, kind, signed, filtered)
    start = random_start(dense, 3, 2, seed=seed)
    weights = start.slices[:, None, None] * start.activity()[None]
    for a, b in (
        (dense.over_samples(weights), free.over_samples(weights)),
        (dense.over_pairs(start.pairs), free.over_pairs(start.pairs)),
    ):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(dense.squared_norms, free.squared_norms, rtol=1e-10)
    assert torch.equal(dense.mask, free.mask)


@pytest.mark.parametrize("own_clocks", [False, True])
@pytest.mark.parametrize("signed", [False, True])
def test_both_paths_find_the_same_factors(own_clocks: bool, signed: bool) -> None:
    found = []
    for tensor in both(4, "geo", signed, True):
        start = random_start(tensor, 3, 2, own_clocks=own_clocks, seed=1)
        found.append(factorize(tensor, start, max_iterations=25)[0][1])
    for name in ("pairs", "times", "animals", "slices", "weights", "evidence"):
        np.testing.assert_allclose(*(getattr(f, name) for f in found), atol=1e-8, err_msg=name)


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), own_clocks=st.booleans(), signed=st.booleans())
def test_errors_fall_and_are_those_of_the_entries(
    seed: int, own_clocks: bool, signed: bool
) -> None:
    rates, presence = random_rates(seed)
    values, mask = dense_affinities(rates, presence, "geo", signed=signed)
    tensor = DenseTensor(values, mask, dtype=DOUBLE)
    start = random_start(tensor, 2, 2, own_clocks=own_clocks, seed=seed)
    found, errors = factorize(tensor, start, max_iterations=15)
    for one, history in zip(found, errors, strict=True):
        assert (np.diff(history) < 1e-5).all()
        if np.isfinite(one.pairs).all():
            fitted = np.einsum("pr,wtr,sr->spwt", one.pairs, full_activity(one, 3), one.slices)
            missed = ((values - fitted) ** 2 * mask[..., None]).sum() / (values**2).sum()
            assert missed == pytest.approx(history[-1], rel=1e-6)


def full_activity(factors, n_animals: int) -> np.ndarray:
    activity = factors.activity()
    return np.broadcast_to(activity, (n_animals, *activity.shape[1:]))


@given(seed=st.integers(0, 10_000), own=st.booleans())
def test_sweeps_reach_nonnegative_least_squares(seed: int, own: bool) -> None:
    rng = np.random.default_rng(seed)
    design, target = rng.uniform(size=(8, 3)), rng.uniform(size=(8, 5))
    gram = torch.as_tensor(np.broadcast_to(design.T @ design, (5, 1, 3, 3)).copy())
    products = torch.as_tensor((target.T @ design)[:, None].copy())
    rows = torch.zeros(5, 1, 3, dtype=DOUBLE)
    for _ in range(400):
        sweep(rows, products, gram if own else gram[0])
    expected = [nnls(design, column)[0] for column in target.T]
    np.testing.assert_allclose(rows[:, 0].numpy(), expected, atol=1e-5)


def test_noise_free_factors_are_found_in_spite_of_missing_pairs() -> None:
    rng = np.random.default_rng(3)
    truth = planted_factors((66, 40, 6), 3, rng)
    mask = rng.uniform(size=(66, 6)) < 0.7
    mask[:, 0] |= ~mask.any(axis=1)
    values = np.moveaxis(compose(truth), 1, 2) * mask[..., None]
    tensor = DenseTensor(values, mask, dtype=DOUBLE)
    found, _ = factorize(tensor, random_start(tensor, 3, 8, seed=2))
    one = best(found)
    assert one.error < 1e-3
    planted = replace(one, pairs=truth[0], times=truth[1], animals=truth[2])
    _, cosines = matched(component_cosines(planted, one, ("pairs", "times", "animals")))
    assert cosines.min() > 0.95


def test_error_is_no_worse_than_tensorly() -> None:
    import tensorly
    from tensorly.decomposition import non_negative_parafac_hals

    rng = np.random.default_rng(4)
    values = np.abs(rng.standard_normal((45, 5, 30)))
    tensor = DenseTensor(values, np.ones((45, 5), dtype=bool), dtype=DOUBLE)
    found, _ = factorize(tensor, random_start(tensor, 4, 6, seed=0), max_iterations=200)
    theirs = [
        non_negative_parafac_hals(
            tensorly.tensor(values), 4, n_iter_max=200, init="random", random_state=k, tol=1e-9
        )
        for k in range(6)
    ]
    size = (values**2).sum()
    peer = min(((values - tensorly.cp_to_tensor(one)) ** 2).sum() / size for one in theirs)
    assert best(found).error < peer * 1.002


def test_what_no_animal_shows_is_unknown() -> None:
    rng = np.random.default_rng(5)
    truth = planted_factors((45, 30, 4), 2, rng, density=1.0)
    truth[2][:] = [[1, 0.0], [1, 0.0], [0.0, 1], [0.0, 1]]
    mask = np.ones((45, 4), dtype=bool)
    mask[:5, 2:] = False  # the second component's animals lack five pairs
    mask[5:8] = False  # pairs that no animal has
    values = np.moveaxis(compose(truth), 1, 2) * mask[..., None]
    tensor = DenseTensor(values, mask, dtype=DOUBLE)
    found, _ = factorize(tensor, random_start(tensor, 2, 5, seed=0))
    one = best(found)
    second = int(np.argmax(one.animals[3]))
    assert np.isnan(one.pairs[:5, second]).all()
    assert np.isnan(one.pairs[5:8]).all()
    assert np.isfinite(one.pairs[:5, 1 - second]).all()
    assert np.isfinite(one.pairs[8:]).all()
    assert (one.evidence[:5, second] < 0.05).all()


def test_starts_do_not_depend_on_each_other() -> None:
    rates, presence = random_rates(6)
    values, mask = dense_affinities(rates, presence, "geo")
    tensor = DenseTensor(values, mask, dtype=DOUBLE)
    start = random_start(tensor, 3, 4, seed=0)
    together, _ = factorize(tensor, start, tolerance=1e-4)
    alone, _ = factorize(tensor, start.at(torch.tensor([2])), tolerance=1e-4)
    np.testing.assert_allclose(together[2].times, alone[0].times, atol=1e-9)
    assert together[2].error == pytest.approx(alone[0].error)


def test_target_ends_a_start() -> None:
    rates, presence = random_rates(7)
    values, mask = dense_affinities(rates, presence, "geo")
    tensor = DenseTensor(values, mask, dtype=DOUBLE)
    start = random_start(tensor, 3, 1, seed=0)
    _, (errors,) = factorize(tensor, start, max_iterations=50)
    goal = errors[10]
    _, (short,) = factorize(tensor, start, max_iterations=50, target=goal)
    assert len(short) == 11


def test_activity_of_the_same_animals_explains_as_much() -> None:
    rates, presence = random_rates(8, w=4, n=9, t=40)
    values, mask = dense_affinities(rates, presence, "geo")
    tensor = DenseTensor(values, mask, dtype=DOUBLE)
    one = best(factorize(tensor, random_start(tensor, 3, 3, seed=0))[0])
    own = squared_errors(tensor, one, fit_activity(tensor, one))
    shared = squared_errors(tensor, one, fit_activity(tensor, one, share_times=True))
    fitted = squared_errors(tensor, one, one.activity())
    assert fitted.sum() == pytest.approx(one.error * tensor.squared_norm, rel=0.02)
    assert (own <= shared + 1e-9).all()
    assert shared.sum() <= fitted.sum() * (1 + 1e-6)


def test_min_affinity_is_dense() -> None:
    rates, presence = random_rates(9)
    values, mask = dense_affinities(rates, presence, "min")
    first, second = pair_index(7)
    a, b = rates[:, first], rates[:, second]
    expected = np.where(a * b > 0, np.minimum(np.abs(a), np.abs(b)), 0).swapaxes(0, 1)
    np.testing.assert_allclose(values[0], expected * mask[..., None])
