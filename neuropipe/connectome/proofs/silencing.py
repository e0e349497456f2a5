"""SIM-D: the unit that drives a motif is found without silencing anything.

In the simulator one neuron drives a motif, and every neuron can be silenced: the truth of a
knock-out is how many of a community's events it takes away. The prediction sees the traces only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from neuropipe.connectome.readings import Window, read_windows
from neuropipe.connectome.restarts import fit_starts
from neuropipe.connectome.settings import AffinitySettings, CommunitySettings, FactorizationSettings
from neuropipe.connectome.silencing import driver_rank, motif_strength
from neuropipe.connectome.tensor import tensor_source
from neuropipe.connectome.windows import residual, window_affinity
from neuropipe.simulate.calcium_hub import silencing_effects, sim_hub, wiring
from neuropipe.simulate.settings import CalciumSimulation
from neuropipe.stats.checks import Check, at_least
from neuropipe.stats.communities import louvain
from neuropipe.stats.connectivity_matrices import mean_correlation

__all__ = ["Prediction", "checks", "predict"]

_RANK, _N_STARTS, _MOST_ITERATIONS, _N_RUNS = 8, 2, 50, 5
_SEEDS = range(20)
_TOP = 3
_N_KNOCKED_OUT = 3  # seeds in which every neuron is silenced in turn


@dataclass(frozen=True)
class Prediction:
    """Scores of all units, from traces alone.

    Parameters
    ----------
    strength : array of shape (n_units,)
        Of each unit within its block, affinity above expectation.
    raw : array of shape (n_units,)
        The same of the affinity itself.
    correlation : array of shape (n_units,)
        Without the method: static correlation within communities by Louvain.
    """

    strength: np.ndarray
    raw: np.ndarray
    correlation: np.ndarray


def checks(*, full: bool = False) -> list[Check]:
    """Measure the claims; 40 s on one core.

    Parameters
    ----------
    full : bool
        Silence every neuron in turn in all seeds, not in three; 20 s more.
    """
    settings = [CalciumSimulation(design="hub", seed=seed) for seed in _SEEDS]
    found = [predict(one) for one in settings]
    drivers = [wiring(one).hub for one in settings]
    ranks = _ranks((one.strength for one in found), drivers)
    raw = _ranks((one.raw for one in found), drivers)
    plain = _ranks((one.correlation for one in found), drivers)
    n_knocked_out = len(settings) if full else _N_KNOCKED_OUT
    hits, agreement = _knock_outs(settings[:n_knocked_out], found)
    return [
        at_least(
            f"silencing: seeds in which the driver is in the top {_TOP} of all units",
            _in_top(ranks), 0.8,
            f"{len(ranks)} seeds, {settings[0].n_neurons} units; ranks {min(ranks)} to "
            f"{max(ranks)}; without the residual {_in_top(raw):.2f}, static correlation "
            f"{_in_top(plain):.2f}",
        ),
        at_least(
            f"silencing: seeds in which the largest knock-out is in the top {_TOP}", hits, 0.8,
            f"{n_knocked_out} seeds, every unit silenced; Spearman of strength and effect over all "
            f"units {agreement:.2f}",
        ),
    ]  # fmt: skip


def predict(settings: CalciumSimulation) -> Prediction:
    """Score the units of a simulation of the design ``hub``.

    Parameters
    ----------
    settings : CalciumSimulation
    """
    data = sim_hub(settings)
    source = tensor_source(
        data.traces,
        data.presence,
        data.sampling_rate,
        AffinitySettings(),
        FactorizationSettings(),
    )
    factors, *_ = fit_starts(source, _RANK, _N_STARTS, max_iterations=_MOST_ITERATIONS)
    whole = Window("whole", np.ones(source.n_samples, dtype=bool))
    activity = factors.coactivity()
    min_weight = CommunitySettings().min_weight
    blocks = read_windows(
        factors, activity, source.n_units, [whole], n_runs=_N_RUNS, min_weight=min_weight
    )
    affinity = window_affinity(factors.pairs, activity, source.n_units, whole.samples)
    static = np.maximum(mean_correlation(data.traces), 0)
    return Prediction(
        strength=motif_strength(residual(affinity), blocks[0].labels),
        raw=motif_strength(affinity, blocks[0].labels),
        correlation=motif_strength(static, louvain(static)),
    )


def _ranks(scores: Iterable[np.ndarray], drivers: Iterable[int]) -> list[int]:
    return [driver_rank(one, driver) for one, driver in zip(scores, drivers, strict=True)]


def _in_top(ranks: list[int]) -> float:
    return float(np.mean([rank <= _TOP for rank in ranks]))


def _knock_outs(settings: list[CalciumSimulation], found: list[Prediction]) -> tuple[float, float]:
    """Share of seeds whose largest knock-out is in the top, and mean rank correlation."""
    effects = [silencing_effects(one).max(axis=1) for one in settings]
    strength = [one.strength for one in found[: len(settings)]]
    ranks = _ranks(strength, [int(effect.argmax()) for effect in effects])
    pairs = zip(strength, effects, strict=True)
    return _in_top(ranks), float(np.mean([spearmanr(a, b).statistic for a, b in pairs]))
