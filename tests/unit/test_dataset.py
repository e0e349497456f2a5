"""A dataset's recordings are those of its lock, each in the file of its name."""

from __future__ import annotations

import pytest

from neuropipe.dataset import read_recording, recording_paths
from neuropipe.errors import InputError
from neuropipe.manifest import LockedFile, LockedRecording, write_lock
from tests.unit.connectivity.builders import recording


def test_paths_follow_the_lock(tmp_path):
    rows = [
        LockedRecording(f"sub-{s}", s, "", "", "", (LockedFile("data", f"{s}.tsv"),)) for s in "ba"
    ]
    write_lock(tmp_path / "lock.tsv", rows)
    paths = recording_paths(tmp_path / "lock.tsv", "toy", tmp_path / "recordings")
    assert sorted(path.name for path in paths) == ["sub-a.nc", "sub-b.nc"]
    assert {path.parent for path in paths} == {tmp_path / "recordings"}


def test_a_recording_is_the_one_of_its_file(tmp_path):
    path = tmp_path / "sub-01.nc"
    recording("01").write(path)
    assert read_recording(path, "toy").subject == "01"
    with pytest.raises(InputError, match="dataset toy"):
        read_recording(path, "other")
    path.rename(tmp_path / "sub-02.nc")
    with pytest.raises(InputError, match="holds recording sub-01") as caught:
        read_recording(tmp_path / "sub-02.nc", "toy")
    assert "neuropipe ingest" in str(caught.value)
    with pytest.raises(InputError, match=r"sub-03\.nc"):
        read_recording(tmp_path / "sub-03.nc", "toy")
