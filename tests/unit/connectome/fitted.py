"""A small dataset and its connectome, for figures and texts."""

from __future__ import annotations

from functools import cache

import pandas as pd

from neuropipe.connectome.data import Animals, build_animals
from neuropipe.connectome.fit import ConnectomeFit, fit_connectome
from neuropipe.connectome.recording import RecordingConnectome, recording_connectome
from neuropipe.connectome.settings import ConnectomeSettings
from neuropipe.simulate.calcium import sim_calcium
from neuropipe.simulate.settings import CalciumSimulation
from tests.unit.connectome.builders import recording

SETTINGS = ConnectomeSettings.model_validate(
    {
        "factorization": {"rank": 2, "n_restarts": 3, "max_iterations": 60},
        "communities": {"degree_correction": "off", "n_runs": 3},
        "n_windows": 3,
        "n_bootstrap": 3,
        "min_presence": 0.5,
    }
)


@cache
def animals(clock: str = "shared") -> Animals:
    """Four animals, 24 neurons, two epochs of 45 s with three communities each."""
    data = sim_calcium(
        CalciumSimulation(
            n_animals=4, n_neurons=24, duration=90, n_epochs=2, n_communities=3, community_size=5,
            event_rate=0.3, missing=0.1, last_epoch_share=1.0, noise=0.1, homologues=0.1,
        )
    )  # fmt: skip
    made = []
    for k, (trace, present, epochs) in enumerate(
        zip(data.traces, data.presence, data.epochs, strict=True)
    ):
        names = [name for name, there in zip(data.names, present, strict=True) if there]
        events = [(f"odour{e}", start, stop - start) for e, (start, stop) in enumerate(epochs)]
        made.append(recording(f"w{k}", names, trace[present], sampling_rate=4.0, events=events))
    settings = SETTINGS.model_copy(update={"clock": clock})
    return build_animals(made, "toy", settings)


@cache
def fitted(clock: str = "shared") -> ConnectomeFit:
    """Its connectome."""
    return fit_connectome(animals(clock), SETTINGS.model_copy(update={"clock": clock}))


def of_one(place: int, clock: str = "shared") -> tuple[RecordingConnectome, pd.DataFrame]:
    """One recording's share, and its events in s."""
    known, fit = animals(clock), fitted(clock)
    found = recording_connectome(
        fit.factors,
        place,
        known.presence,
        fit.source.frames / known.sampling_rate,
        fit.source.n_samples,
        fit.degree_corrected,
        SETTINGS,
    )
    events = known.events.assign(
        start=known.events["start"] / known.sampling_rate,
        stop=known.events["stop"] / known.sampling_rate,
    )
    return found, events
