"""Small recordings with planted connectivity."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from neuropipe.recording import Recording, signals_array


def unit_table(n_pairs: int, n_networks: int = 2) -> pd.DataFrame:
    """Units L0, R0, L1, R1, ...: homologous pairs, networks in turn."""
    names = [f"{side}{k}" for k in range(n_pairs) for side in "LR"]
    return pd.DataFrame(
        {
            "homologue": [("R" if n[0] == "L" else "L") + n[1:] for n in names],
            "hemisphere": [n[0] for n in names],
            "network": [f"net{k % n_networks}" for k in range(n_pairs) for _ in "LR"],
        },
        index=pd.Index(names, dtype=object, name="unit"),
        dtype=object,
    )


def series(n_times: int, n_pairs: int, rng: np.random.Generator, n_networks: int = 2) -> np.ndarray:
    """Pairs share a signal, networks share a weaker one; AR(1) in time."""
    pair = np.repeat(rng.standard_normal((n_times, n_pairs)), 2, axis=1)
    of_unit = np.repeat(np.arange(n_pairs) % n_networks, 2)
    network = rng.standard_normal((n_times, n_networks))[:, of_unit]
    x = pair + 0.8 * network + rng.standard_normal((n_times, 2 * n_pairs))
    for t in range(1, n_times):
        x[t] = 0.5 * x[t - 1] + x[t]
    return x


def recording(
    subject: str = "01",
    n_times: int = 150,
    n_pairs: int = 6,
    seed: int = 0,
    values: np.ndarray | None = None,
    units: pd.DataFrame | None = None,
    modality: str = "fmri",
    run: str = "",
    sampling_rate: float = 1.0,
    **participant: Any,
) -> Recording:
    rng = np.random.default_rng(seed)
    table = unit_table(n_pairs) if units is None else units
    x = series(n_times, n_pairs, rng) if values is None else values
    name = f"sub-{subject}" + (f"_run-{run}" if run else "")
    return Recording(
        dataset="toy",
        recording=name,
        subject=subject,
        run=run,
        modality=modality,
        units=table,
        signals=signals_array(x, sampling_rate, table.index),
        participant=participant,
    )


def cohort(n_subjects: int, effect: float = 0.0, n_times: int = 120) -> list[Recording]:
    """Subjects of two groups and an age; `effect` adds one pattern to the group `patient`."""
    found = []
    pattern = np.random.default_rng(99).standard_normal(12)
    for k in range(n_subjects):
        rng = np.random.default_rng(k)
        patient = k % 2 == 0
        age = 20.0 + k
        x = series(n_times, 6, rng)
        x += effect * patient * np.outer(rng.standard_normal(n_times), pattern)
        found.append(
            recording(
                f"{k:02d}",
                values=x,
                group="patient" if patient else "control",
                age=age,
                family=f"f{k // 2}",
                site="one",
            )
        )
    return found
