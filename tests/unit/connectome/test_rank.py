"""The choice of rank, and the readings and nulls that rest on the factors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuropipe.connectome.factorization import Factors
from neuropipe.connectome.nulls import shift_test
from neuropipe.connectome.rank import (
    choose_rank,
    factor_variance,
    held_out_errors,
    knee,
    rank_table,
)
from neuropipe.connectome.readings import (
    component_graphs,
    event_windows,
    graph_cosines,
    time_windows,
)
from neuropipe.connectome.restarts import component_cosines, fit_starts, matched
from neuropipe.connectome.settings import AffinitySettings, FactorizationSettings
from neuropipe.connectome.stability import bootstrap, explained, split_half
from neuropipe.connectome.tensor import TensorSource, tensor_source
from neuropipe.connectome.windows import refold, residual, window_affinity, window_doubt
from neuropipe.simulate.calcium import sim_calcium
from neuropipe.simulate.settings import CalciumSimulation


def source(n_animals: int = 6, own_clocks: bool = False, seed: int = 0) -> TensorSource:
    data = sim_calcium(
        CalciumSimulation(
            n_animals=n_animals, n_neurons=24, n_communities=3, community_size=6, duration=120,
            n_epochs=2, seed=seed,
        )
    )  # fmt: skip
    return tensor_source(
        data.traces, data.presence, 4.0, AffinitySettings(), FactorizationSettings(),
        own_clocks=own_clocks,
    )  # fmt: skip


@pytest.fixture(scope="module")
def animals() -> TensorSource:
    return source()


@pytest.fixture(scope="module")
def fitted(animals: TensorSource) -> Factors:
    return fit_starts(animals, 3, 2, max_iterations=60)[0]


def factors(pairs: np.ndarray, **parts: np.ndarray) -> Factors:
    rank = pairs.shape[1]
    whole = {
        "times": np.ones((4, rank)), "animals": np.ones((2, rank)), "slices": np.ones((1, rank)),
        "weights": np.ones(rank), "evidence": np.ones(pairs.shape), "error": 0.5,
    }  # fmt: skip
    return Factors(pairs=pairs, **(whole | parts))


def test_factor_variance_counts_directions() -> None:
    assert factor_variance(factors(np.eye(10)[:, :1])) == 0
    assert factor_variance(factors(np.eye(10)[:, :2])) == pytest.approx(1)
    assert factor_variance(factors(np.eye(10)[:, :5])) == pytest.approx(4)
    repeated = np.repeat(np.eye(10)[:, :2], 3, axis=1)
    assert factor_variance(factors(repeated)) == pytest.approx(1)


def test_knee_is_where_the_curve_flattens() -> None:
    ranks = np.arange(2, 21)
    assert 7 <= knee(ranks, np.minimum(ranks, 8.0)) <= 11
    assert knee(ranks, ranks.astype(float)) == 20
    assert knee(ranks[:2], np.array([1.0, 2.0])) == 3


def test_rank_is_chosen_by_held_out_error_then_knee_then_stability() -> None:
    ranks, stable = np.array([2, 4, 6, 8, 9]), np.ones(5)
    # Folds differ in level; within them 4 and 6 are equally good, 2 and 8 are worse.
    held = np.array([[0.5, 0.62], [0.4, 0.5], [0.41, 0.495], [0.6, 0.72], [0.6, 0.71]])
    assert choose_rank(ranks, 4, stable, held)[0] == 4
    assert choose_rank(ranks, 5, stable, held)[0] == 6
    assert choose_rank(ranks, 8, stable, held)[0] == 4  # the knee lies beyond all good ones
    assert choose_rank(ranks, 9, stable, held)[0] == 4  # no knee
    assert choose_rank(ranks, 4, np.array([1, 0.5, 0.9, 1, 1]), held)[0] == 6
    _, reason = choose_rank(ranks, 4, stable, held)
    assert "0.450" in reason
    assert "bends at 4" in reason
    assert "has no knee" in choose_rank(ranks, 9, stable, held)[1]


def test_held_out_error_prefers_the_true_rank_to_one(animals: TensorSource) -> None:
    table = rank_table(animals, (1, 3, 12), n_starts=2, n_folds=2, max_iterations=40)
    assert table.held_out.shape == (len(table.ranks), 2)
    assert table.held_out.mean(axis=1)[2] > table.held_out.mean(axis=1)[1]
    assert table.chosen != 12
    assert (np.diff(table.errors.min(axis=1)) < 0).all()


@pytest.mark.parametrize(("n_animals", "own"), [(5, False), (2, False), (3, True)])
def test_held_out_errors_are_those_of_predictions(n_animals: int, own: bool) -> None:
    errors = held_out_errors(source(n_animals, own), 2, n_folds=2, max_iterations=30)
    fitted = fit_starts(source(n_animals, own), 2, 1, max_iterations=30)[0].error
    assert (errors > 0.9 * fitted).all()
    assert (errors < 1).all()


@given(n=st.integers(2, 9), seed=st.integers(0, 1000))
def test_refold_and_residual(n: int, seed: int) -> None:
    pairs = np.random.default_rng(seed).uniform(size=(n * (n - 1) // 2, 2))
    matrices = refold(pairs, n)
    assert matrices.shape == (2, n, n)
    np.testing.assert_array_equal(matrices, matrices.swapaxes(1, 2))
    np.testing.assert_array_equal(matrices[:, *np.triu_indices(n, k=1)].T, pairs)
    above = residual(matrices[0])
    strength = matrices[0].sum(axis=1)
    expected = np.maximum(matrices[0] - np.outer(strength, strength) / strength.sum(), 0)
    np.testing.assert_allclose(above, expected - np.diag(np.diag(expected)), atol=1e-12)


def test_unknown_pairs_stay_unknown_and_doubt_divides() -> None:
    affinity = np.ones((4, 4)) - np.eye(4)
    affinity[0, 1] = affinity[1, 0] = np.nan
    affinity[2, 3] = affinity[3, 2] = 5
    above = residual(affinity)
    assert np.isnan(above[0, 1])
    doubt = np.full((4, 4), 2.0)
    np.testing.assert_allclose(residual(affinity, doubt), above / 2)


def test_window_affinity_is_the_mean_of_the_fitted_tensor(fitted: Factors) -> None:
    window = np.zeros(len(fitted.times), dtype=bool)
    window[3:9] = True
    activity = fitted.activity()
    whole = np.einsum("pr,wtr->ptw", np.nan_to_num(fitted.pairs), activity)
    expected = refold(whole[:, window].mean(axis=(1, 2)), 24)
    found = window_affinity(fitted.pairs, activity, 24, window)
    known = np.isfinite(found)
    np.testing.assert_allclose(found[known], expected[known], rtol=1e-10)
    doubt = window_doubt(fitted.evidence, activity, 24, window)
    assert doubt[np.triu_indices(24, k=1)].min() == pytest.approx(1)


def test_rare_pairs_are_doubted_more() -> None:
    evidence = np.array([[1.0], [0.25], [1.0]])
    doubt = window_doubt(evidence, np.ones((1, 2, 1)), 3, slice(None))
    np.testing.assert_allclose(doubt, [[0, 1, 2], [1, 0, 1], [2, 1, 0]])


def test_event_windows_join_events_of_a_type() -> None:
    events = pd.DataFrame(
        {"trial_type": ["b", "a", "b", "c"], "start": [0, 10, 20, 31], "stop": [5, 20, 30, 32]}
    )
    windows = event_windows(events, np.arange(40.0))
    assert [w.name for w in windows] == ["b", "a"]  # c is too short
    np.testing.assert_array_equal(np.flatnonzero(windows[0].samples), [*range(5), *range(20, 30)])
    assert not event_windows(events.assign(recording="x"), np.arange(40.0))


def test_time_windows_part_the_run() -> None:
    windows = time_windows(np.arange(20.0), 2.0, 4)
    assert sum(w.samples.sum() for w in windows) == 20
    assert windows[0].name == "0-2 s"
    assert len(time_windows(np.arange(7.0), 1.0, 6)) == 2  # at least three samples each


def test_components_are_matched_in_any_order(fitted: Factors) -> None:
    order = np.array([2, 0, 1])
    other = replace(
        fitted,
        **{name: getattr(fitted, name)[..., order]
           for name in ("pairs", "times", "animals", "slices", "weights", "evidence")},
    )  # fmt: skip
    partner, values = matched(component_cosines(fitted, other, ("pairs", "times", "animals")))
    np.testing.assert_array_equal(partner, np.argsort(order))
    np.testing.assert_allclose(values, 1)
    graphs = [component_graphs(one, 24) for one in (fitted, other)]
    np.testing.assert_allclose(np.diag(graph_cosines(*graphs)[:, partner]), 1)
    assert len(graphs[0]) == 3


def test_shifts_break_coincidences_and_nothing_else(animals: TensorSource) -> None:
    moved = animals.shifted(np.random.default_rng(0), 5)
    np.testing.assert_allclose(np.sort(moved.rates), np.sort(animals.rates))
    assert (moved.rates != animals.rates).any()
    short = replace(animals, lengths=np.full(6, 300)).shifted(np.random.default_rng(0))
    np.testing.assert_array_equal(short.rates[..., 300:], animals.rates[..., 300:])


def test_structure_stands_above_its_shifts(animals: TensorSource) -> None:
    windows = time_windows(animals.frames, 4.0, 2)
    test = shift_test(animals, 3, windows, n_shifts=19, min_weight=1e-3)
    assert test.fit_p_value == pytest.approx(0.05)
    assert test.gain_p_value == pytest.approx(0.05)
    assert test.data.window_gains.min() > test.largest_window_gains.max()
    again = shift_test(
        animals.shifted(np.random.default_rng(9)), 3, windows, n_shifts=19, min_weight=1e-3
    )
    assert again.gain_p_value > 0.05
    assert again.fit_p_value > 0.05


def test_motifs_return_in_draws_halves_and_other_animals(
    animals: TensorSource, fitted: Factors
) -> None:
    windows = time_windows(animals.frames, 4.0, 2)
    labels = np.zeros((3, 24), dtype=int)
    drawn = bootstrap(animals, fitted, windows, labels[:2], labels, n_draws=2, min_weight=1e-3)
    assert drawn.members.shape == (2, 3, 24)
    assert drawn.components.shape == (2, 3)
    assert drawn.components.max() > 0.6
    assert drawn.units.shape == (2, 2, 24)
    assert (drawn.units <= 1).all()
    halves = split_half(animals, 3, n_splits=1, n_permutations=19)
    assert halves.what == "animals"
    assert halves.value > halves.null.max()
    shares = explained(animals, fitted, n_folds=2)
    assert (shares.own > shares.shifted).all()
    assert (shares.others > shares.shifted).all()
    assert (shares.own < 1).all()


def test_one_recording_is_halved_in_time() -> None:
    alone = source(1)
    assert split_half(alone, 2, n_splits=1, n_permutations=9).what == "time"
    shares = explained(alone, fit_starts(alone, 2, 1, max_iterations=30)[0])
    assert np.isnan(shares.others).all()
    assert np.isfinite(shares.static).all()
