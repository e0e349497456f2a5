"""Reader of BIDS fMRI: raw images or fMRIPrep's, to the series of regions, voxels or cubes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from neuropipe.errors import InputError, SettingsError
from neuropipe.fingerprint import sha256_file
from neuropipe.ingest.bids_names import (
    BidsName,
    BidsTree,
    fill_pattern,
    parse_name,
    recording_names,
)
from neuropipe.ingest.bids_units import brain_of, check_run, extract
from neuropipe.ingest.fmri import RegionSeries, finish
from neuropipe.ingest.grids import Grid, read_image, read_mask
from neuropipe.ingest.label_tables import read_labels
from neuropipe.ingest.settings import FmriReadSettings
from neuropipe.ingest.source import SourceFiles
from neuropipe.ingest.tables import read_sidecars
from neuropipe.ingest.timing import header_repetition_time, repetition_time
from neuropipe.ingest.unit_maps import UnitMap, grid_map, mask_map, parcellation_map
from neuropipe.manifest import LockedFile, LockedRecording
from neuropipe.recording import MISSING, Recording

_NIFTI = (".nii.gz", ".nii")
_NO_IMAGE_PARTS = ("phase", "real", "imag")
_SIDECAR_FACTS = ("SliceTiming", "SliceEncodingDirection", "EchoTime", "TaskName", "Manufacturer",
                  "MagneticFieldStrength", "SkullStripped")  # fmt: skip


def matches(paths: Sequence[str]) -> bool:
    """Whether any file is a BIDS image of a run."""
    return any(path.endswith(tuple(f"_bold{end}" for end in _NIFTI)) for path in paths)


def discover(paths: Sequence[str], settings: FmriReadSettings) -> list[LockedRecording]:
    """Group a tree's files into runs, by names only.

    Parameters
    ----------
    paths : sequence of str
        Relative POSIX paths of all files.
    settings : FmriReadSettings

    Returns
    -------
    list of LockedRecording
        With the roles ``data``, ``sidecar`` (from general to specific), ``events``, ``confounds``,
        ``confounds_sidecar``, ``mask``, ``parcellation``, ``labels`` and ``participants``.

    Raises
    ------
    InputError
        If images of several spaces or of one run's several versions leave a choice open, or a
        path setting names no file.
    """
    tree = BidsTree(paths)
    data = _chosen(tree, settings)
    names = recording_names(data)
    recordings = []
    for recording, name in zip(names, data, strict=True):
        recordings.append(locked(recording, name, _files(tree, name, settings)))
    return recordings


def locked(recording: str, name: BidsName, files: Sequence[LockedFile]) -> LockedRecording:
    """Name a recording's entities and files."""
    entity = name.entities.get
    return LockedRecording(
        recording=recording,
        subject=name.entities["sub"],
        session=entity("ses", ""),
        task=entity("task", ""),
        run=entity("run", ""),
        files=tuple(files),
    )


def _chosen(tree: BidsTree, settings: FmriReadSettings) -> list[BidsName]:
    """One image a run: derivatives before raw data, of the space that is asked for."""
    found = [
        name
        for name in tree.find("bold", _NIFTI)
        if "sub" in name.entities
        and name.entities.get("part") not in _NO_IMAGE_PARTS
        and settings.select.items() <= name.entities.items()
    ]
    if settings.folder is not None:
        folder = settings.folder.strip("/") + "/"
        found = [name for name in found if name.path.startswith(folder)]
    derived = [n for n in found if settings.desc and n.entities.get("desc") == settings.desc]
    if not derived and settings.desc not in (None, "preproc"):
        raise InputError(
            f"no *_desc-{settings.desc}_bold image among {len(found)} images",
            "that description",
            "correct read.desc",
        )
    if not derived:
        raw = [n for n in found if "desc" not in n.entities and "space" not in n.entities]
        plain = [n for n in raw if not n.root.startswith(("derivatives/", "sourcedata/"))]
        derived = plain or raw
    if found and not derived:
        known = sorted({n.entities.get("desc", "none") for n in found})
        raise InputError(
            f"{len(found)} images, none raw or desc-preproc (desc: {', '.join(known)})",
            "one of these",
            "choose it with read.desc",
        )
    spaced = [name for name in derived if "space" in name.entities]
    if settings.space is not None and spaced:
        derived = [n for n in spaced if n.entities["space"] == settings.space]
    spaces = sorted({name.entities.get("space", "none") for name in derived})
    if len(spaces) > 1:
        raise InputError(
            f"images in the spaces {', '.join(spaces)}", "one space", "choose it with read.space"
        )
    return derived


