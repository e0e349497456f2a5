"""What a dataset's subjects have in common: mean matrix, likeness, known structure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuropipe.connectivity.cohort import Cohort
from neuropipe.connectivity.settings import ConnectivitySettings
from neuropipe.connectivity.structure import (
    homologous_mean,
    homologous_null,
    network_contrast,
    network_null,
    same_network,
)
from neuropipe.stats.connectivity_matrices import inverse_fisher_z, square
from neuropipe.units import column, homologous_pairs

__all__ = ["GroupFit", "fit_group", "likeness_of_subjects"]

_AFFORDABLE = 100_000_000  # edges looked at by all shuffles


@dataclass(frozen=True)
class GroupFit:
    """Mean connectivity of a dataset, and how alike its subjects are.

    Parameters
    ----------
    mean : array of shape (n_units, n_units) or None
        Correlation of the mean Fisher's z; None where subjects share too few units.
    similarity : array of shape (n_subjects, n_subjects) or None
        Correlation between the edges of two subjects; None with one subject or no shared units.
    similarity_null : array
        Mean over pairs of subjects with each subject's units shuffled.
    typicality : array of shape (n_subjects,)
        Correlation of a subject's edges with the mean of all others; empty where undefined.
    within : array of shape (n_subjects,)
        Mean likeness of the runs of one subject; NaN with one run. Empty where undefined.
    between : float
        Mean likeness of single runs of two subjects, beside which `within` stands: means over runs
        (`similarity`) hold less noise. NaN with one subject.
    structure : dict of str to float
        ``homologous`` and ``contrast`` of the mean matrix, where they apply.
    structure_nulls : dict of str to array
        The same with partners or networks shuffled.
    """

    mean: np.ndarray | None
    similarity: np.ndarray | None
    similarity_null: np.ndarray
    typicality: np.ndarray
    within: np.ndarray
    between: float
    structure: dict[str, float]
    structure_nulls: dict[str, np.ndarray]


def likeness_of_subjects(r: np.ndarray) -> np.ndarray:
    """Correlation between the edges of any two subjects.

    Parameters
    ----------
    r : array of shape (n_subjects, n_edges)
        Correlations.

    Returns
    -------
    array of shape (n_subjects, n_subjects)
    """
    rows = _standardised(r)
    likeness: np.ndarray = np.clip(rows @ rows.T, -1.0, 1.0)
    return likeness


def _standardised(r: np.ndarray) -> np.ndarray:
    rows = r.astype(np.float64) - r.mean(axis=1, dtype=np.float64, keepdims=True)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(length, np.finfo(float).tiny))


def _shuffled_likeness(
    r: np.ndarray, n_units: int, n_permutations: int, rng: np.random.Generator
) -> np.ndarray:
    """Mean likeness of all pairs of subjects when each one's units are shuffled."""
    rows = _standardised(r).astype(np.float32)
    n_subjects, n_edges = rows.shape
    first, second = np.triu_indices(n_units, k=1)
    place = np.zeros((n_units, n_units), dtype=np.intp)
    place[first, second] = place[second, first] = np.arange(n_edges)
    null = np.empty(n_permutations)
    for p in range(n_permutations):
        total = np.zeros(n_edges)
        for row in rows:
            order = rng.permutation(n_units)
            total += row[place[order[first], order[second]]]
        # The squared length of a sum of unit vectors is n plus twice their products.
        null[p] = (total @ total - n_subjects) / (n_subjects * (n_subjects - 1))
    return null


def fit_group(cohort: Cohort, settings: ConnectivitySettings) -> GroupFit:
    """Average the subjects and compare them.

    Parameters
    ----------
    cohort : Cohort
    settings : ConnectivitySettings
    """
    rng = np.random.default_rng(settings.seeds[0])
    nothing = np.empty(0)
    if not cohort.shares_units:
        return GroupFit(None, None, nothing, nothing, nothing, float("nan"), {}, {})
    n_units = len(cohort.units)
    average = cohort.z.mean(axis=0, dtype=np.float64)
    mean = square(inverse_fisher_z(average), n_units)
    similarity, null, typicality = None, nothing, nothing
    if cohort.n_subjects > 1:
        r = inverse_fisher_z(cohort.z)
        similarity = likeness_of_subjects(r)
        n_permutations = int(np.clip(_AFFORDABLE // cohort.z.size, 19, settings.n_permutations))
        null = _shuffled_likeness(r, n_units, n_permutations, rng)
        typicality = _typicality(r)
    structure, structure_nulls = _structure(cohort, mean, settings, rng)
    within, between = _likeness_of_runs(cohort)
    return GroupFit(
        mean=mean,
        similarity=similarity,
        similarity_null=null,
        typicality=typicality,
        within=within,
        between=between,
        structure=structure,
        structure_nulls=structure_nulls,
    )


def _typicality(r: np.ndarray) -> np.ndarray:
    total = r.sum(axis=0, dtype=np.float64)
    others = (total - r) / (len(r) - 1)
    typicality: np.ndarray = np.sum(_standardised(r) * _standardised(others), axis=1)
    return typicality


def _likeness_of_runs(cohort: Cohort) -> tuple[np.ndarray, float]:
    """Mean likeness of two runs: of every subject, and of two subjects (each pair of them once)."""
    owner = cohort.run_subject[:, None] == np.arange(cohort.n_subjects)
    n_runs = owner.sum(axis=0)
    if n_runs.max() == 1:
        return np.full(cohort.n_subjects, np.nan), float("nan")
    likeness = likeness_of_subjects(inverse_fisher_z(cohort.run_z))
    sums = owner.T @ (likeness - np.eye(len(likeness))) @ owner
    n_pairs = np.outer(n_runs, n_runs) - np.diag(n_runs)
    mean = np.divide(sums, n_pairs, out=np.full(sums.shape, np.nan), where=n_pairs > 0)
    across = mean[np.triu_indices(len(mean), k=1)]
    return np.diag(mean).copy(), float(across.mean()) if len(across) else float("nan")


def _structure(
    cohort: Cohort, mean: np.ndarray, settings: ConnectivitySettings, rng: np.random.Generator
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    values: dict[str, float] = {}
    nulls: dict[str, np.ndarray] = {}
    pairs = homologous_pairs(cohort.units)
    if len(pairs):
        values["homologous"] = homologous_mean(mean, pairs)
        nulls["homologous"] = homologous_null(mean, pairs, settings.n_shuffles, rng)
    networks = column(cohort.units, "network")
    if networks is not None:
        membership = same_network(networks)
        within, between = network_contrast(mean, membership)
        if np.isfinite(within) and np.isfinite(between):
            shuffles = int(np.clip(_AFFORDABLE // mean.size, 99, settings.n_shuffles))
            values["contrast"] = within - between
            nulls["contrast"] = network_null(mean, membership, shuffles, rng)
    return values, nulls
