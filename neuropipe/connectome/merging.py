"""Merge the left and the right unit of a pair to one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from neuropipe.ingest.homologues import pair_homologues
from neuropipe.recording import MISSING

__all__ = ["common_name", "known_pairs", "merge_rows", "merged_names"]

_SIDES = (
    re.compile(r"[^A-Za-z0-9]*(?<![A-Za-z0-9])(left|right|lh|rh|l|r)(?![A-Za-z0-9])", re.I),
    re.compile(r"^(left|right|lh|rh)(?=[A-Z])"),
    re.compile(r"(left|right|lh|rh|l|r)$", re.I),
)
_SEPARATORS = " _-.:/()[]"


def known_pairs(names: Sequence[str], stated: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Left/right pairs of a data set, each unit in one.

    Parameters
    ----------
    names : sequence of str
        Units of all recordings together.
    stated : iterable of (str, str)
        Pairs that the recordings' own tables state.

    Returns
    -------
    list of (str, str)
        The stated pairs. Where there are any, also those that no recording states because none
        holds both units, found by their names.
    """
    pairs: list[tuple[str, str]] = []
    taken: set[str] = set()
    for pair in stated:
        if not taken & set(pair):
            pairs.append(pair)
            taken |= set(pair)
    if not pairs:
        return []
    rest = [name for name in names if name not in taken]
    partners = dict(zip(rest, pair_homologues(rest), strict=True))
    return pairs + [(a, b) for a, b in partners.items() if b != MISSING and a < b]


def common_name(left: str, right: str) -> str:
    """Name of a pair: its units' without the side, ``left+right`` where that leaves two names.

    Parameters
    ----------
    left, right : str
        Such as AVAL and AVAR (AVA), or 7Networks_LH_Vis_1 and 7Networks_RH_Vis_1.
    """
    for side in _SIDES:
        stripped = {side.sub("", name).strip(_SEPARATORS) for name in (left, right)}
        if len(stripped) == 1 and "" not in stripped:
            return stripped.pop()
    return f"{left}+{right}"


def merged_names(names: Sequence[str], pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Name of the merged unit of every unit of a pair.

    Parameters
    ----------
    names : sequence of str
        Units of all recordings together.
    pairs : sequence of (str, str)
        See `known_pairs`.

    Returns
    -------
    dict of str to str
        Units without a pair are not in it. A common name that another unit already has is replaced
        by ``left+right``.
    """
    taken = set(names)
    found: dict[str, str] = {}
    for left, right in pairs:
        name = common_name(left, right)
        if name in taken:
            name = f"{left}+{right}"
        taken.add(name)
        found |= {left: name, right: name}
    return found


def merge_rows(
    traces: np.ndarray, names: Sequence[str], merged: Mapping[str, str]
) -> tuple[np.ndarray, list[str]]:
    """Merge the units of one recording.

    Parameters
    ----------
    traces : array of shape (n_units, n_samples)
        Finite; no unit is constant.
    names : sequence of str
    merged : mapping of str to str
        Of `merged_names`.

    Returns
    -------
    traces : array of shape (n_merged, n_samples)
        In robust SDs: the mean of a pair's traces, each divided by 1.4826 times its median absolute
        deviation (by its SD where more than half of a trace has one value), so that the brighter
        unit does not own the pair. A unit whose partner is absent stands for the pair.
    names : list of str
        In the order in which the first unit of each stands.
    """
    new = [merged.get(name, name) for name in names]
    order = list(dict.fromkeys(new))
    place = np.array([order.index(name) for name in new])
    centred = np.abs(traces - np.median(traces, axis=1, keepdims=True))
    spread = 1.4826 * np.median(centred, axis=1)
    scaled = traces / np.where(spread > 0, spread, traces.std(axis=1))[:, None]
    total = np.zeros((len(order), traces.shape[1]), dtype=traces.dtype)
    np.add.at(total, place, scaled)
    return total / np.bincount(place)[:, None].astype(traces.dtype), order
