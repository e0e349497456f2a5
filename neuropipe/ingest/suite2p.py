"""Suite2p output folders: ``suite2p/plane0/{F,Fneu,spks,iscell,ops,stat}.npy``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from neuropipe.errors import InputError
from neuropipe.ingest.arrays import load_array, load_plain_object
from neuropipe.ingest.clock import Sampled, align
from neuropipe.ingest.entities import name_folder, shared_files
from neuropipe.ingest.fluorescence import delta_f_over_f, subtract_neuropil
from neuropipe.ingest.nwb import filter_units, participant_row, wiring_attrs
from neuropipe.ingest.nwb_rois import finish_units
from neuropipe.ingest.settings import CalciumReadSettings
from neuropipe.ingest.source import SourceFiles
from neuropipe.manifest import LockedFile, LockedRecording
from neuropipe.recording import Recording, signals_array

_PLANE = re.compile(r"plane\d+")
_ROLES = ("F", "Fneu", "spks", "iscell", "ops", "stat")
_STATISTICS = ("npix", "radius", "skew", "compact", "footprint")


def matches(paths: Sequence[str]) -> bool:
    """Tell whether any path is the fluorescence of a Suite2p plane."""
    return any(_plane_of(path) is not None for path in paths)


def _plane_of(path: str) -> PurePosixPath | None:
    """Plane folder of an ``F.npy``."""
    file = PurePosixPath(path)
    return file.parent if file.name == "F.npy" and _PLANE.fullmatch(file.parent.name) else None


def discover(paths: Sequence[str], settings: CalciumReadSettings) -> list[LockedRecording]:
    """Name one recording for every folder that holds planes.

    Its name is that of the folder that holds ``suite2p``.

    Parameters
    ----------
    paths : sequence of str
        Relative POSIX paths of the dataset's files.
    settings : CalciumReadSettings

    Raises
    ------
    InputError
        If a name is unsafe or a file that the settings name is absent.
    """
    known = set(paths)
    shared = shared_files(paths, settings.wiring)
    folders: dict[PurePosixPath, list[PurePosixPath]] = {}
    for plane in sorted(filter(None, map(_plane_of, paths)), key=_plane_order):
        folders.setdefault(plane.parent, []).append(plane)
    found = []
    for folder, planes in folders.items():
        files = [
            LockedFile(role, (plane / f"{role}.npy").as_posix())
            for plane in planes
            for role in _ROLES
            if (plane / f"{role}.npy").as_posix() in known
        ]
        # The folder that Suite2p makes says nothing; the one that holds it does.
        above = folder.parent if folder.name == "suite2p" else folder
        found.append(replace(name_folder(above), files=(*files, *shared)))
    return found


def _plane_order(plane: PurePosixPath) -> tuple[str, int]:
    return plane.parent.as_posix(), int(plane.name.removeprefix("plane"))


def read(files: SourceFiles, settings: CalciumReadSettings) -> Recording:
    """Read the cells of one Suite2p folder; its planes stand side by side.

    Parameters
    ----------
    files : SourceFiles
        Roles ``F``, ``Fneu``, ``spks``, ``iscell``, ``ops`` and ``stat``; one of each a plane.
    settings : CalciumReadSettings

    Returns
    -------
    Recording
        Of modality ``calcium``.

    Raises
    ------
    InputError
        If arrays disagree in shape, the rate is unknown, or no cell is left.
    """
    locked, history = files.locked, list[str]()
    planes = [Path(path).parent for path in files.locked.paths("F")]
    if not planes:
        raise InputError(f"recording {locked.recording} has no F.npy", "one a plane", "lock again")
    names = [plane.name for plane in planes]
    read_planes = [_read_plane(files.root / plane, settings, history) for plane in planes]
    arrays, clock = align([sampled for sampled, _ in read_planes], names)
    traces = np.concatenate(arrays, axis=1)
    units = pd.concat([table for _, table in read_planes], ignore_index=True)
    history += clock.notes
    if len(planes) > 1:
        units["plane"] = np.repeat(names, [len(table) for _, table in read_planes])
    deconvolved = settings.traces == "deconvolved"
    if not deconvolved and settings.dff == "auto":
        traces = delta_f_over_f(
            traces,
            clock.rate,
            window=settings.baseline_window,
            percentile=settings.baseline_percentile,
        )
        history.append(
            f"dF/F with F0 the running {settings.baseline_percentile:g}th percentile over "
            f"{settings.baseline_window:g} s"
        )
    keep = np.isfinite(traces).any(axis=0) & filter_units(units, settings.filters)
    if not keep.any():
        raise InputError(
            f"{locked.recording}: none of {len(keep)} cells has values and passes the filters",
            "at least one cell",
            "loosen cell_probability or filters, or set dff: never",
        )
    if not keep.all():
        history.append(f"{int(keep.sum())} of {len(keep)} cells kept")
    table = finish_units(
        units[keep], settings.unit_names, settings.homologues, locked.recording, history
    )
    unit = "" if deconvolved or settings.dff == "never" else "dF/F"
    return Recording(
        dataset=files.dataset,
        recording=locked.recording,
        subject=locked.subject,
        session=locked.session,
        task=locked.task,
        run=locked.run,
        modality="calcium",
        units=table,
        signals=signals_array(traces[:, keep], clock.rate, table.index, unit=unit),
        participant=participant_row(files),
        history=history,
        attrs={"series": "spks" if deconvolved else "F", **wiring_attrs(files)},
    )


def _read_plane(
    folder: Path, settings: CalciumReadSettings, history: list[str]
) -> tuple[Sampled, pd.DataFrame]:
    """Traces of a plane's cells, of shape (n_times, n_cells), and their table."""
    deconvolved = settings.traces == "deconvolved"
    stored = _traces(folder / ("spks.npy" if deconvolved else "F.npy"))
    n_rois = len(stored)
    cells, probability = _cells(folder, n_rois, settings, history)
    traces = np.asarray(stored[cells], dtype=np.float32).T
    traces[np.isinf(traces)] = np.nan
    around = folder / "Fneu.npy"
    if not deconvolved and settings.dff == "auto" and settings.neuropil_factor and around.exists():
        neuropil = _traces(around)
        if neuropil.shape != stored.shape:
            raise InputError(
                f"{around} has shape {neuropil.shape}",
                f"{stored.shape} as F.npy",
                "run Suite2p again",
            )
        traces = subtract_neuropil(traces, neuropil[cells].T, settings.neuropil_factor)
        history.append(
            f"{folder.name}: neuropil subtracted with factor {settings.neuropil_factor:g}"
        )
    units = pd.DataFrame({"roi": np.flatnonzero(cells)})
    if probability is not None:
        units["cell_probability"] = probability[cells]
    for name, values in _statistics(folder / "stat.npy", n_rois).items():
        units[name] = values[cells]
    return Sampled(traces, _rate(folder / "ops.npy", settings), 0.0), units


