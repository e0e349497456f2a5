"""Small recordings of named units, with events."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from neuropipe.recording import Recording, signals_array, text_table


def traces(n_units: int, n_samples: int, seed: int = 0) -> np.ndarray:
    """Random walks (n_units, n_samples), float32."""
    steps = np.random.default_rng(seed).standard_normal((n_units, n_samples))
    return np.cumsum(steps, axis=1).astype(np.float32)


def event_table(rows: Sequence[tuple[str, float, float]]) -> pd.DataFrame:
    """Rows of trial type, onset and duration in s."""
    table = pd.DataFrame(rows, columns=["trial_type", "onset", "duration"])
    return text_table(table.sort_values("onset", ignore_index=True), "event")


def recording(
    subject: str,
    names: Sequence[str],
    values: np.ndarray | None = None,
    *,
    n_samples: int = 120,
    sampling_rate: float = 1.0,
    start: float = 0.0,
    events: Sequence[tuple[str, float, float]] = (),
    modality: str = "calcium",
    session: str = "",
    run: str = "",
    homologues: dict[str, str] | None = None,
) -> Recording:
    """A recording of `values` (n_units, n_samples), or of random walks."""
    x = (
        traces(len(names), n_samples, seed=sum(map(ord, subject + run)))
        if values is None
        else values
    )
    units = pd.DataFrame(
        {"region": ["head"] * len(names), "snr": np.arange(float(len(names)))},
        index=pd.Index(list(names), dtype=object, name="unit"),
    )
    if homologues is not None:
        both = homologues | {b: a for a, b in homologues.items()}
        partner = [both.get(name, "n/a") for name in names]
        units["homologue"] = [p if p in names else "n/a" for p in partner]
        units["hemisphere"] = ["L" if name in homologues else "R" for name in names]
    return Recording(
        dataset="toy",
        recording=f"sub-{subject}" + (f"_run-{run}" if run else ""),
        subject=subject,
        session=session,
        run=run,
        modality=modality,
        units=units,
        signals=signals_array(x.T, sampling_rate, units.index, start=start),
        events=event_table(events) if events else None,
    ).check()
