"""Whose RDM each is and of what, for identification across subjects.

Axes: m items (RDMs), s subjects, r labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from neuropipe.errors import InputError, UnfitRecordingError

__all__ = ["Items", "common_pairs", "items_of"]


@dataclass(frozen=True, eq=False)
class Items:
    """Whose RDM each is, and of what.

    Parameters
    ----------
    subject, label : arrays of int of shape (m,)
        Places in the names.
    subjects, labels : tuple of str
        Names in sorted order.
    """

    subject: np.ndarray
    label: np.ndarray
    subjects: tuple[str, ...]
    labels: tuple[str, ...]

    @property
    def counts(self) -> np.ndarray:
        """Items of each subject and label, shape (s, r)."""
        counts = np.zeros((len(self.subjects), len(self.labels)))
        np.add.at(counts, (self.subject, self.label), 1)
        return counts

    @property
    def chance(self) -> float:
        """Accuracy without any information: one over the number of labels."""
        return 1 / len(self.labels)

    def per_subject(self, correct: np.ndarray) -> np.ndarray:
        """Mean over each subject's items, shape (..., m) to (..., s)."""
        belongs = self.subject[:, None] == np.arange(len(self.subjects))
        # Counts are whole numbers, so that equal shares are equal floats.
        return np.asarray(correct.astype(np.float64) @ belongs / belongs.sum(axis=0))

    def grouped(self) -> tuple[np.ndarray, Items]:
        """Bring the items of each subject together: their order (m,), and the items in it."""
        order = np.argsort(self.subject, kind="stable")
        return order, replace(self, subject=self.subject[order], label=self.label[order])


def items_of(
    subjects: Sequence[object] | np.ndarray,
    labels: Sequence[object] | np.ndarray,
    *,
    min_subjects: int = 2,
) -> Items:
    """Number subjects and labels.

    Parameters
    ----------
    subjects, labels : sequences of length m
        Subjects may lack some labels, or have several items of one.
    min_subjects : int
        That every label must be known from: one is held out, two in nested selection.

    Raises
    ------
    InputError
        If their lengths differ.
    UnfitRecordingError
        If there are fewer than two labels, or a label has too few subjects.
    """
    if len(subjects) != len(labels):
        raise InputError(f"{len(subjects)} subjects, {len(labels)} labels", "one each", "add rows")
    names, subject = np.unique(np.asarray(subjects), return_inverse=True)
    kinds, label = np.unique(np.asarray(labels), return_inverse=True)
    items = Items(subject.ravel(), label.ravel(), tuple(map(str, names)), tuple(map(str, kinds)))
    known_from = (items.counts > 0).sum(axis=0)
    if len(kinds) < 2 or known_from.min() < min_subjects:
        fewest = known_from.min(initial=len(names))
        raise UnfitRecordingError(
            f"{len(kinds)} labels, one of them from {fewest} subjects",
            f"at least 2 labels, each from {min_subjects} subjects",
            "add subjects, or leave out labels that few of them have",
        )
    return items


def common_pairs(dissimilarities: np.ndarray) -> np.ndarray:
    """Mark the pairs that all RDMs know, shape (..., n_pairs) to (n_pairs,).

    Raises
    ------
    UnfitRecordingError
        If there are fewer than three.
    """
    values = np.asarray(dissimilarities)
    known = np.isfinite(values).reshape(-1, values.shape[-1]).all(axis=0)
    if known.sum() < 3:
        raise UnfitRecordingError(
            f"{known.sum()} pairs of conditions that all RDMs know",
            "at least 3",
            "leave out RDMs of few conditions, or conditions that few RDMs have",
        )
    return np.asarray(known)
