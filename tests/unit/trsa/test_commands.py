"""`neuropipe trsa`: whole result folders that say what they hold, or one line and nothing."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from neuropipe.errors import ResultError
from neuropipe.results import GROUP, Result
from neuropipe.trsa.arrays import read_stored, subject_arrays
from neuropipe.trsa.fit import fit_subject
from neuropipe.trsa.rdms import square
from neuropipe.trsa.text import REFERENCES
from tests.malformed import assert_refused, files_below, neuropipe, refused
from tests.unit.trsa.responses.builders import event_table, spike_recording
from tests.unit.trsa.subjects import FAST, locked, settings, spikes

TEXT = json.dumps(FAST)


def rest(subject="1"):
    return replace(spikes(subject=subject), events=None)


def subject_arguments(lock, output, *more, subject="1", settings=TEXT):
    return ["trsa", "subject", subject, "--dataset", "toy", "--lock", lock, "--recordings",
            lock.parent, "--output", output, "--settings", settings, *more]  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Results of a subject with two runs, of another, and of a third who rested."""
    folder = tmp_path_factory.mktemp("study")
    found = [spikes(k, run=str(k), kind=True) for k in (1, 2)]
    lock = locked([*found, rest("3")], folder / "recordings")
    for subject in "13":
        run = neuropipe(
            *subject_arguments(lock, folder / f"sub-{subject}", "--optional", subject=subject)
        )
        assert (run.status, run.error) == (0, "")
    second = subject_arrays(fit_subject([spikes(3, subject="2")], settings()), "rho-a")
    Result(
        analysis="trsa", dataset="toy", recording="sub-2", subject="2", arrays=second
    ).write(folder / "sub-2")  # fmt: skip
    return folder


def test_a_subject_to_its_result_folder(study):
    result = Result.read(study / "sub-1")
    assert (result.analysis, result.dataset, result.recording, result.subject) == (
        "trsa", "toy", "sub-1", "1",
    )  # fmt: skip
    assert result.title == "Representational geometry and topology"
    assert result.facts["patterns"] == "4 conditions x 8 units in 2 regions"
    assert result.facts["folds"].startswith("2 runs")
    assert result.metric("conditions told apart").verdict == "good"
    assert set(result.references) <= set(REFERENCES)
    assert {"Kriegeskorte2008", "Walther2016", "Schafer2005"} <= set(result.references)
    inputs = [entry["path"] for entry in result.provenance["inputs"]]
    assert [path.rsplit("/", 1)[1] for path in inputs] == [
        "lock.tsv", "sub-1_run-1.nc", "sub-1_run-2.nc",
    ]  # fmt: skip
    assert result.provenance["seed"] == 0
    assert result.provenance["settings"]["n_bootstrap"] == 50
    assert [figure.path.is_file() for figure in result.figures] == [True] * len(result.figures)
    assert read_stored(study / "sub-1")[0].rdms.table["region"].tolist() == [
        "all units",
        "V1",
        "V2",
    ]


def test_who_rested_gets_a_result_that_says_so(study):
    result = Result.read(study / "sub-3")
    assert result.metrics == result.figures == []
    (said,) = result.warnings
    assert said.startswith("Not made: recording sub-3 has no events; expected ")
    assert said.endswith(".")
    assert read_stored(study / "sub-3") == []


def test_without_optional_it_is_an_error(study, tmp_path):
    lock = study / "recordings" / "lock.tsv"
    run = neuropipe(*subject_arguments(lock, tmp_path / "out", subject="3"))
    assert_refused(run, ["recording sub-3 has no events", "analyses: {trsa: false}"])
    assert not list(tmp_path.iterdir())


def test_a_dataset_to_its_result_folder(study):
    folders = [study / f"sub-{k}" for k in "123"]
    run = neuropipe("trsa", "group", "toy", *folders, "--output", study / "group",
                    "--settings", TEXT)  # fmt: skip
    assert (run.status, run.error) == (0, "")
    result = Result.read(study / "group")
    assert (result.recording, result.subject, result.dataset) == (GROUP, "", "toy")
    assert result.facts["RDMs"] == "6, from 2 subjects"
    assert result.metric("subjects agree: V1").n == 2
    assert {"Nili2014", "Lin2024", "Holm1979"} <= set(result.references)
    inputs = [entry["path"] for entry in result.provenance["inputs"]]
    assert inputs == [str(folder / "result.nc") for folder in folders]
    names = [figure.name for figure in result.figures]
    assert names == ["trsa-group-rdms", "trsa-families", "trsa-grid", "trsa-regions",
                     "trsa-group-models"]  # fmt: skip


