"""Recordings and results that are corrupt, foreign or unfit, through the commands."""

from __future__ import annotations

import json
import shutil

import h5py
import numpy as np
import pytest
import xarray as xr

from neuropipe.recording import Recording, signals_array, text_table
from tests.malformed import neuropipe, refused
from tests.unit.quality.builders import calcium_recording, fmri_recording
from tests.unit.report.fakes import CARD, quality

COMMANDS = {"quality": ["quality"], "connectivity": ["connectivity", "recording"]}


def _commanded(command, recording, output):
    return [*COMMANDS[command], recording, "--output", output]


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """Bytes of a recording that every command accepts."""
    path = tmp_path_factory.mktemp("sound") / "made.nc"
    fmri_recording(n_times=120, n_units=6).write(path)
    return path.read_bytes()


def _in(change):
    """Change the file with h5py."""

    def spoil(path):
        with h5py.File(path, "r+") as file:
            change(file)

    return spoil


def _cut(share):
    return lambda path: path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])


def _foreign(path):
    xr.Dataset({"air": ("time", np.arange(9.0))}).to_netcdf(path, engine="h5netcdf")


def _no_group(name):
    return _in(lambda f: f.__delitem__(name))


def _attr(name, value):
    return _in(lambda f: f.attrs.__setitem__(name, value))


def _signals(change):
    def spoil(file):
        values = file["signals/signals"][:]
        file["signals/signals"][...] = change(values)

    return _in(spoil)


RECORDINGS = {
    "zero bytes": (lambda p: p.write_bytes(b""), "made.nc"),
    "text": (lambda p: p.write_text("not netCDF"), "made.nc"),
    "half": (_cut(0.5), "made.nc"),
    "without its end": (_cut(0.97), "made.nc"),
    "a few bytes": (_cut(0.002), "made.nc"),
    "classic netCDF": (lambda p: p.write_bytes(b"CDF\x01" + bytes(28)), "made.nc"),
    "a foreign netCDF": (_foreign, "format"),
    "another format": (_attr("format", "neuropipe-recording-0"), "neuropipe-recording-0"),
    "no dataset": (_in(lambda f: f.attrs.__delitem__("dataset")), "dataset"),
    "a dataset that climbs": (_attr("dataset", "../x"), "'../x'"),
    "a subject that climbs": (_attr("subject", "../x"), "'../x'"),
    "a subject that is a number": (_attr("subject", 1), "subject"),
    "an unknown modality": (_attr("modality", "eeg"), "'eeg'"),
    "sources that are no JSON": (_attr("sources", "{"), "made.nc"),
    "history that is a number": (_attr("history", "7"), "history"),
    "attrs that are a list": (_attr("attrs", "[]"), "attrs"),
    "participant that is a list": (_attr("participant", "[1]"), "participant"),
    "software nested 10^5 deep": (_attr("software", "[" * 50_000), "made.nc"),
    "no units": (_no_group("units"), "units"),
    "no signals": (_no_group("signals"), "signals"),
    "signals without values": (_no_group("signals/signals"), "signals"),
    "units without their columns": (_in(lambda f: f["units"].attrs.__delitem__("columns")),
                                    "columns"),
    "columns of units that do not exist": (
        _in(lambda f: f["units"].attrs.__setitem__("columns", '["nowhere"]')), "nowhere"),
    "columns of units that are text": (
        _in(lambda f: f["units"].attrs.__setitem__("columns", '"ab"')), "made.nc"),
    "no sampling rate": (_in(lambda f: [f[n].attrs.__delitem__("sampling_rate")
                                        for n in ("signals", "signals/signals")]),
                         "sampling_rate"),
    "sampling rate 0": (_in(lambda f: f["signals"].attrs.__setitem__("sampling_rate", 0.0)),
                        "sampling_rate"),
    "sampling rate of text": (_in(lambda f: f["signals"].attrs.__setitem__("sampling_rate", "2")),
                              "sampling_rate"),
    "another sampling rate than its times": (
        _in(lambda f: f["signals"].attrs.__setitem__("sampling_rate", 7.0)), "sampling_rate"),
    "infinite signals": (_signals(lambda v: v * np.inf), "infinite"),
    "signals of NaN": (_signals(lambda v: v * np.nan), "NaN"),
    "an external link": (_in(lambda f: f.__setitem__("away", h5py.ExternalLink("/etc/x", "/x"))),
                         "made.nc"),
}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", RECORDINGS)
def test_recordings_that_are_none(name, command, tmp_path, sound):
    path = tmp_path / "made.nc"
    path.write_bytes(sound)
    spoil, fragment = RECORDINGS[name]
    spoil(path)
    refused(tmp_path, [fragment], *_commanded(command, path, tmp_path / "out"))


