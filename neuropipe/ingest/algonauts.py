"""The Algonauts 2023 / Natural Scenes Dataset layout: images and responses of cortical vertices.

``subjXX/training_split/training_images/*.png`` and ``training_fmri/{lh,rh}_training_fmri.npy``
(images x vertices), perhaps the same of ``test_split``, and ``roi_masks`` with one label a vertex
(Gifford et al. 2023, arXiv 2301.03198).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from neuropipe.errors import InputError
from neuropipe.ingest.arrays import load_array, load_plain_object
from neuropipe.ingest.entities import safe_name, shared_files
from neuropipe.ingest.image_files import IMAGE_SUFFIXES, list_images, stimulus_table
from neuropipe.ingest.nwb import participant_row
from neuropipe.ingest.settings import ImagesReadSettings
from neuropipe.ingest.source import SourceFiles
from neuropipe.manifest import LockedFile, LockedRecording
from neuropipe.recording import MISSING, Recording, responses_array, text_table

HEMISPHERES = {"lh": "L", "rh": "R"}
_NSD = re.compile(r"nsd[-_]?(\d+)")
_MASK = re.compile(r"(lh|rh)\.(.+)_challenge_space\.npy")
_LABELS = re.compile(r"mapping_(.+)\.npy")
_SPLITS = {"train": "training", "test": "test"}


def matches(paths: Sequence[str]) -> bool:
    """Tell whether any path is the training responses of a hemisphere."""
    return any(PurePosixPath(p).name in _response_names("training") for p in paths)


def _response_names(split: str) -> list[str]:
    return [f"{side}_{split}_fmri.npy" for side in HEMISPHERES]


def discover(paths: Sequence[str], settings: ImagesReadSettings) -> list[LockedRecording]:  # noqa: ARG001
    """Name one recording for every subject folder.

    Parameters
    ----------
    paths : sequence of str
        Relative POSIX paths of the dataset's files.
    settings : ImagesReadSettings

    Raises
    ------
    InputError
        If a name is unsafe.
    """
    known, shared = set(paths), shared_files(paths)
    subjects = {
        PurePosixPath(p).parents[2]
        for p in paths
        if PurePosixPath(p).name in _response_names("training") and len(PurePosixPath(p).parts) > 2
    }
    found = []
    for folder in sorted(subjects):
        files: list[LockedFile] = []
        for role, split in _SPLITS.items():
            images = folder / f"{split}_split" / f"{split}_images"
            arrays = [images.parent / f"{split}_fmri" / name for name in _response_names(split)]
            present = [a for a in arrays if a.as_posix() in known]
            shown = any(
                PurePosixPath(p).parent == images
                and PurePosixPath(p).suffix.lower() in IMAGE_SUFFIXES
                for p in paths
            )
            if present and shown:
                files.append(LockedFile(f"{role}_images", images.as_posix()))
                files += [LockedFile(f"{role}_{a.name[:2]}", a.as_posix()) for a in present]
        masks = [folder / "roi_masks" / PurePosixPath(p).name for p in sorted(known)
                 if PurePosixPath(p).parent == folder / "roi_masks"]  # fmt: skip
        files += [
            LockedFile("roi_labels" if _LABELS.fullmatch(m.name) else "roi_mask", m.as_posix())
            for m in masks
            if _LABELS.fullmatch(m.name) or _MASK.fullmatch(m.name)
        ]
        name = safe_name("_".join(folder.parts) or "subject", f"folder {folder}")
        subject = safe_name((folder.name or name).removeprefix("sub-"), f"folder {folder}")
        found.append(LockedRecording(name, subject, "", "", "", (*files, *shared)))
    return found


def read(files: SourceFiles, settings: ImagesReadSettings) -> Recording:
    """Read the responses of one subject; of the images only the headers.

    Responses are memory-mapped, and only the chosen vertices are ever held in memory.

    Parameters
    ----------
    files : SourceFiles
        Roles ``train_images`` (a folder), ``train_lh``, ``train_rh``, and the same of ``test``;
        ``roi_mask`` and ``roi_labels``.
    settings : ImagesReadSettings
        ``regions`` keeps the vertices of some areas only.

    Returns
    -------
    Recording
        Of modality ``images``; the column ``split`` of its stimuli says train or test.

    Raises
    ------
    InputError
        If images, hemispheres and masks disagree in length, or no vertex lies in the regions.
    """
    history: list[str] = []
    locked = files.locked
    sides = [side for side in HEMISPHERES if locked.paths(f"train_{side}")]
    if not sides or not locked.paths("train_images"):
        raise InputError(
            f"recording {locked.recording} lacks training images or responses", "both", "lock again"
        )
    splits = [
        split
        for split in _SPLITS
        if locked.paths(f"{split}_images") and all(locked.paths(f"{split}_{s}") for s in sides)
    ]
    if splits == ["train"]:
        history.append("no responses to test images; the recording holds the training split")
    arrays = {
        (split, side): _responses(files.one(f"{split}_{side}"))
        for split in splits
        for side in sides
    }
    stimuli = pd.concat([_stimuli(files, split, history) for split in splits])
    if not stimuli.index.is_unique:
        twice = stimuli.index[stimuli.index.duplicated()][0]
        raise InputError(f"image {twice} stands twice", "unique names", "rename one")
    units = pd.concat([_vertices(files, side, arrays["train", side].shape[1]) for side in sides])
    for (split, side), array in arrays.items():
        wanted = (int((stimuli["split"] == split).sum()), arrays["train", side].shape[1])
        if array.shape != wanted:
            raise InputError(
                f"{files.one(f'{split}_{side}')} has shape {array.shape}",
                f"{wanted}, images of the folder x vertices",
                "add or remove images or responses",
            )
    keep = _in_regions(units, settings.regions)
    values = np.empty((1, len(stimuli), int(keep.sum())), dtype=np.float32)
    row = 0
    for split in splits:
        column, vertex = 0, 0
        n_rows = int((stimuli["split"] == split).sum())
        for side in sides:
            array = arrays[split, side]
            chosen = np.flatnonzero(keep[vertex : vertex + array.shape[1]])
            block = values[0, row : row + n_rows, column : column + len(chosen)]
            block[:] = array if len(chosen) == array.shape[1] else array[:, chosen]
            vertex, column = vertex + array.shape[1], column + len(chosen)
        row += n_rows
    if settings.regions is not None:
        history.append(f"{values.shape[2]} of {len(keep)} vertices lie in the chosen regions")
    units = text_table(units[keep], "unit")
    return Recording(
        dataset=files.dataset,
        recording=locked.recording,
        subject=locked.subject,
        session=locked.session,
        task=locked.task,
        run=locked.run,
        modality="images",
        species="Homo sapiens",
        units=units,
        responses=responses_array(values, units.index, unit=settings.response_unit),
        stimuli=text_table(stimuli, "stimulus"),
        participant=participant_row(files),
        history=history,
    )


def _responses(path: Path) -> np.ndarray:
    array = load_array(path)
    if array.ndim != 2:
        raise InputError(f"{path} has shape {array.shape}", "(images, vertices)", "write it again")
    return array


def _stimuli(files: SourceFiles, split: str, history: list[str]) -> pd.DataFrame:
    folder = files.one(f"{split}_images")
    relative = PurePosixPath(files.locked.paths(f"{split}_images")[0])
    table = stimulus_table(folder, relative, list_images(folder), None, history)
    found = [_NSD.search(str(name)) for name in table.index]
    if all(found):
        table["nsd_id"] = [int(match[1]) for match in found if match]
    table["split"] = split
    return table


def _vertices(files: SourceFiles, side: str, n_vertices: int) -> pd.DataFrame:
    """One row a vertex: hemisphere, an area for every kind of mask, and the first of them."""
    names = [f"{side}-{i:05d}" for i in range(1, n_vertices + 1)]
    labels: dict[str, dict[int, str]] = {}
    for path in files.many("roi_labels"):
        match = _LABELS.fullmatch(path.name)
        mapping = load_plain_object(path)
        sound = isinstance(mapping, dict) and all(
            isinstance(k, int | np.integer) and isinstance(v, str) for k, v in mapping.items()
        )
        if match is None or not sound:
            raise InputError(f"{path} holds no mapping", "label number to name", "fetch it again")
        labels[match[1]] = {int(k): str(v) for k, v in mapping.items()}
    table = pd.DataFrame({"hemisphere": HEMISPHERES[side]}, index=pd.Index(names, dtype=object))
    region = np.full(n_vertices, MISSING, dtype=object)
    for path in files.many("roi_mask"):
        match = _MASK.fullmatch(path.name)
        if match is None or match[1] != side or match[2] == "all-vertices":
            continue
        mask = np.asarray(load_array(path))
        if mask.shape != (n_vertices,):
            raise InputError(
                f"{path} has shape {mask.shape}", f"({n_vertices},), one label a vertex", "fetch it"
            )
        known = labels.get(match[2], {})
        areas = np.array(
            [known.get(int(v), str(int(v))) if v else MISSING for v in mask], dtype=object
        )
        table[match[2].replace("-", "_")] = areas
        # "streams" divides the whole cortex coarsely; a named area says more.
        if match[2] != "streams":
            region = np.where(region == MISSING, areas, region)
    if files.many("roi_mask"):
        table["region"] = region
    return table


def _in_regions(units: pd.DataFrame, regions: list[str] | None) -> np.ndarray:
    if regions is None:
        return np.ones(len(units), dtype=bool)
    areas = units.drop(columns=["hemisphere"])
    known = sorted({str(v) for c in areas for v in areas[c].dropna().unique()} - {MISSING})
    unknown = [name for name in regions if name not in known]
    if unknown or not regions:
        raise InputError(
            f"regions names {unknown or 'nothing'}",
            f"areas of {', '.join(known) or '(no roi_masks)'}",
            "correct the setting regions",
        )
    return np.asarray(areas.isin(regions).any(axis=1), dtype=bool)
