"""Tables and arrays of ROI series as files: .tsv, .csv, .1D, .txt, .npy, .npz, .mat."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from zipfile import ZipFile

import numpy as np
import pandas as pd

from neuropipe.errors import InputError, NeuropipeError, SettingsError
from neuropipe.ingest.arrays import check_links, read_dataset
from neuropipe.ingest.matlab import mat_shapes, read_mat
from neuropipe.ingest.tables import check_columns, to_number

Orientation = Literal["auto", "time_by_unit", "unit_by_time"]
EXTENSIONS = (".tsv", ".csv", ".1D", ".txt", ".npy", ".npz", ".mat")
_MISSING_WORDS = ("", "n/a", "na", "nan", "null", "none", "#n/a")
_REMEDY = "correct or restore the file"
_MOST_BYTES = 4 << 30
_LARGEST = float(np.finfo(np.float32).max)  # series are kept as float32


@dataclass
class Series:
    """A table of series.

    Parameters
    ----------
    values : array of shape (n_times, n_units), float32
        NaN where missing.
    names : list of str or None
        Names of the columns, None where the file has none.
    notes : list of str
        For the recording's history.
    """

    values: np.ndarray
    names: list[str] | None
    notes: list[str] = field(default_factory=list)


def read_series(path: Path, orientation: Orientation = "auto", key: str | None = None) -> Series:
    """Read the series of one run.

    Parameters
    ----------
    path : Path
        Its extension tells the format.
    orientation : {"auto", "time_by_unit", "unit_by_time"}
        Axes where the file has no header. ``auto`` is time by unit, and refuses an array with more
        units than times.
    key : str, optional
        Name of the array in ``.npz`` and ``.mat``; by default the only one.

    Raises
    ------
    InputError
        If the file is malformed, has no row, holds text or infinite values (naming row and
        column), or names a column twice.
    SettingsError
        If `key` is needed or unknown.
    """
    if path.suffix in (".npy", ".npz", ".mat"):
        return _oriented(_array(path, key), None, orientation, path)
    text = path.suffix in (".1D", ".txt")
    series = _numbers_with_comments(path) if text else _delimited(path)
    if series.names is None:
        return _oriented(series.values, None, orientation, path)
    return series


def _delimited(path: Path) -> Series:
    """TSV or CSV; a TSV always has a header, a CSV where its first row is no row of numbers."""
    separator = "\t" if path.suffix == ".tsv" else ","
    data = _content(path)
    first, _, rest = data.partition(b"\n")
    cells = [cell.strip().strip('"') for cell in _decoded(first, path).split(separator)]
    has_header = path.suffix == ".tsv" or _is_header(cells)
    body = rest if has_header else data
    values = _parse(body, separator, len(cells), path, first_row=1)
    if not has_header:
        return Series(values, None)
    notes = []
    if not cells[0] and np.array_equal(values[:, 0], np.arange(len(values))):
        cells, values = cells[1:], values[:, 1:]
        notes.append("column of row numbers left out")
    check_columns(cells, path)
    return Series(values, cells, notes)


def _is_header(cells: list[str]) -> bool:
    """A row with text, or one that counts the columns: 0, 1, 2... or 1, 2, 3..."""
    numbers = [to_number(cell) for cell in cells]
    if any(
        n is None and c.lower() not in _MISSING_WORDS for n, c in zip(numbers, cells, strict=True)
    ):
        return True
    counts = (list(range(len(cells))), list(range(1, len(cells) + 1)))
    return len(cells) > 2 and all(c.isdigit() for c in cells) and [int(c) for c in cells] in counts


def _parse(body: bytes, separator: str, n_columns: int, path: Path, first_row: int) -> np.ndarray:
    """Parse a rectangular block of numbers; on any trouble say where it is."""
    lines = body.rstrip(b"\n").split(b"\n") if body.strip(b"\n") else []
    if not lines:
        raise InputError(f"{path} has no row of values", "one row a volume", _REMEDY)
    whole = body.count(separator.encode()) == len(lines) * (n_columns - 1)
    try:
        if not whole:
            raise ValueError("rows of different lengths")
        with np.errstate(over="ignore"):  # too large for float32: found as infinite below
            frame = pd.read_csv(
                io.BytesIO(body), sep=separator, header=None, dtype=np.float32, engine="c",
                skip_blank_lines=False, na_values=["n/a"], nrows=len(lines),
            )  # fmt: skip
        values = frame.to_numpy()
    except (ValueError, OverflowError) as error:  # pandas' own errors are ValueErrors
        raise _trouble(lines, separator, n_columns, path, first_row, error) from error
    if np.isinf(values).any():
        raise _trouble(lines, separator, n_columns, path, first_row, ValueError("infinite value"))
    return np.asarray(values)


def _trouble(
    lines: list[bytes], separator: str, n_columns: int, path: Path, first_row: int, error: Exception
) -> InputError:
    """Find the first cell or row that breaks the table."""
    for row, line in enumerate(lines, start=first_row):
        cells = line.decode("utf-8", "replace").split(separator)
        if len(cells) != n_columns:
            return InputError(
                f"{path}: row {row} has {len(cells)} cells", f"{n_columns} as in row 1", _REMEDY
            )
        for column, cell in enumerate(cells, start=1):
            word = cell.strip().strip('"')
            number = to_number(word)
            sound = number is not None and abs(number) <= _LARGEST
            if word.lower() not in _MISSING_WORDS and not sound:
                size = "" if number is None else ", infinite as float32"
                return InputError(
                    f"{path}: row {row}, column {column} holds {word[:40]!r}{size}",
                    "a finite number or n/a",
                    _REMEDY,
                )
    return InputError(f"{path}: {error}", "a table of numbers", _REMEDY)


def _numbers_with_comments(path: Path) -> Series:
    """AFNI .1D or plain text: rows of numbers, comments behind ``#`` that may name the columns."""
    lines = _decoded(_content(path), path).splitlines()
    rows, comment = [], ""
    for line in lines:
        bare = line.partition("#")[0].strip()
        if bare:
            rows.append(" ".join(re.split(r"[\s,;]+", bare)))
        elif not rows:
            comment = line.strip() or comment
    if not rows:
        raise InputError(f"{path} has no row of values", "one row a volume", _REMEDY)
    names = None
    n_columns = rows[0].count(" ") + 1
    if _is_header(rows[0].split(" ")) and any(
        to_number(cell) is None for cell in rows[0].split(" ")
    ):
        names, rows = rows[0].split(" "), rows[1:]
    elif comment:  # "#2001 #2002 ..." or "# mean_1 mean_2 ..."
        words = comment.replace("#", " ").split()
        names = words if len(words) == n_columns else None
    body = "\n".join(rows).encode()
    values = _parse(body, " ", n_columns, path, first_row=1)
    if names is not None:
        check_columns(names, path)
    return Series(values, names)


