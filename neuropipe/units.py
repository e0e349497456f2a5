"""Units by their table: groups, left/right pairs, and what their names mean elsewhere."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from neuropipe.recording import MISSING

__all__ = ["are_anonymous", "column", "draw_units", "homologous_pairs"]


def column(units: pd.DataFrame, name: str) -> np.ndarray | None:
    """A text column of the unit table where it tells units apart, else None.

    Parameters
    ----------
    units : pandas.DataFrame
    name : str
        Such as ``network`` or ``hemisphere``.

    Returns
    -------
    array of str of shape (n_units,) or None
        ``n/a`` where a unit has none; None where the column is absent or names fewer than two.
    """
    if name not in units:
        return None
    values = np.array([str(value) for value in units[name]], dtype=object)
    return values if len(set(values) - {MISSING, ""}) > 1 else None


def homologous_pairs(units: pd.DataFrame) -> np.ndarray:
    """Positions of the units of each left/right pair.

    Parameters
    ----------
    units : pandas.DataFrame
        With the column ``homologue``: the partner's name, ``n/a`` where there is none.

    Returns
    -------
    array of int of shape (n_pairs, 2)
        The left unit first where ``hemisphere`` tells it; only pairs whose partners name each
        other.
    """
    if "homologue" not in units:
        return np.empty((0, 2), dtype=int)
    place = {str(name): i for i, name in enumerate(units.index)}
    partner = [place.get(str(name), -1) for name in units["homologue"]]
    pairs = [(i, j) for i, j in enumerate(partner) if i < j and partner[j] == i]
    if "hemisphere" in units:
        side = [str(value)[:1].upper() for value in units["hemisphere"]]
        pairs = [(j, i) if side[i] == "R" and side[j] == "L" else (i, j) for i, j in pairs]
    return np.array(pairs, dtype=int).reshape(-1, 2)


def are_anonymous(modality: str, names: Sequence[str]) -> bool:
    """Tell whether unit names are mere numbers, which mean nothing in another subject.

    Parameters
    ----------
    modality : str
        Parcels (fmri) carry their number in the atlas; numbered neurons carry none.
    names : sequence of str
    """
    return modality != "fmri" and all(re.fullmatch(r"\D*\d+", name) for name in names)


def draw_units(names: Sequence[str] | np.ndarray, most: int) -> np.ndarray:
    """Draw units by a hash of their names where there are too many.

    Two recordings with nearly the same units draw nearly the same ones.

    Parameters
    ----------
    names : sequence of str of length n_units
    most : int

    Returns
    -------
    array of int of shape (min(n_units, most),)
        Sorted positions.
    """
    if len(names) <= most:
        return np.arange(len(names))
    keys = [hashlib.sha256(str(name).encode()).digest() for name in names]
    return np.sort(sorted(range(len(names)), key=keys.__getitem__)[:most])
