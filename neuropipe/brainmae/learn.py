"""One model of a dataset: trained or taken over, then scored on the runs that it has not seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr
from torch import nn

from neuropipe.brainmae.data import Runs
from neuropipe.brainmae.fit import card, pretrain
from neuropipe.brainmae.folds import split_dataset
from neuropipe.brainmae.heldout import heldout_scores
from neuropipe.brainmae.model import BrainMAE
from neuropipe.brainmae.names import PEERS, split_name
from neuropipe.brainmae.peers.pretrained import peer_features, pretrain_peer
from neuropipe.brainmae.settings import BrainmaeSettings
from neuropipe.brainmae.store import check_card, empty_scores, load_model, runs_dataset, scaled_by
from neuropipe.stats.splits import Fold

__all__ = ["Learnt", "adopt", "learn"]


@dataclass(frozen=True)
class Learnt:
    """What `neuropipe.brainmae.store.write_store` writes."""

    model: BrainMAE
    card: dict[str, Any]
    scores: pd.DataFrame
    arrays: xr.Dataset


def learn(
    runs: Runs,
    dataset: str,
    name: str,
    settings: BrainmaeSettings,
    *,
    scratch: Path | None = None,
    log: Path | None = None,
) -> Learnt:
    """Pretrain a model on the runs of its fold and score it on the others.

    Parameters
    ----------
    runs : Runs
        Of the dataset, and of those that join.
    dataset : str
    name : str
        Of the model, see `neuropipe.brainmae.names`.
    settings : BrainmaeSettings
    scratch, log : Path, optional
        See `neuropipe.training.trainer.train`.
    """
    fold, own = _fold(runs, dataset, name, settings)
    seed = _seed(name, settings)
    training = runs.select(fold.train)
    done = pretrain(training, settings, seed=seed, scratch=scratch, log=log)
    written = {**card(done, training, settings, seed), "dataset": dataset, "fold": name}
    scaled = scaled_by(written, runs)
    peers: dict[str, nn.Module] = {
        key: pretrain_peer(
            key,
            scaled.select(fold.train),
            settings,
            seed=seed,
            scratch=None if scratch is None else scratch / key,
        )
        for key in settings.peers
    }
    return _scored(done.model, written, scaled, fold, own, settings, seed, peers)


def adopt(weights: Path, runs: Runs, dataset: str, name: str, settings: BrainmaeSettings) -> Learnt:
    """Take another dataset's model over as it is, and score it on the runs of a fold.

    Parameters
    ----------
    weights : Path
        The model's folder.
    runs : Runs
    dataset, name : str
    settings : BrainmaeSettings

    Raises
    ------
    MismatchError
        If the model is for other ROIs, another atlas, scaler or kind of segments.
    """
    model, found = load_model(weights, settings.pretraining.device)
    check_card(found, runs, settings, f"{weights} for dataset {dataset}")
    runs = scaled_by(found, runs)
    fold, own = _fold(runs, dataset, name, settings)
    written = {**found, "fold": name, "taken_from": found["dataset"]}
    return _scored(model, written, runs, fold, own, settings, _seed(name, settings))


def _seed(name: str, settings: BrainmaeSettings) -> int:
    place = split_name(name, settings)
    return settings.seeds[0 if place is None else place[0]]


def _fold(
    runs: Runs, dataset: str, name: str, settings: BrainmaeSettings
) -> tuple[Fold, list[int]]:
    """Runs of a fold, by position, and those of the dataset itself."""
    split = split_dataset(runs, dataset, settings)
    return split.runs_of(name, settings, len(runs.runs)), split.own.tolist()


def _scored(
    model: BrainMAE,
    written: dict[str, Any],
    runs: Runs,
    fold: Fold,
    own: list[int],
    settings: BrainmaeSettings,
    seed: int,
    peers: Mapping[str, nn.Module] | None = None,
) -> Learnt:
    scores, wiener = empty_scores(), None
    if len(fold.test):
        left_out = runs.select(fold.test)
        more = [(PEERS[key], peer) for key, peer in (peers or {}).items() if key != "jepa"]
        scores, wiener = heldout_scores(
            model, runs.select(fold.train), left_out, settings, seed, more
        )
    arrays = runs_dataset(model, runs.select(own), settings, wiener)
    for key, peer in (peers or {}).items():
        found = peer_features(peer, runs.select(own), settings)
        arrays[f"peer_{key}"] = (("recording", f"{key}_feature"), found)
    return Learnt(model, written, scores, arrays)
