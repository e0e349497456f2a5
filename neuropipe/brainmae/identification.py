"""Fingerprinting: whose run it is, told from features (Finn et al. 2015, Nat Neurosci 18:1664).

Axis legend: q queries, r references, f features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neuropipe.brainmae.data import Runs
from neuropipe.brainmae.features import BlockScale
from neuropipe.brainmae.run_connectivity import half_correlations
from neuropipe.brainmae.settings import BrainmaeSettings
from neuropipe.brainmae.store import Stored
from neuropipe.stats.resampling import Interval, bootstrap_interval

__all__ = ["Identification", "identified", "identify_halves"]


@dataclass(frozen=True)
class Identification:
    """How often the other half of a subject's run is the most similar one.

    Parameters
    ----------
    embedding, connectivity : array of shape (n_subjects,)
        Share of each subject's queries that find it; of the model that has not seen the subject,
        and of static connectivity.
    chance : float
        One over the number of subjects.
    """

    embedding: np.ndarray
    connectivity: np.ndarray
    chance: float

    def interval(self, of: np.ndarray, n_resamples: int, seed: int) -> Interval:
        """95 % bootstrap interval over subjects."""
        return bootstrap_interval(of, n_resamples=n_resamples, method="percentile", seed=seed)


def identified(
    queries: np.ndarray,
    references: np.ndarray,
    query_subject: Sequence[object] | np.ndarray,
    reference_subject: Sequence[object] | np.ndarray,
) -> np.ndarray:
    """Whether the reference most correlated with each query is of the same subject.

    Parameters
    ----------
    queries : array of shape (n_queries, n_features)
    references : array of shape (n_references, n_features)
    query_subject, reference_subject : sequences

    Returns
    -------
    array of bool of shape (n_queries,)
    """

    def unit(x: np.ndarray) -> np.ndarray:
        centred = x - x.mean(axis=1, keepdims=True)
        return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=1), 1e-12)[:, None])

    best = (unit(queries) @ unit(references).T).argmax(axis=1)
    right: np.ndarray = np.asarray(reference_subject)[best] == np.asarray(query_subject)
    return right


def identify_halves(
    runs: Runs, stores: Sequence[Stored], settings: BrainmaeSettings
) -> Identification | None:
    """Find the second half of every run by its first half, and the other way round.

    Parameters
    ----------
    runs : Runs
        Of the dataset.
    stores : sequence of Stored
        Models of one seed.
    settings : BrainmaeSettings

    Returns
    -------
    Identification or None
        None with fewer than three subjects, or without models that leave some out. Features are
        centred by the references before they are correlated, both kinds alike.
    """
    names = [run.recording for run in runs.runs]
    subjects = np.array([run.subject for run in runs.runs])
    if len(set(subjects)) < 3:
        return None
    asked: list[np.ndarray] = []
    ours: list[np.ndarray] = []
    static: list[np.ndarray] = []
    halves = half_correlations(runs)
    for store in stores:
        out = np.flatnonzero([store.left_out(name) for name in names])
        if not len(out):
            continue
        blocks = [store.blocks(names, part) for part in ("first half", "second half")]
        scales = [BlockScale(block, settings.pool) for block in blocks]
        ours.append(_both_ways([s(b) for s, b in zip(scales, blocks, strict=True)], subjects, out))
        centred = [half - half.mean(axis=0) for half in halves]
        static.append(_both_ways(centred, subjects, out))
        asked.append(subjects[out])
    if not asked:
        return None
    who = np.concatenate(asked)
    order = list(dict.fromkeys(who.tolist()))
    found = [
        np.array([np.concatenate(parts)[who == subject].mean() for subject in order])
        for parts in (ours, static)
    ]
    return Identification(found[0], found[1], 1 / len(set(subjects)))


def _both_ways(halves: Sequence[np.ndarray], subjects: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Share of both directions that find the subject, for each run that is asked."""
    first, second = halves
    there = identified(first[asked], second, subjects[asked], subjects)
    back = identified(second[asked], first, subjects[asked], subjects)
    return np.asarray((there.astype(float) + back) / 2)
