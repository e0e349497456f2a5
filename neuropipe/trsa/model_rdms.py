"""Model RDMs: of what is known of the conditions, of images, and of files that users bring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial.distance import pdist

from neuropipe.errors import InputError
from neuropipe.recording import MISSING
from neuropipe.trsa.files.rdm_files import read_rdms
from neuropipe.trsa.rdms import RDMs, concatenate

__all__ = ["category_rdms", "distinct_columns", "known_models", "read_models"]


def category_rdms(
    conditions: pd.DataFrame, circular: Mapping[str, float] | None = None
) -> RDMs | None:
    """One model RDM a column of the table of conditions.

    Parameters
    ----------
    conditions : pandas.DataFrame
        Indexed by condition. Text, booleans and entries of two kinds are categories: 0 within, 1
        between; other numbers differ by the absolute difference. Columns that are unknown for some
        conditions, or different for each of them as names are, make no model; nor do columns that
        repeat an earlier one.
    circular : mapping of str to float, optional
        Period of columns of numbers that come round: the shorter way counts.

    Returns
    -------
    RDMs or None
        Items have the column ``name``; None where no column tells conditions apart.
    """
    found, names = [], []
    for name in distinct_columns(conditions):
        values = conditions[name]
        unknown = values.isna() | values.astype(str).isin([MISSING, ""])
        if unknown.any() or not 1 < values.nunique() < len(values):
            continue
        if pd.api.types.is_numeric_dtype(values) and values.nunique() > 2:
            distances = pdist(values.to_numpy(float)[:, None], "cityblock")
            period = (circular or {}).get(str(name))
            if period:
                distances = np.minimum(distances % period, period - distances % period)
        else:
            codes = pd.factorize(values)[0]
            distances = (pdist(codes[:, None].astype(float)) > 0).astype(float)
        found.append(distances)
        names.append(str(name))
    if not found:
        return None
    table = pd.DataFrame({"name": names})
    return RDMs(np.stack(found), tuple(map(str, conditions.index)), "model", table)


def distinct_columns(conditions: pd.DataFrame) -> pd.DataFrame:
    """Leave out columns that part the conditions just as an earlier one does.

    Parameters
    ----------
    conditions : pandas.DataFrame
        Indexed by condition.

    Returns
    -------
    pandas.DataFrame
        Numbers of more than two values are no categories: they stay, unless they are the same.
    """
    seen: set[bytes] = set()
    kept = []
    for name in conditions:
        values = conditions[name]
        ordered = pd.api.types.is_numeric_dtype(values) and values.nunique() > 2
        codes = pd.factorize(values)[0]
        key = (values.to_numpy(float) if ordered else codes.astype(np.int64)).tobytes()
        if key not in seen:
            kept.append(name)
        seen.add(key)
    return conditions[kept]


def read_models(paths: Sequence[Path]) -> list[RDMs]:
    """Read files of model RDMs; every one gets a name.

    Raises
    ------
    InputError
        If one cannot be read.
    """
    models = []
    for path in paths:
        found = read_rdms(Path(path))
        table = found.table
        stem = Path(path).stem
        if "name" not in table:
            several = len(found) > 1
            names = [f"{stem} {k + 1}" if several else stem for k in range(len(found))]
            table = table.assign(name=names)
        models.append(RDMs(found.dissimilarities, found.conditions, found.measure, table))
    return models


def known_models(models: Sequence[RDMs], conditions: Sequence[str]) -> RDMs | None:
    """Bring models to the conditions of a recording.

    Parameters
    ----------
    models : sequence of RDMs
        Those that name none of the conditions do not apply, except where they name nothing at all
        (``condition 1`` and so on, from files without names) and are as many: then the order
        counts.
    conditions : sequence of str

    Returns
    -------
    RDMs or None

    Raises
    ------
    InputError
        If a model names some of the conditions and lacks others.
    """
    wanted = tuple(conditions)
    fitting = []
    for model in models:
        shared = set(model.conditions) & set(wanted)
        if len(shared) == len(wanted):
            fitting.append(model.of(wanted))
        elif not shared and _nameless(model) and model.n_conditions == len(wanted):
            renamed = RDMs(model.dissimilarities, wanted, model.measure, model.table)
            fitting.append(renamed)
        elif shared:
            lacking = sorted(set(wanted) - shared)
            raise InputError(
                f"a model RDM lacks {len(lacking)} of {len(wanted)} conditions ({lacking[0]}, ...)",
                "all of them, or none",
                "complete the model, or exclude the conditions",
            )
    if not fitting:
        return None
    named = [RDMs(m.dissimilarities, m.conditions, m.measure, m.table[["name"]]) for m in fitting]
    return concatenate(named)


def _nameless(model: RDMs) -> bool:
    return model.conditions == tuple(f"condition {k + 1}" for k in range(model.n_conditions))
