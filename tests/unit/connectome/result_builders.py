"""Small recordings and fits of them, made once a session."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

from neuropipe.connectome.assembly import Assembly, assemble, static_reading
from neuropipe.connectome.data import Animals, build_animals
from neuropipe.connectome.fit import ConnectomeFit, fit_connectome
from neuropipe.connectome.settings import ConnectomeSettings
from neuropipe.recording import Recording, signals_array, text_table
from neuropipe.simulate.calcium import sim_calcium
from neuropipe.simulate.settings import CalciumSimulation

FAST = {
    "n_windows": 2,
    "n_bootstrap": 2,
    "affinity": {"affinity_smoothing": 1.5},
    "factorization": {"rank": 2, "n_restarts": 2, "max_iterations": 40},
    "communities": {"n_runs": 2, "degree_correction": "off"},
}
SIMULATION = CalciumSimulation(
    n_animals=4, n_neurons=24, duration=90, n_epochs=2, n_communities=2, community_size=9,
    homologues=0.5, last_epoch_share=1.0, noise=0.15, seed=5,
)  # fmt: skip


def settings(**changed: object) -> ConnectomeSettings:
    return ConnectomeSettings.model_validate({**FAST, **changed})


def recordings(
    simulation: CalciumSimulation = SIMULATION,
    *,
    events: bool = True,
    noise: bool = False,
    dataset: str = "toy",
) -> list[Recording]:
    """Recordings of the simulation, or of independent noise in its shape."""
    data = sim_calcium(simulation)
    made = []
    for animal, (values, present, epochs) in enumerate(
        zip(data.traces, data.presence, data.epochs, strict=True), start=1
    ):
        shown = values[present]
        if noise:
            shown = np.random.default_rng(animal).standard_normal(shown.shape)
        names = [name for name, there in zip(data.names, present, strict=True) if there]
        units = pd.DataFrame({"region": "head"}, index=pd.Index(names, dtype=object, name="unit"))
        if simulation.homologues:
            partner = [name[:-1] + ("R" if name.endswith("L") else "L") for name in names]
            units["homologue"] = [p if p in names else "n/a" for p in partner]
        rows = [(f"stimulus{k + 1}", a, b - a) for k, (a, b) in enumerate(epochs)]
        table = pd.DataFrame(rows, columns=["trial_type", "onset", "duration"])
        made.append(
            Recording(
                dataset=dataset,
                recording=f"sub-a{animal}",
                subject=f"a{animal}",
                modality="calcium",
                units=units,
                signals=signals_array(
                    shown.T.astype(np.float32), data.sampling_rate, units.index, unit="dF/F"
                ),
                events=text_table(table, "event") if events else None,
            ).check()
        )
    return made


@cache
def fitted(kind: str = "shared") -> tuple[Animals, ConnectomeFit, Assembly]:
    """A fit of ``shared`` or ``own`` clocks, of one recording, or of ``noise``."""
    found = recordings(events=kind != "own", noise=kind == "noise")
    chosen = settings()
    animals = build_animals(found[:1] if kind == "one" else found, "toy", chosen)
    fit = fit_connectome(animals, chosen)
    return animals, fit, assemble(animals, fit, static_reading(animals, seed=0), chosen)
