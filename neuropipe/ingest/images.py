"""Folders of images with the responses of units to them.

A session is a folder with the images in ``images/`` and an array of responses beside it. The order
of the images is that of their sorted file names, unless ``stimuli.tsv`` (or ``.csv``) lists them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from neuropipe.errors import InputError
from neuropipe.ingest.arrays import SUFFIXES, load_array
from neuropipe.ingest.entities import name_folder, safe_name, shared_files
from neuropipe.ingest.image_files import (
    IMAGE_SUFFIXES,
    list_images,
    read_side_table,
    stimulus_table,
)
from neuropipe.ingest.nwb import participant_row
from neuropipe.ingest.settings import ImagesReadSettings
from neuropipe.ingest.source import SourceFiles
from neuropipe.manifest import LockedFile, LockedRecording
from neuropipe.recording import Recording, responses_array, text_table

_STEMS = ("responses_trials", "responses", "responses_mean")
_TABLES = (".tsv", ".csv")


def matches(paths: Sequence[str]) -> bool:
    """Tell whether any path is a response array, or an array beside a folder ``images``."""
    files = [PurePosixPath(path) for path in paths]
    beside = {f.parent.parent for f in files if f.parent.name == "images"}
    beside |= {f.parent for f in files if f.name == "images"}  # the folder, as a lock lists it
    arrays = [f for f in files if f.suffix.lower() in SUFFIXES]
    return any(f.stem in _STEMS or f.parent in beside for f in arrays)


def discover(paths: Sequence[str], settings: ImagesReadSettings) -> list[LockedRecording]:
    """Name one recording for every folder with images and responses.

    Parameters
    ----------
    paths : sequence of str
        Relative POSIX paths of the dataset's files.
    settings : ImagesReadSettings

    Raises
    ------
    InputError
        If a folder of images has no responses beside it, or a name is unsafe.
    """
    known = set(paths)
    folders = {
        PurePosixPath(p).parent.parent
        for p in paths
        if PurePosixPath(p).parent.name == settings.images
        and PurePosixPath(p).suffix.lower() in IMAGE_SUFFIXES
    }
    shared = shared_files(paths)
    found = []
    for folder in sorted(folders):
        files = [LockedFile("images", (folder / settings.images).as_posix())]
        files.append(LockedFile("responses", _response_file(folder, known, settings)))
        for role in ("stimuli", "units"):
            for suffix in _TABLES:
                path = (folder / f"{role}{suffix}").as_posix()
                if path in known:
                    files.append(LockedFile(role, path))
                    break
        named = name_folder(folder)
        subject = _subject(folder, named, settings)
        found.append(replace(named, subject=subject, files=(*files, *shared)))
    return found


def _response_file(folder: PurePosixPath, known: set[str], settings: ImagesReadSettings) -> str:
    names = [f"{stem}{suffix}" for stem in _STEMS for suffix in SUFFIXES]
    if settings.responses is not None:
        names = [settings.responses]
    for name in names:
        if (folder / name).as_posix() in known:
            return (folder / name).as_posix()
    raise InputError(
        f"folder {folder} has images but no responses",
        settings.responses or f"{' or '.join(_STEMS)} with {', '.join(SUFFIXES)}",
        "add the array, or name it with the setting responses",
    )


def _subject(folder: PurePosixPath, named: LockedRecording, settings: ImagesReadSettings) -> str:
    subjects = settings.subjects
    for key in (folder.as_posix(), folder.name, named.recording, named.session or named.subject):
        if key in subjects:
            return safe_name(subjects[key], f"subject of {folder} in the setting subjects")
    return named.subject


def read(files: SourceFiles, settings: ImagesReadSettings) -> Recording:
    """Read the responses of one session; of the images only the headers.

    Parameters
    ----------
    files : SourceFiles
        Roles ``images`` (the folder), ``responses`` and perhaps ``stimuli`` and ``units``.
    settings : ImagesReadSettings

    Returns
    -------
    Recording
        Of modality ``images``; a unit without any response is absent.

    Raises
    ------
    InputError
        If responses and images or units do not match, an image is broken or too large, or a table
        is malformed.
    """
    history: list[str] = []
    folder, path = files.one("images"), files.one("responses")
    relative = PurePosixPath(files.locked.paths("images")[0])
    table = files.optional("stimuli")
    stimuli = stimulus_table(folder, relative, list_images(folder), table, history)
    values = ordered_responses(
        load_array(path, settings.variable), settings.axes, len(stimuli), str(path)
    )
    history.append(f"responses of {path.name}: {values.shape[0]} repeats at most")
    units = _units(files.optional("units"), values.shape[2])
    present = np.isfinite(values).any(axis=(0, 1))
    if not present.any():
        raise InputError(f"{path} holds only NaN", "responses", "write the file again")
    if not present.all():
        history.append(f"{int((~present).sum())} units without any response are absent")
    units = units[present]
    responses = responses_array(values[:, :, present], units.index, unit=settings.response_unit)
    locked = files.locked
    return Recording(
        dataset=files.dataset,
        recording=locked.recording,
        subject=locked.subject,
        session=locked.session,
        task=locked.task,
        run=locked.run,
        modality="images",
        units=units,
        responses=responses,
        stimuli=text_table(stimuli, "stimulus"),
        participant=participant_row(files),
        history=history,
    )


def ordered_responses(array: np.ndarray, axes: str, n_stimuli: int, what: str) -> np.ndarray:
    """Bring responses into the order (repeat, stimulus, unit).

    Parameters
    ----------
    array : array of two or three dimensions
        NaN where a trial is missing.
    axes : str
        Names of its axes, such as ``unit,stimulus,repeat``; ``repeat`` is left out for a mean.
    n_stimuli : int
        Number of images.
    what : str
        Name of the file, for errors.

    Returns
    -------
    array of shape (n_repeats, n_stimuli, n_units), float32
        Repeats that are missing for every image and unit are cut off.

    Raises
    ------
    InputError
        If the array has other dimensions, or its stimulus axis another length than there are
        images, naming the axis that would fit.
    """
    names = axes.split(",")
    if array.ndim == 2:
        names = [name for name in names if name != "repeat"]
    if array.ndim != len(names):
        raise InputError(
            f"{what} has shape {array.shape}", f"the axes {axes}", "correct the setting axes"
        )
    at = names.index("stimulus")
    if array.shape[at] != n_stimuli:
        fitting = [i for i, n in enumerate(array.shape) if n == n_stimuli]
        where = f"axis {fitting[0] + 1} matches" if fitting else "no axis matches"
        raise InputError(
            f"{what} has shape {array.shape} with axes {','.join(names)}, and there are "
            f"{n_stimuli} images: {where}",
            f"{n_stimuli} on axis {at + 1} (stimulus)",
            "correct the setting axes" if fitting else "add or remove images or responses",
        )
    order = [names.index(name) for name in ("repeat", "stimulus", "unit") if name in names]
    values = np.transpose(array, order).astype(np.float32)
    values = np.ascontiguousarray(values if array.ndim == 3 else values[None])
    if np.isinf(values).any():
        raise InputError(f"{what} holds infinite values", "NaN where missing", "correct it")
    used = np.flatnonzero(np.isfinite(values).any(axis=(1, 2)))
    return values[: used[-1] + 1] if len(used) else values


def _units(path: Path | None, n_units: int) -> pd.DataFrame:
    width = max(3, len(str(n_units)))
    names = [f"unit-{i:0{width}d}" for i in range(1, n_units + 1)]
    if path is None:
        return text_table(pd.DataFrame(index=names), "unit")
    table = read_side_table(path)
    if len(table) != n_units:
        raise InputError(
            f"{path} has {len(table)} rows", f"{n_units}, one a unit of the responses", "correct it"
        )
    column = next((c for c in ("unit", "name", "unit_id") if c in table), None)
    if column is not None:
        names = [_name(v, names[i]) for i, v in enumerate(table[column])]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise InputError(f"{path} names unit {twice} twice", "unique names", "correct it")
        table = table.drop(columns=column)
    return text_table(table.set_axis(pd.Index(names, dtype=object), axis=0), "unit")


def _name(value: object, default: str) -> str:
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else default
    return default if value is None else str(value)
