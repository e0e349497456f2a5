"""Covariances and conditional means of simulated fMRI."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from neuropipe.simulate.fmri import sim_fmri
from neuropipe.simulate.fmri_oracle import (
    conditional_mean,
    masked_r2,
    segment_covariance,
    spatial_covariance,
    state_likelihood,
)
from neuropipe.simulate.settings import FmriSimulation

STILL = FmriSimulation(
    n_subjects=150, n_rois=20, duration=120, repetition_time=1.0, switching="none", y_fc=0,
    family_size=1,
)  # fmt: skip


@pytest.mark.parametrize("noise", ["ar1", "matched"])
def test_segment_covariance_is_that_of_many_subjects(noise):
    settings = STILL.model_copy(update={"noise": noise})
    data = sim_fmri(settings)
    expected = segment_covariance(settings, data.population, data.times[:4])
    segments = data.bold.reshape(150, 30, 4, 20).transpose(0, 1, 3, 2).reshape(-1, 80)
    measured = segments.T.astype(float) @ segments / len(segments)
    assert np.abs(measured - expected).max() < 0.25
    assert np.corrcoef(measured.ravel(), expected.ravel())[0, 1] > 0.99


def test_covariance_of_one_subject_uses_its_loadings():
    settings = STILL.model_copy(update={"duration": 3000, "n_subjects": 1, "subject_loading": 0.5})
    data = sim_fmri(settings)
    own = spatial_covariance(settings, data.population, loadings=data.loadings[0])
    anyone = spatial_covariance(settings, data.population)
    measured = np.cov(data.bold[0].T)
    assert np.abs(measured - own).mean() < 0.5 * np.abs(measured - anyone).mean()


def test_average_over_states_is_the_mean_of_the_states():
    settings = FmriSimulation(n_rois=20, switching="loadings", y_fc=0)
    shared = sim_fmri(settings, subjects=[0]).population
    times = np.arange(3.0)
    each = [segment_covariance(settings, shared, times, state=k) for k in range(5)]
    assert np.allclose(segment_covariance(settings, shared, times), np.mean(each, axis=0))
    assert np.linalg.eigvalsh(each[0]).min() > 0


def test_conditional_mean_is_least_squares():
    rng = np.random.default_rng(0)
    values = rng.standard_normal((500, 6)) @ rng.standard_normal((6, 6))
    visible = np.array([True, True, False, True, False, True])
    model = LinearRegression(fit_intercept=False).fit(values[:, visible], values[:, ~visible])
    ours = conditional_mean(values.T @ values, visible, values)
    assert np.allclose(ours, model.predict(values[:, visible]))


def test_masked_r2_of_nothing_is_zero_and_of_the_truth_one():
    truth = np.random.default_rng(0).standard_normal((5, 4))
    assert masked_r2(truth, truth) == 1
    assert masked_r2(truth, np.zeros_like(truth)) == 0


def test_the_likeliest_covariance_is_the_one_drawn_from():
    rng = np.random.default_rng(0)
    covariances = np.stack([np.eye(4), np.eye(4) + 0.8 * (1 - np.eye(4))])
    segments = np.stack(
        [rng.multivariate_normal(np.zeros(4), covariances[k % 2], size=60) for k in range(20)]
    )
    found = state_likelihood(covariances, segments).argmax(axis=1)
    assert found.tolist() == [k % 2 for k in range(20)]
