"""From a dataset's source to its lock: list, group into recordings, fill in size and checksum."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from neuropipe.errors import InputError, SettingsError
from neuropipe.ingest.fetch import fetch_files
from neuropipe.ingest.nilearn_tree import fetch_nilearn, nilearn_uri
from neuropipe.ingest.read import discover
from neuropipe.ingest.remote import RemoteFile, chosen_paths, list_remote
from neuropipe.ingest.settings import READ_SETTINGS, ReadSettings
from neuropipe.ingest.web import RETRIES, Retries
from neuropipe.lock.local import hash_files, list_files, size_of
from neuropipe.manifest import (
    Dataset,
    LockedFile,
    LockedRecording,
    NilearnSource,
    PathSource,
    SimulateSource,
    validated,
    write_lock,
)

MEMBER = "member"  # role of a remote file that belongs to a folder a reader asks for as one


def lock_dataset(
    name: str,
    dataset: Dataset,
    *,
    manifest_folder: Path,
    locks: Path,
    resources: Path,
    retries: Retries = RETRIES,
) -> Path:
    """Resolve a dataset once into its lock table.

    Parameters
    ----------
    name : str
        Name in the manifest.
    dataset : Dataset
    manifest_folder : Path
        Where relative path sources start.
    locks : Path
        Folder of the lock tables.
    resources : Path
        Folder that remote and simulated datasets lie in.
    retries : Retries

    Returns
    -------
    Path
        The table, ``<locks>/<name>.tsv``. An older one stays if anything goes wrong.

    Raises
    ------
    NeuropipeError
        If the source cannot be read or listed, or holds no recording.
    """
    root = dataset_root(dataset, name, manifest_folder, resources)
    settings = read_settings(name, dataset)
    source = dataset.source
    if isinstance(source, SimulateSource):
        recordings = list_simulated(dataset, settings)
    elif isinstance(source, PathSource):
        recordings = lock_local(source_path(source, manifest_folder), dataset, settings)
    elif isinstance(source, NilearnSource):
        uri = nilearn_uri(source.nilearn, source.n_subjects)
        fetch_nilearn(uri, root)
        recordings = _with_uri(lock_local(root, dataset, settings), uri)
    else:
        listing = {file.path: file for file in list_remote(source, retries)}
        recordings = lock_remote(listing, dataset, settings)
        recordings = _hash_unpromised(recordings, listing, root, retries)
    path = locks / f"{name}.tsv"
    write_lock(path, recordings)
    return path


def dataset_root(dataset: Dataset, name: str, manifest_folder: Path, resources: Path) -> Path:
    """Folder that the paths of a dataset's lock are relative to.

    Parameters
    ----------
    dataset : Dataset
    name : str
    manifest_folder, resources : Path
        As for `lock_dataset`.

    Returns
    -------
    Path
        The folder of a path source (the parent of a single file); ``<resources>/<name>`` for all
        others.
    """
    if isinstance(dataset.source, PathSource):
        path = source_path(dataset.source, manifest_folder)
        return path.parent if path.is_file() else path
    return resources / name


def source_path(source: PathSource, manifest_folder: Path) -> Path:
    """Path of a local source; a relative one starts at the manifest's folder."""
    return manifest_folder / Path(source.path).expanduser()


def read_settings(name: str, dataset: Dataset) -> ReadSettings:
    """Validate the reading options of a dataset.

    Raises
    ------
    SettingsError
        Naming the first wrong key.
    """
    model = READ_SETTINGS[dataset.modality]
    return validated(model, dataset.read, f"read settings of {name}", SettingsError)


