"""What the connectome keeps of each recording: traces without gaps of the usable units."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuropipe.connectome.settings import UnitSettings
from neuropipe.dataset import usable
from neuropipe.errors import UnfitRecordingError
from neuropipe.recording import Recording
from neuropipe.stats.connectivity_matrices import varying
from neuropipe.units import are_anonymous, homologous_pairs

__all__ = ["Run", "fill_gaps", "ordered_union", "read_run", "read_runs", "resampled"]

_LEAVE_OUT = "set analyses: {connectome: false} for this dataset"


@dataclass(frozen=True, eq=False)
class Run:
    """One recording.

    Parameters
    ----------
    recording, subject, session, modality : str
    traces : array of float32 of shape (n_units, n_samples)
        Finite; every unit varies.
    units : pandas.DataFrame
        Rows of the unit table, in the order of the rows of `traces`.
    pairs : list of (str, str)
        Left/right pairs that the unit table states.
    sampling_rate : float
        In Hz.
    first : float
        Time of the first sample, in s.
    events : pandas.DataFrame or None
    anonymous : bool
        Whether the units' names mean nothing in another subject or session.
    n_absent : int
        Units left out.
    """

    recording: str
    subject: str
    session: str
    modality: str
    traces: np.ndarray
    units: pd.DataFrame
    pairs: list[tuple[str, str]]
    sampling_rate: float
    first: float
    events: pd.DataFrame | None
    anonymous: bool
    n_absent: int

    @property
    def names(self) -> list[str]:
        """Names of the units."""
        return [str(name) for name in self.units.index]


def read_runs(
    recordings: Iterable[Recording], dataset: str, settings: UnitSettings
) -> tuple[list[Run], list[str]]:
    """Keep what is needed of every recording that can be used.

    Parameters
    ----------
    recordings : iterable of Recording
        Read one at a time.
    dataset : str
        For messages.
    settings : UnitSettings

    Returns
    -------
    runs : list of Run
    warnings : list of str
        Recordings and units that were left out.

    Raises
    ------
    UnfitRecordingError
        If no recording can be used, or units are numbered and come from several sessions.
    """
    runs, warnings = usable(recordings, lambda one: read_run(one, settings), dataset, _LEAVE_OUT)
    _check_matchable(runs, dataset)
    gappy = [run.n_absent for run in runs if run.n_absent]
    if gappy:
        warnings.append(
            f"Up to {max(gappy)} units count as absent in {len(gappy)} of {len(runs)} recordings "
            f"(constant, or more than {settings.max_missing:.0%} of frames missing)."
        )
    return runs, warnings


def read_run(recording: Recording, settings: UnitSettings) -> Run:
    """Pick the usable units of a recording and fill their gaps.

    Parameters
    ----------
    recording : Recording
    settings : UnitSettings

    Raises
    ------
    UnfitRecordingError
        If there are no signals, too few units or too few frames.
    """
    name = recording.recording
    if recording.signals is None:
        raise UnfitRecordingError(
            f"recording {name} ({recording.modality}) has no signals",
            "continuous traces (fmri, calcium)",
            _LEAVE_OUT,
        )
    values = recording.signals.values
    usable = np.isnan(values).mean(axis=0) <= settings.max_missing
    usable &= varying(values.astype(np.float64))
    if len(values) < settings.min_samples:
        raise UnfitRecordingError(
            f"recording {name} has {len(values)} frames",
            f"at least {settings.min_samples} (min_samples)",
            "leave the recording out",
        )
    if usable.sum() < settings.min_units:
        raise UnfitRecordingError(
            f"recording {name} has {usable.sum()} usable units",
            f"at least {settings.min_units} (min_units)",
            "leave the recording out",
        )
    labels = [str(unit) for unit in recording.units.index]
    assert recording.sampling_rate is not None
    return Run(
        recording=name,
        subject=recording.subject,
        session=recording.session,
        modality=recording.modality,
        traces=fill_gaps(np.ascontiguousarray(values[:, usable].T)),
        units=recording.units[usable],
        pairs=[(labels[i], labels[j]) for i, j in homologous_pairs(recording.units)],
        sampling_rate=recording.sampling_rate,
        first=float(recording.signals["time"].values[0]),
        events=recording.events,
        anonymous=are_anonymous(recording.modality, labels),
        n_absent=int((~usable).sum()),
    )


def _check_matchable(runs: Sequence[Run], dataset: str) -> None:
    several = len({(run.subject, run.session) for run in runs}) > 1
    numbered = next((run for run in runs if run.anonymous), None)
    if several and numbered is not None:
        raise UnfitRecordingError(
            f"units of {dataset} are numbered, not named ({numbered.recording}: "
            f"{', '.join(numbered.names[:3])}, ...) and cannot be matched between recordings",
            "unit names that mean the same in all subjects and sessions",
            _LEAVE_OUT,
        )


def fill_gaps(traces: np.ndarray) -> np.ndarray:
    """Fill missing samples linearly; before the first and after the last known one, with it.

    Parameters
    ----------
    traces : array of shape (n_units, n_samples)
        NaN is missing; every unit has a known sample.

    Returns
    -------
    array of the same shape and type
    """
    gappy = np.isnan(traces).any(axis=1)
    if not gappy.any():
        return traces
    filled = traces.copy()
    filled[gappy] = pd.DataFrame(traces[gappy].T).interpolate(limit_direction="both").T
    return filled


def resampled(traces: np.ndarray, sampling_rate: float, wanted: float) -> np.ndarray:
    """Bring traces to a nearly equal sampling rate by linear interpolation.

    Parameters
    ----------
    traces : array of shape (n_units, n_samples)
        Finite.
    sampling_rate, wanted : float
        In Hz.

    Returns
    -------
    array of shape (n_units, n_resampled)
        The traces themselves where the two clocks stay within half a sample to the end.
    """
    n_samples = traces.shape[1]
    if abs(wanted / sampling_rate - 1) * n_samples <= 0.5:
        return traces
    step = sampling_rate / wanted
    at = np.arange(int((n_samples - 1) / step) + 1) * step
    low = np.minimum(at.astype(int), n_samples - 2)
    weight = (at - low).astype(traces.dtype)
    mixed: np.ndarray = traces[:, low] * (1 - weight) + traces[:, low + 1] * weight
    return mixed


def ordered_union(runs: Sequence[Run]) -> list[str]:
    """Names of the units of all recordings.

    In the order of first appearance; ROIs (fmri) in the order of their atlas: one that an earlier
    recording lacks goes behind the one that precedes it in its own.
    """
    if runs[0].modality != "fmri":
        return list(dict.fromkeys(name for run in runs for name in run.names))
    order = list(runs[0].names)
    known = set(order)
    for run in runs[1:]:
        if known.issuperset(run.names):
            continue
        place = 0
        for name in run.names:
            if name in known:
                place = order.index(name) + 1
            else:
                order.insert(place, name)
                known.add(name)
                place += 1
    return order
