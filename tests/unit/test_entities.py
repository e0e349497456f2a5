from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuropipe.errors import InputError
from neuropipe.ingest.entities import (
    name_folder,
    name_recording,
    name_recordings,
    safe_name,
    shared_files,
)
from neuropipe.names import check_name


@pytest.mark.parametrize(
    ("path", "recording", "subject", "session"),
    [
        ("sub-20220802/sub-20220802_ophys.nwb", "sub-20220802", "20220802", ""),
        ("sub-4/sub-4_ses-4_ecephys+image.nwb", "sub-4_ses-4", "4", "4"),
        ("a/sub-M1_ses-2020-01-02_behavior+ophys.nwb", "sub-M1_ses-2020-01-02", "M1", "2020-01-02"),
        ("sub-9/ses-b/my file.nwb", "sub-9_ses-b_my-file", "9", "b"),
        ("rat 7 (day 1).nwb", "rat-7-day-1", "rat-7-day-1", ""),
        ("sub-1_obj-x.y_ecephys.nwb", "sub-1_obj-x-y", "1", ""),
    ],
)
def test_names_come_from_the_path(path, recording, subject, session):
    named = name_recording(path)
    assert (named.recording, named.subject, named.session) == (recording, subject, session)


def test_task_and_run_are_kept():
    named = name_recording("sub-1_task-nback_run-02_ecephys.nwb")
    assert (named.task, named.run) == ("nback", "02")
    assert named.recording == "sub-1_task-nback_run-02"


def test_suffixes_tell_files_of_one_session_apart():
    names = name_recordings(["sub-1_ses-a_ophys.nwb", "sub-1_ses-a_image.nwb", "sub-2_ophys.nwb"])
    assert [n.recording for n in names] == ["sub-1_ses-a_ophys", "sub-1_ses-a_image", "sub-2"]


@pytest.mark.parametrize(
    ("folder", "recording", "subject", "session"),
    [
        ("session-201016", "session-201016", "201016", "201016"),
        ("sub-1/ses-2", "sub-1_ses-2", "1", "2"),
        ("mouse 7/day 3", "mouse-7_day-3", "day-3", ""),
        (".", "recording", "recording", ""),
    ],
)
def test_folders_name_recordings(folder, recording, subject, session):
    named = name_folder(PurePosixPath(folder))
    assert (named.recording, named.subject, named.session) == (recording, subject, session)


@given(st.text(max_size=150))
def test_any_text_becomes_a_safe_name_or_an_error(text):
    if any(c.isascii() and c.isalnum() for c in text):
        check_name(safe_name(text, "x"), "x")
    else:
        with pytest.raises(InputError, match="x is "):
            safe_name(text, "x")


@given(st.lists(st.text(min_size=1).filter(lambda t: "/" not in t and t not in ".."), min_size=1))
def test_any_path_names_a_safe_recording_or_is_refused(parts):
    try:
        named = name_recording("/".join(parts))
    except InputError:
        return
    for value in (named.recording, named.subject):
        check_name(value, "name")


def test_wanted_files_must_exist():
    files = shared_files(["participants.tsv", "w.csv", "x/participants.tsv"], ["w.csv"])
    assert [(f.role, f.path) for f in files] == [
        ("participants", "participants.tsv"),
        ("wiring", "w.csv"),
    ]
    with pytest.raises(InputError, match=r"wiring names '\.\./w.csv'"):
        shared_files(["w.csv"], ["../w.csv"])
