"""Simulated spiking sessions: every drive where it belongs, and NWB files that say so."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from neuropipe.ingest.read import discover, read_recording
from neuropipe.ingest.settings import SpikesReadSettings
from neuropipe.ingest.source import SourceFiles
from neuropipe.simulate.processes import stream
from neuropipe.simulate.settings_stimuli import SpikesSimulation
from neuropipe.simulate.spikes import REGIONS, _presentations, simulate_session
from neuropipe.simulate.spikes_files import recordings, write
from neuropipe.simulate.stimuli_oracle import edge_auc, lagged_excess
from neuropipe.simulate.truth import read_summary, read_truth

MADE = SpikesSimulation(seed=3)


@pytest.fixture(scope="module")
def session():
    return simulate_session(MADE, np.random.default_rng(0))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spikes")
    write(MADE, folder)
    paths = [p.relative_to(folder).as_posix() for p in sorted(folder.rglob("*")) if p.is_file()]
    locked = discover(paths, "spikes", SpikesReadSettings())
    files = SourceFiles("demo", folder, locked[0])
    return folder, locked, read_recording(files, "spikes", SpikesReadSettings()).check()


@given(
    shares=st.tuples(*[st.floats(0, 0.33)] * 3),
    gap=st.floats(0, 5),
    film_duration=st.floats(1, 10),
    frame_rate=st.sampled_from([5.0, 10.0, 20.0, 25.0, 50.0]),
    n_films=st.integers(1, 4),
)
@settings(max_examples=40, deadline=None)
def test_presentations_fit_the_session(shares, gap, film_duration, frame_rate, n_films):
    made = SpikesSimulation(
        duration=40,
        visual_share=shares[0],
        place_share=shares[1],
        speed_share=shares[2],
        gap=gap,
        film_duration=film_duration,
        frame_rate=frame_rate,
        n_films=n_films,
    )
    films, trials, shown, frame = _presentations(made, 4000, np.random.default_rng(0))
    assert trials[-1, 1] <= 40 + 1e-6
    assert (trials[1:, 0] - trials[:-1, 1] >= gap - 1e-9).all()
    assert len(shown) == len(trials) == int(40 / (gap + films.shape[1] / frame_rate) + 1e-9)
    assert frame.max() < films.shape[0] * films.shape[1]
    per_trial = films.shape[1] / frame_rate
    np.testing.assert_allclose(np.diff(trials, axis=1), per_trial)
    assert (frame >= 0).mean() == pytest.approx(len(trials) * per_trial / 40, abs=0.02)
    for (start, stop), index in zip(trials, shown, strict=True):
        inside = frame[int(np.ceil(start * 100 - 1e-6)) : int(stop * 100 - 1e-6)]
        assert (inside // films.shape[1] == index).all()
        assert (np.diff(inside) >= 0).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"visual_share": 0.8},
        {"n_hubs": 50, "n_units": 20},
        {"film_duration": 40.0, "duration": 30.0},
        {"frame_rate": 30.0},
        {"neuron": "hodgkin"},
        {"duration": 5.0},
        {"unknown": 1},
    ],
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValidationError):
        SpikesSimulation(**wrong)


def test_rates_and_shares_are_as_asked_for(session):
    spikes = session.simulated.spikes
    assert spikes.rates().mean() == pytest.approx(7.0, abs=0.5)
    shares = {drive: int((session.drive_of == drive).sum()) for drive in REGIONS}
    assert shares == {"visual": 19, "place": 14, "speed": 14, "none": 1}
    assert ((session.speed_weights != 0) == (session.drive_of == "speed")).all()
    assert (np.isfinite(session.place_centres[:, 0]) == (session.drive_of == "place")).all()


def test_visual_units_repeat_their_response_to_a_film(session):
    counts = session.simulated.spikes.counts(0.05)
    onset = np.rint(session.trials[:, 0] / 0.05).astype(int)
    trials = np.stack([counts[start : start + 200] for start in onset])  # (trial, bin, unit)
    first = trials[session.shown == 0]
    a, b = first[::2].mean(axis=0), first[1::2].mean(axis=0)
    r = np.array([np.corrcoef(a[:, i], b[:, i])[0, 1] for i in range(counts.shape[1])])
    assert np.median(r[session.drive_of == "visual"]) > 0.3
    assert np.median(r[session.drive_of == "speed"]) < 0.15


def test_place_units_fire_in_their_field(session):
    spikes, centres = session.simulated.spikes, session.place_centres
    counts = spikes.counts(0.05)
    position = session.position[: len(counts)]
    for unit in np.flatnonzero(session.drive_of == "place"):
        near = np.linalg.norm(position - centres[unit], axis=1) < 0.15
        far = np.linalg.norm(position - centres[unit], axis=1) > 0.45
        assert counts[near, unit].mean() > 3 * counts[far, unit].mean()
    other = session.drive_of == "visual"
    half = position[:, 0] > np.median(position[:, 0])
    ratio = counts[half][:, other].mean(axis=0) / counts[~half][:, other].mean(axis=0)
    assert 0.8 < np.median(ratio) < 1.25


def test_speed_units_follow_the_speed(session):
    counts = session.simulated.spikes.counts(1.0)
    second = session.latent[: 20 * len(counts)].reshape(-1, 20).mean(axis=1)
    r = np.array([np.corrcoef(second, counts[:, i])[0, 1] for i in range(counts.shape[1])])
    driven = session.drive_of == "speed"
    assert (np.sign(r[driven]) == np.sign(session.speed_weights[driven])).all()
    assert np.abs(r[driven]).min() > 0.25


def test_wiring_shows_through_the_drives(session):
    score = lagged_excess(session.simulated.spikes)
    assert edge_auc(score, session.circuit.connected) > 0.9


def test_gain_0_leaves_units_unconnected_and_units_can_integrate_and_fire():
    made = SpikesSimulation(n_units=20, duration=30, gain=0.0, neuron="integrate and fire")
    found = simulate_session(made, np.random.default_rng(0))
    assert not found.circuit.connected.any()
    assert found.simulated.intensity is None
    assert found.simulated.spikes.rates().mean() == pytest.approx(7.0, abs=2.0)


def test_no_drive_at_all_is_a_bare_circuit():
    made = SpikesSimulation(
        n_units=12, duration=30, visual_share=0, place_share=0, speed_share=0, common_input=0
    )
    found = simulate_session(made, np.random.default_rng(0))
    assert (found.drive == 0).all()
    assert set(found.drive_of) == {"none"}


def test_file_is_read_as_a_recording(written):
    folder, locked, recording = written
    assert [one.recording for one in locked] == recordings(MADE) == ["sub-sim01"]
    assert recording.subject == "sim01"
    assert recording.species == "Mus musculus"
    assert recording.n_units == 48
    truth = read_truth(folder, "sub-sim01")
    assert recording.units["region"].tolist() == [REGIONS[d] for d in truth["drive_of"].values]
    assert (recording.units[["x", "y", "z"]].abs().to_numpy() < 0.01).all()
    rates = np.array([len(train) for train in recording.spike_trains()]) / MADE.duration
    assert rates.mean() == pytest.approx(MADE.mean_rate, abs=0.5)
    error = 4 * np.sqrt(rates / MADE.duration)  # Poisson
    assert (np.abs(truth["rate"].mean("bin").values - rates) < error).all()
    assert recording.attrs["obs_intervals"] == [[0.0, MADE.duration]]


def test_file_holds_trials_behaviour_and_films(written):
    _, _, recording = written
    assert len(recording.events) == 30
    np.testing.assert_allclose(recording.events["duration"], 10.0)
    assert recording.events["trial_type"].value_counts().to_dict() == {"film-1": 15, "film-2": 15}
    (group,) = recording.behavior.values()
    assert set(group.data_vars) == {"speed", "position_x", "position_y"}
    assert group.attrs["sampling_rate"] == pytest.approx(20.0)
    assert group["speed"].attrs["unit"] == "m/s"
    step = np.hypot(group["position_x"].diff("time"), group["position_y"].diff("time"))
    assert (step.values <= group["speed"].values[1:] / 20 + 1e-6).all()
    assert recording.stimuli.index.tolist() == ["film-1", "film-2"]


def test_films_in_the_file_are_those_of_the_truth(written):
    pynwb = pytest.importorskip("pynwb")
    folder, _, _ = written
    truth = read_truth(folder, "sub-sim01")
    with pynwb.NWBHDF5IO(folder / "sub-sim01" / "sub-sim01_ecephys.nwb", "r") as io:
        film = io.read().stimulus_template["film-1"].data[:]
    assert film.dtype == np.uint8
    assert film.shape == (200, 28, 16)  # frame, x, y, as NWB has it
    assert truth["spatial_filter"].shape[1:] == (16, 28)
    assert film.std() == pytest.approx(48, abs=6)


def test_dataset_is_small_and_says_how_it_was_made(written):
    folder, _, _ = written
    assert sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) < 3_000_000
    summary = read_summary(folder)
    assert summary["settings"] == MADE.model_dump()
    assert len(summary["facts"]["recordings"]["sub-sim01"]["hubs"]) == 4


def test_subjects_differ_and_do_not_depend_on_their_number(tmp_path):
    for n in (1, 2):
        made = SpikesSimulation(n_units=10, duration=30, n_subjects=n)
        write(made, tmp_path / str(n))
    one, two = (read_truth(tmp_path / n, "sub-sim01") for n in "12")
    np.testing.assert_array_equal(one["rate"], two["rate"])
    other = read_truth(tmp_path / "2", "sub-sim02")
    assert not np.array_equal(one["weights"], other["weights"])


def test_units_that_never_fire_are_written_and_read(tmp_path):
    made = SpikesSimulation(n_units=60, duration=30, mean_rate=0.11, gain=0.0, n_hubs=0)
    write(made, tmp_path)
    paths = [p.relative_to(tmp_path).as_posix() for p in sorted(tmp_path.rglob("*")) if p.is_file()]
    (locked,) = discover(paths, "spikes", SpikesReadSettings())
    read = read_recording(
        SourceFiles("demo", tmp_path, locked), "spikes", SpikesReadSettings()
    ).check()
    session = simulate_session(made, stream(0, 0, 0))
    counts = [len(train) for train in read.spike_trains()]
    assert counts == [len(train) for train in session.simulated.spikes.trains()]
    assert 0 in counts


def test_the_file_holds_the_spikes_and_the_path_of_the_session(written):
    _, _, recording = written
    session = simulate_session(MADE, stream(MADE.seed, 0, 0))
    for train, expected in zip(
        recording.spike_trains(), session.simulated.spikes.trains(), strict=True
    ):
        np.testing.assert_array_equal(train, expected)
    (group,) = recording.behavior.values()
    np.testing.assert_allclose(group["speed"], session.speed, rtol=1e-6)
    np.testing.assert_allclose(group["position_x"], session.position[:, 0], atol=1e-6)
    np.testing.assert_allclose(group["position_y"], session.position[:, 1], atol=1e-6)
    np.testing.assert_allclose(recording.events["onset"], session.trials[:, 0])
    names = [f"film-{film + 1}" for film in session.shown]
    assert recording.events["trial_type"].tolist() == names
