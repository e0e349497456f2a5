"""Events to conditions: which stretches of time belong to which condition."""

from __future__ import annotations

import numpy as np
import pandas as pd

from neuropipe.errors import UnfitRecordingError
from neuropipe.recording import MISSING, Recording
from neuropipe.trsa.settings import ResponseSettings

__all__ = ["condition_events", "condition_labels"]

_CLOCK = ("onset", "duration")


def condition_labels(values: pd.Series) -> pd.Series:
    """Name the condition of every event.

    Parameters
    ----------
    values : pandas.Series
        Text, truth values or numbers.

    Returns
    -------
    pandas.Series of str
        ``n/a`` where nothing is given. Whole numbers carry no decimals, so that a column with gaps
        names its conditions as one without.
    """
    missing = values.isna()
    if pd.api.types.is_float_dtype(values):
        labels = values.map(lambda x: str(int(x)) if float(x).is_integer() else str(x))
    else:
        labels = values.astype(str).str.strip()
    return labels.where(~missing & (labels != ""), MISSING)


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
        stretch, named after the condition and the middle of the stretch in s; ``event`` and
        ``time`` hold the two.

    Raises
    ------
    UnfitRecordingError
        If the recording has no events, lacks the column, no event names a condition, events
        without any duration have no window, or all are shorter than `bin_width`.
    """
    name, column = recording.recording, settings.condition
    events = recording.events
    if events is None or not len(events):
        raise UnfitRecordingError(
            f"recording {name} has no events",
            "events that name conditions",
            "take the recording out of the dataset, or set analyses: {trsa: false}",
        )
    if column not in events or column in _CLOCK:
        others = [str(known) for known in events if known not in _CLOCK]
        fault = "have no column" if column not in events else "cannot be named by"
        raise UnfitRecordingError(
            f"events of recording {name} {fault} {column!r}",
            f"one of {', '.join(others) or 'the columns of its events (it has no others)'}",
            "set analyses: {trsa: {responses: {condition: ...}}}",
        )
    labels = condition_labels(events[column])
    kept = ~labels.isin([*settings.exclude, MISSING]) & events["onset"].notna()
    if not kept.any():
        raise UnfitRecordingError(
            f"no event of recording {name} names a condition in {column!r} "
            f"({', '.join(sorted(set(labels))[:5])})",
            "entries other than those of responses.exclude",
            "name another column (responses: {condition: ...}), or set analyses: {trsa: false}",
        )
    onset = events.loc[kept, "onset"].to_numpy(float)
    duration = events.loc[kept, "duration"].fillna(0).to_numpy(float)
    table = pd.DataFrame({"onset": onset, "condition": labels[kept].to_numpy(object)})
    if settings.window is not None:
        table["stop"] = onset + settings.window[1]
        table["onset"] = onset + settings.window[0]
    else:
        table["stop"] = onset + duration
    # A GLM takes an event without a duration for an impulse.
    timed = recording.modality != "fmri" or settings.bin_width is not None
    if timed and (table["stop"] <= table["onset"]).any():
        raise UnfitRecordingError(
            f"recording {name} has events without a duration",
            "a window of time after their onset",
            "set analyses: {trsa: {responses: {window: [0, 0.5]}}}, in s",
        )
    table = table.sort_values("onset", kind="stable", ignore_index=True)
    if settings.bin_width is None:
        return table
    binned = _binned(table, settings.bin_width)
    if not len(binned):
        longest = float((table["stop"] - table["onset"]).max())
        raise UnfitRecordingError(
            f"the longest event of recording {name} takes {longest:g} s",
            f"one of {settings.bin_width:g} s or more (responses.bin_width)",
            "set a smaller bin_width, or none",
        )
    return binned


def _binned(table: pd.DataFrame, width: float) -> pd.DataFrame:
    """Cut events to stretches of one width; what remains at an event's end is left out."""
    rows = []
    for start, stop, event in zip(
        table["onset"].to_numpy(float), table["stop"].to_numpy(float), table["condition"],
        strict=True,
    ):  # fmt: skip
        for k in range(int(np.floor((stop - start) / width + 1e-6))):
            # Rounded to the microsecond: the same stretch has one name in every presentation.
            middle = round((k + 0.5) * width, 6)
            rows.append(
                {
                    "onset": start + k * width,
                    "stop": start + (k + 1) * width,
                    "condition": f"{event} {middle:.10g} s",
                    "event": event,
                    "time": middle,
                }
            )
    return pd.DataFrame(rows, columns=["onset", "stop", "condition", "event", "time"])
