"""Kernels over conditions, and how alike two of them are.

Axes: n conditions, p units. A kernel holds the inner products of all pairs of conditions. Few
conditions of many units bias their comparison, which the U statistic of HSIC cures; noise of the
trials is another matter (see `estimates`).
"""

from __future__ import annotations

import numpy as np

from neuropipe.errors import InputError

__all__ = [
    "centred",
    "cka",
    "distances",
    "hsic",
    "kernel_alignment",
    "linear_kernel",
    "mean_over_distinct",
]


def linear_kernel(patterns: np.ndarray) -> np.ndarray:
    """Inner products of rows, shape (..., n_conditions, n_units) to (..., n, n).

    A vector of labels counts as one unit.
    """
    rows = np.asarray(patterns, dtype=np.float64)
    if rows.ndim == 1:
        rows = rows[:, None]
    return np.asarray(rows @ np.swapaxes(rows, -1, -2))


def centred(kernel: np.ndarray) -> np.ndarray:
    """H K H: inner products after the mean pattern is taken away, shape (..., n, n)."""
    rows = kernel - kernel.mean(axis=-1, keepdims=True)
    return np.asarray(rows - rows.mean(axis=-2, keepdims=True))


def distances(kernel: np.ndarray) -> np.ndarray:
    """Squared distances of patterns, shape (..., n, n): K_ii + K_jj - 2 K_ij."""
    diagonal = np.diagonal(kernel, axis1=-2, axis2=-1)
    return np.asarray(diagonal[..., :, None] + diagonal[..., None, :] - 2 * kernel)


def kernel_alignment(first: np.ndarray, second: np.ndarray, *, centre: bool = True) -> float:
    """Cosine of two kernels.

    Parameters
    ----------
    first, second : arrays of shape (n_conditions, n_conditions)
        Symmetric.
    centre : bool
        Whether to take the mean pattern away first (CKA); tangent kernels are compared as they
        are.

    Returns
    -------
    float
        <K, L> / (||K|| ||L||), in [0, 1] for kernels of data; NaN if one is zero.

    Notes
    -----
    Cristianini et al. 2001; centred: Cortes et al. 2012, Kornblith et al. 2019. With fewer
    conditions than units it is large for unrelated data: see `cka`.
    """
    one, two = (centred(k) if centre else np.asarray(k, float) for k in (first, second))
    size = np.linalg.norm(one) * np.linalg.norm(two)
    return float((one * two).sum() / size) if size > 0 else float("nan")


def hsic(
    first: np.ndarray,
    second: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    unbiased: bool = True,
) -> np.ndarray:
    """Hilbert-Schmidt independence criterion of two kernels, for any weights of the conditions.

    Parameters
    ----------
    first, second : arrays of shape (n_conditions, n_conditions)
        Symmetric.
    weights : array of shape (..., n_conditions), optional
        How often each condition was drawn; once each by default. All resamples pass through the
        same few matrix products.
    unbiased : bool
        The U statistic, over distinct conditions only; otherwise the V statistic, whose
        self-products favour dependence.

    Returns
    -------
    array of shape (...)
        In squared units of the kernels; NaN where fewer than four distinct conditions were drawn.

    Raises
    ------
    InputError
        If the kernels differ in shape.

    Notes
    -----
    Unbiased: Song et al. 2012, eq. 5, for weights one. Written as E[K_ij L_ij] + E[K_ij L_qr]
    - 2 E[K_ij L_iq] it extends to weights; a condition drawn twice never meets itself. Biased:
    tr(K H L H) / n^2 (Gretton et al. 2005).
    """
    one, two = np.asarray(first, float), np.asarray(second, float)
    if one.shape != two.shape or one.ndim != 2 or one.shape[0] != one.shape[1]:
        raise InputError(
            f"kernels of shapes {one.shape} and {two.shape}",
            "two of (n, n)",
            "use one condition set",
        )
    w = np.ones(len(one)) if weights is None else np.asarray(weights, float)
    # Both forms ignore the mean pattern; a large one would cost digits.
    one, two = centred(one), centred(two)
    if unbiased:
        one, two = _hollow(one), _hollow(two)
    product = one * two
    w_one, w_two, w_product = w @ one, w @ two, w @ product
    pair = (w_product * w).sum(axis=-1)
    chain = (w * w_one * w_two).sum(axis=-1)
    apart = (w * w_one).sum(axis=-1) * (w * w_two).sum(axis=-1)
    s1 = w.sum(axis=-1)
    if not unbiased:
        return np.asarray(pair / s1**2 + apart / s1**4 - 2 * chain / s1**3)
    # Every term over the same weighted quadruples (i, j, q, r): only then does the mean pattern
    # drop out for unequal weights as well.
    v, s2 = w**2, (w**2).sum(axis=-1)
    v_one, v_two = v @ one, v @ two
    pair_21 = (w_product * v).sum(axis=-1)
    pair_31 = (w_product * w**3).sum(axis=-1)
    pair_22 = ((v @ product) * v).sum(axis=-1)
    chain_2 = (v * w_one * w_two).sum(axis=-1)
    chains = s1 * (chain - pair_21) - (chain_2 - pair_22)
    chains -= (w * (v_one * w_two + w_one * v_two)).sum(axis=-1) - 2 * pair_31
    pairs = (s1**2 - s2) * pair - 4 * s1 * pair_21 + 4 * pair_31 + 2 * pair_22
    quadruples = _quadruples(w)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = (pairs + apart - 4 * chain_2 + 2 * pair_22 - 2 * chains) / quadruples
    return np.where(quadruples > 0.5, value, np.nan)  # counts are whole, up to rounding


def cka(
    first: np.ndarray,
    second: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    unbiased: bool = True,
) -> np.ndarray:
    """Centred kernel alignment, by default from the unbiased HSIC.

    Parameters
    ----------
    first, second, weights, unbiased
        See `hsic`.

    Returns
    -------
    array of shape (...)
        About 0 for independent data whatever the number of units (may be negative); NaN where a
        norm is not positive.
    """
    both = hsic(first, second, weights, unbiased=unbiased)
    norms = [hsic(k, k, weights, unbiased=unbiased) for k in (first, second)]
    known = (norms[0] > 0) & (norms[1] > 0)
    return np.asarray(both / np.sqrt(np.where(known, norms[0] * norms[1], np.nan)))


def mean_over_distinct(first: np.ndarray, second: np.ndarray) -> float:
    """Mean of A_ij B_qr over four distinct conditions, for symmetric matrices of shape (n, n)."""
    one, two = _hollow(np.asarray(first, float)), _hollow(np.asarray(second, float))
    rows = one.sum(axis=0), two.sum(axis=0)
    total = rows[0].sum() * rows[1].sum() - 4 * rows[0] @ rows[1] + 2 * (one * two).sum()
    return float(total / _quadruples(np.ones(len(one))))


def _hollow(kernel: np.ndarray) -> np.ndarray:
    hollow = kernel.copy()
    np.fill_diagonal(hollow, 0.0)
    return hollow


def _quadruples(w: np.ndarray) -> np.ndarray:
    """Weight of all ordered quadruples of distinct conditions."""
    s1, s2, s3, s4 = ((w**k).sum(axis=-1) for k in range(1, 5))
    return np.asarray(s1**4 - 6 * s1**2 * s2 + 3 * s2**2 + 8 * s1 * s3 - 6 * s4)
