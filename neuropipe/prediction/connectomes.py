"""Gram matrices of connectomes: correlations, partial correlations and tangent vectors.

Axis legend: s subjects, n units, e edges (the upper triangle, row by row).
"""

from __future__ import annotations

import numpy as np

from neuropipe.prediction.design import Partitions
from neuropipe.prediction.settings import Kind
from neuropipe.stats.connectivity_matrices import (
    edges,
    expm,
    fisher_z,
    logm,
    partial_correlation,
    tangent_vectors,
)
from neuropipe.stats.linear_models import gram_matrix

__all__ = ["Grams", "connectome_grams", "feature_grams", "partial_features", "tangent_grams"]

#: Of every seed and fold an array of shape (n_subjects, n_subjects), not yet centred.
Grams = list[list[np.ndarray]]


def connectome_grams(
    kind: Kind, z: np.ndarray, covariances: np.ndarray, parts: Partitions
) -> Grams:
    """Gram matrices of one kind of connectivity.

    Parameters
    ----------
    kind : {"correlation", "partial", "tangent"}
    z : array of shape (n_subjects, n_edges)
        Fisher's z of correlations.
    covariances : array of shape (n_subjects, n_units, n_units)
        Positive definite, of standardised series.
    parts : list (n_seeds) of list (n_splits) of Fold

    Returns
    -------
    list (n_seeds) of list (n_splits) of arrays of shape (n_subjects, n_subjects)
        Not yet centred by the training subjects. One matrix serves all folds except in the tangent
        space, whose reference is a mean of training subjects.
    """
    if kind == "tangent":
        return tangent_grams(covariances, parts)
    return feature_grams(partial_features(covariances) if kind == "partial" else z, parts)


def feature_grams(features: np.ndarray, parts: Partitions) -> Grams:
    """Gram matrices of features that are the same in every fold.

    Parameters
    ----------
    features : array of shape (n_subjects, n_features)
        Made without looking at any label, or at other subjects.
    parts : list (n_seeds) of list (n_splits) of Fold

    Returns
    -------
    list (n_seeds) of list (n_splits) of arrays of shape (n_subjects, n_subjects)
        One matrix, again and again.
    """
    whole = gram_matrix(features)
    return [[whole for _ in folds] for folds in parts]


def partial_features(covariances: np.ndarray) -> np.ndarray:
    """Fisher's z of partial correlations.

    Parameters
    ----------
    covariances : array of shape (n_subjects, n_units, n_units)
        Positive definite.

    Returns
    -------
    array of shape (n_subjects, n_edges), float32
    """
    return np.stack(
        [
            fisher_z(edges(partial_correlation(c.astype(np.float64)))).astype(np.float32)
            for c in covariances
        ]
    )


def tangent_grams(covariances: np.ndarray, parts: Partitions) -> Grams:
    """Gram matrices of displacements from the training subjects' mean, in the tangent space there.

    Parameters
    ----------
    covariances : array of shape (n_subjects, n_units, n_units)
        Positive definite, of standardised series.
    parts : list (n_seeds) of list (n_splits) of Fold

    Returns
    -------
    list (n_seeds) of list (n_splits) of arrays of shape (n_subjects, n_subjects)

    Notes
    -----
    The reference is the log-Euclidean mean (Arsigny et al. 2007), which needs one matrix logarithm
    a subject, where nilearn iterates towards the affine-invariant one in every fold. On 40
    recordings of 199 ROIs the inner products of either correlate at 0.996, and the iteration costs
    about 2 s of CPU time a fold.
    """
    covariances = covariances.astype(np.float64)
    logs = np.stack([logm(c).astype(np.float32) for c in covariances])
    return [
        [
            gram_matrix(
                tangent_vectors(covariances, expm(logs[fold.train].mean(axis=0).astype(np.float64)))
            )
            for fold in folds
        ]
        for folds in parts
    ]