def lock_local(
    path: Path, dataset: Dataset, settings: ReadSettings, *, progress: bool = True
) -> list[LockedRecording]:
    """List and hash a dataset on this machine.

    Parameters
    ----------
    path : Path
        Its folder, or its single file.
    dataset : Dataset
    settings : ReadSettings
    progress : bool
        Show a bar on a terminal.

    Raises
    ------
    InputError
        If files cannot be listed or read, or make no recording.
    """
    root = path.parent if path.is_file() else path
    found = discover(_chosen_files(path, dataset.source), dataset.modality, settings)
    hashes = hash_files(root, (f.path for r in found for f in r.files), progress=progress)
    return [
        replace(
            recording,
            files=tuple(
                replace(f, bytes=size_of(root / f.path), sha256=hashes[f.path])
                for f in recording.files
            ),
        )
        for recording in found
    ]


def _chosen_files(path: Path, source: Any) -> list[str]:
    listed = list_files(path)
    if not isinstance(source, PathSource):
        return listed
    chosen = chosen_paths(listed, source.include, source.exclude)
    if not chosen:
        raise InputError(
            f"{path} holds {len(listed)} files, none of them chosen",
            f"files that match {', '.join(source.include)}",
            "correct include and exclude of the source",
        )
    return sorted(chosen)


def lock_remote(
    listing: dict[str, RemoteFile], dataset: Dataset, settings: ReadSettings
) -> list[LockedRecording]:
    """Group a listing into recordings, with addresses, sizes and checksums where it has them.

    A folder that a reader asks for as one becomes a row without address, followed by one row of
    role ``member`` for each file in it.
    """
    found = discover(sorted(listing), dataset.modality, settings)
    return [
        replace(recording, files=tuple(row for f in recording.files for row in _rows(f, listing)))
        for recording in found
    ]


def _rows(file: LockedFile, listing: dict[str, RemoteFile]) -> list[LockedFile]:
    if file.path in listing:
        return [_filled(file, listing[file.path])]
    members = [path for path in sorted(listing) if path.startswith(f"{file.path}/")]
    if not members:
        raise InputError(f"{file.path} is not in the listing", "a listed file", "report this")
    return [file, *(_filled(LockedFile(MEMBER, path), listing[path]) for path in members)]


def _filled(file: LockedFile, remote: RemoteFile) -> LockedFile:
    return replace(file, uri=remote.uri, bytes=remote.bytes or 0, sha256=remote.checksum)


def _hash_unpromised(
    recordings: Sequence[LockedRecording],
    listing: dict[str, RemoteFile],
    root: Path,
    retries: Retries,
) -> list[LockedRecording]:
    """Download what the server gives no checksum or size of, to measure both."""
    unknown = {
        file.path: file
        for recording in recordings
        for file in recording.files
        if file.uri and (not file.sha256 or listing[file.path].bytes is None)
    }
    if not unknown:
        return list(recordings)
    for path in unknown:
        if not _is_current(root / path, listing[path]):
            (root / path).unlink(missing_ok=True)
    fetch_files(list(unknown.values()), root, retries=retries)
    hashes = hash_files(root, unknown)

    def measured(file: LockedFile) -> LockedFile:
        if file.path not in unknown:
            return file
        return replace(file, bytes=size_of(root / file.path), sha256=hashes[file.path])

    return [replace(r, files=tuple(measured(f) for f in r.files)) for r in recordings]


def _is_current(path: Path, remote: RemoteFile) -> bool:
    """Tell whether a file was downloaded after the server's version of the same size was made."""
    if not path.is_file() or remote.bytes is None or remote.modified is None:
        return False
    found = path.stat()
    return found.st_size == remote.bytes and found.st_mtime > remote.modified


def _with_uri(recordings: Sequence[LockedRecording], uri: str) -> list[LockedRecording]:
    return [replace(r, files=tuple(replace(f, uri=uri) for f in r.files)) for r in recordings]


def list_simulated(dataset: Dataset, settings: ReadSettings) -> list[LockedRecording]:
    """Names of the files that a simulation will write: it is run once, into a temporary folder."""
    from neuropipe.simulate.commands import simulate

    with tempfile.TemporaryDirectory(prefix="neuropipe-lock-") as folder:
        output = Path(folder) / "simulated"
        simulate(dataset.source.simulate, json.dumps(dataset.source.settings), output)
        return discover(list_files(output), dataset.modality, settings)
