"""Models that are trained on a target's labels, in the folds of the dataset.

What needs no label beyond a linear model (frozen features, connectivity) is not here: the result
of the dataset makes those rows from Gram matrices.

Axis legend: s subjects, r runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr

from neuropipe.brainmae.connectomes import decide
from neuropipe.brainmae.data import Runs
from neuropipe.brainmae.finetuning import Labelled, finetune, label_decisions
from neuropipe.brainmae.fit import new_model
from neuropipe.brainmae.folds import Split, split_dataset
from neuropipe.brainmae.model import BrainMAE
from neuropipe.brainmae.names import LABEL_MODELS
from neuropipe.brainmae.peers.connectome_networks import predict_from_connectomes
from neuropipe.brainmae.run_connectivity import run_correlations
from neuropipe.brainmae.settings import BrainmaeSettings
from neuropipe.brainmae.store import load_model, scaled_by
from neuropipe.prediction.targets import Target
from neuropipe.stats.connectivity_matrices import square

__all__ = ["predict_target"]


@dataclass(frozen=True)
class _Fold:
    """What a model of one fold is trained on, and asked.

    Parameters
    ----------
    name : str
        Of the pretrained model.
    train, test : list of int
        Runs, of subjects whose label is known.
    labels : Labelled
        Of all runs.
    seed : int
    """

    name: str
    train: list[int]
    test: list[int]
    labels: Labelled
    seed: int


def predict_target(
    runs: Runs,
    dataset: str,
    target: str,
    models: Path,
    settings: BrainmaeSettings,
    *,
    scratch: Path | None = None,
) -> xr.Dataset:
    """Predict a target out of fold by every model that is trained for it.

    Parameters
    ----------
    runs : Runs
        Of the dataset.
    dataset, target : str
    models : Path
        Folder of the pretrained models.
    settings : BrainmaeSettings
    scratch : Path, optional

    Returns
    -------
    xarray.Dataset
        One variable a model, of shape (seed, subject) or (seed, subject, class): means over the
        runs of a subject; NaN where its label is unknown. Attribute ``target``. No variables
        where too few subjects can be used.
    """
    split = split_dataset(runs, dataset, settings)
    wanted = [t for t in split.design.targets if t.name == target] if split.design else []
    out = xr.Dataset(attrs={"target": target})
    if not wanted:  # the result of the dataset says why
        return out
    keys = [key for key in LABEL_MODELS if key in (*settings.finetune, *settings.baselines)]
    if not wanted[0].is_classification:
        keys = [key for key in keys if key != "svm"]
    subjects = np.array(split.subjects, dtype=object)
    out = out.assign_coords(seed=list(settings.seeds), subject=subjects)
    for key in keys:
        found = _out_of_fold(key, runs, split, wanted[0], models, settings, scratch)
        dims = ("seed", "subject") if found.ndim == 2 else ("seed", "subject", "class")
        out[key] = (dims, found)
    return out


def _out_of_fold(
    key: str,
    runs: Runs,
    split: Split,
    target: Target,
    models: Path,
    settings: BrainmaeSettings,
    scratch: Path | None,
) -> np.ndarray:
    n_classes = len(target.classes)
    shape = (n_classes,) if n_classes > 2 else ()
    out = np.full((len(settings.seeds), len(split.subjects), *shape), np.nan)
    known = target.known[split.member]
    labels = Labelled(target.values[split.member], n_classes)
    for s, (seed, folds) in enumerate(zip(settings.seeds, split.partitions, strict=True)):
        for f, fold in enumerate(folds):
            train = np.flatnonzero(known & np.isin(split.member, fold.train)).tolist()
            test = np.flatnonzero(known & np.isin(split.member, fold.test)).tolist()
            name = f"seed-{seed}_fold-{f}"
            place = None if scratch is None else scratch / key / name
            given = _Fold(name, train, test, labels, seed)
            found = _MAKERS[key](runs, given, models, settings, place)
            for subject in set(split.member[test].tolist()):
                out[s, subject] = found[split.member[test] == subject].mean(axis=0)
    return out


def _full(
    runs: Runs, fold: _Fold, models: Path, settings: BrainmaeSettings, scratch: Path | None
) -> np.ndarray:
    model, card = load_model(models / fold.name, settings.finetuning.device)
    return _tuned(model, scaled_by(card, runs), fold, settings, scratch)


def _scratch(
    runs: Runs, fold: _Fold, models: Path, settings: BrainmaeSettings, scratch: Path | None
) -> np.ndarray:
    del models
    return _tuned(new_model(runs, settings, fold.seed), runs, fold, settings, scratch)


def _tuned(
    model: BrainMAE, runs: Runs, fold: _Fold, settings: BrainmaeSettings, scratch: Path | None
) -> np.ndarray:
    labels = fold.labels.only(fold.train)
    task = finetune(
        model, runs.select(fold.train), labels, settings, seed=fold.seed, scratch=scratch
    )
    return label_decisions(task, runs.select(fold.test))


def _svm(
    runs: Runs, fold: _Fold, models: Path, settings: BrainmaeSettings, scratch: Path | None
) -> np.ndarray:
    del models, settings, scratch
    z = run_correlations(runs)
    values = fold.labels.values[fold.train]
    return decide(z[fold.train], values, z[fold.test], "svm", seed=fold.seed)


def _network(kind: Literal["cnn", "graph"]) -> Callable[..., np.ndarray]:
    def predict(
        runs: Runs, fold: _Fold, models: Path, settings: BrainmaeSettings, scratch: Path | None
    ) -> np.ndarray:
        del models, scratch
        matrices = np.stack([square(z, runs.n_rois, 0.0) for z in run_correlations(runs)])
        found: np.ndarray = predict_from_connectomes(
            kind,
            matrices[fold.train],
            fold.labels.values[fold.train],
            matrices[fold.test],
            n_classes=fold.labels.n_classes,
            settings=settings.connectome_networks,
            seed=fold.seed,
        )
        return found

    return predict


_MAKERS: dict[str, Callable[..., np.ndarray]] = {
    "full": _full,
    "scratch": _scratch,
    "svm": _svm,
    "cnn": _network("cnn"),
    "graph": _network("graph"),
}
