"""A study: what the Snakefile asks, without touching data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from neuropipe.errors import LockError, ManifestError, SettingsError
from neuropipe.manifest import LockedFile, LockedRecording, write_lock
from neuropipe.study import Study

MANIFEST = """
datasets:
  rest:
    title: Rest
    modality: fmri
    source: {path: data}
    license: CC0
    citation: doi
    analyses: {connectivity: {targets: [age]}}
  cells:
    title: Cells
    modality: spikes
    source: {dandi: "000128"}
    license: CC0
    citation: doi
  later:
    title: Later
    modality: images
    source: {simulate: vision}
    license: CC0
    citation: doi
    enabled: false
"""


def locked(name: str, subject: str, path: str = "x.tsv") -> LockedRecording:
    return LockedRecording(name, subject, "", "", "", (LockedFile("data", path, "", 1, "0" * 64),))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data_manifest.yaml").write_text(MANIFEST)
    locks = tmp_path / "config" / "recordings"
    write_lock(locks / "rest.tsv", [locked("b-1", "b"), locked("a-1", "a"), locked("a-2", "a")])
    write_lock(locks / "cells.tsv", [locked("c", "c")])
    return tmp_path


def test_datasets_and_kinds(folder: Path) -> None:
    study = Study.load({}, folder)
    study.check_locks()
    assert list(study.datasets) == ["rest", "cells"]
    assert study.datasets_of("remote") == ["cells"]
    assert study.root("rest") == folder / "data"
    assert study.root("cells") == Path("resources/cells")
    assert study.sources("rest", "a-1") == []
    assert study.sources("cells", "c") == ["resources/cells/.fetched/c"]
    assert study.subjects("rest") == ["a", "b"]
    assert study.recordings("rest", "a") == ["a-1", "a-2"]


def test_results_follow_the_table_of_analyses(folder: Path) -> None:
    study = Study.load({}, folder)
    assert study.results_of("rest", "b") == [
        "results/rest/quality/b-1",
        "results/rest/connectivity/b-1",
        "results/rest/brainmae/b-1",
        "results/rest/connectome/b-1",
        "results/rest/trsa/sub-b",
    ]
    assert study.results_of_dataset("rest")[-4:] == [
        "results/rest/connectivity/group",
        "results/rest/brainmae/group",
        "results/rest/connectome/group",
        "results/rest/trsa/group",
    ]
    assert study.results_of_dataset("cells") == [
        "results/cells/quality/c",
        "results/cells/trsa/sub-c",
    ]
    assert study.pages("rest")[0] == "results/rest/report/sub-a.html"


def test_an_analysis_can_be_left_out(folder: Path) -> None:
    text = MANIFEST.replace("connectivity: {targets: [age]}", "connectivity: false")
    (folder / "data_manifest.yaml").write_text(text)
    assert [part.name for part in Study.load({}, folder).analyses("rest")] == [
        "brainmae",
        "connectome",
        "trsa",
    ]


def test_models_and_targets_are_planned(folder: Path) -> None:
    settings = {"brainmae": {"targets": ["age"], "min_subjects": 10, "n_splits": 2}}
    plan = Study.load(settings, folder).brainmae("rest")
    assert plan.models == ["final", "seed-0_fold-0", "seed-0_fold-1"]
    assert plan.targets == ()  # two subjects are too few
    assert '"n_permutations":200' in plan.pretraining


def test_numbered_neurons_of_several_subjects_are_refused_before_anything_runs(
    folder: Path,
) -> None:
    text = MANIFEST.replace("modality: fmri", "modality: calcium")
    lock = folder / "config" / "recordings" / "rest.tsv"
    one, two = (locked(f"sub-{s}", s, f"{s}/suite2p/plane0/F.npy") for s in "ab")
    (folder / "data_manifest.yaml").write_text(text)
    write_lock(lock, [one, two])
    with pytest.raises(ManifestError, match=r"analyses: \{connectome: false\}"):
        Study.load({}, folder).check_locks()
    write_lock(lock, [one])
    Study.load({}, folder).check_locks()
    write_lock(lock, [one, two])
    for change in (
        ("analyses: {", "analyses: {connectome: false, "),
        ("source: {path: data}", "source: {path: data}\n    read: {unit_names: label}"),
    ):
        (folder / "data_manifest.yaml").write_text(text.replace(*change))
        Study.load({}, folder).check_locks()


def test_wiring_lies_beside_the_manifest(folder: Path) -> None:
    wired = "analyses: {connectome: {wiring: [tables/wires.csv]}"
    (folder / "data_manifest.yaml").write_text(MANIFEST.replace("analyses: {", f"{wired}, "))
    with pytest.raises(ManifestError, match=r"datasets\.rest\.analyses\.connectome\.wiring"):
        Study.load({}, folder)
    (folder / "tables").mkdir()
    (folder / "tables" / "wires.csv").write_text("pre,post,weight\n")
    study = Study.load({}, folder)
    assert study.wiring("rest") == [folder / "tables" / "wires.csv"]
    assert study.connectome("rest").n_shifts == 19


def test_pages_that_failed_jobs_left_out_are_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    study = Study.load({}, folder)
    assert study.unfinished_pages("rest") == []
    done = folder / "results/rest/quality/b-1"
    done.mkdir(parents=True)
    ((subject, page, folders),) = study.unfinished_pages("rest")
    assert (subject, folders) == ("b", ["results/rest/quality/b-1"])
    assert page == "results/rest/report/sub-b.html"


def test_settings_merge_configuration_and_manifest(folder: Path) -> None:
    study = Study.load({"connectivity": {"n_permutations": 99}}, folder)
    settings = json.loads(study.settings("rest", "connectivity"))
    assert settings["targets"] == ["age"]
    assert settings["n_permutations"] == 99


def test_digest_moves_with_the_lock_row_alone(folder: Path) -> None:
    study = Study.load({}, folder)
    before = {r: study.files_digest("rest", r) for r in study.recordings("rest")}
    write_lock(
        folder / "config" / "recordings" / "rest.tsv",
        [locked("a-1", "a", "y.tsv"), locked("a-2", "a"), locked("b-1", "b")],
    )
    after = Study.load({}, folder)
    moved = {r for r in before if after.files_digest("rest", r) != before[r]}
    assert moved == {"a-1"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("targets: [age]", "target: [age]", r"datasets\.rest\.analyses\.connectivity: target "),
        ("connectivity: {targets: [age]}", "conectivity: {}", "analyses.conectivity"),
        ("source: {path: data}", "source: {path: data}\n    read: {tr: 2}", r"rest\.read: tr "),
    ],
)
def test_wrong_manifest_keys(old: str, new: str, message: str, folder: Path) -> None:
    assert old in MANIFEST
    (folder / "data_manifest.yaml").write_text(MANIFEST.replace(old, new))
    with pytest.raises(ManifestError, match=message):
        Study.load({}, folder)


def test_wrong_configuration_key(folder: Path) -> None:
    with pytest.raises(SettingsError, match="qualty"):
        Study.load({"qualty": {}}, folder)


def test_missing_lock_names_the_command(folder: Path) -> None:
    (folder / "config" / "recordings" / "rest.tsv").unlink()
    with pytest.raises(LockError, match="neuropipe manifest lock rest"):
        Study.load({}, folder).check_locks()


def test_group_is_a_reserved_name(folder: Path) -> None:
    write_lock(folder / "config" / "recordings" / "rest.tsv", [locked("group", "a")])
    with pytest.raises(ManifestError, match="'group'"):
        Study.load({}, folder).check_locks()


def test_unknown_dataset(folder: Path) -> None:
    with pytest.raises(ManifestError, match="one of rest, cells"):
        Study.load({}, folder).dataset("later")


def test_named_atlas_is_fetched_where_it_is_read(folder: Path) -> None:
    manifest = folder / "data_manifest.yaml"
    plain = manifest.read_text()
    assert Study.load({}, folder).atlases("rest") == []
    manifest.write_text(plain.replace("{path: data}", "{path: data}\n    read: {atlas: aal}"))
    study = Study.load({}, folder)
    (fetched,) = study.atlases("rest")
    assert json.loads(study.read_settings("rest"))["atlas_folder"] == fetched
    own = "{path: data}\n    read: {atlas: aal, atlas_folder: /opt/aal}"
    manifest.write_text(plain.replace("{path: data}", own))
    study = Study.load({}, folder)
    assert study.atlases("rest") == []
    assert json.loads(study.read_settings("rest"))["atlas_folder"] == "/opt/aal"


# ---------------------------------------------------------------- an analysis of events by subject


def task(name: str, subject: str, what: str) -> LockedRecording:
    return LockedRecording(name, subject, "", what, "", (LockedFile("data", "x", "", 1, "0" * 64),))


def tasks(folder: Path, *rows: tuple[str, str, str], analyses: str = "") -> Study:
    """A study whose dataset `rest` holds recordings (name, subject, task)."""
    text = MANIFEST.replace("connectivity: {targets: [age]}", analyses)
    (folder / "data_manifest.yaml").write_text(text)
    write_lock(folder / "config" / "recordings" / "rest.tsv", [task(*row) for row in rows])
    return Study.load({}, folder)


ALONE = "connectivity: false, brainmae: false, connectome: false"
LOOK = (("a-1", "a", "look"), ("a-2", "a", "look"), ("b-1", "b", "look"))


def test_results_of_subjects_have_their_names(folder: Path) -> None:
    study = tasks(folder, *LOOK, analyses=ALONE)
    assert study.results_of("rest", "a") == [
        "results/rest/quality/a-1", "results/rest/quality/a-2", "results/rest/trsa/sub-a",
    ]  # fmt: skip
    assert study.results_of_dataset("rest") == [
        "results/rest/quality/a-1", "results/rest/quality/a-2", "results/rest/quality/b-1",
        "results/rest/trsa/sub-a", "results/rest/trsa/sub-b", "results/rest/trsa/group",
    ]  # fmt: skip


def test_one_subject_is_compared_with_no_other(folder: Path) -> None:
    study = tasks(folder, *LOOK[:2], analyses="brainmae: false, connectome: false")
    folders = study.results_of_dataset("rest")
    assert "results/rest/connectivity/group" in folders
    assert "results/rest/trsa/sub-a" in folders
    assert "results/rest/trsa/group" not in folders


@pytest.mark.parametrize(
    ("tasks_of", "asked", "planned"),
    [
        (("rest", "rest"), "", False),
        (("rest", "look"), "", True),
        (("", ""), "", True),  # a task that is not named may be one
        (("rest", "rest"), "trsa: true", True),
        (("rest", "rest"), "trsa: {min_units: 3}", True),
        (("look", "look"), "trsa: false", False),
    ],
)
def test_rest_is_left_out_unless_it_is_asked_for(
    tasks_of: tuple[str, str], asked: str, planned: bool, folder: Path
) -> None:
    rows = [(f"{subject}-1", subject, what) for subject, what in zip("ab", tasks_of, strict=True)]
    study = tasks(folder, *rows, analyses=f"{ALONE}, {asked}" if asked else ALONE)
    assert [part.name for part in study.planned("rest")] == ["trsa"] * planned
    assert ("results/rest/trsa/sub-a" in study.results_of("rest", "a")) == planned
    assert ("results/rest/trsa/group" in study.results_of_dataset("rest")) == planned
    assert study.is_asked("rest", "trsa") == ("true" in asked or "{" in asked)


def test_model_rdms_lie_beside_the_manifest(folder: Path) -> None:
    named = f"{ALONE}, trsa: {{models: [rdms/mine.csv]}}"
    with pytest.raises(ManifestError, match=r"datasets\.rest\.analyses\.trsa\.models") as caught:
        tasks(folder, *LOOK, analyses=named)
    assert "rdms/mine.csv" in str(caught.value)
    assert "\n" not in str(caught.value)
    (folder / "rdms").mkdir()
    (folder / "rdms" / "mine.csv").write_text("0,1\n1,0\n")
    study = tasks(folder, *LOOK, analyses=named)
    assert study.model_rdms("rest") == [folder / "rdms" / "mine.csv"]
    # What is left out needs no files.
    (folder / "rdms" / "mine.csv").unlink()
    tasks(folder, *LOOK, analyses=f"{ALONE}, trsa: false")


def test_a_wrong_setting_of_representations_names_its_place(folder: Path) -> None:
    with pytest.raises(ManifestError, match=r"datasets\.rest\.analyses\.trsa.*n_bootstrap"):
        tasks(folder, *LOOK, analyses=f"{ALONE}, trsa: {{n_bootstrap: 1}}")
