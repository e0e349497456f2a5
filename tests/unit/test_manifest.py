"""Manifests and locks: every wrong key is named, nothing hostile gets through."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from neuropipe.errors import LockError, ManifestError
from neuropipe.manifest import (
    DandiSource,
    LockedRecording,
    PathSource,
    load_manifest,
    read_lock,
    write_lock,
)
from tests.strategies import locked_recordings

SOUND = """
datasets:
  a:
    title: A
    modality: fmri
    source: {path: ../data}
    license: CC0
    citation: doi
"""


def load(tmp_path: Path, text: str) -> object:
    (tmp_path / "m.yaml").write_text(text)
    return load_manifest(tmp_path / "m.yaml")


def test_sound_manifest(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(SOUND.replace("{path: ../data}", "{dandi: '000128'}"))
    dataset = load_manifest(tmp_path / "m.yaml").datasets["a"]
    assert dataset.source == DandiSource(dandi="000128")
    assert dataset.enabled
    (tmp_path / "m.yaml").write_text(SOUND)
    assert load_manifest(tmp_path / "m.yaml").datasets["a"].source == PathSource(path="../data")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title: A", "titel: A", r"datasets\.a\.title"),
        ("modality: fmri", "modality: eeg", r"datasets\.a\.modality is 'eeg'"),
        ("{path: ../data}", "{path: x, url: y}", "exactly one of"),
        ("{path: ../data}", "{ftp: x}", "exactly one of"),
        ("{path: ../data}", "../data", "one of path"),
        ("{path: ../data}", "{dandi: 128}", r"source\.dandi is 128"),
        ("{path: ../data}", "{openneuro: '105'}", r"source\.openneuro"),
        ("{path: ../data}", "{path: x, recursive: true}", r"source\.recursive"),
        ("  a:", "  ../x:", "'../x'"),
        ("  a:", "  01:", r"datasets"),
        ("license: CC0", "license: ''", r"datasets\.a\.license"),
        ("license: CC0", "license: CC0\n    license: MIT", "stands twice"),
        ("license: CC0", "license: &x CC0\n    notes: *x", "aliases"),
        ("license: CC0", "license: !!python/object/apply:os.getcwd []", "could not determine"),
        ("datasets:", "dataset:", "datasets"),
    ],
)
def test_wrong_keys_are_named(old: str, new: str, message: str, tmp_path: Path) -> None:
    assert old in SOUND
    with pytest.raises(ManifestError, match=message) as caught:
        load(tmp_path, SOUND.replace(old, new))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "a: [", "\t", "x" * 3_000_000, "[" * 3000])
def test_no_manifest_at_all(text: str, tmp_path: Path) -> None:
    with pytest.raises(ManifestError):
        load(tmp_path, text)


def test_missing_manifest(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="No such file"):
        load_manifest(tmp_path / "none.yaml")


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(recordings=locked_recordings)
def test_lock_round_trip(recordings: list[LockedRecording], tmp_path: Path) -> None:
    write_lock(tmp_path / "a.tsv", recordings)
    assert read_lock(tmp_path / "a.tsv", "a") == recordings


HEADER = "recording\tsubject\tsession\ttask\trun\trole\tpath\turi\tbytes\tsha256\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "has no lock"),
        ("", "no lock table"),
        (HEADER, "no lock table"),
        ("a\tb\n1\t2\n", "no lock table"),
        (HEADER + "r\ts\t\t\t\tdata\t../x\t\t0\t\n", "without '..'"),
        (HEADER + "r\ts\t\t\t\tdata\t/etc/passwd\t\t0\t\n", "relative path"),
        (HEADER + "../r\ts\t\t\t\tdata\tx\t\t0\t\n", "letters, digits"),
        (HEADER + "r\t\t\t\t\tdata\tx\t\t0\t\n", "subject"),
        (HEADER + "r\ts\t\t\t\tdata\tx\t\tmany\t\n", "sound lock"),
        (HEADER + "r\ts\t\t\t\tdata\tx\n", "sound lock"),
        (HEADER + "r\ts\t\t\t\tdata\tx\t\t0\t\nr\tt\t\t\t\tdata\ty\t\t0\t\n", "twice"),
    ],
)
def test_broken_locks_name_the_command(text: str | None, message: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "a.tsv").write_text(text)
    with pytest.raises(LockError, match=message) as caught:
        read_lock(tmp_path / "a.tsv", "a")
    assert "neuropipe manifest lock a" in str(caught.value)
