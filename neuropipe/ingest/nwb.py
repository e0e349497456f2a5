"""What both NWB readers share: opening a file safely, finding recordings, identity and tables."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from neuropipe.errors import InputError, NeuropipeError
from neuropipe.ingest.arrays import check_links, read_dataset
from neuropipe.ingest.entities import name_recordings, shared_files
from neuropipe.ingest.settings import NwbReadSettings
from neuropipe.ingest.source import SourceFiles
from neuropipe.manifest import LockedFile, LockedRecording
from neuropipe.recording import MISSING

#: Names of the species whose taxonomy number NWB files of DANDI carry most often.
_TAXA = {
    "6239": "Caenorhabditis elegans", "7227": "Drosophila melanogaster", "7955": "Danio rerio",
    "9544": "Macaca mulatta", "9606": "Homo sapiens", "10090": "Mus musculus",
    "10116": "Rattus norvegicus",
}  # fmt: skip
_AGE = re.compile(r"P(?:(\d+\.?\d*)Y)?(?:(\d+\.?\d*)M)?(?:(\d+\.?\d*)W)?(?:(\d+\.?\d*)D)?")
_UNKNOWN = {"", "nan", "none", "n/a", "na", "null", "unknown", "?"}
_DAMAGE = (OSError, RuntimeError, KeyError, UnicodeError, MemoryError)


def matches(paths: Sequence[str]) -> bool:
    """Tell whether any path is an NWB file."""
    return any(path.lower().endswith(".nwb") for path in paths)


def discover(paths: Sequence[str], settings: NwbReadSettings) -> list[LockedRecording]:
    """Name one recording for every NWB file.

    Parameters
    ----------
    paths : sequence of str
        Relative POSIX paths of the dataset's files.
    settings : NwbReadSettings

    Raises
    ------
    InputError
        If a name is unsafe or a file that the settings name is absent.
    """
    found = sorted(path for path in paths if path.lower().endswith(".nwb"))
    shared = shared_files(paths, settings.wiring)
    return [
        replace(named, files=(LockedFile("data", path), *shared))
        for path, named in zip(found, name_recordings(found), strict=True)
    ]


@contextmanager
def open_nwb(path: Path) -> Iterator[Any]:
    """Open an NWB 2 file read-only, with data left on disk until asked for.

    Parameters
    ----------
    path : Path

    Yields
    ------
    pynwb.NWBFile

    Raises
    ------
    InputError
        If it is no HDF5, truncated, no NWB, NWB 1 or a beta of NWB 2, reaches into other files, or
        cannot be read.
    """
    remedy = "fetch it again, or convert it to NWB 2"
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise InputError(f"{path}: {error}", "a whole HDF5 file (NWB 2)", remedy) from error
    with file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the validator; what matters is checked here
        try:
            nwb = _parsed(file, path)
        except NeuropipeError:
            raise
        except Exception as error:  # h5py and pynwb raise what their parts raise, of any type
            raise InputError(
                f"{path}: {type(error).__name__}: {error}", "a readable NWB 2 file", remedy
            ) from error
        try:
            yield nwb
        except _DAMAGE as error:  # a damaged chunk shows when it is read
            raise InputError(f"{path}: {error}", "a readable NWB 2 file", remedy) from error


def _parsed(file: h5py.File, path: Path) -> Any:
    _check_version(file, path)
    check_links(file, str(path))
    # Not at the top: the readers are imported to look at names, when pynwb is not needed.
    from pynwb import NWBHDF5IO

    return NWBHDF5IO(file=file, mode="r", load_namespaces=True).read()


def _check_version(file: h5py.File, path: Path) -> None:
    version = file.attrs.get("nwb_version")
    if version is None and isinstance(file.get("nwb_version"), h5py.Dataset):
        version = file["nwb_version"][()]  # where NWB 1 kept it
    if version is None:
        raise InputError(
            f"{path} is HDF5 without the attribute nwb_version", "an NWB 2 file", "convert it"
        )
    text = version.decode("utf-8", "replace") if isinstance(version, bytes) else str(version)
    if not isinstance(version, bytes | str) or not re.fullmatch(r"2\.\d+(\.\d+)?(-.+)?", text):
        raise InputError(
            f"{path} has nwb_version {text!r}", "2.0.0 or later", "convert it to NWB 2 with pynwb"
        )


def path_of(container: Any) -> str:
    """Name of a series with its containers: ``ophys/Fluorescence/plane0``."""
    names: list[str] = []
    while container is not None and container.parent is not None:
        names.append(str(container.name))
        container = container.parent
    return "/".join(reversed(names))


def is_a(item: object, *kinds: str) -> bool:
    """Tell whether an object is of a neurodata type, or of one that extends it."""
    return any(kind.__name__ in kinds for kind in type(item).__mro__)


def series_times(series: Any, n_samples: int, what: str) -> np.ndarray:
    """Sampling times of a time series, from its rate or its timestamps.

    Parameters
    ----------
    series : pynwb.TimeSeries
    n_samples : int
    what : str
        Name of the file, for the error.

    Returns
    -------
    array of shape (n_samples,), float64
        In s; not checked for order.

    Raises
    ------
    InputError
        If there is no positive rate, or another number of timestamps than of samples.
    """
    label = f"{what}: series {path_of(series)}"
    if series.timestamps is None:
        rate = float(series.rate or 0.0)
        if not np.isfinite(rate) or rate <= 0:
            raise InputError(f"{label} has rate {series.rate}", "a rate in Hz", "mend the file")
        times: np.ndarray = float(series.starting_time or 0.0) + np.arange(n_samples) / rate
        return times
    stored = series.timestamps
    times = read_dataset(stored, what) if isinstance(stored, h5py.Dataset) else np.asarray(stored)
    if times.shape != (n_samples,) or times.dtype.kind not in "iuf":
        raise InputError(
            f"{label} has {times.size} timestamps of {times.dtype}",
            f"{n_samples}, one a sample, in s",
            "mend the file",
        )
    return times.astype(np.float64)


def plain_columns(
    table: Any, what: str, apart: Collection[str] = ()
) -> tuple[pd.DataFrame, list[str]]:
    """Read the columns of a DynamicTable that hold one value a row.

    Parameters
    ----------
    table : hdmf.common.DynamicTable
        Of an opened file.
    what : str
        Name for the notes.
    apart : collection of str
        Columns that the caller reads in another way; they are left out without a note.

    Returns
    -------
    table : pandas.DataFrame
        In the file's order of columns; a ``/`` in a column's name becomes ``_``.
    notes : list of str
        Which columns were skipped because they are ragged, of several dimensions or references.

    Raises
    ------
    InputError
        If a column has another length than the table.
    """
    n_rows = len(table.id)
    columns: dict[str, np.ndarray] = {}
    skipped: list[str] = []
    for column in table.columns:
        data = getattr(column, "data", None)
        name = str(column.name).replace("/", "_")
        if type(column).__name__ == "VectorIndex" or column.name in apart:
            continue
        indexed = f"{column.name}_index" in {str(c.name) for c in table.columns}
        scalar = isinstance(data, h5py.Dataset) and data.ndim == 1 and not indexed
        if not scalar or type(column).__name__ == "DynamicTableRegion" or _holds_references(data):
            skipped.append(name)
            continue
        values = read_dataset(data, what)
        if len(values) != n_rows:
            raise InputError(
                f"{what}: column {name} has {len(values)} values", f"{n_rows} rows", "mend the file"
            )
        if type(column).__name__ == "EnumData":
            values = np.asarray(column.elements.data[:], dtype=object)[values]
        columns[name] = _plain(values)
    notes = [f"{what}: columns left out ({', '.join(skipped)})"] if skipped else []
    return pd.DataFrame(columns, index=range(n_rows)), notes


def _holds_references(data: h5py.Dataset) -> bool:
    return h5py.check_ref_dtype(data.dtype) is not None or data.dtype.kind == "V"


def _plain(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind in "OS":
        return np.array(
            [v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in values],
            dtype=object,
        )
    return values


def is_known(text: object) -> bool:
    """Tell whether a text names something: not empty, ``n/a``, ``unknown`` or the like."""
    return str(text).strip().lower() not in _UNKNOWN


def species_name(text: str | None) -> str:
    """Binomial name of a species given by name or by NCBI taxonomy address; ``""`` if unknown."""
    if not text or not is_known(text):
        return ""
    taxon = re.search(r"NCBITaxon[_:](\d+)", text)
    return _TAXA.get(taxon[1], text) if taxon else text


def age_in_years(text: str | None) -> float | None:
    """Age in years of an ISO 8601 duration such as ``P90D``; None where it is no such duration."""
    match = _AGE.fullmatch(text.strip().split("/")[0]) if text else None
    if match is None or not any(match.groups()):
        return None
    years, months, weeks, days = (float(part or 0) for part in match.groups())
    return round(years + months / 12 + (7 * weeks + days) / 365.25, 4)


def identity(nwb: Any, files: SourceFiles) -> dict[str, Any]:
    """Say whose recording it is.

    The path names the subject; what the file says is kept where it agrees, and noted where not.

    Parameters
    ----------
    nwb : pynwb.NWBFile
    files : SourceFiles

    Returns
    -------
    dict
        Arguments of `Recording`: names, ``species``, ``participant``, ``history`` and ``attrs``.
    """
    locked, subject = files.locked, nwb.subject
    history: list[str] = []
    participant: dict[str, Any] = {}
    if subject is not None:
        given = str(subject.subject_id or "")
        if given and given not in (locked.subject, f"sub-{locked.subject}"):
            history.append(
                f"the file names subject {given!r}; {locked.subject} of its path is used"
            )
        age = age_in_years(subject.age)
        facts = {"age": age, "sex": subject.sex, "genotype": subject.genotype,
                 "strain": subject.strain}  # fmt: skip
        participant = {k: v for k, v in facts.items() if v is not None and is_known(v)}
    participant |= participant_row(files)
    texts = {"session_id": nwb.session_id, "institution": nwb.institution, "lab": nwb.lab}
    attrs = {k: str(v) for k, v in texts.items() if v} | wiring_attrs(files)
    return {
        "dataset": files.dataset,
        "recording": locked.recording,
        "subject": locked.subject,
        "session": locked.session,
        "task": locked.task,
        "run": locked.run,
        "species": species_name(subject.species if subject is not None else None),
        "participant": participant,
        "history": history,
        "attrs": attrs | {"identifier": str(nwb.identifier)},
    }


def participant_row(files: SourceFiles) -> dict[str, Any]:
    """Row of the subject in the participants table, empty where there is no table."""
    table = files.optional("participants")
    if table is None:
        return {}
    from neuropipe.ingest.tables import read_participant

    return read_participant(table, files.locked.subject) or {}


def wiring_attrs(files: SourceFiles) -> dict[str, list[str]]:
    """Paths of the wiring tables, relative to the dataset, for the recording's attributes."""
    paths = files.locked.paths("wiring")
    return {"wiring": paths} if paths else {}


def filter_units(
    table: pd.DataFrame, filters: dict[str, tuple[float | None, float | None]]
) -> np.ndarray:
    """Choose units by bounds on numeric columns.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a unit.
    filters : dict of str to (low, high)
        Inclusive bounds by column; None is unbounded. A missing value fails.

    Returns
    -------
    bool array of shape (n_units,)

    Raises
    ------
    InputError
        If a column is absent or no number.
    """
    keep = np.ones(len(table), dtype=bool)
    for column, (low, high) in filters.items():
        if column not in table or table[column].to_numpy().dtype.kind not in "biuf":
            numeric = [str(c) for c in table if table[c].to_numpy().dtype.kind in "biuf"]
            what = "holds text" if column in table else "is absent"
            raise InputError(
                f"filters: column {column} {what}",
                f"one of the numeric columns {', '.join(numeric) or '(none)'}",
                "correct the setting filters",
            )
        values = table[column].to_numpy(np.float64)
        keep &= (values >= (-np.inf if low is None else low)) & (
            values <= (np.inf if high is None else high)
        )
    return keep


def text_or_missing(value: object) -> str:
    """Text of a value, ``n/a`` where it says nothing."""
    return str(value) if is_known(value) else MISSING
