"""RDMs about every unit, and over time: where and when planted differences are found."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from neuropipe.errors import InputError, SettingsError
from neuropipe.settings import parse_settings
from neuropipe.trsa.data import subject_responses
from neuropipe.trsa.estimation.estimators import estimate
from neuropipe.trsa.fit import fit_subject
from neuropipe.trsa.maps import course, places
from neuropipe.trsa.rdms import RDMs
from neuropipe.trsa.settings import TrsaSettings
from tests.unit.trsa.responses.builders import (
    CONDITIONS,
    event_table,
    poisson_trains,
    shuffled_trials,
    spike_recording,
)

MODEL = RDMs(
    np.array([[0.0, 1, 1, 1, 1, 0]]), CONDITIONS, "model", pd.DataFrame({"name": ["pairs"]})
)


def spikes(told: np.ndarray, late: bool = False):
    """Units (True in `told`) that tell two pairs of conditions apart, on a line 1 mm apart.

    With `late` they do so in the second half of the trial alone.
    """
    rng = np.random.default_rng(3)
    onsets, labels = shuffled_trials(16, 3.0, rng)
    pair = np.array([CONDITIONS.index(name) // 2 for name in labels])
    rates = np.where(told[None], np.where(pair[:, None] == np.arange(len(told)) % 2, 60.0, 5.0), 20)
    halves = [
        poisson_trains(np.full_like(rates, 20) if late else rates, onsets, 0.5, rng),
        poisson_trains(rates, onsets + 0.5, 0.5, rng),
    ]
    trains = [np.sort(np.concatenate(parts)) for parts in zip(*halves, strict=True)]
    recording = spike_recording(trains, event_table(onsets, labels))
    recording.units["x"] = 0.001 * np.arange(len(told))
    recording.units["y"] = 0.0
    return recording


def responses_of(recording, settings):
    (found,) = subject_responses([recording], settings)
    return found


def test_differences_are_found_where_they_are():
    told = np.arange(24) >= 16
    settings = TrsaSettings(searchlight=0.0025, min_units=2)
    found = places(responses_of(spikes(told), settings), "crossnobis", MODEL, settings)
    assert found is not None
    assert list(found.centres["unit"]) == [f"u{k}" for k in range(24)]
    np.testing.assert_array_equal(found.centres["n_units"], [3, 4, *[5] * 20, 4, 3])
    mean = found.centres["dissimilarity"].to_numpy()
    assert mean[18:].min() > 10 * np.abs(mean[:14]).max()
    assert abs(mean[:14].mean()) < 0.05
    assert found.scores[18:].min() > 0.5
    assert abs(found.scores[:14].mean()) < 0.4


def test_a_neighbourhood_is_that_of_all_its_units():
    """With a radius beyond all units every centre has the RDM of all of them."""
    settings = TrsaSettings(searchlight=1.0, min_units=2)
    responses = responses_of(spikes(np.ones(8, dtype=bool)), settings)
    found = places(responses, "crossnobis", None, settings)
    assert found is not None
    whole = estimate(responses.patterns, "crossnobis").dissimilarities[0]
    np.testing.assert_allclose(found.centres["dissimilarity"], whole.mean(), rtol=1e-6)
    assert found.scores.shape == (8, 0)


def test_units_without_positions_are_refused():
    recording = spikes(np.ones(8, dtype=bool))
    del recording.units["x"]
    settings = TrsaSettings(searchlight=0.01, min_units=2)
    with pytest.raises(InputError, match=r"without positions.*searchlight: null"):
        places(responses_of(recording, settings), "crossnobis", None, settings)


def windowed(step=0.25):
    return TrsaSettings(responses={"window": (0.0, 1.0), "time_step": step}, min_units=2)


def test_differences_are_found_when_they_are():
    settings = windowed()
    recording = spikes(np.ones(12, dtype=bool), late=True)
    responses = responses_of(recording, settings)
    whole = estimate(responses.patterns, "crossnobis")
    found = course([recording], responses, "crossnobis", whole, MODEL, settings)
    assert found is not None
    np.testing.assert_allclose(found.rdms.table["time"], [0.125, 0.375, 0.625, 0.875])
    mean = found.rdms.dissimilarities.mean(axis=1)
    assert mean[2:].min() > 20 * np.abs(mean[:2]).max()
    assert found.scores[2:].min() > 0.5
    assert found.to_whole[2:].min() > 0.5


def test_one_window_of_the_whole_length_is_the_whole():
    settings = windowed(1.0)
    recording = spikes(np.ones(12, dtype=bool))
    responses = responses_of(recording, settings)
    whole = estimate(responses.patterns, "crossnobis")
    found = course([recording], responses, "crossnobis", whole, None, settings)
    assert found is not None
    np.testing.assert_allclose(found.rdms.dissimilarities, whole.dissimilarities, rtol=1e-9)


def test_a_step_needs_a_window():
    with pytest.raises(SettingsError, match="time_step needs a window"):
        parse_settings(TrsaSettings, '{"responses": {"time_step": 0.1}}', "trsa settings")


def test_a_subject_has_maps_where_they_are_asked_for():
    recording = spikes(np.ones(12, dtype=bool))
    plain = {"n_bootstrap": 50, "n_permutations": 99, "topology": {"n_null": 19}, "min_units": 2}
    (without,) = fit_subject([recording], TrsaSettings(**plain))
    assert without.places is None
    assert without.course is None
    settings = TrsaSettings(
        searchlight=0.002, responses={"window": (0, 1), "time_step": 0.5}, **plain
    )
    (found,) = fit_subject([recording], settings)
    assert found.places is not None
    assert found.course is not None
    assert len(found.course.rdms) == 2
    np.testing.assert_array_equal(found.rdms.dissimilarities, without.rdms.dissimilarities)
