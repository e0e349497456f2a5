"""RDMs that users bring: whose each is, what the conditions are, and the models beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from neuropipe.errors import InputError
from neuropipe.trsa.files.rdm_files import read_rdms
from neuropipe.trsa.fit import ALL
from neuropipe.trsa.model_rdms import category_rdms, known_models, read_models
from neuropipe.trsa.rdms import RDMs, concatenate

__all__ = ["brought_conditions", "brought_models", "brought_rdms"]

_COLUMNS = ("subject", "session", "region")


def brought_rdms(paths: Sequence[Path], items: Path | None = None) -> RDMs:
    """Read RDMs of the same conditions and say whose each is.

    Parameters
    ----------
    paths : sequence of Path
    items : Path, optional
        Table with a row an RDM and some of the columns ``subject``, ``session``, ``region``.

    Returns
    -------
    RDMs
        With all three columns: of `items`, else of the files. Without either each RDM is a subject
        of its own, except in files that tell regions apart, which are a subject each; the region
        is all units.

    Raises
    ------
    InputError
        If a file cannot be read, conditions differ, or the table does not fit.
    """
    parts, files = [], []
    for path in paths:
        found = read_rdms(path)
        table = found.table.drop(columns="rdm", errors="ignore").assign(file=path.stem)
        parts.append(RDMs(found.dissimilarities, found.conditions, found.measure, table))
        # RDMs of different regions in one file, such as the result of a subject, are of one.
        one = "region" in table and not table["region"].duplicated().any()
        files.append(np.zeros(len(found), int) if one else np.arange(len(found)))
    rdms = concatenate(parts)
    table = rdms.table
    if items is not None:
        given = _table(items)
        if len(given) != len(rdms):
            raise InputError(
                f"{items} with {len(given)} rows", f"{len(rdms)}, one an RDM", "complete it"
            )
        table = given
    columns: dict[str, np.ndarray] = {}
    n = len(rdms)
    before = np.cumsum([0, *(owner[-1] + 1 for owner in files)])
    owners = np.concatenate([owner + k for owner, k in zip(files, before, strict=False)])
    defaults = {"subject": np.array([f"{k + 1:02d}" for k in owners]), "session": np.full(n, "1"),
                "region": np.full(n, ALL)}  # fmt: skip
    for name in _COLUMNS:
        known = name in table and not table[name].isna().any()
        columns[name] = table[name].astype(str).to_numpy() if known else defaults[name]
    return RDMs(rdms.dissimilarities, rdms.conditions, rdms.measure, pd.DataFrame(columns))


def brought_conditions(path: Path | None, conditions: Sequence[str]) -> pd.DataFrame:
    """Read what is known of the conditions.

    Parameters
    ----------
    path : Path or None
        Table with a row a condition; a column ``condition`` names them, else the order counts.
    conditions : sequence of str

    Returns
    -------
    pandas.DataFrame
        Indexed by condition.

    Raises
    ------
    InputError
        If the table names other conditions, or another number.
    """
    index = pd.Index(list(conditions), name="condition", dtype=object)
    if path is None:
        return pd.DataFrame(index=index)
    table = _table(path)
    if "condition" in table:
        named = table.set_index(table.pop("condition").astype(str))
        lacking = sorted(set(conditions) - set(named.index))
        if lacking or named.index.has_duplicates:
            raise InputError(
                f"{path} without condition {lacking[0]!r}" if lacking else f"{path}: a name twice",
                "a row for every condition of the RDMs",
                "correct the column `condition`",
            )
        return named.loc[list(conditions)].rename_axis("condition")
    if len(table) != len(index):
        raise InputError(
            f"{path} with {len(table)} rows", f"{len(index)}, one a condition", "complete it"
        )
    return table.set_index(index)


def brought_models(
    paths: Sequence[Path],
    conditions: pd.DataFrame,
    names: Sequence[str],
    circular: Mapping[str, float] | None = None,
) -> RDMs | None:
    """Models of files and of the columns of the conditions' table; None without any.

    Raises
    ------
    InputError
        If a model cannot be read, does not fit, or shares its name with another.
    """
    found = [category_rdms(conditions, circular), known_models(read_models(paths), names)]
    parts = [part for part in found if part is not None]
    if not parts:
        return None
    joined = concatenate(parts).of(names)
    called = joined.table["name"]
    if called.duplicated().any():
        raise InputError(
            f"two models named {called[called.duplicated()].iloc[0]!r}",
            "unique names",
            "rename one",
        )
    return joined


def _table(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, sep="," if path.suffix.lower() == ".csv" else "\t")
    except (OSError, ValueError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {error}", "a table (tsv or csv)", "correct the file") from error
