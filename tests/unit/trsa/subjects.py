"""Small subjects of every kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from neuropipe.ingest.read import discover, read_recording
from neuropipe.ingest.settings import ImagesReadSettings
from neuropipe.ingest.source import SourceFiles
from neuropipe.manifest import LockedFile, LockedRecording, write_lock
from neuropipe.recording import Recording
from neuropipe.simulate.representations_files import write
from neuropipe.simulate.settings_stimuli import RepresentationsSimulation
from neuropipe.trsa.fit import Representations
from neuropipe.trsa.rdms import RDMs
from neuropipe.trsa.settings import TrsaSettings
from tests.unit.trsa.responses.builders import (
    CONDITIONS,
    bold_recording,
    event_table,
    poisson_trains,
    shuffled_trials,
    spike_recording,
)

FAST = {
    "n_bootstrap": 50,
    "n_permutations": 99,
    "min_units": 3,
    "circular": {"angle": 360},
    "topology": {"n_null": 19, "step": 0.1, "n_cells": 3},
}
SIMULATION = RepresentationsSimulation(
    n_subjects=3, n_repeats=3, ceiling=0.999, individuality=0.0, seed=5
)


def settings(**changed: object) -> TrsaSettings:
    return TrsaSettings.model_validate({**FAST, **changed})


def named(recording: Recording, subject: str) -> Recording:
    """The same recording of another subject."""
    name = recording.recording.replace(f"sub-{recording.subject}", f"sub-{subject}", 1)
    return replace(recording, recording=name, subject=subject)


def spikes(
    seed: int = 0, *, n_repeats: int = 6, run: str = "", prefix: str = "cell_",
    names: Sequence[str] = CONDITIONS, n_units: int = 8, subject: str = "1", kind: bool = False,
) -> Recording:  # fmt: skip
    """Poisson units, half in V1 and half in V2, whose rates are the same whatever the seed.

    Trials have the length of their condition's name as a column; with `kind` also a binary factor,
    which takes half a second more to describe.
    """
    rates = np.random.default_rng(len(names)).uniform(2, 40, (len(names), n_units))
    rng = np.random.default_rng(seed)
    onsets, labels = shuffled_trials(n_repeats, 2.0, rng, names)
    rows = [list(names).index(name) for name in labels]
    columns: dict[str, list[object]] = {"length": [float(len(name)) for name in labels]}
    if kind:
        columns["kind"] = ["alive" if name in ("cat", "dog") else "thing" for name in labels]
    events = event_table(onsets, labels, **columns)
    trains = poisson_trains(rates[rows], onsets, 1.0, rng)
    return named(spike_recording(trains, events, run, prefix), subject)


def scan(seed: int, run: str) -> Recording:
    """A run of BOLD in which cat and dog are alike."""
    rng = np.random.default_rng(seed)
    onsets, labels = shuffled_trials(3, 6.0, rng)
    betas = 20 * np.random.default_rng(1).standard_normal((len(CONDITIONS), 12))
    betas[1] = betas[0]
    return bold_recording(
        betas, onsets, labels, CONDITIONS, noise=2.0, rng=rng, n_times=48, run=run
    )


def locked(found: Sequence[Recording], folder: Path) -> Path:
    """Write recordings and their lock beside them."""
    folder.mkdir(exist_ok=True, parents=True)
    rows = []
    for one in found:
        one.write(folder / f"{one.recording}.nc")
        file = LockedFile("data", "x.nwb")
        rows.append(LockedRecording(one.recording, one.subject, one.session, "", "", (file,)))
    write_lock(folder / "lock.tsv", rows)
    return folder / "lock.tsv"


@dataclass(frozen=True)
class Planted:
    """Recordings of the simulation without noise, and the folder of their images."""

    folder: Path
    recordings: list[Recording]


def plant(folder: Path) -> Planted:
    """Write the simulation and read its recordings."""
    write(SIMULATION, folder)
    paths = [p.relative_to(folder).as_posix() for p in sorted(folder.rglob("*")) if p.is_file()]
    options = ImagesReadSettings()
    found = discover(paths, "images", options)
    made = [read_recording(SourceFiles("toy", folder, one), "images", options) for one in found]
    return Planted(folder, made)


def items_of(found: Representations, subject: str) -> RDMs:
    """RDMs with the columns that a dataset needs."""
    table = found.rdms.table.assign(subject=subject, session="1")
    return replace(found.rdms, items=table)
