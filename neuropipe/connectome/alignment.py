"""Put recordings on one time axis: as they are, by their events, or each on its own.

Axis legend: a animals (recordings), w windows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pandas as pd

from neuropipe.connectome.settings import UnitSettings
from neuropipe.errors import UnfitRecordingError

__all__ = ["Clock", "Timeline", "align", "choose_clock", "event_samples"]

Clock = Literal["shared", "events", "own"]
_TOLERANCE = 0.25  # s; or half a sampling interval where that is longer
_COMMON = 0.5  # share of every recording's events that all must have to be aligned by them
_SHORTEST = 5  # samples; a shorter window has no rate of change to speak of
_REMEDY = "set another clock, or leave out the recordings without these events"


@dataclass(frozen=True)
class Timeline:
    """Which samples of each recording stand where on the tensor's time axis.

    Parameters
    ----------
    clock : {"shared", "events", "own"}
    starts : array of int of shape (n_windows, n_animals)
        First sample of each window in each recording.
    sizes : array of int of shape (n_windows,)
        Samples of each window. The windows stand one after the other.
    lengths : array of int of shape (n_animals,)
        Samples in use; they differ on the clock ``own`` only.
    events : pandas.DataFrame
        ``trial_type``, ``start`` and ``stop`` in samples of the tensor's time axis; ``recording``
        too on the clock ``own``.
    warnings : list of str
    """

    clock: Clock
    starts: np.ndarray
    sizes: np.ndarray
    lengths: np.ndarray
    events: pd.DataFrame
    warnings: list[str] = field(default_factory=list)

    @property
    def n_samples(self) -> int:
        """Length of the tensor's time axis."""
        return int(self.sizes.sum())

    @property
    def segments(self) -> np.ndarray:
        """Start and stop of each window on the tensor's time axis (n_windows, 2)."""
        stops = np.cumsum(self.sizes)
        return np.stack([stops - self.sizes, stops], axis=1)

    def place(self, traces: np.ndarray, animal: int) -> np.ndarray:
        """Bring one recording's traces onto the tensor's time axis.

        Parameters
        ----------
        traces : array of shape (n_units, n_recorded)
        animal : int
            Its position.

        Returns
        -------
        array of shape (n_units, n_samples)
            NaN after the recording's end.
        """
        placed = np.full((len(traces), self.n_samples), np.nan, dtype=traces.dtype)
        for (start, _), first, size in zip(
            self.segments, self.starts[:, animal], self.sizes, strict=True
        ):
            part = traces[:, first : first + size]
            placed[:, start : start + part.shape[1]] = part
        return placed


def event_samples(
    events: pd.DataFrame | None, first: float, sampling_rate: float, n_samples: int
) -> pd.DataFrame:
    """Put a recording's events on its samples.

    Parameters
    ----------
    events : pandas.DataFrame or None
        ``onset`` and ``duration`` in s; ``trial_type`` where they have names.
    first : float
        Time of the first sample, in s.
    sampling_rate : float
        In Hz.
    n_samples : int

    Returns
    -------
    pandas.DataFrame
        ``trial_type``, ``onset`` in s since the first sample, ``start`` and ``stop`` in samples, by
        time. Events outside the recording are left out, those that start with the same sample are
        one (``a+b``), and one without a duration lasts until the next.
    """
    if events is None or not len(events):
        return pd.DataFrame({"trial_type": [], "onset": [], "start": [], "stop": []}).astype(
            {"trial_type": object, "start": int, "stop": int}
        )
    onset = events["onset"].to_numpy(float) - first
    start = np.maximum(np.round(onset * sampling_rate), 0)
    rows = pd.DataFrame(
        {
            "trial_type": events["trial_type"].astype(str) if "trial_type" in events else "event",
            "onset": onset,
            "start": start,
            "stop": np.round((onset + events["duration"].to_numpy(float)) * sampling_rate),
        }
    )
    inside = rows[(onset >= -_tolerance(sampling_rate)) & (start < n_samples)]
    table = inside.groupby("start", as_index=False).agg(
        trial_type=("trial_type", lambda kinds: "+".join(sorted(set(kinds)))),
        onset=("onset", "min"),
        stop=("stop", "max"),
    )
    following = np.append(table["start"].to_numpy()[1:], n_samples)
    stop = np.where(table["stop"].isna(), following, table["stop"])
    table["stop"] = np.clip(stop, table["start"] + 1, n_samples)
    return table.astype({"start": int, "stop": int})[["trial_type", "onset", "start", "stop"]]


