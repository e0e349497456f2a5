"""False positives of model comparison, and coverage of the noise ceiling, on data without effect.

Two models that are equally good in truth are compared in thousands of studies. In the first design
the stimuli are the same in all studies; in the second, each study draws its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtr

from neuropipe.stats.checks import Check, at_least, between
from neuropipe.stats.resampling import bootstrap_weights
from neuropipe.trsa.inference.evaluation import Evaluation, New, evaluate
from neuropipe.trsa.inference.models import FixedModel
from neuropipe.trsa.rdms import RDMs, n_conditions_of, vectors

__all__ = ["Study", "checks", "fixed_stimuli", "new_stimuli"]

N_SUBJECTS = 24
LEVEL = 0.05
_LOW, _HIGH = 0.03, 0.07
_N_LATENTS, _N_CHANNELS = 4, 30
_NOISE = 1.0  # standard deviation of channels; that of the signal is about .9
_DESIGNS: tuple[New, ...] = ("both", "subjects", "conditions")
_N_SHOWN = 500  # studies of the test for new conditions only, which is shown and not checked


@dataclass(frozen=True, eq=False)
class Study:
    """One simulated study.

    Parameters
    ----------
    models : array of shape (2, n_pairs)
        Of equal merit.
    truth : array of shape (n_pairs,)
        Expected RDM of a subject, up to a constant.
    data : array of shape (n_subjects, n_pairs)
    """

    models: np.ndarray
    truth: np.ndarray
    data: np.ndarray


def fixed_stimuli(rng: np.random.Generator, n_conditions: int) -> Study:
    """Simulate a study in which either model is as likely to suit a subject, on these stimuli.

    Parameters
    ----------
    rng : numpy.random.Generator
    n_conditions : int
        Even.

    Notes
    -----
    Conditions come in twos that can trade places. The second model is the first with all twos
    traded, and subjects mix both with shares that may be traded likewise: so the difference of
    scores has a symmetric distribution around 0 whatever the measure and the stimuli.
    """
    latents = rng.standard_normal((n_conditions, _N_LATENTS))
    traded = np.arange(n_conditions).reshape(-1, 2)[:, ::-1].ravel()
    return _study(rng, latents, latents[traded])


def new_stimuli(rng: np.random.Generator, n_conditions: int) -> Study:
    """Simulate a study of stimuli of its own.

    Parameters
    ----------
    rng : numpy.random.Generator
    n_conditions : int

    Notes
    -----
    Stimuli differ in two sets of independent latents, one behind each model; subjects mix them
    with shares from one distribution. The models are equal over all stimuli there are; on the few
    of a study one of them happens to be better in all subjects.
    """
    latents = rng.standard_normal((2, n_conditions, _N_LATENTS))
    return _study(rng, latents[0], latents[1])


def _study(rng: np.random.Generator, first: np.ndarray, second: np.ndarray) -> Study:
    """Mix two sets of latents (n, latent) in channels of every subject's own."""
    shares = rng.uniform(0.2, 1.0, size=(N_SUBJECTS, 2, 1, 1))
    channels = rng.standard_normal((N_SUBJECTS, 2, _N_LATENTS, _N_CHANNELS))
    patterns = (shares * np.stack([first, second]) @ channels).sum(axis=1)
    patterns /= np.sqrt(_N_LATENTS)
    patterns += _NOISE * rng.standard_normal(patterns.shape)
    models = _distances(np.stack([first, second]))
    return Study(models, models.mean(axis=0), _distances(patterns) / _N_CHANNELS)


