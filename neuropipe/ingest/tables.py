"""BIDS tables and sidecars: TSV and JSON files, each complaint naming file, row and column."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from neuropipe.errors import InputError
from neuropipe.names import check_name
from neuropipe.recording import text_table

_CORRECT = "correct the file"
_MOST_COLUMNS = 20_000  # beyond the phenotypes of the largest cohorts
_MOST_EVENT_COLUMNS = 500  # each becomes a variable of the recording's file


def read_table(path: Path) -> pd.DataFrame:
    """Read a TSV file as text.

    Parameters
    ----------
    path : Path
        UTF-8, tab-separated, with a header; ``n/a`` and empty cells are missing.

    Returns
    -------
    pandas.DataFrame
        Text cells, None where missing.

    Raises
    ------
    InputError
        If the file is no such table, a column has no name or stands twice, or a row is too long.
    """
    try:
        with path.open(encoding="utf-8-sig") as stream:
            header = stream.readline().rstrip("\r\n").split("\t")
        if len(header) > _MOST_COLUMNS:
            raise InputError(
                f"{path} has {len(header)} columns", f"at most {_MOST_COLUMNS}", _CORRECT
            )
        check_columns(header, path)
        table = pd.read_csv(
            path, sep="\t", dtype=str, keep_default_na=False, encoding="utf-8-sig", quoting=3
        )
    except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
        raise InputError(f"{path}: {error}", "a tab-separated table", _CORRECT) from error
    if not isinstance(table.index, pd.RangeIndex):
        raise InputError(f"{path} has rows longer than its header", "one cell a column", _CORRECT)
    table.columns = pd.Index([name.strip() for name in header])
    stripped = table.apply(lambda column: column.str.strip())
    missing = stripped.isin(["n/a", ""]) | stripped.isna()
    found: pd.DataFrame = stripped.astype(object).mask(missing, None)
    return found


def check_columns(names: Sequence[str], path: Path) -> None:
    """Refuse a header with an empty or repeated name.

    Raises
    ------
    InputError
        Naming the column.
    """
    seen: set[str] = set()
    for position, name in enumerate(names, start=1):
        if not name.strip() or not name.isprintable():
            raise InputError(f"{path}: column {position} is named {name!r}", "a name", _CORRECT)
        if name.strip() in seen:
            raise InputError(f"{path}: column {name!r} stands twice", "unique columns", _CORRECT)
        seen.add(name.strip())


def numeric_column(table: pd.DataFrame, name: str, path: Path) -> np.ndarray:
    """Turn a text column into numbers.

    Returns
    -------
    array of shape (n_rows,), float64
        NaN where the cell is missing.

    Raises
    ------
    InputError
        If the column is missing or a cell is no finite number, naming the row.
    """
    if name not in table:
        raise InputError(f"{path} has no column {name}", f"a column {name}", _CORRECT)
    values = np.full(len(table), np.nan)
    for row, cell in enumerate(table[name]):
        number = None if cell is None else to_number(cell)
        if cell is not None and number is None:
            raise InputError(
                f"{path}: row {row + 1} has {name} {cell[:40]!r}", "a finite number", _CORRECT
            )
        values[row] = np.nan if number is None else number
    return values


def to_number(cell: str) -> float | None:
    """Parse a finite number, None where the text is none."""
    try:
        value = float(cell)
    except ValueError:
        return None
    # Python also reads "1_000", which is no number in a table.
    return value if math.isfinite(value) and "_" not in cell else None


def read_events(path: Path, scan_end: float) -> pd.DataFrame | None:
    """Read a BIDS events table.

    Parameters
    ----------
    path : Path
        Columns ``onset`` and ``duration`` in s; ``trial_type`` and others are optional.
    scan_end : float
        End of the scan in s.

    Returns
    -------
    pandas.DataFrame or None
        Sorted by onset, columns that hold only numbers as float64; None where there is no row.

    Raises
    ------
    InputError
        If an onset is missing, text or after the end of the scan, or a duration is negative.
    """
    table = read_table(path)
    if len(table.columns) > _MOST_EVENT_COLUMNS:
        raise InputError(
            f"{path} has {len(table.columns)} columns", f"at most {_MOST_EVENT_COLUMNS}", _CORRECT
        )
    onset = numeric_column(table, "onset", path)
    duration = numeric_column(table, "duration", path)
    if not len(table):
        return None
    for row in range(len(table)):
        if np.isnan(onset[row]):
            raise InputError(f"{path}: row {row + 1} has no onset", "an onset in s", _CORRECT)
        if duration[row] < 0:
            raise InputError(
                f"{path}: row {row + 1} has duration {duration[row]:g} s", "0 s or more", _CORRECT
            )
    if onset.max() > scan_end:
        raise InputError(
            f"{path}: an event starts at {onset.max():g} s, the scan ends at {scan_end:g} s",
            "events within the scan",
            "check that the events belong to this run and are in seconds",
        )
    columns: dict[str, Any] = {"onset": onset, "duration": duration}
    for name in table.columns.drop(["onset", "duration"]):
        columns[name.replace("/", "-")] = _numbers_or_text(table[name])
    order = np.argsort(onset, kind="stable")
    events = pd.DataFrame(columns).iloc[order].reset_index(drop=True)
    return text_table(events, "event")


def read_participant(path: Path, subject: str) -> dict[str, str | float] | None:
    """Read one subject's row of ``participants.tsv``.

    Parameters
    ----------
    path : Path
        A BIDS participants table; ``participant_id`` may lack its ``sub-``.
    subject : str
        Label without ``sub-``.

    Returns
    -------
    dict or None
        Column to text, or to float where every value of the column is a number; cells that are
        ``n/a`` are left out. None where the table does not name the subject.

    Raises
    ------
    InputError
        If the table is malformed or names a subject twice.
    """
    table = read_table(path)
    if "participant_id" not in table:
        raise InputError(f"{path} has no column participant_id", "a BIDS table", _CORRECT)
    labels = [None if c is None else c.removeprefix("sub-") for c in table["participant_id"]]
    for row, label in enumerate(labels):
        check_name(label, f"{path}: participant_id in row {row + 1}")
    if len(set(labels)) < len(labels):
        twice = next(label for label in labels if labels.count(label) > 1)
        raise InputError(f"{path} names sub-{twice} twice", "one row a subject", _CORRECT)
    if subject not in labels:
        return None
    row = labels.index(subject)
    found: dict[str, str | float] = {}
    for name in table.columns.drop("participant_id"):
        value = _numbers_or_text(table[name])[row]
        if value is not None and value == value:  # neither missing text nor NaN
            found[name] = value if isinstance(value, str) else float(value)
    return found


def read_sidecars(paths: Sequence[Path]) -> dict[str, Any]:
    """Merge JSON sidecars.

    Parameters
    ----------
    paths : sequence of Path
        From the most general to the most specific; a later key replaces an earlier one.

    Raises
    ------
    InputError
        If a file is no JSON object.
    """
    merged: dict[str, Any] = {}
    for path in paths:
        try:
            data = json.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError, RecursionError) as error:
            raise InputError(f"{path}: {error}", "a JSON file", _CORRECT) from error
        if not isinstance(data, dict):
            raise InputError(f"{path} holds a {type(data).__name__}", "a JSON object", _CORRECT)
        merged |= data
    return merged


def _numbers_or_text(column: pd.Series) -> np.ndarray:
    """Numbers where every present cell is one, text otherwise; leading zeros keep text."""
    cells = list(column)
    present = [cell for cell in cells if cell is not None]
    coded = any(len(cell) > 1 and cell[0] == "0" and cell.isdigit() for cell in present)
    numbers = [None if cell is None else to_number(cell) for cell in cells]
    if present and not coded and sum(n is not None for n in numbers) == len(present):
        return np.array([np.nan if n is None else n for n in numbers])
    return np.array(cells, dtype=object)
