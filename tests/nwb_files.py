"""Small NWB files, image sessions and Suite2p folders for the readers' tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from pynwb import NWBHDF5IO, NWBFile, TimeSeries
from pynwb.file import Subject
from pynwb.ophys import (
    DfOverF,
    Fluorescence,
    ImageSegmentation,
    OpticalChannel,
    RoiResponseSeries,
)

from neuropipe.ingest.read import read_recording
from neuropipe.ingest.settings import READ_SETTINGS
from neuropipe.ingest.source import SourceFiles
from neuropipe.manifest import LockedFile, LockedRecording
from neuropipe.recording import Recording


def new_nwb(subject: str = "m1", **facts: Any) -> NWBFile:
    """An NWB file in memory, without data."""
    nwb = NWBFile("a test", "id-1", datetime(2020, 1, 1, tzinfo=UTC), session_id="s1")
    nwb.subject = Subject(subject_id=subject, species="Mus musculus", age="P365D", **facts)
    return nwb


def save(nwb: NWBFile, path: Path) -> Path:
    """Write an NWB file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NWBHDF5IO(path, "w") as io:
        io.write(nwb)
    return path


def add_units(nwb: NWBFile, trains: Sequence[np.ndarray], **columns: Sequence[Any]) -> NWBFile:
    """Add spiking units with scalar columns."""
    for name in columns:
        nwb.add_unit_column(name, name)
    for i, train in enumerate(trains):
        nwb.add_unit(spike_times=train, **{name: values[i] for name, values in columns.items()})
    return nwb


def add_rois(
    nwb: NWBFile,
    n_rois: int,
    name: str = "rois",
    spacing: Sequence[float] | None = None,
    **columns: Any,
) -> Any:
    """Add a table of ROIs, each a mask of one pixel at (i, 2 i), with scalar columns."""
    if "scope" not in nwb.devices:
        nwb.create_device("scope")
    plane = nwb.create_imaging_plane(
        name=f"plane of {name}",
        optical_channel=OpticalChannel("green", "green", 510.0),
        description="a plane",
        device=nwb.devices["scope"],
        excitation_lambda=488.0,
        indicator="GCaMP6s",
        location="V1",
        grid_spacing=spacing,
        grid_spacing_unit="micrometers",
    )
    if "ophys" not in nwb.processing:
        nwb.create_processing_module("ophys", "traces").add(ImageSegmentation())
    table = nwb.processing["ophys"]["ImageSegmentation"].create_plane_segmentation(
        name=name, description="rois", imaging_plane=plane
    )
    for column in columns:
        table.add_column(column, column)
    for i in range(n_rois):
        table.add_roi(
            pixel_mask=[(i, 2 * i, 1.0)], **{name: values[i] for name, values in columns.items()}
        )
    return table


def add_traces(
    nwb: NWBFile,
    table: Any,
    data: np.ndarray,
    *,
    kind: str = "Fluorescence",
    container: str | None = None,
    name: str = "traces",
    rows: Sequence[int] | None = None,
    **clock: Any,
) -> None:
    """Add a response series; `clock` is `rate` or `timestamps`."""
    clock = clock or {"rate": 10.0}
    region = table.create_roi_table_region(
        region=list(range(len(table.id)) if rows is None else rows), description="rois"
    )
    made = {"Fluorescence": Fluorescence, "DfOverF": DfOverF}[kind]
    container = container or kind
    if container not in nwb.processing["ophys"].data_interfaces:
        nwb.processing["ophys"].add(made(name=container))
    nwb.processing["ophys"][container].add_roi_response_series(
        RoiResponseSeries(name=name, data=data, rois=region, unit="a.u.", **clock)
    )


def add_series(nwb: NWBFile, name: str, data: Any, **clock: Any) -> None:
    """Add a plain time series to the acquisition."""
    nwb.add_acquisition(TimeSeries(name=name, data=data, unit="a.u.", **(clock or {"rate": 10.0})))


def source(root: Path, roles: Sequence[tuple[str, str]], subject: str = "m1") -> SourceFiles:
    """The files of one recording, without checksums."""
    files = tuple(LockedFile(role, path) for role, path in roles)
    return SourceFiles("set", root, LockedRecording(f"sub-{subject}", subject, "", "", "", files))


def read_nwb(path: Path, modality: str, **settings: Any) -> Recording:
    """Read one NWB file as a recording and check the whole contract."""
    files = source(path.parent, [("data", path.name)])
    return read_recording(files, modality, READ_SETTINGS[modality](**settings)).check()


def built(path: Path, build: Callable[[NWBFile], object]) -> Path:
    """Write an NWB file that a function fills."""
    nwb = new_nwb()
    build(nwb)
    return save(nwb, path)
