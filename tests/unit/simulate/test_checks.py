"""What the generators claim holds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuropipe.simulate import calcium_checks, fmri_checks
from neuropipe.simulate.calcium import sim_calcium
from neuropipe.simulate.fmri import sim_fmri
from neuropipe.simulate.settings import CalciumSimulation, FmriSimulation
from neuropipe.stats.checks import failures


@pytest.mark.slow
@pytest.mark.parametrize(("module", "n_rows"), [(fmri_checks, 18), (calcium_checks, 19)])
def test_every_claim_holds(module, n_rows):
    rows = module.checks()
    assert len(rows) >= n_rows
    assert len({row.name for row in rows}) == len(rows)
    assert failures(rows) == []


def test_a_broken_generator_is_found_out(monkeypatch):
    sound = fmri_checks.sim_fmri

    def noisy(settings, **options):
        return sound(settings.model_copy(update={"snr": settings.snr / 2}), **options)

    monkeypatch.setattr(fmri_checks, "sim_fmri", noisy)
    bad = {row.name for row in failures(fmri_checks._process_checks())}
    assert "fmri: realised SNR / setting" in bad


def test_states_that_jump_about_are_found_out(monkeypatch):
    sound = fmri_checks.sim_fmri

    def jumping(settings, **options):
        data = sound(settings, **options)
        shuffled = np.random.default_rng(0).permuted(data.states, axis=1)
        return replace(data, states=shuffled)

    monkeypatch.setattr(fmri_checks, "sim_fmri", jumping)
    bad = {row.name for row in failures(fmri_checks._process_checks())}
    assert {"fmri: shortest dwell (s)", "fmri: mean dwell (s)"} <= bad


@pytest.mark.filterwarnings("ignore:invalid value")
def test_animals_without_communities_are_found_out(monkeypatch):
    def structureless(settings):
        planted = sim_calcium(settings)
        return replace(sim_calcium(settings, structured=False), partitions=planted.partitions,
                       expressed=planted.expressed)  # fmt: skip

    monkeypatch.setattr(calcium_checks, "sim_calcium", structureless)
    monkeypatch.setattr(calcium_checks, "_SEEDS", range(1))
    bad = {row.name for row in failures(calcium_checks._epoch_checks())}
    assert "calcium: epoch ARI of the oracle, minimum" in bad
    assert "calcium: epoch ARI of the oracle, median" in bad


def test_a_hub_that_drives_nobody_is_found_out(monkeypatch):
    monkeypatch.setattr("neuropipe.simulate.calcium_hub._FOLLOWS", 0.0)
    bad = {row.name for row in failures(calcium_checks._hub_checks())}
    assert "calcium: motif events lost without the hub" in bad
    assert "calcium: seeds in which the hub is in the top 3" in bad


def test_epoch_windows_beat_the_whole_recording():
    data = sim_calcium(CalciumSimulation(epoch_order="shuffled", seed=3))
    oracle, static = calcium_checks.epoch_scores(data)
    assert oracle.shape == static.shape == (3,)
    assert (oracle > static).all()


def test_static_connectivity_is_fishers_z_of_every_pair():
    bold = np.random.default_rng(0).standard_normal((2, 40, 5))
    found = fmri_checks.fc_features(bold)
    assert found.shape == (2, 10)
    for one, series in zip(found, bold, strict=True):
        expected = [np.corrcoef(series[:, i], series[:, j])[0, 1]
                    for i in range(5) for j in range(i + 1, 5)]  # fmt: skip
        assert np.tanh(one) == pytest.approx(expected)


def test_changes_of_state_are_counted_from_the_series():
    settings = FmriSimulation(
        n_subjects=6, duration=600, switching="loadings", y_fc=0.0, y_dyn="rate", snr=50.0
    )
    data = sim_fmri(settings)
    counts = fmri_checks.transition_count(data, settings, 5.0)
    windows = data.states[:, :600].reshape(6, 120, 5)[:, :, 2]
    true = (np.diff(windows, axis=1) != 0).mean(axis=1)
    assert np.corrcoef(counts, true)[0, 1] > 0.9
    assert counts == pytest.approx(true, abs=0.12)


def test_predictors_that_know_more_explain_more():
    settings = FmriSimulation(
        n_subjects=10, n_rois=40, duration=600, repetition_time=15 / 16, y_fc=0,
        switching="loadings", noise="matched",
    )  # fmt: skip
    few = fmri_checks.imputation(settings, 0.8)
    many = fmri_checks.imputation(settings, 0.3)
    for spatial, linear, aware in (few, many):
        assert 0 < spatial <= linear + 0.005 < aware < 1
    assert all(a < b for a, b in zip(few, many, strict=True))


def test_mean_correlation_is_that_of_numpy_where_all_is_there():
    traces = np.random.default_rng(0).standard_normal((1, 5, 50))
    expected = np.corrcoef(traces[0]) - np.eye(5)
    assert np.allclose(calcium_checks.mean_correlation(traces), expected)


def test_mean_correlation_leaves_missing_neurons_out():
    traces = np.random.default_rng(0).standard_normal((3, 4, 50))
    traces[1:, 0] = np.nan
    traces[:, 3] = np.nan
    found = calcium_checks.mean_correlation(traces)
    assert found[0, 1] == pytest.approx(np.corrcoef(traces[0, :2])[0, 1])
    assert (found[3] == 0).all()


def test_auroc_finds_labels_and_respects_groups():
    rng = np.random.default_rng(0)
    labels = np.repeat(rng.permutation([0, 1] * 10), 4)
    own = np.repeat(rng.standard_normal((20, 30)), 4, axis=0)
    own = own + 0.1 * rng.standard_normal((80, 30))
    # Only the group can be recognised: a split through groups looks perfect.
    assert fmri_checks.auroc(10 * own, labels) > 0.85
    assert fmri_checks.auroc(10 * own, labels, np.repeat(np.arange(20), 4)) < 0.75
    assert fmri_checks.auroc(own + labels[:, None], labels) > 0.95
