"""Simulated calcium imaging: what is true of the arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from neuropipe.simulate.calcium import lead_in, neuron_names, sim_calcium, transient
from neuropipe.simulate.settings import CalciumSimulation

SMALL = CalciumSimulation(n_animals=3, n_neurons=20, community_size=4, duration=90)


def test_the_same_seed_gives_the_same_arrays():
    one, two = sim_calcium(SMALL), sim_calcium(SMALL)
    assert np.array_equal(one.traces, two.traces, equal_nan=True)
    assert np.array_equal(one.partitions, two.partitions)
    other = sim_calcium(SMALL.model_copy(update={"seed": 1}))
    assert not np.array_equal(one.partitions, other.partitions)


@settings(max_examples=20, deadline=None)
@given(
    st.integers(1, 4),
    st.integers(4, 40),
    st.floats(0, 0.5),
    st.integers(1, 4),
    st.floats(1, 10),
    st.sampled_from(["fixed", "shuffled"]),
    st.floats(0, 1),
)
def test_any_settings_keep_shapes_and_shares(animals, neurons, missing, epochs, rate, order, share):
    chosen = CalciumSimulation(
        n_animals=animals, n_neurons=neurons, missing=missing, n_epochs=epochs, duration=60,
        sampling_rate=rate, n_communities=2, community_size=2, epoch_order=order,
        last_epoch_share=share,
    )  # fmt: skip
    data = sim_calcium(chosen)
    assert data.traces.shape == (animals, neurons, chosen.n_samples)
    assert data.traces.dtype == np.float32
    assert ((~data.presence).sum(axis=1) == round(missing * neurons)).all()
    assert np.array_equal(np.isnan(data.traces).all(axis=-1), ~data.presence)
    assert np.isfinite(data.traces[data.presence]).all()
    assert ((data.partitions >= 0).sum(axis=1) == 4).all()
    assert data.expressed[:, :-1].all()
    if epochs > 1:
        assert data.expressed[:, -1].sum() == round(share * animals)
    ends = np.sort(data.epochs[:, :, 1], axis=1)[:, -1]
    assert (ends <= chosen.duration + 1e-9).all()


def test_more_missing_neurons_hide_more_of_the_same_data():
    full, half = (sim_calcium(SMALL.model_copy(update={"missing": share})) for share in (0.2, 0.5))
    assert not (half.presence & ~full.presence).any()
    assert np.array_equal(full.traces[half.presence], half.traces[half.presence])


def test_members_fire_together_in_their_epoch_only():
    data = sim_calcium(SMALL.model_copy(update={"private_rate": 0.0}))
    for animal in range(3):
        for epoch, (start, stop) in enumerate(data.epochs[animal]):
            inside = data.activity[animal][:, round(start * 4) : round(stop * 4)] > 0
            partition = data.partitions[epoch]
            if not data.expressed[animal, epoch]:
                assert not inside.any()
                continue
            assert not inside[partition < 0].any()
            for community in range(4):
                members = inside[partition == community]
                assert members.any()
                assert (members == members[:1]).all()


def test_shared_events_have_the_same_sample_in_all_animals():
    chosen = SMALL.model_copy(update={"private_rate": 0.0, "shared_events": 1.0})
    data = sim_calcium(chosen)
    first = data.activity[:, :, : chosen.n_samples // 3] > 0
    assert (first == first[:1]).all()
    alone = sim_calcium(chosen.model_copy(update={"shared_events": 0.0}))
    first = alone.activity[:, :, : chosen.n_samples // 3] > 0
    assert not (first == first[:1]).all()


def test_shuffled_epochs_can_be_laid_over_each_other():
    chosen = SMALL.model_copy(update={"epoch_order": "shuffled", "missing": 0.0, "n_animals": 6})
    data = sim_calcium(chosen)
    orders = np.argsort(data.epochs[:, :, 0], axis=1)
    assert len(np.unique(orders, axis=0)) > 1
    aligned = data.aligned()
    length = aligned.shape[-1] // 3
    for animal in range(6):
        for epoch in range(3):
            start = round(data.epochs[animal, epoch, 0] * 4)
            part = aligned[animal, :, epoch * length : (epoch + 1) * length]
            assert np.array_equal(part, data.traces[animal, :, start : start + length])


def test_transients_rise_fast_and_fall_slowly():
    kernel = transient(3.0, 0.75, 0.01)
    peak = np.argmax(kernel) * 0.01
    assert kernel[0] == 0
    assert kernel.max() == pytest.approx(1, abs=1e-4)
    assert peak == pytest.approx(np.log(3 / 0.75) * 3 * 0.75 / (3 - 0.75), abs=0.01)
    assert kernel[1300] / kernel[1000] == pytest.approx(np.exp(-1), abs=0.01)


def test_traces_are_events_times_transient():
    chosen = SMALL.model_copy(update={"noise": 0.0, "missing": 0.0})
    data = sim_calcium(chosen)
    kernel = transient(3.0, 0.75, 0.25)
    # After the lead-in's memory has decayed, the recorded events explain the trace.
    late = lead_in(chosen)
    expected = np.convolve(data.activity[0, 0], kernel)[: chosen.n_samples]
    assert np.allclose(data.traces[0, 0, late:], expected[late:], atol=0.02)


def test_recordings_do_not_start_from_silence():
    data = sim_calcium(CalciumSimulation(n_animals=20, noise=0.0, missing=0.0, seed=3))
    start, later = data.traces[..., :8].mean(), data.traces[..., 8:].mean()
    assert start > 0.5 * later


def test_bleaching_and_z_scores():
    plain = sim_calcium(SMALL)
    faded = sim_calcium(SMALL.model_copy(update={"bleaching": 0.5}))
    loss = (plain.traces - faded.traces)[plain.presence]
    assert loss[:, 0] == pytest.approx(0, abs=1e-6)
    assert loss[:, -1] == pytest.approx(0.5, abs=0.01)
    scored = sim_calcium(SMALL.model_copy(update={"unit": "zscore"})).traces[plain.presence]
    assert scored.mean(axis=1) == pytest.approx(0, abs=1e-5)
    assert scored.std(axis=1) == pytest.approx(1, abs=1e-5)


def test_partners_share_private_events_and_names():
    chosen = SMALL.model_copy(update={"homologues": 0.8, "missing": 0.0, "n_animals": 8})
    data = sim_calcium(chosen)
    assert neuron_names(chosen)[:3] == ("N01L", "N01R", "N02L")
    assert neuron_names(SMALL)[:2] == ("N01", "N02")
    correlation = np.mean([np.corrcoef(one) for one in data.traces], axis=0)
    partners = correlation[np.arange(0, 20, 2), np.arange(1, 20, 2)]
    others = correlation[np.triu_indices(20, 2)]
    assert partners.mean() > others.mean() + 0.3


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_communities": 10},
        {"gain": (1.4, 0.6)},
        {"rise": 3.0},
        {"n_neurons": 41, "homologues": 0.5},
        {"duration": 30, "sampling_rate": 0.5, "n_epochs": 5},
        {"n_neurons": 4, "n_communities": 1, "community_size": 2, "missing": 0.75},
    ],
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValidationError):
        CalciumSimulation(**wrong)