@pytest.mark.parametrize("command", COMMANDS)
def test_recordings_that_are_no_file(command, tmp_path):
    arguments = _commanded(command, tmp_path / "made.nc", tmp_path / "out")
    refused(tmp_path, ["made.nc"], *arguments)
    (tmp_path / "made.nc").symlink_to("made.nc")
    refused(tmp_path, ["made.nc"], *arguments)
    (tmp_path / "made.nc").unlink()
    (tmp_path / "made.nc").mkdir()
    refused(tmp_path, ["made.nc"], *arguments)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("settings", "fragment"),
    [
        ("{", "JSON"),
        ("[]", "settings"),
        ('{"seed": NaN, "seeds": [NaN]}', "seed"),
        ('{"unknown": 1}', "unknown"),
        ("[" * 100_000, "settings"),
    ],
)
def test_settings(command, settings, fragment, tmp_path, sound):
    (tmp_path / "made.nc").write_bytes(sound)
    arguments = _commanded(command, tmp_path / "made.nc", tmp_path / "out")
    refused(tmp_path, [fragment], *arguments, "--settings", settings)


@pytest.mark.parametrize("command", COMMANDS)
def test_an_output_that_holds_other_things(command, tmp_path, sound):
    (tmp_path / "made.nc").write_bytes(sound)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("x")
    refused(tmp_path, ["home"], *_commanded(command, tmp_path / "made.nc", tmp_path / "home"))
    refused(tmp_path, ["made.nc"], *_commanded(command, tmp_path / "made.nc", tmp_path / "made.nc"))


def _traces(values):
    units = text_table(_units(values.shape[1]), "unit")
    return Recording(
        dataset="made", recording="r", subject="1", modality="calcium", units=units,
        signals=signals_array(values, 10.0, units.index),
    )  # fmt: skip


def _units(n):
    import pandas as pd

    return pd.DataFrame(index=[f"u{k}" for k in range(n)])


def _noise(*shape):
    return np.random.default_rng(0).standard_normal(shape)


def _gaps():
    values = _noise(400, 40)
    values[np.random.default_rng(1).random((400, 40)) < 0.07] = np.nan
    return values


