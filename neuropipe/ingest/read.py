"""From a locked recording to a Recording, whatever its format."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from neuropipe.errors import InputError
from neuropipe.ingest.formats import READERS
from neuropipe.ingest.settings import ReadSettings
from neuropipe.ingest.source import SourceFiles
from neuropipe.manifest import LockedRecording
from neuropipe.provenance import software_versions
from neuropipe.recording import Recording


def reader(modality: str, paths: Sequence[str], settings: ReadSettings) -> Any:
    """Choose the reader of a dataset by its setting or, on ``auto``, by its files.

    Parameters
    ----------
    modality : str
    paths : sequence of str
        Relative POSIX paths of the dataset's files.
    settings : ReadSettings

    Raises
    ------
    InputError
        If no reader of the modality knows any of the files.
    """
    wanted = getattr(settings, "format", "auto")
    modules = [
        m for (mod, form), m in READERS.items() if mod == modality and wanted in ("auto", form)
    ]
    for name in modules:
        module = import_module(name)
        if wanted != "auto" or module.matches(paths):
            return module
    raise InputError(
        f"no {modality} file among {len(paths)} files (first: {', '.join(sorted(paths)[:3])})",
        f"files of one of these readers: {', '.join(m.rpartition('.')[2] for m in modules)}",
        "correct the source's path, or the modality",
    )


def discover(paths: Sequence[str], modality: str, settings: ReadSettings) -> list[LockedRecording]:
    """Group a dataset's files into recordings, looking at names only.

    Parameters
    ----------
    paths : sequence of str
        Relative POSIX paths of all files of the dataset.
    modality : str
    settings : ReadSettings

    Returns
    -------
    list of LockedRecording
        Sorted by name; of each file only role and path are set.

    Raises
    ------
    InputError
        If there is no recording, a name is unsafe, or two recordings share a name.
    """
    found: list[LockedRecording] = reader(modality, paths, settings).discover(paths, settings)
    if not found:
        raise InputError(f"no {modality} recording found", "at least one", "correct the source")
    names = [recording.recording for recording in found]
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f"two recordings are named {name}", "unique entities", "add ses-, task- or run-"
            )
    return sorted(found, key=lambda recording: recording.recording)


def read_recording(files: SourceFiles, modality: str, settings: ReadSettings) -> Recording:
    """Verify and read one recording.

    Raises
    ------
    InputError, LockError
        If a file is missing, changed or malformed.
    """
    sources = files.verify()
    locked = files.locked
    paths = [file.path for file in locked.files]
    recording: Recording = reader(modality, paths, settings).read(files, settings)
    recording.sources = sources
    recording.software = software_versions()
    if settings.species:
        recording.species = settings.species
    return recording
