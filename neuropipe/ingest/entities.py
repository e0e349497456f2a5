"""Names of recordings from paths such as ``sub-01/ses-a/sub-01_ses-a_task-rest_ecephys.nwb``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from neuropipe.errors import InputError
from neuropipe.manifest import LockedFile, LockedRecording

PARTICIPANTS = "participants.tsv"
_ENTITY = re.compile(r"([A-Za-z]+)-(.+)")
_LABEL = re.compile(r"(session|ses|subject|sub)[-_](.+)", re.IGNORECASE)
_UNSAFE = re.compile(r"[^A-Za-z0-9_+-]+")


def safe_name(text: str, what: str) -> str:
    """Turn any text into a name that is safe as one part of a path.

    Parameters
    ----------
    text : str
        Such as a file's stem; runs of other characters become ``-``.
    what : str
        What it names, for the error.

    Raises
    ------
    InputError
        If no letter or digit is left.
    """
    name = _UNSAFE.sub("-", text).strip("-_+")[:100]
    if not name:
        raise InputError(f"{what} is {text!r}", "a name with letters or digits", "rename it")
    return name


def path_entities(path: str) -> dict[str, str]:
    """Read the ``key-value`` entities of a path, in the order of the file's name.

    Parameters
    ----------
    path : str
        POSIX path; entities of its folders count where its name has none of the same key.

    Returns
    -------
    dict of str to str
        Safe values by key: ``{"sub": "01", "ses": "a"}``.
    """
    *folders, last = PurePosixPath(path).parts
    inside = [_ENTITY.fullmatch(part) for part in PurePosixPath(last).stem.split("_")]
    above = [_ENTITY.fullmatch(part) for part in folders]
    matches = [m for m in above if m and m[1] in ("sub", "ses")] + [m for m in inside if m]
    found = {}
    for match in matches:
        found[match[1]] = safe_name(match[2], f"{match[1]} in {path}")
    return found


def name_recording(path: str) -> LockedRecording:
    """Name the recording that a file holds; no file is set yet.

    Parameters
    ----------
    path : str
        POSIX path relative to the dataset's root.

    Returns
    -------
    LockedRecording
        Named by its entities when they give a subject, by the file's stem otherwise.
    """
    entities = path_entities(path)
    stem = PurePosixPath(path).stem
    if "sub" in entities:
        ordered = {k: entities[k] for k in ("sub", "ses") if k in entities} | entities
        name = "_".join(f"{key}-{value}" for key, value in ordered.items())
        if not any(_ENTITY.fullmatch(part) for part in stem.split("_")):
            name += "_" + safe_name(stem, f"file {path}")
    else:
        name = safe_name(stem, f"file {path}")
    return LockedRecording(
        recording=name,
        subject=entities.get("sub", safe_name(stem, f"file {path}")),
        session=entities.get("ses", ""),
        task=entities.get("task", ""),
        run=entities.get("run", ""),
        files=(),
    )


def name_folder(folder: PurePosixPath) -> LockedRecording:
    """Name the recording that a folder holds; no file is set yet.

    Parameters
    ----------
    folder : PurePosixPath
        Relative to the dataset's root; ``.`` is the root itself.

    Returns
    -------
    LockedRecording
        Named by all parts of the path. The subject is its ``sub-`` entity, otherwise the last
        part, without a leading ``session-`` and the like.
    """
    what = f"folder {folder}"
    entities = path_entities((folder / f"{folder.name or 'recording'}.folder").as_posix())
    last = folder.name or "recording"
    match = _LABEL.fullmatch(last)
    label = safe_name(match[2] if match else last, what)
    session = label if match and match[1].startswith("ses") else ""
    return LockedRecording(
        recording=safe_name("_".join(folder.parts) or last, what),
        subject=entities.get("sub", label),
        session=entities.get("ses", session),
        task=entities.get("task", ""),
        run=entities.get("run", ""),
        files=(),
    )


def name_recordings(paths: Sequence[str]) -> list[LockedRecording]:
    """Name one recording a file, with the file's suffix where the entities alone are not unique.

    Parameters
    ----------
    paths : sequence of str
        POSIX paths relative to the dataset's root.
    """
    named = [name_recording(path) for path in paths]
    names = [one.recording for one in named]
    result = []
    for path, one in zip(paths, named, strict=True):
        name = one.recording
        suffix = PurePosixPath(path).stem.rpartition("_")[2]
        if names.count(name) > 1 and not _ENTITY.fullmatch(suffix):
            name = f"{name}_{safe_name(suffix, f'file {path}')}"
        result.append(LockedRecording(name, one.subject, one.session, one.task, one.run, ()))
    return result


def shared_files(
    paths: Sequence[str], wanted: Sequence[str] = (), role: str = "wiring"
) -> tuple[LockedFile, ...]:
    """Find the files that all recordings of a dataset share.

    Parameters
    ----------
    paths : sequence of str
        All paths of the dataset.
    wanted : sequence of str
        Paths that a setting names.
    role : str
        Role of the wanted files.

    Returns
    -------
    tuple of LockedFile
        The participants table at the root, if there is one, and the wanted files.

    Raises
    ------
    InputError
        If a wanted file is not among the paths.
    """
    known = set(paths)
    for path in wanted:
        if path not in known:
            raise InputError(
                f"{role} names {path!r}", f"one of the dataset's {len(known)} files", "correct it"
            )
    table = [LockedFile("participants", PARTICIPANTS)] if PARTICIPANTS in known else []
    return (*table, *(LockedFile(role, path) for path in wanted))
