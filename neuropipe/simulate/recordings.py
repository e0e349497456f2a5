"""Simulated subjects as Recordings, without files: for proofs and tests."""

from __future__ import annotations

from collections.abc import Iterator

from neuropipe.recording import Recording, signals_array
from neuropipe.simulate.fmri import sim_fmri
from neuropipe.simulate.settings import FmriSimulation

__all__ = ["simulated_recordings"]


def simulated_recordings(settings: FmriSimulation) -> Iterator[Recording]:
    """Simulated subjects as recordings, one run each.

    Parameters
    ----------
    settings : FmriSimulation
    """
    for subject in range(settings.n_subjects):
        data = sim_fmri(settings, subjects=[subject])
        units = data.population.rois.set_index("name")[["hemisphere", "network"]]
        row = data.participants.iloc[0]
        name = str(row["participant_id"])
        labels = {str(k): v.item() if hasattr(v, "item") else v for k, v in row.items()}
        yield Recording(
            dataset="simulated",
            recording=f"{name}_task-rest",
            subject=name.removeprefix("sub-"),
            modality="fmri",
            units=units,
            signals=signals_array(data.bold[0], 1 / settings.repetition_time, units.index),
            participant=labels,
        )
