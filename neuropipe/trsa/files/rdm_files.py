"""RDMs from files that users bring: numpy, tables, MATLAB, and this project's own results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from neuropipe.errors import InputError, NeuropipeError
from neuropipe.trsa.files.rdm_arrays import NotRDMsError, pair_vectors, square_vectors, vectors_of
from neuropipe.trsa.files.rdm_matlab import Structure, read_structures
from neuropipe.trsa.rdms import RDMs, n_conditions_of

__all__ = ["SUFFIXES", "read_rdms"]

SUFFIXES = (".npy", ".npz", ".csv", ".tsv", ".mat", ".nc")
_PAIR = ("first", "second")
_VALUE = "dissimilarity"
_REMEDY = "give square matrices, or vectors of the upper triangle row by row"

#: What an RDM is of, and its vectors (n_rdms, n_pairs).
_Found = tuple[dict[str, Any], np.ndarray]


def read_rdms(
    path: str | Path, *, variable: str | None = None, conditions: Sequence[str] | None = None
) -> RDMs:
    """Read RDMs.

    Parameters
    ----------
    path : str or Path
        ``.npy`` and ``.npz``: square matrices (n, n), stacks (n_rdms, n, n), or vectors of pairs
        (n_rdms, n_pairs); in ``.npz`` one or more such arrays, and ``conditions`` may name the
        conditions. ``.csv`` and ``.tsv``: a square matrix, with names in the first row and column
        or without, or a long table with the columns ``first``, ``second``, ``dissimilarity`` and
        others that tell RDMs apart. ``.mat`` (MATLAB 4 to 7): square matrices, stacks (n, n,
        n_rdms), vectors, or structure arrays with the fields ``RDM`` and ``name``. ``.nc``: the
        variable ``dissimilarity`` (rdm, pair) of a result.
    variable : str, optional
        Which variable of an ``.npz`` or ``.mat`` file, or group of a ``.nc`` one. By
        default all that hold RDMs; where they are of different conditions, those of the number
        that most RDMs have.
    conditions : sequence of str, optional
        Names of files that have none; default: ``condition 1`` and so on.

    Returns
    -------
    RDMs
        Items tell RDMs apart: ``variable`` and ``name``; ``region``, ``subject`` and ``session``
        where names follow the MATLAB toolbox (``"hIT | BE | Session: 1"``) or a structure array
        has these three dimensions; coordinates and columns of the others.

    Raises
    ------
    InputError
        If the file cannot be read, is of another kind, or its arrays are no RDMs: not symmetric,
        a diagonal that is not 0, infinite, or of a size that no number of conditions has.
    """
    file = Path(path)
    readers = {
        ".npy": _of_npy,
        ".npz": _of_npz,
        ".mat": _of_mat,
        ".csv": _of_table,
        ".tsv": _of_table,
        ".nc": _of_netcdf,
    }
    reader = readers.get(file.suffix.lower())
    if reader is None:
        raise InputError(f"{file} is no file of RDMs", " or ".join(SUFFIXES), "convert it")
    if not file.is_file():
        raise InputError(f"{file} is not there", "a file of RDMs", "check the path")
    try:
        found, names = reader(file, variable)
    except NotRDMsError as error:
        raise InputError(f"{file}: {error}", "RDMs", _REMEDY) from error
    except NeuropipeError:
        raise
    except Exception as error:  # numpy, pandas and xarray raise types of their own
        raise InputError(
            f"{file}: {error or type(error).__name__}", "a whole file of RDMs", "write it again"
        ) from error
    return _joined(file, found, names, conditions)


def _joined(
    file: Path, found: list[_Found], names: Sequence[str] | None, given: Sequence[str] | None
) -> RDMs:
    if not found:
        raise InputError(f"{file} holds no RDMs", "at least one", _REMEDY)
    sizes = {rows.shape[1] for _, rows in found}
    if len(sizes) > 1:
        raise InputError(
            f"{file} holds RDMs of {', '.join(str(n_conditions_of(k)) for k in sorted(sizes))} "
            f"conditions, in {', '.join(sorted({str(of['variable']) for of, _ in found}))}",
            "one number of conditions",
            "name a variable",
        )
    n = n_conditions_of(sizes.pop())
    called = list(given or names or [f"condition {k + 1}" for k in range(n)])
    if given and names and set(given) != set(names):
        raise InputError(
            f"{file} names its conditions {', '.join(list(names)[:5])}...",
            f"{', '.join(list(given)[:5])}...",
            "leave the names out, or pick conditions afterwards (RDMs.of)",
        )
    if len(called) != n:
        raise InputError(
            f"{file}: {len(called)} names for RDMs of {n} conditions",
            f"{n} names",
            "name each once",
        )
    items = pd.DataFrame([of for of, rows in found for _ in rows])
    # A column that no RDM of this file has any use for only confuses.
    items = items.dropna(axis=1, how="all")
    if "name" in items and "variable" in items:
        items["name"] = items["name"].fillna(items["variable"])  # beside a structure array
    stored = tuple(str(name) for name in (names or called))
    result = RDMs(
        np.concatenate([rows for _, rows in found]),
        stored,
        items=items if items.shape[1] else None,
    )
    return result.of(called) if given and names else result


def _of_npy(file: Path, _: str | None) -> tuple[list[_Found], None]:
    array = np.load(file, allow_pickle=False)
    rows = vectors_of(array)
    return [({"rdm": k}, row[None]) for k, row in enumerate(rows)], None


def _of_npz(file: Path, variable: str | None) -> tuple[list[_Found], list[str] | None]:
    with np.load(file, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    names = arrays.pop("conditions", None)
    numeric: dict[str, object] = {k: v for k, v in arrays.items() if v.dtype.kind in "biuf"}
    found = _chosen(_each(numeric, variable), numeric, variable)
    return found, None if names is None else [str(name) for name in names.ravel()]


def _of_mat(file: Path, variable: str | None) -> tuple[list[_Found], None]:
    content = read_structures(file)
    return _chosen(_each(content, variable), content, variable), None


def _each(content: dict[str, object], variable: str | None) -> list[_Found]:
    """All RDMs of the variables; those that hold none are passed over unless asked for."""
    if variable is not None and variable not in content:
        raise NotRDMsError(f"no variable {variable!r} among {', '.join(sorted(content)) or 'none'}")
    found: list[_Found] = []
    for name, value in content.items():
        if variable in (None, name):
            try:
                found += list(_candidates(value, {"variable": name}))
            except NotRDMsError as error:
                if variable is not None or _is_meant(value):
                    raise NotRDMsError(f"{name}: {error}") from error
    return found


def _chosen(found: list[_Found], content: dict[str, object], variable: str | None) -> list[_Found]:
    """Keep the RDMs of the number of conditions that most have; a tie stays for the error."""
    if not found:
        what = f"variable {variable!r}" if variable else f"variables {', '.join(content) or 'none'}"
        raise NotRDMsError(f"no RDMs in {what}")
    counts: dict[int, int] = {}
    for _, rows in found:
        counts[rows.shape[1]] = counts.get(rows.shape[1], 0) + len(rows)
    most = max(counts.values())
    sizes = [size for size, count in counts.items() if count == most]
    return [(of, rows) for of, rows in found if rows.shape[1] in sizes]


def _is_meant(value: object) -> bool:
    """Whether a variable can only have been meant as RDMs: a structure with such a field."""
    return isinstance(value, Structure) and any(_field(e, "rdm") for e in value.elements)


def _field(element: dict[str, object], name: str) -> str | None:
    return next((key for key in element if key.lower() == name), None)


def _candidates(value: object, labels: dict[str, Any]) -> Iterator[_Found]:
    """RDMs within a variable, and what they are of."""
    if isinstance(value, np.ndarray):
        rows = vectors_of(value)
        for k, row in enumerate(rows):
            yield (labels if len(rows) == 1 else {**labels, "rdm": k}), row[None]
    elif isinstance(value, list):
        for k, part in enumerate(value):
            if isinstance(part, np.ndarray | list | Structure):
                yield from _candidates(part, {**labels, "rdm": k})
    elif isinstance(value, Structure):
        for k, element in enumerate(value.elements):
            key = _field(element, "rdm")
            if key is None:
                for name, part in element.items():
                    if isinstance(part, Structure | list):
                        path = f"{labels['variable']}.{name}"
                        yield from _candidates(part, {**labels, "variable": path})
                continue
            own = {**labels, **_subscripts(value.shape, k)}
            called = element.get(_field(element, "name") or "")
            if isinstance(called, str) and called:
                own |= {"name": called, **_toolbox_name(called)}
            for of, rows in _candidates(element[key], own):
                yield of, rows


def _subscripts(shape: tuple[int, ...], number: int) -> dict[str, str]:
    """Where an element stands in regions x subjects x sessions, counted from 1."""
    if len(shape) != 3:
        return {}
    places = np.unravel_index(number, shape, order="F")
    axes = zip(("region", "subject", "session"), places, shape, strict=True)
    return {name: str(int(place) + 1) for name, place, length in axes if length > 1}


def _toolbox_name(name: str) -> dict[str, str]:
    """Parts of ``"region | subject | Session: k"`` (Nili et al. 2014)."""
    parts = [part.strip() for part in name.split("|")]
    if len(parts) not in (2, 3) or not all(parts):
        return {}
    labels = {"region": parts[0], "subject": parts[1]}
    if len(parts) == 3:
        labels["session"] = parts[2].split(":")[-1].strip()
    return labels


def _of_table(file: Path, _: str | None) -> tuple[list[_Found], list[str] | None]:
    separator = "\t" if file.suffix.lower() == ".tsv" else ","
    grid = pd.read_csv(
        file, sep=separator, header=None, dtype=str, keep_default_na=False, encoding="utf-8-sig"
    )
    cells = grid.to_numpy(dtype=str)
    cells = np.char.strip(cells)
    header = [cell.lower() for cell in cells[0]]
    if {*_PAIR, _VALUE} <= set(header):
        return _of_long(pd.DataFrame(cells[1:], columns=header))
    body, across = cells[1:, 1:], cells[0, 1:]
    # The corner of a matrix with names is empty or a word; without names it is the diagonal's 0.
    named = len(cells) == len(cells[0]) and list(cells[1:, 0]) == list(across)
    if named and not _are_numbers(cells[:1, :1]):
        return [({}, square_vectors(_numbers(body)[None]))], list(across)
    if _are_numbers(cells):
        return [({}, vectors_of(_numbers(cells)))], None
    if len(cells) == len(cells[0]) + 1 and _are_numbers(cells[1:]):
        return [({}, square_vectors(_numbers(cells[1:])[None]))], list(cells[0])
    raise NotRDMsError(
        f"a table of {len(cells)} rows and {len(cells[0])} columns that is neither a square matrix "
        f"with the same names in its first row and column nor long ({', '.join(_PAIR)}, {_VALUE})"
    )


def _of_long(table: pd.DataFrame) -> tuple[list[_Found], list[str]]:
    labels = [str(column) for column in table if column not in (*_PAIR, _VALUE)]
    value = _numbers(table[_VALUE].to_numpy(dtype=str))
    names = list(dict.fromkeys([*table["first"], *table["second"]]))
    groups = table.groupby(labels, sort=False).indices if labels else {(): np.arange(len(table))}
    found: list[_Found] = []
    for key, rows in groups.items():
        of = dict(zip(labels, key if isinstance(key, tuple) else (key,), strict=True))
        part = table.iloc[rows]
        row = pair_vectors(part["first"].tolist(), part["second"].tolist(), value[rows], names)
        found.append((of, row[None]))
    return found, names


def _numbers(cells: np.ndarray) -> np.ndarray:
    blank = np.isin(np.char.lower(cells), ("", "n/a", "na", "nan"))
    try:
        return np.where(blank, "nan", cells).astype(np.float64)
    except ValueError as error:
        raise NotRDMsError(str(error)) from error


def _are_numbers(cells: np.ndarray) -> bool:
    try:
        return bool(np.isfinite(_numbers(cells)).any())
    except NotRDMsError:
        return False


def _of_netcdf(file: Path, group: str | None) -> tuple[list[_Found], list[str] | None]:
    import xarray as xr

    with xr.open_datatree(file, engine="h5netcdf") as tree:
        if group is not None and group not in tree.children:
            raise NotRDMsError(f"no group {group!r} among {', '.join(tree.children) or 'none'}")
        stored = (tree if group is None else tree[group]).to_dataset()
        if _VALUE not in stored:
            there = [*map(str, stored), *(f"group {name}" for name in tree.children)]
            raise NotRDMsError(
                f"no variable {_VALUE!r} among {', '.join(there) or 'none'}; groups are named as "
                "variables"
            )
        array = stored[_VALUE].load()
        extra = {str(k): v.load() for k, v in stored.variables.items()}
    if array.dims != ("rdm", "pair"):
        raise NotRDMsError(f"{_VALUE} with the dimensions {', '.join(map(str, array.dims))}")
    values = np.asarray(array, dtype=np.float64)
    if np.isinf(values).any():
        raise NotRDMsError("an infinite dissimilarity")
    n_conditions_of(values.shape[1])
    labels = {
        name: v.to_numpy() for name, v in extra.items() if v.dims == ("rdm",) and name != "rdm"
    }
    items = [{name: column[k] for name, column in labels.items()} for k in range(len(values))]
    names: list[str] | None = None
    if all(name in extra for name in _PAIR):
        first, second = (extra[name].to_numpy().astype(str).tolist() for name in _PAIR)
        names = list(dict.fromkeys([*first, *second]))
        rows = [pair_vectors(first, second, row, names) for row in values]
    else:
        rows = list(values)
        if "condition" in extra:
            names = extra["condition"].to_numpy().astype(str).tolist()
    return [(of, row[None]) for of, row in zip(items, rows, strict=True)], names
