from __future__ import annotations

import json
import re

import numpy as np
import pytest

from neuropipe.errors import InputError, SettingsError
from neuropipe.fingerprint import imported_modules
from neuropipe.quality.commands import assess, quality
from neuropipe.quality.evaluate import facts
from neuropipe.quality.settings import QualitySettings
from neuropipe.recording import MODALITIES, Recording
from neuropipe.results import Result
from tests.unit.quality import builders

MADE = {
    "fmri": builders.fmri_recording,
    "fmri-bare": lambda: builders.fmri_recording(level=0.0, motion=False),
    "calcium": builders.calcium_recording,
    "calcium-z": lambda: builders.calcium_recording(unit=""),
    "spikes": builders.spikes_recording,
    "spikes-events": lambda: builders.spikes_recording(position=False, events=True),
    "images": builders.images_recording,
    "images-single": lambda: builders.images_recording(n_repeats=1),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quality")
    found = {}
    for name, make in MADE.items():
        make().write(folder / f"{name}.nc")
        quality(folder / f"{name}.nc", "", folder / name)
        found[name] = Result.read(folder / name)
    return found


@pytest.fixture(params=list(MADE))
def result(request, results):
    return results[request.param]


def test_the_fingerprint_sees_the_checks_of_every_modality():
    seen = imported_modules(["quality.commands"])
    assert {f"quality.assess_{modality}" for modality in MODALITIES} <= seen
    assert {make().modality for make in MADE.values()} == set(MODALITIES)


def test_every_number_says_what_it_is(result):
    names = [metric.name for metric in result.metrics]
    assert len(names) == len(set(names)) >= 4
    for metric in result.metrics:
        assert metric.description.endswith(".")
        assert (metric.verdict is not None) <= bool(metric.bounds)
        if metric.value is None:
            assert metric.description.startswith("Not computed")
            assert metric.verdict is None
        elif metric.bounds:
            assert metric.verdict in ("good", "doubtful", "bad")
        if metric.interval is not None:
            assert metric.interval[0] <= metric.value <= metric.interval[1]


def test_methods_cite_exactly_the_references(result):
    cited = set(re.findall(r"\[(\w+)\]", result.methods))
    assert cited == set(result.references)


def test_figures_are_small_and_explained(result):
    assert 1 <= len(result.figures) <= 3
    assert sum(figure.path.stat().st_size for figure in result.figures) < 250_000
    for figure in result.figures:
        assert len(figure.caption) > 100
        assert figure.title


def test_arrays_carry_units(result):
    names = list(result.arrays.data_vars)
    assert len(names) >= 2
    for name in names:
        assert "unit" in result.arrays[name].attrs
        assert result.arrays[name].attrs["description"]


def test_provenance_and_identity(result):
    assert (result.analysis, result.dataset, result.subject) == ("quality", "made", "1")
    assert result.provenance["seed"] == 0
    assert result.provenance["settings"]["fmri"]["tsnr"] == {"good": 50, "bad": 25}
    assert len(result.provenance["inputs"][0]["sha256"]) == 64


def test_fmri_numbers_are_those_planted(results):
    result = results["fmri"]
    assert result.metric("temporal SNR").value == 100
    assert result.metric("frames in motion").value == pytest.approx(2 / 399)
    assert result.metric("mean framewise displacement").value == pytest.approx(0.1 + 3.8 / 399)
    assert result.metric("length").value == 800
    assert result.metric("coverage").value == pytest.approx((np.linspace(0.4, 1, 30) >= 0.5).mean())
    assert result.metric("global signal").value == pytest.approx(1 / np.sqrt(30), rel=0.15)
    assert result.metric("absent units").verdict == "good"
    assert result.warnings == []
    np.testing.assert_array_equal(result.arrays["unit"], [f"u{i}" for i in range(30)])


def test_demeaned_fmri_without_motion_says_so(results):
    result = results["fmri-bare"]
    assert result.metric("temporal SNR").value is None
    assert result.metric("global signal").value is None
    assert "motion is not known" in result.warnings[0]
    assert not any("displacement" in metric.name for metric in result.metrics)
    assert "temporal_snr" not in result.arrays


def test_absent_regions_lower_the_coverage(tmp_path):
    recording = builders.fmri_recording()
    recording.attrs["absent_units"] = [f"lost{i}" for i in range(10)]
    recording.write(tmp_path / "r.nc")
    quality(tmp_path / "r.nc", "", tmp_path / "out")
    result = Result.read(tmp_path / "out")
    assert result.metric("absent units").value == 0.25
    assert result.metric("absent units").verdict == "bad"
    assert result.metric("coverage").n == 40


def test_short_scans_are_doubtful(tmp_path):
    builders.fmri_recording(n_times=100).write(tmp_path / "r.nc")
    quality(tmp_path / "r.nc", "", tmp_path / "out")
    assert Result.read(tmp_path / "out").metric("length").verdict == "doubtful"


def test_calcium_numbers_are_those_planted(results):
    result = results["calcium"]
    # Fifteen transients in 400 s; a few overlap.
    assert result.metric("event rate").value == pytest.approx(15 / 400 * 60, rel=0.25)
    assert result.metric("noise level").value == pytest.approx(
        100 * 0.05 * 0.954 / np.sqrt(10), rel=0.15
    )
    assert 10 < result.metric("signal to noise").value < 25
    assert "noise level" not in [metric.name for metric in results["calcium-z"].metrics]
    np.testing.assert_allclose(result.arrays["noise_sd"], 0.05, rtol=0.15)


def test_spike_numbers_are_those_planted(results):
    result = results["spikes"]
    np.testing.assert_allclose(result.arrays["firing_rate"][6:], 3, rtol=0.15)
    information = result.arrays["spatial_information"].values
    assert information[:6].min() > information[6:].max()
    assert result.metric("spatially tuned units").value >= 0.6
    # Chance falls well below the information, but above zero: spikes are few.
    metric = result.metric("spatial information")
    assert 0 < metric.chance < metric.value
    assert result.figures[-1].name == "rate-maps"
    assert result.arrays["rate_map"].dims == ("unit", "x", "y")


def test_events_part_the_fano_factor_and_no_position_no_maps(results):
    result = results["spikes-events"]
    assert result.metric("Fano factor").n == 10
    assert "across 40 trials of the same type" in result.metric("Fano factor").description
    assert [figure.name for figure in result.figures] == ["activity", "units"]
    assert "spatial" not in result.methods


def test_image_numbers_are_the_analytic_ones(results):
    result = results["images"]
    per_image = np.where(np.arange(250) < 50, 5, 6)
    truth = 1 / (1 + np.mean(1 / per_image))
    assert result.metric("split-half reliability").value == pytest.approx(truth, abs=0.04)
    assert result.metric("noise ceiling").value == pytest.approx(truth, abs=0.04)
    assert result.metric("single-trial signal to noise").value == pytest.approx(1, abs=0.12)
    assert result.metric("images").value == 250


def test_single_responses_are_a_warning_not_a_failure(results):
    result = results["images-single"]
    assert result.metric("split-half reliability").value is None
    assert "one response per image" in result.warnings[0]
    assert [figure.name for figure in result.figures] == ["responses"]


def test_facts_in_reading_order():
    found = facts(builders.fmri_recording())
    assert list(found) == [
        "Species", "Units", "Duration", "Repetition time", "Parcellation", "Task",
        "Age", "Sex",
    ]  # fmt: skip
    assert found["Duration"] == "13 min 20 s"
    assert found["Age"] == "31 years"
    young = builders.fmri_recording()
    for age, words in ((0.5, "6 months"), (3 / 365.25, "3 days")):
        young.participant = {"age": age}
        assert facts(young)["Age"] == words
    images = facts(builders.images_recording())
    assert (images["Stimuli"], images["Repeats"]) == ("250", "up to 6")
    assert "Duration" not in images
    assert facts(builders.calcium_recording())["Sampling rate"] == "10 Hz"


def test_settings_change_the_verdict(tmp_path):
    builders.fmri_recording().write(tmp_path / "r.nc")
    text = json.dumps({"fmri": {"tsnr": {"good": 300, "bad": 200}, "fd_spike": 0.05}})
    quality(tmp_path / "r.nc", text, tmp_path / "out")
    result = Result.read(tmp_path / "out")
    assert result.metric("temporal SNR").verdict == "bad"
    assert result.metric("temporal SNR").bounds == "good from 300, bad below 200"
    assert result.metric("frames in motion").value == 1


def test_the_same_seed_gives_the_same_folder(tmp_path):
    builders.images_recording().write(tmp_path / "r.nc")
    for name in ("a", "b"):
        quality(tmp_path / "r.nc", '{"seed": 3}', tmp_path / name)
    for path in ("metrics.json", "section.json", "figures/reliability.svg"):
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes()


def test_units_in_another_order_give_the_same_metrics(tmp_path):
    recording = builders.calcium_recording()
    order = np.random.default_rng(0).permutation(recording.n_units)
    moved = builders.calcium_recording()
    moved.units = recording.units.iloc[order]
    moved.signals = recording.signals.isel(unit=order)
    for name, made in (("a", recording), ("b", moved)):
        made.write(tmp_path / f"{name}.nc")
        quality(tmp_path / f"{name}.nc", "", tmp_path / name)
    first, second = (Result.read(tmp_path / name) for name in "ab")
    for one, other in zip(first.metrics, second.metrics, strict=True):
        assert one.value == pytest.approx(other.value), one.name


@pytest.mark.parametrize("modality", ["fmri", "calcium"])
def test_recordings_full_of_holes(tmp_path, modality):
    recording = MADE[modality]()
    values = recording.signals.values
    rng = np.random.default_rng(0)
    values[rng.random(values.shape) < 0.1] = np.nan
    values[:, 0], values[:, 1], values[20:40] = np.nan, 3.0, np.nan
    recording.write(tmp_path / "r.nc")
    quality(tmp_path / "r.nc", "", tmp_path / "out")
    result = Result.read(tmp_path / "out")
    missing = result.metric("missing samples")
    assert missing.value == pytest.approx(np.isnan(values).mean())
    assert missing.verdict == "bad"
    for metric in result.metrics:
        assert metric.value is None or np.isfinite(metric.value)


def test_silent_units_and_one_unit(tmp_path):
    recording = builders.spikes_recording(position=False)
    recording.spikes = recording.spikes.isel(spike=recording.spikes["unit_index"].values == 2)
    recording.write(tmp_path / "r.nc")
    quality(tmp_path / "r.nc", "", tmp_path / "out")
    result = Result.read(tmp_path / "out")
    assert result.metric("silent units").value == 0.9
    assert result.warnings == ["9 of 10 units have no spike at all."]


def test_no_spike_at_all(tmp_path):
    recording = builders.spikes_recording()
    recording.spikes = recording.spikes.isel(spike=slice(0, 0))
    recording.write(tmp_path / "r.nc")
    quality(tmp_path / "r.nc", "", tmp_path / "out")
    result = Result.read(tmp_path / "out")
    assert result.metric("spikes").value == 0
    assert result.metric("Fano factor").value is None
    for metric in result.metrics:
        assert metric.value is not None or metric.description.startswith("Not computed: too few")
    assert result.figures == []


def assessed(recording):
    return assess(recording, QualitySettings())


def test_a_recording_of_one_bin_says_nothing_of_presence():
    recording = builders.spikes_recording(position=False)
    keep = recording.spikes["spike_times"].values < 90
    recording.spikes = recording.spikes.isel(spike=keep)
    found = {metric.name: metric for metric in assessed(recording).metrics}
    assert found["presence ratio"].value is None
    assert found["presence ratio"].verdict is None
    assert "shorter than two bins" in found["presence ratio"].description


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        (["a", "b"] * 20, "across 40 trials of the same type"),
        ([f"k{i}" for i in range(40)], "across 40 trials;"),
        (None, "across 40 trials;"),
    ],
)
def test_the_fano_factor_says_across_which_trials(kinds, words):
    recording = builders.spikes_recording(position=False, events=True)
    if kinds is None:
        recording.events = recording.events.drop(columns="trial_type")
    else:
        recording.events["trial_type"] = kinds
    found = assessed(recording)
    fano = next(metric for metric in found.metrics if metric.name == "Fano factor")
    assert words in fano.description
    assert words.partition("40 ")[2].rstrip(";") in found.methods


