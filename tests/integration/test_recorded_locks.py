"""The recorded datasets resolve to the recordings that they are known to hold."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from neuropipe.ingest.read import read_recording
from neuropipe.ingest.source import SourceFiles
from neuropipe.lock import check_dataset, dataset_root, lock_dataset
from neuropipe.lock.add import guess_modality
from neuropipe.lock.local import list_files
from neuropipe.lock.resolve import read_settings
from neuropipe.manifest import load_manifest, read_lock

MANIFEST = Path(__file__).parents[1] / "recorded" / "data_manifest.yaml"
# recordings, subjects, files
KNOWN = {
    "bids-haxby": (12, 1, 27),
    "roi-hcp-rest": (24, 24, 49),
    "roi-abide-nyu": (100, 100, 201),
    "nwb-worm": (1, 1, 3),
    "nwb-place-cells": (1, 1, 1),
    "nwb-human-mtl": (1, 1, 1),
    "images-v4": (4, 4, 8),
}


def test_every_recorded_dataset_is_known():
    assert set(load_manifest(MANIFEST).datasets) == set(KNOWN)


@pytest.mark.parametrize("name", KNOWN)
def test_locks(shared_data, tmp_path, name):
    dataset = load_manifest(MANIFEST).datasets[name]
    places = {
        "manifest_folder": MANIFEST.parent, "locks": tmp_path, "resources": tmp_path / "resources",
    }  # fmt: skip
    start = time.perf_counter()
    recordings = read_lock(lock_dataset(name, dataset, **places), name)
    assert time.perf_counter() - start < 10
    files = {file.path for recording in recordings for file in recording.files}
    subjects = {recording.subject for recording in recordings}
    assert (len(recordings), len(subjects), len(files)) == KNOWN[name]
    assert check_dataset(name, dataset, **places) == []
    root = dataset_root(dataset, name, MANIFEST.parent, tmp_path / "resources")
    found = read_recording(
        SourceFiles(name, root, recordings[0]), dataset.modality, read_settings(name, dataset)
    )
    assert found.check().modality == dataset.modality


@pytest.mark.parametrize("name", KNOWN)
def test_modality_is_guessed(shared_data, name):
    root = shared_data / name
    assert guess_modality(list_files(root), root) == load_manifest(MANIFEST).datasets[name].modality
