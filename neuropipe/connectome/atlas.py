"""Atlas of motifs: what events and behaviour each component goes with, beside circular shifts.

All time courses are on the samples of the tensor. On a shared clock there is one course of each
component: it is shifted as a whole, by every lag. With clocks of their own, each animal's courses
are shifted by a lag of their own.

Axis legend: w animals, t samples, r components, k event types or series.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from neuropipe.errors import InputError, UnfitRecordingError
from neuropipe.stats.multiple import holm
from neuropipe.stats.permutation import draw_shifts, permutation_p_value

__all__ = ["behaviour_atlas", "event_atlas"]


def event_atlas(
    courses: np.ndarray,
    events: pd.DataFrame,
    *,
    min_shift: int = 1,
    n_shifts: int = 999,
    recordings: Sequence[str] | None = None,
    lengths: np.ndarray | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare each component's activity inside and outside the events of each type.

    Parameters
    ----------
    courses : array of shape (t, r) or (w, t, r)
        See `factorization.Factors`; three axes are clocks of their own.
    events : pandas.DataFrame
        ``trial_type``, ``start``, ``stop`` in samples of the courses (fractions are rounded, an
        event has one sample at least); with clocks of their own ``recording`` too.
    min_shift : int
        Smallest shift in samples. All shifts alike make an exact test of a stationary course; one
        that leaves out those next to the data calls more by chance (see Notes).
    n_shifts : int
        Draws with clocks of their own. A shared course has only so many lags: all are used.
    recordings : sequence of str of length w, optional
        With clocks of their own.
    lengths : array of int of shape (w,), optional
        Samples in use of each animal; default: all.
    seed : int

    Returns
    -------
    pandas.DataFrame
        A row for every component and type: ``component``, ``trial_type``, ``effect`` (mean inside
        minus mean outside), ``z`` (in SDs of the shifts), ``p_value`` (two-sided), ``p_holm`` and
        ``p_family`` (both over all rows). NaN where a type covers everything.

    Raises
    ------
    UnfitRecordingError
        If a course is shorter than two smallest shifts.
    InputError
        If courses of several animals come without the names of their recordings.

    Notes
    -----
    ``p_family`` is the share of shifts whose largest ``|z|`` of all rows reaches the row's
    (Westfall & Young 1993). Where shifts are few, Holm's correction can reach no level at all.

    Shifts next to the data are a large share of the independent ones in a slow course. In six rows
    of white noise smoothed over 3 of 300 samples, chance calls by `p_family` at .05 were 4 % with
    all shifts and 10 % with `min_shift` 10 (600 draws).
    """
    types = list(dict.fromkeys(events["trial_type"]))
    animals = _animals(courses, lengths)
    if courses.ndim == 2:
        tables = [events]
    elif recordings is None:
        raise InputError("courses of several animals", "names of their recordings", "pass them")
    else:
        tables = [events[events["recording"] == name] for name in recordings]
    weights = [
        np.stack([_contrast(table, name, len(one)) for name in types], axis=1)
        for table, one in zip(tables, animals, strict=True)
    ]
    table = _tested(animals, weights, min_shift, n_shifts, seed)
    return _labelled(table, "trial_type", types).rename(columns={"value": "effect"})


