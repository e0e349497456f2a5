"""Small recordings with trials of known responses, in every modality."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from neuropipe.recording import Recording, responses_array, signals_array, text_table

CONDITIONS = ("cat", "dog", "house", "tool")


def unit_table(n_units: int, prefix: str = "u") -> pd.DataFrame:
    index = pd.Index([f"{prefix}{k}" for k in range(n_units)], dtype=object, name="unit")
    return pd.DataFrame({"region": ["V1" if k < n_units // 2 else "V2" for k in range(n_units)]},
                        index=index)  # fmt: skip


def event_table(
    onsets: Sequence[float], labels: Sequence[object], duration: float | Sequence[float] = 1.0,
    **columns: Sequence[object],
) -> pd.DataFrame:  # fmt: skip
    """Events as readers give them."""
    table = pd.DataFrame({"onset": np.asarray(onsets, float), "duration": duration})
    table["duration"] = table["duration"].astype(float)
    table["trial_type"] = list(labels)
    for name, values in columns.items():
        table[name] = list(values)
    return text_table(table, "event")


def shuffled_trials(
    n_repeats: int, gap: float, rng: np.random.Generator, names: Sequence[str] = CONDITIONS,
    first: float = 4.0,
) -> tuple[np.ndarray, list[str]]:  # fmt: skip
    """Onsets in s and conditions of trials in random order, block by block."""
    labels = [str(x) for _ in range(n_repeats) for x in rng.permutation(np.array(names))]
    return first + gap * np.arange(len(labels)), labels


def trace_recording(
    values: np.ndarray, sampling_rate: float, events: pd.DataFrame | None, *,
    modality: str = "calcium", run: str = "", session: str = "", task: str = "", prefix: str = "u",
    confounds: dict[str, np.ndarray] | None = None,
) -> Recording:  # fmt: skip
    """Traces (n_times, n_units) with events."""
    units = unit_table(values.shape[1], prefix)
    name = "".join(["sub-1", f"_ses-{session}" * bool(session), f"_task-{task}" * bool(task),
                    f"_run-{run}" * bool(run)])  # fmt: skip
    joined = None
    if confounds is not None:
        joined = xr.Dataset({name: ("time", values) for name, values in confounds.items()})
    return Recording(
        dataset="toy", recording=name, subject="1", session=session, task=task, run=run,
        modality=modality, units=units, events=events, confounds=joined,
        signals=signals_array(values, sampling_rate, units.index, unit="a.u."),
    ).check()  # fmt: skip


def spike_recording(
    trains: Sequence[np.ndarray], events: pd.DataFrame | None, run: str = "", prefix: str = "u"
) -> Recording:
    """Spike times in s of every unit."""
    times = np.concatenate([np.asarray(t, float) for t in trains])
    index = np.repeat(np.arange(len(trains)), [len(t) for t in trains]).astype(np.int32)
    order = np.argsort(times, kind="stable")
    spikes = xr.Dataset(
        {"spike_times": ("spike", times[order]), "unit_index": ("spike", index[order])}
    )
    return Recording(
        dataset="toy", recording="sub-1" + f"_run-{run}" * bool(run), subject="1", run=run,
        modality="spikes", units=unit_table(len(trains), prefix), spikes=spikes, events=events,
    ).check()  # fmt: skip


def poisson_trains(
    rates: np.ndarray, onsets: np.ndarray, duration: float, rng: np.random.Generator
) -> list[np.ndarray]:
    """Spikes of units at rates (n_trials, n_units), in spikes/s, during trials."""
    trains: list[np.ndarray] = []
    for unit_rates in rates.T:
        counts = rng.poisson(unit_rates * duration)
        within = rng.uniform(0, duration, counts.sum())
        trains.append(np.sort(np.repeat(onsets, counts) + within))
    return trains


def image_recording(
    values: np.ndarray, session: str = "a", columns: dict[str, Sequence[object]] | None = None
) -> Recording:
    """Responses (n_repeats, n_stimuli, n_units)."""
    units = unit_table(values.shape[2])
    stimuli = pd.DataFrame(
        {"path": [f"images/{k}.png" for k in range(values.shape[1])], **(columns or {})},
        index=pd.Index([f"image{k}" for k in range(values.shape[1])], dtype=object),
    )
    return Recording(
        dataset="toy", recording=f"sub-1_ses-{session}", subject="1", session=session,
        modality="images", units=units, stimuli=text_table(stimuli, "stimulus"),
        responses=responses_array(values, units.index, unit="spikes"),
    ).check()  # fmt: skip


def bold_recording(
    betas: np.ndarray, onsets: np.ndarray, labels: Sequence[str], names: Sequence[str], *,
    noise: float, rng: np.random.Generator, rho: float = 0.0, n_times: int = 200, tr: float = 2.0,
    duration: float = 1.0, run: str = "01", **options: object,
) -> Recording:  # fmt: skip
    """BOLD of planted betas (n_conditions, n_units), with autoregressive noise of order one."""
    from nilearn.glm.first_level import make_first_level_design_matrix

    table = pd.DataFrame({"onset": onsets, "duration": duration, "trial_type": labels})
    design = make_first_level_design_matrix(
        np.arange(n_times) * tr, table, hrf_model="glover", drift_model=None
    )
    white = rng.standard_normal((n_times, betas.shape[1]))
    coloured = white.copy()
    for t in range(1, n_times):
        coloured[t] = rho * coloured[t - 1] + np.sqrt(1 - rho**2) * white[t]
    values = 100 + design[list(names)].to_numpy() @ betas + noise * coloured
    events = event_table(onsets, labels, duration)
    return trace_recording(values, 1 / tr, events, modality="fmri", task="look", run=run, **options)  # type: ignore[arg-type]
