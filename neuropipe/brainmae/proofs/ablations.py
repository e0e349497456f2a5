"""What each part of the method is worth: the paper's ablations as directions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from neuropipe.brainmae.data import Runs
from neuropipe.brainmae.fit import pretrain
from neuropipe.brainmae.heldout import model_prediction, stacked
from neuropipe.brainmae.imputation import evaluation_masks, masked_r2
from neuropipe.brainmae.proofs.cohorts import Plan, runs_of, settings_of
from neuropipe.brainmae.settings import BrainmaeSettings
from neuropipe.stats.checks import Check, at_least

__all__ = ["ARMS", "ablation_checks", "ablation_scores", "checks"]

RATIO = 0.5
_OURS = "SG"

#: What is changed in each arm.
ARMS: dict[str, dict[str, Any]] = {
    _OURS: {},
    "AG": {"model": {"variant": "ag"}},
    "FDG": {"model": {"variant": "fdg"}},
    "vanilla": {"model": {"variant": "vanilla"}},
    "vanilla AE": {"model": {"variant": "ae"}},
    "SG with self-loops": {"model": {"self_loops": True}},
    "PosSG": {"model": {"variant": "possg"}},
    "segments of 5 s": {"segments": {"duration": 5.0}},
    "segments of 10 s": {"segments": {"duration": 10.0}},
    "segments of 30 s": {"segments": {"duration": 30.0}},
    "lambda 0.5": {"mask": {"weight": 0.5}},
    "lambda 1": {"mask": {"weight": 1.0}},
}

#: Which arm is better than which.
DIRECTIONS = (
    (_OURS, "vanilla"),
    ("vanilla", "vanilla AE"),
    (_OURS, "SG with self-loops"),
    (_OURS, "PosSG"),
)


def checks(*, full: bool = False) -> list[Check]:
    """Train every arm twice and compare; about 25 minutes on two cores.

    Parameters
    ----------
    full : bool
        Nothing is measured without.

    Returns
    -------
    list of Check
        Check T8 of the validation plan.
    """
    return ablation_checks(replace(Plan(), n_steps=400), seeds=(0, 1)) if full else []


def ablation_checks(plan: Plan, seeds: tuple[int, ...]) -> list[Check]:
    """T8: masked R2 of every arm, and the order of those of which the paper tells one.

    Parameters
    ----------
    plan : Plan
    seeds : tuple of int
        Of weights, crops and masks; every arm is trained once a seed.
    """
    found = ablation_scores(plan, seeds)
    mean = {name: float(np.mean(values)) for name, values in found.items()}
    about = (
        f"{plan.n_test} test subjects, half of the ROIs hidden, {plan.n_steps} steps, "
        f"{len(seeds)} seeds"
    )
    rows = [
        Check(
            f"T8 masked R2: {name}",
            mean[name],
            "reported",
            bool(np.isfinite(values).all()),
            f"{', '.join(f'{value:.4f}' for value in values)}; {about}",
        )
        for name, values in found.items()
    ]
    return rows + [
        at_least(
            f"T8 masked R2: {better} minus {worse}",
            mean[better] - mean[worse],
            0.0,
            f"{mean[better]:.4f} and {mean[worse]:.4f}",
        )
        for better, worse in DIRECTIONS
    ]


def ablation_scores(plan: Plan, seeds: tuple[int, ...]) -> dict[str, list[float]]:
    """Train all arms on the same subjects and score them on the same others.

    Returns
    -------
    dict of str to list of float
        Masked R2 of each arm and seed.
    """
    simulation, first = plan.simulation(), plan.n_training
    train = runs_of((simulation, range(first)))
    test = runs_of((simulation, range(first, first + plan.n_test)))
    return {
        name: [_score(settings_of(plan.n_steps, **arm), train, test, seed) for seed in seeds]
        for name, arm in ARMS.items()
    }


def _score(settings: BrainmaeSettings, train: Runs, test: Runs, seed: int) -> float:
    model = pretrain(train, settings, seed=seed).model
    held = stacked(test, settings)
    n_runs, n_segments, n_rois = held.present.shape
    hidden = ~evaluation_masks(n_runs, n_segments, n_rois, RATIO, 0) & held.present.numpy()
    size = settings.segments.n_segments
    guess = model_prediction(model, held, torch.from_numpy(hidden), size)
    return masked_r2(held.x.numpy(), guess, hidden)
