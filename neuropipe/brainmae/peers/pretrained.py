"""Peers pretrained on the runs of a fold, for frozen probes and reconstruction beside BrainMAE."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from neuropipe.brainmae.data import Runs
from neuropipe.brainmae.peers.jepa import JepaTask, TokenJepa
from neuropipe.brainmae.peers.patch_mae import PatchMAE, PatchTask
from neuropipe.brainmae.pretraining import PretrainTask
from neuropipe.brainmae.settings import BrainmaeSettings
from neuropipe.training.trainer import train

__all__ = ["peer_features", "pretrain_peer"]

_KINDS: dict[str, tuple[Callable[..., Any], Callable[..., PretrainTask]]] = {
    "patch_mae": (PatchMAE, PatchTask),
    "jepa": (TokenJepa, JepaTask),
}


def pretrain_peer(
    key: str, runs: Runs, settings: BrainmaeSettings, *, seed: int, scratch: Path | None = None
) -> nn.Module:
    """Train a peer with the crops, steps and rates of BrainMAE.

    Parameters
    ----------
    key : str
        Of `neuropipe.brainmae.names.PEERS`.
    runs : Runs
        Of the training subjects.
    settings : BrainmaeSettings
    seed : int
    scratch : Path, optional
        Where an interrupted training is kept.

    Returns
    -------
    torch.nn.Module
        In evaluation mode, with ``features``.
    """
    network, task = _KINDS[key]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = network(settings.model, runs.n_rois, runs.n_points(settings.segments))
    made = task(model, runs, settings)
    train(made, settings.pretraining, seed=seed, monitor=None, scratch=scratch)
    found: nn.Module = made.model
    return found


@torch.no_grad()
def peer_features(model: Any, runs: Runs, settings: BrainmaeSettings) -> np.ndarray:
    """Features of every run, means over its windows, shape (n_runs, d)."""
    size, device = settings.segments.n_segments, next(model.parameters()).device
    segments = (runs.segments(i, settings.segments).to(device) for i in range(len(runs.runs)))
    return np.stack([model.features(run, size)[0].float().cpu().numpy() for run in segments])
