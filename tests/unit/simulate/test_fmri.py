"""Simulated fMRI: what is true of the arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from neuropipe.simulate.fmri import block_onsets, participants, population, sim_fmri
from neuropipe.simulate.settings import FmriSimulation

SMALL = FmriSimulation(n_subjects=3, n_rois=30, duration=80, repetition_time=1.6)


def test_the_same_seed_gives_the_same_arrays():
    one, two = sim_fmri(SMALL), sim_fmri(SMALL)
    assert np.array_equal(one.bold, two.bold)
    assert np.array_equal(one.states, two.states)
    other = sim_fmri(SMALL.model_copy(update={"seed": 1}))
    assert not np.isclose(one.bold, other.bold).all()


def test_a_subject_is_the_same_whoever_else_is_simulated():
    alone, all_three = sim_fmri(SMALL, subjects=[2]), sim_fmri(SMALL)
    assert np.array_equal(alone.bold[0], all_three.bold[2])
    assert alone.participants["participant_id"].tolist() == ["sub-03"]


def test_runs_share_loadings_and_nothing_else():
    one, two = sim_fmri(SMALL), sim_fmri(SMALL, run=1)
    assert np.array_equal(one.loadings, two.loadings)
    overlap = [
        np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(one.bold, two.bold, strict=True)
    ]
    assert np.abs(overlap).max() < 0.3


@settings(max_examples=15, deadline=None)
@given(
    st.integers(20, 60),
    st.sampled_from([0.72, 1.0, 1.6]),
    st.sampled_from(["none", "covariance", "loadings"]),
    st.sampled_from(["ar1", "matched"]),
    st.integers(0, 2),
    st.integers(2, 6),
    st.integers(0, 99),
)
def test_any_settings_give_finite_series(n_rois, step, switching, noise, blocks, n_states, seed):
    chosen = FmriSimulation(
        n_subjects=2, n_rois=n_rois, duration=130, repetition_time=step, switching=switching,
        noise=noise, n_blocks=blocks, n_states=n_states, seed=seed,
    )  # fmt: skip
    data = sim_fmri(chosen)
    assert data.bold.shape == (2, chosen.n_volumes, n_rois)
    assert data.bold.dtype == np.float32
    assert np.isfinite(data.bold).all()
    assert data.states.max() < (1 if switching == "none" else n_states)
    assert (data.regressor.max() > 0) == (blocks > 0)
    assert len(data.times) == chosen.n_volumes


@pytest.mark.parametrize("snr", [0.25, 4.0])
@pytest.mark.parametrize("noise", ["ar1", "matched"])
def test_the_noise_is_as_strong_as_asked(snr, noise):
    update = {"n_subjects": 20, "duration": 400, "snr": snr, "noise": noise, "y_fc": 0.0}
    data = sim_fmri(SMALL.model_copy(update=update))
    assert data.signal_to_noise.mean() == pytest.approx(snr, rel=0.15)


def test_covariances_are_correlations_and_signs_turn_in_two_states_of_five():
    shared = population(FmriSimulation(switching="loadings"))
    for matrix in shared.covariances:
        assert np.diag(matrix) == pytest.approx(np.ones(7))
        assert np.linalg.eigvalsh(matrix).min() > 0
    assert set(np.unique(shared.signs)) == {-1, 1}
    assert ((shared.signs < 0).sum(axis=0) == 2).all()
    for part in np.unique(shared.subnetworks):
        members = shared.signs[:, shared.subnetworks == part]
        assert (members == members[:, :1]).all()


def test_mixing_gives_each_states_covariance():
    shared = population(FmriSimulation(switching="loadings"))
    mixing = shared.mixing(shared.loadings)
    loadings = shared.signs[:, :, None] * shared.loadings
    expected = loadings @ shared.covariances @ loadings.transpose(0, 2, 1)
    assert np.allclose(mixing @ mixing.transpose(0, 2, 1), expected)


def test_labels_are_balanced_and_families_share_theirs():
    table = participants(FmriSimulation(n_subjects=40, family_size=4))
    for name in ("y_fc", "y_dyn", "y_block", "y_permuted", "y_family"):
        assert table[name].sum() == 20
    assert (table.groupby("family_id")["y_family"].nunique() == 1).all()
    assert table["family_id"].nunique() == 10
    assert table["participant_id"].is_unique


def test_siblings_have_alike_loadings():
    chosen = FmriSimulation(n_subjects=8, family_size=2, family_share=0.8, duration=60)
    data = sim_fmri(chosen)
    deviation = (data.loadings - data.population.loadings).reshape(8, -1)
    alike = np.corrcoef(deviation)
    assert alike[0, 1] == pytest.approx(0.8, abs=0.06)
    assert abs(alike[1, 2]) < 0.15
    assert deviation.std() == pytest.approx(0.15, abs=0.01)


def test_label_y_fc_changes_correlations_and_not_variances():
    chosen = FmriSimulation(
        n_subjects=60, duration=300, y_fc=1.0, switching="none", subject_loading=0, family_size=1
    )
    data = sim_fmri(chosen)
    pattern = data.population.edge_pattern
    members = np.flatnonzero(pattern)
    label = data.participants["y_fc"].to_numpy()
    sign = np.sign(np.outer(pattern[members], pattern[members]))
    off = ~np.eye(len(members), dtype=bool)
    series = data.bold[:, :, members]
    edges = np.array([(np.corrcoef(one.T) * sign)[off].mean() for one in series])
    assert edges[label == 1].mean() - edges[label == 0].mean() > 0.15
    variance = series.var(axis=1).mean(axis=1)
    ratio = variance[label == 1].mean() / variance[label == 0].mean()
    assert ratio == pytest.approx(1, abs=0.1)


def test_task_blocks_stand_apart_within_the_run():
    chosen = FmriSimulation(duration=600, n_blocks=4)
    onsets = block_onsets(chosen)
    assert np.allclose(onsets % 15, 0)
    assert (np.diff(onsets) >= 60).all()
    assert onsets[0] >= 0
    assert onsets[-1] + chosen.block_duration <= 600
    assert block_onsets(FmriSimulation()).size == 0


def test_amplitude_zero_turns_a_label_off():
    shared = population(SMALL.model_copy(update={"y_fc": 0.0, "y_block": 0.0}))
    assert not shared.edge_pattern.any()
    assert not shared.block_difference.any()
    assert population(SMALL).edge_pattern.any()


@pytest.mark.parametrize(
    "wrong",
    [
        {"dwell": (45, 15)},
        {"y_dyn": "rate", "switching": "none"},
        {"n_blocks": 4, "duration": 200},
        {"duration": 25, "repetition_time": 2.5},
        {"n_rois": 10},
        {"unknown": 1},
    ],
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValidationError):
        FmriSimulation(**wrong)


def test_another_repetition_time_samples_the_same_brain():
    chosen = SMALL.model_copy(update={"snr": 1000.0, "y_fc": 0.0, "duration": 304})
    slow = sim_fmri(chosen)
    fast = sim_fmri(chosen.model_copy(update={"repetition_time": 0.8}))
    assert np.array_equal(fast.states[:, ::2], slow.states)
    assert np.corrcoef(fast.bold[:, ::2].ravel(), slow.bold.ravel())[0, 1] > 0.998
