"""Write simulated calcium imaging as NWB, one file an animal, with its truth."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from neuropipe.simulate.calcium import CalciumData, sim_calcium
from neuropipe.simulate.calcium_hub import silencing_effects, sim_hub
from neuropipe.simulate.processes import stream
from neuropipe.simulate.settings import CalciumSimulation
from neuropipe.simulate.truth import write_summary, write_truth

if TYPE_CHECKING:
    from pynwb import NWBFile

SPECIES = "Caenorhabditis elegans"
_START = datetime(2024, 1, 1, tzinfo=UTC)
_BEHAVIOUR_RATE = 10.0  # Hz
_SPACING = 1e-6  # m a voxel
_PLACES, _SPEED = 100, 101  # purposes of random streams


def write(settings: CalciumSimulation, folder: Path) -> None:
    """Write one NWB file an animal, and the truth.

    Parameters
    ----------
    settings : CalciumSimulation
    folder : Path
        An existing folder.
    """
    from pynwb import NWBHDF5IO

    data = sim_hub(settings) if settings.design == "hub" else sim_calcium(settings)
    places = _places(settings)
    for animal, name in enumerate(animal_names(settings)):
        speed = _speed(settings, data, animal)
        path = folder / f"sub-{name}" / f"sub-{name}_ophys.nwb"
        path.parent.mkdir()
        with NWBHDF5IO(path, "w") as stream_out:
            stream_out.write(_nwb(settings, data, animal, name, places, speed))
        write_truth(folder, f"sub-{name}", _truth(data, animal))
    facts: dict[str, Any] = {
        "names": data.names,
        "partitions": data.partitions,
        "expressed": dict(zip(animal_names(settings), data.expressed.tolist(), strict=True)),
        "drivers": [data.names[k] if k >= 0 else None for k in data.drivers],
        "speed": "falls while community 0 is active",
    }
    if settings.design == "hub":
        facts["silencing_effects"] = np.round(silencing_effects(settings), 4)
    write_summary(folder, "calcium", settings, facts)


def animal_names(settings: CalciumSimulation) -> list[str]:
    """Names of the animals, without the prefix ``sub-``."""
    width = max(2, len(str(settings.n_animals)))
    return [f"animal{k:0{width}d}" for k in range(1, settings.n_animals + 1)]


def _nwb(
    settings: CalciumSimulation,
    data: CalciumData,
    animal: int,
    name: str,
    places: np.ndarray,
    speed: np.ndarray,
) -> NWBFile:
    from pynwb import NWBFile, TimeSeries
    from pynwb.behavior import BehavioralTimeSeries
    from pynwb.file import Subject

    nwb = NWBFile(
        session_description="Simulated calcium imaging; the truth is known.",
        identifier=f"neuropipe-simulate-{settings.seed}-{name}",
        session_start_time=_START,
        file_create_date=[_START],
        institution="simulated",
    )
    nwb.subject = Subject(
        subject_id=name, species=SPECIES, sex="O", age="P3D", description="simulated"
    )
    _add_imaging(nwb, settings, data, animal, places)
    _add_epochs(nwb, settings, data, animal)
    series = TimeSeries(
        name="speed", data=speed, unit="m/s", rate=_BEHAVIOUR_RATE, starting_time=0.0,
        description="forward speed of the animal",
    )  # fmt: skip
    module = nwb.create_processing_module("behavior", "Behaviour of the animal")
    module.add(BehavioralTimeSeries(name="BehavioralTimeSeries", time_series=series))
    return nwb


def _add_imaging(
    nwb: NWBFile, settings: CalciumSimulation, data: CalciumData, animal: int, places: np.ndarray
) -> None:
    from pynwb.ophys import (
        DfOverF,
        Fluorescence,
        ImageSegmentation,
        OpticalChannel,
        RoiResponseSeries,
    )

    channel = OpticalChannel(name="green", description="GCaMP", emission_lambda=510.0)
    plane = nwb.create_imaging_plane(
        name="volume",
        description="volume of the head",
        optical_channel=channel,
        device=nwb.create_device(name="microscope", description="simulated"),
        excitation_lambda=488.0,
        imaging_rate=settings.sampling_rate,
        indicator="GCaMP6s",
        location="head ganglia",
        grid_spacing=[_SPACING] * 3,
        grid_spacing_unit="meters",
    )
    segmentation = ImageSegmentation(name="ImageSegmentation")
    rois = segmentation.create_plane_segmentation(
        name="neurons", description="identified neurons", imaging_plane=plane
    )
    rois.add_column(name="neuron_name", description="name shared by all animals")
    present = np.flatnonzero(data.presence[animal])
    for neuron in present:
        x, y, z = (int(v) for v in places[neuron])
        rois.add_roi(voxel_mask=[(x, y, z, 1.0)], neuron_name=data.names[neuron])
    module = nwb.create_processing_module("ophys", "Processed imaging")
    module.add(segmentation)
    zscored = settings.unit == "zscore"
    container = Fluorescence(name="Fluorescence") if zscored else DfOverF(name="DfOverF")
    module.add(container)  # first: the series refers to a table that must share its file
    container.add_roi_response_series(
        RoiResponseSeries(
            name="traces",
            data=np.ascontiguousarray(data.traces[animal, present].T),
            rois=rois.create_roi_table_region("all neurons", region=list(range(len(present)))),
            unit="z-score" if zscored else "dF/F",
            rate=settings.sampling_rate,
            starting_time=0.0,
        )
    )


def _add_epochs(nwb: NWBFile, settings: CalciumSimulation, data: CalciumData, animal: int) -> None:
    from pynwb.epoch import TimeIntervals

    table = TimeIntervals(name="stimuli", description="epochs of the experiment")
    table.add_column(name="stimulus_name", description="what the animal was given")
    bounds = data.epochs[animal]
    for epoch in np.argsort(bounds[:, 0]):
        start, stop = (float(v) for v in bounds[epoch])
        hub = settings.design == "hub"
        kind = "spontaneous" if hub else f"stimulus{epoch + 1}"
        table.add_interval(start_time=start, stop_time=stop, stimulus_name=kind)
    nwb.add_time_intervals(table)


def _places(settings: CalciumSimulation) -> np.ndarray:
    """Voxel of each neuron (n_neurons, 3); partners lie left and right of the midline."""
    rng = stream(settings.seed, _PLACES)
    places = rng.integers([10, 10, 5], [90, 200, 45], size=(settings.n_neurons, 3))
    if settings.homologues:
        places[1::2] = places[::2]
        places[1::2, 0] = 200 - places[::2, 0]
    return places


def _speed(settings: CalciumSimulation, data: CalciumData, animal: int) -> np.ndarray:
    """Forward speed in m/s at 10 Hz: slow wandering, less while community 0 is active."""
    rng = stream(settings.seed, _SPEED, animal)
    n = int(settings.duration * _BEHAVIOUR_RATE)
    steps = rng.standard_normal(n + 200)
    smooth = np.exp(-np.arange(100) / 30)
    wander = np.convolve(steps, smooth / np.sqrt((smooth**2).sum()))[200 : n + 200]
    time = np.arange(settings.n_samples) / settings.sampling_rate
    active = np.zeros(settings.n_samples)
    for epoch, (start, stop) in enumerate(data.epochs[animal]):
        inside = (time >= start) & (time < stop)
        members = data.partitions[epoch] == 0
        active[inside] = data.activity[animal][np.ix_(members, inside)].mean(axis=0)
    width = max(1, round(4 * settings.sampling_rate))
    active = np.convolve(active, np.ones(width))[: settings.n_samples]
    slow = np.interp(np.arange(n) / _BEHAVIOUR_RATE, time, active)
    return np.asarray(np.maximum(2e-4 + 3e-5 * wander - 1e-4 * slow, 0))


def _truth(data: CalciumData, animal: int) -> xr.Dataset:
    time = np.arange(data.traces.shape[-1]) / data.sampling_rate
    return xr.Dataset(
        {
            "activity": (("neuron", "time"), data.activity[animal], {"unit": "dF/F at the peak"}),
            "present": ("neuron", data.presence[animal]),
            "partition": (("epoch", "neuron"), data.partitions),
            "epoch_bounds": (("epoch", "bound"), data.epochs[animal], {"unit": "s"}),
            "expressed": ("epoch", data.expressed[animal]),
            "driver": ("community", data.drivers),
        },
        coords={
            "neuron": np.array(data.names, dtype=object),
            "time": ("time", time, {"unit": "s"}),
        },
        attrs={"sampling_rate": data.sampling_rate},
    )
