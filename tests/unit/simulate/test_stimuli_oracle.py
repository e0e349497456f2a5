"""The simple readers behind the proofs, against slow or library versions of themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata
from sklearn.linear_model import PoissonRegressor
from sklearn.neighbors import NearestCentroid

from neuropipe.simulate.populations import stimulus_population
from neuropipe.simulate.stimuli_oracle import (
    _poisson_fit,
    direction_accuracy,
    edge_auc,
    gate_gain,
    geo_topological,
    identify_regions,
    lagged_excess,
)
from neuropipe.simulate.trains import SpikeTrains


def trains(times: list[np.ndarray], duration: float) -> SpikeTrains:
    units = np.repeat(np.arange(len(times)), [len(t) for t in times])
    joined = np.concatenate(times)
    order = np.argsort(joined, kind="stable")
    return SpikeTrains(
        times=joined[order],
        units=units[order].astype(np.int32),
        n_units=len(times),
        duration=duration,
    )


@given(seed=st.integers(0, 999))
@settings(max_examples=15, deadline=None)
def test_lagged_excess_is_a_count_of_pairs_of_spikes(seed):
    rng = np.random.default_rng(seed)
    spikes = trains([np.sort(rng.uniform(0.1, 1.9, 40)) for _ in range(3)], 2.0)
    step = (spikes.times / 1e-3).astype(int)
    score = lagged_excess(spikes)

    def pairs(target: int, source: int, low: int, high: int) -> int:
        lag = step[spikes.units == target][:, None] - step[spikes.units == source]
        return int(((lag >= low) & (lag < high)).sum())

    for target in range(3):
        for source in range(3):
            inside = pairs(target, source, 5, 30)
            beside = pairs(target, source, 35, 60) + pairs(target, source, -60, -35)
            expected = max(beside / 2, 1.0)
            found = (inside - expected) / np.sqrt(expected)
            assert score[target, source] == pytest.approx(found, rel=1e-5)


def test_lagged_excess_finds_a_follower_and_a_silencer():
    rng = np.random.default_rng(0)
    source = np.sort(rng.uniform(0, 200, 2000))
    follower = np.sort(np.concatenate([rng.uniform(0, 200, 2000), source[::3] + 0.012]))
    lone = np.sort(rng.uniform(0, 200, 8000))
    near = np.searchsorted(source, lone) - 1
    shunned = lone[(near < 0) | (lone - source[near] > 0.03) | (lone - source[near] < 0.005)]
    score = lagged_excess(trains([source, follower, shunned], 200.0))
    assert score[1, 0] > 10
    assert score[2, 0] < -10
    assert abs(score[0, 1]) < 4


def test_independent_trains_score_like_a_standard_normal():
    rng = np.random.default_rng(1)
    spikes = trains([np.sort(rng.uniform(0, 300, rng.poisson(3000))) for _ in range(20)], 300.0)
    score = lagged_excess(spikes)[~np.eye(20, dtype=bool)]
    assert abs(score.mean()) < 0.3
    # The mean of two flanks has half the variance of a count: 1.5 in all.
    assert score.var() == pytest.approx(1.5, rel=0.3)


@given(n=st.integers(4, 12), seed=st.integers(0, 999))
@settings(deadline=None)
def test_auc_is_one_for_the_truth_and_turns_with_it(n, seed):
    rng = np.random.default_rng(seed)
    wired = rng.random((n, n)) < 0.4
    np.fill_diagonal(wired, False)
    wired[0, 1], wired[1, 0] = True, False
    assert edge_auc(wired.astype(float), wired) == 1.0
    assert edge_auc(1.0 - wired, wired) == 0.0
    assert edge_auc(np.ones((n, n)), wired) == 0.5
    score = rng.standard_normal((n, n))
    assert edge_auc(score, wired) == pytest.approx(edge_auc(-score, wired))


def test_symmetric_scores_know_no_direction():
    rng = np.random.default_rng(0)
    wired = np.triu(rng.random((10, 10)) < 0.5, 1)
    score = rng.standard_normal((10, 10))
    assert direction_accuracy(score + score.T, wired) == 0.0
    assert direction_accuracy(wired * -2.0, wired) == 1.0


@given(seed=st.integers(0, 999))
@settings(max_examples=20, deadline=None)
def test_poisson_fit_is_that_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    design = np.array([[1, 0, 0], [1, 0, 1], [1, 1, 0], [1, 1, 1]], dtype=float)
    exposure = rng.uniform(50, 200, 4)
    spikes = rng.poisson(exposure * np.exp(rng.normal(0, 0.5, 4))).astype(float) + 1
    ours = _poisson_fit(design, spikes, exposure)
    theirs = PoissonRegressor(alpha=0, fit_intercept=False, tol=1e-10, max_iter=1000)
    theirs.fit(design, spikes / exposure, sample_weight=exposure)
    np.testing.assert_allclose(ours, theirs.coef_, atol=1e-4)
    # At the optimum the marginal counts are met.
    np.testing.assert_allclose(design.T @ (exposure * np.exp(design @ ours)), design.T @ spikes)


def test_gates_gain_with_their_strength():
    gain = [
        gate_gain(
            stimulus_population(
                40, np.random.default_rng(0), duration=20.0, gating="units", gate_gain=strength
            )
        )
        for strength in (0.05, 0.5, 1.0)
    ]
    assert abs(gain[0]) < 0.02
    assert gain[0] < gain[1] < gain[2]
    assert gain[2] > 0.2


@given(seed=st.integers(0, 999), low=st.floats(0, 0.6), width=st.floats(0.1, 0.4))
@settings(deadline=None)
def test_cut_ranks_are_monotone_and_lie_in_the_unit_interval(seed, low, width):
    v = np.random.default_rng(seed).standard_normal((2, 40))
    cut = geo_topological(v, low, low + width)
    assert cut.min() == 0
    assert cut.max() == 1
    for row, values in zip(cut, v, strict=True):
        assert (np.diff(row[np.argsort(values)]) >= 0).all()
        rank = rankdata(values)
        assert (row[rank <= np.quantile(rank, low)] == 0).all()
        assert (row[rank >= np.quantile(rank, low + width)] == 1).all()


@given(seed=st.integers(0, 999), n_subjects=st.integers(3, 6), n_regions=st.integers(2, 5))
@settings(max_examples=20, deadline=None)
def test_regions_are_identified_as_by_the_nearest_centroid(seed, n_subjects, n_regions):
    rng = np.random.default_rng(seed)
    v = rng.standard_normal((1, n_regions, 10)) + rng.standard_normal((n_subjects, n_regions, 10))
    right = []
    for out in range(n_subjects):
        rest = np.delete(v, out, axis=0).reshape(-1, 10)
        model = NearestCentroid().fit(rest, np.tile(np.arange(n_regions), n_subjects - 1))
        right.append((model.predict(v[out]) == np.arange(n_regions)).mean())
    assert identify_regions(v) == pytest.approx(np.mean(right))