def choose_clock(tables: Sequence[pd.DataFrame], sampling_rate: float) -> Clock:
    """Choose the time axis that the events allow (clock: auto).

    Parameters
    ----------
    tables : sequence of pandas.DataFrame
        Of `event_samples`, one a recording.
    sampling_rate : float
        In Hz.

    Returns
    -------
    {"shared", "events", "own"}
        ``shared`` for one recording alone or where all have the same events at the same times (to
        0.25 s, or half a sampling interval where that is longer); ``events`` where at least half
        of every recording's events occur in all; else ``own``.
    """
    if len(tables) == 1 or _same_times(tables, sampling_rate):
        return "shared"
    most = max(len(table) for table in tables)
    return "events" if most and len(_common(tables)) >= _COMMON * most else "own"


def align(
    tables: Mapping[str, pd.DataFrame],
    lengths: Sequence[int],
    sampling_rate: float,
    settings: UnitSettings,
) -> Timeline:
    """Find the time axis of the tensor.

    Parameters
    ----------
    tables : mapping of str to pandas.DataFrame
        `event_samples` by recording.
    lengths : sequence of int of length n_animals
        Samples of each recording.
    sampling_rate : float
        In Hz, of all recordings.
    settings : UnitSettings
        Its `clock`, `window` and `min_samples`.

    Raises
    ------
    UnfitRecordingError
        If the clock ``events`` was asked for and too little is common to all recordings.
    """
    found = list(tables.values())
    clock = choose_clock(found, sampling_rate) if settings.clock == "auto" else settings.clock
    if clock == "shared":
        return _shared(found, lengths, sampling_rate)
    if clock == "own":
        return _own(tables, lengths)
    timeline = _by_events(found, lengths, sampling_rate, settings.window)
    if timeline.n_samples >= max(settings.min_samples, 1):
        return timeline
    given = f"{timeline.n_samples} frames lie in windows about events that all recordings have"
    if settings.clock == "auto":
        note = f"Only {given}: each recording keeps its own time course."
        return replace(_own(tables, lengths), warnings=[note])
    without = [name for name, table in tables.items() if not len(table)]
    raise UnfitRecordingError(
        given + (f" (no events: {', '.join(without[:3])})" if without else ""),
        f"at least {settings.min_samples} (min_samples)",
        _REMEDY,
    )


def _tolerance(sampling_rate: float) -> float:
    return max(_TOLERANCE, 0.5 / sampling_rate)


def _same_times(tables: Sequence[pd.DataFrame], sampling_rate: float) -> bool:
    first = tables[0]
    return len(first) > 0 and all(
        list(table["trial_type"]) == list(first["trial_type"])
        and bool(
            np.all(
                np.abs(table["onset"].to_numpy() - first["onset"].to_numpy())
                <= _tolerance(sampling_rate)
            )
        )
        for table in tables
    )


def _shared(
    tables: Sequence[pd.DataFrame], lengths: Sequence[int], sampling_rate: float
) -> Timeline:
    shortest, longest = min(lengths), max(lengths)
    warnings = []
    if longest > 1.01 * shortest:
        warnings.append(
            f"Recordings are cut to the shortest: {shortest} of up to {longest} frames."
        )
    events = tables[0][["trial_type", "start", "stop"]]
    if not _same_times(tables, sampling_rate) and any(len(table) for table in tables):
        warnings.append("Events differ between recordings: none is shown on the shared clock.")
        events = events.iloc[:0]
    events = events[events["start"] < shortest]
    return Timeline(
        clock="shared",
        starts=np.zeros((1, len(lengths)), dtype=int),
        sizes=np.array([shortest]),
        lengths=np.full(len(lengths), shortest),
        events=events.assign(stop=events["stop"].clip(upper=shortest)),
        warnings=warnings,
    )


