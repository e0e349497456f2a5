"""Resamples of subjects and conditions, and the variance they give: how a new study would vary.

A study that draws new subjects and new stimuli varies by both. Bootstrapping both at once counts
the noise of single entries three times, bootstrapping one only leaves the other out; the dual
bootstrap puts the three variances together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neuropipe.errors import UnfitRecordingError

__all__ = ["Draws", "draw_both", "draw_counts", "dual_variance", "members"]

MIN_CONDITIONS, MIN_SUBJECTS = 3, 2
_ATTEMPTS = 200  # rounds of redrawing what has too few distinct items


@dataclass(frozen=True, eq=False)
class Draws:
    """How often every subject and every condition is drawn.

    Parameters
    ----------
    subjects : array of int of shape (n_draws, n_subjects)
    conditions : array of int of shape (n_draws, n_conditions)
    n_redrawn : int
        Draws that had too few distinct items and were drawn anew.
    """

    subjects: np.ndarray
    conditions: np.ndarray
    n_redrawn: int = 0


def members(subjects: Sequence[object] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Say which subject each RDM belongs to.

    Sessions of one subject are not independent: they are drawn and left out together.

    Parameters
    ----------
    subjects : sequence of length n_rdms

    Returns
    -------
    names : array of shape (n_subjects,)
        In the order in which they first appear.
    member : array of int of shape (n_rdms,)
        Place of each RDM's subject among them.
    """
    given = np.asarray(subjects)
    names, first, member = np.unique(given, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return names[order], place[member]


def draw_counts(
    n_items: int,
    n_draws: int,
    rng: np.random.Generator,
    *,
    min_distinct: int,
    groups: np.ndarray | None = None,
) -> tuple[np.ndarray, int]:
    """Draw items with replacement, as counts.

    Parameters
    ----------
    n_items, n_draws : int
    rng : numpy.random.Generator
    min_distinct : int
        A draw with fewer distinct items says nothing and is drawn anew.
    groups : array of int of shape (n_items,), optional
        Folds of a crossvalidation, each of which needs that many distinct items.

    Returns
    -------
    counts : array of int of shape (n_draws, n_items)
        Each row sums to `n_items`.
    n_redrawn : int

    Raises
    ------
    UnfitRecordingError
        If hardly any draw has enough distinct items.
    """
    fold = np.zeros(n_items, dtype=int) if groups is None else np.asarray(groups)
    share = np.full(n_items, 1 / n_items)
    counts = np.zeros((n_draws, n_items), dtype=np.int64)
    poor, n_redrawn = np.arange(n_draws), -n_draws
    for _ in range(_ATTEMPTS):
        n_redrawn += len(poor)
        counts[poor] = rng.multinomial(n_items, share, size=len(poor))
        distinct = [(counts[poor][:, fold == f] > 0).sum(axis=1) for f in np.unique(fold)]
        poor = poor[np.min(distinct, axis=0) < min_distinct]
        if not len(poor):
            return counts, n_redrawn
    raise UnfitRecordingError(
        f"{n_items} items in {len(np.unique(fold))} parts",
        f"enough for {min_distinct} distinct ones a part in most draws with replacement",
        "add some, or use fewer folds",
    )


def draw_both(
    n_subjects: int,
    n_conditions: int,
    n_draws: int,
    rng: np.random.Generator,
    *,
    folds: np.ndarray | None = None,
) -> Draws:
    """Draw subjects and conditions with replacement, independently.

    Parameters
    ----------
    n_subjects, n_conditions, n_draws : int
        One subject is always drawn once.
    rng : numpy.random.Generator
    folds : array of int of shape (n_conditions,), optional
        Folds of conditions that each keep at least 3 distinct ones.

    Returns
    -------
    Draws
        At least 2 distinct subjects and 3 distinct conditions in each.
    """
    conditions, redrawn = draw_counts(
        n_conditions, n_draws, rng, min_distinct=MIN_CONDITIONS, groups=folds
    )
    if n_subjects == 1:
        return Draws(np.ones((n_draws, 1), dtype=np.int64), conditions, redrawn)
    subjects, more = draw_counts(n_subjects, n_draws, rng, min_distinct=MIN_SUBJECTS)
    return Draws(subjects, conditions, redrawn + more)


def dual_variance(
    by_subjects: np.ndarray,
    by_conditions: np.ndarray,
    by_both: np.ndarray,
    *,
    n_subjects: int | None = None,
    n_conditions: int | None = None,
) -> np.ndarray:
    """Put the variances of three bootstraps together.

    Parameters
    ----------
    by_subjects, by_conditions, by_both : arrays of shape (...)
        Vs, Vp and Vsp: variance of a statistic over draws of subjects only, of conditions only,
        and of both.
    n_subjects, n_conditions : int, optional
        Numbers S and P of either; where given, each bootstrap is freed of the ``(n - 1) / n`` by
        which it is too narrow.

    Returns
    -------
    array of shape (...)
        ``2 (Vs + Vp) - Vsp``, at least the larger of Vs and Vp and at most Vsp; with sizes, the
        same of what the three are expected to be.

    Notes
    -----
    Schuett et al. 2023, eLife 12, e82566. With subject effects of variance A, condition effects of
    B and single entries of E (each of the mean), ``Vs ~ A + E``, ``Vp ~ B + E`` and
    ``Vsp ~ A + B + 3 E``. Without the approximation, with ``a = S / (S - 1)`` and
    ``b = P / (P - 1)``: ``a Vs = A + E``, ``b Vp = B + E`` and ``a b (Vsp - Vs - Vp) = E``.
    """
    a = 1.0 if n_subjects is None else n_subjects / (n_subjects - 1)
    b = 1.0 if n_conditions is None else n_conditions / (n_conditions - 1)
    one, other = a * np.asarray(by_subjects), b * np.asarray(by_conditions)
    entries = a * b * (np.asarray(by_both) - by_subjects - by_conditions)
    return np.asarray(
        np.maximum(np.minimum(one + other - entries, one + other + entries), np.maximum(one, other))
    )