def test_captions_speak_only_of_what_is_drawn():
    grouped = {figure.name: figure for figure in assessed(builders.fmri_recording()).figures}
    assert "within one group" in grouped["carpet"].caption
    assert "framewise displacement" in grouped["carpet"].caption
    assert "red line at the coverage" in grouped["units"].caption
    bare = builders.fmri_recording(level=0.0, motion=False)
    bare.units = bare.units.drop(columns=["coverage", "hemisphere"])
    alone = {figure.name: figure for figure in assessed(bare).figures}
    assert "group" not in alone["carpet"].caption
    assert "framewise" not in alone["carpet"].caption
    assert alone["units"].title == "Frequencies"
    for word in ("Distributions", "coverage", "temporal SNR"):
        assert word not in alone["units"].caption


def test_long_and_short_durations_and_large_numbers():
    recording = builders.fmri_recording()
    for n_times, words in ((3600, "2 h 0 min"), (10, "20 s"), (100, "3 min 20 s")):
        recording = builders.fmri_recording(n_times=n_times, n_units=2)
        assert facts(recording)["Duration"] == words
    wide = builders.fmri_recording(n_times=4, n_units=12_000)
    assert facts(wide)["Units"] == "12\u202f000 regions"


def test_wrong_input_leaves_nothing(tmp_path):
    with pytest.raises(InputError):
        quality(tmp_path / "missing.nc", "", tmp_path / "out")
    builders.fmri_recording().write(tmp_path / "r.nc")
    with pytest.raises(SettingsError, match="tsnr"):
        quality(tmp_path / "r.nc", '{"fmri": {"tsnr": 5}}', tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert isinstance(Recording.read(tmp_path / "r.nc"), Recording)
