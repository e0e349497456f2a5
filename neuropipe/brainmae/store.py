"""A pretrained model on disk: weights and their card, scores of the runs it left out, features.

``model.safetensors`` and ``settings.json`` (see `neuropipe.training.weights`), ``metrics.csv`` (the
training's log), ``scores.csv`` (reconstruction of the runs that were left out) and ``runs.nc``
(features of all runs of the dataset, halves of runs, and the Wiener filter of the training runs).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neuropipe.brainmae.data import Runs
from neuropipe.brainmae.features import BLOCKS, Block
from neuropipe.brainmae.gaussian_imputation import Wiener
from neuropipe.brainmae.inference import embed
from neuropipe.brainmae.model import BrainMAE
from neuropipe.brainmae.settings import BrainmaeSettings, ModelSettings
from neuropipe.training.devices import pick_device
from neuropipe.training.settings import Device
from neuropipe.training.weights import CARD, load_weights, require_match, save_weights

__all__ = [
    "PARTS",
    "Stored",
    "check_card",
    "empty_scores",
    "load_model",
    "runs_dataset",
    "scaled_by",
    "write_store",
]

PARTS = ("whole", "first half", "second half")
_SCORES, _RUNS = "scores.csv", "runs.nc"


def load_model(folder: Path, device: Device = "auto") -> tuple[BrainMAE, dict[str, Any]]:
    """Read a model and its card.

    Parameters
    ----------
    folder : Path
    device : {"auto", "cpu", "gpu"}

    Returns
    -------
    model : BrainMAE
        In evaluation mode.
    card : dict
        See `neuropipe.brainmae.fit.card`.

    Raises
    ------
    WeightsError
        If a file is missing or damaged.
    """
    state, card = load_weights(folder)
    settings = ModelSettings.model_validate(card["model"])
    model = BrainMAE(settings, len(card["units"]), int(card["n_points"]))
    model.load_state_dict(state)
    return model.to(pick_device(device)).eval(), card


def check_card(card: Mapping[str, Any], runs: Runs, settings: BrainmaeSettings, where: str) -> None:
    """Refuse weights that were made for other ROIs, another atlas, scaler or kind of segments.

    Parameters
    ----------
    card : mapping
    runs : Runs
        As they were read, by their own unit tables.
    settings : BrainmaeSettings
    where : str
        What the weights are, for the error.

    Raises
    ------
    MismatchError
        Naming the first difference.
    """
    units = [str(name) for name in runs.units.index]
    require_match(
        card,
        {
            "analysis": "brainmae",
            "parcellation": runs.parcellation,
            "units": units,
            "scaler": {**card["scaler"], "kind": settings.scaler},
            "segments": {
                **card["segments"],
                **settings.segments.model_dump(
                    mode="json", include={"duration", "n_points", "n_segments", "native_tr"}
                ),
            },
            "n_points": runs.n_points(settings.segments),
        },
        where,
    )


def scaled_by(card: Mapping[str, Any], runs: Runs) -> Runs:
    """Runs in the units that a model was trained in."""
    scaler = card["scaler"]
    if scaler["kind"] == "run":
        return runs
    return runs.scaled((np.array(scaler["mean"]), np.array(scaler["sd"])))


def runs_dataset(
    model: BrainMAE, runs: Runs, settings: BrainmaeSettings, wiener: Wiener | None
) -> xr.Dataset:
    """Features of runs, whole and by halves.

    Parameters
    ----------
    model : BrainMAE
    runs : Runs
        Of one dataset.
    settings : BrainmaeSettings
    wiener : Wiener or None
        Of the training runs.

    Returns
    -------
    xarray.Dataset
        ``token``, ``dynamics`` and ``connectivity`` of shape (part, recording, feature);
        ``wiener_mean`` and ``wiener_covariance``.
    """
    size, device = settings.segments.n_segments, next(model.parameters()).device
    rows: dict[Block, list[list[np.ndarray]]] = {name: [[], [], []] for name in BLOCKS}
    for i in range(len(runs.runs)):
        segments = runs.segments(i, settings.segments).to(device)
        middle = segments.x.shape[1] // 2
        for part, where in enumerate((slice(None), slice(middle), slice(middle, None))):
            found = embed(model, segments.pick(slice(None), where), size)
            for name in BLOCKS:
                rows[name][part].append(found.blocks[name])
    names = np.array([run.recording for run in runs.runs], dtype=object)
    out = xr.Dataset(coords={"part": list(PARTS), "recording": names})
    for name in BLOCKS:
        out[name] = (("part", "recording", f"{name}_feature"), np.array(rows[name], np.float32))
    if wiener is not None:
        units = np.array([str(unit) for unit in runs.units.index], dtype=object)
        out = out.assign_coords(unit=units, other_unit=units)
        out["wiener_mean"] = ("unit", wiener.mean_)
        out["wiener_covariance"] = (("unit", "other_unit"), wiener.covariance_)
    return out


def write_store(
    folder: Path,
    model: BrainMAE,
    card: Mapping[str, Any],
    scores: pd.DataFrame,
    arrays: xr.Dataset,
) -> None:
    """Write a model and what was found with it into an existing folder.

    Parameters
    ----------
    folder : Path
        Best from `neuropipe.atomic.atomic_folder`.
    model : BrainMAE
    card : mapping
    scores : pandas.DataFrame
        See `neuropipe.brainmae.heldout.heldout_scores`; empty where nothing was left out.
    arrays : xarray.Dataset
        See `runs_dataset`.
    """
    save_weights(folder, model.state_dict(), card)
    scores.to_csv(folder / _SCORES, index=False)
    arrays.to_netcdf(folder / _RUNS, engine="h5netcdf")


@dataclass(frozen=True)
class Stored:
    """A folder that `write_store` wrote.

    Parameters
    ----------
    folder : Path
    """

    folder: Path

    @property
    def name(self) -> str:
        """Of the model."""
        return self.folder.name

    @cached_property
    def card(self) -> dict[str, Any]:
        """What the weights are for."""
        found: dict[str, Any] = json.loads((self.folder / CARD).read_text(encoding="utf-8"))["card"]
        return found

    @cached_property
    def scores(self) -> pd.DataFrame:
        """Reconstruction of the runs that were left out; empty where none was."""
        found = pd.read_csv(self.folder / _SCORES, dtype={"recording": str, "subject": str})
        return found.assign(model=self.name)

    @cached_property
    def arrays(self) -> xr.Dataset:
        """Features and the Wiener filter, in memory."""
        with xr.open_dataset(self.folder / _RUNS, engine="h5netcdf") as found:
            return found.load()

    def left_out(self, recording: str) -> bool:
        """Whether the model has not seen a recording."""
        return bool((self.scores["recording"] == recording).any())

    def blocks(self, recordings: list[str], part: str = "whole") -> dict[Block, np.ndarray]:
        """Features of some recordings, shape (n_recordings, f), in their order."""
        found = self.arrays.sel(part=part, recording=recordings)
        return {name: found[name].values.astype(np.float64) for name in BLOCKS}

    def wiener(self) -> Wiener | None:
        """The Wiener filter of the model's training runs."""
        if "wiener_mean" not in self.arrays:
            return None
        mean, covariance = (self.arrays[f"wiener_{k}"].values for k in ("mean", "covariance"))
        return Wiener.of(mean, covariance)

    def model(self, device: Device = "auto") -> tuple[BrainMAE, dict[str, Any]]:
        """See `load_model`."""
        return load_model(self.folder, device)


def empty_scores() -> pd.DataFrame:
    """Scores of a model that left nothing out."""
    columns = ["predictor", "ratio", "segments", "run", "n_hidden", "sse", "sst", "r2"]
    return pd.DataFrame(columns=[*columns, "recording", "subject"])
