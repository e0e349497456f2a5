"""RDMs over time are those of every time alone."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.errors import InputError, SettingsError, UnfitRecordingError
from neuropipe.trsa.estimation import movie as module
from neuropipe.trsa.estimation.estimators import MEASURES, estimate
from neuropipe.trsa.estimation.movie import movie
from neuropipe.trsa.noise import Noise
from neuropipe.trsa.patterns import Patterns

NAMES = tuple("abcde")
TIMES = np.linspace(-0.1, 0.3, 9)


def draw(seed=0, n_folds=3):
    rng = np.random.default_rng(seed)
    signal = rng.standard_normal((5, 8, 1)) * np.linspace(0, 2, 9)
    return np.abs(signal + rng.standard_normal((n_folds, 5, 8, 9)))


def noise_of(n_channels=8):
    return Noise.of_residuals(np.random.default_rng(7).standard_normal((50, n_channels)))


def at(values, time, noise=None):
    here = values[..., time]
    present = np.isfinite(here).any(axis=2).astype(int)
    shape = here.shape
    return Patterns(
        here,
        NAMES,
        tuple(map(str, range(shape[2]))),
        tuple(map(str, range(shape[0]))),
        present,
        noise,
    )


@pytest.mark.parametrize("most", [1, 1 << 24])
@pytest.mark.parametrize("measure", MEASURES)
def test_every_time_is_estimated_as_alone(measure, most, monkeypatch):
    monkeypatch.setattr(module, "_MOST", most)
    values, noise = draw(), noise_of()
    found = movie(values, TIMES, NAMES, measure, noise=noise)
    assert found.table["time"].tolist() == TIMES.tolist()
    assert (found.measure, found.conditions) == (measure, NAMES)
    for k in range(9):
        expected = estimate(at(values, k, noise), measure).dissimilarities[0]
        np.testing.assert_allclose(found.dissimilarities[k], expected, atol=1e-12)


def test_parity_with_rsatoolbox():
    toolbox = pytest.importorskip("rsatoolbox")
    values = draw()
    data = toolbox.data.TemporalDataset(
        values.reshape(15, 8, 9),
        obs_descriptors={"conds": list(NAMES) * 3, "runs": np.repeat([0, 1, 2], 5)},
        time_descriptors={"time": TIMES},
    )
    expected = toolbox.rdm.calc_rdm_movie(
        data, method="crossnobis", descriptor="conds", cv_descriptor="runs"
    )
    found = movie(values, TIMES, NAMES)
    np.testing.assert_allclose(found.dissimilarities, expected.dissimilarities, atol=1e-11)


def test_the_signal_grows_with_time():
    found = movie(draw(n_folds=6), TIMES, NAMES).dissimilarities.mean(axis=1)
    assert found[-1] > found[0] + 0.5


def test_folds_may_lack_conditions():
    values = draw()
    values[1, 2] = np.nan
    found = movie(values, TIMES, NAMES)
    expected = estimate(at(values, 4)).dissimilarities[0]
    np.testing.assert_allclose(found.dissimilarities[4], expected, atol=1e-12)


def test_a_channel_that_misses_one_time_is_left_out_at_all():
    values, noise = draw(), noise_of()
    gappy = values.copy()
    gappy[0, 1, 3, 6] = np.nan
    kept = np.delete(np.arange(8), 3)
    found = movie(gappy, TIMES, NAMES, noise=noise)
    expected = movie(values[:, :, kept], TIMES, NAMES, noise=noise.of_channels(kept))
    np.testing.assert_allclose(found.dissimilarities, expected.dissimilarities, atol=1e-12)


def test_silent_channels_are_left_out():
    values = draw()
    residuals = np.random.default_rng(7).standard_normal((50, 8))
    residuals[:, 2] = 1.0
    kept = np.delete(np.arange(8), 2)
    found = movie(values, TIMES, NAMES, noise=Noise.of_residuals(residuals))
    alone = Noise.of_residuals(residuals[:, kept])
    expected = movie(values[:, :, kept], TIMES, NAMES, noise=alone)
    np.testing.assert_allclose(found.dissimilarities, expected.dissimilarities, atol=1e-12)


def test_trials_weigh_the_mean_over_folds():
    values = draw(n_folds=2)
    n_trials = np.array([[1] * 5, [4] * 5])
    found = movie(values, TIMES, NAMES, "euclidean", n_trials=n_trials)
    mean = (values[0] + 4 * values[1]) / 5
    assert found.matrices[3, 0, 1] == pytest.approx(((mean[0] - mean[1]) ** 2).mean(axis=0)[3])


def test_what_does_not_fit_is_refused():
    values = draw()
    with pytest.raises(InputError, match="order the axes"):
        movie(values, TIMES[1:], NAMES)
    with pytest.raises(InputError, match="order the axes"):
        movie(values, TIMES, NAMES[1:])
    with pytest.raises(InputError, match="count every pattern"):
        movie(values, TIMES, NAMES, n_trials=np.ones((5, 3), int))
    with pytest.raises(SettingsError, match="measure"):
        movie(values, TIMES, NAMES, "cityblock")
    with pytest.raises(UnfitRecordingError, match="noise covariance"):
        movie(values, TIMES, NAMES, "mahalanobis")
    with pytest.raises(UnfitRecordingError, match="1 fold"):
        movie(values[:1], TIMES, NAMES)
    values[:, 0] = np.nan
    with pytest.raises(UnfitRecordingError, match="1 conditions in no fold"):
        movie(values, TIMES, NAMES)