def _distances(patterns: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances (..., n_pairs) of patterns (..., n, channel)."""
    products = patterns @ np.swapaxes(patterns, -1, -2)
    squares = np.diagonal(products, axis1=-2, axis2=-1)
    return vectors(squares[..., :, None] + squares[..., None, :] - 2 * products)


def checks(*, full: bool = False) -> list[Check]:
    """Measure the rates; a minute and a half on one core, half an hour in full.

    Parameters
    ----------
    full : bool
        rho-a instead of correlation, 40 conditions instead of 24, 1000 draws instead of 200.

    Returns
    -------
    list of Check
        Rates of p < .05 over 2000 studies; and how often intervals of the noise ceiling hold its
        expected value.
    """
    n_studies = 2000
    n_conditions, n_bootstrap, measure = (40, 1000, "rho-a") if full else (24, 200, "corr")
    detail = f"{n_studies} studies, {N_SUBJECTS} subjects, {n_conditions} conditions, {measure}"
    rates = subject_rates(n_studies, n_conditions, measure)
    found = [
        between("inference, new subjects: paired t", rates["t"], _LOW, _HIGH, detail),
        between(
            "inference, new subjects: bootstrap, t quantile",
            rates["bootstrap"],
            _LOW,
            _HIGH,
            f"{detail}; percentile bootstrap {rates['percentile']:.3f} (shown, never tested with)",
        ),
    ]
    studies = stimulus_rates(n_studies, n_conditions, measure, n_bootstrap)
    detail += f", {n_bootstrap} draws"
    beside = (
        f"{detail}; subjects only {studies['subjects']:.3f}, conditions only "
        f"{studies['conditions']:.3f} (of {_N_SHOWN} studies)"
    )
    found.append(
        between("inference, new both: dual bootstrap", studies["both"], _LOW, _HIGH, beside)
    )
    found.append(
        Check(
            "inference, new both: subjects-only test is too liberal",
            studies["subjects"],
            f"> {_HIGH:g}",
            bool(studies["subjects"] > _HIGH),
            f"{detail}; the demonstration that must fail",
        )
    )
    truth = (
        f"{detail}; truth: mean ceiling of these studies, lower {studies['lower']:.3f}, upper "
        f"{studies['upper']:.3f}; score of the true RDM {studies['truth']:.3f}"
    )
    for name in ("lower", "upper"):
        coverage = studies[f"{name} coverage"]
        title = f"inference: coverage of the {name} ceiling"
        found.append(between(title, coverage, 0.9, 0.99, truth))
    inside = min(studies["truth"] - studies["lower"], studies["upper"] - studies["truth"])
    found.append(at_least("inference: true RDM between the ceilings", inside, 0.0, truth))
    return found


def _evaluated(study: Study, new: New, measure: str, n_bootstrap: int, seed: int) -> Evaluation:
    """Evaluate with draws of the study's own: shared ones would err alike in all studies."""
    items = pd.DataFrame({"subject": range(len(study.data))})
    names = tuple(str(k) for k in range(n_conditions_of(study.data.shape[1])))
    rows = zip(("first", "second", "truth"), (*study.models, study.truth), strict=True)
    models = [FixedModel(name, values) for name, values in rows]
    rdms = RDMs(study.data, names, "euclidean", items)
    return evaluate(
        models, rdms, measure=measure, new=new, n_bootstrap=n_bootstrap, n_permutations=0, seed=seed
    )


def subject_rates(
    n_studies: int, n_conditions: int, measure: str, seed: int = 0
) -> dict[str, float]:
    """Rates of false positives for new subjects on fixed stimuli.

    Returns
    -------
    dict
        ``t``: paired t test; ``bootstrap``: standard error over draws of subjects times
        ``sqrt(n / (n - 1))`` against the t quantile; ``percentile``: 0 outside the central 95 %.
    """
    rng = np.random.default_rng(seed)
    hits = {"t": 0, "bootstrap": 0, "percentile": 0}
    for k in range(n_studies):
        study = fixed_stimuli(rng, n_conditions)
        result = _evaluated(study, "subjects", measure, 2, k)
        counts = bootstrap_weights(N_SUBJECTS, 1000, rng) / N_SUBJECTS
        difference = result.scores[0] - result.scores[1]
        draws = counts @ difference
        error = draws.std(ddof=1) * np.sqrt(N_SUBJECTS / (N_SUBJECTS - 1))
        p = 2 * stdtr(N_SUBJECTS - 1, -abs(difference.mean()) / error)
        low, high = np.quantile(draws, [LEVEL / 2, 1 - LEVEL / 2])
        hits["t"] += int(result.differences.p_value[0] < LEVEL)
        hits["bootstrap"] += int(p < LEVEL)
        hits["percentile"] += int(not low <= 0 <= high)
    return {name: count / n_studies for name, count in hits.items()}


def stimulus_rates(
    n_studies: int, n_conditions: int, measure: str, n_bootstrap: int, seed: int = 1
) -> dict[str, float]:
    """Rates of false positives, by what is taken for new, where subjects and stimuli are.

    Returns
    -------
    dict
        Rates ``both``, ``subjects``, ``conditions``; mean ceilings ``lower`` and ``upper``, the
        shares of their intervals that hold these means, and the mean score of the true RDM.
    """
    rng = np.random.default_rng(seed)
    hits = dict.fromkeys(_DESIGNS, 0)
    ceilings = []
    for k in range(n_studies):
        study = new_stimuli(rng, n_conditions)
        for new in _DESIGNS if k < _N_SHOWN else _DESIGNS[:2]:
            n_draws = 2 if new == "subjects" else n_bootstrap
            result = _evaluated(study, new, measure, n_draws, k)
            hits[new] += int(result.differences.p_value[0] < LEVEL)
            if new == "both" and result.ceiling is not None:
                top = result.ceiling
                ceilings.append([*top.value, *top.low, *top.high, result.mean[2]])
    table = np.array(ceilings)
    mean = table[:, :2].mean(axis=0)
    held = ((table[:, 2:4] <= mean) & (mean <= table[:, 4:6])).mean(axis=0)
    rates: dict[str, float] = {new: count / n_studies for new, count in hits.items()}
    rates["conditions"] = hits["conditions"] / min(n_studies, _N_SHOWN)
    rates |= {"lower": float(mean[0]), "upper": float(mean[1])}
    rates |= {"lower coverage": float(held[0]), "upper coverage": float(held[1])}
    return rates | {"truth": float(table[:, 6].mean())}
