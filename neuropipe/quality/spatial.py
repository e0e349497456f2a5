"""Spatial tuning of spikes: occupancy, rate maps, information, and a shuffled null.

Axes: u units, x and y bins, f frames of the position that count (moving, known).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from neuropipe.quality.settings import SpatialSettings

_SPEED_WINDOW = 0.5  # s over which the speed is averaged: trackers jitter from frame to frame
_NOT_PLACES = ("eye", "gaze", "pupil", "cursor", "hand", "stimulus")


@dataclass(frozen=True)
class SpatialTuning:
    """Rate maps and what they tell.

    Parameters
    ----------
    rates : array of shape (n_units, n_x, n_y)
        Smoothed rates in Hz; NaN in bins that were hardly visited.
    occupancy : array of shape (n_x, n_y)
        Time spent in each bin, in s.
    x_edges, y_edges : arrays of shape (n_x + 1,), (n_y + 1,)
        Edges of the bins, in the unit of the position.
    information : array of shape (n_units,)
        In bits/spike; NaN for units without spikes there.
    n_spikes : array of int of shape (n_units,)
        Spikes that fell into counted frames.
    null : array of shape (n_shuffles, n_units)
        Information after circular shifts of the spikes against the position.
    """

    rates: np.ndarray
    occupancy: np.ndarray
    x_edges: np.ndarray
    y_edges: np.ndarray
    information: np.ndarray
    n_spikes: np.ndarray
    null: np.ndarray


def find_position(behavior: dict[str, xr.Dataset]) -> tuple[np.ndarray, np.ndarray, str] | None:
    """Find a two-dimensional position among the behavioural series.

    Parameters
    ----------
    behavior : dict of str to xarray.Dataset
        As in a Recording.

    Returns
    -------
    time : array of shape (n_times,)
        In s.
    position : array of shape (n_times, 2)
    unit : str
        Of the position.
        None instead of all where no group holds two series ``NAME_x`` and ``NAME_y``; those of
        eyes, hands and cursors are no places.
    """
    pairs = [
        (group, name.removesuffix("x"))
        for group in behavior.values()
        for name in map(str, group.data_vars)
        if name.endswith("_x") and f"{name[:-1]}y" in group.data_vars
    ]
    places = [(g, n) for g, n in pairs if not any(word in n.lower() for word in _NOT_PLACES)]
    if not places:
        return None
    group, name = max(places, key=lambda found: "position" in found[1].lower())
    position = np.stack([group[f"{name}{axis}"].values for axis in "xy"], axis=1)
    return group["time"].values, position, str(group[f"{name}x"].attrs.get("unit", ""))


def running_speed(time: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Speed at each frame, averaged over half a second.

    Parameters
    ----------
    time : array of shape (n_times,)
        In s.
    position : array of shape (n_times, 2)
        NaN where unknown.

    Returns
    -------
    array of shape (n_times,)
        In units of the position per s; NaN beside unknown positions.
    """
    velocity = np.gradient(position, time, axis=0)
    speed = np.hypot(velocity[:, 0], velocity[:, 1])
    width = max(1, round(_SPEED_WINDOW / float(np.median(np.diff(time)))))
    known = np.isfinite(speed)
    kernel = np.ones(min(width, len(speed)))
    total = np.convolve(np.where(known, speed, 0), kernel, "same")
    count = np.convolve(known.astype(float), kernel, "same")
    return np.where(known, total / np.maximum(count, 1), np.nan)


def spatial_information(rates: np.ndarray, occupancy: np.ndarray) -> np.ndarray:
    """Information that one spike carries about the place.

    Parameters
    ----------
    rates : array of shape (n_units, n_bins)
        Rate in each bin, in Hz; NaN bins are left out.
    occupancy : array of shape (n_bins,)
        Time in each bin, in s.

    Returns
    -------
    array of shape (n_units,)
        In bits/spike; NaN for silent units.

    Notes
    -----
    ``sum_i p_i (r_i / r) log2(r_i / r)`` with the share of time p_i and the mean rate r (Skaggs,
    McNaughton, Gothard & Markus 1993). Positively biased for few spikes, hence the null.
    """
    visited = np.isfinite(rates).all(axis=0) & (occupancy > 0)
    if not visited.any():
        return np.full(len(rates), np.nan)
    p = occupancy[visited] / occupancy[visited].sum()
    r = rates[:, visited]
    mean = r @ p
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = r / mean[:, None]
        bits = np.where(ratio > 0, ratio * np.log2(ratio), 0.0) @ p
    return np.where(mean > 0, bits, np.nan)


