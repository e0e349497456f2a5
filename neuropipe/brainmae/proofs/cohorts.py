"""Simulated cohorts and trainings of minutes: what every proof is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuropipe.brainmae.data import Runs, runs_of_arrays
from neuropipe.brainmae.settings import BrainmaeSettings
from neuropipe.simulate.fmri import sim_fmri
from neuropipe.simulate.settings import FmriSimulation

__all__ = ["STEP", "Plan", "roi_order", "runs_of", "settings_of"]

STEP = 15 / 16  # s: segments of 15 s hold 16 samples, none of which is resampled


@dataclass(frozen=True)
class Plan:
    """How much a proof simulates and trains.

    Parameters
    ----------
    n_training, n_test : int
        Subjects.
    duration : float
        s a run.
    n_rois : int
    n_steps, n_short : int
        Steps of the network that is scored, and of those that are only compared.
    n_patterns : int
        Segments on which the spatio-temporal filter is scored.
    """

    n_training: int = 300
    n_test: int = 40
    duration: float = 600.0
    n_rois: int = 100
    n_steps: int = 600
    n_short: int = 350
    n_patterns: int = 200

    def simulation(self, **other: Any) -> FmriSimulation:
        """Settings of a cohort of training, then test subjects, and as many others for training."""
        known = {
            "n_subjects": 2 * self.n_training + self.n_test,
            "duration": self.duration,
            "repetition_time": STEP,
            "n_rois": self.n_rois,
            "y_fc": 0.0,
            "switching": "none",
        }
        return FmriSimulation(**{**known, **other})


def settings_of(n_steps: int, **other: Any) -> BrainmaeSettings:
    """Settings of a training on one core: 4 crops of 300 s a step.

    Parameters
    ----------
    n_steps : int
    **other
        Sections of `BrainmaeSettings`; ``pretraining`` adds to what is set here.
    """
    pretraining = {
        "learning_rate": 8e-3,
        "batch_size": 4,
        "max_steps": n_steps,
        "steps_per_epoch": min(n_steps, 100),
        "patience": 0,
        "device": "cpu",
        **other.pop("pretraining", {}),
    }
    return BrainmaeSettings(pretraining=pretraining, validation_share=0.0, **other)


def roi_order(n_rois: int) -> np.ndarray:
    """A random order of the ROIs: their places must not tell the networks."""
    return np.random.default_rng(0).permutation(n_rois)


def runs_of(*parts: tuple[FmriSimulation, Sequence[int]]) -> Runs:
    """Simulate subjects and standardise them, ROIs in the order of `roi_order`.

    Parameters
    ----------
    *parts : tuple of FmriSimulation and sequence of int
        A cohort, and which of its subjects.
    """
    arrays: list[np.ndarray] = []
    steps: list[float] = []
    for simulation, subjects in parts:
        bold = sim_fmri(simulation, subjects=subjects).bold
        arrays += list(bold[:, :, roi_order(simulation.n_rois)])
        steps += [simulation.repetition_time] * len(bold)
    return runs_of_arrays(arrays, steps)
