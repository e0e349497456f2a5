"""From recordings to what connectivity is computed from: complete frames of usable units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuropipe.connectivity.settings import ConnectivitySettings
from neuropipe.errors import UnfitRecordingError
from neuropipe.recording import Recording
from neuropipe.stats.connectivity_matrices import varying
from neuropipe.units import draw_units

__all__ = ["Series", "usable_series"]


@dataclass(frozen=True)
class Series:
    """Frames without missing values of the units that can be used.

    Parameters
    ----------
    values : array of shape (n_times, n_units), float64
        Finite; every unit varies.
    units : pandas.DataFrame
        Rows of the unit table, in the order of the columns of `values`.
    sampling_rate : float
        In Hz.
    n_frames : int
        Frames before incomplete ones were left out.
    dropped : dict of str to list of str
        Units left out, by reason.
    """

    values: np.ndarray
    units: pd.DataFrame
    sampling_rate: float
    n_frames: int
    dropped: dict[str, list[str]]

    @property
    def names(self) -> list[str]:
        """Names of the units."""
        return [str(name) for name in self.units.index]

    @property
    def duration(self) -> float:
        """Time covered by the frames in use, in s."""
        return len(self.values) / self.sampling_rate

    def warnings(self) -> list[str]:
        """What was left out, in sentences."""
        said = [
            f"{len(names)} of {len(names) + self.values.shape[1]} units left out ({reason}): "
            f"{', '.join(names[:5])}{', ...' if len(names) > 5 else ''}."
            for reason, names in self.dropped.items()
            if names
        ]
        lost = self.n_frames - len(self.values)
        if lost:
            said.append(
                f"{lost} of {self.n_frames} frames left out because a unit is missing there; the "
                "rest was joined as if it were contiguous."
            )
        return said


def usable_series(recording: Recording, settings: ConnectivitySettings) -> Series:
    """Pick units and frames.

    A unit is left out when it is constant or misses more than `max_missing` of the frames; of more
    than `max_units` some are drawn. Then every frame in which a remaining unit is missing is left
    out, so that all edges rest on the same frames and the correlation matrix stays positive
    semi-definite; a unit that is constant over those frames goes too.

    Parameters
    ----------
    recording : Recording
    settings : ConnectivitySettings

    Returns
    -------
    Series

    Raises
    ------
    UnfitRecordingError
        If there are no signals, too few units or too few frames.
    """
    if recording.signals is None:
        raise UnfitRecordingError(
            f"recording {recording.recording} ({recording.modality}) has no signals",
            "continuous traces (fmri, calcium)",
            "leave connectivity out of this dataset's analyses",
        )
    values = recording.signals.values.astype(np.float64)
    names = np.array(recording.units.index, dtype=object)
    present = np.isnan(values).mean(axis=0) <= settings.max_missing
    varies = varying(values)
    kept = np.flatnonzero(present & varies)
    drawn = kept[draw_units(names[kept], settings.max_units)]
    complete = ~np.isnan(values[:, drawn]).any(axis=1)
    still = varying(values[np.ix_(complete, drawn)])
    used = drawn[still]
    dropped = {
        f"more than {settings.max_missing:.0%} of frames missing": names[~present],
        "constant": names[np.union1d(np.flatnonzero(present & ~varies), drawn[~still])],
        "drawn to stay within max_units": names[np.setdiff1d(kept, drawn)],
    }
    frames = values[np.ix_(complete, used)]
    _check_size(recording.recording, frames, settings)
    assert recording.sampling_rate is not None
    return Series(
        values=frames,
        units=recording.units.iloc[used],
        sampling_rate=recording.sampling_rate,
        n_frames=len(values),
        dropped={reason: [str(n) for n in left] for reason, left in dropped.items()},
    )


def _check_size(name: str, frames: np.ndarray, settings: ConnectivitySettings) -> None:
    n_times, n_units = frames.shape
    if n_times < settings.min_samples:
        raise UnfitRecordingError(
            f"recording {name} has {n_times} complete frames",
            f"at least {settings.min_samples} (min_samples)",
            "lower max_missing so that gappy units go instead of frames, or leave it out",
        )
    if n_units < settings.min_units:
        raise UnfitRecordingError(
            f"recording {name} has {n_units} usable units",
            f"at least {settings.min_units} (min_units)",
            "leave the recording out",
        )
