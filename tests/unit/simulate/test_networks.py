"""Calibrated circuits: baselines, stability, rates of integrate-and-fire units."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropipe.errors import SettingsError
from neuropipe.simulate.circuits import Circuit, cosine_drive, hub_circuit
from neuropipe.simulate.engine import IntegrateAndFire
from neuropipe.simulate.networks import (
    _MAX_RADIUS,
    _check_stable,
    rate_curve,
    simulate_integrate_and_fire,
    simulate_point_process,
)


def unconnected(n: int) -> Circuit:
    return hub_circuit(n, np.random.default_rng(0), gains=(0.0, 0.0))


@given(rates=st.lists(st.floats(1, 60), min_size=4, max_size=8), amplitude=st.floats(0, 0.8))
@settings(max_examples=10, deadline=None)
def test_baselines_of_lone_units_are_their_log_rates(rates, amplitude):
    """Without synapses: b = log rate - log mean exp(x), corrected for the dead time."""
    rates = np.array(rates)
    drive = cosine_drive(2.0, np.full(len(rates), amplitude))
    found = simulate_point_process(
        unconnected(len(rates)), drive, rates, np.random.default_rng(0), refractory=0.0
    )
    expected = np.log(rates) - np.log(np.exp(drive.astype(float)).mean(axis=0))
    np.testing.assert_allclose(found.baseline, expected, atol=1e-6)
    slow = simulate_point_process(
        unconnected(len(rates)), drive, rates, np.random.default_rng(0), refractory=0.003
    )
    # A unit that is silent for 3 ms after each spike has to be that much livelier outside.
    np.testing.assert_allclose(slow.baseline - expected, -np.log(1 - 0.003 * rates), atol=1e-6)


def test_excitation_lowers_the_baseline_and_inhibition_raises_it():
    weights = np.zeros((3, 3))
    weights[0, 2], weights[1, 2] = 1.0, -1.0
    circuit = Circuit(
        weights=weights,
        delays=np.where(weights != 0, 0.01, np.nan),
        signs=np.ones(3, dtype=np.int64),
        hubs=np.array([], dtype=np.int64),
    )
    drive = np.zeros((100, 3), dtype=np.float32)
    rates = np.full(3, 20.0)
    found = simulate_point_process(circuit, drive, rates, np.random.default_rng(0), refractory=0)
    assert found.baseline[2] == pytest.approx(np.log(20))
    # Campbell: 20 Hz times the integral of exp(w exp(-u / tau)) - 1.
    u = np.arange(0, 0.1, 1e-3)
    for unit, w in ((0, 1.0), (1, -1.0)):
        gained = 20 * (np.expm1(w * np.exp(-u / 0.006)) * 1e-3).sum()
        assert found.baseline[unit] == pytest.approx(np.log(20) - gained, abs=1e-4)
    assert found.baseline[0] < np.log(20) < found.baseline[1]


@given(seed=st.integers(0, 2**32), n=st.integers(2, 12))
@settings(deadline=None)
def test_circuits_are_refused_beyond_the_largest_radius(seed, n):
    rng = np.random.default_rng(seed)
    response = rng.uniform(0.1, 1, (n, n))
    response /= np.abs(np.linalg.eigvals(response)).max()
    inhibition = -rng.uniform(0, 1, (n, n)) * (response < 0.02)
    _check_stable(0.99 * _MAX_RADIUS * response + inhibition)
    with pytest.raises(SettingsError, match="further spikes"):
        _check_stable(1.02 * _MAX_RADIUS * response)


def test_a_circuit_without_excitation_is_stable():
    _check_stable(np.zeros((3, 3)))
    _check_stable(-np.ones((3, 3)))


def test_rate_against_input_rises_from_silence():
    inputs, rates = rate_curve(0.02, 0.25, 2, 1e-3)
    assert (np.diff(rates) > 0).all()
    assert rates[0] < 0.1
    # Noise hardly matters far above threshold: 1 / (silence + tau ln(mu / (mu - 1))), in steps.
    steps = np.ceil(20 * np.log(inputs[-1] / (inputs[-1] - 1)))
    assert rates[-1] == pytest.approx(1e3 / (2 + steps), rel=0.1)


@pytest.mark.parametrize(("membrane", "noise", "silent"), [(0.02, 0.25, 2), (0.01, 0.5, 5)])
def test_rate_curve_is_that_of_stepped_membranes(membrane, noise, silent):
    inputs, rates = rate_curve(membrane, noise, silent, 1e-3)
    chosen = np.searchsorted(rates, [4.0, 15.0, 40.0])
    unit = IntegrateAndFire(inputs[chosen], membrane, noise, silent, 1e-3)
    rng, shape = np.random.default_rng(0), (2000, 3)
    state, count = unit.rest(shape), np.zeros(3)
    for step in range(1300):
        spiked, _ = unit.step(state, np.zeros(1), unit.draw(rng, shape))
        if step >= 300:
            count += spiked.sum(axis=0)
    error = 4 / np.sqrt(count)
    assert (np.abs(count / 2000 / rates[chosen] - 1) < error).all()
    assert error.max() < 0.05


@pytest.mark.parametrize("rate", [3.0, 8.0, 25.0])
def test_lone_membranes_fire_as_often_as_asked(rate):
    n = 20
    drive = np.zeros((1500, n), dtype=np.float32)
    found = simulate_integrate_and_fire(
        unconnected(n), drive, np.full(n, rate), np.random.default_rng(1)
    )
    assert found.spikes.rates().mean() == pytest.approx(rate, rel=0.12)
    assert min(np.diff(train).min() for train in found.spikes.trains()) > 0.002


def test_weights_of_membranes_are_input():
    """Twice the weight moves the mean input by twice as much, at the same mean rate."""
    circuit = hub_circuit(12, np.random.default_rng(0), density=0.2, n_hubs=1, gains=(0.1, 0.3))
    drive, rates = np.zeros((100, 12), dtype=np.float32), np.full(12, 10.0)
    base = [
        simulate_integrate_and_fire(
            circuit.scaled(factor), drive, rates, np.random.default_rng(0)
        ).baseline
        for factor in (0.0, 1.0, 2.0)
    ]
    np.testing.assert_allclose(base[2] - base[0], 2 * (base[1] - base[0]), atol=1e-12)
    mean_input = circuit.weights @ rates * 1e-3 / (1 - np.exp(-1e-3 / circuit.time_constant))
    np.testing.assert_allclose(base[0] - base[1], mean_input, atol=1e-12)


@given(factor=st.floats(0.01, 3))
@settings(deadline=None)
def test_scaling_keeps_everything_but_the_weights(factor):
    circuit = hub_circuit(10, np.random.default_rng(0))
    scaled = circuit.scaled(factor)
    np.testing.assert_allclose(scaled.weights, factor * circuit.weights)
    np.testing.assert_array_equal(scaled.connected, circuit.connected)
    np.testing.assert_array_equal(scaled.delays, circuit.delays)
    assert scaled.time_constant == circuit.time_constant


@given(duration=st.floats(0.1, 5), frequency=st.floats(0.2, 3), step=st.sampled_from([0.01, 0.02]))
def test_the_common_drive_is_a_cosine_of_its_amplitudes(duration, frequency, step):
    amplitudes = np.array([0.0, 0.5, 1.0])
    drive = cosine_drive(duration, amplitudes, frequency=frequency, step=step)
    assert len(drive) == int(np.ceil(duration / step - 1e-9))
    time = (np.arange(len(drive)) + 0.5) * step
    np.testing.assert_allclose(
        drive, np.cos(2 * np.pi * frequency * time)[:, None] * amplitudes, atol=1e-6
    )
