"""What the ROI embeddings hold: likeness of ROIs beside networks, homologues and connectivity.

Axis legend: n ROIs, e pairs of ROIs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuropipe.brainmae.model import BrainMAE
from neuropipe.recording import MISSING
from neuropipe.stats.connectivity_matrices import edges
from neuropipe.units import column, homologous_pairs

__all__ = ["PairTest", "RoiSimilarity", "cosine_similarity", "pair_auc", "roi_similarity"]

_N_PERMUTATIONS = 999


@dataclass(frozen=True)
class PairTest:
    """Whether pairs of a kind are more alike than the others.

    Parameters
    ----------
    name : str
        ``"same network"`` or ``"homologues"``.
    auc : float
        Probability that such a pair is more alike than another.
    null : array of shape (n_permutations,)
        The same with ROIs dealt out at random.
    n_pairs : int
    """

    name: str
    auc: float
    null: np.ndarray
    n_pairs: int


@dataclass(frozen=True)
class RoiSimilarity:
    """Likeness of the ROI embeddings of a model.

    Parameters
    ----------
    matrix : array of shape (n_rois, n_rois)
        Cosine similarity.
    tests : list of PairTest
        For what the table of ROIs tells; empty where it tells neither.
    agreement : float
        Mean correlation of the matrices of two models of different training subjects; NaN of one.
    with_connectivity : float
        Spearman correlation with the mean connectivity matrix.
    """

    matrix: np.ndarray
    tests: list[PairTest]
    agreement: float
    with_connectivity: float


def cosine_similarity(embedding: np.ndarray) -> np.ndarray:
    """Cosine similarity of the rows of an array, shape (n_rois, n_rois)."""
    unit = embedding / np.maximum(np.linalg.norm(embedding, axis=1, keepdims=True), 1e-12)
    matrix: np.ndarray = unit @ unit.T
    return matrix


def pair_auc(ranks: np.ndarray, pairs: np.ndarray) -> float:
    """Probability that a chosen pair ranks above another pair.

    Parameters
    ----------
    ranks : array of shape (n_edges,)
        Of all pairs' values, from 1 (`scipy.stats.rankdata`).
    pairs : array of bool of shape (n_edges,)
    """
    n, m = int(pairs.sum()), int((~pairs).sum())
    return float((ranks[pairs].sum() - n * (n + 1) / 2) / (n * m))


def roi_similarity(
    models: Sequence[BrainMAE], units: pd.DataFrame, mean_z: np.ndarray, seed: int
) -> RoiSimilarity | None:
    """Compare ROI embeddings with what is known of the ROIs.

    Parameters
    ----------
    models : sequence of BrainMAE
        The final one first, then those of the folds.
    units : pandas.DataFrame
    mean_z : array of shape (n_edges,)
        Mean connectivity (Fisher's z).
    seed : int
        Of the permutations.

    Returns
    -------
    RoiSimilarity or None
        None where the variant learns no embeddings.
    """
    from scipy.stats import spearmanr

    if "embedding" not in dict(models[0].named_parameters()):
        return None
    matrices = [cosine_similarity(model.embedding.detach().cpu().numpy()) for model in models]
    vectors = [edges(matrix) for matrix in matrices]
    others = vectors[1:]
    pairs = [
        np.corrcoef(others[i], others[j])[0, 1]
        for i in range(len(others))
        for j in range(i + 1, len(others))
    ]
    return RoiSimilarity(
        matrix=matrices[0],
        tests=_tests(matrices[0], units, seed),
        agreement=float(np.mean(pairs)) if pairs else float("nan"),
        with_connectivity=float(spearmanr(vectors[0], mean_z).statistic),
    )


def _tests(matrix: np.ndarray, units: pd.DataFrame, seed: int) -> list[PairTest]:
    from scipy.stats import rankdata

    kinds: list[tuple[str, np.ndarray]] = []
    networks = column(units, "network")
    if networks is not None:
        named = networks != MISSING
        same = (networks[:, None] == networks) & named[:, None] & named
        kinds.append(("same network", same))
    partners = homologous_pairs(units)
    if len(partners):
        mates = np.zeros(matrix.shape, dtype=bool)
        mates[partners[:, 0], partners[:, 1]] = mates[partners[:, 1], partners[:, 0]] = True
        kinds.append(("homologues", mates))
    ranks, found = rankdata(edges(matrix)), []
    for name, member in kinds:
        chosen = edges(member)
        if not chosen.any() or chosen.all():
            continue
        rng = np.random.default_rng(seed)
        null = np.empty(_N_PERMUTATIONS)
        for k in range(_N_PERMUTATIONS):
            order = rng.permutation(len(matrix))
            null[k] = pair_auc(ranks, edges(member[np.ix_(order, order)]))
        found.append(PairTest(name, pair_auc(ranks, chosen), null, int(chosen.sum())))
    return found
