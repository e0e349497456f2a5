"""Events to conditions: which stretches of time belong to which condition."""

from __future__ import annotations

import numpy as np
import pandas as pd

from neuropipe.errors import UnfitRecordingError
from neuropipe.recording import Recording
from neuropipe.trsa.settings import ResponseSettings

__all__ = ["condition_events"]


def condition_events(recording: Recording, settings: ResponseSettings) -> pd.DataFrame:
    """List the trials of a recording with their conditions.

    Parameters
    ----------
    recording : Recording
    settings : ResponseSettings

    Returns
    -------
    pandas.DataFrame
        ``onset`` and ``stop`` in s, ``condition``; sorted by onset. With `bin_width` one row a
        stretch, named after the condition and the middle of the stretch in s.

    Raises
    ------
    UnfitRecordingError
        If the recording has no events, lacks the column, or events without any duration have no
        window.
    """
    name, column = recording.recording, settings.condition
    events = recording.events
    if events is None or not len(events):
        raise UnfitRecordingError(
            f"recording {name} has no events",
            "events that name conditions",
            "take the recording out of the dataset, or set analyses: {trsa: false}",
        )
    if column not in events:
        raise UnfitRecordingError(
            f"events of recording {name} have no column {column!r}",
            f"one of {', '.join(events.columns)}",
            "set analyses: {trsa: {responses: {condition: ...}}}",
        )
    labels = events[column].astype(str)
    kept = ~labels.isin(settings.exclude) & events["onset"].notna()
    onset = events.loc[kept, "onset"].to_numpy(float)
    duration = events.loc[kept, "duration"].fillna(0).to_numpy(float)
    table = pd.DataFrame({"onset": onset, "condition": labels[kept].to_numpy()})
    if settings.window is not None:
        table["stop"] = onset + settings.window[1]
        table["onset"] = onset + settings.window[0]
    else:
        table["stop"] = onset + duration
    if recording.modality != "fmri" and (table["stop"] <= table["onset"]).any():
        raise UnfitRecordingError(
            f"recording {name} has events without a duration",
            "a window of time after their onset",
            "set analyses: {trsa: {responses: {window: [0, 0.5]}}}, in s",
        )
    table = table.sort_values("onset", kind="stable", ignore_index=True)
    return table if settings.bin_width is None else _binned(table, settings.bin_width)


def _binned(table: pd.DataFrame, width: float) -> pd.DataFrame:
    """Cut events to stretches of one width; what remains at an event's end is left out."""
    rows = []
    for event in table.itertuples():
        start, stop = float(event.onset), float(event.stop)  # type: ignore[arg-type]
        for k in range(int(np.floor((stop - start) / width + 1e-6))):
            middle = (k + 0.5) * width
            rows.append(
                {
                    "onset": start + k * width,
                    "stop": start + (k + 1) * width,
                    "condition": f"{event.condition} {middle:g} s",
                }
            )
    return pd.DataFrame(rows, columns=["onset", "stop", "condition"])
