"""`neuropipe manifest lock|check|add`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from neuropipe.errors import LockError, ManifestError, NeuropipeError
from neuropipe.lock.add import add_dataset, parse_source
from neuropipe.lock.check import check_dataset
from neuropipe.lock.resolve import lock_dataset
from neuropipe.manifest import Dataset, load_manifest, read_lock
from neuropipe.study import LOCKS, RESOURCES


def lock_command(*, manifest: Path, names: Sequence[str], all_: bool) -> None:
    """Lock datasets.

    Parameters
    ----------
    manifest : Path
        The data manifest; locks and resources lie below its folder.
    names : sequence of str
        Datasets to lock, enabled or not.
    all_ : bool
        Lock every enabled dataset.

    Raises
    ------
    ManifestError
        If nothing or an unknown dataset is named.
    NeuropipeError
        If a dataset cannot be locked; those before it are.
    """
    folder = manifest.parent
    for name, dataset in _chosen(manifest, names, all_).items():
        path = lock_dataset(
            name,
            dataset,
            manifest_folder=folder,
            locks=folder / LOCKS,
            resources=folder / RESOURCES,
        )
        _say(_summary(name, path))


def check_command(*, manifest: Path, names: Sequence[str]) -> None:
    """Compare locks with their sources and print every difference.

    Parameters
    ----------
    manifest : Path
        The data manifest.
    names : sequence of str
        Datasets to check; every enabled one when empty.

    Raises
    ------
    LockError
        If a lock is missing or differs from its source.
    """
    folder = manifest.parent
    differing = []
    for name, dataset in _chosen(manifest, names, not names).items():
        try:
            lines = check_dataset(
                name, dataset, manifest_folder=folder, locks=folder / LOCKS,
                resources=folder / RESOURCES,
            )  # fmt: skip
        except NeuropipeError as error:
            lines = [str(error)]
        for line in lines:
            _say(f"{name}: {line}")
        if lines:
            differing.append(name)
        else:
            _say(f"{name}: as locked")
    if differing:
        raise LockError(
            f"{len(differing)} locks differ from their sources ({', '.join(differing)})",
            "the files that were locked",
            f"restore them, or run `neuropipe manifest lock {' '.join(differing)}`",
        )


def add_command(
    *,
    manifest: Path,
    name: str,
    source: str,
    modality: str | None = None,
    title: str | None = None,
    license_: str | None = None,
    citation: str | None = None,
) -> None:
    """Add a dataset to a manifest and lock it.

    Parameters
    ----------
    manifest : Path
        The data manifest; made when missing.
    name : str
    source : str
        See `add.parse_source`; a relative path starts at the current folder.
    modality, title, license_, citation : str, optional
        See `add.add_dataset`.

    Raises
    ------
    NeuropipeError
        If anything is wrong; then nothing has changed.
    """
    folder = manifest.parent
    given = parse_source(source)
    if "path" in given:
        given["path"] = _from_folder(Path(given["path"]), folder)
    lock = add_dataset(
        manifest, name, given, modality=modality, title=title, license_=license_,
        citation=citation, locks=folder / LOCKS, resources=folder / RESOURCES,
    )  # fmt: skip
    _say(_summary(name, lock))


def _from_folder(path: Path, folder: Path) -> str:
    """Write a path relative to the manifest's folder, unless it was given absolute."""
    path = path.expanduser()
    if path.is_absolute():
        return path.as_posix()
    return Path(os.path.relpath(path, folder)).as_posix()


def _chosen(manifest: Path, names: Sequence[str], all_: bool) -> dict[str, Dataset]:
    datasets = load_manifest(manifest).datasets
    unknown = [name for name in names if name not in datasets]
    if unknown:
        raise ManifestError(
            f"{manifest} has no dataset {unknown[0]!r}",
            f"one of {', '.join(datasets) or 'none'}",
            "correct the name or add the dataset",
        )
    if not names and not all_:
        raise ManifestError("no dataset is named", "names or --all", "name the datasets to lock")
    enabled = [name for name, dataset in datasets.items() if dataset.enabled] if all_ else []
    return {name: datasets[name] for name in dict.fromkeys([*names, *enabled])}


def _summary(name: str, lock: Path) -> str:
    recordings = read_lock(lock, name)
    files = {file.path: file for recording in recordings for file in recording.files}
    size = sum(file.bytes for file in files.values())
    subjects = {recording.subject for recording in recordings}
    extent = f"{size / 1e6:.1f} MB" if size else "to be simulated"
    return (
        f"{name}: {len(recordings)} recordings of {len(subjects)} subjects, {len(files)} files, "
        f"{extent} -> {lock}"
    )


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