def behaviour_atlas(
    courses: np.ndarray,
    behaviour: np.ndarray,
    names: Sequence[str],
    *,
    min_shift: int = 1,
    n_shifts: int = 999,
    lengths: np.ndarray | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Correlate each component's course with series of behaviour.

    Parameters
    ----------
    courses : array of shape (t, r) or (w, t, r)
    behaviour : array of shape (w, t, k)
        On the samples of the courses. NaN where nothing is known: such a sample counts as the
        middle rank; an animal's series that is NaN throughout, or constant, is left out.
    names : sequence of str of length k
    min_shift, n_shifts, lengths, seed
        See `event_atlas`.

    Returns
    -------
    pandas.DataFrame
        As `event_atlas`, with ``series`` and ``rho``: Spearman correlation, mean over animals.

    Raises
    ------
    UnfitRecordingError
        If a course is shorter than two smallest shifts.
    """
    animals = [_ranks(one) for one in _animals(courses, lengths)]
    used = [len(one) for one in animals] * (len(behaviour) if courses.ndim == 2 else 1)
    series = [_ranks(one[:n]) for one, n in zip(behaviour, used, strict=True)]
    if courses.ndim == 2:
        # The mean of correlations with one course is that with the mean of the ranks.
        series = [_mean_over_animals(np.stack(series))]
    table = _tested([np.nan_to_num(one) for one in animals], series, min_shift, n_shifts, seed)
    return _labelled(table, "series", names).rename(columns={"value": "rho"})


def _animals(courses: np.ndarray, lengths: np.ndarray | None) -> list[np.ndarray]:
    several = courses[None] if courses.ndim == 2 else courses
    used = [several.shape[1]] * len(several) if lengths is None else list(lengths)
    return [one[:n].astype(float) for one, n in zip(several, used, strict=True)]


def _contrast(events: pd.DataFrame, name: str, n_samples: int) -> np.ndarray:
    """Weights (t,) whose product with a course is its mean inside minus outside; NaN for none."""
    inside = np.zeros(n_samples, dtype=bool)
    rows = events[events["trial_type"] == name]
    for start, stop in zip(rows["start"], rows["stop"], strict=True):
        first = round(start)
        inside[max(first, 0) : max(round(stop), first + 1, 0)] = True
    if inside.all() or not inside.any():
        return np.full(n_samples, np.nan)
    return np.asarray(np.where(inside, 1 / inside.sum(), -1 / (~inside).sum()))


def _ranks(series: np.ndarray) -> np.ndarray:
    """Centred ranks of columns (t, k), norm 1; 0 where a value is missing, NaN for no series."""
    ranks = rankdata(series, axis=0, nan_policy="omit")
    known = np.isfinite(series)
    count = np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, ranks - np.where(known, ranks, 0).sum(axis=0) / count, 0)
    norm = np.linalg.norm(centred, axis=0)
    return np.asarray(np.where(norm > 0, centred / np.where(norm > 0, norm, 1), np.nan))


def _mean_over_animals(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0).sum(axis=0)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def _tested(
    courses: Sequence[np.ndarray],
    weights: Sequence[np.ndarray],
    min_shift: int,
    n_shifts: int,
    seed: int,
) -> pd.DataFrame:
    """Test mean products over animals of courses (t, r) and weights (t, k) against shifts."""
    rng = np.random.default_rng(seed)
    values, nulls = [], []
    for course, weight in zip(courses, weights, strict=True):
        products = _products(course, weight)
        if len(courses) == 1:
            lags = _all_shifts(len(course), min_shift)
        else:
            lags = draw_shifts(len(course), n_shifts, min_shift, rng)
        values.append(products[0])
        nulls.append(products[lags])
    value, null = _mean_over_animals(np.stack(values)), _mean_over_animals(np.stack(nulls))
    sd = null.std(axis=0)
    safe = np.where(sd > 0, sd, np.nan)
    z, z_null = (value - null.mean(axis=0)) / safe, (null - null.mean(axis=0)) / safe
    largest = np.abs(np.nan_to_num(z_null)).max(axis=(1, 2))
    family = permutation_p_value(np.abs(z), np.broadcast_to(largest[:, None, None], null.shape))
    p_values = permutation_p_value(np.where(sd > 0, value, np.nan), null, alternative="two-sided")
    component, _ = np.indices(value.shape)
    columns = {
        "component": component,
        "value": value,
        "z": z,
        "p_value": p_values,
        "p_holm": holm(p_values),
        "p_family": family,
    }
    return pd.DataFrame({name: column.ravel() for name, column in columns.items()})


def _products(course: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Inner products (t lags, r, k) of courses, moved to later times by each lag, with weights."""
    n = len(course)
    spectra = (
        np.conj(np.fft.rfft(course, axis=0))[:, :, None] * np.fft.rfft(weight, axis=0)[:, None]
    )
    return np.asarray(np.fft.irfft(spectra, n=n, axis=0))


def _all_shifts(n_samples: int, min_shift: int) -> np.ndarray:
    if min_shift < 1 or 2 * min_shift > n_samples:
        raise UnfitRecordingError(
            f"a smallest shift of {min_shift} samples in courses of {n_samples}",
            "at least 1 and at most half of the course",
            "use longer recordings or a smaller shift",
        )
    return np.arange(min_shift, n_samples - min_shift + 1)


def _labelled(table: pd.DataFrame, column: str, names: Sequence[str]) -> pd.DataFrame:
    n_components = len(table) // max(len(names), 1)
    table.insert(1, column, list(names) * n_components)
    return table
