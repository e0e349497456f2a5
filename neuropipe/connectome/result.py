"""A dataset's connectome as its result folder tells it: what reading a recording needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import xarray as xr

from neuropipe.connectome.affinity import pair_index
from neuropipe.connectome.factorization import Factors
from neuropipe.errors import ResultError
from neuropipe.results import Result

__all__ = ["FORMAT", "RENAMED", "GroupConnectome"]

FORMAT = 1  #: of the arrays that `arrays.group_arrays` makes
#: Columns of tables that are called otherwise in the file: there the plain names are coordinates.
RENAMED = {"unit": "unit_name", "recording": "recording_name"}
_TABLES = ("events", "motifs", "members", "atlas", "silencing")


@dataclass(frozen=True)
class GroupConnectome:
    """A dataset's connectome as its result folder tells it.

    Parameters
    ----------
    dataset : str
    factors : Factors
    recordings, subjects, names : list of str
        Names of recordings, of their subjects, and of units.
    presence : array of bool of shape (n_recordings, n_units)
    seconds : array of shape (n_samples,)
        Time of the tensor's samples.
    lengths : array of int of shape (n_recordings,)
        Samples that each recording covers.
    degree_corrected : bool
    explained : pandas.DataFrame
        Columns ``own``, ``others``, ``static``, ``shifted``, a row a recording; see
        `stability.Explained`.
    windows : xarray.Dataset
        The group ``windows``.
    tables : dict of str to pandas.DataFrame
        Events (``start`` and ``stop`` in s), motifs, members, atlas and silencing, where there
        are any.
    clock, noun : str
    warnings : list of str
    """

    dataset: str
    factors: Factors
    recordings: list[str]
    subjects: list[str]
    names: list[str]
    presence: np.ndarray
    seconds: np.ndarray
    lengths: np.ndarray
    degree_corrected: bool
    explained: pd.DataFrame
    windows: xr.Dataset
    tables: dict[str, pd.DataFrame]
    clock: str
    noun: str
    warnings: list[str]

    @classmethod
    def read(cls, folder: Path) -> GroupConnectome:
        """Read the result folder of `neuropipe connectome group`.

        Parameters
        ----------
        folder : Path

        Raises
        ------
        ResultError
            If the folder is incomplete or holds another result.
        """
        result = Result.read(folder)
        try:
            return _grouped(result)
        except (KeyError, AttributeError, ValueError) as error:
            raise ResultError(
                f"{folder} holds no connectome of a dataset ({error})",
                "the result of `neuropipe connectome group`",
                "make it again",
            ) from error

    def events_of(self, recording: str) -> pd.DataFrame | None:
        """Events of a recording: ``trial_type``, ``start`` and ``stop`` in s; None without any."""
        events = self.tables.get("events")
        if events is None or "recording" not in events:
            return events
        own = events[events["recording"] == recording]
        return own.reset_index(drop=True) if len(own) else None


def _group(tree: xr.DataTree, name: str) -> xr.Dataset:
    return tree.children[name].to_dataset(inherit=False)


def _rows(data: xr.Dataset) -> pd.DataFrame:
    original = {new: old for old, new in RENAMED.items()}
    return pd.DataFrame({original.get(str(n), str(n)): v.values for n, v in data.items()})


def _grouped(result: Result) -> GroupConnectome:
    tree = cast("xr.DataTree", result.arrays)
    root = tree.to_dataset()
    stored = _group(tree, "factors")
    if root.attrs["format"] != FORMAT:
        raise ValueError(f"format {root.attrs['format']}")
    first, second = pair_index(root.sizes["unit"])
    arrays = {name: stored[name].values.astype(float) for name in stored.data_vars}
    tables = {name: _rows(_group(tree, name)) for name in _TABLES if name in tree.children}
    if "events" in tables:
        seconds = {n: tables["events"][n] / root.attrs["sampling_rate"] for n in ("start", "stop")}
        tables["events"] = tables["events"].assign(**seconds)
    return GroupConnectome(
        dataset=result.dataset,
        factors=Factors(
            pairs=arrays["affinity"][:, first, second].T,
            times=arrays["times"],
            animals=arrays["animals"],
            slices=arrays["slices"],
            weights=arrays["weights"],
            evidence=arrays["evidence"][:, first, second].T,
            error=float(stored.attrs["error"]),
        ),
        recordings=[str(name) for name in root["recording"].values],
        subjects=[str(name) for name in root["subject"].values],
        names=[str(name) for name in root["unit"].values],
        presence=root["presence"].values.astype(bool),
        seconds=stored["seconds"].values,
        lengths=root["n_samples"].values.astype(int),
        degree_corrected=bool(root.attrs["degree_corrected"]),
        explained=_rows(_group(tree, "explained")),
        windows=_group(tree, "windows"),
        tables=tables,
        clock=str(root.attrs["clock"]),
        noun=str(root.attrs["noun"]),
        warnings=result.warnings,
    )
