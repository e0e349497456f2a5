"""Populations that see, run and know places: spikes as their true rates say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropipe.errors import SettingsError
from neuropipe.simulate.navigation import (
    open_field_path,
    ornstein_uhlenbeck,
    place_drive,
    speed_from_latent,
    speed_population,
    speed_weights,
)
from neuropipe.simulate.populations import (
    film,
    pair_gate,
    poisson_spikes,
    rates_from_drive,
    stimulus_population,
    visual_drive,
    visual_filters,
)
from neuropipe.simulate.stimuli_oracle import gate_gain


@given(tau=st.floats(0.3, 10), seed=st.integers(0, 2**32))
@settings(max_examples=10, deadline=None)
def test_ornstein_uhlenbeck_has_its_time_constant(tau, seed):
    step = tau / 20
    x = ornstein_uhlenbeck(100_000, step, tau, np.random.default_rng(seed))
    lag = np.corrcoef(x[:-20], x[20:])[0, 1]  # at one time constant
    # 5000 time constants: the standard error is about 0.012.
    assert lag == pytest.approx(np.exp(-1), abs=0.06)
    assert x.var() == pytest.approx(1.0, abs=0.1)


def test_ornstein_uhlenbeck_starts_stationary():
    first = [ornstein_uhlenbeck(1, 0.05, 2.0, np.random.default_rng(i))[0] for i in range(2000)]
    assert np.var(first) == pytest.approx(1.0, abs=0.12)


@given(seed=st.integers(0, 2**32), arena=st.floats(0.2, 5))
@settings(max_examples=20, deadline=None)
def test_path_stays_inside_and_moves_at_its_speed(seed, arena):
    rng = np.random.default_rng(seed)
    speed = speed_from_latent(ornstein_uhlenbeck(2000, 0.05, 2.0, rng))
    path = open_field_path(speed, 0.05, rng, arena=arena)
    assert (path >= 0).all()
    assert (path <= arena).all()
    moved = np.linalg.norm(np.diff(path, axis=0), axis=1)
    assert (moved <= speed[1:] * 0.05 + 1e-9).all()
    # Only steps that touch a wall end nearer than they would in the open.
    free = np.isclose(moved, speed[1:] * 0.05, atol=1e-9)
    near = ((path[1:] < speed[1:, None] * 0.05) | (path[1:] > arena - speed[1:, None] * 0.05)).any(
        axis=1
    )
    assert (free | near).all()


def test_place_field_peaks_at_its_centre():
    centre = np.array([[0.3, 0.7]])
    drive = place_drive(np.array([[0.3, 0.7], [0.45, 0.7], [0.9, 0.1]]), centre, width=0.15, peak=2)
    np.testing.assert_allclose(drive[:2, 0], [2.0, 2 * np.exp(-0.5)])
    assert drive[2, 0] < 0.01


def test_poisson_spikes_follow_their_rates():
    rng = np.random.default_rng(0)
    rates = rng.uniform(0, 20, (2000, 10))
    spikes = poisson_spikes(rates, 0.05, rng)
    counts = spikes.counts(0.05)
    assert counts.shape == rates.shape
    z = (counts - rates * 0.05) / np.sqrt(np.maximum(rates * 0.05, 1e-9))
    assert z.var() == pytest.approx(1.0, abs=0.05)
    assert abs(z.mean()) < 4 / np.sqrt(z.size)


def test_rates_have_the_mean_that_was_asked_for():
    drive = np.random.default_rng(0).standard_normal((500, 3))
    np.testing.assert_allclose(
        rates_from_drive(drive, np.array([2.0, 5.0, 9.0])).mean(axis=0), [2, 5, 9]
    )


def test_film_drive_is_linear_in_the_past_frames():
    rng = np.random.default_rng(0)
    frames, filters = film(60, 12, 14, rng), visual_filters(3, 12, 14, rng)
    drive = visual_drive(frames, filters)
    np.testing.assert_allclose(drive.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(drive.std(axis=0), filters.gain)
    changed = frames.copy()
    changed[40] = 255 - changed[40]
    # Later frames only: nothing before the change moves (apart from the common scale).
    ratio = visual_drive(changed, filters)
    steps = np.diff(drive[:40], axis=0) / np.diff(ratio[:40], axis=0)
    np.testing.assert_allclose(steps, np.broadcast_to(steps[0], steps.shape), rtol=1e-6)
    assert not np.allclose(drive[42] - drive[30], (ratio[42] - ratio[30]) * steps[0])
    both = visual_drive(np.stack([frames, changed]), filters)
    # Each film starts on grey: its first frames know nothing of the film before it.
    shape = (both[0] - both[0].mean(axis=0)) / both[0].std(axis=0)
    np.testing.assert_allclose(shape, drive / drive.std(axis=0), atol=1e-9)
    with pytest.raises(SettingsError, match="pixels"):
        visual_drive(film(5, 8, 8, rng), filters)


def test_psth_equals_the_true_rates_within_poisson_error():
    seen = stimulus_population(50, np.random.default_rng(0), duration=20.0)
    counts = np.stack([s.counts(seen.frame_step) for s in seen.repeats])
    expected = seen.rates.sum(axis=0) * seen.frame_step
    z = (counts.sum(axis=0) - expected) / np.sqrt(expected)
    assert z.var() == pytest.approx(1.0, abs=0.05)
    # The film matters: half of the repeats predict the other half far beyond the mean rate.
    a, b = counts[::2].sum(axis=0), counts[1::2].sum(axis=0)
    r = [np.corrcoef(a[:, i], b[:, i])[0, 1] for i in range(50)]
    assert np.median(r) > 0.5


def test_repeats_share_the_rates_unless_units_gate():
    plain = stimulus_population(10, np.random.default_rng(0), duration=5.0, n_repeats=3)
    gated = stimulus_population(
        10, np.random.default_rng(0), duration=5.0, n_repeats=3, gating="units"
    )
    assert (plain.rates == plain.rates[0]).all()
    sources = np.arange(gated.gated[0])
    assert (gated.rates[:, :, sources] == gated.rates[0][:, sources]).all()
    assert (gated.rates[0][:, gated.gated] != gated.rates[1][:, gated.gated]).any()


def test_gate_by_units_is_an_exclusive_or():
    seen = stimulus_population(
        40, np.random.default_rng(1), duration=20.0, gating="units", gate_gain=1.0
    )
    counts = seen.repeats[0].counts(seen.frame_step)
    unit, (a, b) = seen.gated[0], seen.gates[0]
    before = counts[:-1] > 0
    gate = np.logical_xor(before[:, a], before[:, b])
    others = seen.repeats[1].counts(seen.frame_step)[:-1] > 0
    gate_2 = np.logical_xor(others[:, a], others[:, b])
    ratio = seen.rates[0][1:, unit] / seen.rates[1][1:, unit]
    np.testing.assert_allclose(ratio[gate & ~gate_2], np.exp(2), rtol=1e-4)
    np.testing.assert_allclose(ratio[~(gate ^ gate_2)], 1, rtol=1e-4)
    assert (seen.gates < seen.gated[0]).all()
    assert gate_gain(seen) > 0.2


def test_gate_by_stimulus_is_high_where_exactly_one_is():
    np.testing.assert_array_equal(
        pair_gate(np.array([0, 0, 1, 1], bool), np.array([0, 1, 0, 1], bool), 0.7),
        [-0.7, 0.7, 0.7, -0.7],
    )
    plain = stimulus_population(20, np.random.default_rng(3), duration=30.0)
    gated = stimulus_population(20, np.random.default_rng(3), duration=30.0, gating="stimulus")
    drive = visual_drive(gated.frames, gated.filters)
    high = drive > np.median(drive, axis=0)
    for unit, (a, b) in zip(gated.gated, gated.gates, strict=True):
        on = high[:, a] ^ high[:, b]
        rate = np.log(gated.rates[0][:, unit]) - drive[:, unit]
        assert rate[on].min() > rate[~on].max() + 1.9
    assert not len(plain.gated)


def test_impossible_gates_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(SettingsError, match="gating"):
        stimulus_population(10, rng, gating="and")
    with pytest.raises(SettingsError, match="gates"):
        stimulus_population(10, rng, gating="units", gated_share=0.95)


@given(n=st.integers(1, 60), share=st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_as_many_units_follow_the_speed_as_asked_for(n, share):
    weights = speed_weights(n, share, np.random.default_rng(0))
    assert (weights != 0).sum() == round(share * n)


def test_speed_drives_its_units_and_no_others():
    moving = speed_population(60, np.random.default_rng(0), duration=400.0)
    driven = moving.weights != 0
    assert driven.sum() == 18
    log_speed = np.log(moving.speed)
    assert np.corrcoef(log_speed, moving.latent)[0, 1] == pytest.approx(1.0)
    assert moving.speed.mean() == pytest.approx(0.1, rel=0.25)
    np.testing.assert_allclose(np.ptp(moving.rates[:, ~driven], axis=0), 0, atol=1e-4)
    slopes = np.polyfit(moving.latent, np.log(moving.rates[:, driven]), 1)[0]
    np.testing.assert_allclose(slopes, moving.weights[driven], atol=1e-4)
    counts = moving.spikes.counts(1.0)
    second = moving.latent.reshape(-1, 20).mean(axis=1)
    r = np.array([np.corrcoef(second, counts[:, i])[0, 1] for i in range(60)])
    assert (np.sign(r[driven]) == np.sign(moving.weights[driven])).all()
    assert np.abs(r[driven]).min() > 0.25
    assert np.abs(r[~driven]).max() < 0.25