def spatial_tuning(
    trains: Sequence[np.ndarray],
    time: np.ndarray,
    position: np.ndarray,
    settings: SpatialSettings,
    rng: np.random.Generator,
) -> SpatialTuning | None:
    """Compute rate maps, information and its null for all units.

    Parameters
    ----------
    trains : sequence of n_units arrays
        Spike times in s, sorted.
    time : array of shape (n_times,)
        Times of the position, in s.
    position : array of shape (n_times, 2)
        NaN where unknown.
    settings : SpatialSettings
    rng : numpy.random.Generator
        Draws the shifts.

    Returns
    -------
    SpatialTuning or None
        None where the position hardly varies or fewer than ten frames count.
    """
    step = float(np.median(np.diff(time))) if len(time) > 1 else 0.0
    known = np.isfinite(position).all(axis=1)
    if known.sum() < 10 or not (np.ptp(position[known], axis=0) > 0).all():
        return None
    low, high = position[known].min(axis=0), position[known].max(axis=0)
    side = float((high - low).max())
    shape = np.maximum(np.ceil((high - low) / side * settings.n_bins - 1e-9).astype(int), 1)
    edges = [low[axis] + side / settings.n_bins * np.arange(shape[axis] + 1) for axis in (0, 1)]
    counted = known
    if settings.minimum_speed > 0:
        with np.errstate(invalid="ignore"):
            counted = known & (running_speed(time, position) >= settings.minimum_speed * side)
    if counted.sum() < 10:
        return None
    cell = np.minimum((position[counted] - low) / side * settings.n_bins, shape - 1).astype(int)
    place = cell[:, 0] * shape[1] + cell[:, 1]  # (f,)
    occupancy = np.bincount(place, minlength=int(shape.prod())) * step
    unit, frame = _spike_frames(trains, time, counted, step)
    mapper = _Mapper(occupancy.reshape(shape), settings, len(trains))
    rates = mapper.rates(unit, place[frame])
    null = _null(mapper, unit, frame, place, settings, step, rng)
    return SpatialTuning(
        rates=rates,
        occupancy=occupancy.reshape(shape),
        x_edges=edges[0],
        y_edges=edges[1],
        information=mapper.information(rates),
        n_spikes=np.bincount(unit, minlength=len(trains)),
        null=null,
    )


class _Mapper:
    """Counts per place to smoothed rates, with all that does not change between shuffles."""

    def __init__(self, occupancy: np.ndarray, settings: SpatialSettings, n_units: int) -> None:
        self.occupancy, self.n_units = occupancy, n_units
        self.visited = occupancy >= max(settings.minimum_occupancy, 1e-12)
        self.kernels = [_gaussian(n, settings.smoothing) for n in occupancy.shape]
        self.smooth_occupancy = self._smooth(occupancy)

    def rates(self, unit: np.ndarray, place: np.ndarray) -> np.ndarray:
        size = self.occupancy.size
        counts = np.bincount(unit * size + place, minlength=self.n_units * size)
        smooth = self._smooth(counts.reshape(self.n_units, *self.occupancy.shape))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.visited, smooth / self.smooth_occupancy, np.nan)

    def information(self, rates: np.ndarray) -> np.ndarray:
        return spatial_information(rates.reshape(self.n_units, -1), self.occupancy.ravel())

    def _smooth(self, maps: np.ndarray) -> np.ndarray:
        return np.asarray(self.kernels[0] @ maps @ self.kernels[1].T)


def _gaussian(n: int, sd: float) -> np.ndarray:
    if sd == 0:
        return np.eye(n)
    distance = np.arange(n)[:, None] - np.arange(n)
    return np.asarray(np.exp(-0.5 * (distance / sd) ** 2))


def _spike_frames(
    trains: Sequence[np.ndarray], time: np.ndarray, counted: np.ndarray, step: float
) -> tuple[np.ndarray, np.ndarray]:
    """Unit and counted frame of every spike that fell into one."""
    unit = np.repeat(np.arange(len(trains)), [len(t) for t in trains])
    spikes = np.concatenate([*trains, np.empty(0)])
    after = np.clip(np.searchsorted(time, spikes), 1, len(time) - 1)
    nearest = after - (spikes - time[after - 1] < time[after] - spikes)
    # A spike in a gap of the tracking, or outside of it, has no place.
    inside = (np.abs(spikes - time[nearest]) <= step) & counted[nearest]
    rank = np.cumsum(counted) - 1
    return unit[inside], rank[nearest[inside]]


def _null(
    mapper: _Mapper,
    unit: np.ndarray,
    frame: np.ndarray,
    place: np.ndarray,
    settings: SpatialSettings,
    step: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Information after circular shifts within the counted frames."""
    n_frames = len(place)
    least = min(round(settings.minimum_shift / step), n_frames // 4)
    null = np.empty((settings.n_shuffles, mapper.n_units))
    for i in range(settings.n_shuffles):
        shift = int(rng.integers(least, n_frames - least + 1))
        null[i] = mapper.information(mapper.rates(unit, place[(frame + shift) % n_frames]))
    return null
