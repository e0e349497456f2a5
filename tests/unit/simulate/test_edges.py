"""Corners of the settings: the smallest, the emptiest, the most extreme that is allowed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropipe.simulate.calcium import lead_in, sim_calcium
from neuropipe.simulate.calcium_hub import _chances, sim_hub, wiring
from neuropipe.simulate.fmri import block_onsets, participants, process_length, sim_fmri
from neuropipe.simulate.fmri_volumes import head_motion
from neuropipe.simulate.processes import BAND, bold_spectrum, gaussian_process
from neuropipe.simulate.settings import CalciumSimulation, FmriSimulation
from neuropipe.simulate.settings_stimuli import SpikesSimulation
from neuropipe.simulate.spikes import simulate_session
from neuropipe.simulate.states import state_path
from neuropipe.simulate.vision import simulate_vision


@pytest.mark.parametrize(
    "update",
    [
        {"n_subjects": 1, "family_size": 8},
        {"duration": 20, "repetition_time": 0.3},
        {"duration": 60, "repetition_time": 3.0, "noise": "matched"},
        {"subject_loading": 0.0, "delay_jitter": 0.0, "y_fc": 0.0},
        {"family_share": 1.0, "family_size": 2},
        {"dwell": (2.0, 2.5), "n_states": 12},
        {"dwell": (500.0, 600.0)},
        {"n_blocks": 1, "block_duration": 1.0, "duration": 20, "repetition_time": 0.5},
        {"snr": 1e-3},
    ],
)
def test_the_corners_of_fmri_give_finite_series(update):
    made = FmriSimulation(**{"n_subjects": 2, "n_rois": 20, "duration": 40} | update)
    data = sim_fmri(made)
    assert np.isfinite(data.bold).all()
    assert np.isfinite(data.regressor).all()
    assert np.isfinite(data.signal_to_noise).all()
    assert data.bold.shape[1] == made.n_volumes
    assert (data.regressor.max() > 0) == (made.n_blocks > 0)


def test_twins_share_all_their_loadings_where_families_share_all():
    made = FmriSimulation(n_subjects=4, n_rois=20, duration=40, family_share=1.0)
    loadings = sim_fmri(made).loadings
    np.testing.assert_array_equal(loadings[0], loadings[1])
    assert not np.allclose(loadings[1], loadings[2])


@given(n=st.integers(1, 40), family=st.integers(1, 8), seed=st.integers(0, 99))
@settings(deadline=None)
def test_labels_of_any_cohort_are_balanced(n, family, seed):
    table = participants(FmriSimulation(n_subjects=n, family_size=family, seed=seed))
    assert len(table) == n
    for name in ("y_fc", "y_dyn", "y_block", "y_permuted"):
        assert table[name].sum() == n // 2
    sizes = table.groupby("family_id").size()
    assert (sizes.iloc[:-1] == family).all()
    assert (table.groupby("family_id")["y_family"].nunique() == 1).all()
    assert table["age"].between(20, 79).all()


@given(n_blocks=st.integers(1, 10), length=st.floats(1, 120), slack=st.floats(0, 300))
@settings(deadline=None)
def test_blocks_of_any_design_fit_their_share_of_the_run(n_blocks, length, slack):
    duration = max(20.0, 2 * n_blocks * length + slack)
    made = FmriSimulation(n_blocks=n_blocks, block_duration=length, duration=duration)
    onsets = block_onsets(made)
    assert len(onsets) == n_blocks
    assert onsets[0] >= 0
    assert onsets[-1] + length <= duration + 1e-6
    assert (np.diff(onsets) >= length - 1e-6).all()


@given(duration=st.floats(20, 3000))
def test_processes_outlast_the_run_by_two_minutes(duration):
    n = process_length(FmriSimulation(duration=duration))
    assert n % 500 == 0
    assert duration + 120 <= n * 0.1 + 1e-6 < duration + 171


def test_power_falls_with_frequency_and_ends_at_the_band():
    spectrum = bold_spectrum(5000, 0.1)
    frequency = np.fft.rfftfreq(5000, 0.1)
    used = np.flatnonzero(spectrum)
    assert frequency[used[0]] >= BAND[0]
    assert frequency[used[-1]] <= BAND[1]
    # The response passes less and less above 0.04 Hz, and 1/f falls as well.
    assert (np.diff(spectrum[used][frequency[used] > 0.04]) < 0).all()
    with pytest.raises(ValueError, match="read-only"):
        spectrum[0] = 1


@given(n_samples=st.integers(2, 60), seed=st.integers(0, 999))
@settings(deadline=None)
def test_a_process_without_power_is_silent(n_samples, seed):
    rng = np.random.default_rng(seed)
    drawn = gaussian_process(np.zeros(n_samples // 2 + 1), n_samples, 3, rng)
    assert drawn.shape == (n_samples, 3)
    assert not drawn.any()


@pytest.mark.parametrize("order", [1, -1])
def test_a_cycle_of_states_visits_all_in_turn(order):
    path = state_path(5, 300, 0.1, (5.0, 6.0), np.random.default_rng(0), order=order)
    visited = path[np.r_[0, np.flatnonzero(np.diff(path)) + 1]].astype(int)
    assert ((np.diff(visited) - order) % 5 == 0).all()
    assert set(visited) == set(range(5))


@given(n_volumes=st.integers(20, 80), n_jerks=st.integers(0, 16), seed=st.integers(0, 99))
@settings(deadline=None)
def test_as_many_jerks_as_asked_on_different_volumes(n_volumes, n_jerks, seed):
    motion = head_motion(n_volumes, n_jerks, np.random.default_rng(seed))
    assert len(np.unique(motion.jerks)) == n_jerks
    if n_jerks:
        assert motion.jerks.min() >= 2
        assert motion.jerks.max() < n_volumes - 2
    assert not motion.parameters[0].any()
    moved = motion.framewise_displacement()
    assert (moved[motion.jerks] > 0.4).all()


@pytest.mark.parametrize(
    "update",
    [
        {"n_epochs": 1, "last_epoch_share": 0.0},
        {"last_epoch_share": 0.0},
        {"missing": 0.9, "n_neurons": 60},
        {"private_rate": 0.0, "noise": 0.0, "unit": "zscore"},
        {"shared_events": 1.0, "homologues": 1.0},
        {"n_communities": 20, "community_size": 3, "event_rate": 1.0},
        {"design": "hub", "n_communities": 1},
    ],
)
def test_the_corners_of_calcium_are_finite_where_neurons_are(update):
    made = CalciumSimulation(**{"n_animals": 2, "duration": 60} | update)
    data = sim_hub(made) if made.design == "hub" else sim_calcium(made)
    assert np.isfinite(data.traces[data.presence]).all()
    assert np.isnan(data.traces[~data.presence]).all()
    assert (data.activity >= 0).all()


def test_animals_that_show_no_last_epoch_have_only_private_events_in_it():
    made = CalciumSimulation(
        n_animals=4, duration=90, private_rate=0.0, last_epoch_share=0.5, missing=0.0
    )
    data = sim_calcium(made)
    start = round(data.epochs[0, -1, 0] * made.sampling_rate)
    active = data.activity[:, :, start:].any(axis=(1, 2))
    np.testing.assert_array_equal(active, data.expressed[:, -1])


@given(seed=st.integers(0, 99), silenced=st.sampled_from([None, 0, 5]))
@settings(max_examples=5, deadline=None)
def test_the_hub_circuit_is_its_rules_applied_one_event_at_a_time(seed, silenced):
    made = CalciumSimulation(
        design="hub", n_animals=1, n_neurons=10, n_communities=2, community_size=4, duration=30,
        seed=seed, gain=(1.0, 1.0), missing=0.0,
    )  # fmt: skip
    circuit = wiring(made)
    own, chance = (part[:, 0] for part in _chances(made, circuit))
    fired = np.zeros_like(own)
    for t in range(len(own)):
        for neuron in range(10):
            if neuron == silenced:
                continue
            survives = 1.0
            if t:
                for source in np.flatnonzero(fired[t - 1]):
                    survives *= 1 - circuit.coupling[source, neuron]
            fired[t, neuron] = own[t, neuron] or chance[t, neuron] < 1 - survives
    found = sim_hub(made, silence=silenced).activity[0] > 0
    np.testing.assert_array_equal(found, fired[lead_in(made) :].T)


@pytest.mark.parametrize(
    "update",
    [
        {"visual_share": 1.0, "place_share": 0.0, "speed_share": 0.0},
        {"place_share": 1.0, "visual_share": 0.0, "speed_share": 0.0, "arena": 3.0},
        {"n_hubs": 0, "density": 0.0},
        {"gap": 0.0, "film_duration": 30.0, "n_films": 3},
        {"frame_rate": 100.0, "film_duration": 1.25},
        {"common_input": 0.0, "speed_time_constant": 60.0},
    ],
)
def test_the_corners_of_spiking_sessions_keep_their_rates(update):
    made = SpikesSimulation(**{"n_units": 10, "duration": 30} | update)
    found = simulate_session(made, np.random.default_rng(0))
    spikes = found.simulated.spikes
    n = 10 * 30 * made.mean_rate
    assert len(spikes.times) == pytest.approx(n, rel=0.25)
    assert np.isfinite(found.drive).all()
    assert (found.position >= 0).all()
    assert (found.position <= made.arena).all()
    assert found.trials[-1, 1] <= 30 + 1e-9
    assert found.place_width == pytest.approx(0.15 * made.arena)


@pytest.mark.parametrize("update", [{"noise": 0.0}, {"background": 0.0}, {"n_repeats": 1}])
def test_the_corners_of_vision_keep_their_signal_at_unit_variance(update):
    found = simulate_vision(1500, np.random.default_rng(0), units_per_roi=20, **update)
    by_unit = found.signal.var(axis=0)
    for roi in np.unique(found.voxels.rois):
        assert by_unit[found.voxels.rois == roi].mean() == pytest.approx(1.0, abs=0.15)
