from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuropipe.errors import InputError, NeuropipeError, SettingsError
from neuropipe.ingest.bids import discover
from neuropipe.ingest.bids_names import BidsTree, fill_pattern, parse_name, recording_names
from neuropipe.ingest.settings import FmriReadSettings
from neuropipe.names import check_name

RAW = "sub-01/ses-a/func/sub-01_ses-a_task-rest_run-2_bold.nii.gz"
PREP = "derivatives/fmriprep/sub-01/func/sub-01_task-rest_space-MNI152_desc-preproc_bold.nii.gz"


def roles(recording):
    return [(file.role, file.path) for file in recording.files]


def test_a_path_is_taken_apart():
    name = parse_name("derivatives/x/" + RAW)
    assert name.root == "derivatives/x/"
    assert name.entities == {"sub": "01", "ses": "a", "task": "rest", "run": "2"}
    assert (name.suffix, name.extension) == ("bold", ".nii.gz")
    flat = parse_name("sub-7_bold.nii")
    assert (flat.root, flat.folder, flat.entities) == ("", "", {"sub": "7"})
    assert parse_name("sub-7/rois.1D").entities == {"sub": "7"}
    dotted = parse_name("sub-a.b_bold.nii.gz")
    assert (dotted.entities, dotted.suffix, dotted.extension) == ({"sub": "a.b"}, "bold", ".nii.gz")
    assert (parse_name("README").suffix, parse_name("README").extension) == ("README", "")
    assert parse_name("a/b-c_task-n-back_bold.nii").entities == {"b": "c", "task": "n-back"}


def test_sidecars_go_from_general_to_specific():
    expected = [
        "bold.json",
        "task-rest_bold.json",
        "sub-01/sub-01_bold.json",
        "sub-01/ses-a/func/sub-01_ses-a_task-rest_bold.json",
        "sub-01/ses-a/func/sub-01_ses-a_task-rest_run-2_bold.json",
    ]
    others = [
        "task-other_bold.json",
        "task-rest_events.json",
        "sub-02/sub-02_bold.json",
        "sub-01/ses-b/sub-01_ses-b_bold.json",
        "sub-01/ses-a/func/sub-01_ses-a_task-rest_run-3_bold.json",
        "derivatives/x/task-rest_bold.json",
    ]
    tree = BidsTree([*others, *reversed(expected), RAW])
    assert tree.inherited(parse_name(RAW), "bold", ".json") == expected


def test_raw_dataset_is_locked_whole():
    paths = [
        RAW,
        RAW.replace("run-2", "run-1"),
        "task-rest_bold.json",
        "sub-01/ses-a/func/sub-01_ses-a_task-rest_run-2_events.tsv",
        "task-rest_events.tsv",
        "participants.tsv",
        "sub-01/ses-a/func/sub-01_ses-a_task-rest_run-2_sbref.nii.gz",
        "sub-01/ses-a/anat/sub-01_ses-a_T1w.nii.gz",
        "atlas/atlas-X_dseg.nii.gz",
        "atlas/atlas-X_dseg.tsv",
        ".git/sub-09_task-rest_bold.nii.gz",
    ]
    first, second = discover(paths, FmriReadSettings(parcellation="atlas/atlas-X_dseg.nii.gz"))
    assert first.recording == "sub-01_ses-a_task-rest_run-1"
    assert (second.subject, second.session, second.task, second.run) == ("01", "a", "rest", "2")
    assert roles(second) == [
        ("data", RAW),
        ("sidecar", "task-rest_bold.json"),
        ("events", "sub-01/ses-a/func/sub-01_ses-a_task-rest_run-2_events.tsv"),
        ("parcellation", "atlas/atlas-X_dseg.nii.gz"),
        ("labels", "atlas/atlas-X_dseg.tsv"),
        ("participants", "participants.tsv"),
    ]
    assert ("events", "task-rest_events.tsv") in roles(first)


def test_derivative_is_preferred_and_finds_the_raw_events():
    base = "derivatives/fmriprep/sub-01/func/sub-01_task-rest_"
    paths = [
        PREP,
        PREP.replace(".nii.gz", ".json"),
        base + "space-MNI152_desc-brain_mask.nii.gz",
        base + "desc-brain_mask.nii.gz",
        base + "desc-confounds_timeseries.tsv",
        base + "desc-confounds_timeseries.json",
        "sub-01/func/sub-01_task-rest_bold.nii.gz",
        "sub-01/func/sub-01_task-rest_events.tsv",
        "participants.tsv",
    ]
    (found,) = discover(paths, FmriReadSettings())
    assert roles(found) == [
        ("data", PREP),
        ("sidecar", PREP.replace(".nii.gz", ".json")),
        ("events", "sub-01/func/sub-01_task-rest_events.tsv"),
        ("confounds", base + "desc-confounds_timeseries.tsv"),
        ("confounds_sidecar", base + "desc-confounds_timeseries.json"),
        ("mask", base + "space-MNI152_desc-brain_mask.nii.gz"),
        ("participants", "participants.tsv"),
    ]
    native_only = [path for path in paths if "MNI152_desc-brain" not in path]
    (without,) = discover(native_only, FmriReadSettings())
    assert without.paths("mask") == []  # the other mask is in another space
    (raw,) = discover(paths, FmriReadSettings(desc=None))
    assert raw.paths("data") == ["sub-01/func/sub-01_task-rest_bold.nii.gz"]


