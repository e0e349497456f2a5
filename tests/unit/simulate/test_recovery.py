"""Planted truth comes back from the data by plain means: fMRI, calcium, spikes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from neuropipe.simulate.atlas import NETWORKS
from neuropipe.simulate.calcium import sim_calcium, transient
from neuropipe.simulate.fmri import block_onsets, sim_fmri
from neuropipe.simulate.populations import stimulus_population, visual_drive
from neuropipe.simulate.settings import CalciumSimulation, FmriSimulation
from neuropipe.simulate.settings_stimuli import SpikesSimulation
from neuropipe.simulate.spikes import simulate_session
from neuropipe.simulate.spikes_files import truth

STILL = FmriSimulation(
    n_subjects=4, duration=1200, switching="none", y_fc=0.0, family_size=1, snr=20.0
)


def test_rois_of_one_network_correlate_most():
    data = sim_fmri(STILL.model_copy(update={"snr": 4.0}))
    r = np.mean([np.corrcoef(one.T) for one in data.bold], axis=0)
    same = data.population.networks[:, None] == data.population.networks
    off = ~np.eye(len(r), dtype=bool)
    assert r[same & off].mean() > 0.5
    assert r[same & off].mean() > np.abs(r[~same]).mean() + 0.2


def test_covariance_between_networks_is_that_of_the_truth():
    data = sim_fmri(STILL.model_copy(update={"subject_loading": 0.0, "n_subjects": 6}))
    shared = data.population
    inverse = np.linalg.pinv(shared.loadings)
    found = np.mean([inverse @ np.cov(one.T) @ inverse.T for one in data.bold], axis=0)
    off = np.triu_indices(len(NETWORKS), 1)
    assert np.corrcoef(found[off], shared.covariances[0][off])[0, 1] > 0.9
    assert np.diag(found) == pytest.approx(np.ones(7), abs=0.35)


def test_lag_between_rois_is_the_difference_of_their_delays():
    data = sim_fmri(
        STILL.model_copy(
            update={"delay_jitter": 2.0, "repetition_time": 0.5, "snr": 1000.0,
                    "subject_loading": 0.0}
        )
    )  # fmt: skip
    shared = data.population
    members = np.flatnonzero(shared.networks == NETWORKS.index("Default"))
    found, expected = [], []
    for i, j in pairwise(members):
        lags = np.arange(-16, 17)
        r = [
            np.mean([np.corrcoef(one[20:-20, i], one[20 + k : len(one) - 20 + k, j])[0, 1]
                     for one in data.bold])
            for k in lags
        ]  # fmt: skip
        found.append(lags[int(np.argmax(r))] * 0.5)
        expected.append(shared.delays[j] - shared.delays[i])
    assert np.corrcoef(found, expected)[0, 1] > 0.9
    assert np.median(np.abs(np.array(found) - expected)) < 0.6


def test_task_responses_are_found_by_regression_on_the_truth():
    settings = STILL.model_copy(
        update={"n_subjects": 40, "n_blocks": 5, "duration": 600, "y_block": 1.0}
    )
    data = sim_fmri(settings)
    design = np.stack([data.regressor, np.ones_like(data.regressor)], axis=1)
    beta = np.stack([np.linalg.lstsq(design, one, rcond=None)[0][0] for one in data.bold])
    label = data.participants["y_block"].to_numpy()
    shared = data.population
    mean = (beta[label == 0].mean(axis=0) + beta[label == 1].mean(axis=0)) / 2
    half = (beta[label == 1].mean(axis=0) - beta[label == 0].mean(axis=0)) / 2
    assert np.corrcoef(mean, shared.block_response)[0, 1] > 0.9
    assert np.corrcoef(half, shared.block_difference)[0, 1] > 0.8
    assert np.polyfit(shared.block_response, mean, 1)[0] == pytest.approx(1, abs=0.2)


def test_the_regressor_rises_after_each_onset_and_not_before():
    settings = STILL.model_copy(update={"n_blocks": 4, "duration": 600, "n_subjects": 1})
    data = sim_fmri(settings)
    onsets = block_onsets(settings)
    assert data.regressor.max() == pytest.approx(1, abs=0.02)
    for onset in onsets:
        at = np.searchsorted(data.times, onset)
        assert data.regressor[at] == pytest.approx(0, abs=0.01)
        assert data.regressor[at + 15 : at + 25].min() > 0.8
    assert (data.regressor[data.times < onsets[0]] == 0).all()


def test_states_change_signs_where_the_truth_says():
    settings = FmriSimulation(
        n_subjects=6, duration=900, switching="loadings", y_fc=0.0, snr=100.0, subject_loading=0.0,
        delay_jitter=0.0, family_size=1,
    )  # fmt: skip
    data = sim_fmri(settings)
    shared = data.population
    members = np.flatnonzero(shared.networks == NETWORKS.index("Default"))
    joined, states = data.bold.reshape(-1, settings.n_rois), data.states.ravel()
    for state in range(settings.n_states):
        r = np.corrcoef(joined[states == state][:, members].T)
        planted = np.outer(shared.signs[state, members], shared.signs[state, members])
        off = ~np.eye(len(members), dtype=bool)
        assert (np.sign(r[off]) == planted[off]).mean() > 0.95


def test_families_are_told_by_their_connectivity():
    settings = FmriSimulation(
        n_subjects=12, family_size=3, duration=1200, switching="none", y_fc=0.0,
        subject_loading=0.3, snr=20.0,
    )  # fmt: skip
    data = sim_fmri(settings)
    upper = np.triu_indices(settings.n_rois, 1)
    fc = np.stack([np.corrcoef(one.T)[upper] for one in data.bold])
    alike = np.corrcoef(fc - fc.mean(axis=0))
    family = data.participants["family_id"].to_numpy()
    same = (family[:, None] == family) & ~np.eye(12, dtype=bool)
    assert alike[same].min() > alike[family[:, None] != family].max() - 0.1
    assert alike[same].mean() > alike[family[:, None] != family].mean() + 0.3


def test_events_come_back_from_clean_traces_by_deconvolution():
    settings = CalciumSimulation(
        n_animals=1, n_neurons=12, community_size=2, noise=0.0, missing=0.0, duration=60,
        private_rate=0.1,
    )  # fmt: skip
    data = sim_calcium(settings)
    kernel = transient(settings.decay, settings.rise, 1 / settings.sampling_rate)
    n = settings.n_samples
    matrix = np.zeros((n, n))
    for k in range(min(n, len(kernel))):
        matrix[np.arange(k, n), np.arange(n - k)] = kernel[k]
    for trace, events in zip(data.traces[0], data.activity[0], strict=True):
        late = 61  # the memory of what came before the recording has ended
        rest = trace.astype(float) - matrix @ events
        assert np.abs(rest[late:]).max() < 1e-4
        assert rest.min() > -1e-4  # what came before only adds


def test_two_events_of_a_community_in_one_sample_add_up():
    """A short epoch has fewer samples than events: none is lost."""
    settings = CalciumSimulation(
        n_animals=1, n_neurons=12, n_communities=2, community_size=2, n_epochs=1, duration=30,
        sampling_rate=0.5, event_rate=1.0, private_rate=0.0, missing=0.0, gain=(1.0, 1.0),
        last_epoch_share=1.0,
    )  # fmt: skip
    data = sim_calcium(settings)
    members = data.partitions[0] >= 0
    assert data.activity[0, members].sum(axis=1) == pytest.approx(30)
    assert data.activity[0].max() > 1
    assert not data.activity[0, ~members].any()


def test_receptive_fields_come_back_by_spike_triggered_averaging():
    seen = stimulus_population(6, np.random.default_rng(0), duration=200.0, n_repeats=5)
    counts = np.sum([s.counts(seen.frame_step) for s in seen.repeats], axis=0)
    frames = seen.frames.reshape(len(seen.frames), -1) - 128.0
    # Clouds are smooth: compare with the filter as seen through the film's own covariance.
    blur = frames.T @ frames
    for unit in range(6):
        lag = int(np.argmax(np.abs(seen.filters.temporal[unit])))
        sta = counts[lag:, unit] @ frames[: len(frames) - lag]
        expected = blur @ seen.filters.spatial[unit].ravel()
        expected *= np.sign(seen.filters.temporal[unit, lag])
        assert np.corrcoef(sta, expected)[0, 1] > 0.8


@pytest.mark.parametrize("neuron", ["point process", "integrate and fire"])
def test_the_drive_can_be_made_again_from_the_truth(neuron):
    made = SpikesSimulation(
        n_units=16, duration=30, neuron=neuron, visual_share=0.5, place_share=0.25, speed_share=0.25
    )
    session = simulate_session(made, np.random.default_rng(4))
    known = truth(session)
    time = 0.01 * (np.arange(3000) + 0.5)
    behavior = np.minimum((np.arange(3000) * 0.01 * 20 + 1e-9).astype(int), 599)
    drive = np.cos(2 * np.pi * time)[:, None] * known["common_amplitude"].values
    drive += session.latent[behavior, None] * known["speed_weight"].values
    centre = known["place_centre"].values
    gap = ((session.position[behavior, None] - centre) ** 2).sum(axis=-1)
    field = np.exp(-gap / (2 * known.attrs["place_width"] ** 2)) * known.attrs["place_peak"]
    drive += np.nan_to_num(field)
    seen = visual_drive(session.films, session.filters)
    visual = known["visual_unit"].values
    for (start, stop), film in zip(session.trials, session.shown, strict=True):
        first, last = round(start * 100), round(stop * 100)
        frame = (np.arange(last - first) // 5).clip(0, seen.shape[1] - 1)
        drive[first:last, visual] += seen[film][frame]
    np.testing.assert_allclose(session.drive, drive, atol=1e-4)
    unit = {"point process": "log rate", "integrate and fire": "distance from rest to threshold"}
    for name in ("weights", "common_amplitude", "visual_gain"):
        assert known[name].attrs["unit"] == unit[neuron]
    wired = known["weights"].values[session.circuit.connected]
    low, high = (0.5, 1.3) if neuron == "point process" else (0.125, 0.325)
    assert low <= np.abs(wired).min() <= np.abs(wired).max() <= high
