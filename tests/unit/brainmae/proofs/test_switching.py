"""Oracles of switching states, and the scores of a network beside them."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.brainmae.fit import new_model
from neuropipe.brainmae.heldout import OURS, stacked
from neuropipe.brainmae.imputation import evaluation_masks, masked_r2
from neuropipe.brainmae.proofs import switching
from neuropipe.brainmae.proofs.cohorts import Plan, settings_of
from neuropipe.brainmae.proofs.switching import (
    Cohort,
    Oracle,
    checks,
    difference_interval,
    gap_closed,
    scores,
    state_accuracy,
    switching_checks,
)
from neuropipe.brainmae.reconstruction import pooled_r2
from neuropipe.simulate.fmri_oracle import conditional_mean

PLAN = Plan(n_training=10, n_test=6, duration=480.0, n_rois=30)
SETTINGS = settings_of(3)


@pytest.fixture(scope="module")
def cohort():
    simulation = PLAN.simulation(switching="loadings", noise="matched", n_subjects=16)
    return Cohort.drawn(simulation, SETTINGS)


@pytest.fixture(scope="module")
def model(cohort):
    return new_model(cohort.runs, SETTINGS, 0).eval()


def test_states_of_segments_are_those_of_their_samples(cohort):
    assert cohort.states.shape == (16, 32)
    assert set(np.unique(cohort.states)) <= {-1, 0, 1, 2, 3, 4}
    assert 0.2 < (cohort.states >= 0).mean() < 0.8
    part = cohort.select(range(3, 5))
    assert np.array_equal(part.states, cohort.states[3:5])
    assert np.array_equal(part.runs.values(0), cohort.runs.values(3))


def test_scored_segments_are_pure_and_few(cohort):
    few = cohort.pure(4)
    assert (cohort.states[few] >= 0).all()
    assert (few.sum(axis=1) == np.minimum(4, (cohort.states >= 0).sum(axis=1))).all()
    assert np.array_equal(cohort.pure(99), cohort.states >= 0)


def test_oracle_is_the_conditional_mean_and_the_state_is_worth_knowing(cohort):
    x = stacked(cohort.runs, SETTINGS).x.numpy()
    scored = cohort.pure(4)
    visible = evaluation_masks(*x.shape[:3], 0.5, 0)
    oracle = Oracle(cohort, x.shape[3])
    found = oracle.predictions(x, visible, scored)
    run, segment = np.argwhere(scored)[3]
    seen, sd = visible[run, segment], cohort.runs.runs[run].sd[:, None]
    flat = (x[run, segment] * sd).reshape(1, -1)
    entries = np.repeat(seen, x.shape[3])
    for name, covariance in (
        ("linear, true covariance", oracle.average),
        ("state-aware oracle", oracle.covariances[cohort.states[run, segment]]),
    ):
        expected = conditional_mean(covariance, entries, flat).reshape(-1, x.shape[3])
        assert np.allclose(found[name][run, segment, ~seen], expected / sd[~seen], atol=1e-4)
    hidden = ~visible & scored[..., None]
    linear, aware, blind = (masked_r2(x, guess, hidden) for guess in found.values())
    assert linear < blind <= aware + 0.02
    assert aware - linear > 0.05


def test_rois_of_the_oracle_are_in_the_order_of_the_runs(cohort):
    oracle = Oracle(cohort, 16)
    entries = np.arange(30) * 16
    spatial = oracle.average[np.ix_(entries, entries)]
    seen = np.cov(np.concatenate([cohort.runs.values(i) for i in range(16)]).T)
    expected = spatial / np.sqrt(np.outer(np.diag(spatial), np.diag(spatial)))
    apart = ~np.eye(30, dtype=bool)
    assert np.corrcoef(seen[apart], expected[apart])[0, 1] > 0.8


def test_all_predictors_are_scored_on_the_same_entries(cohort, model):
    train, test = cohort.select(range(10)), cohort.select(range(10, 16))
    table = scores(model, train, test, SETTINGS, 3)
    by_ratio = table.groupby(["ratio", "run"])
    assert (by_ratio["sst"].nunique() == 1).all()
    assert (by_ratio["predictor"].nunique() == 6).all()
    r2 = pooled_r2(table).droplevel("segments")[0.8]
    assert r2["state-aware oracle"] > r2["linear, true covariance"] > r2[OURS]
    rows = table[table["ratio"] == 0.8]
    low, high = difference_interval(rows, "Wiener")
    assert low < r2[OURS] - r2["Wiener"] < high < 0
    low, high = difference_interval(rows, OURS)
    assert low == high == 0


def test_gap_closed_runs_from_the_linear_predictor_to_the_oracle():
    r2 = {"state-aware oracle": 0.5, "linear": 0.3, OURS: 0.35}
    assert gap_closed(r2, "linear") == pytest.approx(0.25)
    assert gap_closed({**r2, OURS: 0.5}, "linear") == 1


def test_states_are_decoded_from_connectivity_but_not_from_an_untrained_network(cohort, model):
    train, test = cohort.select(range(10)), cohort.select(range(10, 16))
    accuracy = state_accuracy(model, train, test, SETTINGS)
    assert list(accuracy) == [
        "read-outs",
        "latent states",
        "FC of 15 s",
        "FC of 30 s",
        "FC of 45 s",
    ]
    assert accuracy["FC of 15 s"] > 0.5 > accuracy["read-outs"]


def test_an_untrained_network_fails_and_the_short_form_measures_nothing(monkeypatch):
    assert checks() == []
    few = Plan(n_training=6, n_test=3, duration=120.0, n_rois=20)
    better, closed, _ = switching_checks(few, SETTINGS, n_scored=2)
    assert not better.passed
    assert not closed.passed
    asked = []
    monkeypatch.setattr(switching, "switching_checks", lambda *a: asked.append(a) or [])
    checks(full=True)
    assert asked[0][0] == Plan()