def _traces(path: Path) -> np.ndarray:
    if not path.exists():
        raise InputError(f"{path} is missing", "the traces of the setting", "correct the setting")
    array = load_array(path)
    if array.ndim != 2 or array.shape[1] < 2:
        raise InputError(
            f"{path} has shape {array.shape}",
            "(ROI, time), two samples or more",
            "run Suite2p again",
        )
    return array


def _cells(
    folder: Path, n_rois: int, settings: CalciumReadSettings, history: list[str]
) -> tuple[np.ndarray, np.ndarray | None]:
    path = folder / "iscell.npy"
    if not path.exists():
        history.append(f"{folder.name}: no iscell.npy; all {n_rois} ROIs taken as cells")
        return np.ones(n_rois, dtype=bool), None
    array = load_array(path)
    if array.ndim != 2 or array.shape[0] != n_rois or array.shape[1] < 2:
        raise InputError(
            f"{path} has shape {array.shape}",
            f"({n_rois}, 2) as F.npy has ROIs",
            "run Suite2p again",
        )
    probability = np.asarray(array[:, 1], dtype=np.float64)
    least = settings.cell_probability
    # Suite2p stores float32: 0.9 there is a little less than 0.9 here.
    cells = array[:, 0] > 0.5 if least is None else probability >= float(np.float32(least))
    rule = "Suite2p's verdict" if least is None else f"probability of {least:g} or more"
    if not cells.any():
        raise InputError(
            f"{path}: none of its {n_rois} ROIs is a cell ({rule})",
            "at least one cell",
            "lower the setting cell_probability",
        )
    history.append(f"{folder.name}: {int(cells.sum())} of {n_rois} ROIs are cells ({rule})")
    return np.asarray(cells, dtype=bool), probability


def _rate(path: Path, settings: CalciumReadSettings) -> float:
    if settings.sampling_rate is not None:
        return settings.sampling_rate
    remedy = "set read: sampling_rate (Hz)"
    if not path.exists():
        raise InputError(f"{path} is missing", "the rate fs in it", remedy)
    ops = load_plain_object(path)
    rate = ops.get("fs") if isinstance(ops, dict) else None
    if not isinstance(rate, int | float | np.number) or not np.isfinite(rate) or rate <= 0:
        # Not the value of a container: nested in itself a few times, it would print without end.
        shown = repr(rate) if isinstance(rate, int | float | np.number | str) else type(rate)
        raise InputError(f"{path} has fs {shown}", "a rate in Hz", remedy)
    return float(rate)


def _statistics(path: Path, n_rois: int) -> dict[str, np.ndarray]:
    """Centres in pixels and shape statistics of all ROIs; nothing where there is no stat.npy."""
    if not path.exists():
        return {}
    stat: Any = load_plain_object(path)
    if not isinstance(stat, np.ndarray | list) or len(stat) != n_rois:
        raise InputError(
            f"{path} does not list {n_rois} ROIs", "one entry a ROI", "run Suite2p again"
        )
    rows = [one if isinstance(one, dict) else {} for one in stat]
    try:
        middles = [np.asarray(one.get("med", [np.nan] * 2), np.float64).ravel() for one in rows]
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{path}: med: {error}", "the centre of every ROI in pixels", "run Suite2p again"
        ) from error
    columns = {
        "y_px": np.array([m[0] if len(m) > 1 else np.nan for m in middles]),
        "x_px": np.array([m[1] if len(m) > 1 else np.nan for m in middles]),
    }
    for name in _STATISTICS:
        if all(isinstance(one.get(name), int | float | np.number) for one in rows):
            columns[name] = np.array([float(one[name]) for one in rows])
    return columns
