"""Searchlights: an RDM of the channels around every channel.

Centres with equally many neighbours are estimated together, in batches of array operations, and
several batches at once by threads: the array operations release the interpreter.

Axes: c centres, f folds, n conditions, p channels, t residuals.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TypedDict, Unpack

import numpy as np
import pandas as pd

from neuropipe.errors import InputError, UnfitRecordingError
from neuropipe.trsa.estimation.estimators import WHITENED, check_measure
from neuropipe.trsa.estimation.neighbourhoods import (
    Neighbourhoods,
    mask_coordinates,
    neighbourhoods,
    sphere_size,
)
from neuropipe.trsa.noise import shrinkage_share, standardised
from neuropipe.trsa.rdms import RDMs, concatenate

__all__ = ["SearchlightOptions", "searchlight", "searchlight_parts", "volume_searchlight"]

_MOST = 1 << 22  # numbers that a batch gathers (32 MB)


class SearchlightOptions(TypedDict, total=False):
    """What all searchlights can be told.

    Parameters
    ----------
    measure : str
        One of `neuropipe.trsa.estimators.MEASURES`; default crossnobis.
    residuals : array of shape (n_residuals, n_channels), optional
        The noise covariance is estimated and shrunk towards its diagonal anew in every
        neighbourhood. Without it, crossnobis is the crossvalidated squared Euclidean distance.
    df : float, optional
        Degrees of freedom of the residuals; default: one fewer than there are.
    min_share : float
        Centres with fewer channels than this share of a whole neighbourhood are left out; default
        one half.
    full_size : int, optional
        Channels of a whole neighbourhood; default: the most that any centre has, or what a sphere
        holds in a volume.
    n_jobs : int
        Threads; -1 for all processors; default 1.
    """

    measure: str
    residuals: np.ndarray | None
    df: float | None
    min_share: float
    full_size: int | None
    n_jobs: int


def searchlight(
    values: np.ndarray,
    coordinates: np.ndarray,
    radius: float,
    conditions: Sequence[str],
    **options: Unpack[SearchlightOptions],
) -> RDMs:
    """Estimate the RDM of the neighbourhood of every channel.

    Parameters
    ----------
    values : array of shape (n_folds, n_conditions, n_channels)
        NaN throughout where a fold lacks a condition. Channels that miss a value elsewhere, or
        whose residuals do not vary, are left out of all neighbourhoods.
    coordinates : array of shape (n_channels, 3)
        In mm.
    radius : float
        In mm.
    conditions : sequence of str
    **options
        See `SearchlightOptions`.

    Returns
    -------
    RDMs
        One a centre, in the order of the channels. Items: ``centre`` (position of the channel),
        ``x``, ``y``, ``z`` in mm, ``n_channels``.

    Raises
    ------
    InputError
        If the parts do not fit each other or no centre remains.
    SettingsError
        If the measure is unknown.
    UnfitRecordingError
        If the noise that Mahalanobis distances need is not given, or crossvalidation lacks a
        second fold.
    """
    parts = searchlight_parts(values, coordinates, radius, conditions, **options)
    whole = concatenate(list(parts))
    return whole.take(np.argsort(whole.table["centre"].to_numpy(), kind="stable"))


def volume_searchlight(
    values: np.ndarray,
    mask: np.ndarray,
    affine: np.ndarray,
    radius: float,
    conditions: Sequence[str],
    **options: Unpack[SearchlightOptions],
) -> RDMs:
    """Estimate the RDM of a sphere about every voxel of a mask.

    Parameters
    ----------
    values : array of shape (n_folds, n_conditions, n_voxels)
        Of the voxels of the mask, in the order of `mask[mask]`.
    mask : array of bool of shape (i, j, k)
    affine : array of shape (4, 4)
        From voxel indices to mm.
    radius : float
        In mm.
    conditions : sequence of str
    **options
        See `SearchlightOptions`.

    Returns
    -------
    RDMs
        As of `searchlight`, with the voxel indices ``i``, ``j``, ``k`` of the centres.

    Raises
    ------
    InputError, SettingsError, UnfitRecordingError
        As `searchlight`.
    """
    places = mask_coordinates(mask, affine)
    options.setdefault("full_size", sphere_size(affine, radius))
    result = searchlight(values, places, radius, conditions, **options)
    i, j, k = np.argwhere(np.asarray(mask))[result.table["centre"].to_numpy()].T
    return replace(result, items=result.table.assign(i=i, j=j, k=k))


def searchlight_parts(
    values: np.ndarray,
    coordinates: np.ndarray,
    radius: float,
    conditions: Sequence[str],
    **options: Unpack[SearchlightOptions],
) -> Iterator[RDMs]:
    """Estimate the same RDMs as `searchlight`, a batch of centres after the other.

    Yields
    ------
    RDMs
        Of the centres of a batch; all of them together, in another order. To compare each with a
        model and forget it: 250,000 RDMs of 60 conditions would take 3.5 GB.
    """
    from joblib import Parallel, delayed

    measure = options.get("measure", "crossnobis")
    check_measure(measure)
    data = np.asarray(values, dtype=np.float64)
    places = np.asarray(coordinates, dtype=np.float64)
    if data.ndim != 3 or data.shape[1:] != (len(conditions), len(places)):
        raise InputError(
            f"values of shape {data.shape} of {len(conditions)} conditions at {len(places)} places",
            "(n_folds, n_conditions, n_channels)",
            "order the axes",
        )
    there = np.asarray(np.isfinite(data))
    present = np.asarray(there.any(axis=2))
    usable = (there | ~present[:, :, None]).all(axis=(0, 1))
    residuals = _residuals(measure, options.get("residuals"), len(places))
    df = options.get("df") or float(len(residuals) - 1)
    if len(residuals):
        # Variances are those of single channels: the same in every neighbourhood.
        scale, residuals = standardised(residuals, df)
        usable &= scale > 0
        data = data / np.where(usable, scale, np.nan)
    residuals, data = residuals[:, usable], data[:, :, usable]
    original = np.flatnonzero(usable)
    found = neighbourhoods(
        places[usable],
        radius,
        min_share=options.get("min_share", 0.5),
        full_size=options.get("full_size"),
    )
    n_rows = data.shape[0] * data.shape[1] + 2 * len(residuals)
    batches = list(found.batches(n_rows, _MOST))
    run = Parallel(n_jobs=options.get("n_jobs", 1), prefer="threads", return_as="generator")
    rows = run(
        delayed(_estimated)(found, chosen, data, present, measure, residuals, df)
        for chosen in batches
    )
    for chosen, dissimilarities in zip(batches, rows, strict=True):
        centres = original[found.centres[chosen]]
        x, y, z = places[centres].T
        items = {"centre": centres, "x": x, "y": y, "z": z, "n_channels": found.sizes[chosen]}
        yield RDMs(dissimilarities, tuple(conditions), measure, pd.DataFrame(items))


def _residuals(measure: str, residuals: np.ndarray | None, n_channels: int) -> np.ndarray:
    """Residuals that are needed; none, shape (0, n_channels), where the measure needs no noise."""
    if measure == "mahalanobis" and residuals is None:
        raise UnfitRecordingError(
            "Mahalanobis distances without residuals",
            "residuals",
            "choose crossnobis, euclidean or correlation",
        )
    if measure not in WHITENED or residuals is None:
        return np.zeros((0, n_channels))
    given = np.asarray(residuals, dtype=np.float64)
    fits = given.ndim == 2 and given.shape[1] == n_channels and len(given) > 1
    if not fits or not np.isfinite(given).all():
        raise InputError(
            f"residuals of shape {given.shape}",
            f"finite numbers (n_residuals, {n_channels})",
            "leave out incomplete channels",
        )
    return given


def _estimated(
    found: Neighbourhoods,
    chosen: np.ndarray,
    values: np.ndarray,
    present: np.ndarray,
    measure: str,
    residuals: np.ndarray,
    df: float,
) -> np.ndarray:
    """Dissimilarities (c, n_pairs) around the chosen centres."""
    members = found.members(chosen)
    local = np.moveaxis(values[:, :, members], 2, 0)
    if len(residuals):
        local = _whitened(local, np.moveaxis(residuals[:, members], 1, 0), df)
    return check_measure(measure)(local, present.astype(int))


def _whitened(local: np.ndarray, scaled: np.ndarray, df: float) -> np.ndarray:
    """Patterns (c, f, n, p) times a root of the precision of scaled residuals (c, t, p)."""
    share = shrinkage_share(scaled, df)[:, None, None]
    covariance = (1 - share) / df * (np.swapaxes(scaled, -1, -2) @ scaled)
    covariance += share * np.eye(scaled.shape[-1])
    try:
        root = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError as error:
        raise UnfitRecordingError(
            f"a singular noise covariance of {scaled.shape[-1]} channels",
            "residuals that differ between channels",
            "leave out channels that repeat each other",
        ) from error
    rows = local.reshape(len(local), -1, local.shape[-1])
    # x -> L^-1 x keeps inner products of the precision matrix, as any of its square roots does.
    white = np.linalg.solve(root, np.swapaxes(rows, -1, -2))
    return np.swapaxes(white, -1, -2).reshape(local.shape)
