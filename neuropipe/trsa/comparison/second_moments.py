"""Comparisons of RDMs by the geometry of their second-moment matrices.

A matrix of squared distances D has the moments ``G = -H D H / 2`` with the centring matrix H. They
are written in n - 1 orthonormal contrasts of the n conditions, which drops the null direction of H
exactly.
"""

from __future__ import annotations

import numpy as np

from neuropipe.errors import InputError
from neuropipe.trsa.rdms import square

__all__ = ["bures", "bures_metric", "negative_riemannian"]


def bures(first: np.ndarray, second: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Bures similarity, the cosine of the Procrustes alignment of two geometries.

    Parameters
    ----------
    first : array of shape (n_first, n_known)
    second : array of shape (n_second, n_known)
    known : array of bool of shape (n_pairs,)

    Returns
    -------
    array of shape (n_first, n_second)
        ``tr((G1^1/2 G2 G1^1/2)^1/2) / sqrt(tr G1 tr G2)``; 0 where a trace is not positive.

    Raises
    ------
    InputError
        If the known pairs are not all those of some conditions.

    Notes
    -----
    Harvey et al. 2023. Negative eigenvalues of G, which distances that are not Euclidean have, are
    set to 0 on both sides. The nuclear norm of ``G1^1/2 G2^1/2`` is taken from singular values,
    which keeps rounding errors at 1e-16 where square roots of eigenvalues would make them 1e-8.
    """
    norm, traces = _alignment(first, second, known)
    room = np.sqrt(np.outer(*[np.maximum(trace, 0) for trace in traces]))
    return np.asarray(np.divide(norm, room, out=np.zeros_like(norm), where=room > 0))


def bures_metric(first: np.ndarray, second: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Squared Bures metric, ``tr G1 + tr G2 - 2 tr((G1^1/2 G2 G1^1/2)^1/2)``: 0 if equal.

    Parameters
    ----------
    first, second, known
        As for `bures`.

    Returns
    -------
    array of shape (n_first, n_second)
        A distance: smaller is more alike, and it depends on scale.

    Raises
    ------
    InputError
        If the known pairs are not all those of some conditions.
    """
    norm, traces = _alignment(first, second, known)
    return np.asarray(traces[0][:, None] + traces[1] - 2 * norm)


def negative_riemannian(first: np.ndarray, second: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Negative affine-invariant distance of second moments, up to scale and added noise.

    Parameters
    ----------
    first : array of shape (n_first, n_known)
    second : array of shape (n_second, n_known)
        Of positive definite moments: as many dimensions as conditions less one.
    known : array of bool of shape (n_pairs,)

    Returns
    -------
    array of shape (n_first, n_second)
        ``-min sqrt(sum log^2 eig(e^s G1 + e^t I, G2))`` over s and t; 0 at best.

    Raises
    ------
    InputError
        If the known pairs are not all those of some conditions, or a second RDM has no positive
        definite moments.

    Notes
    -----
    Shahbazi et al. 2021, with a noise term as in rsatoolbox. The minimum is searched by the
    simplex method from s = t = 0, to 1e-4.
    """
    from scipy.optimize import minimize

    result = np.empty((len(first), len(second)))
    ones, others = _moments(first, known), _moments(second, known)
    for b, other in enumerate(others):
        eigenvalues, axes = np.linalg.eigh(other)
        if eigenvalues[0] <= 1e-12 * abs(eigenvalues[-1]):
            raise InputError(
                f"an RDM whose second moments have an eigenvalue of {eigenvalues[0]:.3g}",
                "squared distances that fill n - 1 dimensions",
                "choose another comparison, such as cosine_cov",
            )
        root = axes / np.sqrt(eigenvalues)
        noise = np.diag(1 / eigenvalues)
        for a, one in enumerate(ones):
            moved = root.T @ one @ root

            def distance(
                theta: np.ndarray, moved: np.ndarray = moved, noise: np.ndarray = noise
            ) -> float:
                mixed = np.exp(theta[0]) * moved + np.exp(theta[1]) * noise
                found = np.linalg.eigvalsh(mixed)
                return float(np.sqrt((np.log(found) ** 2).sum())) if found[0] > 0 else np.inf

            result[a, b] = -minimize(distance, (0.0, 0.0), method="Nelder-Mead").fun
    return result


def _alignment(
    first: np.ndarray, second: np.ndarray, known: np.ndarray
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Nuclear norms (n_first, n_second) of the product of roots, and the traces of both sides."""
    moments = [_moments(rows, known) for rows in (first, second)]
    roots = []
    for side in moments:
        eigenvalues, axes = np.linalg.eigh(side)
        roots.append(axes * np.sqrt(np.maximum(eigenvalues, 0))[:, None, :])
    norm = np.empty((len(first), len(second)))
    for a, root in enumerate(roots[0]):
        products = root.T @ roots[1]
        norm[a] = np.linalg.svd(products, compute_uv=False).sum(axis=-1)
    return norm, [np.trace(side, axis1=1, axis2=2) for side in moments]


def _moments(rows: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Second moments in contrasts, shape (n_rows, n - 1, n - 1) of the n known conditions."""
    from scipy.linalg import helmert

    there = square(known)
    used = np.flatnonzero(there.any(axis=1))
    inner = there[np.ix_(used, used)]
    if known.sum() != len(used) * (len(used) - 1) // 2:
        lacking = len(used) * (len(used) - 1) // 2 - int(inner.sum()) // 2
        raise InputError(
            f"RDMs of which {lacking} pairs among {len(used)} conditions are unknown",
            "all pairs of the conditions that are there",
            "leave out conditions (RDMs.of), or choose cosine, corr or a rank correlation",
        )
    contrasts = helmert(len(used))
    # Known pairs in their order are the upper triangle of the conditions that are there.
    return np.asarray(-contrasts @ square(rows) @ contrasts.T / 2)
