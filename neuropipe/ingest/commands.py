"""`neuropipe ingest`: one locked recording to one NetCDF file."""

from __future__ import annotations

from pathlib import Path

from neuropipe.errors import LockError, SettingsError
from neuropipe.ingest.read import read_recording
from neuropipe.ingest.settings import READ_SETTINGS
from neuropipe.ingest.source import SourceFiles
from neuropipe.manifest import read_lock
from neuropipe.settings import parse_settings


def ingest(
    *,
    dataset: str,
    modality: str,
    recording: str,
    lock: Path,
    root: Path,
    settings: str,
    output: Path,
) -> None:
    """Read one recording of a dataset and write it.

    Parameters
    ----------
    dataset, modality, recording : str
        Names as in the manifest and the lock.
    lock : Path
        The dataset's lock table.
    root : Path
        Folder that the lock's paths are relative to.
    settings : str
        Reading options as JSON.
    output : Path
        The NetCDF file to write.

    Raises
    ------
    NeuropipeError
        If anything about the input is wrong; then nothing is written.
    """
    if modality not in READ_SETTINGS:
        raise SettingsError(f"modality is {modality!r}", ", ".join(READ_SETTINGS), "correct it")
    read = parse_settings(READ_SETTINGS[modality], settings, f"read settings of {dataset}")
    locked = {found.recording: found for found in read_lock(lock, dataset)}
    if recording not in locked:
        raise LockError(
            f"{lock} names no recording {recording}",
            f"one of its {len(locked)} recordings",
            f"run `neuropipe manifest lock {dataset}`",
        )
    files = SourceFiles(dataset, root, locked[recording])
    read_recording(files, modality, read).write(output)
