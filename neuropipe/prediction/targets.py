"""What is to be predicted: columns of the participants table, read as classes or numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from neuropipe.errors import UnfitRecordingError
from neuropipe.prediction.settings import PredictionSettings

__all__ = ["Target", "confound_matrix", "is_missing", "read_target", "split_groups"]

_MISSING = {"", "n/a", "na", "nan", "none", "null"}
_MOST_CLASSES = 10  # distinct numbers above which a column is a quantity


@dataclass(frozen=True)
class Target:
    """A column to predict.

    Parameters
    ----------
    name : str
    classes : tuple of str
        Empty for a regression; of two classes the second is the positive one.
    values : array of shape (n_subjects,)
        Position of the class (-1 missing) or the number (NaN missing).
    """

    name: str
    classes: tuple[str, ...]
    values: np.ndarray

    @property
    def is_classification(self) -> bool:
        """Whether classes are predicted."""
        return len(self.classes) > 0

    @property
    def known(self) -> np.ndarray:
        """Which subjects have a value."""
        found: np.ndarray = self.values >= 0 if self.is_classification else np.isfinite(self.values)
        return found

    def only(self, subjects: np.ndarray) -> Target:
        """The same target, missing where `subjects` (bool) is False."""
        missing = -1 if self.is_classification else np.nan
        return Target(self.name, self.classes, np.where(subjects, self.values, missing))


def is_missing(value: Any) -> bool:
    """Tell whether an entry of the participants table holds nothing: empty, NaN or ``n/a``."""
    return value is None or str(value).strip().lower() in _MISSING


def _values(table: pd.DataFrame, name: str, what: str) -> list[Any]:
    """A column with None for what is missing."""
    if name not in table:
        known = ", ".join(map(str, table.columns)) or "none"
        raise UnfitRecordingError(
            f"{what} {name!r} is no column of the participants", f"one of: {known}", "correct it"
        )
    return [None if is_missing(value) else value for value in table[name]]


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None


def _first_text(values: Sequence[Any]) -> Any:
    return next(value for value in values if value is not None and _number(value) is None)


def read_target(name: str, table: pd.DataFrame, settings: PredictionSettings) -> Target:
    """Read a column as classes or numbers.

    Parameters
    ----------
    name : str
    table : pandas.DataFrame
        One row a subject.
    settings : PredictionSettings

    Raises
    ------
    UnfitRecordingError
        If the column is unknown, has one class or value only, a class of fewer subjects than folds
        (or, with families, of fewer families), or text where numbers are asked for.
    """
    values = _values(table, name, "target")
    numbers = [None if value is None else _number(value) for value in values]
    numeric = all(n is not None for n, v in zip(numbers, values, strict=True) if v is not None)
    kind = settings.target_types.get(name)
    if kind is None:
        distinct = len({number for number in numbers if number is not None})
        kind = "regression" if numeric and distinct > _MOST_CLASSES else "classification"
    if kind == "regression":
        if not numeric:
            raise UnfitRecordingError(
                f"target {name!r} holds {_first_text(values)!r}", "numbers", "set its target_types"
            )
        found = np.array([np.nan if number is None else number for number in numbers])
        if len({number for number in numbers if number is not None}) < 2:
            raise UnfitRecordingError(
                f"target {name!r} does not vary", "at least two values", "choose another target"
            )
        return Target(name, (), found)
    labels = [None if value is None else _label(value) for value in values]
    return _classes(name, labels, table, settings)


def _label(value: Any) -> str:
    # 1.0 of a column with gaps and 1 of a column without are one class.
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _classes(
    name: str, labels: list[str | None], table: pd.DataFrame, settings: PredictionSettings
) -> Target:
    present = [label for label in labels if label is not None]
    sizes = {label: present.count(label) for label in sorted(set(present))}
    if len(sizes) < 2:
        only = f"only the class {next(iter(sizes))!r}" if sizes else "no value"
        raise UnfitRecordingError(
            f"target {name!r} has {only}", "at least two classes", "choose another target"
        )
    groups = split_groups(table, settings)
    for label in sizes:
        independent = len({g for g, k in zip(groups, labels, strict=True) if k == label})
        if independent < settings.n_splits:
            raise UnfitRecordingError(
                f"class {label!r} of target {name!r} has {independent} independent subjects",
                f"at least one for each of {settings.n_splits} folds",
                "lower n_splits, or choose another target",
            )
    order = sorted(sizes)
    if len(order) > 2 and name in settings.positive:
        raise UnfitRecordingError(
            f"positive class of {name!r}, which has {len(order)} classes", "two", "leave it out"
        )
    if len(order) == 2:
        rarer = min(order, key=lambda label: (sizes[label], -order.index(label)))
        positive = settings.positive.get(name, rarer)
        if positive not in order:
            raise UnfitRecordingError(
                f"positive class of {name!r} is {positive!r}", " or ".join(order), "correct it"
            )
        order = [label for label in order if label != positive] + [positive]
    codes = np.array([-1 if label is None else order.index(label) for label in labels])
    return Target(name, tuple(order), codes)


def split_groups(table: pd.DataFrame, settings: PredictionSettings) -> list[str]:
    """What must stay on one side of a split: the subject, or its family where a column tells it.

    Parameters
    ----------
    table : pandas.DataFrame
    settings : PredictionSettings

    Returns
    -------
    list of str of length n_subjects
        A subject without a family is its own.

    Raises
    ------
    UnfitRecordingError
        If `group_column` is unknown.
    """
    subjects = [str(subject) for subject in table.index]
    if not settings.group_column:
        return subjects
    families = _values(table, settings.group_column, "group_column")
    return [
        f"subject {s}" if family is None else f"group {family}"
        for s, family in zip(subjects, families, strict=True)
    ]


def confound_matrix(names: Sequence[str], table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Confounds as numbers: quantities as they are, classes as indicator columns.

    Parameters
    ----------
    names : sequence of str
    table : pandas.DataFrame

    Returns
    -------
    values : array of shape (n_subjects, n_columns)
        0 where a subject is not known.
    known : array of bool of shape (n_subjects,)
        Subjects for whom every confound is known.

    Raises
    ------
    UnfitRecordingError
        If a column is unknown, has no value at all, or holds nearly as many texts as subjects.
    """
    columns: list[np.ndarray] = []
    known = np.ones(len(table), dtype=bool)
    for name in names:
        values = _values(table, name, "confound")
        has = np.array([value is not None for value in values])
        if not has.any():
            raise UnfitRecordingError(f"confound {name!r} has no value", "values", "leave it out")
        known &= has
        numbers = [_number(value) for value in values if value is not None]
        if all(number is not None for number in numbers):
            filled = np.zeros(len(table))
            filled[has] = np.array(numbers, dtype=float)
            columns.append(filled)
        else:
            labels = [None if value is None else str(value) for value in values]
            levels = sorted({label for label in labels if label is not None})
            # Indicators of single subjects would explain everything.
            if len(levels) > max(_MOST_CLASSES, has.sum() / 2):
                raise UnfitRecordingError(
                    f"confound {name!r} holds {len(levels)} different texts of {has.sum()} "
                    f"subjects, such as {_first_text(values)!r}",
                    "numbers, or classes that subjects share",
                    "correct the values or leave it out",
                )
            columns += [np.array([float(k == level) for k in labels]) for level in levels[1:]]
    return np.array(columns).reshape(-1, len(table)).T, known
