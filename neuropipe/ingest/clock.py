"""Sampling times: from timestamps to a uniform grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuropipe.errors import InputError

JITTER = 0.01  # of the median step: steps within it count as uniform
_GAP = 2.5  # steps: a longer silence is a gap, not one lost sample (two steps) with jitter
_MOST_EMPTY = 20  # grid points per sample, beyond which the clock itself is wrong


@dataclass(frozen=True)
class Sampled:
    """Traces on a uniform grid.

    Parameters
    ----------
    values : array of shape (n_times, n_units)
    rate : float
        In Hz.
    start : float
        Time of the first sample in s.
    notes : tuple of str
        What was done to get there, for the recording's history.
    """

    values: np.ndarray
    rate: float
    start: float
    notes: tuple[str, ...] = ()

    @property
    def times(self) -> np.ndarray:
        """Sampling times in s, of shape (n_times,)."""
        return self.start + np.arange(len(self.values)) / self.rate


def check_times(times: np.ndarray, what: str) -> np.ndarray:
    """Return sampling times as float64 when they are finite and increasing.

    Parameters
    ----------
    times : array of shape (n_times,)
        In s.
    what : str
        Whose times they are, for the error.

    Raises
    ------
    InputError
        If a time is missing or does not come after the one before it.
    """
    times = np.asarray(times, dtype=np.float64)
    if not np.isfinite(times).all():
        where = int(np.argmin(np.isfinite(times)))
        raise InputError(f"{what}: timestamp {where} is {times[where]}", "times in s", "correct it")
    late = np.flatnonzero(np.diff(times) <= 0)
    if len(late):
        i = int(late[0])
        raise InputError(
            f"{what}: timestamp {i + 1} ({times[i + 1]:g} s) does not come after {times[i]:g} s",
            "increasing timestamps",
            "sort or mend the timestamps, or leave the series out",
        )
    return times


def uniform(values: np.ndarray, times: np.ndarray, what: str) -> Sampled:
    """Bring traces with timestamps onto a uniform grid.

    Timestamps whose steps all lie within 1 % of their median, and that never stray from a straight
    line by half a step, are uniform: the values stay, and the rate is that of the straight line
    between first and last sample (the median step would drift wherever a clock is quantised).
    Otherwise the traces are interpolated linearly onto a grid whose step is the mean of the steps
    that are no gaps; inside gaps, where more than one sample is lost, the grid holds NaN.

    Parameters
    ----------
    values : array of shape (n_times, n_units)
    times : array of shape (n_times,)
        In s.
    what : str
        Name of the series, for errors and notes.

    Raises
    ------
    InputError
        If there are fewer than two times, they do not increase, or they leave the grid so empty
        (over twenty points a sample) that the timestamps must be wrong.
    """
    times = check_times(times, what)
    if len(times) < 2:
        raise InputError(f"{what} has {len(times)} samples", "at least two", "leave the series out")
    steps = np.diff(times)
    median = float(np.median(steps))
    rate = (len(times) - 1) / (times[-1] - times[0])
    line = times[0] + np.arange(len(times)) / rate
    straight = np.abs(times - line).max() * rate < 0.5
    if straight and np.abs(steps / median - 1).max() <= JITTER:
        return Sampled(values, float(rate), float(times[0]))
    gaps = steps > _GAP * median
    # One lost sample makes a double step; it counts as two.
    step = float(steps[~gaps].sum() / np.maximum(np.round(steps[~gaps] / median), 1).sum())
    n_grid = int(np.floor((times[-1] - times[0]) / step + 1e-6)) + 1
    if n_grid > _MOST_EMPTY * len(times):
        raise InputError(
            f"{what}: {len(times)} timestamps, {step:g} s apart, span {times[-1] - times[0]:g} s",
            "timestamps without such gaps",
            "correct the timestamps, or leave the series out",
        )
    grid = times[0] + np.arange(n_grid) * step
    jitter = np.abs(steps[~gaps] / median - 1).max()
    note = (
        f"{what}: timestamps vary by up to {100 * jitter:.3g} % and have {int(gaps.sum())} gaps; "
        f"interpolated linearly to {1 / step:.6g} Hz, NaN where more than one sample is lost"
    )
    return Sampled(interpolate(values, times, grid, gaps), 1 / step, float(times[0]), (note,))


def interpolate(
    values: np.ndarray, times: np.ndarray, grid: np.ndarray, gaps: np.ndarray | None = None
) -> np.ndarray:
    """Interpolate traces linearly; NaN outside the times, inside gaps and beside a NaN.

    Parameters
    ----------
    values : array of shape (n_times, n_units)
    times : array of shape (n_times,)
        Increasing, in s.
    grid : array of shape (n_grid,)
        Where to interpolate, in s.
    gaps : bool array of shape (n_times - 1,), optional
        Steps inside which the result is NaN.

    Returns
    -------
    array of shape (n_grid, n_units)
        In the floating type of `values`.
    """
    values = np.asarray(values)
    kind = values.dtype if values.dtype.kind == "f" else np.dtype(np.float64)
    step = float(np.median(np.diff(times)))
    left = np.clip(np.searchsorted(times, grid, side="right") - 1, 0, len(times) - 2)
    weight = (grid - times[left]) / (times[left + 1] - times[left])
    # A grid point that falls on a sample takes it alone, whatever stands beside it.
    near = 1e-6 * step / (times[left + 1] - times[left])
    weight = np.where(np.abs(weight) < near, 0.0, np.where(np.abs(weight - 1) < near, 1.0, weight))
    a, b = values[left].astype(kind), values[left + 1].astype(kind)
    w = weight[:, None].astype(kind)
    result: np.ndarray = np.where(w == 0, a, np.where(w == 1, b, a * (1 - w) + b * w))
    outside = (weight < 0) | (weight > 1)
    if gaps is not None:
        outside |= gaps[left] & (weight > 0) & (weight < 1)
    result[outside] = np.nan
    return result


def align(series: list[Sampled], names: list[str]) -> tuple[list[np.ndarray], Sampled]:
    """Bring series of several planes onto one clock.

    Planes that are scanned in turn share a rate and start within one step of each other: they are
    taken as simultaneous with the first one. Other planes are interpolated linearly onto the
    lowest rate over the time they share.

    Parameters
    ----------
    series : list of Sampled
    names : list of str
        For the notes.

    Returns
    -------
    arrays : list of array of shape (n_times, n_units)
    clock : Sampled
        Rate, start and notes; its values are those of the first array.

    Raises
    ------
    InputError
        If the series share less than two samples.
    """
    first = series[0]
    notes = [note for one in series for note in one.notes]
    same_rate = all(abs(one.rate / first.rate - 1) <= 1e-3 for one in series)
    offset = max(abs(one.start - first.start) for one in series)
    if same_rate and offset * first.rate < 1:
        n = min(len(one.values) for one in series)
        arrays = [one.values[:n] for one in series]
        if offset > 0 or any(len(one.values) != n for one in series):
            notes.append(
                f"planes {', '.join(names)} start up to {offset:.3g} s apart: aligned to "
                f"{names[0]} and cut to {n} samples"
            )
        return arrays, Sampled(arrays[0], first.rate, first.start, tuple(notes))
    rate = min(one.rate for one in series)
    start = max(one.start for one in series)
    end = min(float(one.times[-1]) for one in series)
    n = int(np.floor((end - start) * rate + 1e-6)) + 1
    if n < 2:
        raise InputError(
            f"series {', '.join(names)} share less than two samples in time",
            "planes recorded together",
            "choose one of them with the setting series",
        )
    grid = start + np.arange(n) / rate
    arrays = [interpolate(one.values, one.times, grid) for one in series]
    notes.append(
        f"series {', '.join(names)} interpolated linearly to their lowest rate {rate:.6g} Hz"
    )
    return arrays, Sampled(arrays[0], rate, start, tuple(notes))
