"""The circuit with a hub, and its knock-outs."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.simulate.calcium_hub import silencing_effects, sim_hub, wiring
from neuropipe.simulate.settings import CalciumSimulation

SETTINGS = CalciumSimulation(design="hub", n_animals=4, missing=0.0)


def test_the_hub_is_a_member_of_the_motif_it_drives():
    circuit, data = wiring(SETTINGS), sim_hub(SETTINGS)
    assert circuit.partition[circuit.hub] == 0
    assert (circuit.partition == 0).sum() == SETTINGS.community_size
    assert data.drivers.tolist() == [circuit.hub, -1, -1, -1]
    assert np.array_equal(data.partitions, circuit.partition[None])
    assert (np.diag(circuit.coupling) == 0).all()


def test_members_follow_the_hub_in_the_next_sample():
    circuit, data = wiring(SETTINGS), sim_hub(SETTINGS)
    fired = data.activity > 0
    after = fired[:, circuit.hub, :-1]
    members = np.flatnonzero((circuit.partition == 0) & (np.arange(60) != circuit.hub))
    chance = np.mean([fired[:, k, 1:][after].mean() for k in members])
    assert chance == pytest.approx(0.67, abs=0.05)
    others = np.flatnonzero(circuit.partition == -1)
    assert np.mean([fired[:, k, 1:][after].mean() for k in others]) < 0.15


def test_silencing_removes_only_what_a_neuron_caused():
    circuit, full = wiring(SETTINGS), sim_hub(SETTINGS)
    without = sim_hub(SETTINGS, silence=circuit.hub)
    assert not without.activity[:, circuit.hub].any()
    assert ((without.activity > 0) <= (full.activity > 0)).all()
    other_motifs = circuit.partition > 0
    kept = (without.activity[:, other_motifs] > 0).sum() / (
        full.activity[:, other_motifs] > 0
    ).sum()
    assert kept > 0.97


def test_the_true_effects_single_the_hub_out():
    effects, circuit = silencing_effects(SETTINGS), wiring(SETTINGS)
    assert effects.shape == (60, 4)
    assert effects[:, 0].argmax() == circuit.hub
    assert effects[circuit.hub, 0] > 0.4
    assert np.delete(effects[:, 0], circuit.hub).max() < 0.1
    assert (effects >= -1e-12).all()


def test_the_same_seed_gives_the_same_run():
    assert np.array_equal(sim_hub(SETTINGS).traces, sim_hub(SETTINGS).traces)
