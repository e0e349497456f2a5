"""Whether a lock still says what its source holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from neuropipe.ingest.nilearn_tree import nilearn_uri
from neuropipe.ingest.remote import list_remote
from neuropipe.ingest.web import RETRIES, Retries
from neuropipe.lock.resolve import (
    dataset_root,
    list_simulated,
    lock_local,
    lock_remote,
    read_settings,
    source_path,
)
from neuropipe.manifest import (
    Dataset,
    LockedFile,
    LockedRecording,
    NilearnSource,
    PathSource,
    SimulateSource,
    read_lock,
)


def check_dataset(
    name: str,
    dataset: Dataset,
    *,
    manifest_folder: Path,
    locks: Path,
    resources: Path,
    retries: Retries = RETRIES,
) -> list[str]:
    """Compare a lock with its source.

    Local files are hashed; of remote ones the archive's listing is compared, without downloads (a
    dataset of nilearn, which has no listing, is compared where it was downloaded).

    Parameters
    ----------
    name, dataset, manifest_folder, locks, resources, retries
        As for `resolve.lock_dataset`.

    Returns
    -------
    list of str
        One line a difference; empty when the lock holds.

    Raises
    ------
    LockError
        If the dataset has no readable lock.
    NeuropipeError
        If its source cannot be read or listed at all.
    """
    locked = read_lock(locks / f"{name}.tsv", name)
    settings = read_settings(name, dataset)
    source = dataset.source
    if isinstance(source, PathSource):
        found = lock_local(source_path(source, manifest_folder), dataset, settings)
    elif isinstance(source, SimulateSource):
        found = list_simulated(dataset, settings)
    elif isinstance(source, NilearnSource):
        uri = nilearn_uri(source.nilearn, source.n_subjects)
        other = next((f.uri for r in locked for f in r.files if f.uri != uri), None)
        if other is not None:
            return [f"the lock is of {other}, the manifest of {uri}"]
        root = dataset_root(dataset, name, manifest_folder, resources)
        if not root.is_dir():
            return []
        found = lock_local(root, dataset, settings)
    else:
        listing = {file.path: file for file in list_remote(source, retries)}
        found = lock_remote(listing, dataset, settings)
    return compare(locked, found)


def compare(locked: Sequence[LockedRecording], found: Sequence[LockedRecording]) -> list[str]:
    """Name the differences between a lock and what its source holds now.

    Parameters
    ----------
    locked, found : sequence of LockedRecording
        Sizes of 0 and checksums that are empty or of another kind on either side are not compared.

    Returns
    -------
    list of str
        One line a difference, in the order of recordings.
    """
    before = {recording.recording: recording for recording in locked}
    now = {recording.recording: recording for recording in found}
    lines = []
    for name in sorted(before.keys() | now.keys()):
        if name not in now:
            lines.append(f"{name}: the recording is missing from the source")
        elif name not in before:
            lines.append(f"{name}: the source has this recording, the lock has not")
        else:
            lines += _compare_one(before[name], now[name])
    return lines


def _compare_one(locked: LockedRecording, found: LockedRecording) -> list[str]:
    name, lines = locked.recording, []
    for entity in ("subject", "session", "task", "run"):
        old, new = getattr(locked, entity), getattr(found, entity)
        if old != new:
            lines.append(f"{name}: {entity} is {new or 'none'}, {old or 'none'} in the lock")
    before = {(file.role, file.path): file for file in locked.files}
    now = {(file.role, file.path): file for file in found.files}
    for key in sorted(before.keys() | now.keys()):
        role, path = key
        if key not in now:
            lines.append(f"{name}: {role} file {path} is missing from the source")
        elif key not in before:
            lines.append(f"{name}: {role} file {path} is new in the source")
        elif change := _change(before[key], now[key]):
            lines.append(f"{name}: {path} {change}")
    return lines


def _change(locked: LockedFile, found: LockedFile) -> str:
    if locked.bytes and found.bytes and locked.bytes != found.bytes:
        return f"has {found.bytes} bytes, {locked.bytes} in the lock"
    same_kind = (":" in locked.sha256) == (":" in found.sha256)
    if locked.sha256 and found.sha256 and same_kind and locked.sha256 != found.sha256:
        return "has other bytes of the same size than in the lock"
    return ""
