"""Spiking circuits: wiring as asked for, rates as aimed at, seams that do not show."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropipe.errors import SettingsError
from neuropipe.simulate import engine
from neuropipe.simulate.circuits import Circuit, cosine_drive, hub_circuit
from neuropipe.simulate.engine import PointProcess, run
from neuropipe.simulate.networks import simulate_integrate_and_fire, simulate_point_process
from neuropipe.simulate.stimuli_checks import simulate_hub_circuit
from neuropipe.simulate.stimuli_oracle import direction_accuracy, edge_auc, lagged_excess
from neuropipe.simulate.trains import SpikeTrains


def pair(weight: float, delay: float = 0.010) -> Circuit:
    """Unit 1 drives unit 0."""
    weights = np.array([[0.0, weight], [0.0, 0.0]])
    return Circuit(
        weights=weights,
        delays=np.where(weights != 0, delay, np.nan),
        signs=np.array([1, int(np.sign(weight)) or 1]),
        hubs=np.array([], dtype=np.int64),
    )


@given(
    n_units=st.integers(8, 80),
    density=st.floats(0, 0.3),
    share=st.floats(0, 1),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=40, deadline=None)
def test_hub_circuit_is_what_was_asked_for(n_units, density, share, seed):
    circuit = hub_circuit(
        n_units, np.random.default_rng(seed), density=density, hub_out_degree=share
    )
    wired = circuit.connected
    assert not wired.diagonal().any()
    assert (wired[:, circuit.hubs].sum(axis=0) == round(share * (n_units - 1))).all()
    assert (np.isnan(circuit.delays) == ~wired).all()
    assert (np.sign(circuit.weights) == wired * circuit.signs).all()
    lag = circuit.delays[wired]
    assert ((lag >= 0.005 - 1e-9) & (lag <= 0.020 + 1e-9)).all()
    size = np.abs(circuit.weights[wired]) / min(1, np.sqrt(60 / n_units))
    assert ((size >= 0.5 - 1e-9) & (size <= 1.3 + 1e-9)).all()
    others = np.setdiff1d(np.arange(n_units), circuit.hubs)
    assert (circuit.signs[others] < 0).sum() == round(0.2 * len(others))
    assert (circuit.signs[circuit.hubs] < 0).sum() == 1


def test_density_is_met():
    circuit = hub_circuit(300, np.random.default_rng(0), n_hubs=0)
    assert circuit.connected.mean() == pytest.approx(0.05, abs=0.004)


def test_impossible_circuits_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(SettingsError, match="hubs"):
        hub_circuit(3, rng)
    with pytest.raises(SettingsError, match="delay"):
        hub_circuit(10, rng, delays=(0.0, 0.01))


def test_segments_join_into_the_run_of_one_segment(monkeypatch):
    """With the same random numbers, many short segments give the spikes of one long one."""
    circuit = hub_circuit(20, np.random.default_rng(1), density=0.1)
    n_steps, n = 8000, circuit.n_units
    noise = np.random.default_rng(2).random((n_steps, n))
    drive = cosine_drive(8.0, np.full(n, 0.3))

    class Replayed(PointProcess):
        """Draws the numbers of a table: row (segment, step) of the whole run."""

        def draw(self, rng, shape):
            if rng is not seen.get("rng"):  # a new sweep
                seen.update(rng=rng, step=0, sweeps=seen.get("sweeps", 0) + 1)
            rows = np.arange(shape[0]) * (n_steps // shape[0]) + seen["step"]
            seen["step"] += 1
            return noise[rows]

    trains = []
    for seconds in (8.0, 0.5):
        seen: dict = {}
        monkeypatch.setattr(engine, "_SEGMENT", seconds)
        unit = Replayed(baseline=np.full(n, np.log(15.0)), silent=2, dt=1e-3)
        found = run(circuit, unit, drive, np.random.default_rng(3), drive_step=0.01)
        trains.append(np.stack([np.floor(found.spikes.times * 1e3 + 1e-6), found.spikes.units]))
        order = np.lexsort(trains[-1][::-1])
        trains[-1] = trains[-1][:, order]
        rates = found.intensity
        trains.append(rates)
        assert found.n_passes == seen["sweeps"]
    assert found.n_passes >= 2
    assert trains[0].shape[1] > 1500
    np.testing.assert_array_equal(trains[0], trains[2])
    np.testing.assert_allclose(trains[1], trains[3], rtol=1e-5)


def test_same_seed_same_spikes_and_other_seed_others():
    runs = [simulate_hub_circuit(20, 10.0, seed)[1].spikes for seed in (0, 0, 1)]
    np.testing.assert_array_equal(runs[0].times, runs[1].times)
    np.testing.assert_array_equal(runs[0].units, runs[1].units)
    assert not np.array_equal(runs[0].times[:100], runs[2].times[:100])


@pytest.mark.parametrize("neuron", ["point process", "integrate and fire"])
def test_rates_meet_their_target(neuron):
    _, found = simulate_hub_circuit(60, 60.0, 0, neuron=neuron)
    tolerance = 0.4 if neuron == "point process" else 1.2
    assert found.spikes.rates().mean() == pytest.approx(8.2, abs=tolerance)
    assert (np.diff(found.spikes.times) >= 0).all()
    assert found.spikes.times[-1] < 60.0


def test_each_unit_meets_its_own_target():
    rates = np.array([2.0, 5.0, 10.0, 25.0])
    circuit = hub_circuit(4, np.random.default_rng(0), n_hubs=0, gains=(0, 0))
    drive = cosine_drive(200.0, np.array([0.0, 0.3, 0.6, 0.9]))
    found = simulate_point_process(circuit, drive, rates, np.random.default_rng(1))
    # Poisson error of a mean over 200 s, four standard errors.
    assert (np.abs(found.spikes.rates() - rates) < 4 * np.sqrt(rates / 200)).all()


def test_no_spike_in_the_refractory_period():
    _, found = simulate_hub_circuit(30, 30.0, 4)
    assert min(np.diff(train).min() for train in found.spikes.trains()) >= 0.002


def test_intensity_is_the_rate_of_the_spikes():
    _, found = simulate_hub_circuit(60, 100.0, 2)
    counts = found.spikes.counts(found.intensity_step)
    expected = found.intensity * found.intensity_step
    # Sums differ by Poisson noise, over all time and where the common cosine is high. (Bins chosen
    # by their own intensity would not do: a spike silences its unit and lowers what is left.)
    time = found.intensity_step * (np.arange(len(counts)) + 0.5)
    high = np.cos(2 * np.pi * time) > 0.7
    for chosen in (np.full(len(counts), True), high):
        n = expected[chosen].sum()
        assert abs(counts[chosen].sum() - n) < 4 * np.sqrt(n)
    assert expected[high].mean() > 1.1 * expected.mean()


def test_effect_of_a_synapse_has_its_delay_time_course_and_sign():
    n_pairs, delay, tau = 80, 0.012, 0.006
    effects = np.repeat([1.2, -1.2], n_pairs // 2)
    weights = np.kron(np.diag(effects), [[0.0, 1.0], [0.0, 0.0]])
    circuit = Circuit(
        weights=weights,
        delays=np.where(weights != 0, delay, np.nan),
        signs=np.repeat(np.sign(effects), 2).astype(np.int64),
        hubs=np.array([], dtype=np.int64),
        time_constant=tau,
    )
    # Low rates: neither refractoriness nor other spikes of the source blur the time course.
    rates = np.tile([5.0, 8.0], n_pairs)
    drive = np.zeros((25_000, 2 * n_pairs), dtype=np.float32)
    found = simulate_point_process(circuit, drive, rates, np.random.default_rng(0))
    counts = found.spikes.counts(1e-3)
    lags = np.arange(1, 40)
    for weight in (1.2, -1.2):
        pairs = np.flatnonzero(effects == weight)
        target, source = counts[:, 2 * pairs], counts[:, 2 * pairs + 1]
        step, which = np.nonzero(source[:-40])
        once = source[step, which]
        following = np.array([(once * target[step + lag, which]).sum() for lag in lags])
        rest = following[(lags < 12) | (lags > 36)]
        ratio = following / rest.mean()
        assert following[lags < 12].mean() == pytest.approx(following[lags > 36].mean(), rel=0.05)
        early, later = (lags >= 12) & (lags < 15), (lags >= 15) & (lags < 24)
        for chosen, steps in ((early, np.arange(3)), (later, np.arange(3, 12))):
            predicted = np.exp(weight * np.exp(-steps * 1e-3 / tau)).mean()
            error = 4 * predicted / np.sqrt(following[chosen].sum())  # Poisson
            assert ratio[chosen].mean() == pytest.approx(predicted, abs=error)
            assert error < 0.25 * abs(predicted - 1)


def test_wiring_and_direction_can_be_read_from_lags():
    circuit, found = simulate_hub_circuit(60, 200.0, 0)
    score = lagged_excess(found.spikes)
    assert edge_auc(score, circuit.connected) > 0.93
    assert direction_accuracy(score, circuit.connected) > 0.9
    # Zero-lag correlation sees neither: it is symmetric.
    zero_lag = np.corrcoef(found.spikes.counts(0.02).T)
    zero_lag = (zero_lag + zero_lag.T) / 2  # exactly, not up to rounding
    assert direction_accuracy(zero_lag, circuit.connected) == 0.0


def test_integrate_and_fire_follows_its_synapses():
    circuit = pair(0.75)
    drive = np.zeros((12_000, 2), dtype=np.float32)
    found = simulate_integrate_and_fire(
        circuit, drive, np.array([10.0, 20.0]), np.random.default_rng(0)
    )
    score = lagged_excess(found.spikes)
    assert score[0, 1] > 5
    assert abs(score[1, 0]) < 4
    assert found.intensity is None


def test_runaway_circuit_is_refused():
    circuit = hub_circuit(300, np.random.default_rng(0), reference_size=300)
    with pytest.raises(SettingsError, match="further spikes"):
        simulate_point_process(
            circuit, cosine_drive(1.0, np.zeros(300)), np.full(300, 8.0), np.random.default_rng(0)
        )


def test_impossible_rates_are_refused():
    rng = np.random.default_rng(0)
    drive = np.zeros((100, 2), dtype=np.float32)
    with pytest.raises(SettingsError, match="silence"):
        simulate_point_process(pair(0.5), drive, np.array([600.0, 5.0]), rng)
    with pytest.raises(SettingsError, match="for these units"):
        simulate_integrate_and_fire(pair(0.5), drive, np.array([400.0, 5.0]), rng)


@given(
    counts=st.lists(st.integers(0, 5), min_size=1, max_size=4),
    width=st.sampled_from([0.05, 0.1, 0.25]),
)
@settings(max_examples=30, deadline=None)
def test_trains_and_counts_keep_every_spike(counts, width):
    rng = np.random.default_rng(sum(counts))
    units = np.repeat(np.arange(len(counts)), counts)
    times = rng.uniform(0, 1.0, len(units))
    order = np.argsort(times)
    spikes = SpikeTrains(
        times=times[order],
        units=units[order].astype(np.int32),
        n_units=len(counts),
        duration=1.0,
    )
    assert [len(train) for train in spikes.trains()] == counts
    np.testing.assert_array_equal(spikes.counts(width).sum(axis=0), counts)
    np.testing.assert_allclose(spikes.rates(), counts)
