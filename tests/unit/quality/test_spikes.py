from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropipe.quality import spikes
from tests.unit.quality.builders import poisson_trains


def test_planted_violations_are_counted():
    regular = np.arange(0, 100, 0.5)
    planted = np.sort(np.concatenate([regular, regular[[3, 50, 120]] + 0.001]))
    counts, shares = spikes.refractory_violations([planted, regular, np.empty(0), np.ones(1)])
    assert counts.tolist() == [3, 0, 0, 0]
    np.testing.assert_allclose(shares, [3 / 202, 0, np.nan, np.nan])


def test_planted_contamination_is_recovered():
    rng = np.random.default_rng(0)
    duration, tau = 4000.0, 0.002
    found = []
    for share in (0.05, 0.15):
        gaps = tau + rng.exponential(1 / 20 - tau, 100_000)
        own = np.cumsum(gaps)
        own = own[own < duration]
        n_foreign = int(len(own) * share / (1 - share))
        # Foreign spikes of one neighbour, which has a refractory period of its own.
        foreign = np.cumsum(tau + rng.exponential(duration / n_foreign - tau, n_foreign * 2))
        train = np.sort(np.concatenate([own, foreign[foreign < duration]]))
        counts, _ = spikes.refractory_violations([train], tau)
        found.append(spikes.contamination(counts, np.array([len(train)]), duration, tau)[0])
    np.testing.assert_allclose(found, [0.05, 0.15], rtol=0.15)


def test_a_poisson_train_is_as_contaminated_as_can_be():
    rng = np.random.default_rng(0)
    train = poisson_trains(rng, np.array([50.0]), 400.0)
    counts, _ = spikes.refractory_violations(train)
    assert spikes.contamination(counts, np.array([len(train[0])]), 400.0)[0] == 0.5
    assert np.isnan(spikes.contamination(np.zeros(1), np.zeros(1), 400.0)[0])


def test_presence_of_a_unit_that_was_lost():
    always = np.arange(0, 600, 1.0)
    ratio = spikes.presence_ratio([always, always[always < 300], np.empty(0)], 0, 600, 60)
    np.testing.assert_allclose(ratio, [1, 0.5, 0])


def test_no_spike_is_lost_at_the_edges():
    counts = spikes.binned_counts([np.array([0.0, 0.5, 1.0, 2.0])], 0.0, 2.0, 2)
    assert counts[:, 0].tolist() == [2, 2]
    assert spikes.binned_counts([], 0, 1, 3).shape == (3, 0)


def test_fano_factor_of_a_poisson_process_is_one():
    rng = np.random.default_rng(0)
    trains = poisson_trains(rng, np.array([0.5, 5.0, 50.0]), 3000.0)
    counts = spikes.binned_counts(trains, 0, 3000, 3000)
    np.testing.assert_allclose(spikes.fano_factor(counts), 1, atol=0.08)


def test_fano_factor_of_a_clock_is_zero_and_of_bursts_their_size():
    clock = np.arange(0.005, 100, 0.1)
    bursts = np.repeat(poisson_trains(np.random.default_rng(0), np.array([4.0]), 3000.0)[0], 3)
    assert spikes.fano_factor(spikes.binned_counts([clock], 0, 100, 100))[0] == 0
    found = spikes.fano_factor(spikes.binned_counts([bursts], 0, 3000, 3000))[0]
    assert found == pytest.approx(3, abs=0.25)


def test_fano_factor_is_taken_within_trial_types():
    rng = np.random.default_rng(0)
    labels = np.repeat(["quiet", "loud", "rare"], [200, 200, 2])
    means = np.repeat([2.0, 40.0, 500.0], [200, 200, 2])
    counts = rng.poisson(means)[:, None]
    assert spikes.fano_factor(counts, labels)[0] == pytest.approx(1, abs=0.15)
    assert spikes.fano_factor(counts)[0] > 20


def test_fano_factor_without_spikes_or_enough_trials():
    assert np.isnan(spikes.fano_factor(np.zeros((10, 1)))[0])
    assert np.isnan(spikes.fano_factor(np.ones((1, 2)))).all()
    # No type has five trials: all of them are one kind.
    pooled = spikes.fano_factor(np.array([[1], [3], [5], [7]]), np.array(list("abcd")))
    assert pooled[0] == pytest.approx(np.var([1, 3, 5, 7], ddof=1) / 4)


def test_trial_counts_look_after_the_onset():
    train = np.array([0.9, 1.0, 1.2, 1.6, 5.0])
    counts = spikes.trial_counts([train], np.array([1.0, 4.6]), 0.5)
    assert counts[:, 0].tolist() == [2, 1]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 1000), min_size=2, max_size=60), st.floats(0.1, 100))
def test_violations_ignore_a_shift_and_scale_with_time(times, shift):
    train = np.sort(np.array(times))
    near = np.abs(np.diff(train) - 0.5).min() > 1e-6
    counts, shares = spikes.refractory_violations([train], 0.5)
    if near:
        moved, _ = spikes.refractory_violations([train + shift], 0.5)
        scaled, _ = spikes.refractory_violations([train * 8], 4.0)
        assert moved.tolist() == scaled.tolist() == counts.tolist()
    assert 0 <= shares[0] <= 1