def _files(tree: BidsTree, data: BidsName, settings: FmriReadSettings) -> list[LockedFile]:
    roles: list[tuple[str, str | None]] = [("data", data.path)]
    roles += [("sidecar", path) for path in tree.inherited_anywhere(data, "bold", ".json")]
    roles += [("events", path) for path in tree.inherited_anywhere(data, "events", ".tsv")[-1:]]
    roles += confound_roles(tree, data)
    mask = _asked(tree, data, settings.mask, "mask")
    if mask is None:
        beside = (tree.beside(data, "mask", end, desc="brain") for end in _NIFTI)
        space = data.entities.get("space")  # a mask in native space fits no image in MNI space
        mask = next((p for p in beside if p and parse_name(p).entities.get("space") == space), None)
    roles.append(("mask", mask))
    parcellation = _asked(tree, data, settings.parcellation, "parcellation")
    if parcellation is not None:
        labels = _asked(tree, data, settings.labels, "labels")
        image = parse_name(parcellation)
        nearby = tree.inherited(image, image.suffix, ".tsv")
        roles += [
            ("parcellation", parcellation),
            ("labels", labels or next(iter(nearby[-1:]), None)),
        ]
    roles.append(("participants", tree.participants(data)))
    return [LockedFile(role, path) for role, path in roles if path is not None]


def confound_roles(tree: BidsTree, data: BidsName) -> list[tuple[str, str | None]]:
    """Role and path of a run's confounds table and its sidecar, where it has them."""
    for suffix in ("timeseries", "regressors"):  # fMRIPrep's name since 20.2, and before
        table = tree.beside(data, suffix, ".tsv", desc="confounds")
        if table is not None:
            sidecar = table.removesuffix(".tsv") + ".json"
            found = sidecar if sidecar in tree.paths else None
            return [("confounds", table), ("confounds_sidecar", found)]
    return []


def _asked(tree: BidsTree, data: BidsName, pattern: str | None, setting: str) -> str | None:
    if pattern is None:
        return None
    path = fill_pattern(pattern, data, setting)
    if path not in tree.paths:
        raise InputError(
            f"read.{setting} names {path}, which is not in the dataset",
            f"one of its {len(tree.paths)} files",
            "correct the setting or add the file",
        )
    return path


def read(files: SourceFiles, settings: FmriReadSettings) -> Recording:
    """Read one run.

    Parameters
    ----------
    files : SourceFiles
    settings : FmriReadSettings

    Returns
    -------
    Recording

    Raises
    ------
    InputError
        If a file is malformed or contradicts another one; see the modules that read them.
    """
    path = files.one("data")
    image = read_image(path, "run")
    grid = check_run(image, path)
    n_volumes, skip = int(image.shape[3]), settings.dummy_scans
    if n_volumes - skip < 2:
        raise InputError(
            f"{path} has {n_volumes} volumes, {skip} of them dummy scans",
            "two volumes or more that are left",
            "lower read.dummy_scans, or leave the run out",
        )
    sidecar = read_sidecars(files.many("sidecar"))
    unit = image.header.get_xyzt_units()[1]
    header = header_repetition_time(float(image.header.get_zooms()[3]), unit)
    step = repetition_time(str(path), sidecar, header, settings.repetition_time)

    entities = parse_name(files.locked.paths("data")[0]).entities
    space = entities.get("space", settings.space)
    chosen = _unit_map(files, settings, image, grid, space)
    units = chosen.units
    if len(units.table) > settings.max_units:
        raise InputError(
            f"{files.locked.recording} has {len(units.table)} units",
            f"at most {settings.max_units} (read.max_units)",
            "use a parcellation or units: grid",
        )
    found = extract(image, path, units, grid, skip=skip, fwhm=settings.smoothing_fwhm)
    history = [f"read {n_volumes} volumes of {grid.shape} voxels", *chosen.history, *units.history]
    how = "mean over voxels with signal" if units.weights is None else "least-squares weights"
    of = {"parcellation": f"regions of {chosen.name}", "mask": "voxels", "grid": "cubes"}
    history.append(f"{how}: {len(units.table)} {of[chosen.kind]}")
    if skip:
        history.append(f"{skip} dummy scans left out")
    if settings.smoothing_fwhm:
        history.append(f"smoothed by {settings.smoothing_fwhm:g} mm FWHM")
    table = units.table.drop(columns="atlas_size")
    table = table.assign(n_voxels=found.n_voxels, coverage=found.coverage)
    dead = found.n_voxels == 0  # finish drops them by their constant series
    start = sidecar.get("StartTime", 0.0)  # of the first volume, after slice timing correction
    start = float(start) if isinstance(start, int | float) else 0.0
    series = RegionSeries(
        raw=np.where(dead, np.nan, found.series),
        smoothed=found.smoothed,
        units=table,
        names=_all_names(chosen.labels, table),
        repetition_time=step,
        start=start + skip * step,
        n_volumes=n_volumes,
        global_signal=found.global_signal,
        dvars=found.dvars,
        over="voxels",
        history=history,
        attrs=_attrs(grid, chosen, space, sidecar),
    )
    return finish(files, settings, series)


