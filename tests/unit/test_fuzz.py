"""Damaged files of every format: a sound Recording, or a refusal; nothing else, and never slow."""

from __future__ import annotations

import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neuropipe.errors import NeuropipeError
from neuropipe.ingest.commands import ingest
from neuropipe.lock import lock_command
from neuropipe.manifest import read_lock
from neuropipe.recording import Recording
from tests.malformed import (
    NWB,
    SLOWEST,
    STEM,
    bids,
    bids_confounds,
    bids_labels,
    files_below,
    images,
    roi_array,
    roi_table,
    rois_nwb,
    suite2p,
    units_nwb,
    write_manifest,
)

LOCK = Path("config/recordings/d.tsv")
FUZZ = settings(
    max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)


NASTY = [b"NaN", b"inf", b"-1", b"0", b"1e999", b"9" * 400, b"\t", b"\n", b"\r", b"\0", b'"', b"{",
         b"[", b"../", b"\xff\xfe", b"\xef\xbb\xbf", b"true", b"null", b"\xff\xff\xff\xff",
         b"\x7f\xff\xff\xff", b"\x00\x00\xc0\x7f"]  # fmt: skip


@st.composite
def damage(draw):
    """Changes of a file: bytes flipped, put in, or taken out; the end lost; or other bytes."""
    kind = draw(st.sampled_from(["flip", "flip", "flip", "insert", "delete", "cut", "replace"]))
    if kind == "replace":
        return kind, draw(st.binary(max_size=300))
    places = draw(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=8))
    new = st.binary(min_size=1, max_size=6) | st.sampled_from(NASTY)
    return kind, [(place, draw(new)) for place in places]


def apply(data, change):
    kind, details = change
    if kind == "replace":
        return details
    for place, new in details:
        at = int(place * len(data))
        if kind == "cut":
            data = data[:at]
        elif kind == "delete":
            data = data[:at] + data[at + len(new) :]
        elif kind == "insert":
            data = data[:at] + new + data[at:]
        else:
            data = data[:at] + new + data[at + len(new) :]
    return data


def made_or_refused(make):
    """What a call makes, None where it is refused in one printable line."""
    refusal = "refused"
    try:
        return make()
    except NeuropipeError as error:
        refusal = str(error)
    assert refusal.isprintable()
    return None


def run(study, modality, read):
    """Lock and ingest; the recording, or None where either was refused."""
    start, output = time.monotonic(), study / "out" / "made.nc"

    def both():
        lock_command(manifest=study / "data_manifest.yaml", names=["d"], all_=False)
        return _ingest(study, modality, read_lock(study / LOCK, "d")[0].recording, output)

    made = made_or_refused(both)
    assert time.monotonic() - start < SLOWEST
    assert set(files_below(study / "out")) == ({"made.nc"} if made else set())
    return made


def _ingest(study, modality, recording, output):
    entry = yaml.safe_load((study / "data_manifest.yaml").read_bytes())["datasets"]["d"]
    ingest(
        dataset="d", modality=modality, recording=recording, lock=study / LOCK,
        root=study / "data", settings=json.dumps(entry.get("read", {})), output=output,
    )  # fmt: skip
    return Recording.read(output)  # checks the contract


SOURCES = {
    "table": (roi_table, "fmri", f"{STEM}_timeseries.tsv", {}),
    "table's sidecar": (roi_table, "fmri", f"{STEM}_timeseries.json", {}),
    "npy": (roi_array, "fmri", f"{STEM}_timeseries.npy", {}),
    "npz": (lambda r: roi_array(r, "npz"), "fmri", f"{STEM}_timeseries.npz", {}),
    "mat": (lambda r: roi_array(r, "mat"), "fmri", f"{STEM}_timeseries.mat", {}),
    "nii.gz": (bids, "fmri", f"{STEM}_bold.nii.gz", {}),
    "image's sidecar": (bids, "fmri", f"{STEM}_bold.json", {}),
    "events": (bids, "fmri", f"{STEM}_events.tsv", {}),
    "participants": (roi_table, "fmri", "participants.tsv", {}),
    "atlas": (bids_labels, "fmri", "atlas.nii.gz", {"parcellation": "atlas.nii.gz"}),
    "labels": (bids_labels, "fmri", "atlas.tsv", {"parcellation": "atlas.nii.gz"}),
    "confounds": (bids_confounds, "fmri", f"{STEM}_desc-confounds_timeseries.tsv",
                  {"confounds": ["motion-basic"], "detrend": True}),
    "units": (units_nwb, "spikes", NWB, {}),
    "traces": (rois_nwb, "calcium", NWB, {}),
    "F": (suite2p, "calcium", "mouse1/suite2p/plane0/F.npy", {}),
    "ops": (suite2p, "calcium", "mouse1/suite2p/plane0/ops.npy", {}),
    "iscell": (suite2p, "calcium", "mouse1/suite2p/plane0/iscell.npy", {}),
    "responses": (images, "images", "monkey1/responses.npy", {}),
    "image": (images, "images", "monkey1/images/i3.png", {}),
}  # fmt: skip


@pytest.mark.parametrize("name", SOURCES)
def test_damaged_files(name):
    build, modality, path, read = SOURCES[name]

    with TemporaryDirectory() as folder:
        study = Path(folder)
        build(study / "data")
        (study / "out").mkdir()
        write_manifest(study, modality, read)
        sound = (study / "data" / path).read_bytes()
        assert run(study, modality, read) is not None
        (study / "out" / "made.nc").unlink()

        @FUZZ
        @given(damage())
        def damaged(change):
            (study / "data" / path).write_bytes(apply(sound, change))
            run(study, modality, read)
            (study / "out" / "made.nc").unlink(missing_ok=True)

        damaged()


@pytest.mark.parametrize("path", [LOCK.as_posix(), "data_manifest.yaml"])
def test_damaged_locks_and_manifests(path):
    with TemporaryDirectory() as folder:
        study = Path(folder)
        roi_table(study / "data")
        (study / "out").mkdir()
        manifest = write_manifest(study, "fmri", {"detrend": True})
        lock_command(manifest=manifest, names=["d"], all_=False)
        sound = (study / path).read_bytes()
        recording = read_lock(study / LOCK, "d")[0].recording

        @FUZZ
        @given(damage())
        def damaged(change):
            (study / path).write_bytes(apply(sound, change))
            if path == "data_manifest.yaml":
                run(study, "fmri", {})
            else:
                output = study / "out" / "made.nc"
                made_or_refused(lambda: _ingest(study, "fmri", recording, output))
                assert set(files_below(study / "out")) <= {"made.nc"}
            (study / "out" / "made.nc").unlink(missing_ok=True)

        damaged()


def test_damaged_recordings():
    """What a disk may do to a recording is seen when it is read, or changes values only."""
    with TemporaryDirectory() as folder:
        study = Path(folder)
        roi_table(study / "data")
        (study / "out").mkdir()
        write_manifest(study, "fmri", {})
        assert run(study, "fmri", {}) is not None
        path = study / "out" / "made.nc"
        sound = path.read_bytes()

        @FUZZ
        @given(damage())
        def damaged(change):
            path.write_bytes(apply(sound, change))
            made_or_refused(lambda: Recording.read(path))

        damaged()
