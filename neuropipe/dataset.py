"""The recordings of a locked dataset, as a command over the whole dataset reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from neuropipe.errors import InputError, UnfitRecordingError
from neuropipe.manifest import read_lock
from neuropipe.recording import Recording

__all__ = ["read_recording", "recording_paths", "usable"]

T = TypeVar("T")
_MOST_NAMED = 10


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


def usable(
    recordings: Iterable[Recording], read: Callable[[Recording], T], dataset: str, remedy: str
) -> tuple[list[T], list[str]]:
    """Keep of every recording what an analysis needs; leave out those that it cannot use.

    Parameters
    ----------
    recordings : iterable of Recording
        Read one at a time.
    read : callable
        From a recording to what is kept of it.
    dataset : str
        For messages.
    remedy : str
        What to do where none can be used.

    Returns
    -------
    kept : list
    warnings : list of str
        Recordings that were left out, and why.

    Raises
    ------
    UnfitRecordingError
        If no recording can be used.
    """
    kept: list[T] = []
    unfit: list[UnfitRecordingError] = []
    for recording in recordings:
        try:
            kept.append(read(recording))
        except UnfitRecordingError as error:
            unfit.append(error)
    if not kept:
        raise UnfitRecordingError(
            f"no recording of {dataset} can be used; the first: "
            + (unfit[0].given if unfit else "the lock is empty"),
            "at least one recording with enough units and frames",
            remedy,
        )
    warnings = [f"Recording left out: {error.given}." for error in unfit[:_MOST_NAMED]]
    if len(unfit) > _MOST_NAMED:
        warnings.append(f"{len(unfit) - _MOST_NAMED} more recordings left out.")
    return kept, warnings
