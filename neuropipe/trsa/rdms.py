"""Representational dissimilarity matrices: what every estimator makes and every analysis takes.

Pairs of conditions stand in the order of ``scipy.spatial.distance.pdist``: the upper triangle, row
by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from neuropipe.errors import InputError

__all__ = ["RDMs", "concatenate", "n_conditions_of", "square", "vectors"]


def n_conditions_of(n_pairs: int) -> int:
    """How many conditions have this many pairs.

    Raises
    ------
    InputError
        If no number has.
    """
    n = round((1 + float(np.sqrt(1 + 8 * n_pairs))) / 2)
    if n < 2 or n * (n - 1) // 2 != n_pairs:
        raise InputError(
            f"dissimilarities of {n_pairs} pairs",
            "n (n - 1) / 2 of them for n conditions",
            "give the upper triangle of a square matrix, without its diagonal",
        )
    return n


def square(dissimilarities: np.ndarray) -> np.ndarray:
    """Fold vectors of pairs into symmetric matrices.

    Parameters
    ----------
    dissimilarities : array of shape (..., n_pairs)

    Returns
    -------
    array of shape (..., n_conditions, n_conditions)
        With a diagonal of zeros.
    """
    values = np.asarray(dissimilarities)
    n = n_conditions_of(values.shape[-1])
    rows, columns = np.triu_indices(n, 1)
    matrices = np.zeros((*values.shape[:-1], n, n), dtype=values.dtype)
    matrices[..., rows, columns] = matrices[..., columns, rows] = values
    return matrices


def vectors(matrices: np.ndarray) -> np.ndarray:
    """Take the upper triangles of square matrices, shape (..., n, n) to (..., n_pairs)."""
    values = np.asarray(matrices)
    rows, columns = np.triu_indices(values.shape[-1], 1)
    return np.asarray(values[..., rows, columns])


@dataclass(frozen=True, eq=False)
class RDMs:
    """Dissimilarities of the same conditions, measured several times.

    Parameters
    ----------
    dissimilarities : array of shape (n_rdms, n_pairs), float64
        NaN where a pair is unknown.
    conditions : tuple of str
        Names, in the order of rows and columns.
    measure : str
        How they were measured, such as ``"crossnobis"``.
    items : pandas.DataFrame of length n_rdms
        What each RDM is of: columns such as subject, session, region; default: a number.

    Raises
    ------
    InputError
        If the parts do not fit each other.
    """

    dissimilarities: np.ndarray
    conditions: tuple[str, ...]
    measure: str = ""
    items: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        values = np.atleast_2d(np.asarray(self.dissimilarities, dtype=np.float64))
        n = len(self.conditions)
        if values.ndim != 2 or values.shape[1] != n * (n - 1) // 2:
            raise InputError(
                f"dissimilarities of shape {values.shape} for {n} conditions",
                f"(n_rdms, {n * (n - 1) // 2})",
                "name every condition once",
            )
        if len(set(self.conditions)) < n:
            raise InputError("two conditions of one name", "unique names", "rename one")
        items = pd.DataFrame({"rdm": range(len(values))}) if self.items is None else self.items
        if len(items) != len(values):
            raise InputError(f"{len(items)} items for {len(values)} RDMs", "one each", "add rows")
        object.__setattr__(self, "dissimilarities", values)
        object.__setattr__(self, "conditions", tuple(self.conditions))
        object.__setattr__(self, "items", items.reset_index(drop=True))

    def __len__(self) -> int:
        return len(self.dissimilarities)

    @property
    def table(self) -> pd.DataFrame:
        """What each RDM is of, one row each."""
        assert self.items is not None  # __post_init__ fills it
        return self.items

    @property
    def n_conditions(self) -> int:
        """Number of conditions."""
        return len(self.conditions)

    @property
    def matrices(self) -> np.ndarray:
        """Square form, shape (n_rdms, n_conditions, n_conditions)."""
        return square(self.dissimilarities)

    def take(self, rows: Sequence[int] | np.ndarray) -> RDMs:
        """Pick some RDMs by position or mask."""
        chosen = np.arange(len(self))[np.asarray(rows)]
        return replace(
            self, dissimilarities=self.dissimilarities[chosen], items=self.table.iloc[chosen]
        )

    def of(self, conditions: Sequence[str]) -> RDMs:
        """Pick and order conditions by name.

        Raises
        ------
        InputError
            If one is not among them.
        """
        places = {name: k for k, name in enumerate(self.conditions)}
        lacking = [name for name in conditions if name not in places]
        if lacking:
            raise InputError(
                f"condition {lacking[0]!r}", f"one of {', '.join(self.conditions[:8])}", "rename it"
            )
        chosen = np.array([places[name] for name in conditions], dtype=int)
        values = vectors(self.matrices[:, chosen[:, None], chosen[None, :]])
        return replace(self, dissimilarities=values, conditions=tuple(conditions))

    def mean(self) -> np.ndarray:
        """Mean over RDMs, shape (n_pairs,); NaN where no RDM knows a pair."""
        known = np.isfinite(self.dissimilarities)
        total = np.where(known, self.dissimilarities, 0.0).sum(axis=0)
        count = known.sum(axis=0)
        mean: np.ndarray = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
        return mean


def concatenate(parts: Sequence[RDMs]) -> RDMs:
    """Join RDMs of the same conditions, brought into the order of the first.

    Raises
    ------
    InputError
        If there is none, or their conditions differ.
    """
    if not parts:
        raise InputError("no RDMs", "at least one", "add some")
    first = parts[0]
    for part in parts[1:]:
        if set(part.conditions) != set(first.conditions):
            differing = sorted(set(part.conditions) ^ set(first.conditions))
            raise InputError(
                f"RDMs of different conditions: {', '.join(differing[:5])} in one only",
                "the same conditions in all",
                "pick those that all have (RDMs.of)",
            )
    ordered = [part.of(first.conditions) for part in parts]
    return replace(
        first,
        dissimilarities=np.concatenate([part.dissimilarities for part in ordered]),
        items=pd.concat([part.table for part in ordered], ignore_index=True),
    )