@dataclass(frozen=True)
class _Chosen:
    kind: str
    name: str
    units: UnitMap
    labels: pd.DataFrame | None
    history: list[str]


def _unit_map(
    files: SourceFiles, settings: FmriReadSettings, image: Any, grid: Grid, space: str | None
) -> _Chosen:
    """Choose and build the units; see the setting `units`."""
    kind = settings.units
    has_parcellation = bool(files.locked.paths("parcellation") or settings.atlas)
    if kind == "auto":
        kind = "parcellation" if has_parcellation else "mask" if settings.mask else "grid"
    mask_path = files.optional("mask")
    brain, notes = (None, []) if mask_path is None else read_mask(mask_path, grid)
    if kind == "parcellation":
        path, table, name = _parcellation(files, settings, space)
        labels = read_labels(table)
        return _Chosen(kind, name, parcellation_map(path, labels, grid, brain), labels, notes)
    if brain is None and kind == "mask":
        raise InputError(
            f"{files.locked.recording} has no brain mask",
            "a *_desc-brain_mask image, or read.mask",
            "add one, or use units: grid",
        )
    if brain is None:
        brain = brain_of(image, files.one("data"), grid, settings.dummy_scans)
        notes = ["brain found as nilearn's EPI mask of the first volumes"]
    if kind == "mask":
        return _Chosen(kind, MISSING, mask_map(brain, grid, []), None, notes)
    return _Chosen(kind, MISSING, grid_map(brain, grid, settings.grid_edge), None, notes)


def _parcellation(
    files: SourceFiles, settings: FmriReadSettings, space: str | None
) -> tuple[Path, Path | None, str]:
    """Image, table and name of the parcellation that the settings ask for."""
    if files.locked.paths("parcellation"):
        path = files.one("parcellation")
        return path, files.optional("labels"), path.name
    if settings.atlas is None:
        raise SettingsError(
            "read.units is parcellation, none is set",
            "read.parcellation or read.atlas",
            "set one, or use units: grid",
        )
    if space is None or not space.startswith(("MNI", "ICBM", "Talairach")):
        raise InputError(
            f"{files.locked.recording} is in {space or 'its own'} space, not in MNI space",
            f"images in MNI space, as {settings.atlas} is",
            "run fMRIPrep with an MNI output space; where they are, say so by read.space",
        )
    from neuropipe.ingest.atlases import IMAGE, TABLE, atlas_folder, fetch_atlas

    folder = atlas_folder(settings.atlas, settings.atlas_folder)
    if not (folder / IMAGE).is_file():
        if settings.atlas_folder is not None:
            raise InputError(
                f"{folder} holds no atlas", IMAGE, f"run `neuropipe atlas {settings.atlas}`"
            )
        fetch_atlas(settings.atlas, folder)
    digest = sha256_file(folder / IMAGE)
    return folder / IMAGE, folder / TABLE, f"{settings.atlas} (sha256 {digest[:12]})"


def _all_names(labels: pd.DataFrame | None, table: pd.DataFrame) -> list[str]:
    present = list(table.index)
    if labels is None:
        return present
    named = list(labels.sort_index()["name"])
    return named + [name for name in present if name not in set(named)]


def _attrs(
    grid: Grid, chosen: _Chosen, space: str | None, sidecar: dict[str, Any]
) -> dict[str, Any]:
    facts = {key: sidecar[key] for key in _SIDECAR_FACTS if key in sidecar}
    edges = np.sqrt((grid.affine[:3, :3] ** 2).sum(axis=0)) / 1000
    return {
        "units": chosen.kind,
        "parcellation": chosen.name,
        "space": space or MISSING,
        "shape": list(grid.shape),
        "voxel_size": [float(edge) for edge in edges],  # m
        "affine": [[float(v) for v in row] for row in grid.affine],  # to mm
        **facts,
    }
