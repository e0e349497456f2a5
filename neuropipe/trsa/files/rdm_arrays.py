"""Which arrays are RDMs: square matrices, stacks of them, or vectors of their pairs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neuropipe.errors import InputError
from neuropipe.trsa.rdms import n_conditions_of, vectors

__all__ = ["NotRDMsError", "pair_vectors", "square_vectors", "vectors_of"]

_SAME = 1e-6  # relative difference of halves that single precision makes


class NotRDMsError(Exception):
    """An array that is no RDM; says why."""


def vectors_of(array: np.ndarray) -> np.ndarray:
    """Bring an array of RDMs into vectors of pairs.

    Parameters
    ----------
    array : array
        (n, n); (n_rdms, n, n) or, as MATLAB stacks, (n, n, n_rdms); (n_pairs,), (n_rdms, n_pairs)
        or (n_pairs, n_rdms), also with axes of length 1.

    Returns
    -------
    array of shape (n_rdms, n_pairs), float64

    Raises
    ------
    NotRDMsError
        If it is none of these, is not clear, or its numbers are no dissimilarities.
    """
    if array.dtype.kind not in "biuf" or not array.size:
        raise NotRDMsError(f"an array of {array.dtype} and shape {array.shape}")
    values = np.asarray(array, dtype=np.float64)
    if np.isinf(values).any():
        raise NotRDMsError("an infinite dissimilarity")
    if values.ndim >= 2 and min(values.shape[-2:]) > 1 and values.shape[-1] == values.shape[-2]:
        whole = values.reshape(-1, *values.shape[-2:])
        ambiguous = values.ndim == 3 and len(set(values.shape)) == 1
        if not ambiguous or _is_symmetric(whole):
            return square_vectors(whole)
    if values.ndim == 3 and values.shape[0] == values.shape[1] > 1:
        return square_vectors(np.moveaxis(values, 2, 0))
    flat = np.squeeze(values)
    if flat.ndim == 1 and _is_triangular(flat.size):
        return flat[None]
    if flat.ndim == 2:
        fits = [_is_triangular(length) for length in flat.shape]
        if all(fits):
            raise NotRDMsError(
                f"vectors of shape {flat.shape}, either axis of which can be that of the pairs"
            )
        if any(fits):
            return flat if fits[1] else flat.T
    raise NotRDMsError(f"an array of shape {array.shape}")


def square_vectors(matrices: np.ndarray) -> np.ndarray:
    """Check square matrices and take their upper triangles.

    Parameters
    ----------
    matrices : array of shape (n_rdms, n, n)
        NaN off the diagonal where a pair is unknown.

    Returns
    -------
    array of shape (n_rdms, n_pairs)

    Raises
    ------
    NotRDMsError
        If one is not symmetric, or its diagonal is not 0.
    """
    if matrices.shape[-1] != matrices.shape[-2] or matrices.shape[-1] < 2:
        raise NotRDMsError(f"matrices of shape {matrices.shape[-2:]}")
    if np.isinf(matrices).any():
        raise NotRDMsError("an infinite dissimilarity")
    diagonal = np.diagonal(matrices, axis1=-2, axis2=-1)
    largest = np.nanmax(np.abs(matrices)) if np.isfinite(matrices).any() else 0.0
    if np.isnan(diagonal).any():
        raise NotRDMsError("a diagonal that is not a number where it should be 0")
    if (np.abs(diagonal) > _SAME * largest).any():
        worst = diagonal.flat[np.abs(diagonal).argmax()]
        raise NotRDMsError(
            f"a diagonal of {worst:.4g} where it should be 0 (similarities? subtract them from 1)"
        )
    if not _is_symmetric(matrices):
        raise NotRDMsError("a matrix that is not symmetric")
    return vectors(matrices)


def pair_vectors(
    first: Sequence[str], second: Sequence[str], values: np.ndarray, names: Sequence[str]
) -> np.ndarray:
    """Order the dissimilarities of named pairs.

    Parameters
    ----------
    first, second : sequence of str, one a pair
    values : array of shape (n,)
    names : sequence of str
        Conditions in the order that is wanted.

    Returns
    -------
    array of shape (n_pairs,)
        NaN where a pair is not named.

    Raises
    ------
    NotRDMsError
        If a pair has two values, or a condition differs from itself.
    """
    place = {name: k for k, name in enumerate(names)}
    n = len(names)
    matrix = np.full((n, n), np.nan)
    for one, other, value in zip(first, second, values, strict=True):
        i, j = place[one], place[other]
        if np.isinf(value):
            raise NotRDMsError("an infinite dissimilarity")
        if i == j:
            if value != 0:
                raise NotRDMsError(f"a dissimilarity of {value:.4g} of {one!r} to itself")
            continue
        if not np.isnan(matrix[i, j]) and not np.isclose(matrix[i, j], value, rtol=_SAME):
            raise NotRDMsError(f"two dissimilarities of {one!r} and {other!r}")
        matrix[i, j] = matrix[j, i] = value
    return vectors(matrix)


def _is_symmetric(matrices: np.ndarray) -> bool:
    largest = np.nanmax(np.abs(matrices)) if np.isfinite(matrices).any() else 0.0
    mirrored = np.swapaxes(matrices, -1, -2)
    return np.allclose(matrices, mirrored, rtol=_SAME, atol=1e-12 * largest, equal_nan=True)


def _is_triangular(length: int) -> bool:
    """Whether three conditions or more have so many pairs."""
    try:
        return n_conditions_of(length) > 2
    except InputError:
        return False