def test_a_dataset_of_which_one_took_part_is_refused_or_says_so(study, tmp_path):
    arguments = ["trsa", "group", "toy", study / "sub-1", study / "sub-3", "--settings", TEXT]
    refused(tmp_path, ["no two subjects share"], *arguments, "--output", tmp_path / "out")
    run = neuropipe(*arguments, "--output", tmp_path / "out", "--optional")
    assert (run.status, run.error) == (0, "")
    result = Result.read(tmp_path / "out")
    (said,) = result.warnings
    assert said.startswith("Not made: no two subjects share")
    with pytest.raises(ResultError):
        read_stored(tmp_path / "out")  # a group is no subject


# ---------------------------------------------------------------- what is refused

BARE = spikes()
ALIKE = spike_recording(BARE.spike_trains(), event_table([1.0, 3.0], ["cat", "cat"]))


@pytest.mark.parametrize(
    ("recording", "changed", "said"),
    [
        (rest(), {}, ["sub-1 has no events"]),
        (ALIKE, {}, ["has 1 condition (cat)", "at least 4"]),
        (BARE, {"min_units": 9}, ["8 usable units of 8", "at least 9 (min_units)"]),
        (BARE, {"region": "area"}, ["no column 'area'", "one of region", "trsa.region"]),
        (BARE, {"responses": {"condition": "shape"}}, ["no column 'shape'"]),
        (BARE, {"n_bootstrap": 2}, ["trsa settings of toy: n_bootstrap", "50"]),
        (BARE, {"measure": "cosine"}, ["measure"]),
        (BARE, {"shrinkage": 1.5}, ["shrinkage is a share in [0, 1]"]),
        (BARE, {"responses": {"window": [1, 0]}}, ["the first before the second"]),
        (BARE, {"responses": {"time_step": 0.1}}, ["time_step needs a window"]),
        (BARE, {"min_conditions": 9, "max_conditions": 8}, ["min_conditions is above"]),
        (BARE, {"topology": {"n_null": 2}}, ["n_null"]),
        (BARE, {"model": []}, ["model"]),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_line_and_leaves_nothing(recording, changed, said, tmp_path):
    lock = locked([recording], tmp_path / "recordings")
    text = json.dumps({**FAST, **changed})
    refused(tmp_path, said, *subject_arguments(lock, tmp_path / "out", settings=text))


def test_wrong_names_and_files_are_one_line_and_leave_nothing(study, tmp_path):
    lock = study / "recordings" / "lock.tsv"
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    pd.DataFrame(square(np.ones(3)), ["cat", "dog", "x"], ["cat", "dog", "x"]).to_csv(
        tmp_path / "partial.csv"
    )
    cases = [
        (subject_arguments(lock, tmp_path / "out", subject="9"), ["subject '9'"]),
        (subject_arguments(tmp_path / "no.tsv", tmp_path / "out"), ["no.tsv"]),
        (subject_arguments(lock, tmp_path / "out", settings="{"), ["JSON"]),
        (subject_arguments(lock, tmp_path / "out", "--model", tmp_path / "none.npy"),
         ["none.npy is not there"]),
        (subject_arguments(lock, tmp_path / "out", "--model", tmp_path / "bad.csv"), ["bad.csv"]),
        (subject_arguments(lock, tmp_path / "out", "--model", tmp_path / "partial.csv"),
         ["lacks 2 of 4 conditions (house, ...)"]),
        (["trsa", "group", "toy", tmp_path / "x", "--output", tmp_path / "out"], ["x"]),
    ]  # fmt: skip
    for arguments, said in cases:
        refused(tmp_path, said, *arguments)
    moved = locked([spikes()], tmp_path / "recordings")
    (tmp_path / "recordings" / "sub-1.nc").unlink()
    refused(tmp_path, ["sub-1.nc"], *subject_arguments(moved, tmp_path / "out"))


# ---------------------------------------------------------------- RDMs that users bring

NAMES = ["cat", "dog", "house", "tool", "tree"]


@pytest.fixture
def own(tmp_path):
    """Six RDMs of three subjects in two regions, in three files, with tables and a model."""
    rng = np.random.default_rng(0)
    shared = rng.random((2, 10))
    values = (shared[None] + 0.1 * rng.random((3, 2, 10))).reshape(6, 10)
    np.savez(tmp_path / "first.npz", rdms=square(values[:3]), conditions=NAMES)
    for k in (3, 4):
        pd.DataFrame(square(values[k]), NAMES, NAMES).to_csv(tmp_path / f"{k}.csv")
    last = xr.Dataset({"dissimilarity": (("rdm", "pair"), values[5:])}, {"condition": NAMES})
    last.to_netcdf(tmp_path / "last.nc", engine="h5netcdf")
    items = pd.DataFrame({"subject": [1, 1, 2, 2, 3, 3], "region": ["V1", "V2"] * 3})
    items.to_csv(tmp_path / "items.tsv", sep="\t", index=False)
    kinds = pd.DataFrame({"condition": NAMES[::-1], "alive": ["yes", "no", "no", "yes", "yes"]})
    kinds.to_csv(tmp_path / "conditions.csv", index=False)
    np.save(tmp_path / "mine.npy", square(shared[0]))
    return tmp_path


FILES = ("first.npz", "3.csv", "4.csv", "last.nc")


def rdms_arguments(own, *more, files=FILES, **options):
    given = {"items": "items.tsv", "conditions": "conditions.csv", "model": "mine.npy", **options}
    return ["trsa", "rdms", *(own / name for name in files), "--output", own / "out",
            *(part for name, file in given.items() if file for part in (f"--{name}", own / file)),
            "--settings", TEXT, *more]  # fmt: skip


def test_rdms_of_several_files_with_tables_and_a_model(own):
    run = neuropipe(*rdms_arguments(own))
    assert (run.status, run.error) == (0, "")
    result = Result.read(own / "out")
    assert (result.dataset, result.recording) == ("rdms", GROUP)
    assert result.facts["RDMs"] == "6, from 3 subjects"
    assert result.facts["regions"] == "V1, V2"
    assert all(result.facts.values())
    assert result.metric("model mine: V1").value > 0.9
    assert result.metric("regions identified: rank RDM").value == 100.0
    assert result.arrays["condition"].values.tolist() == NAMES
    assert result.arrays["model"].values.tolist() == ["alive", "mine"]
    # yes: cat, dog, tree
    alive = result.arrays["model_dissimilarity"].values[0]
    assert alive.tolist() == [0, 1, 1, 0, 1, 1, 0, 0, 1, 1]
    inputs = [entry["path"].rsplit("/", 1)[1] for entry in result.provenance["inputs"]]
    assert inputs == [*FILES, "mine.npy", "items.tsv", "conditions.csv"]


def test_without_tables_every_rdm_is_a_subject(own):
    arguments = rdms_arguments(own, files=FILES[:1], items="", conditions="", model="")
    assert neuropipe(*arguments).status == 0
    result = Result.read(own / "out")
    assert result.facts["RDMs"] == "3, from 3 subjects"
    assert [metric.name for metric in result.metrics] == ["subjects agree: all units"]


def test_rdms_that_do_not_fit_are_one_line_and_leave_nothing(own):
    (own / "few.tsv").write_text("subject\n1\n2\n")
    (own / "unknown.csv").write_text("condition,size\n" + "".join(f"{n},1\n" for n in "abcde"))
    pd.DataFrame(square(np.ones(10)), list("abcde"), list("abcde")).to_csv(own / "other.csv")
    pd.DataFrame(square(np.ones(10)), NAMES, NAMES).to_csv(own / "alive.csv")
    pd.DataFrame(square(np.ones(6)), NAMES[:4], NAMES[:4]).to_csv(own / "less.csv")
    cases = [
        ({"items": "few.tsv"}, ["few.tsv with 2 rows", "6, one an RDM"]),
        ({"conditions": "unknown.csv"}, ["unknown.csv without condition 'cat'"]),
        ({"model": "alive.csv"}, ["two models named 'alive'"]),
        ({"model": "less.csv"}, ["lacks 1 of 5 conditions (tree"]),
        ({"files": (*FILES, "other.csv")}, ["RDMs of different conditions: a, b, c"]),
        ({"files": (*FILES, "nowhere.mat")}, ["nowhere.mat is not there"]),
        ({"files": ("3.csv",), "items": ""}, ["1 RDMs of which no two subjects share a region"]),
        ({"items": "none.tsv"}, ["none.tsv"]),
    ]
    before = files_below(own)
    for changed, said in cases:
        refused(own, said, *rdms_arguments(own, **changed))
    assert files_below(own) == before