def _content(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error}", "a readable file", _REMEDY) from error
    return data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _decoded(data: bytes, path: Path) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: {error}", "UTF-8 text", _REMEDY) from error


def _array(path: Path, key: str | None) -> np.ndarray:
    try:
        if path.suffix == ".npy":
            return np.asarray(np.load(path, allow_pickle=False))
        arrays = _npz(path) if path.suffix == ".npz" else _mat(path)
    except NeuropipeError:
        raise
    except Exception as error:  # numpy, zip, zlib, HDF5 and MATLAB readers raise what they like
        given = f"{path}: {error or type(error).__name__}"
        raise InputError(given, "an array of numbers", _REMEDY) from error
    if key is not None:
        if key not in arrays:
            raise SettingsError(
                f"read.key is {key!r}, {path} holds {', '.join(arrays) or 'no array'}",
                "one of its arrays",
                "correct read.key",
            )
        return arrays[key]
    if len(arrays) != 1:
        raise SettingsError(
            f"{path} holds {len(arrays)} arrays: {', '.join(list(arrays)[:8])}",
            "one array of two axes",
            "name it by read.key",
        )
    return next(iter(arrays.values()))


def _npz(path: Path) -> dict[str, np.ndarray]:
    with ZipFile(path) as archive:
        declared = sum(member.file_size for member in archive.infolist())
    _check_size(path, declared)
    with np.load(path, allow_pickle=False) as found:
        return _tables({name: found[name] for name in found.files})


def _mat(path: Path) -> dict[str, np.ndarray]:
    with path.open("rb") as stream:
        is_hdf5 = b"MATLAB 7.3" in stream.read(128)
    if is_hdf5:
        import h5py

        with h5py.File(path, "r") as found:
            check_links(found, str(path))
            datasets = {n: d for n, d in found.items() if isinstance(d, h5py.Dataset)}
            # MATLAB stores columns first, HDF5 reads rows first.
            return _tables({n: read_dataset(d, str(path)).T for n, d in datasets.items()})
    shapes = mat_shapes(path)
    return _tables({n: read_mat(path, n) for n, s in shapes.items() if min(s, default=0) > 1})


def _check_size(path: Path, declared: int) -> None:
    """Refuse a compressed file that would unpack to far more than it could mean."""
    if declared > _MOST_BYTES:
        raise InputError(
            f"{path} declares {declared / 2**30:.0f} GiB", "at most 4 GiB of series", _REMEDY
        )


def _tables(arrays: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Numeric arrays with two axes that are more than one row or column."""
    return {
        name: value
        for name, value in arrays.items()
        if isinstance(value, np.ndarray)
        and value.dtype.kind in "iuf"
        and value.ndim >= 2
        and min(value.shape) > 1
    }


def _oriented(
    values: np.ndarray, names: list[str] | None, orientation: Orientation, path: Path
) -> Series:
    if values.ndim != 2 or values.dtype.kind not in "iuf" or 0 in values.shape:
        raise InputError(
            f"{path} holds an array of shape {values.shape} and type {values.dtype}",
            "two axes of numbers: time and unit",
            "store one run a file",
        )
    notes = []
    if orientation == "unit_by_time":
        values = values.T
        notes.append("axes swapped: the file has one row a unit")
    elif orientation == "auto" and values.shape[1] > values.shape[0]:
        raise InputError(
            f"{path} has {values.shape[0]} rows and {values.shape[1]} columns",
            "more times (rows) than units (columns)",
            "set read.orientation to time_by_unit or unit_by_time",
        )
    with np.errstate(over="ignore"):
        values = np.asarray(values, dtype=np.float32)
    if np.isinf(values).any():
        row, column = np.argwhere(np.isinf(values))[0]
        raise InputError(
            f"{path}: time {row + 1} of unit {column + 1} is infinite", "finite values", _REMEDY
        )
    return Series(values, names, notes)
