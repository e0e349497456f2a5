"""Recordings of a subject to patterns: what is joined, what folds are, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.errors import InputError, UnfitRecordingError
from neuropipe.trsa.data import subject_responses
from neuropipe.trsa.estimation.estimators import estimate
from neuropipe.trsa.rdms import vectors
from neuropipe.trsa.settings import TrsaSettings
from tests.unit.trsa.responses.builders import (
    CONDITIONS,
    bold_recording,
    event_table,
    image_recording,
    poisson_trains,
    shuffled_trials,
    spike_recording,
    trace_recording,
)

SETTINGS = TrsaSettings(min_units=2)


def spikes(rates, seed=0, run="", n_repeats=12, labels=None, prefix="unit_"):
    """Units that fire at `rates` (n_conditions, n_units)."""
    rng = np.random.default_rng(seed)
    onsets, drawn = shuffled_trials(n_repeats, 2.0, rng, CONDITIONS[: len(rates)])
    rows = [CONDITIONS.index(name) for name in drawn]
    trains = poisson_trains(rates[rows], onsets, 1.0, rng)
    return spike_recording(trains, event_table(onsets, labels or drawn), run, prefix)


def rates(n_conditions=4, n_units=8, seed=9):
    return np.random.default_rng(seed).uniform(2, 40, (n_conditions, n_units))


def one(recordings, settings=SETTINGS):
    (found,) = subject_responses(recordings, settings)
    return found


def test_trials_of_one_run_are_parted_in_time():
    found = one([spikes(rates(), n_repeats=44)])
    patterns = found.patterns
    assert found.folds == "trials"
    assert (found.name, found.recordings, found.warnings) == ("", ("sub-1",), [])
    assert patterns.values.shape == (6, 4, 8)
    assert patterns.conditions == CONDITIONS
    assert patterns.unit == "spikes/s"
    np.testing.assert_array_equal(patterns.n_trials.sum(axis=0), [44] * 4)
    np.testing.assert_allclose(patterns.mean(), rates(), rtol=0.25, atol=1)
    # Poisson noise: the variance of single trials is the rate.
    variance = np.diag(patterns.noise.covariance())
    np.testing.assert_allclose(variance, rates().mean(axis=0), rtol=0.35)


def test_runs_are_folds_and_units_must_match():
    runs = [spikes(rates(), seed, str(seed)) for seed in (1, 2, 3)]
    found = one(runs)
    assert found.folds == "runs"
    assert found.patterns.folds == ("sub-1_run-1", "sub-1_run-2", "sub-1_run-3")
    np.testing.assert_array_equal(found.patterns.n_trials, np.full((3, 4), 12))
    other = spikes(rates(), 4, "4", prefix="elsewhere_")
    apart = subject_responses([*runs, other], SETTINGS)
    assert [r.name for r in apart] == ["sub-1_run-1", "sub-1_run-4"]
    assert [r.folds for r in apart] == ["runs", "trials"]


def test_sets_of_one_subject_have_names_of_their_own():
    rng = np.random.default_rng(0)
    onsets, labels = shuffled_trials(6, 2.0, rng)
    values = rng.standard_normal((600, 6))

    def traces(session, task, names, prefix="cell_"):
        table = event_table(onsets, [names + x for x in labels])
        return trace_recording(values, 10.0, table, session=session, task=task, prefix=prefix)

    by_session = [traces("a", "x", "", "p_"), traces("b", "x", "", "q_")]
    assert [r.name for r in subject_responses(by_session, SETTINGS)] == ["a", "b"]
    by_task = [traces("a", "x", ""), traces("a", "y", "other ")]
    assert [r.name for r in subject_responses(by_task, SETTINGS)] == ["x", "y"]
    numbered = [traces("a", "x", "", "c"), traces("b", "x", "", "c")]
    assert len(subject_responses(numbered, SETTINGS)) == 2  # c0 of a is not c0 of b


def test_rest_beside_a_task_is_left_out_with_a_word():
    rest = spike_recording([np.arange(0, 50, 0.5)] * 8, None, "rest", "unit_")
    few = spikes(rates(2), 5, "few")
    found = one([rest, spikes(rates(), 1, "1"), few])
    assert found.recordings == ("sub-1_run-1", "sub-1_run-few")  # half of the conditions shared
    assert found.warnings == ["Left out: recording sub-1_run-rest has no events."]
    with pytest.raises(UnfitRecordingError, match="has no events"):
        subject_responses([rest], SETTINGS)
    with pytest.raises(InputError, match="no recordings"):
        subject_responses([], SETTINGS)


def test_planted_geometry_is_recovered_from_one_run_of_bold():
    rng = np.random.default_rng(1)
    onsets, labels = shuffled_trials(12, 5.0, rng)
    betas = 20 * rng.standard_normal((4, 30))
    betas[1] = betas[0]  # cat and dog are alike
    recording = bold_recording(
        betas, onsets, labels, CONDITIONS, noise=1.0, rng=rng, rho=0.4, n_times=135
    )
    found = one([recording])
    assert found.folds == "trials"
    assert found.patterns.values.shape == (6, 4, 30)
    np.testing.assert_array_equal(found.patterns.n_trials, np.full((6, 4), 2))
    rdm = estimate(found.patterns)
    true = vectors(((betas[:, None] - betas[None]) ** 2).sum(axis=-1))
    assert np.corrcoef(rdm.dissimilarities[0], true)[0, 1] > 0.97
    largest = rdm.dissimilarities.max()
    assert abs(rdm.dissimilarities[0, 0]) < 0.05 * largest


def test_folds_of_one_run_do_not_leak_noise():
    """Without any signal the mean crossvalidated dissimilarity is 0, plain ones are not."""
    crossvalidated, plain = [], []
    for seed in range(24):
        rng = np.random.default_rng(seed)
        onsets, labels = shuffled_trials(12, 4.0, rng)
        recording = bold_recording(
            np.zeros((4, 20)), onsets, labels, CONDITIONS, noise=1.0, rng=rng, rho=0.5, n_times=106
        )
        patterns = one([recording]).patterns
        crossvalidated.append(estimate(patterns).dissimilarities.mean())
        plain.append(estimate(patterns, "mahalanobis").dissimilarities.mean())
    error = np.std(crossvalidated, ddof=1) / np.sqrt(24)
    assert abs(np.mean(crossvalidated)) < 2.5 * error
    assert np.mean(plain) > 10 * error


def test_conditions_in_blocks_of_time_are_told():
    """Crossvalidation within a run cannot tell a drift from a difference between blocks."""
    mixed = one([spikes(rates(), n_repeats=6)])
    assert mixed.warnings == []
    sorted_labels = sorted(shuffled_trials(6, 2.0, np.random.default_rng(0))[1])
    blocked = one([spikes(rates(), n_repeats=6, labels=sorted_labels)])
    assert any("a time of its own" in text for text in blocked.warnings)


def test_runs_of_bold_have_one_pattern_each():
    runs = []
    for k in range(3):
        rng = np.random.default_rng(k)
        onsets, labels = shuffled_trials(5, 7.0, rng)
        if k == 1:  # a run without tools
            labels = [x if x != "tool" else "n/a" for x in labels]
        betas = 20 * np.random.default_rng(99).standard_normal((4, 10))
        names = [x for x in CONDITIONS if x in labels]
        kept = [i for i, x in enumerate(labels) if x in names]
        recording = bold_recording(
            betas[[CONDITIONS.index(x) for x in names]], onsets[kept], [labels[i] for i in kept],
            names, noise=1.0, rng=rng, n_times=80, run=f"{k}",
        )  # fmt: skip
        runs.append(recording)
    found = one(runs)
    assert found.folds == "runs"
    np.testing.assert_array_equal(
        found.patterns.present, [[True] * 4, [True, True, True, False], [True] * 4]
    )
    np.testing.assert_array_equal(found.patterns.n_trials[1], [5, 5, 5, 0])
    assert np.isfinite(estimate(found.patterns).dissimilarities).all()


def test_silent_and_gapped_units_are_left_out_with_a_word():
    rng = np.random.default_rng(2)
    onsets, labels = shuffled_trials(8, 2.0, rng)
    values = rng.standard_normal((700, 6)).astype(np.float32)
    values[:, 1] = np.nan
    values[:, 4] = 0.0
    found = one([trace_recording(values, 10.0, event_table(onsets, labels))])
    assert found.patterns.channels == ("u0", "u2", "u3", "u5")
    assert list(found.units.index) == ["u0", "u2", "u3", "u5"]
    assert found.warnings == [
        "1 of 6 units were left out because a response is missing.",
        "1 units without any noise were left out.",
    ]
    assert np.isfinite(estimate(found.patterns).dissimilarities).all()


def test_repeats_of_images_are_folds():
    rng = np.random.default_rng(3)
    signal = 3 * rng.standard_normal((20, 7))
    values = signal + rng.standard_normal((9, 20, 7))
    values[5:, :4] = np.nan  # four images have five repeats
    found = one([image_recording(values, columns={"kind": ["face", "place"] * 10})])
    patterns = found.patterns
    assert found.folds == "repeats"
    assert patterns.values.shape == (6, 20, 7)
    assert patterns.conditions == tuple(sorted(f"image{k}" for k in range(20)))
    first = patterns.conditions.index("image0")
    assert patterns.n_trials[:, first].sum() == 5
    assert patterns.n_trials[:, patterns.conditions.index("image7")].sum() == 9
    weights = patterns.n_trials[:, first][:, None]
    pattern = np.nansum(patterns.values[:, first] * weights, axis=0) / 5
    np.testing.assert_allclose(pattern, values[:5, 0].mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(patterns.mean()[first], values[:5, 0].mean(axis=0), atol=1e-5)
    rdm = estimate(patterns)
    true = vectors(((signal[:, None] - signal[None]) ** 2).sum(axis=-1)[np.ix_(*[
        [int(name.removeprefix("image")) for name in patterns.conditions]] * 2)])  # fmt: skip
    assert np.corrcoef(rdm.dissimilarities[0], true)[0, 1] > 0.95
    assert list(found.conditions) == ["path", "kind"]
    assert found.conditions.loc["image3", "kind"] == "place"


def test_single_presentations_are_said_to_lack_noise():
    values = np.random.default_rng(4).standard_normal((1, 20, 7))
    found = one([image_recording(values)])
    assert found.patterns.values.shape == (1, 20, 7)
    assert found.patterns.noise is None
    assert any("not whitened" in text for text in found.warnings)


def test_many_conditions_are_thinned_by_name():
    values = np.random.default_rng(5).standard_normal((2, 30, 5))
    settings = TrsaSettings(min_units=2, max_conditions=10)
    found, again = (one([image_recording(values)], settings) for _ in range(2))
    assert len(found.patterns.conditions) == 10
    assert found.patterns.conditions == again.patterns.conditions
    assert found.warnings == ["10 of 30 conditions were drawn (max_conditions)."]


def test_a_film_is_cut_into_stretches():
    rng = np.random.default_rng(6)
    film = np.repeat(rng.standard_normal((8, 5)), 5, axis=0)  # 8 stretches of 0.5 s at 10 Hz
    values = np.zeros((200, 5))
    for start in (10, 60, 110, 155):
        values[start : start + 40] = film + 0.1 * rng.standard_normal((40, 5))
    events = event_table([1.0, 6.0, 11.0, 15.5], ["film"] * 4, 4.0)
    settings = TrsaSettings(min_units=2, responses={"bin_width": 0.5})
    found = one([trace_recording(values, 10.0, events)], settings)
    assert found.patterns.values.shape == (4, 8, 5)
    assert list(found.conditions["time"]) == [0.25 + 0.5 * k for k in range(8)]
    assert set(found.conditions["event"]) == {"film"}
    np.testing.assert_allclose(found.patterns.mean(), film[::5], atol=0.2)
    rdm = estimate(found.patterns).matrices[0]
    true = ((film[::5, None] - film[None, ::5]) ** 2).sum(axis=-1)
    assert np.corrcoef(vectors(rdm), vectors(true))[0, 1] > 0.9


def test_what_is_known_of_conditions():
    onsets, labels = shuffled_trials(6, 2.0, np.random.default_rng(0))
    alive = [x in ("cat", "dog") for x in labels]
    reaction = np.random.default_rng(1).uniform(0.3, 1, len(labels))
    trains = poisson_trains(
        rates()[[CONDITIONS.index(x) for x in labels]], onsets, 1.0, np.random.default_rng(2)
    )
    events = event_table(onsets, labels, alive=alive, reaction_time=reaction)
    table = one([spike_recording(trains, events)]).conditions
    assert list(table) == ["alive"]  # reaction times differ from trial to trial
    assert dict(table["alive"]) == {"cat": True, "dog": True, "house": False, "tool": False}


def test_regions():
    found = one([spikes(rates(n_units=12))])
    assert {k: list(v) for k, v in found.regions(SETTINGS).items()} == {
        "V1": [0, 1, 2, 3, 4, 5], "V2": [6, 7, 8, 9, 10, 11],
    }  # fmt: skip
    assert found.regions(TrsaSettings(region="none")) == {}
    assert found.regions(TrsaSettings(min_units=7)) == {}
    with pytest.raises(UnfitRecordingError, match="no column 'area'; expected one of region"):
        found.regions(TrsaSettings(region="area"))


@pytest.mark.parametrize(
    ("labels", "settings", "said"),
    [
        (["cat"] * 48, SETTINGS, "sub-1 has 1 condition (cat); expected at least 4"),
        (["rest"] * 48, SETTINGS, "names a condition"),
        (None, TrsaSettings(min_units=20), "8 usable units of 8"),
        (None, TrsaSettings(responses={"condition": "shape"}), "no column 'shape'"),
        (None, TrsaSettings(responses={"exclude": ["cat"]}), "has 3 conditions (dog, house, tool)"),
    ],
)
def test_too_little_is_refused_in_one_line(labels, settings, said):
    with pytest.raises(UnfitRecordingError) as caught:
        subject_responses([spikes(rates(), labels=labels)], settings)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_recording_that_ends_too_early_is_refused():
    rng = np.random.default_rng(7)
    onsets, labels = shuffled_trials(8, 7.0, rng)
    events = event_table(onsets, labels)
    short = trace_recording(rng.standard_normal((6, 5)), 0.5, events, modality="fmri")
    with pytest.raises(UnfitRecordingError, match="sub-1 has 1 condition in the time that was"):
        subject_responses([short], SETTINGS)
    # Only the first trials of two conditions were recorded.
    cut = trace_recording(rng.standard_normal((int(onsets[2] * 10), 5)), 10.0, events)
    with pytest.raises(UnfitRecordingError, match="sub-1 has 2 conditions in the time"):
        subject_responses([cut], SETTINGS)
