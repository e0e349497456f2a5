"""Read anatomical wiring from CSV: matrices and lists of connections."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from neuropipe.errors import InputError
from neuropipe.ingest.tables import to_number

__all__ = ["read_wiring"]

_LIST = ("pre", "post", "weight")
_WANTED = "a matrix (first column and first row name units) or a list (pre, post, weight)"
_CORRECT = "correct the file or the setting wiring"
_MOST_UNITS = 10_000


def read_wiring(paths: Sequence[Path]) -> pd.DataFrame:
    """Read tables of wiring and add them up.

    Parameters
    ----------
    paths : sequence of Path
        Each a comma-, semicolon- or tab-separated file with a header: a matrix from its rows to its
        columns, whose names may differ; or a list with the columns ``pre``, ``post`` and
        ``weight``, rows of one pair adding up. Empty cells are 0.

    Returns
    -------
    pandas.DataFrame of shape (n_units, n_units)
        Weights from 0 on, from row to column, for all units that a file names.

    Raises
    ------
    InputError
        If a file is no such table, names a unit twice, or holds a weight that is no number from 0
        on.

    Notes
    -----
    Gap junctions are usually given in both triangles of their matrix, as they conduct both ways;
    they are added as they stand.
    """
    tables = [_read(Path(path)) for path in paths]
    names = list(dict.fromkeys(n for t in tables for n in [*t.index, *t.columns]))
    index = pd.Index(names, dtype=object, name="unit")
    _check_number(len(names), paths[0])
    total = np.zeros((len(names), len(names)))
    for table in tables:
        at = np.ix_(index.get_indexer(table.index), index.get_indexer(table.columns))
        total[at] += table.to_numpy()
    return pd.DataFrame(total, index=index, columns=index)


def _read(path: Path) -> pd.DataFrame:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            text = stream.read()
        first = text.partition("\n")[0]
        separator = max(",;\t", key=first.count)
        lines = list(csv.reader(text.splitlines(), delimiter=separator))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: {error}", _WANTED, _CORRECT) from error
    rows = [[cell.strip() for cell in line] for line in lines]
    numbered = [(k, row) for k, row in enumerate(rows, start=1) if any(row)]
    if len(numbered) < 2 or len(numbered[0][1]) < 2:
        raise InputError(f"{path} holds no table", _WANTED, _CORRECT)
    width = len(numbered[0][1])
    for line, row in numbered:
        if len(row) != width:
            raise InputError(
                f"{path}: line {line} has {len(row)} cells", f"{width} as in the header", _CORRECT
            )
    header = [cell.lower() for cell in numbered[0][1]]
    if set(_LIST) <= set(header):
        return _from_list(numbered[1:], [header.index(name) for name in _LIST], path)
    if {"pre", "post"} & set(header):
        raise InputError(f"{path} has the columns {', '.join(header[:5])}", _WANTED, _CORRECT)
    return _from_matrix(numbered, path)


def _from_list(
    rows: Sequence[tuple[int, list[str]]], where: Sequence[int], path: Path
) -> pd.DataFrame:
    pre, post, weight = where
    for line, row in rows:
        if not row[pre] or not row[post]:
            raise InputError(f"{path}: line {line} lacks a unit", "pre and post", _CORRECT)
    names = list(dict.fromkeys(row[side] for _, row in rows for side in (pre, post)))
    place = {name: k for k, name in enumerate(names)}
    _check_number(len(names), path)
    total = np.zeros((len(names), len(names)))
    for line, row in rows:
        total[place[row[pre]], place[row[post]]] += _weight(row[weight], line, path)
    return pd.DataFrame(total, index=names, columns=names)


def _from_matrix(rows: Sequence[tuple[int, list[str]]], path: Path) -> pd.DataFrame:
    columns = rows[0][1][1:]
    index = [row[0] for _, row in rows[1:]]
    for names, side in ((columns, "column"), (index, "row")):
        if "" in names:
            raise InputError(f"{path}: a {side} has no name", _WANTED, _CORRECT)
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise InputError(f"{path}: {side} {twice!r} stands twice", "unique names", _CORRECT)
    values = [[_weight(cell, line, path) for cell in row[1:]] for line, row in rows[1:]]
    return pd.DataFrame(np.array(values), index=index, columns=columns)


def _weight(cell: str, line: int, path: Path) -> float:
    if not cell:
        return 0.0
    value = to_number(cell)
    if value is None or value < 0:
        raise InputError(
            f"{path}: line {line} has the weight {cell[:40]!r}", "a number from 0 on", _CORRECT
        )
    return value


def _check_number(n_units: int, path: Path) -> None:
    if n_units > _MOST_UNITS:
        raise InputError(f"{path} names {n_units} units", f"at most {_MOST_UNITS}", _CORRECT)
