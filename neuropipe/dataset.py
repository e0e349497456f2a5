"""The recordings of a locked dataset, as a command over the whole dataset reads them."""

from __future__ import annotations

from pathlib import Path

from neuropipe.errors import InputError
from neuropipe.manifest import read_lock
from neuropipe.recording import Recording

__all__ = ["read_recording", "recording_paths"]


def recording_paths(lock: Path, dataset: str, folder: Path) -> list[Path]:
    """Name the files of a dataset's recordings, in the order of its lock.

    Parameters
    ----------
    lock : Path
        The dataset's lock table.
    dataset : str
        Name in the manifest.
    folder : Path
        Holds ``<recording>.nc`` for every recording of the lock; nothing is read here.

    Raises
    ------
    NeuropipeError
        If the lock cannot be read.
    """
    return [folder / f"{locked.recording}.nc" for locked in read_lock(lock, dataset)]


def read_recording(path: Path, dataset: str) -> Recording:
    """Read a recording and check that it is the one that its file's name says.

    Parameters
    ----------
    path : Path
    dataset : str
        Name in the manifest.

    Raises
    ------
    InputError
        If the file is missing, breaks the contract or holds another recording.
    """
    recording = Recording.read(path)
    if (recording.dataset, recording.recording) != (dataset, path.stem):
        raise InputError(
            f"{path} holds recording {recording.recording} of dataset {recording.dataset}",
            f"recording {path.stem} of dataset {dataset}",
            "make it again with `neuropipe ingest`",
        )
    return recording
