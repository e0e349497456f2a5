"""Tables of a parcellation: which value of the image is which region."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from neuropipe.errors import InputError
from neuropipe.ingest.tables import numeric_column, read_table
from neuropipe.recording import MISSING

_SIDE = {"l": "L", "lh": "L", "left": "L", "r": "R", "rh": "R", "right": "R"}


def read_labels(path: Path | None) -> pd.DataFrame | None:
    """Read the table of a parcellation.

    Parameters
    ----------
    path : Path or None
        TSV with ``index`` (the value in the image) and ``name`` (or ``label``); ``hemisphere``,
        ``network`` and ``region`` are optional. Index 0 is background.

    Returns
    -------
    pandas.DataFrame or None
        Indexed by image value: ``name`` and the optional columns, text with ``n/a``.

    Raises
    ------
    InputError
        If an index is no whole number or stands twice, or a name is missing.
    """
    if path is None:
        return None
    table = read_table(path).rename(columns=str.lower)
    if "name" not in table and "label" in table:
        table = table.rename(columns={"label": "name"})
    index = numeric_column(table, "index", path)
    names = list(table["name"]) if "name" in table else [None]
    # 2^53: no float holds whole numbers beyond it, and no image such labels.
    whole = not (np.isnan(index).any() or (index % 1).any() or (np.abs(index) > 2**53).any())
    if None in names or not whole or len(set(index)) < len(index):
        raise InputError(f"{path} is no label table", "unique whole index and a name", "correct it")
    kept = table.reindex(columns=["name", "hemisphere", "network", "region"]).fillna(MISSING)
    kept["hemisphere"] = normalised_sides(list(kept["hemisphere"]))
    kept.index = pd.Index(index.astype(int), name="index")
    return _distinct(kept[kept.index != 0], path)


def _distinct(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Add the side to names that stand once in each hemisphere; refuse other repetitions."""
    twice = table["name"].duplicated(keep=False)
    sided = [
        f"{name}_{side}" if again and side != MISSING else name
        for name, side, again in zip(table["name"], table["hemisphere"], twice, strict=True)
    ]
    if len(set(sided)) < len(sided):
        name = next(n for n in sided if sided.count(n) > 1)
        raise InputError(f"{path} names {name!r} twice", "unique names", "rename one")
    return table.assign(name=sided)


def normalised_sides(hemispheres: list[str]) -> list[str]:
    """Write left and right as ``L`` and ``R``, whatever the table calls them."""
    return [_SIDE.get(side.lower(), side) for side in hemispheres]
