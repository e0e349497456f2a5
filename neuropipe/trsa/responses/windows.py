"""Single responses of spikes, calcium and images: counts, means in windows, repeats."""

from __future__ import annotations

import numpy as np
import pandas as pd

from neuropipe.errors import UnfitRecordingError
from neuropipe.recording import Recording
from neuropipe.trsa.settings import ResponseSettings

__all__ = ["event_responses", "image_responses", "mean_traces", "spike_rates"]


def event_responses(
    recording: Recording, events: pd.DataFrame, settings: ResponseSettings
) -> tuple[np.ndarray, str]:
    """Response of every unit to every event.

    Parameters
    ----------
    recording : Recording
        With spikes or signals.
    events : pandas.DataFrame
        ``onset`` and ``stop`` in s.
    settings : ResponseSettings

    Returns
    -------
    values : array of shape (n_events, n_units)
        Rates in spikes/s, or means of the traces; less the mean of the baseline where one is set.
    unit : str

    Raises
    ------
    UnfitRecordingError
        If the recording has neither, or no event lies in it long enough.

    Notes
    -----
    A baseline is the time before the event's onset, wherever a window begins. A trial of which
    less than half was recorded, or whose baseline was not, is NaN.
    """
    starts, stops = events["onset"].to_numpy(float), events["stop"].to_numpy(float)
    onsets = starts - (0.0 if settings.window is None else settings.window[0])
    if recording.spikes is not None:
        trains, unit = recording.spike_trains(), "spikes/s"
        values = spike_rates(trains, starts, stops)
        if settings.baseline:
            values -= spike_rates(trains, onsets - settings.baseline, onsets)
        return _with_some(values, recording, "the time of the spikes"), unit
    if recording.signals is None:
        raise UnfitRecordingError(
            f"recording {recording.recording} has neither spikes nor signals",
            "either of them",
            "take it out of the dataset",
        )
    traces = recording.signals.values.astype(np.float64)
    times = recording.signals["time"].values
    values = mean_traces(traces, times, starts, stops)
    if settings.baseline:
        values -= mean_traces(traces, times, onsets - settings.baseline, onsets)
    held = f"frames, {1 / float(recording.signals.attrs['sampling_rate']):.3g} s each,"
    unit = str(recording.signals.attrs.get("unit", ""))
    return _with_some(values, recording, held), unit


def _with_some(values: np.ndarray, recording: Recording, what: str) -> np.ndarray:
    if not np.isfinite(values).any():
        raise UnfitRecordingError(
            f"none of the {len(values)} events of recording {recording.recording} holds {what} "
            "in window and baseline",
            "windows within the recording that are at least one frame long",
            "correct responses.window and baseline, or the clock of the events",
        )
    return values


def spike_rates(trains: list[np.ndarray], starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Spikes a second in windows.

    Parameters
    ----------
    trains : list of array
        Sorted spike times of every unit, in s.
    starts, stops : arrays of shape (n_windows,)
        In s; a spike at the start counts, one at the stop does not.

    Returns
    -------
    array of shape (n_windows, n_units)
        Of the part of a window after time 0, when a recording starts; NaN where that is less than
        half of it, and where no unit fires from its start on: the recording had ended.
    """
    edges = np.stack([starts, stops])
    counts = np.stack([np.diff(np.searchsorted(train, edges), axis=0)[0] for train in trains], 1)
    last = max((float(train[-1]) for train in trains if len(train)), default=-np.inf)
    recorded = stops - np.maximum(starts, 0.0)
    there = (recorded >= (stops - starts) / 2) & (starts <= last)
    seconds = np.where(there, recorded, np.nan)
    return np.asarray(counts / seconds[:, None])


def mean_traces(
    traces: np.ndarray, times: np.ndarray, starts: np.ndarray, stops: np.ndarray
) -> np.ndarray:
    """Mean of traces in windows.

    Parameters
    ----------
    traces : array of shape (n_times, n_units)
    times : array of shape (n_times,)
        In s, increasing.
    starts, stops : arrays of shape (n_windows,)
        In s; a frame at the start counts, one at the stop does not.

    Returns
    -------
    array of shape (n_windows, n_units)
        Over the frames that are known; NaN where they are less than half of those that a window
        would hold.
    """
    slack = 1e-6  # s; an onset on a frame stays on it after rounding
    first = np.searchsorted(times, starts - slack)
    last = np.searchsorted(times, stops - slack)
    known = np.isfinite(traces)
    zero = np.zeros((1, traces.shape[1]))
    total = np.concatenate([zero, np.cumsum(np.where(known, traces, 0.0), axis=0)])
    count = np.concatenate([zero, np.cumsum(known, axis=0)])
    n_known = count[last] - count[first]
    step = float(np.median(np.diff(times)))
    expected = np.maximum(last - first, np.round((stops - starts) / step))
    enough = n_known >= np.maximum(1, expected[:, None] / 2)
    shape = n_known.shape
    mean: np.ndarray = np.divide(
        total[last] - total[first], n_known, out=np.full(shape, np.nan), where=enough
    )
    return mean


def image_responses(recording: Recording) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Responses to stimuli in long form.

    Parameters
    ----------
    recording : Recording
        With responses.

    Returns
    -------
    values : array of shape (n_trials, n_units)
        Trials of which at least one unit is known.
    stimulus, repeat : arrays of int of shape (n_trials,)

    Raises
    ------
    UnfitRecordingError
        If there are no responses.
    """
    if recording.responses is None:
        raise UnfitRecordingError(
            f"recording {recording.recording} has no responses", "responses to stimuli", "leave out"
        )
    values = recording.responses.values.astype(np.float64)
    n_repeats, n_stimuli, n_units = values.shape
    repeat, stimulus = np.divmod(np.arange(n_repeats * n_stimuli), n_stimuli)
    flat = values.reshape(-1, n_units)
    there = np.isfinite(flat).any(axis=1)
    return flat[there], stimulus[there], repeat[there]
