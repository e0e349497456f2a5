"""Stepping of circuits, against the equations written out one spike at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropipe.simulate import engine
from neuropipe.simulate.circuits import Circuit, cosine_drive, hub_circuit
from neuropipe.simulate.engine import IntegrateAndFire, PointProcess, run

DT = 1e-3


def chain(weights: list[float], delay: float = 0.007) -> Circuit:
    """Unit k drives unit k + 1."""
    n = len(weights) + 1
    wiring = np.zeros((n, n))
    wiring[np.arange(1, n), np.arange(n - 1)] = weights
    return Circuit(
        weights=wiring,
        delays=np.where(wiring != 0, delay, np.nan),
        signs=np.ones(n, dtype=np.int64),
        hubs=np.array([], dtype=np.int64),
    )


@given(seed=st.integers(0, 2**32), n_units=st.integers(5, 12), coupled=st.booleans())
@settings(max_examples=10, deadline=None)
def test_intensity_is_that_of_the_equation_given_the_spikes(seed, n_units, coupled):
    """log rate = b + x(t) + sum of w exp(-(t - t_j - d) / tau), 0 for 2 ms after a spike."""
    rng = np.random.default_rng(seed)
    circuit = hub_circuit(n_units, rng, density=0.3, n_hubs=1).scaled(float(coupled))
    n_steps = 400
    drive = cosine_drive(n_steps * DT, np.full(n_units, 0.5), frequency=5.0)
    baseline = np.log(rng.uniform(20, 60, n_units))
    unit = PointProcess(baseline=baseline, silent=2, dt=DT)
    found = run(circuit, unit, drive, rng, drive_step=0.01, intensity_step=DT)
    step = np.floor(found.spikes.times / DT).astype(int)
    synaptic = np.zeros((n_steps, n_units))
    silent = np.zeros((n_steps, n_units), dtype=bool)
    for at, source in zip(step, found.spikes.units, strict=True):
        silent[at + 1 : at + 3, source] = True
        for target in np.flatnonzero(circuit.weights[:, source]):
            first = at + round(circuit.delays[target, source] / DT)
            passed = np.arange(max(0, n_steps - first))
            decay = np.exp(-passed * DT / circuit.time_constant)
            synaptic[first:, target] += circuit.weights[target, source] * decay
    expected = np.exp(baseline + np.repeat(drive, 10, axis=0) + synaptic)
    expected[silent] = 0
    np.testing.assert_allclose(found.intensity, np.minimum(expected, 500), rtol=1e-4, atol=1e-4)
    assert len(step) > 0


def test_intensity_is_averaged_over_its_bins():
    circuit = chain([0.0])
    unit = PointProcess(baseline=np.log([40.0, 10.0]), silent=0, dt=DT)
    drive = np.zeros((200, 2), dtype=np.float32)
    drive[100:] = 1.0
    found = run(circuit, unit, drive, np.random.default_rng(0), drive_step=0.01)
    np.testing.assert_allclose(found.intensity[:20], np.tile([40.0, 10.0], (20, 1)), rtol=1e-5)
    np.testing.assert_allclose(found.intensity[20:], np.e * found.intensity[:20], rtol=1e-5)


def test_no_unit_fires_faster_than_500_hz():
    unit = PointProcess(baseline=np.array([50.0]), silent=0, dt=DT)
    spiked, rate = unit.step(unit.rest((2, 1)), np.zeros((2, 1)), np.array([[0.499], [0.501]]))
    assert rate == pytest.approx(500.0)
    assert spiked.ravel().tolist() == [True, False]


def test_a_spike_silences_for_as_many_steps_as_asked():
    unit = PointProcess(baseline=np.array([np.log(500.0)]), silent=3, dt=DT)
    state = unit.rest((1, 1))
    always = np.zeros((1, 1))  # a draw of 0 makes every unit fire that can
    fired = [bool(unit.step(state, np.zeros((1, 1)), always)[0][0, 0]) for _ in range(9)]
    assert fired == [True, False, False, False, True, False, False, False, True]


@given(drive=st.floats(-1, 0.9), membrane=st.floats(0.005, 0.05))
def test_a_quiet_membrane_relaxes_exponentially(drive, membrane):
    unit = IntegrateAndFire(np.zeros(1), membrane, 0.0, 2, DT)
    state = unit.rest((1, 1))
    for _ in range(30):
        spiked, intensity = unit.step(state, np.full((1, 1), drive), np.zeros((1, 1)))
        assert not spiked.any()
        assert intensity is None
    assert state[0][0, 0] == pytest.approx(drive * (1 - np.exp(-30 * DT / membrane)), abs=1e-12)


def test_a_noisy_membrane_has_its_standard_deviation():
    unit = IntegrateAndFire(np.full(1, -5.0), 0.02, 0.25, 2, DT)
    rng, state = np.random.default_rng(0), unit.rest((4000, 1))
    for _ in range(200):
        unit.step(state, np.zeros((4000, 1)), unit.draw(rng, (4000, 1)))
    assert state[0].mean() == pytest.approx(-5, abs=0.02)
    assert state[0].std() == pytest.approx(0.25, abs=0.01)


def test_strong_input_makes_a_membrane_fire_at_the_analytic_interval():
    unit = IntegrateAndFire(np.full(1, 2.0), 0.02, 0.0, 2, DT)
    state, fired = unit.rest((1, 1)), []
    for step in range(400):
        if unit.step(state, np.zeros((1, 1)), np.zeros((1, 1)))[0].any():
            fired.append(step)
    # V(t) = 2 (1 - exp(-t / tau)) reaches 1 after tau ln 2 = 13.9 ms, then 2 ms of silence.
    assert set(np.diff(fired)) == {14 + 2}


@given(
    n_time=st.integers(1, 60), n_units=st.integers(1, 4), length=st.integers(1, 20),
    extra=st.integers(0, 30),
)  # fmt: skip
def test_segments_are_the_drive_in_order_held_at_its_end(n_time, n_units, length, extra):
    drive = np.arange(n_time * n_units, dtype=np.float32).reshape(n_time, n_units)
    n_segments = -(-(n_time + extra) // length)
    cut = engine._in_segments(drive, n_segments, length)
    assert cut.shape == (length, n_segments, n_units)
    joined = cut.swapaxes(0, 1).reshape(-1, n_units)
    np.testing.assert_array_equal(joined[:n_time], drive)
    assert (joined[n_time:] == drive[-1]).all()


@given(seed=st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_synapses_deliver_every_weight_once_at_its_delay(seed):
    rng = np.random.default_rng(seed)
    circuit = hub_circuit(9, rng, density=0.3, n_hubs=2)
    synapses = engine._Synapses(circuit, DT)
    ring = np.zeros((synapses.depth, 3, 9))
    segment, source = np.nonzero(rng.random((3, 9)) < 0.4)
    step = int(rng.integers(100))
    synapses.deliver(ring, step, segment, source)
    expected = np.zeros_like(ring)
    for s, j in zip(segment, source, strict=True):
        for i in np.flatnonzero(circuit.connected[:, j]):
            lag = round(circuit.delays[i, j] / DT)
            expected[(step + lag) % synapses.depth, s, i] += circuit.weights[i, j]
    np.testing.assert_allclose(ring, expected)


def test_a_spike_moves_only_its_target_and_only_after_its_delay():
    """Common random numbers: two runs differ first where the synapse has acted."""
    drive = np.full((600, 3), 0.0, dtype=np.float32)
    unit = PointProcess(baseline=np.log([5.0, 20.0, 20.0]), silent=2, dt=DT)
    apart, joined = (
        run(
            chain([weight, 0.0]), unit, drive, np.random.default_rng(3), drive_step=0.01,
            intensity_step=DT,
        )
        for weight in (0.0, 1.0)
    )  # fmt: skip
    changed = apart.intensity != joined.intensity
    assert not changed[:, 0].any()
    assert not changed[:, 2].any()
    first = np.floor(joined.spikes.times[joined.spikes.units == 0][0] / DT).astype(int)
    assert np.flatnonzero(changed[:, 1])[0] >= first + 7


@pytest.mark.parametrize("duration", [0.2, 4.98, 5.0, 7.3])
def test_spikes_and_bins_fill_the_duration_and_no_more(duration):
    drive = np.zeros((round(duration / 0.01), 4), dtype=np.float32)
    unit = PointProcess(baseline=np.full(4, np.log(80.0)), silent=0, dt=DT)
    circuit = chain([0.0] * 3)
    found = run(circuit, unit, drive, np.random.default_rng(0), drive_step=0.01)
    times = found.spikes.times
    assert (np.diff(times) >= 0).all()
    assert 0 <= times[0] < 0.1
    assert duration - 0.1 < times[-1] < duration
    assert found.intensity.shape == (int(duration / 0.05 + 1e-9), 4)
    assert len(times) == pytest.approx(320 * duration, abs=5 * np.sqrt(320 * duration))


def test_a_longer_duration_holds_the_last_drive():
    drive = np.zeros((100, 1), dtype=np.float32)
    drive[-1] = 1.0
    unit = PointProcess(baseline=np.log([30.0]), silent=0, dt=DT)
    lone = chain([])
    found = run(lone, unit, drive, np.random.default_rng(0), drive_step=0.01, duration=3.0)
    assert found.spikes.duration == 3.0
    np.testing.assert_allclose(found.intensity[:19], 30, rtol=1e-5)
    np.testing.assert_allclose(found.intensity[20:], 30 * np.e, rtol=1e-5)