def _own(tables: Mapping[str, pd.DataFrame], lengths: Sequence[int]) -> Timeline:
    parts = [table.assign(recording=name) for name, table in tables.items()]
    events = pd.concat(parts, ignore_index=True)
    return Timeline(
        clock="own",
        starts=np.zeros((1, len(lengths)), dtype=int),
        sizes=np.array([max(lengths)]),
        lengths=np.array(lengths),
        events=events[["trial_type", "start", "stop", "recording"]],
    )


def _by_occurrence(table: pd.DataFrame) -> pd.DataFrame:
    """Index events by their type and how often it has occurred before."""
    occurrence = table.groupby("trial_type").cumcount()
    return table.set_index(pd.MultiIndex.from_arrays([table["trial_type"], occurrence]))


def _common(tables: Sequence[pd.DataFrame]) -> pd.MultiIndex:
    """Type and occurrence of the events that all recordings have, sorted."""
    indices = [_by_occurrence(table).index for table in tables]
    shared = set.intersection(*(set(index) for index in indices))
    return pd.MultiIndex.from_tuples(sorted(shared), names=["trial_type", "occurrence"])


def _by_events(
    tables: Sequence[pd.DataFrame],
    lengths: Sequence[int],
    sampling_rate: float,
    window: tuple[float, float] | None,
) -> Timeline:
    common = _common(tables)
    limits = np.array(lengths)
    if not len(common):
        nothing = np.zeros(0, dtype=int)
        empty = tables[0].iloc[:0][["trial_type", "start", "stop"]]
        return Timeline("events", nothing.reshape(0, len(limits)), nothing, 0 * limits, empty)
    rows = [
        _by_occurrence(table.assign(end=_ends(table, n))).loc[common]
        for table, n in zip(tables, lengths, strict=True)
    ]
    onsets, stops, ends = (
        np.stack([row[name].to_numpy() for row in rows], axis=1)
        for name in ("start", "stop", "end")
    )
    before, after = (round(seconds * sampling_rate) for seconds in window or (0.0, 0.0))
    sizes = (ends - onsets).min(axis=1) if window is None else np.full(len(common), before + after)
    starts = onsets - before
    inside = ((starts >= 0) & (starts + sizes[:, None] <= limits)).all(axis=1)
    kept = inside & (sizes >= _SHORTEST)
    starts, sizes = starts[kept], sizes[kept]
    onset = np.cumsum(sizes) - sizes + before
    shown = np.minimum((stops - onsets).min(axis=1)[kept], sizes - before)
    types = np.array(common.get_level_values(0), dtype=object)[kept]
    most = max(len(table) for table in tables)
    return Timeline(
        clock="events",
        starts=starts,
        sizes=sizes,
        lengths=np.full(len(limits), sizes.sum()),
        events=pd.DataFrame({"trial_type": types, "start": onset, "stop": onset + shown}),
        warnings=_lost(most - len(common), common[~inside], common[inside & ~kept], most),
    )


def _ends(table: pd.DataFrame, n_samples: int) -> np.ndarray:
    """Where the stretch that belongs to an event ends: at the next onset or the recording's end.

    Where every event lasts until the next, the last one ends when it ends.
    """
    start, stop = table["start"].to_numpy(), table["stop"].to_numpy()
    gapless = len(table) > 1 and bool(np.all(np.abs(stop[:-1] - start[1:]) <= 1))
    return np.append(start[1:], stop[-1:] if gapless else [n_samples] * (len(table) > 0))


def _lost(absent: int, outside: pd.MultiIndex, short: pd.MultiIndex, most: int) -> list[str]:
    reasons = {
        "not in all recordings": absent,
        "window beyond a recording": len(outside),
        f"window shorter than {_SHORTEST} frames": len(short),
    }
    return [
        f"{count} of up to {most} events left out ({reason})."
        for reason, count in reasons.items()
        if count
    ]
