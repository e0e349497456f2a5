"""Dual bootstrap of model comparison beside rsatoolbox's, on the same models and data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd

from neuropipe.benchmarks.table import BenchmarkRow, timed
from neuropipe.trsa.inference.evaluation import Evaluation, evaluate
from neuropipe.trsa.inference.models import FixedModel
from neuropipe.trsa.inference.resample import Draws
from neuropipe.trsa.inference.scoring import Scorer
from neuropipe.trsa.rdms import RDMs

__all__ = ["BootstrapCase", "bootstrap_rows", "largest_difference"]

MEASURES = ("corr", "rho-a")


@dataclass(frozen=True)
class BootstrapCase:
    """What is bootstrapped.

    Parameters
    ----------
    n_subjects, n_conditions, n_models : int
    n_draws : int
        Of subjects alone, of conditions alone and of both.
    n_peer_draws : int
        That the peer, a loop over draws, is timed on; its time is scaled to `n_draws`.
    """

    n_subjects: int = 24
    n_conditions: int = 62
    n_models: int = 10
    n_draws: int = 1000
    n_peer_draws: int = 20

    @property
    def words(self) -> str:
        """Sizes."""
        return (
            f"{self.n_draws} draws, {self.n_models} models, {self.n_subjects} subjects, "
            f"{self.n_conditions} conditions"
        )

    def simulated(self) -> tuple[np.ndarray, np.ndarray]:
        """Draw RDMs of models and subjects, (n_models, n_pairs) and (n_subjects, n_pairs)."""
        rng = np.random.default_rng(0)
        n_pairs = self.n_conditions * (self.n_conditions - 1) // 2
        models = rng.random((self.n_models, n_pairs))
        return models, models[0] + rng.random((self.n_subjects, n_pairs))


_QUICK = BootstrapCase(n_subjects=6, n_conditions=10, n_models=3, n_draws=40, n_peer_draws=2)


def bootstrap_rows(quick: bool = False, repeats: int = 3) -> list[BenchmarkRow]:
    """Time `evaluate` for new subjects and conditions beside ``eval_dual_bootstrap``.

    Parameters
    ----------
    quick : bool
        A size that takes seconds and says nothing about speed.
    repeats : int
        Pairs of timed calls, after one of ours that compiles; the first of a pair changes from
        pair to pair.

    Returns
    -------
    list of BenchmarkRow
        One for each of `MEASURES`. The task tells the largest difference between the scores and
        ceilings of both on the peer's own draws, the peer on how many draws it was timed.
    """
    case = _QUICK if quick else BootstrapCase()
    return [_row(case, measure, 1 if quick else repeats) for measure in MEASURES]


def _row(case: BootstrapCase, measure: str, repeats: int) -> BenchmarkRow:
    ours, theirs = partial(_ours, case, measure), partial(_theirs, case, measure)
    difference = largest_difference(case, measure)
    ours()
    pairs = []
    for k in range(repeats):
        if k % 2:
            second = timed(theirs)
            pairs.append((timed(ours), second))
        else:
            pairs.append((timed(ours), timed(theirs)))
    times = np.array(pairs)  # (pair, side, wall or cpu)
    times[:, 1] *= case.n_draws / case.n_peer_draws
    ratios = times[:, 0, 0] / times[:, 1, 0]
    wall, cpu = np.median(times[:, :, 0], axis=0), np.median(times[:, :, 1], axis=0)
    nothing = float("nan")
    return BenchmarkRow(
        task=f"dual bootstrap, {measure}: {case.words}; largest difference {difference:.1e}",
        peer=f"rsatoolbox eval_dual_bootstrap, timed on {case.n_peer_draws} draws and scaled",
        ours=float(wall[0]),
        theirs=float(wall[1]),
        ours_cpu=float(cpu[0]),
        theirs_cpu=float(cpu[1]),
        ratio=float(np.median(ratios)),
        ratio_low=float(ratios.min()),
        ratio_high=float(ratios.max()),
        ours_peak=nothing,
        theirs_peak=nothing,
        repeats=repeats,
    )


def largest_difference(case: BootstrapCase, measure: str) -> float:
    """Compare the numbers of both on the draws that rsatoolbox takes.

    Parameters
    ----------
    case : BootstrapCase
    measure : str

    Returns
    -------
    float
        Largest absolute difference of scores and noise ceilings, over draws of subjects, of
        conditions, and of both.
    """
    models, data = case.simulated()
    with _noted(case) as (subjects, conditions):
        evaluations, ceilings = _theirs(case, measure)
    named = [FixedModel(str(k), values) for k, values in enumerate(models)]
    scorer = Scorer(named, data, np.arange(case.n_subjects), measure)
    draws = Draws(np.stack(subjects), np.stack(conditions))
    found = scorer.bootstraps(draws, subjects=True, conditions=True)
    differences = []
    for k, table in enumerate((found.by_both, found.by_subjects, found.by_conditions)):
        assert table is not None  # both are drawn
        theirs = np.concatenate([evaluations[:, :, 0, 0, k], ceilings[:, :, 0, k].T], axis=1)
        differences.append(np.abs(table - theirs).max())
    return float(np.max(differences))


def _ours(case: BootstrapCase, measure: str) -> Evaluation:
    models, data = case.simulated()
    names = tuple(str(k) for k in range(case.n_conditions))
    rdms = RDMs(data, names, "euclidean", pd.DataFrame({"subject": range(case.n_subjects)}))
    named = [FixedModel(str(k), values) for k, values in enumerate(models)]
    return evaluate(named, rdms, measure=measure, n_bootstrap=case.n_draws, n_permutations=0)


def _theirs(case: BootstrapCase, measure: str) -> tuple[np.ndarray, np.ndarray]:
    """Scores (d, m, 1, 1, 3) and ceilings (2, d, 1, 3): of both, of subjects, of conditions."""
    inference: Any = import_module("rsatoolbox.inference")  # nothing in it has types
    fixed: Any = import_module("rsatoolbox.model").ModelFixed
    models, data = case.simulated()
    named = [fixed(str(k), values) for k, values in enumerate(models)]
    rdms = import_module("rsatoolbox.rdm").RDMs(data)
    np.random.seed(0)  # noqa: NPY002  (the peer draws from the global generator)
    result = inference.eval_dual_bootstrap(named, rdms, method=measure, N=case.n_peer_draws)
    return result.evaluations, result.noise_ceiling


@contextmanager
def _noted(case: BootstrapCase) -> Iterator[tuple[list[np.ndarray], list[np.ndarray]]]:
    """Note how often rsatoolbox draws each subject and condition; it does not tell."""
    module: Any = import_module("rsatoolbox.inference.evaluate")
    subjects: list[np.ndarray] = []
    conditions: list[np.ndarray] = []
    sample = module.bootstrap_sample

    def noted(*args: Any, **kwargs: Any) -> Any:
        found = sample(*args, **kwargs)
        subjects.append(np.bincount(found[1], minlength=case.n_subjects))
        conditions.append(np.bincount(found[2], minlength=case.n_conditions))
        return found

    with patch.object(module, "bootstrap_sample", noted):
        yield subjects, conditions
