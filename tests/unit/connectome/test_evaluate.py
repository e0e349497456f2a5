"""The numbers say what was planted, and that nothing was where nothing was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from neuropipe.connectome.arrays import group_arrays
from neuropipe.connectome.assembly import assemble, static_reading, tensor_events
from neuropipe.connectome.data import Animals
from neuropipe.connectome.evaluate import (
    recording_arrays,
    recording_facts,
    recording_metrics,
    recording_warnings,
)
from neuropipe.connectome.evaluate_group import group_facts, group_metrics, group_warnings
from neuropipe.connectome.recording import recording_connectome
from neuropipe.connectome.result import GroupConnectome
from neuropipe.results import Result
from tests.unit.connectome.result_builders import fitted, settings


def metrics_of(kind, **changed):
    found = group_metrics(*fitted(kind), settings(**changed))
    return {metric.name: metric for metric in found}


def read_back(kind, folder, place=1):
    animals, fit, found = fitted(kind)
    Result(
        analysis="connectome",
        dataset="toy",
        recording="group",
        arrays=group_arrays(animals, fit, found),
    ).write(folder)
    group = GroupConnectome.read(folder)
    one = recording_connectome(
        group.factors,
        place,
        group.presence,
        group.seconds,
        int(group.lengths[place]),
        group.degree_corrected,
        settings(),
    )
    return group, one


def test_planted_communities_stand_above_shifts():
    found = metrics_of("shared")
    fit, gain = found["affinity explained"], found["gain of communities"]
    assert fit.value > fit.chance
    assert gain.value > 5 * gain.chance
    assert (fit.verdict, gain.verdict) == ("good", "good")
    assert found["motifs"].value >= 1
    others = found["explained by other recordings"]
    assert others.value > others.baseline > others.chance
    assert others.interval[0] < others.value < others.interval[1]
    above = found["explained above one static pattern"]
    assert above.value == pytest.approx(others.value - others.baseline)
    assert above.interval[0] > 0
    halves = found["components of two halves alike"]
    assert halves.value > halves.chance
    warnings = group_warnings(*fitted("shared"), settings())
    assert not any("shifts" in words for words in warnings)


def test_noise_is_said_to_be_noise():
    found = metrics_of("noise")
    assert found["motifs"].value == 0
    assert found["motifs"].baseline >= found["motifs"].value
    assert found["affinity explained"].verdict == "doubtful"
    assert found["gain of communities"].verdict == "doubtful"
    said = " ".join(group_warnings(*fitted("noise"), settings()))
    assert "no motif is reported" in said
    assert "units share no moments" in said
    assert "no better" in said
    assert fitted("noise")[2].silencing.empty


def test_every_metric_says_what_it_is_and_no_value_is_undefined():
    for kind in ("shared", "own", "one", "noise"):
        for metric in metrics_of(kind).values():
            assert metric.description.endswith(".")
            assert metric.value is not None
            assert all(
                np.isfinite(value)
                for value in (metric.value, metric.baseline, metric.chance, metric.interval)
                if isinstance(value, float)
            )


def test_a_given_number_of_shifts_that_is_too_small_gives_no_verdict():
    found = metrics_of("shared", alpha=0.01)
    assert found["affinity explained"].verdict is None
    assert found["motifs"].description
    said = group_warnings(*fitted("shared"), settings(alpha=0.01))
    assert any("Raise n_shifts" in words for words in said)


def test_one_recording_has_no_other():
    found = metrics_of("one")
    assert "explained by other recordings" not in found
    own = found["explained by its components"]
    assert own.value > own.baseline
    assert own.interval is None
    assert any("One subject" in words for words in group_warnings(*fitted("one"), settings()))


def test_recordings_of_a_subject_are_no_independent_observations():
    animals, fit, found = fitted("shared")
    pairs = replace(animals, subjects=["x", "x", "y", "y"])
    metrics = {m.name: m for m in group_metrics(pairs, fit, found, settings())}
    others = metrics["explained by other recordings"]
    assert others.n == 2
    assert others.value == pytest.approx(100 * fit.explained.others.mean())
    assert group_facts(pairs, fit, found)["subjects"] == "2"


def test_wiring_that_follows_affinity_is_recognised():
    animals, fit, found = fitted("shared")
    graph = np.nan_to_num(found.graph)
    wiring = pd.DataFrame(np.round(20 * graph / graph.max()), animals.names, animals.names)
    static = static_reading(animals, wiring, seed=0)
    wired = assemble(animals, fit, static, settings(), wiring)
    metrics = {m.name: m for m in group_metrics(animals, fit, wired, settings())}
    rho = metrics["correlation with wiring"]
    assert rho.value > 0.8
    assert rho.value > rho.baseline
    assert rho.verdict == "good"
    assert abs(rho.chance) < 0.2
    share = metrics["synapses within communities"]
    assert share.value > share.chance


def test_homologues_stand_beside_chance_and_static_communities():
    pairs = metrics_of("shared")["homologous pairs together"]
    animals = fitted("shared")[0]
    assert pairs.n == sum(name != "n/a" for name in animals.units["homologue"]) // 2
    assert 0 < pairs.chance < 100
    assert pairs.baseline_name


def test_events_are_put_on_the_samples_of_the_tensor():
    frames = np.array([2.0, 7.0, 12.0, 17.0])
    events = pd.DataFrame({"trial_type": ["a", "b"], "start": [0, 10], "stop": [10, 20]})
    animals = fitted("shared")[0]
    placed = tensor_events(replace_events(animals, events), frames)
    assert placed[["start", "stop"]].to_numpy().tolist() == [[0, 2], [2, 4]]


def replace_events(animals: Animals, events: pd.DataFrame) -> Animals:
    return replace(animals, events=events)


def test_a_recording_is_read_from_the_dataset(tmp_path):
    group, one = read_back("shared", tmp_path / "out")
    fit = fitted("shared")[1]
    metrics = {m.name: m for m in recording_metrics(group, one, 0)}
    first = metrics["explained by other recordings"]
    assert first.value == pytest.approx(100 * fit.explained.others[1])
    assert first.baseline == pytest.approx(100 * fit.explained.static[1])
    assert first.chance < first.value
    like = metrics["communities like the dataset's"]
    assert like.n == len(one.windows)
    assert like.value > 0.5
    facts = recording_facts(group, one)
    assert facts["neurons"] == f"{one.presence.sum()} of the dataset's 24"
    assert "component" in facts["shows most"]
    assert recording_warnings(group, one) == []
    arrays = recording_arrays(group, one)
    assert arrays["activity"].shape == (len(one.seconds), 2)
    assert np.array_equal(arrays["presence"], one.presence)


def test_a_recording_with_its_own_clock_is_compared_with_no_window(tmp_path):
    group, one = read_back("own", tmp_path / "out")
    names = [m.name for m in recording_metrics(group, one, 0)]
    assert "communities like the dataset's" not in names
    assert names[0] == "explained by other recordings"


def test_a_recording_of_noise_is_said_to_be_one(tmp_path):
    group, one = read_back("noise", tmp_path / "out")
    said = " ".join(recording_warnings(group, one))
    assert "no motif above circular shifts" in said
    few = replace(one, presence=np.arange(24) < 8)
    assert any("8 of the 24 neurons" in words for words in recording_warnings(group, few))


def test_a_lone_recording_shows_its_most_active_component(tmp_path):
    group, one = read_back("one", tmp_path / "out", place=0)
    names = [m.name for m in recording_metrics(group, one, 0)]
    assert "explained by other recordings" not in names
    most = one.activity.mean(axis=0).argmax() + 1
    assert recording_facts(group, one)["shows most"].startswith(f"component {most} of 2")