UNFIT = {
    "one unit": (_noise(400, 1), "1 usable units"),
    "two units": (_noise(400, 2), "2 usable units"),
    "three samples": (_noise(3, 10), "3 complete frames"),
    "all units constant": (np.ones((400, 10)), "0 usable units"),
    "all but one unit constant": (
        np.where(np.arange(10) == 3, _noise(400, 10), 5.0), "1 usable units"),
    "every unit misses frames": (np.where(_noise(400, 10) > 0.5, np.nan, _noise(400, 10)),
                                 "usable units"),
    "no frame is complete": (_gaps(), "complete frames"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNFIT)
def test_recordings_unfit_for_connectivity(name, tmp_path):
    values, fragment = UNFIT[name]
    _traces(values).write(tmp_path / "made.nc")
    arguments = _commanded("connectivity", tmp_path / "made.nc", tmp_path / "out")
    refused(tmp_path, ["recording r", fragment], *arguments)


@pytest.mark.parametrize("name", UNFIT)
def test_quality_says_what_it_can_of_poor_recordings(name, tmp_path):
    """Poor data are what quality is for: a result, or a refusal in one line; never a traceback."""
    _traces(UNFIT[name][0]).write(tmp_path / "made.nc")
    run = neuropipe(*_commanded("quality", tmp_path / "made.nc", tmp_path / "out"))
    assert run.status in (0, 2)
    assert run.error.count("\n") == (1 if run.status else 0)
    assert (tmp_path / "out" / "metrics.json").is_file() == (run.status == 0)


def test_spikes_and_images_have_no_connectivity(tmp_path):
    recording = calcium_recording()
    recording.modality, recording.signals = "images", None
    from neuropipe.recording import responses_array

    recording.responses = responses_array(_noise(2, 5, 12), recording.units.index)
    recording.stimuli = text_table(_units(5), "stimulus")
    recording.write(tmp_path / "made.nc")
    arguments = _commanded("connectivity", tmp_path / "made.nc", tmp_path / "out")
    refused(tmp_path, ["images", "no signals"], *arguments)


@pytest.fixture
def result(tmp_path):
    """A sound result folder of subject 01."""
    folder = tmp_path / "results" / "quality" / "sub-01_task-rest"
    quality("01", "sub-01_task-rest").write(folder)
    return folder


def _json(name, change):
    def spoil(folder):
        data = json.loads((folder / name).read_text())
        found = change(data)
        (folder / name).write_text(json.dumps(data if found is None else found))

    return spoil


def _metric(name, value):
    return _json("metrics.json", lambda d: d[0].__setitem__(name, value))


def _section(name, value):
    return _json("section.json", lambda d: d.__setitem__(name, value))


RESULTS = {
    "no metrics": (lambda f: (f / "metrics.json").unlink(), "metrics.json"),
    "no section": (lambda f: (f / "section.json").unlink(), "section.json"),
    "no provenance": (lambda f: (f / "provenance.json").unlink(), "provenance.json"),
    "no figure": (lambda f: next((f / "figures").iterdir()).unlink(), "figures"),
    "empty": (lambda f: [shutil.rmtree(f), f.mkdir()], "sub-01_task-rest"),
    "metrics cut short": (lambda f: _cut(0.5)(f / "metrics.json"), "sub-01_task-rest"),
    "metrics not UTF-8": (lambda f: (f / "metrics.json").write_bytes(b"\xff"), "sub-01_task-rest"),
    "metrics that are an object": (_json("metrics.json", lambda d: {"a": 1}), "sub-01_task-rest"),
    "metrics that are numbers": (_json("metrics.json", lambda d: [1, 2]), "sub-01_task-rest"),
    "metrics nested 10^5 deep": (
        lambda f: (f / "metrics.json").write_text("[" * 100_000), "sub-01_task-rest"),
    "an unknown field of a metric": (_metric("colour", 1), "colour"),
    "a metric without name": (_json("metrics.json", lambda d: d[0].pop("name") and None), "name"),
    "a value that is text": (_metric("value", "high"), "'high'"),
    "a value that is not finite": (_metric("value", float("nan")), "nan"),
    "an interval of one number": (_metric("interval", [1.0]), "interval"),
    "an unknown verdict": (_metric("verdict", "splendid"), "splendid"),
    "a section that is a list": (_json("section.json", lambda d: [1]), "sub-01_task-rest"),
    "warnings that are text": (_section("warnings", "none"), "warnings"),
    "facts that are a list": (_section("facts", ["a"]), "facts"),
    "an unknown key in the section": (_section("colour", "x"), "colour"),
    "a figure that climbs": (
        _json("section.json", lambda d: d["figures"][0].__setitem__("name", "../../x")), "../../x"),
    "a figure without caption": (
        _json("section.json", lambda d: d["figures"][0].pop("caption") and None), "caption"),
    "another dataset": (_section("dataset", "other"), "other"),
    "another subject": (_section("subject", "02"), "02"),
    "provenance that is a list": (_json("provenance.json", lambda d: [1]), "provenance"),
}  # fmt: skip


@pytest.mark.parametrize("name", RESULTS)
def test_results_that_are_broken(name, tmp_path, result):
    spoil, fragment = RESULTS[name]
    spoil(result)
    refused(tmp_path, [fragment], "report", "subject", "01", result, "--dataset", CARD,
            "--output", tmp_path / "page.html")  # fmt: skip


@pytest.mark.parametrize(
    ("card", "fragment"),
    [("{", "dataset"), ("{}", "name"), (CARD.replace('"rest"', '"../x"', 1), "../x"),
     (CARD.replace("}", ', "x": 1}'), "x")],
)  # fmt: skip
def test_cards(card, fragment, tmp_path, result):
    refused(tmp_path, [fragment], "report", "subject", "01", result, "--dataset", card,
            "--output", tmp_path / "page.html")  # fmt: skip


def test_subjects_and_folders_that_do_not_exist(tmp_path, result):
    page = ["--dataset", CARD, "--output", tmp_path / "page.html"]
    refused(tmp_path, ["'../x'"], "report", "subject", "../x", result, *page)
    refused(tmp_path, ["nowhere"], "report", "subject", "01", tmp_path / "nowhere", *page)
    page[3] = result / "metrics.json" / "page.html"
    refused(tmp_path, ["metrics.json"], "report", "subject", "01", result, *page)


def test_pages_that_are_no_index(tmp_path):
    page = tmp_path / "index.html"
    for content in ("", "<html>", '<script type="application/json" id="np-summary">{</script>',
                    '<script type="application/json" id="np-summary">[]</script>'):  # fmt: skip
        page.write_text(content)
        refused(tmp_path, ["index.html"], "report", "home", page, "--output", tmp_path / "h.html")
    page.unlink()
    refused(tmp_path, ["index.html"], "report", "home", page, "--output", tmp_path / "h.html")


@pytest.fixture
def cohort(tmp_path, sound):
    """Recordings of two subjects, their lock, and the command over both."""
    from neuropipe.manifest import LockedFile, LockedRecording, write_lock

    folder = tmp_path / "recordings"
    folder.mkdir()
    names = ("sub-1_task-rest", "sub-2_task-rest")
    for name in names:
        recording = fmri_recording(n_times=120, n_units=6, seed=int(name[4]))
        recording.recording, recording.subject = name, name[4]
        recording.write(folder / f"{name}.nc")
    files = (LockedFile("data", "x.nii.gz"),)
    locked = [LockedRecording(name, name[4], "", "rest", "", files) for name in names]
    write_lock(tmp_path / "made.tsv", locked)
    return ["connectivity", "group", "made", "--lock", tmp_path / "made.tsv", "--recordings",
            folder, "--output", tmp_path / "out"]  # fmt: skip


def _second(tmp_path):
    return tmp_path / "recordings" / "sub-2_task-rest.nc"


def _lone(recording, values):
    recording.units = recording.units.iloc[: values.shape[1]]
    recording.signals = signals_array(values, 0.5, recording.units.index)
    return recording


GROUPS = {
    "one recording is missing": (lambda p: _second(p).unlink(), "sub-2_task-rest"),
    "one recording is cut short": (lambda p: _cut(0.5)(_second(p)), "sub-2_task-rest.nc"),
    "one recording is foreign": (lambda p: _foreign(_second(p)), "sub-2_task-rest.nc"),
    "one recording is of another dataset": (
        lambda p: _attr("dataset", "other")(_second(p)), "sub-2_task-rest"),
    "one recording is another one's": (
        lambda p: shutil.copy(p / "recordings" / "sub-1_task-rest.nc", _second(p)),
        "sub-2_task-rest"),
    "no folder": (lambda p: shutil.rmtree(p / "recordings"), "recordings"),
    "no lock": (lambda p: (p / "made.tsv").unlink(), "made.tsv"),
}  # fmt: skip


@pytest.mark.parametrize("name", GROUPS)
def test_groups(name, tmp_path, cohort):
    spoil, fragment = GROUPS[name]
    spoil(tmp_path)
    refused(tmp_path, [fragment], *cohort)


@pytest.mark.parametrize(
    ("settings", "fragment"),
    [('{"targets": "age"}', "targets"), ('{"min_subjects": 1}', "min_subjects"),
     ('{"kinds": []}', "kinds"), ('{"confounds": ["age", 1]}', "confounds")],
)  # fmt: skip
def test_settings_of_groups(settings, fragment, tmp_path, cohort):
    refused(tmp_path, [fragment], *cohort, "--settings", settings)


def test_an_index_names_broken_results_and_refuses_broken_folders(tmp_path, result):
    from neuropipe.manifest import LockedFile, LockedRecording, write_lock

    files = (LockedFile("data", "x.nii.gz"),)
    locked = [LockedRecording("sub-01_task-rest", "01", "", "rest", "", files)]
    write_lock(tmp_path / "rest.tsv", locked)
    _cut(0.5)(result / "metrics.json")
    command = ["report", "index", tmp_path / "results", "--dataset", CARD, "--lock",
               tmp_path / "rest.tsv", "--output", tmp_path / "index.html"]  # fmt: skip
    run = neuropipe(*command)
    assert (run.status, run.error) == (0, "")
    assert "sub-01_task-rest" in (tmp_path / "index.html").read_text()
    (tmp_path / "index.html").unlink()
    command[2] = tmp_path / "nowhere"
    refused(tmp_path, ["nowhere"], *command)
    (tmp_path / "nowhere").write_text("x")
    refused(tmp_path, ["nowhere"], *command)
