"""Pieces of the proof of reconstruction, small; and that its measures can fail."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.brainmae.fit import new_model
from neuropipe.brainmae.heldout import OURS, stacked
from neuropipe.brainmae.imputation import masked_r2
from neuropipe.brainmae.proofs import reconstruction
from neuropipe.brainmae.proofs.cohorts import STEP, Plan, roi_order, runs_of, settings_of
from neuropipe.brainmae.proofs.reconstruction import (
    OtherSegments,
    OwnRoi,
    cosines,
    embedding_checks,
    network_ari,
    reconstruction_checks,
    transfer_checks,
)
from neuropipe.brainmae.reconstruction import Autoregressive
from neuropipe.simulate.fmri import population, sim_fmri
from tests.unit.brainmae.segment_builders import everything, smooth

PLAN = Plan(n_training=8, n_test=3, duration=120.0, n_rois=20, n_steps=4, n_short=4, n_patterns=10)


@pytest.fixture(scope="module")
def cohorts():
    return reconstruction._cohorts(PLAN)


def test_cohorts_hold_different_subjects_in_the_random_order_of_rois(cohorts):
    train, test = cohorts
    assert (len(train.runs), len(test.runs)) == (8, 3)
    bold = sim_fmri(PLAN.simulation(), subjects=[9]).bold[0][:, roi_order(20)]
    expected = (bold - bold.mean(axis=0)) / bold.std(axis=0)
    assert np.allclose(test.values(1), expected, atol=1e-5)
    assert not np.allclose(train.values(0)[:100], test.values(0)[:100], atol=0.1)
    assert sorted(roi_order(20)) == list(range(20)) != list(roi_order(20))


def test_two_repetition_times_join_in_one_cohort():
    fast, slow = (PLAN.simulation(repetition_time=time) for time in (0.75, STEP))
    runs = runs_of((fast, range(2)), (slow, range(2, 3)))
    assert runs.steps.tolist() == [0.75, 0.75, STEP]
    assert [run.n_samples for run in runs.runs] == [160, 160, 128]


def test_settings_keep_what_is_asked_for():
    settings = settings_of(30, model={"variant": "ag"}, pretraining={"batch_size": 2})
    assert settings.pretraining.max_steps == 30
    assert settings.pretraining.batch_size == 2
    assert settings.pretraining.device == "cpu"
    assert settings.model.variant == "ag"


@pytest.mark.parametrize("control", [OwnRoi, OtherSegments])
def test_controls_see_neither_hidden_samples_nor_other_rois(control):
    x = smooth((10, 6, 5, 4)).astype(np.float32)
    visible = np.random.default_rng(0).random(x.shape[:3]) > 0.5
    fitted = control(n_examples=400).fit(x, everything(x))
    found = fitted.predict(x, visible)
    hidden = np.where(visible[..., None], x, 7.0)
    assert np.array_equal(found, fitted.predict(hidden, visible))
    others = x.copy()
    others[:, :, 1:] = 5.0
    assert np.array_equal(found[:, :, 0], fitted.predict(others, visible)[:, :, 0])
    assert np.array_equal(found[visible], x[visible])


def test_the_control_of_other_segments_learns_what_a_roi_tells_of_itself():
    rng = np.random.default_rng(0)
    x = np.zeros((40, 10, 6, 4), dtype=np.float32)
    x += np.cumsum(0.3 * rng.standard_normal((40, 10, 6)), axis=1)[..., None]
    x += 0.1 * rng.standard_normal(x.shape)
    visible = rng.random(x.shape[:3]) > 0.5
    scores = {}
    for control in (OwnRoi(4000), OtherSegments(4000), Autoregressive()):
        fitted = control.fit(x[:30], everything(x[:30]))
        guess = fitted.predict(x[30:], visible[30:])
        scores[control.name] = masked_r2(x[30:], guess, ~visible[30:])
    assert scores["the ROI's other segments"] > 0.5
    assert scores["per-ROI network"] < 0.1 < scores["AR"]


def test_networks_are_found_in_embeddings_that_hold_them_and_only_there():
    networks = population(Plan().simulation()).networks[roi_order(100)]
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((7, 16))
    embedding = centres[networks] + 0.1 * rng.standard_normal((100, 16))
    assert network_ari(embedding, networks) == 1
    assert abs(network_ari(rng.standard_normal((100, 16)), networks)) < 0.1
    similar = cosines(embedding)
    assert np.allclose(np.diag(similar), 1)
    assert np.allclose(similar, cosines(embedding * rng.uniform(1, 3, (100, 1))))


def test_a_fixed_code_by_place_tells_networks_in_atlas_order_but_not_in_random_order(cohorts):
    plan = Plan()
    settings = settings_of(1, model={"variant": "possg"})
    runs = runs_of((plan.simulation(duration=60.0), range(1)))
    code = new_model(runs, settings, 0).embedding.numpy()
    networks = population(plan.simulation()).networks
    assert network_ari(code, networks) > 0.2
    assert abs(network_ari(code, networks[roi_order(100)])) < 0.1


def test_an_untrained_network_fails_the_proof(cohorts):
    train, test = cohorts
    settings = settings_of(PLAN.n_steps)
    model = new_model(train, settings, 0).eval()
    rows = {row.name: row for row in reconstruction_checks(PLAN, train, test, model, settings)}
    assert len(rows) == 9
    assert not rows["T1 masked R2 / Wiener filter's"].passed
    assert not rows["T1 masked R2 above PCA"].passed
    assert rows["T1 control above interpolation and AR: random weights"].passed
    assert OURS in rows["T1 masked R2 / Wiener filter's"].detail
    plain, likeness = embedding_checks(PLAN, model, train, settings)[0:3:2]
    assert not plain.passed
    assert not likeness.passed


def test_transfer_scores_both_trainings_on_the_same_test_subjects(cohorts):
    (row,) = transfer_checks(PLAN, (0.75, 1.0), 1.5)
    assert np.isfinite(row.measured)
    assert "1.5 s from 0.75 and 1 s" in row.name


def test_stacked_segments_need_no_resampling(cohorts):
    _, test = cohorts
    held = stacked(test, settings_of(1))
    first = held.x[0].permute(0, 2, 1).reshape(-1, 20).numpy()
    assert np.allclose(first, test.values(0)[: len(first)], atol=1e-4)
