"""Write simulated spiking sessions as laboratories share them: one NWB file a subject."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from neuropipe.simulate.processes import stream
from neuropipe.simulate.settings_stimuli import SpikesSimulation
from neuropipe.simulate.spikes import BEHAVIOR_RATE, REGIONS, SpikesSession, simulate_session
from neuropipe.simulate.truth import write_summary, write_truth

if TYPE_CHECKING:
    from pynwb import NWBFile

SPECIES = "Mus musculus"
_START = datetime(2024, 1, 1, 9, 0, tzinfo=UTC)
_SESSION, _PROBE = 0, 1  # purposes of the random streams
_SPACING = 20.0  # micrometres between neighbouring electrodes
#: Where each area's probe enters, in micrometres: posterior, inferior, right (as NWB has it).
_PROBES = {
    "VISp": (3800.0, 200.0, 2500.0),
    "CA1": (2000.0, 1300.0, 1500.0),
    "MOs": (-1500.0, 300.0, 1000.0),
    "TH": (1600.0, 3200.0, 1200.0),
}


def recordings(settings: SpikesSimulation) -> list[str]:
    """Names of all recordings: ``sub-sim01``, ``sub-sim02``..."""
    return [f"sub-sim{subject + 1:02d}" for subject in range(settings.n_subjects)]


def write(settings: SpikesSimulation, folder: Path) -> None:
    """Write ``sub-<label>/sub-<label>_ecephys.nwb`` for every subject, with the truth beside it.

    Parameters
    ----------
    settings : SpikesSimulation
    folder : Path
        An existing folder.

    Raises
    ------
    SettingsError
        If the circuit would sustain its own excitation, or the rates cannot be reached.
    """
    facts: dict[str, Any] = {"recordings": {}}
    for subject, recording in enumerate(recordings(settings)):
        session = simulate_session(settings, stream(settings.seed, _SESSION, subject))
        path = folder / recording / f"{recording}_ecephys.nwb"
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_nwb(settings, session, recording, stream(settings.seed, _PROBE, subject), path)
        write_truth(folder, recording, truth(session))
        facts["recordings"][recording] = {
            "n_spikes": len(session.simulated.spikes.times),
            "mean_rate": round(float(session.simulated.spikes.rates().mean()), 4),
            "hubs": session.circuit.hubs,
            "n_synapses": int(session.circuit.connected.sum()),
        }
    write_summary(folder, "spikes", settings, facts)


def truth(session: SpikesSession) -> xr.Dataset:
    """Bundle what is true of a session; sizes and units stand in the attributes.

    Parameters
    ----------
    session : SpikesSession

    Returns
    -------
    xarray.Dataset
        Wiring (``weights``, ``delays``, ``signs``, ``hubs``), receptive fields, place fields (their
        width in m and peak drive are attributes), speed weights, the latent, the baseline, and the
        true rates where they are defined.
    """
    circuit, simulated = session.circuit, session.simulated
    hubs = np.isin(np.arange(circuit.n_units), circuit.hubs)
    pair, drive = ("target", "source"), {"unit": session.drive_unit}
    baseline = "log Hz" if session.drive_unit == "log rate" else session.drive_unit
    found: dict[str, Any] = {
        "weights": (pair, circuit.weights, drive),
        "delays": (pair, circuit.delays, {"unit": "s"}),
        "signs": ("unit", circuit.signs),
        "hubs": ("unit", hubs.astype(np.int8)),
        "drive_of": ("unit", session.drive_of.astype(object)),
        "target_rate": ("unit", session.target_rates, {"unit": "Hz"}),
        "baseline": ("unit", simulated.baseline, {"unit": baseline}),
        "common_amplitude": ("unit", session.common_amplitudes, drive),
        "speed_weight": ("unit", session.speed_weights, {"unit": f"{session.drive_unit} per sd"}),
        "place_centre": (("unit", "axis"), session.place_centres, {"unit": "m"}),
        "visual_unit": ("visual", np.flatnonzero(session.drive_of == "visual")),
        "spatial_filter": (("visual", "y", "x"), session.filters.spatial.astype(np.float32)),
        "temporal_filter": (("visual", "lag"), session.filters.temporal),
        "visual_gain": ("visual", session.filters.gain, drive),
        "latent": ("time", session.latent, {"sampling_rate": BEHAVIOR_RATE}),
    }
    if simulated.intensity is not None:
        found["rate"] = (
            ("bin", "unit"),
            simulated.intensity,
            {"unit": "Hz", "bin_width": simulated.intensity_step},
        )
    attrs = {
        "synaptic_time_constant": circuit.time_constant,
        "place_width": session.place_width,
        "place_peak": session.place_peak,
    }
    dataset = xr.Dataset(found, attrs=attrs)
    if "rate" in dataset:
        # Steps of 0.01 Hz are finer than anything spikes can tell, and compress well.
        packed = {"dtype": "uint16", "scale_factor": 0.01, "_FillValue": 65535}
        dataset["rate"].encoding = packed | {"zlib": True, "complevel": 4}
    return dataset


def _write_nwb(
    settings: SpikesSimulation,
    session: SpikesSession,
    recording: str,
    rng: np.random.Generator,
    path: Path,
) -> None:
    from pynwb import NWBHDF5IO, NWBFile
    from pynwb.file import Subject

    label = recording.removeprefix("sub-")
    nwb = NWBFile(
        session_description="Simulated spiking circuit driven by films, running and place",
        identifier=f"neuropipe-{settings.seed}-{recording}",
        session_start_time=_START,
        file_create_date=_START,
        session_id="1",
        lab="neuropipe simulator",
        keywords=["simulation"],
        subject=Subject(
            subject_id=label,
            species=SPECIES,
            sex="U",
            age="P90D",
            description="simulated; its truth stands in the folder truth",
        ),
    )
    _add_units(nwb, session, rng)
    _add_trials(nwb, session)
    _add_behavior(nwb, session)
    _add_films(nwb, session, settings.frame_rate)
    with NWBHDF5IO(path, "w") as io:
        io.write(nwb)


def _add_units(nwb: NWBFile, session: SpikesSession, rng: np.random.Generator) -> None:
    device = nwb.create_device(name="probes", description="one simulated probe an area")
    groups = {
        region: nwb.create_electrode_group(
            name=f"probe-{region}", description=f"in {region}", location=region, device=device
        )
        for region in dict.fromkeys(REGIONS[str(drive)] for drive in session.drive_of)
    }
    depth = dict.fromkeys(groups, 0.0)
    nwb.add_unit_column("quality", "judgement of the sorting")
    for unit, train in enumerate(session.simulated.spikes.trains()):
        region = REGIONS[str(session.drive_of[unit])]
        depth[region] += _SPACING * float(rng.uniform(0.5, 1.5))
        x, y, z = _PROBES[region]
        nwb.add_electrode(x=x, y=y + depth[region], z=z, location=region, group=groups[region])
        nwb.add_unit(
            spike_times=train,
            obs_intervals=[[0.0, session.simulated.spikes.duration]],
            electrodes=[unit],
            electrode_group=groups[region],
            quality="good",
        )


def _add_trials(nwb: NWBFile, session: SpikesSession) -> None:
    nwb.add_trial_column("stimulus_name", "the film that was shown: a series of stimulus templates")
    nwb.add_trial_column("stimulus_id", "its number, from 0")
    nwb.add_trial_column("repeat", "how often it had been shown before")
    seen: dict[int, int] = {}
    for (start, stop), film in zip(session.trials.tolist(), session.shown.tolist(), strict=True):
        nwb.add_trial(
            start_time=start,
            stop_time=stop,
            stimulus_name=f"film-{film + 1}",
            stimulus_id=film,
            repeat=seen.get(film, 0),
        )
        seen[film] = seen.get(film, 0) + 1


def _add_behavior(nwb: NWBFile, session: SpikesSession) -> None:
    from hdmf.backends.hdf5 import H5DataIO
    from pynwb.base import TimeSeries
    from pynwb.behavior import BehavioralTimeSeries, Position, SpatialSeries

    clock = {"starting_time": 0.0, "rate": BEHAVIOR_RATE}
    speed = TimeSeries(
        name="speed",
        description="running speed",
        data=H5DataIO(session.speed.astype(np.float32), compression="gzip"),
        unit="m/s",
        **clock,
    )
    position = SpatialSeries(
        name="position",
        description="position in the open field",
        data=H5DataIO(session.position.astype(np.float32), compression="gzip"),
        reference_frame="a corner of the square arena; x and y along its walls",
        unit="meters",
        **clock,
    )
    module = nwb.create_processing_module(name="behavior", description="running and place")
    module.add(BehavioralTimeSeries(time_series=speed))
    module.add(Position(spatial_series=position))


def _add_films(nwb: NWBFile, session: SpikesSession, frame_rate: float) -> None:
    from hdmf.backends.hdf5 import H5DataIO
    from pynwb.image import ImageSeries

    height, width = session.films.shape[2:]
    for index, frames in enumerate(session.films):
        series = ImageSeries(
            name=f"film-{index + 1}",
            description="grey levels; axes frame, x (left to right), y (top to bottom); "
            "shown from the start of each trial that names it, on a grey (128) screen",
            data=H5DataIO(np.ascontiguousarray(frames.swapaxes(1, 2)), compression="gzip"),
            unit="n.a.",
            format="raw",
            dimension=[width, height],
            starting_time=0.0,
            rate=float(frame_rate),
        )
        nwb.add_stimulus_template(series)
