"""Training: arrays in, weights with everything that is needed to use them out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from neuropipe.brainmae.data import Runs
from neuropipe.brainmae.model import BrainMAE
from neuropipe.brainmae.pretraining import MONITOR, PretrainTask
from neuropipe.brainmae.settings import BrainmaeSettings
from neuropipe.training.trainer import TrainingRun, train

__all__ = ["Pretrained", "new_model", "pretrain", "split_validation"]

_FEWEST = 10  # training subjects from which on some are set apart to stop early


@dataclass(frozen=True)
class Pretrained:
    """A pretrained model and how it came about.

    Parameters
    ----------
    model : BrainMAE
        In evaluation mode.
    run : TrainingRun
    subjects : list of str
        Owners (dataset/subject) of all runs that training looked at, validation included.
    validation : list of str
        Those on whom it was stopped early.
    scale : tuple of arrays of shape (n_rois,)
        Mean and sd of the training runs, in the unit of the recordings.
    """

    model: BrainMAE
    run: TrainingRun
    subjects: list[str]
    validation: list[str]
    scale: tuple[np.ndarray, np.ndarray]


def new_model(runs: Runs, settings: BrainmaeSettings, seed: int) -> BrainMAE:
    """A model with random weights for the ROIs of some runs."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return BrainMAE(settings.model, runs.n_rois, runs.n_points(settings.segments))


def split_validation(owners: Sequence[str], share: float, seed: int) -> tuple[list[int], list[int]]:
    """Set some subjects apart.

    Parameters
    ----------
    owners : sequence of str of length n_runs
    share : float
        Of the subjects; none are set apart of fewer than ten.
    seed : int

    Returns
    -------
    training, validation : list of int
        Positions of runs.
    """
    names = list(dict.fromkeys(owners))
    count = round(share * len(names)) if len(names) >= _FEWEST else 0
    drawn = np.random.default_rng([seed, 1]).permutation(len(names))[:count]
    apart = {names[i] for i in drawn}
    return (
        [i for i, name in enumerate(owners) if name not in apart],
        [i for i, name in enumerate(owners) if name in apart],
    )


def pretrain(
    runs: Runs,
    settings: BrainmaeSettings,
    *,
    seed: int,
    scratch: Path | None = None,
    log: Path | None = None,
) -> Pretrained:
    """Train a masked autoencoder.

    Parameters
    ----------
    runs : Runs
        Of the training subjects only.
    settings : BrainmaeSettings
    seed : int
        Of weights, crops, masks and validation subjects.
    scratch : Path, optional
        Where an interrupted training is kept, see `neuropipe.training.trainer.train`.
    log : Path, optional
        Folder of ``metrics.csv``.
    """
    scale = runs.pooled_scale()
    if settings.scaler == "dataset":
        runs = runs.scaled(scale)
    training, validation = split_validation(runs.owners, settings.validation_share, seed)
    apart = runs.select(validation)
    task = PretrainTask(
        new_model(runs, settings, seed),
        runs.select(training),
        settings,
        apart if validation else None,
    )
    done = train(
        task,
        settings.pretraining,
        seed=seed,
        monitor=MONITOR if validation else None,
        scratch=scratch,
        log=log,
    )
    return Pretrained(task.model, done, sorted(set(runs.owners)), sorted(set(apart.owners)), scale)


def card(
    pretrained: Pretrained, runs: Runs, settings: BrainmaeSettings, seed: int
) -> dict[str, Any]:
    """What weights must carry to be used again: ROIs, atlas, scaler, times, settings, subjects.

    Parameters
    ----------
    pretrained : Pretrained
    runs : Runs
        Those it was trained on.
    settings : BrainmaeSettings
    seed : int
    """
    mean, sd = pretrained.scale
    return {
        "analysis": "brainmae",
        "model": settings.model.model_dump(mode="json"),
        "segments": settings.segments.model_dump(mode="json"),
        "mask": settings.mask.model_dump(mode="json"),
        "optimisation": settings.pretraining.model_dump(mode="json"),
        "units": [str(name) for name in runs.units.index],
        "parcellation": runs.parcellation,
        "scaler": {"kind": settings.scaler, "mean": mean.tolist(), "sd": sd.tolist()},
        "repetition_times": sorted({round(float(step), 4) for step in runs.steps}),
        "n_points": pretrained.model.n_points,
        "subjects": pretrained.subjects,
        "validation_subjects": pretrained.validation,
        "seed": seed,
        "steps": pretrained.run.steps,
        "device": pretrained.run.device,
        "seconds": round(pretrained.run.seconds, 2),
        "expected_masked_r2": pretrained.run.best,
    }