def test_a_choice_left_open_is_refused_with_its_remedy():
    native = PREP.replace("space-MNI152_", "space-T1w_")
    with pytest.raises(InputError, match=r"MNI152, T1w.*read\.space"):
        discover([PREP, native], FmriReadSettings())
    (found,) = discover([PREP, native], FmriReadSettings(space="T1w"))
    assert found.paths("data") == [native]
    echoes = [RAW.replace("_bold", f"_echo-{k}_bold") for k in (1, 2)]
    with pytest.raises(InputError, match=r"read\.select.*echo"):
        discover(echoes, FmriReadSettings())
    assert discover(echoes, FmriReadSettings(select={"echo": "2"}))[0].paths("data") == echoes[1:]
    with pytest.raises(InputError, match=r"read\.desc"):
        discover([PREP], FmriReadSettings(desc="smooth"))
    denoised = PREP.replace("preproc", "denoised")
    with pytest.raises(InputError, match=r"desc: denoised.*read\.desc"):
        discover([denoised], FmriReadSettings())
    assert discover([denoised], FmriReadSettings(desc="denoised"))[0].paths("data") == [denoised]


def test_acquisitions_join_the_name_only_where_they_must():
    both = [RAW.replace("_run-2", f"_dir-{d}_run-2") for d in ("AP", "PA")]
    assert [r.recording for r in discover(both, FmriReadSettings())] == [
        "sub-01_ses-a_task-rest_dir-AP_run-2",
        "sub-01_ses-a_task-rest_dir-PA_run-2",
    ]
    assert discover(both[:1], FmriReadSettings())[0].recording == "sub-01_ses-a_task-rest_run-2"


def test_patterns_are_filled_and_stay_inside():
    name = parse_name(RAW)
    assert (
        fill_pattern("m/{subject}_{session}_{task}_{run}.nii", name, "mask") == "m/01_a_rest_2.nii"
    )
    with pytest.raises(SettingsError, match=r"\{sub\}"):
        fill_pattern("{sub}.nii", name, "mask")
    with pytest.raises(InputError, match="asks for"):
        fill_pattern("{run}.nii", parse_name("sub-1_bold.nii"), "mask")
    for bad in ("../{subject}.nii", "/etc/{subject}"):
        with pytest.raises(InputError, match="relative"):
            fill_pattern(bad, name, "mask")
    with pytest.raises(InputError, match=r"read\.mask names nowhere\.nii"):
        discover([RAW], FmriReadSettings(mask="nowhere.nii"))


def test_raw_data_below_a_derivative_root_are_found():
    prep = PREP.removeprefix("derivatives/fmriprep/")
    raw = "sourcedata/raw/sub-01/func/sub-01_task-rest_events.tsv"
    (found,) = discover([prep, raw, "sourcedata/raw/participants.tsv"], FmriReadSettings())
    assert found.paths("events") == [raw]
    assert found.paths("participants") == ["sourcedata/raw/participants.tsv"]


LABEL = st.text("ab01", min_size=1, max_size=3)
PATH = st.builds(
    lambda sub, ses, task, run, bad: (
        f"sub-{sub}/" + (f"ses-{ses}/" if ses else "") + f"func/sub-{sub}"
        + (f"_ses-{ses}" if ses else "") + f"_task-{task}{bad}" + (f"_run-{run}" if run else "")
        + "_bold.nii.gz"
    ),
    LABEL, st.none() | LABEL, LABEL, st.none() | LABEL, st.sampled_from(["", "", "", ".x", "\x07"]),
)  # fmt: skip


@given(st.lists(PATH, unique=True, min_size=1, max_size=8))
def test_names_are_unique_and_safe_or_refused(paths):
    try:
        names = recording_names([parse_name(path) for path in paths])
    except NeuropipeError:
        assert any(".x" in path or "\x07" in path for path in paths)
        return
    assert len(set(names)) == len(paths)
    assert all(check_name(name, "recording") for name in names)


@given(st.lists(st.text(max_size=30), max_size=6))
def test_any_path_is_survived(paths):
    tree = BidsTree(paths)
    for path in tree.paths:
        name = parse_name(path)
        assert name.path == path
        tree.inherited_anywhere(name, "bold", ".json")
