"""From and to the objects of rsatoolbox."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd

from neuropipe.errors import InputError, MissingExtraError
from neuropipe.trsa.estimation.unbalanced import fold_means
from neuropipe.trsa.patterns import Patterns
from neuropipe.trsa.rdms import RDMs

__all__ = [
    "from_rsatoolbox",
    "patterns_from_rsatoolbox",
    "patterns_to_rsatoolbox",
    "require_rsatoolbox",
    "to_rsatoolbox",
]


def to_rsatoolbox(rdms: RDMs) -> Any:
    """Make an ``rsatoolbox.rdm.RDMs``.

    Parameters
    ----------
    rdms : RDMs

    Returns
    -------
    rsatoolbox.rdm.RDMs
        Conditions in the pattern descriptor ``conds``, columns of the items as RDM descriptors.

    Raises
    ------
    MissingExtraError
        If rsatoolbox is not installed.
    """
    toolbox = require_rsatoolbox("rdm")
    return toolbox.RDMs(
        dissimilarities=rdms.dissimilarities.copy(),
        dissimilarity_measure=rdms.measure or None,
        rdm_descriptors={str(name): column.tolist() for name, column in rdms.table.items()},
        pattern_descriptors={"conds": list(rdms.conditions)},
    )


def from_rsatoolbox(rdms: Any, conditions: str | None = None) -> RDMs:
    """Take over an ``rsatoolbox.rdm.RDMs``.

    Parameters
    ----------
    rdms : rsatoolbox.rdm.RDMs
    conditions : str, optional
        Pattern descriptor that names the conditions; default: ``conds``, else the first that has
        a name of its own for each condition, else their numbers.

    Returns
    -------
    RDMs
        RDM descriptors of one value an RDM become columns of the items.

    Raises
    ------
    InputError
        If the descriptor is not there or names two conditions alike.
    """
    described = rdms.pattern_descriptors
    if conditions is None:
        order = ["conds", *(name for name in described if name != "index"), "index"]
        unique = [n for n in order if n in described and _all_differ(described[n])]
        names = described[unique[0]] if unique else range(rdms.n_cond)
    elif conditions in described:
        names = described[conditions]
    else:
        raise InputError(
            f"pattern descriptor {conditions!r}", f"one of {', '.join(described)}", "choose one"
        )
    columns = {
        name: list(column)
        for name, column in rdms.rdm_descriptors.items()
        if name != "index" and not isinstance(column, str) and len(column) == rdms.n_rdm
    }
    return RDMs(
        np.array(rdms.dissimilarities, dtype=np.float64),
        tuple(str(name) for name in names),
        rdms.dissimilarity_measure or "",
        pd.DataFrame(columns) if columns else None,
    )


def patterns_from_rsatoolbox(
    dataset: Any, conditions: str = "conds", folds: str | None = "runs"
) -> Patterns:
    """Average the observations of an ``rsatoolbox.data.Dataset`` within conditions and folds.

    Parameters
    ----------
    dataset : rsatoolbox.data.Dataset
    conditions, folds : str
        Observation descriptors; without `folds` all observations are of one fold.

    Returns
    -------
    Patterns
        Conditions and folds in sorted order; channels by the descriptor ``names`` or their number.

    Raises
    ------
    InputError
        If a descriptor is not there.
    """
    described = dataset.obs_descriptors
    for name in (conditions, folds):
        if name is not None and name not in described:
            raise InputError(
                f"observation descriptor {name!r}", f"one of {', '.join(described)}", "choose one"
            )
    names, condition = np.unique(np.asarray(described[conditions]), return_inverse=True)
    runs, fold = np.array(["all"]), np.zeros(len(condition), dtype=int)
    if folds is not None:
        runs, fold = np.unique(np.asarray(described[folds]), return_inverse=True)
    means, n_trials = fold_means(dataset.measurements, condition, fold)
    channels = dataset.channel_descriptors.get("names", range(means.shape[2]))
    return Patterns(
        values=means,
        conditions=tuple(map(str, names)),
        channels=tuple(map(str, channels)),
        folds=tuple(map(str, runs)),
        n_trials=n_trials,
    )


def patterns_to_rsatoolbox(patterns: Patterns) -> Any:
    """Make an ``rsatoolbox.data.Dataset`` of the patterns that are there.

    Parameters
    ----------
    patterns : Patterns

    Returns
    -------
    rsatoolbox.data.Dataset
        One observation a fold and condition, with the descriptors ``conds``, ``runs`` and
        ``n_trials``; channels have ``names``. The noise is not part of a Dataset: pass
        ``patterns.noise.precision()`` to ``calc_rdm``.

    Raises
    ------
    MissingExtraError
        If rsatoolbox is not installed.
    """
    toolbox = require_rsatoolbox("data")
    fold, condition = np.nonzero(patterns.present)
    return toolbox.Dataset(
        patterns.values[fold, condition],
        descriptors={"unit": patterns.unit},
        obs_descriptors={
            "conds": [patterns.conditions[k] for k in condition],
            "runs": [patterns.folds[k] for k in fold],
            "n_trials": patterns.n_trials[fold, condition].tolist(),
        },
        channel_descriptors={"names": list(patterns.channels)},
    )


def _all_differ(names: Any) -> bool:
    return len({str(name) for name in names}) == len(names)


def require_rsatoolbox(part: str) -> Any:
    """Import a part of rsatoolbox, such as ``rdm`` or ``data``.

    Raises
    ------
    MissingExtraError
        If rsatoolbox is not installed.
    """
    try:
        return import_module(f"rsatoolbox.{part}")
    except ImportError as error:
        raise MissingExtraError(
            f"rsatoolbox cannot be imported ({error})",
            "rsatoolbox 0.3",
            "pip install 'rsatoolbox>=0.3'",
        ) from error
