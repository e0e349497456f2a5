"""Small recordings with known truth, made by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from neuropipe.recording import Recording, behavior_series, signals_array, text_table


def unit_table(n_units: int, **columns: object) -> pd.DataFrame:
    return text_table(pd.DataFrame(columns, index=[f"u{i}" for i in range(n_units)]), "unit")


def fmri_recording(
    *,
    n_times: int = 400,
    n_units: int = 30,
    level: float = 1000.0,
    motion: bool = True,
    seed: int = 0,
) -> Recording:
    rng = np.random.default_rng(seed)
    signals = level + 10 * rng.standard_normal((n_times, n_units))
    displacement = np.full(n_times, 0.1)
    displacement[0] = np.nan
    displacement[50:52] = 2.0
    units = unit_table(
        n_units,
        tsnr=np.full(n_units, 100.0) if level else np.full(n_units, np.nan),
        mean=np.full(n_units, level),
        coverage=np.linspace(0.4, 1, n_units),
        hemisphere=["L", "R"] * (n_units // 2),
    )
    confounds = xr.Dataset({"framewise_displacement": ("time", displacement)}) if motion else None
    return Recording(
        dataset="made",
        recording="sub-1_task-rest",
        subject="1",
        modality="fmri",
        task="rest",
        species="Homo sapiens",
        units=units,
        signals=signals_array(signals, 0.5, units.index),
        confounds=confounds,
        participant={"age": 31.0, "sex": "F", "diagnosis": "n/a"},
        attrs={"parcellation": "AAL2", "repetition_time": 2.0, "motion_known": motion},
    )


def transients(
    n_times: int, rate: float, onsets: np.ndarray, height: float, decay: float = 1.0
) -> np.ndarray:
    """Calcium-like trace: instantaneous rises that decay exponentially."""
    trace = np.zeros(n_times)
    time = np.arange(n_times) / rate
    for onset in onsets:
        trace += np.where(time >= onset, height * np.exp(-np.abs(time - onset) / decay), 0)
    return trace


def calcium_recording(*, unit: str = "dF/F", rate: float = 10.0, seed: int = 0) -> Recording:
    rng = np.random.default_rng(seed)
    n_times, n_units = 4000, 12
    clean = [
        transients(n_times, rate, np.sort(rng.uniform(5, 390, 15)), 1.0) for _ in range(n_units)
    ]
    traces = np.stack(clean, axis=1) + 0.05 * rng.standard_normal((n_times, n_units))
    units = unit_table(n_units)
    return Recording(
        dataset="made",
        recording="r1",
        subject="1",
        modality="calcium",
        units=units,
        signals=signals_array(traces, rate, units.index, unit=unit),
    )


def poisson_trains(
    rng: np.random.Generator, rates: np.ndarray, duration: float
) -> list[np.ndarray]:
    return [np.sort(rng.uniform(0, duration, rng.poisson(rate * duration))) for rate in rates]


def spike_dataset(trains: list[np.ndarray]) -> xr.Dataset:
    index = np.repeat(np.arange(len(trains), dtype=np.int32), [len(t) for t in trains])
    times = np.concatenate(trains)
    order = np.argsort(times, kind="stable")
    return xr.Dataset(
        {"spike_times": ("spike", times[order]), "unit_index": ("spike", index[order])}
    )


def walk(rng: np.random.Generator, duration: float, rate: float = 30.0) -> tuple[np.ndarray, ...]:
    """A rat's path in a box of 1 m: smooth, all over the place."""
    time = np.arange(int(duration * rate)) / rate
    position = np.empty((len(time), 2))
    point, velocity = np.array([0.5, 0.5]), np.array([0.2, 0.1])
    for i in range(len(time)):
        velocity = 0.97 * velocity + 0.05 * rng.standard_normal(2)
        point = point + velocity / rate
        velocity = np.where((point < 0) | (point > 1), -velocity, velocity)
        point = np.clip(point, 0, 1)
        position[i] = point
    return time, position


def place_trains(
    rng: np.random.Generator, time: np.ndarray, position: np.ndarray, centers: np.ndarray
) -> list[np.ndarray]:
    """Poisson spikes of Gaussian place fields (sd 0.1 m, peak 20 Hz)."""
    step = time[1] - time[0]
    trains = []
    for center in centers:
        rate = 20 * np.exp(-0.5 * ((position - center) ** 2).sum(axis=1) / 0.1**2)
        counts = rng.poisson(rate * step)
        trains.append(
            np.sort(np.repeat(time, counts) + rng.uniform(-0.5, 0.5, counts.sum()) * step)
        )
    return [np.clip(train, 0, None) for train in trains]


def spikes_recording(*, position: bool = True, events: bool = False, seed: int = 0) -> Recording:
    rng = np.random.default_rng(seed)
    time, path = walk(rng, 300.0)
    tuned = place_trains(rng, time, path, rng.uniform(0.2, 0.8, (6, 2)))
    trains = tuned + poisson_trains(rng, np.full(4, 3.0), 300.0)
    units = unit_table(len(trains))
    table = None
    if events:
        table = text_table(
            pd.DataFrame(
                {
                    "onset": np.arange(40) * 7.0 + 1,
                    "duration": np.full(40, 1.0),
                    "trial_type": ["a", "b"] * 20,
                }
            ),
            "event",
        )
    series = behavior_series({"position_x": path[:, 0], "position_y": path[:, 1]}, time)
    return Recording(
        dataset="made",
        recording="r1",
        subject="1",
        modality="spikes",
        units=units,
        spikes=spike_dataset(trains),
        events=table,
        behavior={"tracking": series} if position else {},
    )


def repeated_responses(
    rng: np.random.Generator,
    n_repeats: int,
    n_stimuli: int,
    signal_sd: np.ndarray,
    noise_sd: np.ndarray,
) -> np.ndarray:
    signal = rng.standard_normal((n_stimuli, len(signal_sd))) * signal_sd
    noise = rng.standard_normal((n_repeats, n_stimuli, len(signal_sd))) * noise_sd
    return signal + noise


def images_recording(*, n_repeats: int = 6, seed: int = 0) -> Recording:
    rng = np.random.default_rng(seed)
    ones = np.ones(10)
    responses = repeated_responses(rng, n_repeats, 250, ones, ones).astype(np.float32)
    if n_repeats > 2:
        responses[-1, :50] = np.nan
    units = unit_table(10)
    return Recording(
        dataset="made",
        recording="r1",
        subject="1",
        modality="images",
        units=units,
        stimuli=text_table(pd.DataFrame(index=[f"i{i}" for i in range(250)]), "stimulus"),
        responses=xr.DataArray(
            responses,
            dims=("repeat", "stimulus", "unit"),
            coords={"unit": units.index.to_numpy(object)},
            attrs={"unit": "spikes"},
        ),
    )
